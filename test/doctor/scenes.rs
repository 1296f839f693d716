//! The whole log, by the real binary.

use super::*;
use crate::support::{Ended, assert_golden};
use databricks_sandbox::{Canned, Fault, FolderRight, Moment, On, Running, TokenState, Trouble};

/// A workspace whose clock is right: the binary compares it with this machine's.
fn workspace() -> Sandbox {
    workspace_with(|principal| principal)
}

fn workspace_with(change: impl Fn(Principal) -> Principal) -> Sandbox {
    #[allow(clippy::disallowed_methods)]
    let sandbox = Sandbox::starting_at(std::time::SystemTime::now());
    furnished(sandbox, change)
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
    examined(
        "other_workspace_id",
        &sandbox,
        &keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", "1111111111111111"),
    );
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
