//! Every way to log in whose variables are set, tried one by one.

use super::Case;
use super::chart::Chart;
use super::host::Asked;
use crate::databricks::Workspace;
use crate::databricks::identity::Me;
use crate::finding::{Finding, Group};
use crate::http::Client;
use crate::identity::{self, LOG_IN, claims_shown, not_logged_in};
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Redactor};
use crate::settings::{AuthType, Chosen, IdToken, Login, Route, Way};
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
    /// What became of the step's token, or another one.
    pub(super) keyless: Keyless,
    /// The numeric ids of service principals that are known by now, by application id.
    pub(super) numbers: Vec<(String, String)>,
}

/// What became of an identity token, as far as policies are concerned; of several, that of the way which a run takes, else
/// the best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keyless {
    /// None was shown.
    #[default]
    NotTried,
    /// The host is not the one that is meant, or not what it is taken for: nobody has looked at the token.
    NotSeen,
    /// The log-in ended for another reason than a policy.
    Untold,
    /// No policy fits it.
    NoPolicy,
    /// A policy fits it.
    Fits,
}

pub(super) async fn examine(case: &Case<'_>, asked: &Asked, chart: &mut Chart<'_>) -> Known {
    let mut known = Known::default();
    if case.patient.ways.is_empty() {
        chart.unknown(GROUP, "not tried: there is no way to log in whose variables can be used");
        return known;
    }
    if let Some(why) = asked.is_out_of_reach(case) {
        chart.unknown(GROUP, format!("not tried: {why}"));
        return known;
    }
    let (Some(client), Some(route)) = (case.client, case.patient.route.as_ref()) else { return known };
    let mut decided = None;
    for way in &case.patient.ways {
        let chosen = match &way.login {
            Ok(chosen) => chosen,
            Err(problems) => {
                unusable(way, problems, chart);
                continue;
            }
        };
        let attempt = enter(case, client, route, chosen).await;
        let became = attempt.keyless();
        if way.way.is_keyless() {
            known.keyless = known.keyless.max(became);
            decided = decided.or(way.taken.then_some(became));
        }
        match attempt.guest {
            Ok(guest) => {
                let me = &guest.me;
                known.numbers.extend(me.id.clone().map(|id| (me.user_name.clone(), id)));
                let used =
                    if way.taken { "a run takes this way, because" } else { "a run does not take this way, though" };
                let message = format!("`{}` lets in {} ({used} {})", way.way.name(), me.user_name, chosen.because);
                let claims = elsewhere(way, chosen, case.redactor);
                chart.add(Finding::good(GROUP, message).exhibit(attempt.lasts.into_iter().chain(claims)));
                if way.taken {
                    known.taken = Some(guest);
                }
            }
            Err(mut problem) => {
                // The policy has a place of its own here; what it is compared with has no other.
                let compared = matches!(became, Keyless::Untold | Keyless::NoPolicy);
                let claims = compared.then(|| elsewhere(way, chosen, case.redactor));
                problem.exhibit = claims.unwrap_or_default().into();
                refused(way, problem, chart);
            }
        }
    }
    known.keyless = decided.unwrap_or(known.keyless);
    known
}

/// A way whose variables are there and of no use. An ordinary run does not read those of a way that it does not take; what
/// is wrong with those that it reads has been told.
fn unusable(way: &Way, problems: &[Problem], chart: &mut Chart<'_>) {
    for problem in problems {
        if !chart.has(problem) {
            chart.odd(GROUP, problem.clone());
        }
    }
    chart.unknown(GROUP, format!("`{}`: not tried, since its variables cannot be used", way.way.name()));
}

/// The identity token that a way shows, and its claims, where it shows one that can be read.
pub(super) fn presented<'a>(login: &'a Login, redactor: &Redactor) -> Option<(&'a IdToken, Claims)> {
    let Login::IdToken { token, .. } = login else { return None };
    let claims = match token {
        IdToken::Variable { token, .. } => Claims::read(token)?,
        IdToken::File(path) => identity::read_file(path, redactor).ok()?.1,
    };
    Some((token, claims))
}

/// The claims of a token that is not the step's own, whose claims have been shown.
fn elsewhere(way: &Way, chosen: &Chosen, redactor: &Redactor) -> Vec<String> {
    match way.way {
        AuthType::BitbucketOidc => Vec::new(),
        _ => presented(&chosen.login, redactor).map(|(_, claims)| claims_shown(&claims)).unwrap_or_default(),
    }
}

/// What a run would stop for; where it takes another way, it is only odd.
fn refused(way: &Way, mut problem: Problem, chart: &mut Chart<'_>) {
    if chart.has(&problem) {
        return chart.unknown(GROUP, format!("`{}`: not tried, for the reason that is told above", way.way.name()));
    }
    if problem.code == Code::IdentityEnded && chart.has_code(Code::IdentityEnded) {
        return chart.told(GROUP, format!("`{}` lets nobody in, since the identity token has ended", way.way.name()));
    }
    if problem.place.as_deref() == Some(LOG_IN) {
        problem.place = Some(format!("log-in by `{}`", way.way.name()));
    }
    if way.taken {
        return chart.bad(GROUP, problem);
    }
    problem.message = format!("a run does not take this way, and it would not let in: {}", problem.message);
    chart.odd(GROUP, problem);
}

/// What came of one way.
struct Attempt {
    guest: Result<Guest, Problem>,
    /// How long it lasts, as a line of the log.
    lasts: Option<String>,
    /// Whether an access token was had for an identity token.
    exchanged: bool,
}

impl Attempt {
    fn keyless(&self) -> Keyless {
        match &self.guest {
            Ok(_) => Keyless::Fits,
            Err(_) if self.exchanged => Keyless::Fits,
            Err(problem) => match problem.code {
                Code::NoTrustPolicy => Keyless::NoPolicy,
                Code::NotDatabricks | Code::ConflictingVariables => Keyless::NotSeen,
                _ => Keyless::Untold,
            },
        }
    }
}

/// Logs in, and asks who that is.
async fn enter(case: &Case<'_>, client: &Client, route: &Route, chosen: &Chosen) -> Attempt {
    let identity = identity::choose(route, chosen, client, case.redactor);
    let workspace = Workspace::new(client.sibling(Arc::clone(&identity.authorize)));
    let guest = match workspace.me().await {
        Ok(me) => Ok(Guest { me, workspace }),
        Err(error) => Err(not_logged_in(&error, chosen, route)),
    };
    let end = identity.end();
    let lasts = end.map(|end| {
        let left = end.at.saturating_duration_since(Instant::now());
        let left = text::duration(Duration::from_secs(left.as_secs()));
        let until = end.clock.map(|clock| format!(", until {}", text::clock(clock))).unwrap_or_default();
        format!("it lasts {left}{until}, and cannot be renewed: runs can be watched for that long")
    });
    Attempt { guest, lasts, exchanged: end.is_some() }
}
