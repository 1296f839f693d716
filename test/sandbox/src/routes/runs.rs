//! `/api/2.2/jobs/run-now` and `/api/2.2/jobs/runs/…`.

use super::jobs::permitted;
use super::paging;
use crate::errors::ApiError;
use crate::jobs::checked_tasks;
use crate::principals::JobRight;
use crate::reply::Reply;
use crate::request::{Ask, Fields, missing};
use crate::runs::{LiveRun, Plan, Repair, Stage, View, upstream};
use crate::state::State;
use serde_json::{Value, json};

const PAGED: [&str; 3] = ["tasks", "job_clusters", "job_parameters"];

const LEGACY_PARAMETERS: [&str; 8] = [
    "notebook_params",
    "python_params",
    "python_named_params",
    "jar_params",
    "sql_params",
    "dbt_commands",
    "spark_submit_params",
    "pipeline_params",
];

/// `POST run-now`.
pub(crate) fn run_now(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let fields = ask.json()?;
    let job_id = fields.required_integer("job_id")?;
    let token = idempotency_token(fields)?;
    advance(state);
    let job = permitted(state, ask, job_id, JobRight::ManageRun, "Manage Run or Owner or Admin")?;
    check_parameters(fields, &job.settings)?;
    let queues = match fields.object("queue")? {
        Some(queue) => queue.flag("enabled")?,
        None => job.queues(),
    };
    let places = Some((job.max_concurrent_runs(), queues));
    let (name, settings) = (job.name().to_owned(), job.settings.clone());
    if let Some(known) = known_run(state, token.as_deref())? {
        return Ok(known);
    }
    let number = state.jobs.all.get_mut(&job_id).map_or(1, |job| {
        job.runs += 1;
        job.runs
    });
    let request = Value::Object(fields.0.clone());
    let run = Trigger { job_id, one_time: false, number, name, request, token, settings };
    let run_id = trigger(state, ask, run, places);
    Ok(Reply::json(&json!({ "run_id": run_id, "number_in_job": number })))
}

/// `POST runs/submit`: a run without a job, though it has a job id of its own.
pub(crate) fn submit(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let fields = ask.json()?;
    let token = idempotency_token(fields)?;
    let name = fields.text("run_name")?.unwrap_or("Untitled").to_owned();
    if checked_tasks(fields)?.is_empty() {
        return Err(missing("tasks"));
    }
    advance(state);
    if let Some(known) = known_run(state, token.as_deref())? {
        return Ok(known);
    }
    let request = Value::Object(fields.0.clone());
    let settings = crate::jobs::with_defaults(request.clone());
    let job_id = state.ids.next();
    let run = Trigger { job_id, one_time: true, number: 1, name, request, token, settings };
    let run_id = trigger(state, ask, run, None);
    Ok(Reply::json(&json!({ "run_id": run_id })))
}

/// `GET runs/get`: a poll.
pub(crate) fn get(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let run_id = ask.query_integer("run_id")?.ok_or_else(|| missing("run_id"))?;
    let history = ask.query_flag("include_history")?;
    let page = paging::page_of(ask)?;
    // Further pages belong to the same poll.
    let poll = page == 0;
    if let Some(run) = state.runs.get_mut(run_id).filter(|_| poll) {
        run.turn();
    }
    advance(state);
    let view = view(state, ask);
    if let Some((run, task)) = state.runs.task(run_id) {
        may(ask, state, run, JobRight::View)?;
        return Ok(Reply::json(&view.task_run(run, task)));
    }
    let run = find(state, ask, run_id, JobRight::View)?;
    let mut body = view.run(run);
    if history {
        body["repair_history"] = view.repairs(run);
    }
    if ask.path.starts_with("/api/2.2/")
        && let Some(next) = paging::cut(&mut body, &PAGED, page)
    {
        body["next_page_token"] = Value::from(next);
    }
    let now = view.now;
    if let Some(run) = state.runs.get_mut(run_id).filter(|_| poll) {
        run.polled(now);
    }
    Ok(Reply::json(&body))
}

