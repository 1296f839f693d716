//! Rate limits of a workspace, in paused time: how long a storm of imports takes beside what the limit allows, how many
//! requests are refused, and whom it does not keep waiting.

use super::script::{call, classify, options};
use crate::support::InMemory;
use databricks_deploy::http::{
    Authorize, Body, Call, Class, Client, Method, Part, PartContent, Repeat, Signing, Stats, header,
};
use databricks_sandbox::{Conditions, Fault, Kind, Moment, On, RateLimit, Rival, Sandbox, Trouble};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const IMPORT: &str = "/api/2.0/workspace/import";
const SECOND: Duration = Duration::from_secs(1);

/// As many as a deploy has under way.
const AT_ONCE: usize = 32;

struct Token(String);

impl Authorize for Token {
    fn sign(&self) -> Signing<'_> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        Box::pin(async { Ok([(header::AUTHORIZATION, value)].into_iter().collect()) })
    }

    fn refused(&self, _: &header::HeaderMap) -> bool {
        false
    }
}

/// A workspace that answers after a while, and limits imports.
fn workspace(latency: Duration, limit: RateLimit, conditions: Conditions) -> (Sandbox, Client) {
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::always(On::any(), Trouble::Delay(Moment::Before, latency)));
    sandbox.rate_limit_under(limit, conditions);
    let wire = Arc::new(InMemory::new(sandbox.clone()));
    let client = Client::new(options(), wire, Arc::new(Token(sandbox.token())));
    (sandbox, client)
}

fn imports(burst: u32, per_second: f64, retry_after: bool) -> RateLimit {
    RateLimit { on: On::post(IMPORT), burst, per_second, retry_after }
}

fn import(class: Class, name: &str) -> Call {
    let text = |name, text: &str| Part { name, content: PartContent::Text(text.to_owned()) };
    let parts = vec![
        text("path", &format!("/Shared/{name}")),
        text("format", "AUTO"),
        text("overwrite", "true"),
        Part { name: "content", content: PartContent::Bytes(name.to_owned().into()) },
    ];
    Call { path: IMPORT.to_owned(), class, body: Body::Multipart(parts), ..call(Repeat::Always) }
}

fn get(class: Class, path: &str) -> Call {
    Call { method: Method::GET, path: path.to_owned(), class, ..call(Repeat::Always) }
}

