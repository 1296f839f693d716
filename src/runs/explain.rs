//! Why a run failed: for each failed task its error, the end of its trace, its notebook and its page.

use super::Context;
use super::verdict::{Class, Judgement, judge};
use crate::databricks::runs::{Run, TaskRun};
use crate::event::{Event, RunLabel, TaskFailure};
use crate::problem::{Code, Problem};
use crate::settings::OnPartialSuccess;
use crate::text;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many failed tasks are explained; more of them rarely have more causes.
const EXPLAINED: usize = 10;

/// How many lines of a trace are shown: its end, where the error is.
const TRACE_LINES: usize = 15;

/// The explanation may take this much longer than the deadline: a failure without a cause is worth little.
const GRACE: Duration = Duration::from_secs(15);

/// Emits the explanation of every failed task.
pub(super) async fn failures(context: &Context<'_>, label: &RunLabel, run: &Run) {
    let workspace = context.workspace.until(context.deadline.max(Instant::now() + GRACE));
    let mut failed = latest(run).into_iter().filter_map(|task| Some((task, failed_by_itself(task)?)));
    for (task, ended) in failed.by_ref().take(EXPLAINED) {
        // What the service does not tell is missing in the explanation, and nothing more: the run's end is known.
        let output = match workspace.output(task.id).await {
            Ok(output) => output,
            Err(error) => {
                tracing::debug!("no output of task {}: {}", task.key, error.problem().message);
                Default::default()
            }
        };
        let error = output.error.or_else(|| task.status.message.clone());
        context.events.emit(Event::TaskExplained {
            run: label.clone(),
            failure: TaskFailure {
                task: task.key.clone(),
                ended,
                error: error.map(|error| text::one_line(&error)),
                trace: output.error_trace.map(|trace| end_of(&trace)).unwrap_or_default(),
                notebook: task.notebook.clone(),
                link: task.page.clone(),
            },
        });
    }
    let more = failed.count();
    if more > 0 {
        let message = format!("{} more failed; the page of the run tells why", text::count(more, "task"));
        context.events.emit(Event::Warned(Problem::new(Code::RunFailed, message).at(label.name.clone())));
    }
}

/// Emits what each notebook returned.
pub(super) async fn outputs(context: &Context<'_>, label: &RunLabel, run: &Run) {
    let workspace = context.workspace.until(context.deadline.max(Instant::now() + GRACE));
    for task in latest(run).into_iter().filter(|task| task.notebook.is_some()) {
        match workspace.output(task.id).await {
            Ok(output) => {
                let Some(result) = output.notebook_result else { continue };
                context.events.emit(Event::TaskOutput {
                    run: label.clone(),
                    task: task.key.clone(),
                    truncated: output.truncated,
                    output: text::plain(&result),
                });
            }
            // It was asked for, so that it is not left out in silence.
            Err(error) => {
                let problem = error.problem();
                let message = format!("the output of its task {} cannot be read: {}", task.key, problem.message);
                context.events.emit(Event::Warned(Problem { message, ..problem }.at(label.name.clone())));
            }
        }
    }
}

/// The last attempt of each task, in the service's order.
fn latest(run: &Run) -> Vec<&TaskRun> {
    let mut last = BTreeMap::new();
    for (index, task) in run.tasks.iter().enumerate() {
        let entry = last.entry(task.key.as_str()).or_insert((index, task));
        if task.attempt >= entry.1.attempt {
            entry.1 = task;
        }
    }
    let mut tasks: Vec<_> = last.into_values().collect();
    tasks.sort_by_key(|(index, _)| *index);
    tasks.into_iter().map(|(_, task)| task).collect()
}

/// How the task ended, if it failed and not merely because another one did.
fn failed_by_itself(task: &TaskRun) -> Option<String> {
    match judge(&task.status, OnPartialSuccess::Fail) {
        Judgement::Ended(end) if matches!(end.class, Class::Failed | Class::Disagrees) => {
            (!end.words.contains("UPSTREAM_")).then_some(end.words)
        }
        _ => None,
    }
}

fn end_of(trace: &str) -> Vec<String> {
    let plain = text::plain(trace);
    let lines: Vec<&str> = plain.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(TRACE_LINES)..].iter().map(|line| (*line).to_owned()).collect()
}
