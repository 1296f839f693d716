//! The doctor: each thing that can be wrong is found, in the words of the run that would stop for it; nothing is changed,
//! nothing secret told, and what nobody can tell is called unknown.

use crate::support::{Ended, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Bitbucket, Canned, Fault, Flaw, FolderRight, JobRight, Language, Moment, On, Principal, Running, Sandbox,
    StepClaims, TokenState, Trouble,
};
use serde_json::{Value, json};
use std::time::Duration;

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const ROOT: &str = "/Workspace/Shared/etl";

/// A secret of the step that is the name of its folder, too: so it must be taken out of every scene.
const CANARY: &str = "kanari-4410-notebooks";

/// A workspace whose clock is right, with a service principal that may do all that it needs.
fn workspace() -> Sandbox {
    workspace_with(|principal| principal)
}

fn workspace_with(change: impl Fn(Principal) -> Principal) -> Sandbox {
    #[allow(clippy::disallowed_methods)] // the binary compares it with this machine's clock
    let sandbox = Sandbox::starting_at(std::time::SystemTime::now());
    let mut principal = Principal::service(ID, "deployer");
    principal.other_jobs = JobRight::Manage;
    sandbox.add_principal(change(principal));
    sandbox.put_folder(ROOT);
    sandbox.create_job(json!({
        "name": "nightly-etl",
        "tasks": [{ "task_key": "main", "notebook_task": { "notebook_path": format!("{ROOT}/a") },
            "existing_cluster_id": "0123-456789-abcdefgh" }],
        "run_as": { "service_principal_name": ID },
    }));
    sandbox.add_cluster("0123-456789-abcdefgh", "nightly");
    sandbox
}

fn trust(sandbox: &Sandbox) {
    let policy = sandbox.bitbucket().policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
    sandbox.add_federation_policy(ID, policy).unwrap();
}

/// A step that would deploy to production, and run a job.
fn step(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .without("DATABRICKS_TOKEN")
        .notebook(&format!("{CANARY}/a.py"))
        .variable("LOCAL_PATH", CANARY)
        .variable("PIPELINES_JWT_TOKEN", CANARY)
        .variable("ACTION", "doctor")
        .variable("RUN", "nightly-etl")
        .variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production")
        .variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID", Bitbucket::PRODUCTION)
        .variable("BITBUCKET_REPO_OWNER_UUID", Bitbucket::WORKSPACE)
}

fn keyless(sandbox: &Sandbox) -> Step {
    step(sandbox)
        .variable("DATABRICKS_CLIENT_ID", ID)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", sandbox.bitbucket().step(&StepClaims::production()))
}

fn by_token(sandbox: &Sandbox) -> Step {
    step(sandbox).variable("DATABRICKS_TOKEN", sandbox.token())
}