/// Sends so many imports as a deploy does.
async fn storm(client: &Client, files: usize) {
    let mut running = JoinSet::new();
    for number in 0..files {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let client = client.clone();
        running.spawn(async move {
            client.send(&import(Class::Import, &format!("n{number}.txt")), classify).await.unwrap();
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

/// What a storm took.
struct Took {
    time: f64,
    stats: Stats,
}

async fn measure(files: usize, latency: u64, limit: RateLimit, conditions: Conditions) -> Took {
    let (sandbox, client) = workspace(Duration::from_millis(latency), limit, conditions);
    let began = Instant::now();
    storm(&client, files).await;
    let time = began.elapsed().as_secs_f64();
    let arrived = sandbox.objects().values().filter(|object| object.kind == Kind::File).count();
    assert_eq!(arrived, files, "nothing is lost");
    let refused = sandbox.requests().iter().filter(|request| request.status == Some(429)).count();
    let stats = client.stats();
    assert_eq!((stats.throttled, stats.requests), (refused as u64, (files + refused) as u64));
    Took { time, stats }
}

fn steady() -> Conditions {
    Conditions::default()
}

/// From the fifteenth second on so many a second.
fn then(per_second: f64) -> Conditions {
    Conditions { changes: vec![(15 * SECOND, per_second)], rival: None }
}

fn beside(requests: u32, every: u64) -> Conditions {
    Conditions { changes: Vec::new(), rival: Some(Rival { requests, every: Duration::from_millis(every) }) }
}

/// How many uploads are under way at once.
const WINDOW: u64 = 28;

/// How many seconds a thousand imports take at least, how many times that they may take, and how many requests may be
/// refused.
async fn must_hold(latency: u64, limit: RateLimit, conditions: &Conditions, (least, times, refused): (f64, f64, u64)) {
    for retry_after in [true, false] {
        let limit = RateLimit { retry_after, ..limit.clone() };
        let Took { time, stats } = measure(1000, latency, limit.clone(), conditions.clone()).await;
        let what = format!("{latency} ms, {limit:?}, {conditions:?}: {time:.2} s of {least:.2} s, {stats:?}");
        assert!(time <= least * times && stats.throttled <= refused, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_goes_out_at_the_pace_of_the_limit_and_little_of_it_is_refused() {
    let documented = imports(30, 30.0, true);
    must_hold(50, documented.clone(), &steady(), (970.0 / 30.0, 1.05, WINDOW + 10)).await;
    must_hold(200, documented.clone(), &steady(), (970.0 / 30.0, 1.05, WINDOW + 10)).await;
    // Here the window allows hardly more than 30 a second, and opens in seconds; what is learnt of the pace comes late.
    must_hold(800, documented, &steady(), (970.0 / 30.0, 1.2, WINDOW + 10)).await;
    // Limits that nobody has documented.
    must_hold(50, imports(10, 10.0, true), &steady(), (990.0 / 10.0, 1.05, WINDOW + 10)).await;
    must_hold(50, imports(5, 5.0, true), &steady(), (995.0 / 5.0, 1.1, WINDOW + 40)).await;
    must_hold(50, imports(100, 100.0, true), &steady(), (900.0 / 100.0, 2.2, WINDOW + 10)).await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_changes_is_followed_both_ways() {
    let sinks = (15.0 + (1000.0 - 30.0 - 15.0 * 30.0) / 10.0, 1.05, WINDOW + 20);
    must_hold(50, imports(30, 30.0, true), &then(10.0), sinks).await;
    let rises = (15.0 + (1000.0 - 30.0 - 15.0 * 10.0) / 30.0, 1.25, WINDOW + 20);
    must_hold(50, imports(30, 10.0, true), &then(30.0), rises).await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_shared_is_shared() {
    // The times are those where the others get all that they want; they do not.
    let limit = imports(30, 30.0, true);
    must_hold(50, limit.clone(), &beside(1, 100), (970.0 / 20.0, 1.05, WINDOW + 20)).await;
    must_hold(50, limit.clone(), &beside(20, 2000), (970.0 / 20.0, 1.05, WINDOW + 20)).await;
    // Each of these empties the bucket, also while we wait for it to fill: that must not be taken for the limit.
    must_hold(50, limit, &beside(30, 5000), (970.0 / 24.0, 1.1, WINDOW + 20)).await;
}

/// Each of their bursts costs a 429, and they come too often for a faster pace to be tried in between.
#[tokio::test(start_paused = true)]
async fn somebody_elses_bursts_do_not_wear_the_pace_down() {
    for retry_after in [true, false] {
        let Took { time, stats } = measure(5000, 50, imports(30, 30.0, retry_after), beside(15, 3000)).await;
        assert!(time <= 4970.0 / 25.0 * 1.05, "{time:.2} s, {stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_without_requests_says_nothing_about_the_limit() {
    let limit = imports(30, 30.0, false);
    let (_, client) = workspace(Duration::from_millis(50), limit, steady());
    storm(&client, 100).await;
    assert!(client.stats().throttled > 0);
    tokio::time::sleep(120 * SECOND).await;
    // Two 429s lie on either side of the silence.
    let began = Instant::now();
    let before = client.stats().throttled;
    storm(&client, 600).await;
    assert!(client.stats().throttled > before);
    assert!(began.elapsed() <= (570 * SECOND / 30).mul_f64(1.1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_storm_keeps_neither_renewal_nor_polling_nor_cancel_waiting() {
    let latency = Duration::from_millis(50);
    let (sandbox, client) = workspace(latency, imports(30, 30.0, true), steady());
    let began = Instant::now();
    let storming = {
        let client = client.clone();
        tokio::spawn(async move { storm(&client, 4000).await })
    };
    // A small record by the same endpoint every 30 seconds, each with ten seconds of time; a look at a run every five.
    let renewing = {
        let client = client.clone();
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for renewal in 0..4 {
                tokio::time::sleep_until(began + 30 * SECOND * renewal).await;
                let asked = Instant::now();
                let renewal = import(Class::Control, "lock-1.json");
                client.until(asked + 10 * SECOND).send(&renewal, classify).await.unwrap();
                slowest = slowest.max(asked.elapsed());
            }
            slowest
        })
    };
    for poll in 0..24 {
        tokio::time::sleep_until(began + 5 * SECOND * poll).await;
        let asked = Instant::now();
        client.send(&get(Class::Runs, "/api/2.2/jobs/list"), classify).await.unwrap();
        assert_eq!(asked.elapsed(), latency);
    }
    let asked = Instant::now();
    client.send(&get(Class::Control, "/api/2.0/preview/scim/v2/Me"), classify).await.unwrap();
    assert_eq!(asked.elapsed(), latency, "as a cancel would go");
    assert!(!storming.is_finished(), "it stormed all the time");
    assert!(renewing.await.unwrap() < 3 * SECOND);
    storming.await.unwrap();
    assert!(began.elapsed() <= (3974 * SECOND / 30).mul_f64(1.05), "{:?}", began.elapsed());
    assert_eq!(sandbox.objects().values().filter(|object| object.kind == Kind::File).count(), 4001);
}
