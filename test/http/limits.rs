//! How much is sent at the same time, and what a 429 does to the others.

use super::script::*;
use databricks_deploy::digest::Digest;
use databricks_deploy::http::{Body, Cause, Class, Failure, Part, PartContent, Repeat};
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn of_class(class: Class) -> databricks_deploy::http::Call {
    databricks_deploy::http::Call { class, ..call(Repeat::LookFirst) }
}

/// So many calls, one after the other.
async fn open_window(client: &databricks_deploy::http::Client, class: Class, calls: usize) {
    for _ in 0..calls {
        client.send(&of_class(class), classify).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_class_exceeds_its_window_and_none_waits_for_another() {
    let classes = [(Class::Import, 28), (Class::Look, 24), (Class::Jobs, 8), (Class::Runs, 8), (Class::Control, 8)];
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
        let silent = window..2 * window;
        let script = Script::new(move |request| if silent.contains(&request) { Play::Silence } else { status(200) });
        let client = client(&script);
        open_window(&client, full, window).await;
        let mut storm = JoinSet::new();
        for _ in 0..window * 3 {
            let client = client.clone();
            storm.spawn(async move { client.send(&of_class(full), classify).await });
        }
        tokio::time::sleep(SECOND).await;
        assert_eq!(script.count(), 2 * window);
        for (class, _) in classes {
            let call = of_class(class);
            let passes = tokio::time::timeout(SECOND, client.send(&call, classify)).await.is_ok();
            assert_eq!(passes, class != full, "{class:?} beside a full {full:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_opens_as_answers_come_in() {
    let under_way = async |play: fn(usize) -> Play, seconds: u64| {
        let script = Script::new(play);
        let client = client(&script);
        let _calls: JoinSet<_> = (0..100)
            .map(|_| {
                let client = client.clone();
                async move { client.send(&of_class(Class::Import), classify).await }
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut counts = vec![script.under_way.load(SeqCst)];
        for _ in 0..seconds {
            tokio::time::sleep(SECOND).await;
            counts.push(script.under_way.load(SeqCst));
        }
        counts
    };
    assert_eq!(under_way(|_| Play::After(SECOND, Box::new(status(200))), 3).await, [12, 24, 28, 28]);
    // It is not opened by a server that is silent, not well, or has nothing left to give.
    assert_eq!(under_way(|_| Play::Silence, 3).await, [12; 4]);
    for play in [(|_| Play::After(SECOND, Box::new(status(429)))) as fn(usize) -> Play, |_| {
        Play::After(SECOND, Box::new(status(503)))
    }] {
        assert_eq!(*under_way(play, 60).await.iter().max().unwrap(), 12);
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
    assert!(before <= 28 + 4, "{before} of 200 were sent before the pause");
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

/// When the requests of two calls arrive that are sent together; each is answered after so many milliseconds.
async fn arrivals(plays: impl Fn(usize) -> (u64, u16) + Send + Sync + 'static) -> Vec<Duration> {
    let script = Script::new(move |request| {
        let (milliseconds, code) = plays(request);
        Play::After(Duration::from_millis(milliseconds), Box::new(status(code)))
    });
    let client = client(&script);
    let calls: JoinSet<_> = (0..2)
        .map(|_| {
            let client = client.clone();
            async move { client.send(&of_class(Class::Runs), classify).await }
        })
        .collect();
    assert!(calls.join_all().await.iter().all(Result::is_ok));
    script.times()
}

#[tokio::test(start_paused = true)]
async fn two_429s_on_what_was_sent_together_are_one() {
    let times = arrivals(|request| match request {
        0 | 2 => (50, 429),
        1 => (500, 429),
        _ => (50, 200),
    })
    .await;
    // Neither is the first pause longer for the one that came late, nor the second one as long as a third.
    assert!(times.len() == 5 && times[2] >= SECOND && times[3] < SECOND + SECOND / 2, "{times:?}");
    assert!(times[4] >= times[2] + 2 * SECOND && times[4] < times[2] + 3 * SECOND, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_success_of_before_a_429_does_not_make_the_next_pause_shorter() {
    let times = arrivals(|request| match request {
        0 => (50, 429),
        // It was sent before the gate was closed.
        1 => (100, 200),
        2 => (50, 429),
        _ => (50, 200),
    })
    .await;
    assert!(times.len() == 4 && times[3] >= times[2] + 2 * SECOND, "{times:?}");
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
        open_window(&client, Class::Import, 12).await;
        let mut calls = JoinSet::new();
        for _ in 0..12 {
            let (client, call) = (client.clone(), upload(content.clone()));
            calls.spawn(async move { client.send(&call, classify).await });
        }
        while let Some(end) = calls.join_next().await {
            end.unwrap().unwrap();
        }
        assert_eq!(script.most_under_way.load(SeqCst), at_once, "{:?}", at_once);
        assert_eq!(script.count(), 12 + 12);
    }
}
