//! Variables, and every way to log in.

use super::*;
use databricks_sandbox::{Canned, Fault, Moment, On, TokenState, Trouble};

#[tokio::test(start_paused = true)]
async fn every_way_is_tried_and_the_one_of_a_run_is_named() {
    let sandbox = workspace();
    trust(&sandbox);
    let secret = sandbox.add_client_secret(ID);
    let step =
        keyless(&sandbox).variable("DATABRICKS_CLIENT_SECRET", &secret).variable("DATABRICKS_TOKEN", sandbox.token());
    let report = examine(&sandbox, &step).await;
    report.has("log-in", "good", &format!("`bitbucket-oidc` lets in {ID} (a run takes this way, because the step has"));
    report.has("log-in", "good", &format!("`oauth-m2m` lets in {ID} (a run does not take this way, though"));
    report.has(
        "log-in",
        "good",
        "`pat` lets in ci@example.com (a run does not take this way, though `DATABRICKS_TOKEN` is set)",
    );
    // Each stored secret beside the identity is to be deleted, as a run says.
    report.has("variables", "odd", "DATABRICKS_TOKEN: not used");
    report.has("identity", "good", "the service principal `deployer`");
    let lasts = &report.has("log-in", "good", "`bitbucket-oidc`").exhibit;
    assert!(lasts[0].starts_with("it lasts ") && lasts[0].contains("until 2026-03-02 10:00:00 UTC"), "{lasts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_way_that_a_run_does_not_take_makes_nothing_bad() {
    let sandbox = workspace();
    trust(&sandbox);
    let secret = sandbox.add_client_secret(ID);
    sandbox.set_client_secret_state(&secret, TokenState::Revoked);
    let step = keyless(&sandbox)
        .variable("DATABRICKS_CLIENT_SECRET", &secret)
        .variable("DATABRICKS_TOKEN", "Bearer dapi00112233445566778899aabbccddeeff");
    let report = examine(&sandbox, &step).await;
    assert!(report.bad().is_empty(), "{}", report.inside.log);
    report.has(
        "log-in",
        "odd",
        "log-in by `oauth-m2m`: a run does not take this way, and it would not let in: Databricks",
    );
    report.has("log-in", "odd", "DATABRICKS_TOKEN: starts with an authorization scheme");
    report.has("log-in", "unknown", "`pat`: not tried, since its variables cannot be used");
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_wrong_with_the_variables_is_told_and_the_rest_examined() {
    let sandbox = workspace();
    trust(&sandbox);
    let step = keyless(&sandbox).variable("TIMEOUT", "soon").variable("WAIT", "perhaps").variable("PRUNE", "some");
    let report = examine(&sandbox, &step).await;
    let places: Vec<_> =
        report.all().iter().filter(|one| one.verdict == Verdict::Bad).map(|one| one.place.clone()).collect();
    assert_eq!(places, ["PRUNE", "WAIT", "TIMEOUT"].map(|name| Some(name.to_owned())));
    report.has("log-in", "good", "`bitbucket-oidc` lets in");
    report.has("target", "good", "this identity may write");
    report.has("runs", "good", "this identity may run and manage the job nightly-etl");
    // Nothing is said of what a broken variable may have meant.
    for (name, value, group, part) in [
        ("WORKSPACE_PATH", "relative", "target", "not examined"),
        ("TARGET", "a/b", "target", "whether it is somebody else's"),
        ("LOCAL_PATH", "gone", "target", "whether it is somebody else's"),
        ("RUN", "a\na", "runs", "not examined: `RUN` cannot be used"),
        ("PARAMS", "{", "runs", "not examined: `PARAMS` cannot be used"),
        ("RUN_CLUSTER_ID", "mine", "runs", "not examined: `RUN_CLUSTER_ID` cannot be used"),
    ] {
        let report = examine(&sandbox, &keyless(&sandbox).variable(name, value)).await;
        report.has(group, "unknown", part);
        assert_eq!(report.bad().len(), 1, "{}", report.inside.log);
    }
    // A credential goes nowhere by another way than the one that was meant.
    let before = sandbox.requests().len();
    for (name, value) in
        [("HTTPS_PROXY", "ftp://proxy"), ("CA_BUNDLE", "gone.pem"), ("DATABRICKS_WORKSPACE_ID", "mine")]
    {
        let report = examine(&sandbox, &keyless(&sandbox).variable(name, value)).await;
        report.has("host", "unknown", &format!("not examined: `{name}` cannot be used"));
        report.has("log-in", "unknown", &format!("not tried: `{name}` cannot be used"));
    }
    assert_eq!(sandbox.requests().len(), before);
    // Without a host nothing is contacted, and what the token says is told all the same.
    let step = keyless(&sandbox).variable("DATABRICKS_HOST", "nowhere").variable("TIMEOUT", "soon");
    let report = examine(&sandbox, &step).await;
    assert_eq!(sandbox.requests().len(), before);
    assert_eq!(report.bad().len(), 2, "{}", report.inside.log);
    report.has("step-token", "good", "the step has one");
    report.has("host", "unknown", "not examined: `DATABRICKS_HOST` cannot be used");
    report.has("log-in", "unknown", "not tried: `DATABRICKS_HOST` cannot be used");
    report.has("identity", "unknown", "not examined");
    report.has("files", "good", "1 file below");
}

#[tokio::test(start_paused = true)]
async fn what_a_run_stops_for_is_told_in_its_words() {
    let unlucky = workspace_with(|mut principal| {
        principal.member = false;
        principal
    });
    trust(&unlucky);
    for sandbox in [workspace(), unlucky] {
        let step = keyless(&sandbox);
        let report = examine(&sandbox, &step).await;
        let run = step.variable("ACTION", "deploy").inside(&sandbox).await;
        let [of_run] = run.outcome.problems.as_slice() else { panic!("{}", run.log) };
        let found = report.all().iter().find(|finding| finding.verdict == Verdict::Bad).unwrap();
        // The server counts its requests.
        let same = |text: &str| text.split(" (request id").next().unwrap().to_owned();
        assert_eq!(same(&found.message), same(&of_run.message));
        assert_eq!((found.code, &found.hint), (Some(of_run.code), &of_run.hint));
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_logged_in_is_told_with_both_ids() {
    let sandbox = workspace();
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    report.has("identity", "good", "the user `ci@example.com`");
    report.has("identity", "told", "`users`, `admins`");
    let secret = sandbox.add_client_secret(ID);
    let step = step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID).variable("DATABRICKS_CLIENT_SECRET", &secret);
    let report = examine(&sandbox, &step).await;
    let ids = &report.has("identity", "good", "the service principal `deployer`").exhibit;
    assert!(ids[0].starts_with(&format!("application id {ID}: what `DATABRICKS_CLIENT_ID`")), "{ids:?}");
    assert!(ids[1].starts_with("numeric id 9007"), "{ids:?}");
    // The number is in what is to be pasted, too.
    let policy = report.has("policy", "told", "Recommended: a policy for this deployment environment");
    assert!(policy.exhibit.iter().any(|line| line.contains("policy create 9007")), "{policy:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_workspace_says_of_itself_is_held_against_what_is_meant() {
    let sandbox = workspace();
    let body = json!({ "userName": "ci@example.com" }).to_string();
    let answer =
        Canned { status: 200, headers: Vec::new(), body: body.into() }.with_header("x-databricks-org-id", "42");
    sandbox.fault(Fault::always(On::get("/api/2.0/preview/scim/v2/Me"), Trouble::Answer(Moment::Before, answer)));
    let step = by_token(&sandbox).variable("DATABRICKS_WORKSPACE_ID", sandbox.workspace_id());
    let report = examine(&sandbox, &step).await;
    report.has("identity", "odd", "but it was the workspace `42` that answered");
    report.has("identity", "unknown", "which groups it is in");
}

#[tokio::test(start_paused = true)]
async fn of_two_tokens_the_one_of_a_run_decides_on_the_policy() {
    let sandbox = workspace();
    trust(&sandbox);
    let branch = sandbox.bitbucket().step(&StepClaims::default());
    let both = keyless(&sandbox).variable("DATABRICKS_OIDC_TOKEN", branch);
    // The token of another kind of step is the one that a run would show.
    let report = examine(&sandbox, &both).await;
    report.has("log-in", "bad", "log-in by `env-oidc`");
    report.has("log-in", "good", "`bitbucket-oidc` lets in");
    report.lacks("policy", "good");
    report.has("policy", "told", "Wider: a policy for this repository");
    assert!(!report.inside.log.contains("Recommended: a policy for this deployment"), "{}", report.inside.log);
    let report = examine(&sandbox, &both.variable("DATABRICKS_AUTH_TYPE", "bitbucket-oidc")).await;
    report.has("log-in", "odd", "log-in by `env-oidc`: a run does not take this way");
    report.has("policy", "good", "there is one that fits the identity token");
    // What is shown is for the token of a run, too.
    let untrusted = workspace();
    let branch = untrusted.bitbucket().step(&StepClaims::default());
    let both = keyless(&untrusted).variable("DATABRICKS_OIDC_TOKEN", branch);
    let report = examine(&untrusted, &both.variable("DATABRICKS_AUTH_TYPE", "bitbucket-oidc")).await;
    report.has("policy", "told", "Recommended: a policy for this deployment environment");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_way_of_a_run_is_told_once() {
    let sandbox = workspace();
    let client = |sandbox| step(sandbox).variable("DATABRICKS_CLIENT_ID", ID);
    for (step, place) in [
        (client(&sandbox).variable("DATABRICKS_OIDC_TOKEN_ENV", "MY_TOKEN"), "MY_TOKEN"),
        (client(&sandbox).variable("DATABRICKS_OIDC_TOKEN", "no-token-at-all"), "DATABRICKS_OIDC_TOKEN"),
        (client(&sandbox).variable("BITBUCKET_STEP_OIDC_TOKEN", "no-token-at-all"), "BITBUCKET_STEP_OIDC_TOKEN"),
        (client(&sandbox).variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "gone.jwt"), "DATABRICKS_OIDC_TOKEN_FILEPATH"),
        (
            step(&sandbox).variable("DATABRICKS_TOKEN", "Bearer dapi00112233445566778899aabbccddeeff"),
            "DATABRICKS_TOKEN",
        ),
    ] {
        let report = examine(&sandbox, &step).await;
        let told = report.all().iter().filter(|one| one.place.as_deref() == Some(place)).count();
        assert_eq!(told, 1, "{}", report.inside.log);
        report.has("log-in", "unknown", "not tried");
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_is_not_taken_any_more_is_one_problem_and_not_four() {
    let (mut repeated, mut asked) = (0, 0);
    loop {
        let sandbox = workspace();
        let refused = Trouble::Answer(Moment::Before, Canned::error(403, "403", "Invalid access token."));
        // What the host serves is asked, and who this is; then nobody is known any more.
        sandbox.fault(Fault { skip: 2 + asked, ..Fault::always(On::any(), refused) });
        let report = examine(&sandbox, &by_token(&sandbox)).await;
        report.has("log-in", "good", "`pat` lets in");
        if sandbox.requests().len() as u64 <= 2 + asked {
            break;
        }
        asked += 1;
        let [problem] = report.bad().try_into().unwrap_or_else(|_| panic!("{}", report.inside.log));
        assert!(problem.contains("Invalid access token. (request id"), "{problem}");
        let rest = "what else had to be asked: not known, for the credential was not taken any more";
        repeated += report.all().iter().filter(|one| one.message == rest).count();
        // Of what could not be asked, nothing is called good.
        if asked < 6 {
            report.lacks("runs", "good");
        }
    }
    assert!(asked > 6 && repeated > 4, "{asked} questions, {repeated}");
}

#[tokio::test(start_paused = true)]
async fn no_policy_for_a_step_is_shown_where_the_token_of_another_issuer_is_meant() {
    let sandbox = workspace();
    let client = step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID);
    let report = examine(&sandbox, &client.variable("DATABRICKS_OIDC_TOKEN_ENV", "MY_TOKEN")).await;
    report.has("variables", "bad", "MY_TOKEN: not set, but `DATABRICKS_OIDC_TOKEN_ENV` names it");
    report.lacks("policy", "told");
    // The step's own may be named, too.
    let client = step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID);
    let report = examine(&sandbox, &client.variable("DATABRICKS_OIDC_TOKEN_ENV", "BITBUCKET_STEP_OIDC_TOKEN")).await;
    report.has("policy", "told", "Recommended: a policy for this deployment environment");
}

#[tokio::test(start_paused = true)]
async fn who_has_called_a_variable_an_identity_token_is_told() {
    let sandbox = workspace();
    let report = examine(&sandbox, &by_token(&sandbox).variable("DATABRICKS_OIDC_TOKEN_ENV", "DATABRICKS_TOKEN")).await;
    let part = "DATABRICKS_TOKEN: is not an identity token, which is a JWT (not shown), but `DATABRICKS_OIDC_TOKEN_ENV` names it";
    report.has("variables", "bad", part);
}
