//! The step's identity token: its claims, never the token.

use super::Case;
use super::chart::Chart;
use crate::finding::{Finding, Group};
use crate::identity::{claims_shown, ended, is_not_genuine, is_of_bitbucket};
use crate::pipeline::{Pipeline, STEP_TOKEN};
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Secret};
use crate::settings::{AuthType, IdToken, StepToken};
use crate::text;
use std::time::Duration;

const GROUP: Group = Group::StepToken;

/// With less time left, a step hardly gets through.
const SHORT: Duration = Duration::from_secs(5 * 60);

/// The claims of Bitbucket that are UUIDs in braces.
const IN_BRACES: [&str; 5] =
    ["repositoryUuid", "deploymentEnvironmentUuid", "workspaceUuid", "pipelineUuid", "stepUuid"];

pub(super) fn examine(case: &Case<'_>, chart: &mut Chart<'_>) {
    let claims = match &case.patient.step_token {
        StepToken::Missing => {
            let another = case.patient.ways.iter().any(|way| way.way.is_keyless());
            let needed = if another { "" } else { ", which log-in without a stored secret needs" };
            return chart.told(GROUP, format!("the step has none: there is no `oidc: true`{needed}"));
        }
        StepToken::Unreadable => {
            return chart.told(GROUP, "what stands in its place is no identity token (not shown)");
        }
        StepToken::Claims(claims) => claims,
    };
    if let Some(why) = is_not_genuine(claims, true) {
        let problem = odd(format!("it is not one of Bitbucket's: {why}"));
        let hint = "leave the variable to Bitbucket, which sets it itself";
        return chart.add(Finding::odd(GROUP, problem.hint(hint)).exhibit(claims_shown(claims)));
    }
    let needed = case.patient.ways.iter().any(|way| way.taken && way.way == AuthType::BitbucketOidc);
    time(case, claims, needed, chart);
    if !is_of_bitbucket(claims) {
        return chart.odd(GROUP, odd("it is not one of Bitbucket's: it names no repository"));
    }
    braces(claims, chart);
    issuer(claims, case.pipeline, chart);
    audience(claims, chart);
    repository(claims, case.pipeline, chart);
}

fn odd(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidToken, message).at(STEP_TOKEN)
}

/// By the server's clock, as far as that is known: it is the one that counts.
fn time(case: &Case<'_>, claims: &Claims, needed: bool, chart: &mut Chart<'_>) {
    let there = case.server_time();
    let now = there.unwrap_or_else(|| case.clock.now());
    // What it is in changes the advice only.
    let token = IdToken::Variable { name: STEP_TOKEN.to_owned(), token: Secret::new("") };
    let shown = claims_shown(claims);
    if let Some(problem) = ended(claims, now, &token) {
        let problem = problem.at(STEP_TOKEN);
        let finding = if needed { Finding::bad(GROUP, problem) } else { Finding::odd(GROUP, problem) };
        return chart.add(finding.exhibit(shown));
    }
    let left = claims.expires().and_then(|ends| ends.duration_since(now).ok());
    let message = match left {
        Some(left) => format!("the step has one, for another {}", text::duration(whole(left))),
        None => "the step has one, which does not say when it ends".to_owned(),
    };
    chart.add(Finding::good(GROUP, message).exhibit(shown));
    if left.is_some_and(|left| left < SHORT) {
        let hint = "put the pipe at the beginning of the step, or give slow work before it a step of its own: nobody can \
                    renew the token";
        chart.odd(GROUP, odd("it ends soon, and runs cannot be watched longer than that").hint(hint));
    }
    let early = claims.issued().and_then(|issued| issued.duration_since(now).ok());
    if let Some(early) = early.filter(|early| *early > Duration::from_secs(60)) {
        let whose = if there.is_some() { "the server's clock" } else { "this machine's clock" };
        let message = format!("by {whose} it will be made in {} only, and is not valid yet", text::duration(early));
        chart.odd(GROUP, odd(message).hint("one of the clocks is wrong"));
    }
}

/// Seconds are enough.
fn whole(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

fn braces(claims: &Claims, chart: &mut Chart<'_>) {
    let bare: Vec<&str> = IN_BRACES
        .into_iter()
        .filter(|name| claims.text(name).is_some_and(|uuid| !(uuid.starts_with('{') && uuid.ends_with('}'))))
        .collect();
    if bare.is_empty() {
        return chart.good(GROUP, "its UUIDs have their braces, which a policy must repeat; the audience has none");
    }
    let message = format!("{} without braces, which Bitbucket writes around every UUID", bare.join(", "));
    chart.odd(GROUP, odd(message).hint("a policy compares to the letter: repeat the claim as it is here"));
}

/// The issuer holds the slug of the workspace: `…/workspaces/<slug>/pipelines-config/identity/oidc`.
fn issuer(claims: &Claims, pipeline: &Pipeline, chart: &mut Chart<'_>) {
    let named = claims.text("iss").and_then(|issuer| issuer.split("/workspaces/").nth(1)?.split('/').next());
    match (named, &pipeline.workspace) {
        (Some(named), Some(workspace)) if named == workspace => {
            chart.good(GROUP, format!("its issuer names the Bitbucket workspace `{named}`, whose build this is"));
        }
        (Some(named), Some(workspace)) => {
            let message =
                format!("its issuer names the Bitbucket workspace `{named}`, and this build is of `{workspace}`");
            let hint = "a policy must name the issuer that the token has; renaming the workspace changes it";
            chart.odd(GROUP, odd(message).hint(hint));
        }
        (Some(named), None) => chart.told(GROUP, format!("its issuer names the Bitbucket workspace `{named}`")),
        (None, _) => {
            let message = "its issuer is none that Bitbucket is known to have, and names no workspace";
            chart.odd(GROUP, odd(message).hint("a policy must name the issuer that the token has, to the letter"));
        }
    }
}

fn audience(claims: &Claims, chart: &mut Chart<'_>) {
    const USUAL: &str = "ari:cloud:bitbucket::workspace/";
    let all = claims.audiences();
    let workspace = claims.text("workspaceUuid").map(|uuid| uuid.trim_matches(['{', '}']));
    let usual = all.iter().any(|audience| audience.strip_prefix(USUAL).is_some_and(|id| Some(id) == workspace));
    match (usual, all.len()) {
        (true, 1) => chart.good(GROUP, "its audience is Bitbucket's usual one"),
        (true, more) => {
            chart.good(GROUP, format!("its audiences are Bitbucket's usual one and {} more", more - 1));
        }
        (false, _) => {
            let hint = "a policy must name one of the audiences that the token has, to the letter";
            chart.odd(GROUP, odd("none of its audiences is Bitbucket's usual one").hint(hint));
        }
    }
}

fn repository(claims: &Claims, pipeline: &Pipeline, chart: &mut Chart<'_>) {
    let differs = |name: &str, uuid: &Option<String>| match (claims.text(name), uuid) {
        (Some(claimed), Some(uuid)) => claimed.trim_matches(['{', '}']) != uuid.trim_matches(['{', '}']),
        _ => false,
    };
    let hint = "this is the token of another step: leave the variable to Bitbucket, which sets it itself";
    if differs("repositoryUuid", &pipeline.repository_uuid) {
        chart.odd(GROUP, odd("it is the token of another repository than this build's").hint(hint));
    }
    if differs("deploymentEnvironmentUuid", &pipeline.deployment_uuid) {
        chart.odd(GROUP, odd("it is the token of another deployment environment than this step's").hint(hint));
    }
}
