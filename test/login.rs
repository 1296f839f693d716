//! Logging in: which way is taken, how an access token is renewed, and what is said when there is none.

use crate::support::{Inside, Step, assert_golden};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Canned, Ending, Fault, JobRight, Match, Moment, On, Principal, Running, Sandbox, Script, TaskScript, TokenState,
    Trouble,
};
use serde_json::json;
use std::time::Duration;

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const TOKEN: &str = "/oidc/v1/token";

/// A workspace with a service principal that has a secret.
fn workspace() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let mut principal = Principal::service(ID, "deployer");
    principal.other_jobs = JobRight::ManageRun;
    sandbox.add_principal(principal);
    let secret = sandbox.add_client_secret(ID);
    (sandbox, secret)
}

/// A step that deploys a notebook, and logs in with a secret.
fn deploying(sandbox: &Sandbox, secret: &str) -> Step {
    by_oauth(Step::deploying(sandbox).notebook("notebooks/a.py"), secret)
}

fn by_oauth(step: Step, secret: &str) -> Step {
    step.without("DATABRICKS_TOKEN").variable("DATABRICKS_CLIENT_ID", ID).variable("DATABRICKS_CLIENT_SECRET", secret)
}

/// How many requests came to the token endpoint.
fn logins(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.path == TOKEN).count()
}

/// A job whose run takes so long.
fn long_job(sandbox: &Sandbox, time: Duration) -> i64 {
    let job = sandbox.create_job(json!({
        "name": "long",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/a"}}],
    }));
    sandbox.script(Match::Job(job), Script::playing(TaskScript::after(time, Ending::success())));
    job
}

