//! Every way to log in whose variables are set, tried one by one.

use super::Case;
use super::chart::Chart;
use super::host::Asked;
use crate::databricks::Workspace;
use crate::databricks::identity::Me;
use crate::finding::{Finding, Group};
use crate::http::Client;
use crate::identity::{self, LOG_IN, not_logged_in};
use crate::problem::{Code, Problem};
use crate::settings::{Chosen, Route, Way};
use crate::text;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const GROUP: Group = Group::LogIn;

/// Somebody whom the workspace knows.
pub(super) struct Guest {
    pub(super) me: Me,
    pub(super) workspace: Workspace,
}

/// What came of all ways.
#[derive(Default)]
pub(super) struct Known {
    /// Who is logged in by the way that a run takes.
    pub(super) taken: Option<Guest>,
    /// Whether an identity token was taken by any way.
    pub(super) keyless: bool,
    /// The numeric ids of service principals that are known by now, by application id.
    pub(super) numbers: Vec<(String, String)>,
}

pub(super) async fn examine(case: &Case<'_>, asked: &Asked, chart: &mut Chart<'_>) -> Known {
    let mut known = Known::default();
    if case.patient.ways.is_empty() {
        chart.unknown(GROUP, "not tried: there is no way to log in whose variables can be used");
        return known;
    }
    if let Some(why) = asked.is_out_of_reach() {
        chart.unknown(GROUP, format!("not tried: {why}"));
        return known;
    }
    let (Some(client), Some(route)) = (case.client, case.patient.route.as_ref()) else { return known };
    for way in &case.patient.ways {
        let chosen = match &way.login {
            Ok(chosen) => chosen,
            Err(problems) => {
                unusable(way, problems, chart);
                continue;
            }
        };
        match enter(case, client, route, chosen).await {
            Ok((guest, lasts)) => {
                let me = &guest.me;
                known.keyless |= way.way.is_keyless();
                known.numbers.extend(me.id.clone().map(|id| (me.user_name.clone(), id)));
                let used = if way.taken { "a run takes this way, because " } else { "set up, but a run does not take it: " };
                let message = format!("`{}` lets in {} ({used}{})", way.way.name(), me.user_name, chosen.because);
                chart.add(Finding::good(GROUP, message).exhibit(lasts));
                if way.taken {
                    known.taken = Some(guest);
                }
            }
            Err(problem) => refused(way, problem, chart),
        }
    }
    known
}

/// A way whose variables are there and of no use. An ordinary run does not read those of a way that it does not take.
fn unusable(way: &Way, problems: &[Problem], chart: &mut Chart<'_>) {
    for problem in problems {
        chart.odd(GROUP, problem.clone());
    }
    chart.unknown(GROUP, format!("`{}`: not tried, since its variables cannot be used", way.way.name()));
}

/// What a run would stop for; where it takes another way, it is only odd.
fn refused(way: &Way, mut problem: Problem, chart: &mut Chart<'_>) {
    // Claims and policy have places of their own here.
    problem.exhibit = Box::default();
    if problem.place.as_deref() == Some(LOG_IN) {
        problem.place = Some(format!("log-in by `{}`", way.way.name()));
    }
    if way.taken {
        return chart.bad(GROUP, problem);
    }
    problem.message = format!("a run does not take this way, and it would not let in: {}", problem.message);
    chart.odd(GROUP, problem);
}

/// Logs in, and asks who that is. Tells how long it lasts, too.
async fn enter(
    case: &Case<'_>,
    client: &Client,
    route: &Route,
    chosen: &Chosen,
) -> Result<(Guest, Vec<String>), Problem> {
    let identity = identity::choose(route, chosen, client, case.redactor);
    let workspace = Workspace::new(client.sibling(Arc::clone(&identity.authorize)));
    let me = workspace.me().await.map_err(|error| not_logged_in(&error, chosen, route))?;
    let lasts = identity.end().map(|end| {
        let left = end.at.saturating_duration_since(Instant::now());
        let left = text::duration(Duration::from_secs(left.as_secs()));
        let until = end.clock.map(|clock| format!(", until {}", text::clock(clock))).unwrap_or_default();
        format!("it lasts {left}{until}, and cannot be renewed: runs can be watched for that long")
    });
    if me.user_name.trim().is_empty() {
        let message = "the workspace lets this credential in, and does not say whose it is";
        return Err(Problem::new(Code::UnexpectedAnswer, message).at(LOG_IN));
    }
    Ok((Guest { me, workspace }, lasts.into_iter().collect()))
}
