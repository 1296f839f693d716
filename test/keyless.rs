//! Log-in without a stored secret: the step's token buys access, every refusal says what to do, and a wait ends before
//! the identity does.

use crate::support::{Ended, Inside, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Bitbucket, Canned, Ending, Fault, FederatedLifetime, Flaw, JobRight, Language, Match, Moment, On, Policy,
    Principal, Running, Sandbox, Script, StepClaims, TaskScript, Trouble,
};
use serde_json::{Value, json};
use std::time::Duration;

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const TOKEN: &str = "/oidc/v1/token";
const HOUR: Duration = Duration::from_secs(3600);

/// A workspace with a service principal that trusts nobody yet.
fn workspace() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut principal = Principal::service(ID, "deployer");
    principal.other_jobs = JobRight::ManageRun;
    sandbox.add_principal(principal);
    sandbox
}

/// The same, but it trusts the deployments of this repository to production.
fn trusting() -> Sandbox {
    let sandbox = workspace();
    trust(&sandbox, sandbox.bitbucket().policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION));
    sandbox
}

fn trust(sandbox: &Sandbox, policy: Policy) {
    sandbox.add_federation_policy(ID, policy).unwrap();
}

/// The token of a step that deploys to production.
fn production(sandbox: &Sandbox) -> String {
    sandbox.bitbucket().step(&StepClaims::production())
}

/// A step with `oidc: true` and the client id, and nothing else to log in with.
fn keyless(step: Step, token: &str) -> Step {
    step.without("DATABRICKS_TOKEN")
        .variable("DATABRICKS_CLIENT_ID", ID)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", token)
        .variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production")
}

fn deploying(sandbox: &Sandbox, token: &str) -> Step {
    keyless(Step::deploying(sandbox).notebook("notebooks/a.py"), token)
}

fn running(sandbox: &Sandbox, job: i64, token: &str) -> Step {
    keyless(Step::running(sandbox, job), token)
}

fn long_job(sandbox: &Sandbox, time: Duration) -> i64 {
    sandbox.put_notebook("/Shared/etl/a", Language::Python, "");
    let job = sandbox.create_job(json!({
        "name": "long",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/a"}}],
    }));
    sandbox.script(Match::Job(job), Script::playing(TaskScript::after(time, Ending::success())));
    job
}

fn exchanges(sandbox: &Sandbox) -> usize {
    sandbox.requests().iter().filter(|request| request.path == TOKEN).count()
}

/// Nothing that lets somebody in is in the log.
fn assert_silent(sandbox: &Sandbox, token: &str, log: &str) {
    let signature = token.rsplit('.').next().unwrap();
    let issued = sandbox.access_tokens();
    let given = [token, signature].into_iter().filter(|text| !text.is_empty());
    for hidden in issued.iter().map(String::as_str).chain(given) {
        assert!(!log.contains(hidden), "{log}");
    }
}

#[test]
fn a_step_logs_in_by_its_own_identity_and_the_token_goes_nowhere_else() {
    let sandbox = trusting();
    let token = production(&sandbox);
    let served = Running::start(sandbox.clone()).unwrap();
    let ended = deploying(&sandbox, &token).against(&served);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("keyless/first", &ended.log);
    assert_silent(&sandbox, &token, &ended.log);
    let lines: Vec<String> = sandbox.requests().iter().take(4).map(|request| request.line()).collect();
    let documents = ["GET /.well-known/databricks-config", "GET /oidc/.well-known/oauth-authorization-server"];
    assert_eq!(lines, [documents[0], documents[1], "POST /oidc/v1/token", "GET /api/2.0/preview/scim/v2/Me"]);
    let debug = deploying(&sandbox, &token).variable("DEBUG", "true").against(&served);
    assert_silent(&sandbox, &token, &debug.log);
    // The exchange is the only request that the token is in, and it is signed with nothing.
    for request in sandbox.requests() {
        assert_eq!(request.carries(&token), request.path == TOKEN, "{}", request.line());
        let scheme = request.authorization.as_ref().map(|given| given.scheme.as_str());
        let open = request.path == TOKEN || request.path.contains("/.well-known/");
        assert_eq!(scheme, (!open).then_some("Bearer"), "{}", request.line());
    }
}

