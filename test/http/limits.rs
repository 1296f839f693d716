//! How much is sent at the same time, and what a 429 does to the others.

use super::script::*;
use databricks_deploy::digest::Digest;
use databricks_deploy::http::{Body, Cause, Class, Failure, Part, PartContent, Repeat};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn of_class(class: Class) -> databricks_deploy::http::Call {
    databricks_deploy::http::Call { class, ..call(Repeat::LookFirst) }
}

#[tokio::test(start_paused = true)]
async fn no_class_exceeds_its_window_and_none_waits_for_another() {
    let classes = [(Class::Import, 24), (Class::Look, 24), (Class::Jobs, 8), (Class::Runs, 8), (Class::Control, 8)];
    for (class, window) in classes {
        let script = Script::new(|_| Play::After(SECOND, Box::new(status(200))));
        let client = client(&script);
        let mut calls = JoinSet::new();
        for _ in 0..100 {
            let client = client.clone();
            calls.spawn(async move { client.send(&of_class(class), classify).await });
        }
        while let Some(end) = calls.join_next().await {
            end.unwrap().unwrap();
        }
        assert_eq!(script.most_under_way.load(SeqCst), window, "{class:?}");
    }
    // A class full of calls that never end is in nobody else's way.
    for (full, window) in classes {
        let script = Script::new(move |request| if request < window { Play::Silence } else { status(200) });
        let client = client(&script);
        let mut storm = JoinSet::new();
        for _ in 0..window * 3 {
            let client = client.clone();
            storm.spawn(async move { client.send(&of_class(full), classify).await });
        }
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.count(), window);
        for (class, _) in classes {
            let call = of_class(class);
            let passes = tokio::time::timeout(SECOND, client.send(&call, classify)).await.is_ok();
            assert_eq!(passes, class != full, "{class:?} beside a full {full:?}");
        }
    }
}

