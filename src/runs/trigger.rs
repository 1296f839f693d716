//! Starts a run once and only once.

use super::Context;
use super::resolve::{Resolved, What};
use crate::databricks::runs::{RunNow, Submit};
use crate::event::{Event, RunLabel};
use crate::exit::Exit;
use crate::problem::Code;
use crate::stop::Stop;
use std::collections::BTreeMap;
use std::time::Duration;

/// A run that was started.
pub(super) struct Triggered {
    /// The run.
    pub(super) label: RunLabel,
    /// Its job, if it has one.
    pub(super) job_id: Option<i64>,
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

/// Starts what was resolved. The token makes every repetition of the request find the first run.
pub(super) async fn trigger(context: &Context<'_>, position: usize, next: &Resolved) -> Result<Triggered, Stop> {
    let token = token(context, position, next);
    let started = match &next.what {
        What::Job { id, parameters, .. } => {
            let run = RunNow {
                job_id: *id,
                idempotency_token: &token,
                job_parameters: borrowed(&parameters.job),
                notebook_params: borrowed(&parameters.notebook),
            };
            context.workspace.run_now(&run).await
        }
        What::Notebook { path } => {
            let name = path.as_str().rsplit('/').next().unwrap_or_default();
            let run = Submit {
                name: &format!("{name} (databricks-deploy{})", build(context)),
                task_key: &task_key(name),
                notebook: path.as_str(),
                parameters: context.settings.params.iter().map(|(name, value)| (&**name, &**value)).collect(),
                cluster: context.settings.run_cluster_id.as_deref(),
                idempotency_token: &token,
            };
            context.workspace.submit(&run).await
        }
    };
    match started {
        Ok(id) => {
            let label = RunLabel { name: next.name(), id };
            context.events.emit(Event::RunTriggered(label.clone()));
            let job_id = match next.what {
                What::Job { id, .. } => Some(id),
                What::Notebook { .. } => None,
            };
            Ok(Triggered { label, job_id })
        }
        Err(error) => {
            let mut problem = error.problem().at(next.name());
            let exit = match error.meaning() {
                _ if error.is_lost_identity() => Exit::Identity,
                said if said.is_some() || error.has_no_credential() => {
                    problem.code = Code::TriggerFailed;
                    problem.message = format!("the run could not be started: {}", problem.message);
                    Exit::RunCancelled
                }
                _ => {
                    problem.code = Code::TriggerFailed;
                    problem.message = format!("whether the run was started is not known: {}", problem.message);
                    problem.hint = Some("look at the job's runs in the workspace before you run the step again".into());
                    Exit::RunCancelled
                }
            };
            Err(Stop::because(exit, problem))
        }
    }
}

fn borrowed(parameters: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    parameters.iter().map(|(name, value)| (&**name, &**value)).collect()
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
