//! Tokens, rights, and the front door.

use crate::client::{Client, job};
use axum::body::Body;
use databricks_sandbox::{FolderRight, JobRight, Principal, TokenState};
use http::Request;
use serde_json::json;

const ME: &str = "/api/2.0/preview/scim/v2/Me";

#[tokio::test]
async fn says_who_i_am_and_which_workspace_this_is() {
    let client = Client::new();
    let token = client.token.strip_prefix("dapi").unwrap();
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");

    let me = client.get(ME).await;
    assert_eq!((me.status, me.body["userName"].as_str()), (200, Some("ci@example.com")));
    assert_eq!(me.header("x-databricks-org-id"), client.sandbox.workspace_id().to_string());
    assert_eq!(me.body["groups"][1]["display"], "admins");

    let id = "5c1f27d8-26a6-4f64-9c36-ae4c5f8e1c11";
    let service = client.with_token(client.sandbox.add_principal(Principal::service(id, "deployer")));
    let me = service.get(ME).await;
    assert_eq!((me.body["userName"].as_str(), me.body["displayName"].as_str()), (Some(id), Some("deployer")));
    assert_ne!(client.token, service.token);
}

#[tokio::test]
async fn a_bad_token_is_403_with_a_number_for_a_code() {
    let client = Client::new();
    let mut tokens = vec!["dapi00000000000000000000000000000000".to_owned()];
    for (name, state) in [("late@example.com", TokenState::Expired), ("gone@example.com", TokenState::Revoked)] {
        tokens.push(client.sandbox.add_principal(Principal::user(name).with_token(state)));
    }
    for token in tokens {
        let answer = client.with_token(token).get(ME).await;
        assert_eq!((answer.status, &answer.body["error_code"]), (403, &json!(403)));
        let message = answer.body["message"].as_str().unwrap();
        assert!(message.starts_with("Invalid access token. [ReqId: "), "{message}");
        assert_eq!(answer.header("x-databricks-reason-phrase"), "Invalid access token.");
    }
}

#[tokio::test]
async fn a_token_can_end_on_the_way() {
    let client = Client::new();
    assert_eq!(client.get(ME).await.status, 200);
    client.sandbox.set_token_state("ci@example.com", TokenState::Revoked);
    assert_eq!(client.get(ME).await.status, 403);
}

#[tokio::test]
async fn no_credential_and_a_foreign_scheme_are_401_with_a_number_for_a_code() {
    let client = Client::new();
    let bare = Request::get(ME).body(Body::empty()).unwrap();
    let basic = Request::get(ME).header("authorization", "Basic dG9rZW46eA==").body(Body::empty()).unwrap();
    for request in [bare, basic] {
        let answer = client.raw(request).await.unwrap();
        assert_eq!((answer.status, &answer.body["error_code"]), (401, &json!(401)));
        let message = answer.body["message"].as_str().unwrap();
        let text = "Credential was not sent or was of an unsupported type for this API. [ReqId: ";
        assert!(message.starts_with(text), "{message}");
    }
}

#[tokio::test]
async fn an_identity_without_access_is_403_permission_denied() {
    let client = Client::new();
    let stranger = Principal { member: false, ..Principal::user("stranger@example.com") };
    let answer = client.with_token(client.sandbox.add_principal(stranger)).get(ME).await;
    assert_eq!((answer.status, answer.error().1), (403, "PERMISSION_DENIED"));
}

