//! Ordered troubles and rate limits.

use crate::client::Client;
use axum::body::Body;
use databricks_sandbox::{Canned, Conditions, Dropped, Fault, Moment, On, RateLimit, Rival, Trouble};
use http::Request;
use http_body_util::BodyExt;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const ME: &str = "/api/2.0/preview/scim/v2/Me";
const MKDIRS: &str = "/api/2.0/workspace/mkdirs";

#[tokio::test]
async fn answers_before_and_after_the_effect() {
    let client = Client::new();
    let canned = Canned::error(503, "TEMPORARILY_UNAVAILABLE", "later").retry_after(7);
    for (moment, path, happened) in [(Moment::Before, "/Shared/no", false), (Moment::After, "/Shared/yes", true)] {
        client.sandbox.fault(Fault::once(On::post(MKDIRS), Trouble::Answer(moment, canned.clone())));
        let answer = client.mkdirs(path).await;
        assert_eq!(answer.error(), (503, "TEMPORARILY_UNAVAILABLE", "later"));
        assert_eq!((answer.header("retry-after"), answer.header("content-type")), ("7", "application/json"));
        assert_eq!(client.sandbox.objects().contains_key(&format!("/Workspace{path}")), happened);
    }
    let hit: Vec<_> = client.sandbox.requests().iter().map(|request| (request.fault, request.status)).collect();
    assert_eq!(hit, [(true, Some(503)), (true, Some(503))]);
    assert_eq!(client.mkdirs("/Shared/no").await.status, 200);
}

#[tokio::test]
async fn pages_and_redirects_instead_of_json() {
    let client = Client::new();
    let page = "<html><title>Sign in</title></html>";
    client.sandbox.fault(Fault::once(On::any(), Trouble::Answer(Moment::Before, Canned::html(200, page))));
    let redirect = Canned::redirect(303, "https://elsewhere.test/login.html?error=private-link-validation-error");
    client.sandbox.fault(Fault::nth(On::any(), 2, Trouble::Answer(Moment::Before, redirect)));
    let answer = client.get(ME).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(answer.bytes, page);
    let answer = client.get(ME).await;
    assert_eq!((answer.status, answer.header("location").starts_with("https://elsewhere.test/")), (303, true));
}

#[tokio::test]
async fn connections_break_before_and_after_the_effect() {
    let client = Client::new();
    for (moment, path, happened) in [(Moment::Before, "/Shared/no", false), (Moment::After, "/Shared/yes", true)] {
        client.sandbox.fault(Fault::once(On::post(MKDIRS), Trouble::Drop(moment)));
        assert_eq!(client.try_post(MKDIRS, json!({ "path": path })).await.unwrap_err(), Dropped);
        assert_eq!(client.sandbox.objects().contains_key(&format!("/Workspace{path}")), happened);
    }
    assert_eq!(client.sandbox.requests()[1].status, None);
}