/// `GET runs/list`: newest first.
pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let limit = match ask.query_integer("limit")?.unwrap_or(20) {
        0 => 24,
        limit @ 1..=24 => usize::try_from(limit).unwrap_or(20),
        other => return Err(ApiError::invalid(format!("Invalid limit: {other}. It must lie between 0 and 24"))),
    };
    let job_id = ask.query_integer("job_id")?;
    let (active, completed) = (ask.query_flag("active_only")?, ask.query_flag("completed_only")?);
    if active && completed {
        return Err(ApiError::invalid("active_only and completed_only cannot both be true"));
    }
    let one_time = match ask.query("run_type") {
        None => None,
        Some("JOB_RUN") => Some(false),
        Some("SUBMIT_RUN") => Some(true),
        Some(other) => return Err(ApiError::invalid(format!("Invalid value for field 'run_type': {other}"))),
    };
    let from = ask.query_integer("start_time_from")?.unwrap_or(i64::MIN);
    let to = ask.query_integer("start_time_to")?.unwrap_or(i64::MAX);
    let expand = ask.query_flag("expand_tasks")?;
    let before = paging::before_of(ask)?;
    advance(state);
    let view = view(state, ask);
    let mut matching = state.runs.in_order().rev().filter(|run| {
        let created = state.clock.millis_at(run.created);
        run.run_id < before
            && job_id.is_none_or(|wanted| run.job_id == wanted && !run.one_time)
            && one_time.is_none_or(|wanted| run.one_time == wanted)
            && !(active && run.ended())
            && (!completed || run.ended())
            && (from..=to).contains(&created)
            && may(ask, state, run, JobRight::View).is_ok()
    });
    let page: Vec<&LiveRun> = matching.by_ref().take(limit).collect();
    let has_more = matching.next().is_some();
    let mut body = json!({ "has_more": has_more });
    if let Some(last) = page.last().filter(|_| has_more) {
        body["next_page_token"] = Value::from(paging::token_before(last.run_id));
    }
    if !page.is_empty() {
        let shown = page.iter().map(|run| {
            let mut shown = view.run(run);
            if let Some(fields) = shown.as_object_mut().filter(|_| !expand) {
                fields.remove("tasks");
            }
            shown
        });
        body["runs"] = shown.collect();
    }
    Ok(Reply::json(&body))
}

/// `GET runs/get-output`: of a task run, never of the run around it.
pub(crate) fn get_output(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let run_id = ask.query_integer("run_id")?.ok_or_else(|| missing("run_id"))?;
    advance(state);
    if let Some((run, task)) = state.runs.task(run_id) {
        may(ask, state, run, JobRight::View)?;
        return Ok(Reply::json(&view(state, ask).output(run, task)));
    }
    find(state, ask, run_id, JobRight::View)?;
    // Even where there is but one task (measured).
    Err(ApiError::invalid(
        "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each \
         individual task run instead.",
    ))
}

/// `POST runs/cancel`: asks for it; a run that has ended stays as it is.
pub(crate) fn cancel(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let run_id = ask.json()?.required_integer("run_id")?;
    advance(state);
    find(state, ask, run_id, JobRight::ManageRun)?;
    let now = state.clock.now();
    if let Some(run) = state.runs.get_mut(run_id) {
        run.cancel(now);
    }
    Ok(Reply::empty())
}

/// `POST runs/delete`.
pub(crate) fn delete(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let run_id = ask.json()?.required_integer("run_id")?;
    advance(state);
    if !find(state, ask, run_id, JobRight::ManageRun)?.ended() {
        return Err(ApiError::new(
            400,
            "INVALID_STATE",
            format!("Run {run_id} is still active and cannot be deleted."),
        ));
    }
    state.runs.remove(run_id);
    Ok(Reply::empty())
}

