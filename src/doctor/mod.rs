//! `ACTION: doctor`: why it does not work, and the lines to paste. Examines everything that a run needs, one thing after
//! the other, and changes nothing: but for tokens, everything that is asked for is only read.
//!
//! What an ordinary run would stop for is found here in the ordinary run's own words: the problem comes from the module
//! that the run has it from. What the platform does not tell is called unknown, and never guessed.

mod builds;
mod chart;
mod files;
mod host;
mod identity;
mod login;
mod policy;
mod rights;
mod runs;
mod target;
mod token;

use crate::event::Emit;
use crate::finding::{Finding, Group, Verdict};
use crate::http::Client;
use crate::pipeline::Pipeline;
use crate::problem::Problem;
use crate::secrets::{Redactor, Secret};
use crate::settings::Patient;
use chart::Chart;
use std::time::SystemTime;
use tokio::time::Instant;

/// Who is examined, and with what.
pub struct Case<'a> {
    /// The settings, as far as they go.
    pub patient: &'a Patient,
    /// What is odd about the variables.
    pub warnings: &'a [Problem],
    /// What Bitbucket tells.
    pub pipeline: &'a Pipeline,
    /// The host, without a credential; `None` where there is none to ask.
    pub client: Option<&'a Client>,
    /// The proxy that requests to the host go through.
    pub proxy: Option<&'a str>,
    /// Learns each token before anybody else sees it.
    pub redactor: &'a Redactor,
    /// Every secret of the step, which no file may hold.
    pub secrets: &'a [Secret],
    /// This machine's clock.
    pub clock: Clock,
    /// Where the findings go.
    pub events: &'a dyn Emit,
}

/// This machine's clock: what it showed once, and the time since.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it showed.
    pub wall: SystemTime,
    /// When that was.
    pub at: Instant,
}

impl Case<'_> {
    /// What time it is at the server, as far as it has told the time by now.
    fn server_time(&self) -> Option<SystemTime> {
        self.client.and_then(Client::server_time)
    }
}

impl Clock {
    /// What it shows now.
    pub fn now(&self) -> SystemTime {
        self.wall + self.at.elapsed()
    }
}

/// How much was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Things that are as they should be.
    pub good: usize,
    /// Things that a run would fail by.
    pub bad: usize,
    /// Things that are not known.
    pub unknown: usize,
}

impl Counts {
    /// Counts.
    pub fn of(findings: &[Finding]) -> Counts {
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        Counts { good: count(Verdict::Good), bad: count(Verdict::Bad), unknown: count(Verdict::Unknown) }
    }
}

/// Examines everything. What is found is told as events, one by one, so that it is known whatever ends this. Returns the
/// question with which the time was up: a trouble that might have passed, had there been time to ask again.
pub async fn examine(case: &Case<'_>) -> Option<Problem> {
    let mut chart = Chart::new(case.events);
    variables(case, &mut chart);
    let tree = files::examine(case, &mut chart).await;
    let host = host::ask(case).await;
    token::examine(case, &mut chart);
    host::examine(case, &host, &mut chart);
    let known = login::examine(case, &host, &mut chart).await;
    if host.is_out_of_reach(case).is_none() {
        host::clocks(case, &mut chart);
    }
    policy::examine(case, &host, &known, &mut chart);
    match &known.taken {
        Some(guest) => {
            identity::examine(case, guest, &mut chart);
            let root = target::examine(case, guest, &mut chart).await;
            runs::examine(case, guest, root.as_ref(), tree.as_ref(), &mut chart).await;
        }
        None => {
            let message = "who we are, the rights on the target, and what `RUN` names: not examined, since nobody is \
                           logged in by the way that a run takes";
            chart.unknown(Group::Identity, message);
        }
    }
    builds::examine(case, &mut chart);
    chart.out_of_time()
}

fn variables(case: &Case<'_>, chart: &mut Chart<'_>) {
    for problem in &case.patient.problems {
        chart.bad(Group::Variables, problem.clone());
    }
    for warning in case.warnings {
        chart.odd(Group::Variables, warning.clone());
    }
    if case.patient.problems.is_empty() {
        chart.good(Group::Variables, "all that are set can be read, and fit together");
    }
}
