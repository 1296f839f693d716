//! The step's identity token.

use super::*;
use databricks_sandbox::Flaw;
use std::time::Duration;

fn with_claims(sandbox: &Sandbox, claims: &StepClaims) -> Step {
    keyless(sandbox).variable("BITBUCKET_STEP_OIDC_TOKEN", sandbox.bitbucket().step(claims))
}

#[tokio::test(start_paused = true)]
async fn the_claims_are_told_and_the_token_is_not() {
    let sandbox = workspace();
    let report = examine(&sandbox, &keyless(&sandbox)).await;
    let claims = &report.has("step-token", "good", "the step has one, for another 1h").exhibit;
    for claim in ["iss ", "aud ", "sub ", "repositoryUuid ", "deploymentEnvironmentUuid ", "branchName ", "exp "] {
        assert!(claims.iter().any(|line| line.trim_start().starts_with(claim)), "{claim}: {claims:?}");
    }
    report.has("step-token", "good", "its UUIDs have their braces");
    report.has("step-token", "good", "its issuer names the Bitbucket workspace `acme`");
    report.has("step-token", "good", "its audience is Bitbucket's usual one");
}

#[tokio::test(start_paused = true)]
async fn what_is_odd_about_it_is_told() {
    let sandbox = workspace();
    trust(&sandbox);
    let own = |name: &str, value: &str| flawed(&sandbox, Flaw::Claim(name.into(), json!(value)));
    let late = StepClaims { issued_ago: Duration::from_secs(3600 - 120), ..StepClaims::production() };
    let elsewhere = own("iss", "https://issuer.example.com");
    for (step, part) in [
        (flawed(&sandbox, Flaw::NoBraces), "without braces, which Bitbucket writes around every UUID"),
        (own("aud", "https://elsewhere"), "none of its audiences is Bitbucket's usual one"),
        (
            keyless(&sandbox).variable("BITBUCKET_WORKSPACE", "renamed"),
            "workspace `acme`, and this build is of `renamed`",
        ),
        (keyless(&sandbox).variable("BITBUCKET_REPO_UUID", "{other}"), "of another repository than this build's"),
        (
            keyless(&sandbox).variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID", "{other}"),
            "of another deployment environment than this step's",
        ),
        (
            elsewhere,
            "it is not one of Bitbucket's: its issuer is `https://issuer.example.com`, and those of Bitbucket begin",
        ),
        (own("iss", "https://api.bitbucket.org/3.0"), "its issuer is none that Bitbucket is known to have"),
        (with_claims(&sandbox, &late), "it ends soon"),
        (flawed(&sandbox, Flaw::NotYetValid), "it will be made in 10m only, and is not valid yet"),
        (
            flawed(&sandbox, Flaw::Claim("repositoryUuid".into(), Value::Null)),
            "it is not one of Bitbucket's: it names no repository",
        ),
    ] {
        let report = examine(&sandbox, &step).await;
        report.has("step-token", "odd", part);
    }
    let more = StepClaims { audiences: vec!["https://custom".into()], ..StepClaims::production() };
    let report = examine(&sandbox, &with_claims(&sandbox, &more)).await;
    report.has("step-token", "good", "its audiences are Bitbucket's usual one and 1 more");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_over_or_missing_matters_only_where_it_is_what_logs_in() {
    let sandbox = workspace();
    let over = flawed(&sandbox, Flaw::Expired);
    let report = examine(&sandbox, &over).await;
    report.has("step-token", "bad", "the identity token ended at 2026-03-02 08:59:00 UTC");
    // Once is enough.
    report.has("log-in", "told", "`bitbucket-oidc` lets nobody in, since the identity token has ended");
    assert_eq!(report.bad().len(), 1, "{}", report.inside.log);
    let report =
        examine(&sandbox, &over.variable("DATABRICKS_TOKEN", sandbox.token()).variable("DATABRICKS_AUTH_TYPE", "pat"))
            .await;
    report.has("step-token", "odd", "the identity token ended at");
    assert!(report.bad().is_empty(), "{}", report.inside.log);
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    report.has("step-token", "told", "the step has none: there is no `oidc: true`");
    let report = examine(&sandbox, &by_token(&sandbox).variable("BITBUCKET_STEP_OIDC_TOKEN", "no-token-at-all")).await;
    report.has("step-token", "told", "no identity token (not shown)");
}