/// `POST runs/repair`.
pub(crate) fn repair(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let fields = ask.json()?;
    let run_id = fields.required_integer("run_id")?;
    advance(state);
    let run = find(state, ask, run_id, JobRight::ManageRun)?;
    if !run.ended() {
        return Err(ApiError::new(
            400,
            "INVALID_STATE",
            format!("Run {run_id} is still active and cannot be repaired."),
        ));
    }
    let latest = run.repairs.last().map(|repair| repair.id);
    if fields.integer("latest_repair_id")? != latest {
        let text = "latest_repair_id must be the id of the latest repair of the run";
        return Err(ApiError::invalid(text));
    }
    check_parameters(fields, &run.settings)?;
    let chosen = chosen_tasks(run, fields)?;
    let (job_id, name) = (run.job_id, run.name.clone());
    let notebooks: Vec<String> = run.tasks.iter().filter_map(|task| task.notebook()).map(str::to_owned).collect();
    let notebooks: Vec<&str> = notebooks.iter().map(String::as_str).collect();
    let parameters = fields.text_map("job_parameters")?;

    let script = state.runs.take_script(job_id, &name, &notebooks);
    let tasks: Vec<(usize, i64)> = chosen.into_iter().map(|index| (index, state.ids.next())).collect();
    let task_run_ids: Vec<i64> = tasks.iter().map(|(_, id)| *id).collect();
    let (id, at) = (state.ids.next(), state.clock.now());
    state.runs.reopen(run_id, &task_run_ids);
    if let Some(run) = state.runs.get_mut(run_id) {
        if let Some(parameters) = parameters {
            run.request["job_parameters"] = Value::Object(parameters.0.clone());
        }
        run.repair(Repair { id, task_run_ids, at }, &tasks, script);
    }
    Ok(Reply::json(&json!({ "repair_id": id })))
}

/// Which tasks a repair runs again.
fn chosen_tasks(run: &LiveRun, fields: Fields<'_>) -> Result<Vec<usize>, ApiError> {
    let named = fields.list("rerun_tasks")?;
    let all_failed = fields.flag("rerun_all_failed_tasks")?;
    let mut chosen: Vec<usize> = match named {
        Some(_) if all_failed => {
            return Err(ApiError::invalid("rerun_tasks and rerun_all_failed_tasks cannot be used together"));
        }
        Some(keys) => {
            let find = |key: &Value| {
                let found = run.tasks.iter().position(|task| key == task.key.as_str());
                found.ok_or_else(|| ApiError::invalid(format!("Task {key} does not exist in the run")))
            };
            keys.iter().map(find).collect::<Result<_, _>>()?
        }
        None => {
            let failed = |stage: &Stage| match stage {
                Stage::Ended { ending, .. } => ending.result.as_deref() != Some("SUCCESS"),
                Stage::Blocked | Stage::Playing { .. } => false,
            };
            (0..run.tasks.len()).filter(|index| all_failed && failed(&run.tasks[*index].stage)).collect()
        }
    };
    if fields.flag("rerun_dependent_tasks")? {
        loop {
            let keys: Vec<&str> = chosen.iter().map(|index| run.tasks[*index].key.as_str()).collect();
            let waits = |index: &usize| upstream(&run.tasks[*index].spec).any(|key| keys.contains(&key));
            let more: Vec<usize> = (0..run.tasks.len()).filter(|index| !chosen.contains(index)).filter(waits).collect();
            if more.is_empty() {
                break;
            }
            chosen.extend(more);
        }
    }
    if chosen.is_empty() {
        return Err(ApiError::invalid("There are no tasks to run again"));
    }
    Ok(chosen)
}

struct Trigger {
    job_id: i64,
    one_time: bool,
    number: i64,
    name: String,
    request: Value,
    token: Option<String>,
    settings: Value,
}

fn trigger(state: &mut State, ask: &Ask, trigger: Trigger, places: Option<(usize, bool)>) -> i64 {
    let Trigger { job_id, one_time, number, name, request, token, settings } = trigger;
    let specs = settings["tasks"].as_array().cloned().unwrap_or_default();
    let notebooks: Vec<&str> =
        specs.iter().filter_map(|spec| spec["notebook_task"]["notebook_path"].as_str()).collect();
    let script = state.runs.take_script(job_id, &name, &notebooks);
    let run_id = state.ids.next();
    let key = |spec: &Value| spec["task_key"].as_str().unwrap_or_default().to_owned();
    let tasks = specs.iter().map(|spec| (key(spec), state.ids.next(), spec.clone())).collect();
    let by = ask.caller.name.clone();
    let plan = Plan { run_id, job_id, one_time, number, name, by, request, token, settings, tasks };
    let now = state.clock.now();
    state.runs.add(plan, script, places, now);
    run_id
}

