//! Runs: triggering, watching, cancelling.

use super::Workspace;
use super::error::{self, Error};
use super::status::{Status, WireStates};
use crate::http::{Class, Repeat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// A job to be run now.
#[derive(Clone, Debug)]
pub struct RunNow {
    /// The job.
    pub job_id: i64,
    /// At most 64 characters: the service answers a repetition with the first run's id.
    pub idempotency_token: String,
    /// Values for parameters that the job defines.
    pub job_parameters: BTreeMap<String, String>,
    /// Values for all notebook tasks; not together with `job_parameters`.
    pub notebook_params: BTreeMap<String, String>,
}

/// A notebook to be run once, without a job.
#[derive(Clone, Debug)]
pub struct Submit {
    /// What the run is called in the workspace.
    pub name: String,
    /// The task's key.
    pub task_key: String,
    /// The notebook: absolute, without extension.
    pub notebook: String,
    /// What `dbutils.widgets.get` returns in it.
    pub parameters: BTreeMap<String, String>,
    /// An existing cluster; `None` means serverless.
    pub cluster: Option<String>,
    /// As in [`RunNow`].
    pub idempotency_token: String,
}

/// A run as it is now.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its page in the workspace.
    pub page: Option<String>,
    /// Its state.
    pub status: Status,
    /// Its tasks, every attempt of each.
    pub tasks: Vec<TaskRun>,
}

/// A task's run.
#[derive(Clone, Debug)]
pub struct TaskRun {
    /// Its own run id, the one that has an output.
    pub id: i64,
    /// The task's key.
    pub key: String,
    /// Counts up with each retry of the task, from 0.
    pub attempt: i64,
    /// Its page in the workspace.
    pub page: Option<String>,
    /// The notebook that it runs, where it runs one.
    pub notebook: Option<String>,
    /// Its state.
    pub status: Status,
    /// How long it took by the service's clock, when it has ended.
    pub took: Option<Duration>,
}

/// What a task's run left behind.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// What the notebook gave to `dbutils.notebook.exit`.
    pub notebook_result: Option<String>,
    /// Whether the service cut `notebook_result`.
    pub truncated: bool,
    /// The error in one line.
    pub error: Option<String>,
    /// The whole trace.
    pub error_trace: Option<String>,
}

#[derive(Serialize)]
struct WireRunNow<'a> {
    job_id: i64,
    idempotency_token: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    job_parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notebook_params: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct WireSubmit<'a> {
    run_name: &'a str,
    idempotency_token: &'a str,
    tasks: [WireSubmitTask<'a>; 1],
}

#[derive(Serialize)]
struct WireSubmitTask<'a> {
    task_key: &'a str,
    notebook_task: WireNotebookTask<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    existing_cluster_id: Option<&'a str>,
}

#[derive(Serialize)]
struct WireNotebookTask<'a> {
    notebook_path: &'a str,
    source: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    base_parameters: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct WireRunId {
    run_id: i64,
}

#[derive(Deserialize)]
struct WireTriggered {
    run_id: i64,
}

