//! Job definitions.

use super::Workspace;
use super::error::{Error, Meaning};
use crate::access::Principal;
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
    /// Whose rights its runs have, where the workspace says it.
    pub run_as: Option<Principal>,
    /// The keys of the clusters that it makes for its tasks.
    pub job_clusters: Vec<String>,
}

/// A task of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTask {
    /// Its key, unique in the job.
    pub key: String,
    /// Its type as the API spells it: `notebook_task`, `spark_python_task`, …
    pub kind: String,
    /// What it runs on.
    pub compute: Vec<Compute>,
}

/// What a task runs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compute {
    /// A cluster that is there already, by id.
    Cluster(String),
    /// One of the job's own, by key.
    JobCluster(String),
    /// An SQL warehouse, by id.
    Warehouse(String),
    /// Serverless compute.
    Serverless,
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
    run_as_user_name: Option<String>,
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
    job_clusters: Vec<Map<String, Value>>,
    run_as: Option<Map<String, Value>>,
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
        let mut job = Job {
            id,
            name: String::new(),
            tasks: Vec::new(),
            parameters: Vec::new(),
            run_as: None,
            job_clusters: Vec::new(),
        };
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
            job.run_as = job.run_as.or(run_as(&wire));
            job.name = wire.settings.name.unwrap_or(job.name);
            let keys = wire.settings.job_clusters.iter().filter_map(|cluster| text(cluster, "job_cluster_key"));
            job.job_clusters.extend(keys);
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
    let kind = kind(wire).cloned().unwrap_or_else(|| "unknown".to_owned());
    JobTask { key, kind, compute: compute(wire) }
}

fn kind(task: &Map<String, Value>) -> Option<&String> {
    task.keys().find(|field| field.ends_with("_task"))
}

/// What the settings name, and what takes the place of nothing: code that names no compute runs serverless. Of the other
/// kinds of tasks only those that say so do.
fn compute(task: &Map<String, Value>) -> Vec<Compute> {
    let Some(kind) = kind(task) else { return Vec::new() };
    let Some(Value::Object(own)) = task.get(kind) else { return Vec::new() };
    if let Some(Value::Object(each)) = own.get("task").filter(|_| kind == "for_each_task") {
        return compute(each);
    }
    let cluster = text(task, "existing_cluster_id").map(Compute::Cluster);
    let cluster = cluster.or_else(|| text(task, "job_cluster_key").map(Compute::JobCluster));
    let mut found: Vec<Compute> = cluster.into_iter().collect();
    found.extend(text(own, "warehouse_id").map(Compute::Warehouse));
    let names_none = found.is_empty() && !task.contains_key("new_cluster");
    if task.contains_key("environment_key") || (names_none && kind == "notebook_task") {
        found.push(Compute::Serverless);
    }
    found
}

/// The settings say it in one of three fields; where they do not, there is the name that the service works out.
fn run_as(wire: &WireJob) -> Option<Principal> {
    let named = |field: &str| text(wire.settings.run_as.as_ref()?, field);
    let user = named("user_name").map(Principal::User);
    let service = || named("service_principal_name").map(Principal::ServicePrincipal);
    let group = || named("group_name").map(Principal::Group);
    user.or_else(service).or_else(group).or_else(|| {
        let name = wire.run_as_user_name.clone().filter(|name| !name.is_empty())?;
        Some(if name.contains('@') { Principal::User(name) } else { Principal::ServicePrincipal(name) })
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Compute, compute};
    use serde_json::json;

    #[test]
    fn what_a_task_runs_on_is_read_in_every_form() {
        let cluster = || Compute::Cluster("c".into());
        for (task, expected) in [
            (json!({"notebook_task": {"notebook_path": "/a"}}), vec![Compute::Serverless]),
            (json!({"notebook_task": {"warehouse_id": "w"}}), vec![Compute::Warehouse("w".into())]),
            (json!({"notebook_task": {}, "existing_cluster_id": "c"}), vec![cluster()]),
            (json!({"notebook_task": {}, "job_cluster_key": "k"}), vec![Compute::JobCluster("k".into())]),
            (json!({"notebook_task": {}, "new_cluster": {}}), vec![]),
            (json!({"spark_python_task": {}, "environment_key": "e"}), vec![Compute::Serverless]),
            (json!({"sql_task": {"warehouse_id": "w"}}), vec![Compute::Warehouse("w".into())]),
            (
                json!({"dbt_task": {"warehouse_id": "w"}, "existing_cluster_id": "c"}),
                vec![cluster(), Compute::Warehouse("w".into())],
            ),
            (
                json!({"for_each_task": {"inputs": "[]", "task": {"notebook_task": {}, "existing_cluster_id": "c"}}}),
                vec![cluster()],
            ),
            (json!({"condition_task": {}}), vec![]),
            (json!({"run_job_task": {"job_id": 1}}), vec![]),
            (json!({"future_task": 7}), vec![]),
            (json!({}), vec![]),
        ] {
            assert_eq!(compute(task.as_object().unwrap()), expected, "{task}");
        }
    }
}
