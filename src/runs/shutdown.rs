//! What becomes of runs when the process is told to stop: those that we wait for are cancelled, within a few seconds.

use super::trigger::{Flight, InFlight};
use super::verdict::{Judgement, judge};
use crate::databricks::Workspace;
use crate::event::{Emit, Ending, Event, RunEnd, RunLabel};
use crate::outcome::Outcome;
use crate::problem::{Code, Problem};
use crate::settings::OnPartialSuccess;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// How long cancelling may take in all. Docker kills 10 s after SIGTERM, and other steps of the shutdown follow.
const BUDGET: Duration = Duration::from_secs(4);

/// The pause between two looks at a run that is being cancelled.
const PAUSE: Duration = Duration::from_millis(500);

/// Waits for the id of a run that is just being started, then cancels every run that we wait for and sees them end.
/// `outcome` is what happened so far. A run that nobody waits for (`WAIT: false`) is left alone: it has ended for us.
pub async fn shutdown(workspace: &Workspace, in_flight: &InFlight, outcome: &Outcome, events: &dyn Emit) {
    let began = Instant::now();
    let until = began + BUDGET;
    let workspace = workspace.until(until);
    let mut running: Vec<(RunLabel, Option<String>)> =
        outcome.running().map(|record| (record.run.clone(), record.link.clone())).collect();
    if let Some(flight) = in_flight.take() {
        running.extend(land(flight, until, events).await.map(|label| (label, None)));
    }
    // A process waits for one run at a time, so that there is nothing to gain by doing this in parallel.
    for (run, link) in running {
        let (ending, message) = cancel(&workspace, &run, until, events).await;
        events.emit(Event::RunEnded(RunEnd {
            run,
            link,
            ending,
            code: Some(Code::Interrupted),
            message,
            hint: None,
            elapsed: began.elapsed(),
        }));
    }
}

/// The run that was just being started, if the workspace tells its id in time.
async fn land(flight: Flight, until: Instant, events: &dyn Emit) -> Option<RunLabel> {
    match timeout_at(until, flight.task).await {
        Ok(Ok(Ok(id))) => {
            let run = RunLabel { name: flight.name, id };
            events.emit(Event::RunTriggered { run: run.clone(), job_id: flight.job_id });
            Some(run)
        }
        // Refused: there is no run.
        Ok(Ok(Err(error))) if error.api().is_some() && !error.is_passing() => None,
        _ => {
            events.emit(Event::Warned(
                Problem::new(Code::TriggerFailed, "it was being started, and whether it was is not known")
                    .at(flight.name)
                    .hint("look at its runs in the workspace"),
            ));
            None
        }
    }
}

async fn cancel(workspace: &Workspace, run: &RunLabel, until: Instant, events: &dyn Emit) -> (Ending, String) {
    if let Err(error) = workspace.cancel(run.id).await {
        let why = error.problem().message;
        return (Ending::WaitEnded, format!("could not be cancelled, and goes on: {why}"));
    }
    events.emit(Event::CancelRequested(run.clone()));
    while Instant::now() < until {
        if let Ok(seen) = workspace.run(run.id, PAUSE).await
            && let Judgement::Ended(end) = judge(&seen.status, OnPartialSuccess::Fail)
        {
            return (Ending::Cancelled, end.words);
        }
        sleep(PAUSE).await;
    }
    (Ending::Cancelled, "was told to stop, and is about to".to_owned())
}