/// A server with a rule: from the first request on, a bucket of 30 requests that fills with 30 a second.
fn bucket(retry_after: Option<&'static str>) -> Arc<Script> {
    let level: Mutex<Option<(Instant, f64)>> = Mutex::new(None);
    Script::new(move |_| {
        let mut level = level.lock().unwrap();
        let (since, tokens) = level.unwrap_or((Instant::now(), 30.0));
        let tokens = (tokens + since.elapsed().as_secs_f64() * 30.0).min(30.0);
        let play = match (tokens >= 1.0, retry_after) {
            (true, _) => status(200),
            (false, Some(seconds)) => with(429, "retry-after", seconds),
            (false, None) => status(429),
        };
        *level = Some((Instant::now(), if tokens >= 1.0 { tokens - 1.0 } else { tokens }));
        Play::After(Duration::from_millis(50), Box::new(play))
    })
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_a_rate_limit_loses_nothing() {
    for retry_after in [None, Some("2")] {
        let script = bucket(retry_after);
        let client = client(&script);
        let started = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..600 {
            let client = client.clone();
            calls.spawn(async move { client.send(&of_class(Class::Import), classify).await });
        }
        let mut done = 0;
        while let Some(end) = calls.join_next().await {
            end.unwrap().unwrap();
            done += 1;
        }
        let stats = client.stats();
        assert_eq!(done, 600);
        assert_eq!(stats.requests, script.count() as u64);
        assert_eq!(stats.requests, 600 + stats.throttled);
        assert_eq!(stats.repetitions, stats.throttled);
        assert!(stats.throttled > 0 && stats.throttled < 600, "{stats:?}");
        assert!(started.elapsed() < 100 * SECOND, "{:?} {stats:?}", started.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_first_429_uploads_go_out_at_the_pace_that_the_server_takes() {
    for retry_after in [None, Some("1")] {
        let script = bucket(retry_after);
        let client = client(&script);
        let started = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..1000 {
            let client = client.clone();
            calls.spawn(async move { client.send(&of_class(Class::Import), classify).await });
        }
        while let Some(end) = calls.join_next().await {
            end.unwrap().unwrap();
        }
        let (stats, least) = (client.stats(), (1000 - 30) * SECOND / 30);
        assert!(started.elapsed() <= least.mul_f64(1.05), "{:?} {stats:?}", started.elapsed());
        assert!(stats.throttled <= 24 + 10, "{stats:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_429_stops_its_class_and_no_other_and_nobody_comes_back_in_a_bunch() {
    // The fifth request is throttled; those under way with it are answered.
    let script = Script::new(|request| {
        let play = if request == 4 { with(429, "retry-after", "30") } else { status(200) };
        Play::After(Duration::from_millis(100), Box::new(play))
    });
    let client = client(&script);
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let client = client.clone();
        calls.spawn(async move { client.send(&of_class(Class::Import), classify).await });
    }
    tokio::time::sleep(SECOND).await;
    let before = script.count();
    assert!(before <= 24 + 4, "{before} of 200 were sent before the pause");
    client.send(&of_class(Class::Control), classify).await.unwrap();
    assert_eq!(script.count(), before + 1);
    while let Some(end) = calls.join_next().await {
        end.unwrap().unwrap();
    }
    let times = script.times();
    let after = &times[before + 1..];
    assert!(after.iter().all(|time| *time >= 30 * SECOND + Duration::from_millis(100)), "{after:?}");
    // A window's worth comes back one by one, over the better part of a second.
    let first = *after.iter().min().unwrap();
    let burst = after.iter().filter(|time| **time < first + Duration::from_millis(100)).count();
    assert!(burst <= 8, "{burst} at once: {after:?}");
    assert_eq!(script.count(), 202);
    assert_eq!(client.stats().throttled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_patience_is_not_waited_for_by_anybody() {
    let script = Script::new(|_| with(429, "retry-after", "4000000000000"));
    let client = client(&script);
    let _ = client.send(&of_class(Class::Jobs), classify).await.unwrap_err();
    let started = Instant::now();
    let end = client.send(&of_class(Class::Jobs), classify).await.unwrap_err();
    assert!(
        matches!(&end, Failure::Exhausted { attempts: 0, cause: Cause::Throttled(_), by_deadline: false, .. }),
        "{end:?}"
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn standing_in_the_queue_costs_no_patience() {
    // Each request takes 10 s and every fourth is refused once; 80 calls through a window of 8 take far more than 30 s.
    let script = Script::new(|request| {
        let code = if request % 4 == 0 { 503 } else { 200 };
        Play::After(10 * SECOND, Box::new(status(code)))
    });
    let client = client(&script);
    let started = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..80 {
        let client = client.clone();
        let mut call = of_class(Class::Runs);
        call.patience = Some(90 * SECOND);
        calls.spawn(async move { client.send(&call, classify).await });
    }
    while let Some(end) = calls.join_next().await {
        end.unwrap().unwrap();
    }
    assert!(started.elapsed() > 100 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn uploads_in_memory_are_bounded_and_streamed_ones_hardly_count() {
    const MEBI: usize = 1024 * 1024;
    let upload = |content| {
        let mut call = of_class(Class::Import);
        call.body = Body::Multipart(vec![Part { name: "content", content }]);
        call
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.bin");
    std::fs::File::create(&path).unwrap().set_len(10 * MEBI as u64).unwrap();
    let digest = Digest::of(&vec![0; 10 * MEBI]);
    let file = PartContent::File { path, length: 10 * MEBI as u64, digest };
    for (content, at_once) in [
        (PartContent::Bytes(vec![0; 10 * MEBI].into()), 3),
        (PartContent::Bytes(vec![0; 15 * MEBI].into()), 2),
        (PartContent::Bytes(vec![0; 40 * MEBI].into()), 1),
        (PartContent::Bytes(vec![0; MEBI].into()), 12),
        (file, 12),
    ] {
        let script = Script::new(|_| Play::After(SECOND, Box::new(status(200))));
        let client = client(&script);
        let mut calls = JoinSet::new();
        for _ in 0..12 {
            let (client, call) = (client.clone(), upload(content.clone()));
            calls.spawn(async move { client.send(&call, classify).await });
        }
        while let Some(end) = calls.join_next().await {
            end.unwrap().unwrap();
        }
        assert_eq!(script.most_under_way.load(SeqCst), at_once, "{:?}", at_once);
        assert_eq!(script.count(), 12);
    }
}
