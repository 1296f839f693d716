//! When the wait for runs ends: at `TIMEOUT`, or when the identity is over that the runs are watched with, whichever
//! comes first. It is decided and said before anything is started, not discovered when the workspace stops answering.

use super::Context;
use crate::event::Event;
use crate::exit::Exit;
use crate::identity::End;
use crate::problem::{Code, Problem};
use crate::stop::Stop;
use crate::text;
use std::time::Duration;
use tokio::time::Instant;

/// How long before the identity's end a wait ends. A token is not used in its last 40 seconds; a run can still be
/// cancelled, and what it returned be fetched, before that.
const MARGIN: Duration = Duration::from_secs(60);

/// What to do about runs that outlast the identity of a step.
pub(super) const HINT: &str = "for a run that takes longer, give its step an OAuth secret (`DATABRICKS_CLIENT_SECRET`), which \
                               can be renewed; or set `WAIT: false`, and look at the run in a later step";

/// What ends a wait.
pub(super) enum Horizon {
    /// `TIMEOUT`.
    Timeout(Instant),
    /// The identity.
    Identity(Instant, End),
}

impl Horizon {
    /// As far as it is known by now: a renewal may still move it.
    pub(super) fn of(context: &Context<'_>) -> Horizon {
        match context.identity.end() {
            Some(end) if last_look(end) < context.deadline => Horizon::Identity(last_look(end), end),
            _ => Horizon::Timeout(context.deadline),
        }
    }

    /// When the wait ends.
    pub(super) fn at(&self) -> Instant {
        match self {
            Horizon::Timeout(at) | Horizon::Identity(at, _) => *at,
        }
    }
}

fn last_look(end: End) -> Instant {
    end.at.checked_sub(MARGIN).unwrap_or(end.at)
}

/// When an identity ends, for people.
pub(super) fn shown(end: End) -> String {
    end.clock.map_or_else(
        || format!("for {} more", text::duration(end.at.saturating_duration_since(Instant::now()))),
        |clock| format!("until {}", text::clock(clock)),
    )
}

/// Says how long the identity lasts, before the first of the runs that are waited for.
pub(super) fn announce(context: &Context<'_>) {
    let Some(end) = context.identity.end().filter(|_| context.settings.wait) else { return };
    let left = end.at.saturating_duration_since(Instant::now());
    let limits = matches!(Horizon::of(context), Horizon::Identity(..));
    context.events.emit(Event::IdentityLasts { shown: shown(end), left, limits });
}

/// Whether there is time left to see anything of a run that is about to be started.
pub(super) fn check(context: &Context<'_>, name: &str) -> Result<(), Stop> {
    match Horizon::of(context) {
        Horizon::Identity(at, end) if context.settings.wait && at <= Instant::now() => {
            let message =
                format!("not started: the identity lasts only {}, too short to see anything of the run", shown(end));
            Err(Stop::because(Exit::WaitEnded, Problem::new(Code::IdentityEnded, message).hint(HINT).at(name)))
        }
        _ => Ok(()),
    }
}