fn advance(state: &mut State) {
    let now = state.clock.now();
    state.runs.advance(&state.tree, now);
}

fn view<'a>(state: &'a State, ask: &'a Ask) -> View<'a> {
    View { clock: &state.clock, origin: &ask.origin, workspace_id: state.workspace_id, now: state.clock.now() }
}

/// The run, if the caller may do this with it. A missing run is a 400.
fn find<'a>(state: &'a State, ask: &Ask, run_id: i64, right: JobRight) -> Result<&'a LiveRun, ApiError> {
    let run = state.runs.get(run_id).ok_or_else(|| ApiError::invalid(format!("Run {run_id} does not exist.")))?;
    may(ask, state, run, right)?;
    Ok(run)
}

/// Whoever triggered a run may do everything with it; for others the right on its job counts.
fn may(ask: &Ask, state: &State, run: &LiveRun, right: JobRight) -> Result<(), ApiError> {
    let creator = state.jobs.all.get(&run.job_id).map(|job| job.creator.as_str());
    if run.by == ask.caller.name || ask.caller.job_right(run.job_id, creator) >= right {
        return Ok(());
    }
    let named = match right {
        JobRight::None | JobRight::View => "View or Admin or Manage Run or Owner",
        JobRight::ManageRun | JobRight::Manage => "Manage Run or Owner or Admin",
    };
    let text = format!("User {} does not have {named} permissions on job {}", ask.caller.name, run.job_id);
    Err(ApiError::denied(text))
}

fn idempotency_token(fields: Fields<'_>) -> Result<Option<String>, ApiError> {
    let token = fields.text("idempotency_token")?.filter(|token| !token.is_empty());
    if token.is_some_and(|token| token.chars().count() > 64) {
        return Err(ApiError::invalid("The idempotency token must have at most 64 characters"));
    }
    Ok(token.map(str::to_owned))
}

/// The answer for a token that was seen before: the first run, not a second one.
fn known_run(state: &State, token: Option<&str>) -> Result<Option<Reply>, ApiError> {
    match token.and_then(|token| state.runs.by_token(token)) {
        None => Ok(None),
        Some(Some(run)) if run.one_time => Ok(Some(Reply::json(&json!({ "run_id": run.run_id })))),
        Some(Some(run)) => Ok(Some(Reply::json(&json!({ "run_id": run.run_id, "number_in_job": run.number })))),
        // Code and text are not confirmed, only that it is an error.
        Some(None) => Err(ApiError::invalid("The run of this idempotency token was deleted")),
    }
}

fn check_parameters(fields: Fields<'_>, settings: &Value) -> Result<(), ApiError> {
    fields.text_map("job_parameters")?;
    if fields.get("only").is_some() {
        return Err(ApiError::not_in_sandbox("running only some tasks of a job"));
    }
    for name in ["notebook_params", "python_named_params", "sql_params"] {
        let size = fields.text_map(name)?.map_or(0, |_| fields.get(name).map_or(0, |value| value.to_string().len()));
        if size > 10_000 {
            return Err(ApiError::invalid(format!("The JSON of {name} must have at most 10000 bytes")));
        }
    }
    for name in ["python_params", "jar_params", "dbt_commands", "spark_submit_params"] {
        if fields.list(name)?.unwrap_or_default().iter().any(|value| !value.is_string()) {
            return Err(ApiError::invalid(format!("Field '{name}' must hold strings")));
        }
    }
    if fields.get("notebook_params").is_some() && fields.get("jar_params").is_some() {
        return Err(ApiError::invalid("notebook_params and jar_params cannot be used together"));
    }
    let defines = settings["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty());
    let legacy = LEGACY_PARAMETERS.into_iter().find(|name| fields.get(name).is_some());
    if let Some(name) = legacy.filter(|_| defines) {
        let text = format!("{name} cannot be used for a job that defines job parameters; use job_parameters");
        return Err(ApiError::invalid(text));
    }
    Ok(())
}
