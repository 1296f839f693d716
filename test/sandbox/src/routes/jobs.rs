//! `/api/2.2/jobs/…`: the definitions.

use super::paging;
use crate::errors::ApiError;
use crate::jobs::{self, Job};
use crate::principals::JobRight;
use crate::reply::Reply;
use crate::request::Ask;
use crate::state::State;
use serde_json::{Value, json};

/// The arrays that come in pages of 100.
const PAGED: [&str; 4] = ["tasks", "job_clusters", "environments", "parameters"];

/// `POST create`.
pub(crate) fn create(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let settings = ask.json()?;
    jobs::check(settings)?;
    let (job_id, now) = (state.ids.next(), state.clock.millis());
    state.jobs.add(job_id, &ask.caller.name, now, Value::Object(settings.0.clone()));
    Ok(Reply::json(&json!({ "job_id": job_id })))
}

/// `GET get`.
pub(crate) fn get(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let job_id = ask.query_integer("job_id")?.ok_or_else(|| crate::request::missing("job_id"))?;
    let job = permitted(state, ask, job_id, JobRight::View, "View or Admin or Manage Run or Owner")?;
    let mut body = describe(job);
    if ask.path.starts_with("/api/2.2/") {
        let page = paging::page_of(ask)?;
        if let Some(next) = paging::cut(&mut body["settings"], &PAGED, page) {
            body["has_more"] = Value::from(true);
            body["next_page_token"] = Value::from(next);
        }
    }
    Ok(Reply::json(&body))
}

/// `GET list`: newest first.
pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let limit = match ask.query_integer("limit")?.unwrap_or(20) {
        limit @ 1..=100 => usize::try_from(limit).unwrap_or(20),
        other => return Err(ApiError::invalid(format!("Invalid limit: {other}. It must lie between 1 and 100"))),
    };
    let wanted = ask.query("name").map(str::to_lowercase);
    let expand = ask.query_flag("expand_tasks")?;
    let before = paging::before_of(ask)?;
    let mut matching = state
        .jobs
        .all
        .range(..before)
        .rev()
        .map(|(_, job)| job)
        .filter(|job| wanted.as_ref().is_none_or(|wanted| job.name().to_lowercase() == *wanted))
        .filter(|job| ask.caller.job_right(job.job_id, Some(&job.creator)) >= JobRight::View);
    let page: Vec<&Job> = matching.by_ref().take(limit).collect();
    let has_more = matching.next().is_some();
    let mut body = json!({ "has_more": has_more });
    if let Some(last) = page.last().filter(|_| has_more) {
        body["next_page_token"] = Value::from(paging::token_before(last.job_id));
    }
    if !page.is_empty() {
        let shown = page.iter().map(|job| {
            let mut shown = describe(job);
            if let Some(settings) = shown["settings"].as_object_mut().filter(|_| !expand) {
                settings.remove("tasks");
                settings.remove("job_clusters");
            }
            shown
        });
        body["jobs"] = shown.collect();
    }
    Ok(Reply::json(&body))
}

/// `POST delete`.
pub(crate) fn delete(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let job_id = ask.json()?.required_integer("job_id")?;
    permitted(state, ask, job_id, JobRight::Manage, "Admin or Owner")?;
    state.jobs.all.remove(&job_id);
    Ok(Reply::empty())
}

/// The job, if the caller may do this with it. The right is asked first: who has none does not learn whether the job
/// exists. A missing job is a 400.
pub(crate) fn permitted<'a>(
    state: &'a State,
    ask: &Ask,
    job_id: i64,
    right: JobRight,
    named: &str,
) -> Result<&'a Job, ApiError> {
    let job = state.jobs.all.get(&job_id);
    if ask.caller.job_right(job_id, job.map(|job| job.creator.as_str())) < right {
        let text = format!("User {} does not have {named} permissions on job {job_id}", ask.caller.name);
        return Err(ApiError::denied(text));
    }
    job.ok_or_else(|| ApiError::invalid(format!("Job {job_id} does not exist.")))
}

fn describe(job: &Job) -> Value {
    let run_as = &job.settings["run_as"];
    let named =
        ["user_name", "service_principal_name", "group_name"].into_iter().find_map(|name| run_as[name].as_str());
    json!({
        "job_id": job.job_id,
        "creator_user_name": job.creator,
        "run_as_user_name": named.unwrap_or(&job.creator),
        "created_time": job.created_at,
        "settings": job.settings,
    })
}
