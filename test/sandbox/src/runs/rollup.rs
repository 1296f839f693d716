//! How tasks decide about each other and about the run.

use super::live::{LiveTask, Stage};
use super::script::Ending;
use serde_json::Value;
use std::sync::Arc;

/// The keys of the tasks that a task waits for.
pub(crate) fn upstream(spec: &Value) -> impl Iterator<Item = &str> {
    spec["depends_on"].as_array().into_iter().flatten().filter_map(|dependency| dependency["task_key"].as_str())
}

fn result(ending: &Ending) -> &str {
    ending.result.as_deref().unwrap_or_default()
}

fn succeeded(ending: &Ending) -> bool {
    matches!(result(ending), "SUCCESS" | "SUCCESS_WITH_FAILURES")
}

fn did_not_run(ending: &Ending) -> bool {
    matches!(result(ending), "EXCLUDED" | "DISABLED")
}

fn failed(ending: &Ending) -> bool {
    !succeeded(ending) && !did_not_run(ending)
}

fn was_cancelled(ending: &Ending) -> bool {
    matches!(result(ending), "CANCELED" | "UPSTREAM_CANCELED")
}

/// How a task ends that does not run, given how its upstream tasks ended; `None` if it runs.
pub(crate) fn not_run(run_if: &str, upstream: &[Arc<Ending>], disabled: bool) -> Option<Ending> {
    let never = |result: &str, message: &str| {
        let code = if result == "DISABLED" { "DISABLED" } else { "SKIPPED" };
        Some(Ending::new("SKIPPED", Some(result), code, "CLIENT_ERROR", message))
    };
    if disabled {
        return never("DISABLED", "The task is disabled.");
    }
    if upstream.is_empty() {
        return None;
    }
    let runs = match run_if {
        "AT_LEAST_ONE_SUCCESS" => upstream.iter().any(|ending| succeeded(ending)),
        "NONE_FAILED" => !upstream.iter().any(|ending| failed(ending)),
        "ALL_DONE" => true,
        "AT_LEAST_ONE_FAILED" => upstream.iter().any(|ending| failed(ending)),
        "ALL_FAILED" => upstream.iter().all(|ending| failed(ending)),
        _ => upstream.iter().all(|ending| succeeded(ending)),
    };
    if runs {
        return None;
    }
    let waits_for_failure = matches!(run_if, "AT_LEAST_ONE_FAILED" | "ALL_FAILED");
    if waits_for_failure || !upstream.iter().any(|ending| failed(ending)) {
        return never("EXCLUDED", "The condition of the task was not met.");
    }
    // The state of a task behind a failed one is UPSTREAM_FAILED in the documentation; that its life cycle is
    // TERMINATED is not confirmed.
    let (result, code) = if upstream.iter().filter(|ending| failed(ending)).all(|ending| was_cancelled(ending)) {
        ("UPSTREAM_CANCELED", "CANCELED")
    } else {
        ("UPSTREAM_FAILED", "RUN_EXECUTION_ERROR")
    };
    let message = "An upstream task failed or was cancelled.";
    Some(Ending::new("TERMINATED", Some(result), code, "CLIENT_ERROR", message))
}

/// How a run ends by its tasks. One failed task that nothing made up for fails the run, and then the run is
/// INTERNAL_ERROR although its tasks are TERMINATED (measured by Databricks: databricks/cli,
/// libs/testserver/jobs.go, `terminateRun`). If every last task of the chain is well, it is a success with failures
/// (the documentation of "Run if").
pub(crate) fn outcome(tasks: &[LiveTask]) -> Ending {
    let ended = || {
        tasks.iter().filter_map(|task| match &task.stage {
            Stage::Ended { ending, .. } => Some((task, ending)),
            Stage::Blocked | Stage::Playing { .. } => None,
        })
    };
    let bad = |ending: &Ending| failed(ending) || result(ending) == "SUCCESS_WITH_FAILURES";
    let mut culprits = ended().filter(|(_, ending)| bad(ending));
    let Some(first) = culprits.next() else { return Ending::success() };
    let of_others = |ending: &Ending| result(ending).starts_with("UPSTREAM_");
    let (task, ending) = ended().find(|(_, ending)| bad(ending) && !of_others(ending)).unwrap_or(first);

    let is_leaf = |key: &str| !tasks.iter().any(|task| upstream(&task.spec).any(|name| name == key));
    let leaves_are_well = ended().filter(|(task, _)| is_leaf(&task.key)).all(|(_, ending)| !failed(ending));
    if leaves_are_well {
        return Ending::success_with_failures();
    }
    let result = ending.result.as_deref();
    let told = Ending {
        cancelled_or_timed_out: ending.cancelled_or_timed_out,
        ..Ending::new(&ending.life_cycle, result, &ending.code, &ending.kind, &ending.message)
    };
    let copied = ending.life_cycle == "SKIPPED" || was_cancelled(ending);
    if copied {
        return told;
    }
    let message = format!("Task {} failed with message: {}.", task.key, ending.message);
    Ending { life_cycle: "INTERNAL_ERROR".to_owned(), message, ..told }
}
