//! Who waits for a turn: in which order, for how long, and what becomes of those who no longer want one.

use super::script::*;
use databricks_deploy::http::{Call, Cause, Class, Client, Failure, Repeat};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn numbered(class: Class, number: usize) -> Call {
    Call { class, path: format!("/api/{number}"), ..call(Repeat::Always) }
}

/// Answers after 50 ms; the requests of these numbers with 429.
fn refusing(which: impl Fn(usize) -> bool + Send + Sync + 'static, retry_after: &'static str) -> Arc<Script> {
    Script::new(move |request| {
        let play = if which(request) { with(429, "retry-after", retry_after) } else { status(200) };
        Play::After(Duration::from_millis(50), Box::new(play))
    })
}

fn start(client: &Client, calls: impl Iterator<Item = Call>) -> JoinSet<Result<(), Failure>> {
    calls
        .map(|call| {
            let client = client.clone();
            async move { client.send(&call, classify).await.map(drop) }
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served_also_after_429s() {
    let script = refusing(|request| matches!(request, 9 | 40 | 41 | 90), "2");
    let client = client(&script);
    let mut calls = start(&client, (0..200).map(|number| numbered(Class::Import, number)));
    while let Some(end) = calls.join_next().await {
        end.unwrap().unwrap();
    }
    let mut first: Vec<String> = Vec::new();
    for request in script.seen.lock().unwrap().iter() {
        if !first.contains(&request.target) {
            first.push(request.target.clone());
        }
    }
    assert_eq!(first, (0..200).map(|number| format!("/api/{number}")).collect::<Vec<_>>());
    assert_eq!(client.stats().throttled, 4);
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_wants_his_turn_takes_nobody_elses() {
    let script = refusing(|request| request == 0, "30");
    let client = client(&script);
    let mut others = start(&client, std::iter::once(numbered(Class::Import, 0)));
    tokio::time::sleep(SECOND).await;
    // Some have a place in the window, some have none yet; all of them are gone before the gate opens.
    let mut gone = start(&client, (1..100).map(|number| numbered(Class::Import, number)));
    tokio::time::sleep(SECOND).await;
    gone.shutdown().await;
    others.join_next().await.unwrap().unwrap().unwrap();
    let started = Instant::now();
    let mut calls = start(&client, (100..110).map(|number| numbered(Class::Import, number)));
    while let Some(end) = calls.join_next().await {
        end.unwrap().unwrap();
    }
    assert_eq!(script.count(), 2 + 10);
    assert!(started.elapsed() < SECOND, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_is_not_looked_after_stands_in_nobodys_way() {
    let script = refusing(|request| request == 0, "30");
    let client = client(&script);
    let throttled = start(&client, std::iter::once(numbered(Class::Import, 0)));
    tokio::time::sleep(SECOND).await;
    // One that waits before the closed gate, and is not polled again.
    let (asleep, call) = (client.clone(), numbered(Class::Import, 1));
    let mut asleep = Box::pin(asleep.send(&call, classify));
    assert!(timeout(SECOND, &mut asleep).await.is_err());
    let mut calls = start(&client, (2..30).map(|number| numbered(Class::Import, number)));
    let rest = async { while calls.join_next().await.is_some() {} };
    timeout(60 * SECOND, rest).await.unwrap();
    assert_eq!(script.count(), 1 + 1 + 28);
    asleep.await.unwrap();
    drop(throttled);
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_is_borne_by_each_as_long_as_he_wants() {
    let script = refusing(|request| request == 0, "100");
    let client = client(&script);
    let mut first = start(&client, std::iter::once(numbered(Class::Runs, 0)));
    tokio::time::sleep(SECOND).await;
    let started = Instant::now();
    let with_patience = |number, seconds| Call { patience: Some(seconds * SECOND), ..numbered(Class::Runs, number) };
    // More than the window holds: those in the queue look at the gate, too.
    let patient = start(&client, (1..20).map(|number| with_patience(number, 200)));
    let mut hasty = start(&client, (20..40).map(|number| with_patience(number, 20)));
    while let Some(end) = hasty.join_next().await {
        let end = end.unwrap().unwrap_err();
        assert!(matches!(&end, Failure::Exhausted { attempts: 0, cause: Cause::Throttled(_), .. }), "{end:?}");
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    let end = client.until(Instant::now() + 5 * SECOND).send(&with_patience(40, 200), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Exhausted { attempts: 0, by_deadline: true, .. }), "{end:?}");
    assert!(patient.join_all().await.iter().all(Result::is_ok));
    first.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(script.count(), 2 + 19);
}

#[tokio::test(start_paused = true)]
async fn nobody_bears_what_was_closed_before_he_came() {
    let script = refusing(|request| matches!(request, 0 | 2), "30");
    let client = client(&script);
    client.send(&numbered(Class::Runs, 0), classify).await.unwrap();
    let mut second = start(&client, std::iter::once(numbered(Class::Runs, 1)));
    tokio::time::sleep(SECOND).await;
    assert_eq!(script.count(), 3, "the gate is closed again");
    // One closing is within the patience, two are not.
    let call = Call { patience: Some(50 * SECOND), ..numbered(Class::Runs, 2) };
    client.send(&call, classify).await.unwrap();
    second.join_next().await.unwrap().unwrap().unwrap();
}

/// Each closing is shorter than the patience; all together are not.
#[tokio::test(start_paused = true)]
async fn a_gate_that_closes_again_and_again_ends_the_patience_of_all_who_wait() {
    let script = refusing(|_| true, "10");
    let client = client(&script);
    let started = Instant::now();
    let patience = Some(60 * SECOND);
    let calls = start(&client, (0..100).map(|number| Call { patience, ..numbered(Class::Import, number) }));
    for end in calls.join_all().await {
        let end = end.unwrap_err();
        assert!(matches!(&end, Failure::Exhausted { by_deadline: false, .. }), "{end:?}");
    }
    assert!(started.elapsed() <= 62 * SECOND, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_what_must_get_through_each_waits_for_itself() {
    let script = refusing(|request| request == 0, "100");
    let client = client(&script);
    let mut told_to_wait = start(&client, std::iter::once(numbered(Class::Control, 0)));
    tokio::time::sleep(SECOND).await;
    let started = Instant::now();
    client.send(&numbered(Class::Control, 1), classify).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(50));
    told_to_wait.join_next().await.unwrap().unwrap().unwrap();
    assert!(started.elapsed() >= 99 * SECOND);
}

/// As many are told to come again later as can be under way at once: none of them keeps a place meanwhile.
#[tokio::test(start_paused = true)]
async fn who_waits_to_be_repeated_stands_in_nobodys_way() {
    for code in [429, 503] {
        let script = Script::new(move |request| {
            let play = if request < 8 { with(code, "retry-after", "100") } else { status(200) };
            Play::After(Duration::from_millis(50), Box::new(play))
        });
        let client = client(&script);
        let mut told_to_wait = start(&client, (0..8).map(|number| numbered(Class::Control, number)));
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.count(), 8);
        let started = Instant::now();
        client.send(&numbered(Class::Control, 8), classify).await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_millis(50), "{code}");
        while let Some(end) = told_to_wait.join_next().await {
            end.unwrap().unwrap();
        }
        assert!(started.elapsed() >= 99 * SECOND, "{code}");
    }
}

/// A sibling signs with something else, and what it is told does not concern those who wait for its signature.
#[tokio::test(start_paused = true)]
async fn a_sibling_has_limits_of_its_own() {
    let script = refusing(|request| request == 0, "100");
    let client = client(&script);
    let sibling = client.sibling(Arc::new(Signer::default()));
    let mut told_to_wait = start(&sibling, std::iter::once(numbered(Class::Import, 0)));
    tokio::time::sleep(SECOND).await;
    let started = Instant::now();
    client.send(&numbered(Class::Import, 1), classify).await.unwrap();
    assert_eq!(started.elapsed(), Duration::from_millis(50));
    told_to_wait.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(client.stats().requests, 3);
}