#[tokio::test]
async fn another_workspace_is_not_served() {
    let client = Client::new();
    for (id, status) in [(client.sandbox.workspace_id(), 200), (77, 400)] {
        let request = Request::get(ME)
            .header("authorization", format!("Bearer {}", client.token))
            .header("x-databricks-workspace-id", id.to_string());
        assert_eq!(client.raw(request.body(Body::empty()).unwrap()).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn what_may_not_be_read_looks_missing_and_what_may_not_be_written_is_403() {
    let client = Client::new();
    client.mkdirs("/Shared/closed/deep").await;
    client.mkdirs("/Shared/open").await;
    client.import_auto("/Shared/open/a.txt", "a").await;
    let guest = Principal::user("guest@example.com")
        .in_folder("/Shared/closed", FolderRight::None)
        .in_folder("/Workspace/Shared/open", FolderRight::Read);
    let guest = client.with_token(client.sandbox.add_principal(guest));

    for path in ["/Shared/closed", "/Workspace/Shared/closed/deep", "/Users/ci@example.com"] {
        let answer = guest.status(path).await;
        let text = format!("Path ({path}) doesn't exist.");
        assert_eq!(answer.error(), (404, "RESOURCE_DOES_NOT_EXIST", text.as_str()));
        assert_eq!(guest.list(path).await.status, 404);
    }
    let shared = guest.list("/Shared").await;
    let paths: Vec<_> = shared.body["objects"].as_array().unwrap().iter().map(|object| &object["path"]).collect();
    assert_eq!(paths, ["/Shared/open"]);

    assert_eq!(guest.status("/Shared/open/a.txt").await.status, 200);
    for answer in [
        guest.import_auto("/Shared/open/a.txt", "b").await,
        guest.mkdirs("/Shared/open/x").await,
        guest.post("/api/2.0/workspace/delete", json!({ "path": "/Shared/open/a.txt" })).await,
    ] {
        assert_eq!((answer.status, answer.error().1), (403, "PERMISSION_DENIED"));
    }
    let hidden = guest.import_auto("/Shared/closed/a.txt", "b").await;
    assert_eq!(hidden.error(), (404, "RESOURCE_DOES_NOT_EXIST", "The parent folder (/Shared/closed) does not exist."));

    assert_eq!(guest.mkdirs("/Users/guest@example.com/mine").await.status, 200);
    assert_eq!(guest.mkdirs("/Shared/new").await.status, 200);
}

#[tokio::test]
async fn job_rights_are_asked_before_existence() {
    let client = Client::new();
    let seen = client.sandbox.create_job(job("seen", &[]));
    let run = client.sandbox.create_job(job("run", &[("a", &[])]));
    let other = client.sandbox.create_job(job("other", &[]));
    let guest = Principal::user("guest@example.com").on_job(seen, JobRight::View).on_job(run, JobRight::ManageRun);
    let guest = client.with_token(client.sandbox.add_principal(guest));

    for job_id in [other, 4711] {
        let answer = guest.get(&format!("/api/2.2/jobs/get?job_id={job_id}")).await;
        let text = format!(
            "User guest@example.com does not have View or Admin or Manage Run or Owner permissions on job {job_id}"
        );
        assert_eq!(answer.error(), (403, "PERMISSION_DENIED", text.as_str()));
    }
    assert_eq!(guest.get(&format!("/api/2.2/jobs/get?job_id={seen}")).await.status, 200);
    assert_eq!(guest.post("/api/2.2/jobs/run-now", json!({ "job_id": seen })).await.status, 403);
    assert_eq!(guest.post("/api/2.2/jobs/run-now", json!({ "job_id": run })).await.status, 200);
    let delete = guest.post("/api/2.2/jobs/delete", json!({ "job_id": run })).await;
    let text = format!("User guest@example.com does not have Admin or Owner permissions on job {run}");
    assert_eq!(delete.error(), (403, "PERMISSION_DENIED", text.as_str()));

    let list = guest.get("/api/2.2/jobs/list").await;
    let ids: Vec<_> = list.body["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [run, seen]);
}

#[tokio::test]
async fn an_unknown_route_is_loud() {
    let client = Client::new();
    let answer = client.post("/api/2.0/x", json!({})).await;
    assert_eq!(answer.error(), (404, "ENDPOINT_NOT_FOUND", "No API found for 'POST /api/2.0/x'"));
    let answer = client.get("/api/2.0/workspace/import").await;
    assert_eq!(answer.error().1, "ENDPOINT_NOT_FOUND");
    let export = client.get("/api/2.0/workspace/export?path=/Shared&format=DBC").await;
    assert_eq!(export.status, 501);
    // Even where the credential is refused first.
    client.with_token("dapi0".to_owned()).get("/api/2.0/y").await;
    let unknown =
        ["POST /api/2.0/x", "GET /api/2.0/workspace/import", "GET /api/2.0/workspace/export", "GET /api/2.0/y"];
    assert_eq!(client.sandbox.unknown_routes(), unknown);
}

#[tokio::test]
async fn every_request_is_recorded_without_its_credential() {
    let client = Client::new();
    client.post("/api/2.0/workspace/mkdirs?a=b%20c&d=%2F", json!({ "path": "/Shared/x" })).await;
    client.upload(&[("path", "/Shared/x/f.bin"), ("format", "RAW")], &[0; 5000]).await;
    client.import_auto("/Shared/x/long.txt", &"x".repeat(9000)).await;
    let bare =
        Request::get("/api/2.0/preview/scim/v2/Me").header("user-agent", "pipe/1.0").body(Body::empty()).unwrap();
    client.raw(bare).await.unwrap();
    client.with_token("dapiwrong".to_owned()).get(ME).await;

    let requests = client.sandbox.requests();
    assert_eq!(requests.len(), 5);
    let mkdirs = &requests[0];
    assert_eq!(mkdirs.line(), "POST /api/2.0/workspace/mkdirs");
    assert_eq!((mkdirs.query("a"), mkdirs.query("d")), (Some("b c"), Some("/")));
    assert_eq!(mkdirs.body, Some(json!({ "path": "/Shared/x" })));
    assert_eq!(
        (mkdirs.host.as_deref(), mkdirs.content_type.as_deref()),
        (Some("sandbox.test"), Some("application/json"))
    );
    assert_eq!((mkdirs.principal(), mkdirs.status, mkdirs.fault), (Some("ci@example.com"), Some(200), false));
    assert_eq!(mkdirs.authorization.as_ref().unwrap().scheme, "Bearer");

    let upload = &requests[1];
    assert_eq!((upload.part("path"), upload.part("format")), (Some("/Shared/x/f.bin"), Some("RAW")));
    assert_eq!((upload.parts[2].length, upload.parts[2].text.as_deref()), (5000, None));
    assert_eq!(requests[2].body.as_ref().unwrap()["content"], "<12000 characters>");
    assert_eq!((requests[3].user_agent.as_deref(), &requests[3].authorization), (Some("pipe/1.0"), &None));
    assert_eq!((requests[4].principal(), requests[4].status), (None, Some(403)));
    assert!(!format!("{requests:?}").contains(&client.token) && !format!("{requests:?}").contains("dapiwrong"));
}

#[tokio::test(start_paused = true)]
async fn the_clock_follows_tokios_time() {
    let client = Client::new();
    assert_eq!(client.get(ME).await.header("date"), "Mon, 02 Mar 2026 09:00:00 GMT");
    client.import_auto("/Shared/a.txt", "1").await;
    tokio::time::advance(std::time::Duration::from_secs(90)).await;
    assert_eq!(client.get(ME).await.header("date"), "Mon, 02 Mar 2026 09:01:30 GMT");
    client.import_auto("/Shared/a.txt", "2").await;
    let object = client.sandbox.objects()["/Workspace/Shared/a.txt"].clone();
    assert_eq!((object.created_at, object.modified_at), (1_772_442_000_000, 1_772_442_090_000));
    assert_eq!(client.sandbox.requests()[0].at, 1_772_442_000_000);
}