#[test]
fn a_stored_secret_beside_the_identity_is_not_used_and_is_to_be_deleted() {
    let sandbox = trusting();
    let token = production(&sandbox);
    let secret = sandbox.add_client_secret(ID);
    let served = Running::start(sandbox.clone()).unwrap();
    let step = deploying(&sandbox, &token)
        .variable("DATABRICKS_CLIENT_SECRET", &secret)
        .variable("DATABRICKS_TOKEN", "$DATABRICKS_TOKEN");
    let ended = step.against(&served);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("keyless/stored_secret", &ended.log);
    // Whoever means the secret says so.
    let forced = step.variable("DATABRICKS_AUTH_TYPE", "oauth-m2m").against(&served);
    assert_eq!(forced.code, 0, "{}", forced.log);
    assert_golden("keyless/forced_secret", &forced.log);
}

/// What a step says that is not let in.
fn refused(name: &str, sandbox: &Sandbox, step: &Step) -> Ended {
    let served = Running::start(sandbox.clone()).unwrap();
    let ended = step.against(&served);
    assert!(!ended.log.contains("Deploying"), "{}", ended.log);
    let token = &step.variables()["BITBUCKET_STEP_OIDC_TOKEN"];
    if !token.is_empty() {
        assert_silent(sandbox, token, &ended.log);
    }
    assert_golden(&format!("keyless/refused/{name}"), &ended.log);
    ended
}

#[test]
fn each_refusal_of_a_token_says_why_and_what_to_do() {
    let policy =
        |claim: &'static str, subject: &'static str| move |bitbucket: &Bitbucket| bitbucket.policy(claim, subject);
    type Made = Box<dyn Fn(&Bitbucket) -> Policy>;
    let sub = format!("{}:{}:{{5f5e8b6a-0000-4000-8000-00000000dead}}", Bitbucket::REPOSITORY, Bitbucket::PRODUCTION);
    let policies: [(&str, Option<Made>); 5] = [
        ("no_policy", None),
        ("policy_on_sub", Some(Box::new(move |bitbucket| bitbucket.policy("sub", &sub)))),
        ("no_braces", Some(Box::new(policy("repositoryUuid", "5f5e8b6a-0000-4000-8000-000000000001")))),
        ("other_environment", Some(Box::new(policy("deploymentEnvironmentUuid", "{another}")))),
        (
            "audience",
            Some(Box::new(|bitbucket| Policy {
                audiences: vec!["https://dbc-1.cloud.databricks.com/oidc/v1/token".into()],
                ..bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY)
            })),
        ),
    ];
    for (name, made) in policies {
        let sandbox = workspace();
        if let Some(made) = made {
            trust(&sandbox, made(&sandbox.bitbucket()));
        }
        let ended = refused(name, &sandbox, &deploying(&sandbox, &production(&sandbox)));
        assert_eq!((ended.code, exchanges(&sandbox)), (2, 1), "{}", ended.log);
        assert!(ended.log.contains("[no-trust-policy]"), "{}", ended.log);
    }
    // The Bitbucket workspace was renamed since, and with it the issuer.
    let sandbox = workspace();
    let before = sandbox.bitbucket_workspace("acme-old", Bitbucket::WORKSPACE);
    trust(&sandbox, before.policy("repositoryUuid", Bitbucket::REPOSITORY));
    let ended = refused("other_workspace", &sandbox, &deploying(&sandbox, &production(&sandbox)));
    assert_eq!(ended.code, 2, "{}", ended.log);
}