#[derive(Deserialize)]
struct WireRun {
    #[serde(default)]
    run_page_url: Option<String>,
    #[serde(flatten)]
    states: WireStates,
    #[serde(default)]
    tasks: Vec<WireTaskRun>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct WireTaskRun {
    run_id: i64,
    #[serde(default)]
    task_key: String,
    #[serde(default)]
    attempt_number: i64,
    #[serde(default)]
    run_page_url: Option<String>,
    #[serde(default)]
    notebook_task: Option<Map<String, Value>>,
    #[serde(default)]
    start_time: i64,
    #[serde(default)]
    end_time: i64,
    #[serde(flatten)]
    states: WireStates,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireOutput {
    notebook_output: Option<WireNotebookOutput>,
    error: Option<String>,
    error_trace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireNotebookOutput {
    result: Option<String>,
    truncated: bool,
}

/// Cancelling must be quick or not at all: somebody is waiting for us to end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

impl Workspace {
    /// Triggers a job; returns the run's id.
    pub async fn run_now(&self, run: &RunNow) -> Result<i64, Error> {
        let body = WireRunNow {
            job_id: run.job_id,
            idempotency_token: &run.idempotency_token,
            job_parameters: &run.job_parameters,
            notebook_params: &run.notebook_params,
        };
        let triggered: WireTriggered = self.post(Class::Runs, Repeat::ByToken, "/api/2.2/jobs/run-now", &body).await?;
        Ok(triggered.run_id)
    }

    /// Runs a notebook once, without a job; returns the run's id.
    pub async fn submit(&self, run: &Submit) -> Result<i64, Error> {
        let body = WireSubmit {
            run_name: &run.name,
            idempotency_token: &run.idempotency_token,
            tasks: [WireSubmitTask {
                task_key: &run.task_key,
                notebook_task: WireNotebookTask {
                    notebook_path: &run.notebook,
                    source: "WORKSPACE",
                    base_parameters: &run.parameters,
                },
                existing_cluster_id: run.cluster.as_deref(),
            }],
        };
        let triggered: WireTriggered =
            self.post(Class::Runs, Repeat::ByToken, "/api/2.2/jobs/runs/submit", &body).await?;
        Ok(triggered.run_id)
    }

    /// The run as it is now. `patience` bounds how long passing troubles are borne before they are told.
    pub async fn run(&self, id: i64, patience: Duration) -> Result<Run, Error> {
        let mut run: Option<Run> = None;
        let mut page = None::<String>;
        loop {
            // 2.2 gives the first 100 tasks; further pages carry the others.
            let mut query = vec![("run_id", id.to_string())];
            query.extend(page.take().map(|token| ("page_token", token)));
            let wire: WireRun = self.get_within(Class::Runs, "/api/2.2/jobs/runs/get", query, patience).await?;
            let tasks = wire.tasks.into_iter().map(TaskRun::from);
            let run = match &mut run {
                Some(run) => {
                    run.tasks.extend(tasks);
                    run
                }
                none => none.insert(Run {
                    page: wire.run_page_url.filter(|page| !page.is_empty()),
                    status: wire.states.into(),
                    tasks: tasks.collect(),
                }),
            };
            page = wire.next_page_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(run.clone());
            }
        }
    }

    /// What a task's run left behind. The id is a task run's: the service refuses the id of the run around it.
    pub async fn output(&self, task_run: i64) -> Result<Output, Error> {
        let query = vec![("run_id", task_run.to_string())];
        let wire: WireOutput = self.get(Class::Runs, "/api/2.2/jobs/runs/get-output", query).await?;
        let notebook = wire.notebook_output.unwrap_or_default();
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Ok(Output {
            notebook_result: said(notebook.result),
            truncated: notebook.truncated,
            error: said(wire.error),
            error_trace: said(wire.error_trace),
        })
    }

    /// Asks for the run's cancellation, which the service carries out later.
    pub async fn cancel(&self, id: i64) -> Result<(), Error> {
        let mut call =
            super::post(Class::Control, Repeat::Always, "/api/2.2/jobs/runs/cancel", &WireRunId { run_id: id });
        call.patience = Some(CANCEL_PATIENCE);
        self.order(&call, error::classify).await
    }
}

impl From<WireTaskRun> for TaskRun {
    fn from(wire: WireTaskRun) -> TaskRun {
        // A task that never ran has an end, but no start.
        let took = u64::try_from(wire.end_time - wire.start_time).ok().filter(|_| wire.start_time > 0);
        TaskRun {
            id: wire.run_id,
            key: wire.task_key,
            attempt: wire.attempt_number,
            page: wire.run_page_url.filter(|page| !page.is_empty()),
            notebook: wire.notebook_task.and_then(|task| Some(task.get("notebook_path")?.as_str()?.to_owned())),
            status: wire.states.into(),
            took: took.map(Duration::from_millis),
        }
    }
}