#[test]
fn a_service_principal_logs_in_and_nothing_of_its_credentials_is_shown() {
    let (sandbox, secret) = workspace();
    let running = Running::start(sandbox.clone()).unwrap();
    let ended = deploying(&sandbox, &secret).variable("DEBUG", "true").against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let line = format!(
        "INFO: Logged in to {} as {ID} (OAuth machine-to-machine, because `DATABRICKS_CLIENT_ID` and \
         `DATABRICKS_CLIENT_SECRET` are set; not keyless, because the step has no `oidc: true`)",
        running.url()
    );
    assert!(ended.log.contains(&line), "{}", ended.log);
    assert!(ended.log.contains("POST /oidc/v1/token attempt=1 status=200"), "{}", ended.log);
    let tokens = sandbox.access_tokens();
    assert_eq!(tokens.len(), 1);
    let pair = STANDARD.encode(format!("{ID}:{secret}"));
    for hidden in [secret.as_str(), tokens[0].as_str(), pair.as_str()] {
        assert!(!ended.log.contains(hidden), "{}", ended.log);
    }
    let lines: Vec<String> = sandbox.requests().iter().take(4).map(|request| request.line()).collect();
    assert_eq!(
        lines,
        [
            "GET /.well-known/databricks-config",
            "GET /oidc/.well-known/oauth-authorization-server",
            "POST /oidc/v1/token",
            "GET /api/2.0/preview/scim/v2/Me",
        ]
    );
    // The documents are open to everybody: they are asked without a credential.
    let schemes: Vec<Option<String>> = sandbox
        .requests()
        .iter()
        .take(4)
        .map(|request| request.authorization.clone().map(|given| given.scheme))
        .collect();
    assert_eq!(schemes, [None, None, Some("Basic".to_owned()), Some("Bearer".to_owned())]);
    assert!(sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_ways_oauth_is_taken_and_the_other_is_told_of() {
    let (sandbox, secret) = workspace();
    let ended = deploying(&sandbox, &secret).variable("DATABRICKS_TOKEN", sandbox.token()).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_golden("identity/two_ways", &ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_many_hours_renews_the_token_before_it_ends() {
    let (sandbox, secret) = workspace();
    sandbox.put_notebook("/Shared/etl/a", databricks_sandbox::Language::Python, "");
    for (lifetime, as_text) in [(600, false), (3600, true)] {
        sandbox.set_access_token_lifetime(Duration::from_secs(lifetime));
        sandbox.send_expires_in_as_text(as_text);
        let job = long_job(&sandbox, Duration::from_secs(6 * 3600));
        let (tokens, requests) = (sandbox.access_tokens().len(), sandbox.requests().len());
        let ended = by_oauth(Step::running(&sandbox, job), &secret).variable("TIMEOUT", "8h").inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        let refused = sandbox.requests().iter().skip(requests).filter(|request| request.status == Some(403)).count();
        assert_eq!(refused, 0);
        // Half of ten minutes, and two thirds of an hour: 20 minutes before its end.
        let serves = if lifetime == 600 { 300 } else { 2400 };
        let expected = 6 * 3600 / serves;
        let renewals = sandbox.access_tokens().len() - tokens;
        assert!((expected * 9 / 10..=expected + 1).contains(&renewals), "{renewals} of {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_is_renewed_once_for_all() {
    let (sandbox, secret) = workspace();
    let mut step = deploying(&sandbox, &secret);
    for number in 0..60 {
        step = step.notebook(&format!("notebooks/n{number}.py"));
    }
    sandbox.fault(Fault::always(
        On::post("/api/2.0/workspace/import"),
        Trouble::Delay(Moment::Before, Duration::from_secs(1)),
    ));
    let revoker = sandbox.clone();
    let revoked = tokio::spawn(async move {
        // The lock and the journal take a second each; then the first answers open the window.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        revoker.revoke_access_tokens();
    });
    let ended = step.inside(&sandbox).await;
    revoked.await.unwrap();
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let refused = sandbox.requests().iter().filter(|request| request.status == Some(403)).count();
    assert_eq!((refused, sandbox.access_tokens().len()), (28, 2), "a window's worth was under way");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_refused_ends_the_wait_and_says_so() {
    let (sandbox, secret) = workspace();
    sandbox.put_notebook("/Shared/etl/a", databricks_sandbox::Language::Python, "");
    sandbox.set_access_token_lifetime(Duration::from_secs(600));
    let job = long_job(&sandbox, Duration::from_secs(3600));
    let (other, lost) = (sandbox.clone(), secret.clone());
    let deleted = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        other.set_client_secret_state(&lost, TokenState::Revoked);
    });
    let ended = by_oauth(Step::running(&sandbox, job), &secret).inside(&sandbox).await;
    deleted.await.unwrap();
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert_golden("identity/renewal_refused", &ended.log.replace(&job.to_string(), "<id>"));
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_token_endpoint_is_borne_like_any_other() {
    for trouble in [
        Trouble::Answer(Moment::Before, Canned::error(503, "TEMPORARILY_UNAVAILABLE", "later")),
        Trouble::Answer(Moment::Before, Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "slowly").retry_after(3)),
        Trouble::Answer(Moment::After, Canned::error(500, "", "oops")),
        Trouble::Drop(Moment::After),
        Trouble::Truncate(5),
    ] {
        let (sandbox, secret) = workspace();
        sandbox.fault(Fault::times(On::path(TOKEN), 2, trouble.clone()));
        let ended = deploying(&sandbox, &secret).inside(&sandbox).await;
        assert_eq!((ended.exit, logins(&sandbox)), (Exit::Done, 3), "{trouble:?}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn the_documents_may_be_missing_wrong_or_lead_away() {
    let config = |body: &str| Canned { status: 200, headers: Vec::new(), body: body.to_owned().into() };
    let documents = || On::path("/.well-known");
    let server = || On::path("/oidc/.well-known");
    let away = r#"{"token_endpoint":"https://elsewhere.example.com/oidc/v1/token"}"#;
    for (on, canned) in [
        (documents(), Canned::error(404, "ENDPOINT_NOT_FOUND", "No API found")),
        (documents(), Canned::html(200, "<html>Sign in</html>")),
        (documents(), config("{}")),
        (documents(), config(r#"{"oidc_endpoint":"https://elsewhere.example.com/oidc"}"#)),
        (documents(), config(r#"{"oidc_endpoint":"/oidc/accounts/{account_id}","account_id":"x"}"#)),
        (server(), Canned::error(503, "", "")),
        (server(), config("[]")),
        (server(), config(away)),
    ] {
        let (sandbox, secret) = workspace();
        sandbox.fault(Fault::always(on, Trouble::Answer(Moment::Before, canned.clone())));
        let ended = deploying(&sandbox, &secret).inside(&sandbox).await;
        assert_eq!((ended.exit, logins(&sandbox)), (Exit::Done, 1), "{canned:?}: {}", ended.log);
        assert!(
            sandbox.requests().iter().all(|request| request.host.as_deref() == Some("sandbox.cloud.databricks.com"))
        );
    }
}

/// What a step says that gets no token.
async fn refused(name: &str, sandbox: &Sandbox, secret: &str) -> Inside {
    let ended = deploying(sandbox, secret).inside(sandbox).await;
    assert_eq!(ended.exit, Exit::Identity, "{}", ended.log);
    assert!(!ended.log.contains(secret), "{}", ended.log);
    assert_golden(&format!("identity/{name}"), &ended.log);
    ended
}

#[tokio::test(start_paused = true)]
async fn each_reason_for_having_no_token_has_a_message_of_its_own() {
    let (sandbox, _) = workspace();
    refused("wrong_secret", &sandbox, "dose0123456789abcdef0123456789abcdef").await;
    assert_eq!(logins(&sandbox), 1);
    for (name, canned) in [
        ("no_oauth", Canned::error(404, "ENDPOINT_NOT_FOUND", "No API found for 'POST /oidc/v1/token'")),
        ("oauth_page", Canned::html(200, "<html><title>Sign in</title><body>Sign in</body></html>")),
        ("oauth_no_token", Canned { status: 200, headers: Vec::new(), body: "{}".into() }),
        (
            "oauth_scope",
            Canned {
                status: 400,
                headers: Vec::new(),
                body: r#"{"error":"invalid_scope","error_description":"The requested scope is invalid"}"#.into(),
            },
        ),
        ("oauth_down", Canned::error(503, "TEMPORARILY_UNAVAILABLE", "later")),
    ] {
        let (sandbox, secret) = workspace();
        sandbox.fault(Fault::always(On::path(TOKEN), Trouble::Answer(Moment::Before, canned)));
        refused(name, &sandbox, &secret).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_secret_is_refused_and_a_second_one_is_not() {
    let (sandbox, first) = workspace();
    let second = sandbox.add_client_secret(ID);
    sandbox.set_client_secret_state(&first, TokenState::Expired);
    assert_eq!(deploying(&sandbox, &first).inside(&sandbox).await.exit, Exit::Identity);
    assert_eq!(deploying(&sandbox, &second).inside(&sandbox).await.exit, Exit::Done);
}
