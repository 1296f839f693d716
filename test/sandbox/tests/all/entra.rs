//! Logging in with the secret of an application in Entra ID.

use crate::client::{Answer, Client};
use crate::federation::ID;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::{Bitbucket, EntraCloud, Principal, StepClaims, TokenState, Way};
use http::Request;
use serde_json::json;
use std::time::Duration;

const TENANT: &str = "72f988bf-0000-4000-8000-000000000001";
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const AZURE: &str = "https://management.core.windows.net/";
const RESOURCE_ID: &str = "/subscriptions/5f5e8b6a/resourceGroups/data/providers/Microsoft.Databricks/workspaces/prod";
const ME: &str = "/api/2.0/preview/scim/v2/Me";
const TOKEN_HEADER: &str = "x-databricks-azure-sp-management-token";
const ID_HEADER: &str = "x-databricks-azure-workspace-resource-id";

/// An Azure workspace with a service principal, and a secret of its application.
fn workspace(member: bool) -> (Client, String) {
    let client = Client::new();
    client.sandbox.set_azure_resource_id(RESOURCE_ID);
    client.sandbox.add_principal(Principal { member, ..Principal::service(ID, "deployer") });
    let secret = client.sandbox.add_entra_application(TENANT, ID, EntraCloud::Public);
    (client, secret)
}

async fn ask(client: &Client, host: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path)
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    client.raw(request.unwrap()).await.unwrap()
}

fn form<'a>(id: &'a str, secret: &'a str, resource: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("resource", resource)]
}

async fn log_in(client: &Client, secret: &str, resource: &str) -> Answer {
    let path = format!("/{TENANT}/oauth2/token");
    ask(client, EntraCloud::Public.host(), &path, &form(ID, secret, resource)).await
}

