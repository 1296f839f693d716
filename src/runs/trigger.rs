//! Starts a run once and only once.

use super::Context;
use super::resolve::{Resolved, What};
use crate::databricks::error::{Error, Meaning};
use crate::databricks::runs::{RunNow, Submit};
use crate::event::{Event, RunLabel};
use crate::exit::Exit;
use crate::problem::{Code, Problem};
use crate::stop::Stop;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::task::{JoinError, JoinHandle};

/// A run that was started.
pub(super) struct Triggered {
    /// The run.
    pub(super) label: RunLabel,
}

impl Triggered {
    /// The run's page, if the workspace tells it soon: for a run that nobody waits for.
    pub(super) async fn link(&self, context: &Context<'_>) -> Option<String> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let link = context.workspace.run(self.label.id, PATIENCE).await.ok()?.page?;
        context.events.emit(Event::RunLinked { run: self.label.clone(), link: link.clone() });
        Some(link)
    }
}

/// The trigger that is under way, if one is. It goes on in a task of its own, so that a process that is told to stop
/// does not lose the id of a run that the workspace has started.
#[derive(Default)]
pub struct InFlight(Mutex<Option<Flight>>);

/// A trigger under way.
pub(super) struct Flight {
    /// What is being started, for people.
    pub(super) name: String,
    /// Its job, if it has one.
    pub(super) job_id: Option<i64>,
    /// Ends with the run's id.
    pub(super) task: JoinHandle<Result<i64, Error>>,
}

impl InFlight {
    /// Takes the trigger over from whoever waited for it.
    pub(super) fn take(&self) -> Option<Flight> {
        self.slot().take()
    }

    fn slot(&self) -> MutexGuard<'_, Option<Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the trigger to end. Who stops waiting leaves it where it is.
    async fn land(&self, flight: Flight) -> Result<Result<i64, Error>, JoinError> {
        *self.slot() = Some(flight);
        let landed = poll_fn(|context| match self.slot().as_mut() {
            Some(flight) => Pin::new(&mut flight.task).poll(context),
            // Somebody has taken it over; whoever still waits here is about to be dropped.
            None => Poll::Pending,
        })
        .await;
        self.take();
        landed
    }
}

/// Starts what was resolved. The token makes every repetition of the request find the first run.
pub(super) async fn trigger(context: &Context<'_>, position: usize, next: &Resolved) -> Result<Triggered, Stop> {
    let idempotency_token = token(context, position, next);
    let workspace = context.workspace.clone();
    let (job_id, task) = match next.what.clone() {
        What::Job { id, parameters, .. } => {
            let run = RunNow {
                job_id: id,
                idempotency_token,
                job_parameters: parameters.job,
                notebook_params: parameters.notebook,
            };
            (Some(id), tokio::spawn(async move { workspace.run_now(&run).await }))
        }
        What::Notebook { path } => {
            let name = path.as_str().rsplit('/').next().unwrap_or_default();
            let run = Submit {
                name: format!("{name} (databricks-deploy{})", build(context)),
                task_key: task_key(name),
                notebook: path.to_string(),
                parameters: context.settings.params.iter().cloned().collect(),
                cluster: context.settings.run_cluster_id.clone(),
                idempotency_token,
            };
            (None, tokio::spawn(async move { workspace.submit(&run).await }))
        }
    };
    let id = context
        .in_flight
        .land(Flight { name: next.name(), job_id, task })
        .await
        .map_err(|panicked| Stop::bug(&format!("a trigger ended unexpectedly: {panicked}")))?
        .map_err(|error| refused(&error, next))?;
    let label = RunLabel { name: next.name(), id };
    context.events.emit(Event::RunTriggered { run: label.clone(), job_id });
    Ok(Triggered { label })
}

/// The identity may not run the job; `said` are the workspace's own words, where it was asked to.
pub fn may_not_run(said: Option<&str>) -> Problem {
    let what = "this identity may not run it";
    let message = said.map_or_else(|| what.to_owned(), |said| format!("{what}: {said}"));
    Problem::new(Code::PermissionDenied, message)
        .hint("give the identity CAN_MANAGE_RUN on the job: in the workspace, the job's page, Permissions")
}

/// Why there is no run, or perhaps one.
fn refused(error: &Error, next: &Resolved) -> Stop {
    let mut problem = error.problem();
    if next.job_id().is_some() && error.meaning() == Some(Meaning::PermissionDenied) {
        problem = may_not_run(Some(&problem.message));
    }
    let mut problem = problem.at(next.name());
    if error.is_about_identity() {
        return Stop::because(Exit::Identity, problem);
    }
    problem.code = Code::TriggerFailed;
    problem.message = if error.is_uncertain() {
        problem.hint =
            Some("look at the runs in the workspace before you run the step again, or it may run twice".into());
        format!("whether the run was started is not known: {}", problem.message)
    } else {
        format!("the run could not be started: {}", problem.message)
    };
    Stop::because(Exit::RunCancelled, problem)
}

fn build(context: &Context<'_>) -> String {
    context.pipeline.build.as_ref().map(|build| format!(", build {build}")).unwrap_or_default()
}

/// The notebook's name as a task key: letters, digits, `_` and `-`, at most 100.
fn task_key(name: &str) -> String {
    let key: String = name
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' })
        .take(100)
        .collect();
    if key.is_empty() { "notebook".to_owned() } else { key }
}

/// What makes a repetition of this very trigger recognisable: 64 characters, the most that the service takes. The nonce
/// keeps two calls of the pipe in one step apart, who both mean their run.
fn token(context: &Context<'_>, position: usize, next: &Resolved) -> String {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut part = |text: &str| {
        digest.update(&(text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    let pipeline = context.pipeline;
    for known in [&pipeline.repository_uuid, &pipeline.pipeline_uuid, &pipeline.step_uuid, &pipeline.attempt] {
        part(known.as_deref().unwrap_or_default());
    }
    part(&context.nonce.to_string());
    part(&position.to_string());
    part(&next.name());
    for (name, value) in &context.settings.params {
        part(name);
        part(value);
    }
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::task_key;

    #[test]
    fn a_task_key_has_only_what_the_service_takes() {
        assert_eq!(task_key("01 load (daily).v2"), "01_load__daily__v2");
        assert_eq!(task_key(""), "notebook");
        assert_eq!(task_key(&"ü".repeat(200)).len(), 100);
    }
}
