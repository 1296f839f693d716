//! Runs: found before anything is changed, triggered each once and only once, watched to their end, explained.

mod explain;
mod horizon;
mod parameters;
mod resolve;
mod shutdown;
mod trigger;
mod verdict;
mod watch;

pub use resolve::{Resolved, resolve, resolve_each};
pub use shutdown::shutdown;
pub use trigger::{InFlight, may_not_run};

use crate::databricks::Workspace;
use crate::event::{Emit, Ending, Event, RunEnd};
use crate::identity::Identity;
use crate::pipeline::Pipeline;
use crate::settings::Settings;
use crate::stop::Stop;
use tokio::time::Instant;

/// What the runs of one process have in common.
pub struct Context<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The settings.
    pub settings: &'a Settings,
    /// What Bitbucket tells.
    pub pipeline: &'a Pipeline,
    /// When our wait ends.
    pub deadline: Instant,
    /// Different in every process.
    pub nonce: u64,
    /// Who we are, and for how long.
    pub identity: &'a Identity,
    /// Where to tell what happens.
    pub events: &'a dyn Emit,
    /// Holds the trigger that is under way.
    pub in_flight: &'a InFlight,
}

/// Triggers the runs in order and waits for each before the next one; the first that does not succeed ends the row, as
/// a failing line ends a script.
pub async fn run(context: &Context<'_>, resolved: &[Resolved]) -> Result<(), Stop> {
    if !resolved.is_empty() {
        horizon::announce(context);
    }
    for (position, next) in resolved.iter().enumerate() {
        let rest = || resolved[position + 1..].iter().map(|later| later.entry.clone()).collect::<Vec<_>>();
        let not_triggered = |entries: Vec<String>, because: &str| {
            if !entries.is_empty() {
                context.events.emit(Event::NotTriggered { entries, because: because.to_owned() });
            }
        };
        let triggered = match horizon::check(context, &next.name()) {
            Ok(()) => trigger::trigger(context, position, next).await,
            Err(stop) => Err(stop),
        };
        let triggered = match triggered {
            Ok(triggered) => triggered,
            Err(stop) => {
                not_triggered(rest(), "the run before could not be started");
                return Err(stop);
            }
        };
        if !context.settings.wait {
            context.events.emit(Event::RunEnded(RunEnd {
                link: triggered.link(context).await,
                run: triggered.label,
                ending: Ending::Triggered,
                code: None,
                message: "was triggered; nobody waits for it, because `WAIT` is `false`".to_owned(),
                hint: None,
                elapsed: std::time::Duration::ZERO,
            }));
            continue;
        }
        match watch::watch(context, &triggered).await {
            Ok(Ending::Succeeded | Ending::Triggered) => {}
            Ok(Ending::WaitEnded) => {
                not_triggered(rest(), "the wait for the run before has ended");
                return Ok(());
            }
            Ok(Ending::Failed | Ending::Cancelled) => {
                not_triggered(rest(), "the run before did not succeed");
                return Ok(());
            }
            Err(stop) => {
                not_triggered(rest(), "the run before cannot be watched any longer");
                return Err(stop);
            }
        }
    }
    Ok(())
}
