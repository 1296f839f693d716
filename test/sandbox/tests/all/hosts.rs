//! Hosts of a workspace, of an account, and of both.

use crate::client::{Answer, Client};
use crate::federation::{ID, post_form};
use axum::body::Body;
use databricks_sandbox::{Bitbucket, HostKind, Principal, StepClaims};
use http::Request;
use serde_json::{Value, json};

const CONFIG: &str = "/.well-known/databricks-config";
const SERVER: &str = ".well-known/oauth-authorization-server";
const ME: &str = "/api/2.0/preview/scim/v2/Me";

fn host(kind: HostKind) -> Client {
    let client = Client::new();
    client.sandbox.set_host_kind(kind);
    client
}

async fn open(client: &Client, path: &str) -> Answer {
    let request = Request::get(path).header("host", "sandbox.test").body(Body::empty()).unwrap();
    client.raw(request).await.unwrap()
}

async fn exchange(client: &Client, path: &str) -> Answer {
    client.sandbox.add_principal(Principal::service(ID, "deployer"));
    let bitbucket = client.sandbox.bitbucket();
    let policy = bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY);
    client.sandbox.add_federation_policy(ID, policy).unwrap();
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", &bitbucket.step(&StepClaims::default())),
        ("client_id", ID),
        ("scope", "all-apis"),
    ];
    post_form(client, path, &fields).await
}