fn findings(step: &Step) -> Value {
    let text = std::fs::read_to_string(step.root().join("databricks-deploy/doctor.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The verdicts and messages of one group.
fn found(step: &Step, group: &str) -> Vec<(String, String)> {
    let all = findings(step);
    let of_group = all["findings"].as_array().unwrap().iter().filter(|finding| finding["group"] == group);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_group.map(|finding| (text(&finding["verdict"]), text(&finding["message"]))).collect()
}

/// Whether a group has a finding with this verdict and part of a message.
#[track_caller]
fn assert_found(step: &Step, group: &str, verdict: &str, part: &str) {
    let found = found(step, group);
    assert!(found.iter().any(|(as_, message)| as_ == verdict && message.contains(part)), "{verdict} {part}: {found:#?}");
}

/// Nothing that lets somebody in has left the process, and nothing was sent but questions and requests for tokens.
#[track_caller]
fn assert_harmless(sandbox: &Sandbox, step: &Step, log: &str) {
    let mut texts = vec![log.to_owned()];
    let outputs = std::fs::read_dir(step.root().join("databricks-deploy")).into_iter().flatten().flatten();
    texts.extend(outputs.map(|file| std::fs::read_to_string(file.path()).unwrap()));
    let variables = step.variables();
    let secret = ["DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN"];
    let given = secret.into_iter().filter_map(|name| variables.get(name).cloned()).filter(|value| value.len() > 8);
    let signatures = variables.get("BITBUCKET_STEP_OIDC_TOKEN").and_then(|token| token.rsplit('.').next());
    let signatures = signatures.filter(|signature| signature.len() > 8).map(str::to_owned);
    for hidden in given.chain(signatures).chain(sandbox.access_tokens()) {
        assert!(texts.iter().all(|text| !text.contains(&hidden)), "{hidden}: {texts:#?}");
    }
    for request in sandbox.requests() {
        let token = request.path.ends_with("/token");
        assert!(request.method == "GET" || (request.method == "POST" && token), "{}", request.line());
    }
    assert_eq!(sandbox.unknown_routes(), Vec::<String>::new());
    assert!(sandbox.runs().is_empty());
}

/// Examines by the real binary.
fn examined(name: &str, sandbox: &Sandbox, step: &Step) -> Ended {
    let served = Running::start(sandbox.clone()).unwrap();
    let ended = step.against(&served);
    assert_harmless(sandbox, step, &ended.log);
    assert!(ended.log.contains("`[secret]`"), "the folder's name is a secret here: {}", ended.log);
    let log = ended.log.lines().map(ids).collect::<Vec<_>>().join("\n") + "\n";
    assert_golden(&format!("doctor/{name}"), &log);
    assert_eq!(findings(step)["exit_code"], ended.code);
    let marks = ended.log.lines().filter(|line| line.starts_with('✖')).count();
    assert_eq!(ended.code, if marks == 0 { 0 } else { 2 }, "{}", ended.log);
    ended
}

/// The numbers that the sandbox gives are of no interest.
fn ids(line: &str) -> String {
    let number = regex::Regex::new("[0-9]{16}").unwrap();
    number.replace_all(line, "<id>").into_owned()
}

#[test]
fn all_well() {
    let sandbox = workspace();
    trust(&sandbox);
    let ended = examined("all_well", &sandbox, &keyless(&sandbox));
    assert_eq!(ended.code, 0, "{}", ended.log);
}

#[test]
fn oidc_is_missing() {
    let sandbox = workspace();
    let step = step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID);
    examined("no_oidc", &sandbox, &step);
    // What can be examined without a log-in is.
    assert_found(&step, "host", "good", "it is the workspace");
    assert_found(&step, "identity", "unknown", "not examined");
}

#[test]
fn there_is_no_policy() {
    let sandbox = workspace();
    examined("no_policy", &sandbox, &keyless(&sandbox));
}

#[test]
fn the_policy_is_on_sub() {
    let sandbox = workspace();
    let sub = format!("{}:{}:{{5f5e8b6a-0000-4000-8000-00000000dead}}", Bitbucket::REPOSITORY, Bitbucket::PRODUCTION);
    sandbox.add_federation_policy(ID, sandbox.bitbucket().policy("sub", &sub)).unwrap();
    examined("policy_on_sub", &sandbox, &keyless(&sandbox));
}

#[test]
fn the_policy_is_right_and_there_are_no_rights() {
    let sandbox = workspace_with(|mut principal| {
        principal.other_jobs = JobRight::View;
        principal.in_folder(ROOT, FolderRight::Read)
    });
    trust(&sandbox);
    examined("no_rights", &sandbox, &keyless(&sandbox));
}

#[test]
fn it_is_the_wrong_workspace() {
    let sandbox = workspace_with(|mut principal| {
        principal.member = false;
        principal
    });
    trust(&sandbox);
    examined("wrong_workspace", &sandbox, &keyless(&sandbox));
    let sandbox = workspace();
    trust(&sandbox);
    examined("other_workspace_id", &sandbox, &keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", "1111111111111111"));
}

#[test]
fn the_secret_has_expired() {
    let sandbox = workspace();
    let secret = sandbox.add_client_secret(ID);
    sandbox.set_client_secret_state(&secret, TokenState::Expired);
    let step = step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID).variable("DATABRICKS_CLIENT_SECRET", &secret);
    examined("expired_secret", &sandbox, &step);
}

#[test]
fn a_sign_in_page_answers() {
    let sandbox = workspace();
    let page = Canned::html(200, "<html><title>Sign in</title></html>");
    sandbox.fault(Fault::always(On::any(), Trouble::Answer(Moment::Before, page)));
    examined("sign_in_page", &sandbox, &keyless(&sandbox));
}

#[test]
fn the_target_is_somebody_elses() {
    let sandbox = workspace();
    trust(&sandbox);
    let state = json!({
        "schema": 1, "serial": 3, "files": {},
        "owner": { "repository": "acme/other", "repository_uuid": "cd", "local_path": ".", "target": "production" },
        "deployed_by": { "link": "https://bitbucket.org/acme/other/pipelines/results/7" },
    });
    sandbox.put_file(&format!("{ROOT}/.databricks-deploy/state.json"), state.to_string());
    examined("foreign_owner", &sandbox, &keyless(&sandbox));
}
