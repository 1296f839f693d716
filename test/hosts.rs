//! Which host answers: one workspace, a whole account, several workspaces under one name; and where tokens are asked for.

use crate::support::{Inside, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{Bitbucket, Canned, Fault, HostKind, Moment, On, Principal, Sandbox, StepClaims, Trouble};
use serde_json::{Value, json};

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const OTHER: &str = "1111111111111111";

fn workspace(kind: HostKind) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.set_host_kind(kind);
    sandbox.add_principal(Principal::service(ID, "deployer"));
    let policy = sandbox.bitbucket().policy("repositoryUuid", Bitbucket::REPOSITORY);
    sandbox.add_federation_policy(ID, policy).unwrap();
    sandbox
}

fn keyless(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .notebook("notebooks/a.py")
        .without("DATABRICKS_TOKEN")
        .variable("DATABRICKS_CLIENT_ID", ID)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", sandbox.bitbucket().step(&StepClaims::default()))
}

fn by_secret(sandbox: &Sandbox) -> Step {
    keyless(sandbox)
        .without("BITBUCKET_STEP_OIDC_TOKEN")
        .variable("DATABRICKS_CLIENT_SECRET", sandbox.add_client_secret(ID))
}

fn token_paths(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests().into_iter().filter(|request| request.path.ends_with("/v1/token"));
    requests.map(|request| format!("{}{}", request.host.unwrap_or_default(), request.path)).collect()
}

