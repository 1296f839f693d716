//! Other workspaces that are like one, and time that passes.

use crate::client::{Client, job};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::{
    Ending, Fault, Language, Match, Moment, On, PermissionLevel, Principal, RateLimit, Script, StepClaims, TaskScript,
    Trouble,
};
use http::Request;
use std::time::Duration;
use tokio::time::Instant;

const ME: &str = "/api/2.0/preview/scim/v2/Me";
const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const HOUR: Duration = Duration::from_secs(3600);

fn fork(client: &Client) -> Client {
    Client { sandbox: client.sandbox.fork(), token: client.token.clone() }
}

#[tokio::test(start_paused = true)]
async fn a_fork_has_everything_and_shares_nothing() {
    let client = Client::new();
    let job_id = client.sandbox.create_job(job("nightly", &[("a", &[])]));
    client.import_auto("/Shared/a.txt", "a").await;
    client.sandbox.give("/Shared", "users", PermissionLevel::Read);
    let run_id = client.run_now(job_id).await;
    let before = (client.sandbox.objects(), client.sandbox.requests().len());

    let other = fork(&client);
    assert_eq!((other.sandbox.objects(), other.sandbox.requests().len()), before);
    assert_eq!(other.sandbox.given("/Shared"), client.sandbox.given("/Shared"));
    assert_eq!(other.get(ME).await.status, 200, "the token is good there");
    assert_eq!(other.finished(run_id).await["job_id"], job_id);
    assert!(!client.sandbox.runs()[0].ended, "it was watched to its end only there");

    // The same things happen in both, with the same ids, and neither sees the other's.
    let made = [client.import_auto("/Shared/b.txt", "b").await, other.import_auto("/Shared/b.txt", "b").await];
    assert_eq!(made[0].body, made[1].body);
    other.sandbox.remove("/Shared/a.txt");
    other.sandbox.fault(Fault::always(On::any(), Trouble::Drop(Moment::Before)));
    assert_eq!(
        (client.get(ME).await.status, client.sandbox.objects().contains_key("/Workspace/Shared/a.txt")),
        (200, true)
    );
    assert!(other.try_get(ME).await.is_err() && fork(&other).try_get(ME).await.is_err(), "troubles are forked too");
}

#[tokio::test(start_paused = true)]
async fn time_passes_for_everything_in_the_workspace() {
    let client = Client::new();
    let bitbucket = client.sandbox.bitbucket();
    client.sandbox.add_principal(Principal::service(ID, "deployer"));
    let secret = client.sandbox.add_client_secret(ID);
    let pair = STANDARD.encode(format!("{ID}:{secret}"));
    let request = Request::post("/oidc/v1/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Basic {pair}"))
        .body(Body::from("grant_type=client_credentials&scope=all-apis"));
    let access = client.raw(request.unwrap()).await.unwrap().body["access_token"].as_str().unwrap().to_owned();
    let access = client.with_token(access);
    client.sandbox.put_notebook("/Shared/nb", Language::Python, "");
    let lasts = TaskScript::after(HOUR, Ending::success());
    client.sandbox.script(Match::Any, Script { other_tasks: lasts, ..Script::default() });
    let run_id = client.run_now(client.sandbox.create_job(job("nightly", &[("a", &[])]))).await;
    client.sandbox.rate_limit(RateLimit { on: On::post("/"), burst: 1, per_second: 0.01, retry_after: false });
    assert_eq!(client.import_auto("/Shared/a.txt", "a").await.status, 200);
    assert_eq!(client.import_auto("/Shared/b.txt", "b").await.status, 429);
    let other = fork(&client);
    assert_eq!(access.get(ME).await.status, 200);
    assert_eq!(client.run(run_id).await["state"]["life_cycle_state"], "RUNNING");
    let token = bitbucket.step(&StepClaims::production());

    let start = Instant::now();
    client.sandbox.let_time_pass(HOUR);
    assert_eq!(start.elapsed(), Duration::ZERO, "tokio's time stands still");
    assert_eq!(client.import_auto("/Shared/b.txt", "b").await.status, 200);
    let objects = client.sandbox.objects();
    let changed = |path: &str| objects[&format!("/Workspace/Shared/{path}")].modified_at;
    assert_eq!(changed("b.txt") - changed("a.txt"), 3_600_000);
    assert_eq!(
        (client.get(ME).await.status, access.get(ME).await.status),
        (200, 403),
        "an hour is an access token's life"
    );
    assert_eq!(client.run(run_id).await["state"]["life_cycle_state"], "TERMINATED");
    assert_ne!(bitbucket.step(&StepClaims::production()), token, "its tokens tell the same time");
    let date = |text: &str| httpdate::parse_http_date(text).unwrap();
    let now = client.get(ME).await.header("date").to_owned();
    let before = other.get(ME).await.header("date").to_owned();
    assert_eq!(date(&now), date(&before) + HOUR, "a fork has a clock of its own");
}