#[test]
fn what_is_wrong_with_the_token_itself_is_told_apart() {
    let step = |flaws: &[Flaw]| {
        let sandbox = trusting();
        let token = sandbox.bitbucket().flawed_step(&StepClaims::production(), flaws);
        let step = deploying(&sandbox, &token);
        (sandbox, step)
    };
    let (sandbox, expired) = step(&[Flaw::Expired]);
    let ended = refused("expired", &sandbox, &expired);
    assert!(ended.code == 2 && ended.log.contains("[identity-ended]"), "{}", ended.log);
    let (sandbox, forged) = step(&[Flaw::ForgedSignature]);
    let ended = refused("forged", &sandbox, &forged);
    // What Databricks says of it is not known; so nobody is sent to look for a policy that is there.
    assert!(ended.code == 2 && ended.log.contains("[invalid-token]"), "{}", ended.log);
    assert!(ended.log.contains("hint: by Databricks' words the signature is not its issuer's"), "{}", ended.log);
    // A reason of another kind is passed on as it is.
    let (sandbox, early) = step(&[Flaw::NotYetValid]);
    let ended = refused("not_yet", &sandbox, &early);
    assert!(ended.log.contains("hint: the reason is Databricks' own"), "{}", ended.log);
    for (name, flaw) in [("unsigned", Flaw::Unsigned), ("elsewhere", Flaw::OtherIssuer("https://example.com".into()))] {
        let (sandbox, step) = step(&[flaw]);
        let ended = refused(name, &sandbox, &step);
        assert!(ended.code == 2 && !ended.log.contains("oidc_policy"), "{}", ended.log);
    }
    // A step without `deployment:` has no such claim.
    let sandbox = trusting();
    let token = sandbox.bitbucket().step(&StepClaims::default());
    let ended = refused("no_deployment", &sandbox, &deploying(&sandbox, &token));
    assert!(ended.log.contains("(none: the step has no `deployment:`)"), "{}", ended.log);
    let unknown = deploying(&sandbox, &production(&sandbox))
        .variable("DATABRICKS_CLIENT_ID", "5f5e8b6a-0000-4000-8000-00000000beef");
    assert_eq!(refused("wrong_client_id", &sandbox, &unknown).code, 2);
    // The id counts, not how it is typed.
    let upper = deploying(&sandbox, &production(&sandbox)).variable("DATABRICKS_CLIENT_ID", ID.to_uppercase());
    assert_eq!(upper.against(&Running::start(sandbox.clone()).unwrap()).code, 0);
    // `oidc: true` is missing; whether a line hands nothing over makes no difference.
    for nothing in ["", "$BITBUCKET_STEP_OIDC_TOKEN"] {
        let ended = refused("no_oidc", &sandbox, &deploying(&sandbox, nothing));
        assert!(ended.code == 1 && ended.log.contains("[no-step-token]"), "{}", ended.log);
    }
    let ended = refused("no_jwt", &sandbox, &deploying(&sandbox, "not-a-token-at-all"));
    assert_eq!(ended.code, 1, "{}", ended.log);
}

#[test]
fn a_good_identity_that_may_not_come_in_is_told_apart_from_a_bad_one() {
    let sandbox = Sandbox::new();
    let mut stranger = Principal::service(ID, "deployer");
    stranger.member = false;
    sandbox.add_principal(stranger);
    trust(&sandbox, sandbox.bitbucket().policy("repositoryUuid", Bitbucket::REPOSITORY));
    let ended = refused("not_a_member", &sandbox, &deploying(&sandbox, &production(&sandbox)));
    assert!(ended.code == 2 && ended.log.contains("[permission-denied]"), "{}", ended.log);
    let ip_list = "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 1234567890123456";
    let private = "https://sandbox.cloud.databricks.com/login.html?error=private-link-validation-error:123";
    for (name, on, canned, code) in [
        ("ip_list", TOKEN, Canned::error(403, "403", ip_list), "[permission-denied]"),
        ("ip_list_later", "/api/2.0/preview/scim", Canned::error(403, "403", ip_list), "[permission-denied]"),
        ("private_link", TOKEN, Canned::redirect(302, private), "[permission-denied]"),
        ("sign_in_page", TOKEN, Canned::html(200, "<html><title>Sign in</title></html>"), "[not-databricks]"),
        (
            "sign_in_page_later",
            "/api/2.0/preview/scim",
            Canned::html(200, "<html><title>Sign in</title></html>"),
            "[not-databricks]",
        ),
    ] {
        let sandbox = trusting();
        sandbox.fault(Fault::always(On::path(on), Trouble::Answer(Moment::Before, canned)));
        let ended = refused(name, &sandbox, &deploying(&sandbox, &production(&sandbox)));
        assert!(ended.code == 2 && ended.log.contains(code), "{}", ended.log);
    }
}