#[tokio::test]
async fn faults_count_the_requests_that_they_cover() {
    let client = Client::new();
    let gone = |fault: Fault| client.sandbox.fault(fault);
    gone(Fault::nth(On::any(), 3, Trouble::Drop(Moment::Before)));
    gone(Fault { on: On::post(MKDIRS), skip: 1, times: Some(2), trouble: Trouble::Drop(Moment::Before) });
    let mut broken = Vec::new();
    for n in 0..8 {
        let mkdirs = n % 2 == 0;
        let result = if mkdirs {
            client.try_post(MKDIRS, json!({ "path": "/Shared/x" })).await
        } else {
            client.try_get(ME).await
        };
        broken.push(result.is_err());
    }
    // 3rd of any kind; the 2nd and the 3rd mkdirs are requests 3 and 5.
    assert_eq!(broken, [false, false, true, false, true, false, false, false]);
    gone(Fault::always(On::get(ME), Trouble::Drop(Moment::Before)));
    assert!(client.try_get(ME).await.is_err() && client.try_get(ME).await.is_err());
    client.sandbox.clear_faults();
    assert!(client.try_get(ME).await.is_ok());
    gone(Fault::always(On::path("/api/2.0/work"), Trouble::Drop(Moment::Before)));
    assert!(client.try_post(MKDIRS, json!({ "path": "/Shared/x" })).await.is_ok());
    gone(Fault::always(On::path("/api/2.0/workspace"), Trouble::Drop(Moment::Before)));
    assert!(client.try_post(MKDIRS, json!({ "path": "/Shared/x" })).await.is_err());
    assert!(client.try_get(ME).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn delays_are_in_tokios_time() {
    let client = Client::new();
    client.sandbox.fault(Fault::always(On::any(), Trouble::Delay(Moment::Before, Duration::from_millis(50))));
    client.sandbox.fault(Fault::nth(On::any(), 2, Trouble::Delay(Moment::After, Duration::from_secs(100))));
    let start = Instant::now();
    client.mkdirs("/Shared/a").await;
    assert_eq!(start.elapsed(), Duration::from_millis(50));

    // Whoever hangs up while the answer is held up has had the effect all the same.
    let patient = Duration::from_secs(60);
    let hung_up = tokio::time::timeout(patient, client.mkdirs("/Shared/b")).await;
    assert!(hung_up.is_err() && client.sandbox.objects().contains_key("/Workspace/Shared/b"));
    client.sandbox.fault(Fault::nth(On::any(), 1, Trouble::Delay(Moment::Before, Duration::from_secs(100))));
    let hung_up = tokio::time::timeout(patient, client.mkdirs("/Shared/c")).await;
    assert!(hung_up.is_err() && !client.sandbox.objects().contains_key("/Workspace/Shared/c"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_held_up_holds_up_no_other() {
    let client = Client::new();
    client.sandbox.fault(Fault::once(On::any(), Trouble::Delay(Moment::Before, Duration::from_secs(100))));
    let request = || {
        let request = Request::get(ME).header("authorization", format!("Bearer {}", client.token));
        client.sandbox.answer(request.body(Body::empty()).unwrap())
    };
    let start = Instant::now();
    let held_up = tokio::spawn(request());
    tokio::task::yield_now().await;
    assert_eq!((request().await.unwrap().status(), start.elapsed()), (http::StatusCode::OK, Duration::ZERO));
    assert_eq!(held_up.await.unwrap().unwrap().status(), 200);
    assert_eq!(start.elapsed(), Duration::from_secs(100));
}

#[tokio::test(start_paused = true)]
async fn bodies_break_off_or_come_slowly() {
    let client = Client::new();
    let ask = async || {
        let request = Request::get(ME).header("authorization", format!("Bearer {}", client.token));
        client.sandbox.answer(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    client.sandbox.fault(Fault::once(On::any(), Trouble::Truncate(10)));
    let response = ask().await;
    let length: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.len() == 10 && length > 10);
    assert!(body.frame().await.unwrap().is_err());

    client.sandbox.clear_faults();
    client.sandbox.fault(Fault::once(On::any(), Trouble::Cut(10)));
    let answer = client.get(ME).await;
    assert_eq!((answer.header("content-length"), answer.bytes.len(), answer.status), ("10", 10, 200));

    client.sandbox.clear_faults();
    client.sandbox.fault(Fault::once(On::any(), Trouble::Slow { piece: 100, pause: Duration::from_secs(1) }));
    let start = Instant::now();
    let response = ask().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    let whole = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(whole.len(), length);
    assert_eq!(start.elapsed(), Duration::from_secs(length.div_ceil(100) as u64));
}

#[tokio::test(start_paused = true)]
async fn rate_limits_are_token_buckets() {
    let client = Client::new();
    let on = On::post(MKDIRS);
    client.sandbox.rate_limit(RateLimit { on, burst: 3, per_second: 2.0, retry_after: true });
    let statuses = async |count: usize| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(client.mkdirs("/Shared/x").await.status);
        }
        statuses
    };
    assert_eq!(statuses(5).await, [200, 200, 200, 429, 429]);
    let refused = client.mkdirs("/Shared/x").await;
    assert_eq!((refused.error().1, refused.header("retry-after")), ("REQUEST_LIMIT_EXCEEDED", "1"));
    assert_eq!(client.get(ME).await.status, 200);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(statuses(2).await, [200, 429]);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(statuses(4).await, [200, 200, 200, 429]);

    let other = Client::new();
    other.sandbox.rate_limit(RateLimit { on: On::any(), burst: 1, per_second: 0.1, retry_after: false });
    assert_eq!(other.get(ME).await.status, 200);
    let refused = other.get(ME).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, ""));
    assert!(!other.sandbox.requests()[1].fault);
}

/// How many requests pass at once.
async fn passing(client: &Client) -> u32 {
    let mut passed = 0;
    while client.get(ME).await.status == 200 {
        passed += 1;
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn a_limit_changes_when_it_is_told_to() {
    let client = Client::new();
    let limit = RateLimit { on: On::any(), burst: 10, per_second: 4.0, retry_after: false };
    let changes = vec![(Duration::from_secs(10), 1.0), (Duration::from_secs(20), 2.0)];
    client.sandbox.rate_limit_under(limit, Conditions { changes, rival: None });
    // The time counts from the first request.
    tokio::time::advance(Duration::from_secs(100)).await;
    for (at, after, pass) in [(0, 0, 10), (1, 1, 4), (9, 8, 10), (11, 2, 4 + 1), (14, 3, 3), (21, 7, 6 + 2), (22, 1, 2)]
    {
        tokio::time::advance(Duration::from_secs(after)).await;
        assert_eq!(passing(&client).await, pass, "after {at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_else_takes_his_part_of_a_limit() {
    let client = Client::new();
    let limit = RateLimit { on: On::any(), burst: 10, per_second: 2.0, retry_after: false };
    let rival = Some(Rival { requests: 5, every: Duration::from_secs(2) });
    client.sandbox.rate_limit_under(limit, Conditions { changes: Vec::new(), rival });
    // From the second second on he takes all there is, which is less than he wants, and leaves nothing owing.
    for (at, after, pass) in [(0, 0, 10), (1, 1, 2), (3, 2, 2), (7, 4, 2)] {
        tokio::time::advance(Duration::from_secs(after)).await;
        assert_eq!(passing(&client).await, pass, "after {at} s");
    }
    // Where nobody else comes, more gathers than he wants.
    let limit = RateLimit { on: On::any(), burst: 10, per_second: 8.0, retry_after: false };
    let client = Client::new();
    client.sandbox.rate_limit_under(limit, Conditions { changes: Vec::new(), rival });
    assert_eq!(passing(&client).await, 10);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(passing(&client).await, 10 - 5);
}