async fn token(client: &Client, secret: &str, resource: &str) -> String {
    let answer = log_in(client, secret, resource).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

async fn me(client: &Client, token: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(ME).header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.raw(request.body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_an_application_buys_a_token_for_the_workspace() {
    let (client, secret) = workspace(true);
    assert_eq!((secret.len(), &secret[3..6]), (40, "8Q~"));
    let answer = log_in(&client, &secret, DATABRICKS).await;
    let mut body = answer.body.clone();
    let token = body.as_object_mut().unwrap().remove("access_token").unwrap();
    assert_eq!(
        body,
        json!({
            "token_type": "Bearer", "expires_in": "3600", "ext_expires_in": "3600", "expires_on": "1772445600",
            "not_before": "1772441700", "resource": DATABRICKS,
        })
    );
    let answer = me(&client, token.as_str().unwrap(), &[]).await;
    assert_eq!((answer.status, answer.body["userName"].as_str()), (200, Some(ID)));

    let requests = client.sandbox.requests();
    assert_eq!(requests[0].host.as_deref(), Some("login.microsoftonline.com"));
    assert_eq!((requests[0].issued_to.as_deref(), requests[0].way), (Some(ID), Some(Way::EntraSecret)));
    assert_eq!((requests[1].principal(), requests[1].way), (Some(ID), Some(Way::EntraSecret)));
    assert!(requests[0].carries(&secret) && !requests[1].carries(&secret));
    assert!(!format!("{requests:?}").contains(&secret));
    assert!(client.sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_newer_endpoint_takes_a_scope_and_sends_numbers() {
    let (client, secret) = workspace(true);
    let path = format!("/{TENANT}/oauth2/v2.0/token");
    let host = "login.microsoftonline.com:443";
    let scope = format!("{DATABRICKS}/.default");
    let mut fields = form(ID, &secret, "");
    fields[3] = ("scope", &scope);
    let answer = ask(&client, host, &path, &fields).await;
    assert_eq!((answer.status, &answer.body["expires_in"]), (200, &json!(3600)));
    assert_eq!(me(&client, answer.body["access_token"].as_str().unwrap(), &[]).await.status, 200);
    for (name, value) in [("scope", DATABRICKS), ("resource", DATABRICKS), ("scope", "openid")] {
        fields[3] = (name, value);
        assert_eq!(ask(&client, host, &path, &fields).await.status, 400, "{name}={value}");
    }
    ask(&client, host, "/common/oauth2/authorize", &[]).await;
    assert_eq!(client.sandbox.unknown_routes(), ["POST /common/oauth2/authorize"]);
}

#[tokio::test(start_paused = true)]
async fn refusals_have_the_codes_of_entra_id() {
    let (client, secret) = workspace(true);
    let sandbox = &client.sandbox;
    let expired = sandbox.add_entra_application(TENANT, ID, EntraCloud::Public);
    sandbox.set_entra_secret_state(&expired, TokenState::Expired);
    let revoked = sandbox.add_entra_application(TENANT, ID, EntraCloud::Public);
    sandbox.set_entra_secret_state(&revoked, TokenState::Revoked);
    let others = sandbox.add_entra_application("other.example.com", "other", EntraCloud::Public);
    let other = "5f5e8b6a-0000-4000-8000-0000000000ff";
    let databricks = sandbox.add_client_secret(ID);
    let public = EntraCloud::Public.host();
    for (host, tenant, fields, status, error, code) in [
        (public, TENANT, form(ID, "wrong", DATABRICKS), 401, "invalid_client", 7_000_215),
        (public, TENANT, form(ID, &others, DATABRICKS), 401, "invalid_client", 7_000_215),
        (public, TENANT, form(ID, &revoked, DATABRICKS), 401, "invalid_client", 7_000_215),
        // An OAuth secret of Databricks is none of Entra ID's.
        (public, TENANT, form(ID, &databricks, DATABRICKS), 401, "invalid_client", 7_000_215),
        (public, TENANT, form(ID, &expired, DATABRICKS), 401, "invalid_client", 7_000_222),
        (public, TENANT, form(other, &secret, DATABRICKS), 400, "unauthorized_client", 700_016),
        (public, "other.example.com", form(ID, &secret, DATABRICKS), 400, "unauthorized_client", 700_016),
        (public, "nowhere", form(ID, &secret, DATABRICKS), 400, "invalid_request", 90_002),
        (EntraCloud::UsGov.host(), TENANT, form(ID, &secret, DATABRICKS), 400, "invalid_request", 90_002),
        (EntraCloud::China.host(), TENANT, form(ID, &secret, DATABRICKS), 400, "invalid_request", 90_002),
        (public, TENANT, form(ID, &secret, "https://graph.microsoft.com"), 400, "invalid_resource", 500_011),
        (public, TENANT, form(ID, &secret, ""), 400, "invalid_request", 900_144),
        (public, TENANT, form("", &secret, DATABRICKS), 400, "invalid_request", 900_144),
        (public, TENANT, form(ID, "", DATABRICKS), 400, "invalid_request", 900_144),
    ] {
        let answer = ask(&client, host, &format!("/{tenant}/oauth2/token"), &fields).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{fields:?}");
        assert_eq!(answer.body["error_codes"], json!([code]));
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(text.starts_with(&format!("AADSTS{code}: ")), "{text}");
        assert!(text.ends_with(" Timestamp: 2026-03-02 09:00:00Z"), "{text}");
        assert!(answer.body["trace_id"].is_string() && answer.body["correlation_id"].is_string());
    }
    assert!(sandbox.access_tokens().is_empty());
    token(&client, &secret, DATABRICKS).await;
}

#[tokio::test(start_paused = true)]
async fn a_step_token_is_no_credential_for_entra_id() {
    let (client, _) = workspace(true);
    let step = client.sandbox.bitbucket().step(&StepClaims::default());
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", ID),
        ("resource", DATABRICKS),
        ("client_assertion", &step),
    ];
    let answer = ask(&client, EntraCloud::Public.host(), &format!("/{TENANT}/oauth2/token"), &fields).await;
    assert_eq!(answer.body["error_codes"], json!([700_213]));
    let subject = format!("assertion subject '{}:{}'", Bitbucket::REPOSITORY, Bitbucket::STEP);
    assert!(answer.body["error_description"].as_str().unwrap().contains(&subject), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn every_cloud_has_its_host_and_its_resource_manager() {
    for (cloud, host, azure) in [
        (EntraCloud::Public, "login.microsoftonline.com", "https://management.core.windows.net/"),
        (EntraCloud::UsGov, "login.microsoftonline.us", "https://management.core.usgovcloudapi.net/"),
        (EntraCloud::China, "login.partner.microsoftonline.cn", "https://management.core.chinacloudapi.cn/"),
    ] {
        let client = Client::new();
        let secret = client.sandbox.add_entra_application(TENANT, ID, cloud);
        for (resource, status) in [(DATABRICKS, 200), (azure, 200), ("https://management.example.com/", 400)] {
            let answer = ask(&client, host, &format!("/{TENANT}/oauth2/token"), &form(ID, &secret, resource)).await;
            assert_eq!((answer.status, cloud.host()), (status, host), "{answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_member_comes_in_only_with_both_headers() {
    let (client, secret) = workspace(false);
    let sandbox = &client.sandbox;
    let (good, azure) = (token(&client, &secret, DATABRICKS).await, token(&client, &secret, AZURE).await);
    let other = "5f5e8b6a-0000-4000-8000-00000000a002";
    let others = sandbox.add_entra_application(TENANT, other, EntraCloud::Public);
    let path = format!("/{TENANT}/oauth2/token");
    let answer = ask(&client, EntraCloud::Public.host(), &path, &form(other, &others, AZURE)).await;
    let others = answer.body["access_token"].as_str().unwrap();

    let denied = me(&client, &good, &[]).await;
    assert_eq!((denied.status, denied.error().1), (403, "PERMISSION_DENIED"));
    for (management, id) in [
        (Some(azure.as_str()), None),
        (None, Some(RESOURCE_ID)),
        (Some(azure.as_str()), Some("/subscriptions/other")),
        (Some(good.as_str()), Some(RESOURCE_ID)),
        (Some(others), Some(RESOURCE_ID)),
        (Some("eyJ.eyJ.x"), Some(RESOURCE_ID)),
    ] {
        let headers = [(TOKEN_HEADER, management), (ID_HEADER, id)];
        let headers: Vec<_> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let denied = me(&client, &good, &headers).await;
        assert_eq!((denied.status, denied.error().1), (403, "PERMISSION_DENIED"), "{headers:?}");
    }
    let upper = RESOURCE_ID.to_uppercase();
    for id in [RESOURCE_ID, &upper] {
        let answer = me(&client, &good, &[(TOKEN_HEADER, &azure), (ID_HEADER, id)]).await;
        assert_eq!((answer.status, answer.body["userName"].as_str()), (200, Some(ID)));
    }
    // A token for Azure itself opens no workspace, and an application that the workspace does not know none either.
    for foreign in [azure.as_str(), others] {
        assert_eq!(me(&client, foreign, &[(TOKEN_HEADER, &azure), (ID_HEADER, RESOURCE_ID)]).await.status, 403);
    }
    let last = sandbox.requests().pop().unwrap();
    assert!(last.header(TOKEN_HEADER) == Some(&azure) && !format!("{last:?}").contains(&azure));
}

#[tokio::test(start_paused = true)]
async fn a_member_may_send_one_header_alone_but_no_wrong_pair() {
    let (client, secret) = workspace(true);
    let (good, azure) = (token(&client, &secret, DATABRICKS).await, token(&client, &secret, AZURE).await);
    for (headers, status) in [
        (vec![(TOKEN_HEADER, azure.as_str())], 200),
        (vec![(ID_HEADER, RESOURCE_ID)], 200),
        (vec![(TOKEN_HEADER, &azure), (ID_HEADER, RESOURCE_ID)], 200),
        (vec![(TOKEN_HEADER, &azure), (ID_HEADER, "/subscriptions/other")], 403),
        (vec![(TOKEN_HEADER, &good), (ID_HEADER, RESOURCE_ID)], 403),
    ] {
        assert_eq!(me(&client, &good, &headers).await.status, status, "{headers:?}");
    }
    // The pair is for tokens of Entra ID only.
    let stranger = client.sandbox.add_principal(Principal { member: false, ..Principal::service("s", "s") });
    assert_eq!(me(&client, &stranger, &[(TOKEN_HEADER, &azure), (ID_HEADER, RESOURCE_ID)]).await.status, 403);
}

#[tokio::test(start_paused = true)]
async fn a_token_about_to_end_and_one_for_another_cloud_are_refused() {
    let (client, secret) = workspace(true);
    let good = token(&client, &secret, DATABRICKS).await;
    client.sandbox.set_host_cloud("AWS");
    assert_eq!(me(&client, &good, &[]).await.status, 403);
    client.sandbox.set_host_cloud("Azure");
    tokio::time::advance(Duration::from_secs(3570)).await;
    assert_eq!(me(&client, &good, &[]).await.status, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = me(&client, &good, &[]).await;
    assert_eq!((refused.status, &refused.body["error_code"]), (403, &json!(403)));
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_entra_id_is_none_of_databricks() {
    let (client, secret) = workspace(true);
    let request = Request::post("/oidc/v1/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("{ID}:{secret}"))))
        .body(Body::from("grant_type=client_credentials&scope=all-apis"));
    let answer = client.raw(request.unwrap()).await.unwrap();
    assert_eq!((answer.status, answer.body["error"].as_str()), (401, Some("invalid_client")));
}