async fn me(client: &Client, header: Option<(&str, String)>) -> Answer {
    let mut request = Request::get(ME).header("authorization", format!("Bearer {}", client.token));
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    client.raw(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn signs_in(answer: &Answer) -> bool {
    answer.status == 200
        && answer.header("content-type").starts_with("text/html")
        && answer.bytes.starts_with(b"<!DOCTYPE html>")
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_host_leads_to_its_own_endpoint() {
    let account = Client::new().sandbox.account_id();
    let by_account = format!("/oidc/accounts/{account}");
    for (kind, name, base, audience) in [
        (HostKind::Workspace, "workspace", "/oidc", "https://sandbox.test/oidc/v1/token"),
        (HostKind::Account, "account", by_account.as_str(), account.as_str()),
        (HostKind::Unified, "unified", by_account.as_str(), account.as_str()),
    ] {
        let client = host(kind);
        let config = open(&client, CONFIG).await.body;
        assert_eq!((&config["host_type"], &config["cloud"]), (&json!(name), &json!("AWS")));
        assert_eq!(config["oidc_endpoint"], format!("https://sandbox.test{base}"));
        assert_eq!(config["token_federation_default_oidc_audiences"], json!([audience]));
        let workspace = client.sandbox.workspace_id().to_string();
        let told = (kind == HostKind::Workspace).then_some(workspace.as_str());
        assert_eq!((config["account_id"].as_str(), config["workspace_id"].as_str()), (Some(account.as_str()), told));
        let server = open(&client, &format!("{base}/{SERVER}")).await.body;
        assert_eq!(server["token_endpoint"], format!("https://sandbox.test{base}/v1/token"));
        assert_eq!(exchange(&client, &format!("{base}/v1/token")).await.status, 200);
        assert!(client.sandbox.unknown_routes().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_paths_of_other_kinds_and_accounts_are_not_there() {
    let account = Client::new().sandbox.account_id();
    let (ours, other) = (format!("/oidc/accounts/{account}"), "/oidc/accounts/5f5e8b6a-0000-4000-8000-0000000000ff");
    for (kind, base) in [
        (HostKind::Workspace, ours.as_str()),
        (HostKind::Workspace, other),
        (HostKind::Account, "/oidc"),
        (HostKind::Account, other),
        (HostKind::Unified, "/oidc"),
        (HostKind::Unified, other),
        (HostKind::Unified, "/oidc/accounts/{account_id}"),
    ] {
        let client = host(kind);
        let document = open(&client, &format!("{base}/{SERVER}").replace('{', "%7B").replace('}', "%7D")).await;
        assert_eq!((document.status, document.error().1), (404, "ENDPOINT_NOT_FOUND"), "{kind:?} {base}");
        let path = format!("{base}/v1/token").replace('{', "%7B").replace('}', "%7D");
        assert_eq!(exchange(&client, &path).await.status, 404, "{kind:?} {base}");
        assert!(client.sandbox.access_tokens().is_empty() && client.sandbox.unknown_routes().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn documents_can_be_changed_and_taken_away() {
    let client = host(HostKind::Unified);
    client.sandbox.send_account_id_as_placeholder(true);
    client.sandbox.set_host_cloud("GCP");
    let changes = json!({ "account_id": null, "workspace_id": "77" });
    client.sandbox.change_host_metadata(changes.as_object().unwrap().clone());
    let config = open(&client, CONFIG).await.body;
    assert_eq!(config["oidc_endpoint"], "https://sandbox.test/oidc/accounts/{account_id}");
    assert_eq!((config.get("account_id"), &config["workspace_id"]), (None::<&Value>, &json!("77")));
    assert_eq!(config["cloud"], "GCP");

    let client = host(HostKind::Workspace);
    client.sandbox.remove_host_metadata();
    client.sandbox.remove_authorization_server();
    for path in [CONFIG.to_owned(), format!("/oidc/{SERVER}")] {
        assert_eq!(open(&client, &path).await.status, 404);
    }
    assert_eq!(exchange(&client, "/oidc/v1/token").await.status, 200);
    assert!(client.sandbox.unknown_routes().is_empty());
    // A known path under another method is as unknown as any other.
    open(&client, "/oidc/v1/token").await;
    assert_eq!(client.sandbox.unknown_routes(), ["GET /oidc/v1/token"]);
}

#[tokio::test(start_paused = true)]
async fn a_unified_host_must_be_told_the_workspace() {
    let client = host(HostKind::Unified);
    let this = client.sandbox.workspace_id().to_string();
    for name in ["x-databricks-workspace-id", "x-databricks-org-id"] {
        let answer = me(&client, Some((name, this.clone()))).await;
        assert_eq!((answer.status, answer.body["userName"].as_str()), (200, Some("ci@example.com")));
        assert!(signs_in(&me(&client, Some((name, "77".to_owned()))).await));
    }
    assert!(signs_in(&me(&client, None).await));
    let bad = client.with_token("dapi0".to_owned());
    assert!(signs_in(&me(&bad, None).await));
    assert_eq!(me(&bad, Some(("x-databricks-workspace-id", this))).await.status, 403);
    assert_eq!(client.sandbox.requests()[0].principal(), Some("ci@example.com"));
}

#[tokio::test(start_paused = true)]
async fn an_account_has_no_calls_of_a_workspace() {
    let client = host(HostKind::Account);
    let this = client.sandbox.workspace_id().to_string();
    let answer = me(&client, Some(("x-databricks-workspace-id", this))).await;
    assert_eq!(answer.error(), (404, "ENDPOINT_NOT_FOUND", format!("No API found for 'GET {ME}'").as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_workspace_takes_its_own_id_and_no_other() {
    let client = host(HostKind::Workspace);
    for name in ["x-databricks-workspace-id", "x-databricks-org-id"] {
        assert_eq!(me(&client, Some((name, client.sandbox.workspace_id().to_string()))).await.status, 200);
        let refused = me(&client, Some((name, "77".to_owned()))).await;
        assert_eq!(refused.error(), (400, "INVALID_PARAMETER_VALUE", "Workspace 77 is not served by this host"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_without_a_clock_tells_no_date() {
    let client = Client::new();
    for told in [true, false, true] {
        client.sandbox.tell_date(told);
        assert_eq!(open(&client, CONFIG).await.headers.contains_key("date"), told);
    }
}