fn document(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_host_of_several_workspaces_is_told_which_one() {
    for step in [keyless, by_secret] {
        for placeholder in [false, true] {
            let sandbox = workspace(HostKind::Unified);
            sandbox.send_account_id_as_placeholder(placeholder);
            let id = sandbox.workspace_id().to_string();
            let in_address = format!("https://acme.databricks.com/?o={id}");
            for step in [
                step(&sandbox).variable("DATABRICKS_HOST", in_address),
                step(&sandbox)
                    .variable("DATABRICKS_HOST", "https://acme.databricks.com")
                    .variable("DATABRICKS_WORKSPACE_ID", &id)
                    .variable("DATABRICKS_ACCOUNT_ID", sandbox.account_id()),
            ] {
                let ended = step.inside(&sandbox).await;
                assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
            }
            let path = format!("acme.databricks.com/oidc/accounts/{}/v1/token", sandbox.account_id());
            assert_eq!(token_paths(&sandbox), [path.clone(), path]);
            // Every call of the workspace names it, and no request for a token does.
            for request in sandbox.requests() {
                let named = request.header("x-databricks-workspace-id");
                assert_eq!(named, request.path.starts_with("/api/").then_some(id.as_str()), "{}", request.line());
            }
        }
    }
    // A personal access token needs the id too, and no documents.
    let sandbox = workspace(HostKind::Unified);
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py");
    let ended = step.variable("DATABRICKS_WORKSPACE_ID", sandbox.workspace_id()).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
}

/// What a step says that is not let in.
async fn refused(name: &str, sandbox: &Sandbox, step: Step) -> Inside {
    let ended = step.inside(sandbox).await;
    assert_eq!(ended.exit, Exit::Identity, "{}", ended.log);
    assert_golden(&format!("host/{name}"), &ended.log);
    ended
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_what_it_is_taken_for_is_told_of() {
    let sandbox = workspace(HostKind::Unified);
    refused("unified_without_id", &sandbox, keyless(&sandbox)).await;
    assert!(token_paths(&sandbox).is_empty(), "the token stays here");
    refused("unified_with_a_token_alone", &sandbox, Step::deploying(&sandbox).notebook("notebooks/a.py")).await;
    refused("unified_other_id", &sandbox, keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", OTHER)).await;
    let sandbox = workspace(HostKind::Account);
    refused("account", &sandbox, keyless(&sandbox)).await;
    refused("account_with_id", &sandbox, keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", OTHER)).await;
    let sandbox = workspace(HostKind::Workspace);
    refused("other_workspace", &sandbox, keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", OTHER)).await;
    assert!(token_paths(&sandbox).is_empty(), "the token stays here");
    // Only the service can tell it from a token alone.
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py").variable("DATABRICKS_WORKSPACE_ID", OTHER);
    refused("other_workspace_by_token", &sandbox, step).await;
}

#[tokio::test(start_paused = true)]
async fn the_documents_are_asked_but_nothing_depends_on_them() {
    let usual = ["sandbox.cloud.databricks.com/oidc/v1/token"];
    let sandbox = workspace(HostKind::Workspace);
    sandbox.remove_host_metadata();
    assert_eq!(keyless(&sandbox).inside(&sandbox).await.exit, Exit::Done);
    assert_eq!(token_paths(&sandbox), usual);
    let sandbox = workspace(HostKind::Workspace);
    sandbox.remove_host_metadata();
    sandbox.remove_authorization_server();
    assert_eq!(keyless(&sandbox).inside(&sandbox).await.exit, Exit::Done);
    assert_eq!(token_paths(&sandbox), usual);
    // A console's own path, from the account's id alone.
    let sandbox = workspace(HostKind::Unified);
    sandbox.remove_host_metadata();
    sandbox.remove_authorization_server();
    let ended = keyless(&sandbox)
        .variable("DATABRICKS_HOST", "https://accounts.cloud.databricks.com")
        .variable("DATABRICKS_WORKSPACE_ID", sandbox.workspace_id())
        .variable("DATABRICKS_ACCOUNT_ID", sandbox.account_id())
        .inside(&sandbox)
        .await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_token_follows_the_documents_to_known_domains_only() {
    // A vanity host may name the endpoint of the workspace's own address.
    let own = "https://dbc-1.cloud.databricks.com/oidc";
    let sandbox = workspace(HostKind::Workspace);
    sandbox.change_host_metadata(document(json!({ "oidc_endpoint": own })));
    let step = keyless(&sandbox).variable("DATABRICKS_HOST", "https://acme.databricks.com");
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(token_paths(&sandbox), ["dbc-1.cloud.databricks.com/oidc/v1/token"]);
    // A user in a document's address is nobody's credential.
    let sandbox = workspace(HostKind::Workspace);
    let with_user = "https://me:hunter2hunter2@dbc-1.cloud.databricks.com/oidc";
    sandbox.change_host_metadata(document(json!({ "oidc_endpoint": with_user })));
    assert_eq!(keyless(&sandbox).inside(&sandbox).await.exit, Exit::Done);
    let documents = sandbox.requests().into_iter().filter(|request| !request.path.starts_with("/api/"));
    assert!(documents.map(|request| request.authorization).all(|scheme| scheme.is_none()));
    for away in [
        "https://elsewhere.example.com/oidc",
        "http://dbc-1.cloud.databricks.com/oidc",
        // This machine is exempt for those who have named it, not for a document.
        "http://127.0.0.1:8080/oidc",
        "https://localhost/oidc",
    ] {
        let sandbox = workspace(HostKind::Workspace);
        sandbox.change_host_metadata(document(json!({ "oidc_endpoint": away })));
        let ended = keyless(&sandbox).inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert_eq!(token_paths(&sandbox), ["sandbox.cloud.databricks.com/oidc/v1/token"], "{away}");
    }
    let sandbox = workspace(HostKind::Workspace);
    sandbox.change_host_metadata(document(json!({ "oidc_endpoint": "https://elsewhere.example.com/oidc" })));
    let ended = keyless(&sandbox).variable("ALLOWED_HOSTS", "elsewhere.example.com").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(token_paths(&sandbox), ["elsewhere.example.com/oidc/v1/token"]);
}

#[tokio::test(start_paused = true)]
async fn one_passing_trouble_at_any_request_of_the_log_in_changes_nothing() {
    let plain = workspace(HostKind::Unified);
    let step = |sandbox: &Sandbox| keyless(sandbox).variable("DATABRICKS_WORKSPACE_ID", sandbox.workspace_id());
    assert_eq!(step(&plain).inside(&plain).await.exit, Exit::Done);
    let me = plain.requests().iter().position(|request| request.path.ends_with("/Me")).unwrap() as u64 + 1;
    for trouble in [
        Trouble::Answer(Moment::Before, Canned::error(503, "TEMPORARILY_UNAVAILABLE", "later")),
        Trouble::Answer(Moment::Before, Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "slowly").retry_after(2)),
        Trouble::Answer(Moment::After, Canned::error(500, "", "oops")),
        Trouble::Drop(Moment::Before),
        Trouble::Drop(Moment::After),
    ] {
        for request in 1..=me {
            let sandbox = workspace(HostKind::Unified);
            sandbox.fault(Fault::nth(On::any(), request, trouble.clone()));
            let ended = step(&sandbox).inside(&sandbox).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?} at {request}: {}", ended.log);
        }
    }
}
