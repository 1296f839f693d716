//! Many requests at a time, and what becomes of the others when one fails.

use crate::databricks::error::{Error, Meaning};
use crate::exit::Exit;
use crate::order;
use crate::problem::{Code, Problem};
use crate::stop::Stop;
use crate::target::{home_of, may_not_write, no_home};
use crate::text;
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many requests are begun at once. The client's own limit decides how many are on the wire; a few more stand ready,
/// so that its slots are never empty, and no more, so that memory does not grow with the tree.
const IN_FLIGHT: usize = 32;

/// How often the log tells how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// How long the log may stay silent while nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Runs all of `each`, a bounded number at a time. What concerns one object alone does not stop the others, so that one
/// run of the step tells everything that is wrong; what will hit every other object too stops the rest. `behind` counts
/// what is not done at all unless each of these succeeds.
pub(super) async fn in_parallel<F>(
    each: impl Iterator<Item = F>,
    behind: usize,
    progress: impl Fn(usize),
) -> Result<(), Stop>
where
    F: Future<Output = (String, Result<(), Error>)> + Send + 'static,
{
    let mut waiting = each.fuse();
    let mut running = JoinSet::new();
    let mut failures = Vec::new();
    let mut done = 0;
    let mut give_up = false;
    let (mut told, mut told_at) = (0, Instant::now());
    let mut tick = interval_at(told_at + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while !give_up && running.len() < IN_FLIGHT {
            let Some(next) = waiting.next() else { break };
            running.spawn(next);
        }
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            _ = tick.tick() => {
                if done > told || told_at.elapsed() >= HEARTBEAT {
                    (told, told_at) = (done, Instant::now());
                    progress(done);
                }
                continue;
            }
        };
        let Some(ended) = ended else { break };
        match ended {
            Ok((_, Ok(()))) => done += 1,
            Ok((path, Err(error))) => {
                give_up |= !error.is_about_one_object();
                failures.push((path, error));
            }
            Err(panicked) => return Err(Stop::bug(&format!("a request ended unexpectedly: {panicked}"))),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(stop(failures, waiting.count() + behind)) }
}

/// What kept the object at `path` from being sent.
fn problem(path: &str, error: &Error) -> Problem {
    let problem = error.problem();
    match (error.meaning(), home_of(path)) {
        (Some(Meaning::Protected), Some(home)) => no_home(home, Some(&problem.message)),
        (Some(Meaning::PermissionDenied), _) => may_not_write(Some(&problem.message)).at(path),
        _ => problem.at(path),
    }
}

/// The end of a deploy that some objects did not survive. Long lists are folded: the first ones tell what is wrong.
pub(super) fn stop(mut failures: Vec<(String, Error)>, not_done: usize) -> Stop {
    const SHOWN: usize = 10;
    order::by_text(&mut failures, |(path, _)| path);
    let exit = if failures.iter().any(|(_, error)| error.is_about_identity()) { Exit::Identity } else { Exit::Deploy };
    let folded = failures.len().saturating_sub(SHOWN);
    let mut problems: Vec<Problem> = failures.iter().take(SHOWN).map(|(path, error)| problem(path, error)).collect();
    if folded > 0 {
        problems
            .push(Problem::new(Code::DeployUnfinished, format!("… and {} failed", text::count(folded, "more object"))));
    }
    if not_done > 0 {
        problems.push(
            Problem::new(Code::DeployUnfinished, format!("not sent after that: {}", text::count(not_done, "object")))
                .hint("when that is solved, run the step again: what has arrived is only overwritten by the same"),
        );
    }
    Stop { exit, problems }
}
