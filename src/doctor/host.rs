//! The host: whether it is reached, what it serves, and what time it is there.

use super::Case;
use super::chart::Chart;
use crate::databricks::error::Error;
use crate::finding::{Finding, Group};
use crate::identity::{Host, Serves, ask_host, not_reached};
use crate::problem::{Code, Problem};
use crate::settings::{AzureCloud, Cloud, Route};
use crate::text;
use std::time::Duration;

const GROUP: Group = Group::Host;

/// How far the two clocks may be apart: a deploy's lease lasts two minutes, and log-in services bear as much.
const SKEW: Duration = Duration::from_secs(60);

/// What came of asking the host.
pub(super) enum Asked {
    /// There is none to ask.
    None,
    /// It cannot be reached.
    Silent(Error),
    /// It answers, but does not say what it is.
    Answers(Error),
    /// It says what it is.
    Tells(Host),
}

impl Asked {
    /// Why it is of no use to ask it for anything.
    pub(super) fn is_out_of_reach(&self, case: &Case<'_>) -> Option<String> {
        match self {
            Asked::None => Some(unusable(case)),
            Asked::Silent(_) => Some("the host cannot be reached".to_owned()),
            Asked::Answers(_) | Asked::Tells(_) => None,
        }
    }

    /// The account that the host belongs to.
    pub(super) fn account_id(&self) -> Option<&str> {
        match self {
            Asked::Tells(host) => host.account_id.as_deref(),
            _ => None,
        }
    }

    /// Which cloud it is on: by its own word, else by its name.
    pub(super) fn cloud(&self, route: Option<&Route>) -> Option<Cloud> {
        let by_name = route.and_then(|route| route.cloud);
        let Asked::Tells(Host { cloud: Some(word), .. }) = self else { return by_name };
        match word.to_ascii_lowercase().as_str() {
            "aws" => Some(Cloud::Aws),
            "gcp" => Some(Cloud::Gcp),
            // Which of Microsoft's the name tells.
            "azure" => Some(match by_name {
                Some(Cloud::Azure(cloud)) => Cloud::Azure(cloud),
                _ => Cloud::Azure(AzureCloud::Public),
            }),
            _ => by_name,
        }
    }
}

/// Which variable is to blame that there is no host to ask.
fn unusable(case: &Case<'_>) -> String {
    const ALL: [&str; 7] = [
        "DATABRICKS_HOST",
        "DATABRICKS_WORKSPACE_ID",
        "DATABRICKS_ACCOUNT_ID",
        "ALLOWED_HOSTS",
        "CA_BUNDLE",
        "HTTPS_PROXY",
        "NO_PROXY",
    ];
    let broken = ALL.into_iter().find(|name| case.patient.is_broken(name)).unwrap_or("DATABRICKS_HOST");
    format!("`{broken}` cannot be used")
}

/// Asks, without a credential.
pub(super) async fn ask(case: &Case<'_>) -> Asked {
    let Some(client) = case.client else { return Asked::None };
    match ask_host(client).await {
        Ok(host) => Asked::Tells(host),
        Err(error @ Error::Api(_)) => Asked::Answers(error),
        // Trouble that passes is the host's own, and it answers with it.
        Err(error) if error.api().is_some() => Asked::Answers(error),
        Err(error) => Asked::Silent(error),
    }
}

pub(super) fn examine(case: &Case<'_>, asked: &Asked, chart: &mut Chart<'_>) {
    let route = case.patient.route.as_ref();
    match (asked, route) {
        (Asked::None, _) | (_, None) => {
            return chart.unknown(GROUP, format!("not examined: {}", unusable(case)));
        }
        (Asked::Silent(error), Some(route)) => {
            chart.bad(GROUP, not_reached(error));
            let way = way(case);
            let message = format!(
                "what it serves, and whether the clocks agree: not told, for it was asked in vain, {way}{}",
                by_name(route.cloud)
            );
            return chart.unknown(GROUP, message);
        }
        (Asked::Answers(_) | Asked::Tells(_), Some(route)) => chart.good(GROUP, reached(case, route)),
    }
    match asked {
        Asked::Tells(host) => serves(case, host, chart),
        Asked::Answers(error) => {
            let said = error.said().unwrap_or_default();
            let cloud = by_name(asked.cloud(route));
            chart.unknown(GROUP, format!("what it serves: it does not tell ({said}){cloud}"));
        }
        Asked::None | Asked::Silent(_) => {}
    }
}

fn by_name(cloud: Option<Cloud>) -> String {
    cloud.map(|cloud| format!("; by its name it is on {}", cloud.name())).unwrap_or_default()
}

fn way(case: &Case<'_>) -> String {
    match case.proxy {
        Some(proxy) => format!("through the proxy `{proxy}`"),
        None => "without a proxy".to_owned(),
    }
}

fn reached(case: &Case<'_>, route: &Route) -> String {
    let address = route.host.as_str().trim_end_matches('/');
    let way = way(case);
    match route.host.scheme() {
        "https" => format!("{address} answers {way}: its name is known, and its certificate good"),
        _ => format!("{address} answers {way}; without TLS, which only this machine is allowed"),
    }
}

fn serves(case: &Case<'_>, host: &Host, chart: &mut Chart<'_>) {
    let route = case.patient.route.as_ref();
    let meant = route.and_then(|route| route.workspace_id.as_deref());
    if let Some(problem) = host.is_not_meant(meant) {
        return chart.bad(GROUP, problem);
    }
    let by_name = route.and_then(|route| route.cloud).map(|cloud| format!(", by its name on {}", cloud.name()));
    let told = host.cloud.as_ref().map(|cloud| format!(", on {}", text::one_line(cloud)));
    let cloud = told.or(by_name).unwrap_or_default();
    let id = |id: Option<&str>| id.map(|id| format!(" {}", text::one_line(id))).unwrap_or_default();
    match &host.serves {
        Serves::Workspace => {
            chart.good(GROUP, format!("it is the workspace{}{cloud}", id(host.workspace_id.as_deref())));
        }
        Serves::Unified | Serves::Account => {
            let message = format!("it serves an account and its workspaces, of which{} is meant{cloud}", id(meant));
            chart.good(GROUP, message);
        }
        Serves::Untold => {
            chart.unknown(GROUP, format!("whether it is one workspace or several: it does not tell{cloud}"))
        }
        Serves::Other(word) => {
            let word = text::one_line(word);
            chart.unknown(GROUP, format!("what it serves: it says `{word}`, which this version does not know{cloud}"));
        }
    }
}

/// Whether this machine's clock is right, by the server's.
pub(super) fn clocks(case: &Case<'_>, chart: &mut Chart<'_>) {
    let Some(there) = case.server_time() else {
        return chart.unknown(Group::Clock, "whether the clocks agree: no answer of the server told the time");
    };
    let here = case.clock.now();
    let (apart, which) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if apart <= SKEW {
        return chart.good(Group::Clock, "this machine's clock and the server's agree");
    }
    let message = format!("this machine's clock is {} {which} the server's", text::duration(apart));
    let hint = "set the runner's clock: certificates are judged by it, and so are tokens and leases by whoever does not ask \
                the server for the time";
    let finding = Finding::odd(Group::Clock, Problem::new(Code::ClockSkew, message).hint(hint));
    let times = [("here:  ", here), ("there: ", there)];
    chart.add(finding.exhibit(times.map(|(whose, time)| format!("{whose}{}", text::clock(time)))));
}
