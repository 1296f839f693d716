//! Job definitions.

use super::Workspace;
use super::error::{Error, Meaning};
use crate::http::Class;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What must be known of a job to run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// Its name; names are not unique.
    pub name: String,
    /// Its tasks.
    pub tasks: Vec<JobTask>,
    /// The names of the parameters that it defines.
    pub parameters: Vec<String>,
}

/// A task of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTask {
    /// Its key, unique in the job.
    pub key: String,
    /// Its type as the API spells it: `notebook_task`, `spark_python_task`, …
    pub kind: String,
}

/// A job as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSummary {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub creator: Option<String>,
}

#[derive(Deserialize)]
struct WireJob {
    job_id: i64,
    #[serde(default)]
    creator_user_name: Option<String>,
    #[serde(default)]
    settings: WireSettings,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireSettings {
    name: Option<String>,
    tasks: Vec<Map<String, Value>>,
    parameters: Vec<WireParameter>,
}

#[derive(Deserialize)]
struct WireParameter {
    name: String,
}

#[derive(Deserialize)]
struct WireJobs {
    #[serde(default)]
    jobs: Vec<WireJob>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Workspace {
    /// The job with this id; `None` where there is none. (Where we may not see it, the service says 403 before it says
    /// whether it exists.)
    pub async fn job(&self, id: i64) -> Result<Option<Job>, Error> {
        let mut job = Job { id, name: String::new(), tasks: Vec::new(), parameters: Vec::new() };
        let mut page = None::<String>;
        loop {
            // 2.2 gives the first 100 of each array; later pages leave arrays empty that are complete already.
            let mut query = vec![("job_id", id.to_string())];
            query.extend(page.take().map(|token| ("page_token", token)));
            let wire: WireJob = match self.get(Class::Jobs, "/api/2.2/jobs/get", query).await {
                Ok(wire) => wire,
                Err(error) if error.meaning() == Some(Meaning::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            };
            job.name = wire.settings.name.unwrap_or(job.name);
            job.tasks.extend(wire.settings.tasks.iter().map(task));
            job.parameters.extend(wire.settings.parameters.into_iter().map(|parameter| parameter.name));
            page = wire.next_page_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(Some(job));
            }
        }
    }

    /// Every job that we may see with this name, in whatever case: so the service's own filter understands names.
    pub async fn jobs_named(&self, name: &str) -> Result<Vec<JobSummary>, Error> {
        let mut found = Vec::new();
        let mut page = None::<String>;
        loop {
            let mut query = vec![("name", name.to_owned()), ("limit", "100".to_owned())];
            query.extend(page.take().map(|token| ("page_token", token)));
            let wire: WireJobs = self.get(Class::Jobs, "/api/2.2/jobs/list", query).await?;
            found.extend(wire.jobs.into_iter().filter_map(|job| {
                Some(JobSummary { id: job.job_id, name: job.settings.name?, creator: job.creator_user_name })
            }));
            page = wire.next_page_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(found);
            }
        }
    }
}

fn task(wire: &Map<String, Value>) -> JobTask {
    let key = wire.get("task_key").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = wire.keys().find(|field| field.ends_with("_task")).cloned().unwrap_or_else(|| "unknown".to_owned());
    JobTask { key, kind }
}
