//! Brings a plan into the workspace.

pub mod permissions;
mod upload;

use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::plan::Plan;
use crate::problem::{Code, Problem};
use crate::stop::Stop;
use crate::text;
use tokio::time::Instant;

/// Makes the folders, then uploads everything.
pub async fn deploy(workspace: &Workspace, plan: &Plan, from: &str, events: &dyn Emit) -> Result<(), Stop> {
    let began = Instant::now();
    let to = plan.root.to_string();
    events.emit(Event::DeployBegan { from: from.to_owned(), to: to.clone(), counts: plan.counts });
    upload::folders(workspace, plan).await?;
    upload::objects(workspace, plan, events).await?;
    events.emit(Event::Deployed { to, counts: plan.counts, elapsed: began.elapsed() });
    Ok(())
}

/// The end of a deploy that some objects did not survive. Long lists are folded: the first ones tell what is wrong.
fn stop(mut failures: Vec<(String, Error)>, not_sent: usize) -> Stop {
    const SHOWN: usize = 10;
    failures.sort_by(|a, b| a.0.cmp(&b.0));
    let exit = if failures.iter().any(|(_, error)| error.is_about_identity()) { Exit::Identity } else { Exit::Deploy };
    let folded = failures.len().saturating_sub(SHOWN);
    let mut problems: Vec<Problem> =
        failures.iter().take(SHOWN).map(|(path, error)| error.problem().at(path.clone())).collect();
    if folded > 0 {
        problems
            .push(Problem::new(Code::DeployUnfinished, format!("… and {} more failed", text::count(folded, "object"))));
    }
    if not_sent > 0 {
        problems.push(
            Problem::new(Code::DeployUnfinished, format!("not sent after that: {}", text::count(not_sent, "object")))
                .hint("when that is solved, run the step again: what has arrived is only overwritten by the same"),
        );
    }
    Stop { exit, problems }
}
