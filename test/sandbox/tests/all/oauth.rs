//! Logging in with OAuth.

use crate::client::{Answer, Client};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::{Canned, Fault, Moment, On, Principal, TokenState, Trouble, Way};
use http::Request;
use std::time::Duration;

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const TOKEN: &str = "/oidc/v1/token";
const ME: &str = "/api/2.0/preview/scim/v2/Me";

/// A workspace with a service principal, and a secret of it.
fn workspace() -> (Client, String) {
    let client = Client::new();
    client.sandbox.add_principal(Principal::service(ID, "deployer"));
    let secret = client.sandbox.add_client_secret(ID);
    (client, secret)
}

async fn post(client: &Client, authorization: Option<String>, form: &'static str) -> Answer {
    let mut request = Request::post(TOKEN).header("content-type", "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    client.raw(request.body(Body::from(form)).unwrap()).await.unwrap()
}

fn basic(id: &str, secret: &str) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

async fn log_in(client: &Client, id: &str, secret: &str) -> Answer {
    post(client, basic(id, secret), "grant_type=client_credentials&scope=all-apis").await
}

/// An access token that was issued just now.
async fn token(client: &Client, secret: &str) -> String {
    let answer = log_in(client, ID, secret).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

async fn me(client: &Client, token: &str) -> Answer {
    client.with_token(token.to_owned()).get(ME).await
}

#[tokio::test(start_paused = true)]
async fn a_secret_buys_an_access_token_for_its_own_principal() {
    let (client, secret) = workspace();
    let answer = log_in(&client, ID, &secret).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 3600);
    assert_eq!(answer.body["scope"], "all-apis");
    let token = answer.body["access_token"].as_str().unwrap();
    assert!(token.starts_with("eyJ") && token.split('.').count() == 3, "{token}");
    let answer = me(&client, token).await;
    assert_eq!((answer.status, answer.body["userName"].as_str()), (200, Some(ID)));
    assert_eq!(client.sandbox.access_tokens(), [token]);
}

#[tokio::test(start_paused = true)]
async fn only_the_right_secret_in_the_basic_scheme_is_taken() {
    let (client, secret) = workspace();
    client.sandbox.add_principal(Principal::service("other", "other"));
    let others = client.sandbox.add_client_secret("other");
    let expired = client.sandbox.add_client_secret(ID);
    client.sandbox.set_client_secret_state(&expired, TokenState::Expired);
    let unknown = client.sandbox.add_client_secret("nobody");
    let all = "grant_type=client_credentials&scope=all-apis";
    for (authorization, form) in [
        (basic(ID, "wrong"), all),
        (basic(ID, &others), all),
        (basic(ID, &expired), all),
        (basic("nobody", &unknown), all),
        (basic(ID, &client.token), all),
        (Some(format!("Bearer {secret}")), all),
        (Some("Basic !".to_owned()), all),
        (None, all),
    ] {
        let answer = post(&client, authorization, form).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (401, Some("invalid_client")), "{answer:?}");
        assert_eq!(answer.body["error_description"], "Client authentication failed");
        assert!(answer.body["error_id"].is_string());
    }
    let second = client.sandbox.add_client_secret(ID);
    for good in [&secret, &second] {
        assert_eq!(log_in(&client, ID, good).await.status, 200);
    }
    assert!(client.sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn other_grants_and_scopes_are_refused() {
    let (client, secret) = workspace();
    for (form, error) in [
        ("grant_type=client_credentials&scope=sql", "invalid_scope"),
        ("grant_type=client_credentials", "invalid_scope"),
        ("grant_type=password&scope=all-apis", "unsupported_grant_type"),
        ("scope=all-apis", "invalid_request"),
    ] {
        let answer = post(&client, basic(ID, &secret), form).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (400, Some(error)), "{form}");
    }
    let json = client.post(TOKEN, serde_json::json!({ "grant_type": "client_credentials" })).await;
    assert_eq!((json.status, json.body["error"].as_str()), (400, Some("invalid_request")));
    assert!(client.sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_access_token_ends_with_its_lifetime_or_by_revocation() {
    let (client, secret) = workspace();
    client.sandbox.set_access_token_lifetime(Duration::from_secs(90));
    client.sandbox.send_expires_in_as_text(true);
    let answer = log_in(&client, ID, &secret).await;
    assert_eq!(answer.body["expires_in"], "90");
    let first = answer.body["access_token"].as_str().unwrap().to_owned();
    tokio::time::advance(Duration::from_secs(89)).await;
    assert_eq!(me(&client, &first).await.status, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = me(&client, &first).await;
    assert_eq!((refused.status, refused.body["error_code"].as_i64()), (403, Some(403)));

    let second = token(&client, &secret).await;
    client.sandbox.revoke_access_tokens();
    assert_eq!(me(&client, &second).await.status, 403);
    let third = token(&client, &secret).await;
    assert_eq!(me(&client, &third).await.status, 200);
    assert!(first != second && second != third);
}

#[tokio::test(start_paused = true)]
async fn the_record_tells_who_asked_and_no_secret() {
    let (client, secret) = workspace();
    log_in(&client, ID, &secret).await;
    post(&client, None, "grant_type=x&client_id=me&client_secret=hunter2hunter2&subject_token=eyJhbGciOi").await;
    let requests = client.sandbox.requests();
    assert_eq!((requests[0].principal(), requests[0].field("grant_type")), (Some(ID), Some("client_credentials")));
    assert_eq!(requests[0].authorization.as_ref().unwrap().scheme, "Basic");
    assert_eq!((requests[1].principal(), requests[1].field("client_id")), (None, Some("me")));
    assert_eq!((requests[0].way, requests[1].way), (Some(Way::ClientSecret), None));
    // A test can look for a secret where it must not be, but a failing one does not print it.
    assert_eq!(requests[1].field("client_secret"), Some("hunter2hunter2"));
    assert!(requests[1].carries("hunter2hunter2") && !requests[0].carries("hunter2hunter2"));
    let record = format!("{requests:?} {:?}", client.sandbox);
    let pair = STANDARD.encode(format!("{ID}:{secret}"));
    for hidden in [secret.as_str(), pair.as_str(), "hunter2", "eyJ"] {
        assert!(!record.contains(hidden), "{record}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_documents_lead_to_the_token_endpoint() {
    let client = Client::new();
    let get = async |scheme: &str, path: &str| {
        let request = Request::get(format!("{scheme}://sandbox.test{path}")).header("host", "sandbox.test");
        client.raw(request.body(Body::empty()).unwrap()).await.unwrap().body
    };
    let config = get("https", "/.well-known/databricks-config").await;
    assert_eq!(config["oidc_endpoint"], "https://sandbox.test/oidc");
    assert_eq!(config["workspace_id"], client.sandbox.workspace_id().to_string());
    let server = get("http", "/oidc/.well-known/oauth-authorization-server").await;
    assert_eq!(server["token_endpoint"], "http://sandbox.test/oidc/v1/token");
}

#[tokio::test(start_paused = true)]
async fn troubles_strike_the_token_endpoint_like_any_other() {
    let (client, secret) = workspace();
    let page = Canned::html(200, "<html>Sign in</html>");
    client.sandbox.fault(Fault::once(On::post(TOKEN), Trouble::Answer(Moment::Before, page)));
    assert_eq!(&log_in(&client, ID, &secret).await.bytes[..], b"<html>Sign in</html>");
    assert_eq!(log_in(&client, ID, &secret).await.status, 200);
    assert_eq!(client.sandbox.access_tokens().len(), 1);
}