#[test]
fn a_token_for_the_account_and_one_of_another_issuer_are_told_what_is_true_of_them() {
    let sandbox = trusting();
    let token = production(&sandbox);
    let step = deploying(&sandbox, &token).without("DATABRICKS_CLIENT_ID").variable("DATABRICKS_OIDC_TOKEN", &token);
    let ended = refused("no_client_id", &sandbox, &step);
    assert!(ended.code == 2 && !ended.log.contains("of that id"), "{}", ended.log);
    let sandbox = trusting();
    let without = |claim: &str| Flaw::Claim(claim.to_owned(), Value::Null);
    let flaws = ["repositoryUuid", "deploymentEnvironmentUuid", "workspaceUuid", "branchName"].map(without);
    let foreign = sandbox.bitbucket().flawed_step(&StepClaims::production(), &flaws);
    let step = deploying(&sandbox, &foreign).variable("DATABRICKS_OIDC_TOKEN", &foreign);
    let ended = refused("other_issuer", &sandbox, &step);
    assert!(ended.code == 2 && !ended.log.contains("braces"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_token_in_an_answer_of_another_shape_is_not_shown() {
    const NEW: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJuZXcifQ.bm90LXNlZW4teWV0LWJ5LWFueWJvZHk";
    let quoted = format!("\"{NEW}\"");
    let [list, field] = [json!({ "access_token": [NEW] }), json!({ "token": NEW })].map(|body| body.to_string());
    for body in [NEW.to_owned(), quoted, list, field] {
        let sandbox = trusting();
        let answer = Canned { status: 200, headers: Vec::new(), body: body.clone().into() };
        sandbox.fault(Fault::always(On::post(TOKEN), Trouble::Answer(Moment::Before, answer)));
        let step = deploying(&sandbox, &production(&sandbox)).variable("DEBUG", "true");
        let ended = step.inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Identity, "{}", ended.log);
        assert!(ended.log.contains("not answered with an access token"), "{}", ended.log);
        assert!(!ended.log.contains("eyJzdWIiOiJuZXcifQ"), "{body}: {}", ended.log);
    }
}

/// The policy that a log proposes.
fn proposed(log: &str) -> Value {
    let lines: Vec<&str> = log.lines().skip_while(|line| line.trim() != "{").collect();
    let end = lines.iter().position(|line| *line == "      }").unwrap();
    serde_json::from_str(&lines[..=end].concat()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_policy_that_the_log_proposes_is_the_one_that_lets_in() {
    for claims in [StepClaims::production(), StepClaims::default()] {
        let sandbox = workspace();
        let bitbucket = sandbox.bitbucket();
        let refused = deploying(&sandbox, &bitbucket.step(&claims)).inside(&sandbox).await;
        assert_eq!(refused.exit, Exit::Identity, "{}", refused.log);
        sandbox.add_federation_policy_json(ID, &proposed(&refused.log)).unwrap();
        // Another run: another step.
        let step = "{5f5e8b6a-0000-4000-8000-0000000000ff}".to_owned();
        let next = deploying(&sandbox, &bitbucket.step(&StepClaims { step, ..claims.clone() })).inside(&sandbox).await;
        assert_eq!(next.exit, Exit::Done, "{}", next.log);
        // Nobody else comes in by it.
        let repository = "{5f5e8b6a-0000-4000-8000-0000000000aa}".to_owned();
        let deployment = claims.deployment.as_ref().map(|_| "{5f5e8b6a-0000-4000-8000-0000000000ab}".to_owned());
        let other = StepClaims { repository, deployment, ..claims };
        let other = deploying(&sandbox, &bitbucket.step(&other)).inside(&sandbox).await;
        assert_eq!(other.exit, Exit::Identity, "{}", other.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_made_a_moment_ago_needs_a_minute_and_the_log_says_so() {
    let sandbox = workspace();
    sandbox.set_policy_delay(Duration::from_secs(90));
    trust(&sandbox, sandbox.bitbucket().policy("repositoryUuid", Bitbucket::REPOSITORY));
    let token = production(&sandbox);
    let early = deploying(&sandbox, &token).inside(&sandbox).await;
    assert_eq!(early.exit, Exit::Identity, "{}", early.log);
    assert!(early.log.contains("was the policy made in the last two minutes? then run again"), "{}", early.log);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(deploying(&sandbox, &token).inside(&sandbox).await.exit, Exit::Done);
}

/// Watches a run of this length with a token that was made some time ago.
async fn watch(sandbox: &Sandbox, takes: Duration, claims: StepClaims, more: &[(&str, &str)]) -> (Inside, i64) {
    let job = long_job(sandbox, takes);
    let token = sandbox.bitbucket().step(&claims);
    let mut step = running(sandbox, job, &token).variable("TIMEOUT", "8h");
    for (name, value) in more {
        step = step.variable(name, value);
    }
    let ended = step.inside(sandbox).await;
    assert_silent(sandbox, &token, &ended.log);
    let refused = sandbox.requests().iter().filter(|request| matches!(request.status, Some(401 | 403))).count();
    assert_eq!(refused, 0, "the end is decided, not discovered: {}", ended.log);
    (ended, job)
}

/// A log without ids and heartbeats.
fn told(ended: &Inside, job: i64) -> String {
    let lines = ended.log.lines().filter(|line| !line.contains("still waiting"));
    lines.map(|line| format!("{}\n", line.replace(&job.to_string(), "<id>"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_outlives_the_identity_ends_before_it_does() {
    let ago = StepClaims { issued_ago: Duration::from_secs(300), ..StepClaims::production() };
    let sandbox = trusting();
    let (ended, job) = watch(&sandbox, 3 * HOUR, ago.clone(), &[]).await;
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert_golden("keyless/outlived_leave", &told(&ended, job));
    // The token ends after 55 minutes.
    assert!(ended.log.contains("(after 54m)"), "{}", ended.log);
    assert!(!sandbox.runs()[0].cancel_requested);
    let sandbox = trusting();
    let (ended, job) = watch(&sandbox, 3 * HOUR, ago, &[("ON_TIMEOUT", "cancel")]).await;
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert_golden("keyless/outlived_cancel", &told(&ended, job));
    assert!(sandbox.runs()[0].cancel_requested && sandbox.runs()[0].ended);
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_hangs_does_not_use_up_the_time_to_cancel() {
    // Whatever the last look's moment is.
    for seconds in [300, 310, 320, 330, 340, 350, 360] {
        let sandbox = trusting();
        let hangs = Trouble::Delay(Moment::Before, 2 * HOUR);
        sandbox.fault(Fault { skip: 5, ..Fault::always(On::get("/api/2.2/jobs/runs/get"), hangs) });
        let ago = StepClaims { issued_ago: Duration::from_secs(seconds), ..StepClaims::production() };
        let (ended, _) = watch(&sandbox, 3 * HOUR, ago, &[("ON_TIMEOUT", "cancel")]).await;
        assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
        assert!(sandbox.runs()[0].cancel_requested, "{seconds}: {}", ended.log);
        assert!(ended.log.contains("[identity-ended]"), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_can_be_renewed_after_timeout_to_cancel_the_run() {
    let sandbox = trusting();
    sandbox.set_access_token_lifetime(Duration::from_secs(6));
    let more = [("TIMEOUT", "20m"), ("ON_TIMEOUT", "cancel")];
    let (ended, _) = watch(&sandbox, 3 * HOUR, StepClaims::production(), &more).await;
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert!(sandbox.runs()[0].cancel_requested && sandbox.runs()[0].ended, "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_before_the_identitys_end_stays_the_end_of_the_wait() {
    let sandbox = trusting();
    let (ended, _) = watch(&sandbox, 3 * HOUR, StepClaims::production(), &[("TIMEOUT", "20m")]).await;
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert!(ended.log.contains("longer than `TIMEOUT`") && ended.log.contains("[wait-ended]"), "{}", ended.log);
    assert!(!ended.log.contains("[identity-ended]"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_the_identity_outlives_is_seen_to_its_end() {
    // A quarter of an hour before the token ends; and, where access tokens outlive it, well after that.
    for (rule, takes, renewals) in [
        (FederatedLifetime::EndsWithSubject, 45 * 60, 1),
        (FederatedLifetime::Full, 45 * 60, 1),
        (FederatedLifetime::Full, 110 * 60, 2),
    ] {
        let sandbox = trusting();
        sandbox.set_federated_lifetime(rule);
        let ago = StepClaims { issued_ago: Duration::from_secs(300), ..StepClaims::production() };
        let (ended, _) = watch(&sandbox, Duration::from_secs(takes), ago, &[]).await;
        assert_eq!((ended.exit, exchanges(&sandbox)), (Exit::Done, renewals), "{rule:?}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn short_access_tokens_are_renewed_two_minutes_before_their_end() {
    let sandbox = trusting();
    sandbox.set_access_token_lifetime(Duration::from_secs(600));
    let claims = StepClaims { lifetime: 2 * HOUR, ..StepClaims::production() };
    let (ended, _) = watch(&sandbox, Duration::from_secs(100 * 60), claims, &[]).await;
    // Each serves for eight of its ten minutes.
    assert_eq!((ended.exit, exchanges(&sandbox)), (Exit::Done, 13), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_could_watch_is_not_started() {
    let sandbox = trusting();
    let late = StepClaims { issued_ago: HOUR - Duration::from_secs(45), ..StepClaims::production() };
    let (ended, job) = watch(&sandbox, HOUR, late.clone(), &[]).await;
    assert_eq!((ended.exit, sandbox.runs().len()), (Exit::WaitEnded, 0), "{}", ended.log);
    assert_golden("keyless/too_late", &told(&ended, job));
    // Nobody needs to watch a run that is not waited for.
    let (ended, _) = watch(&sandbox, HOUR, late, &[("WAIT", "false")]).await;
    assert_eq!((ended.exit, sandbox.runs().len()), (Exit::Done, 1), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_outlives_the_identity_says_why_it_stops() {
    let sandbox = trusting();
    let slow = Trouble::Delay(Moment::Before, Duration::from_secs(50));
    sandbox.fault(Fault::always(On::post("/api/2.0/workspace/import"), slow));
    let token =
        sandbox.bitbucket().step(&StepClaims { lifetime: Duration::from_secs(180), ..StepClaims::production() });
    let mut step = deploying(&sandbox, &token);
    for number in 0..200 {
        step = step.notebook(&format!("notebooks/n{number:03}.py"));
    }
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Identity, "{}", ended.log);
    assert!(ended.log.contains("[identity-ended]"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_other_issuers_come_from_variables_and_files() {
    let sandbox = trusting();
    let token = production(&sandbox);
    let bare = || deploying(&sandbox, "").without("BITBUCKET_STEP_OIDC_TOKEN");
    for step in [
        bare().variable("DATABRICKS_OIDC_TOKEN", &token),
        bare().variable("DATABRICKS_OIDC_TOKEN_ENV", "MY_TOKEN").variable("MY_TOKEN", &token),
        // The way that the vendor's own page on Bitbucket has.
        deploying(&sandbox, &token)
            .variable("DATABRICKS_AUTH_TYPE", "env-oidc")
            .variable("DATABRICKS_OIDC_TOKEN_ENV", "BITBUCKET_STEP_OIDC_TOKEN"),
        bare().file("token.jwt", format!("{token}\n")).variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt"),
    ] {
        let ended = step.inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert!(ended.log.contains("(an identity token, because"), "{}", ended.log);
        assert_silent(&sandbox, &token, &ended.log);
        // Nor is it shown when the server shows it; there it is short enough to be quoted in full.
        let sandbox = trusting();
        let short = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJtZSJ9.c2lnbmF0dXItbmllLWdlemVpZ3Q";
        let echo = Canned::error(400, "INVALID_PARAMETER_VALUE", &format!("cannot take {short} for a token"));
        sandbox.fault(Fault::always(On::post(TOKEN), Trouble::Answer(Moment::Before, echo)));
        let names: Vec<String> = step
            .variables()
            .into_iter()
            .filter(|(_, value)| *value == token)
            .map(|(name, _)| name.to_string())
            .collect();
        let step = step.file("token.jwt", short);
        let ended = names.iter().fold(step, |step, name| step.variable(name, short)).inside(&sandbox).await;
        assert!(ended.exit == Exit::Identity && ended.log.contains("cannot take [secret] for"), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_at_each_renewal() {
    let sandbox = trusting();
    let job = long_job(&sandbox, 3 * HOUR);
    let bitbucket = sandbox.bitbucket();
    let step = running(&sandbox, job, "")
        .file("token.jwt", bitbucket.step(&StepClaims::production()))
        .variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt")
        .variable("TIMEOUT", "8h");
    let path = step.root().join("token.jwt");
    let writer = tokio::spawn(async move {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_secs(50 * 60)).await;
            std::fs::write(&path, bitbucket.step(&StepClaims::production())).unwrap();
        }
    });
    let ended = step.inside(&sandbox).await;
    writer.abort();
    assert_eq!((ended.exit, exchanges(&sandbox)), (Exit::Done, 4), "{}", ended.log);
    for (content, words) in [("", "does not hold an identity token"), (&"x".repeat(70_000), "far too large")] {
        let step =
            deploying(&sandbox, "").file("token.jwt", content).variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt");
        let ended = step.inside(&sandbox).await;
        assert!(ended.exit == Exit::Identity && ended.log.contains(words), "{}", ended.log);
    }
}
