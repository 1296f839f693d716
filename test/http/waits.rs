//! How long is waited before the next attempt, and when no more is tried.

use super::script::*;
use databricks_deploy::http::{Answer, Call, Cause, Class, Client, Failure, Repeat, WireError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// Calls that a server sent away until one moment come back within this time after it.
const SPREAD: Duration = Duration::from_millis(801);

/// The time between the first answer and the second request.
async fn pause_after(class: Class, first: fn() -> Play) -> Duration {
    let script = Script::new(move |request| if request == 0 { first() } else { status(200) });
    client(&script).send(&Call { class, ..call(Repeat::LookFirst) }, classify).await.unwrap();
    script.times()[1]
}

/// In the one a 429 stops all calls, in the other each waits for itself.
const CLASSES: [Class; 2] = [Class::Import, Class::Control];

fn dated(code: u16, date: &str, retry: &str) -> Play {
    Play::Answer(code, vec![("date", date.to_owned()), ("retry-after", retry.to_owned())], "{}")
}

#[tokio::test(start_paused = true)]
async fn the_server_is_asked_again_no_earlier_than_it_wants() {
    for (play, asked) in [
        ((|| with(503, "retry-after", "7")) as fn() -> Play, 7),
        (|| with(429, "retry-after", "7"), 7),
        (|| with(429, "retry-after", " 299 "), 299),
        (|| dated(503, "Sun, 22 Nov 2026 11:59:30 GMT", "Sun, 22 Nov 2026 12:00:00 GMT"), 30),
        (|| dated(429, "Sun, 22 Nov 2026 11:59:30 GMT", "Sun, 22 Nov 2026 12:00:00 GMT"), 30),
    ] {
        for class in CLASSES {
            let pause = pause_after(class, play).await;
            assert!(pause >= asked * SECOND && pause < asked * SECOND + SPREAD, "{pause:?} for {asked} s");
        }
    }
    // Nothing said by a 429: all of the class wait for the first step, which is a second; who waits for himself, for a part
    // of it.
    for play in [
        (|| status(429)) as fn() -> Play,
        || with(429, "retry-after", "soon"),
        || with(429, "retry-after", "0"),
        || with(429, "retry-after", "-1"),
        || with(429, "retry-after", "99999999999999999999"),
        || dated(429, "Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 11:00:00 GMT"),
    ] {
        let pause = pause_after(Class::Import, play).await;
        assert!(pause >= SECOND && pause < SECOND + SPREAD, "{pause:?}");
        assert!(pause_after(Class::Control, play).await < SECOND);
    }
    // A date without the server's own clock beside it, or in its past, says nothing.
    for play in [
        (|| with(503, "retry-after", "Sun, 22 Nov 2026 12:00:00 GMT")) as fn() -> Play,
        || dated(503, "Sun, 22 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 11:00:00 GMT"),
        || with(503, "retry-after", "0"),
        || with(503, "retry-after", "-1"),
        || status(503),
    ] {
        for class in CLASSES {
            assert!(pause_after(class, play).await < SECOND);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waits_grow_are_jittered_and_end_with_the_patience() {
    let script = Script::new(|_| status(503));
    let started = Instant::now();
    let end = client(&script).send(&call(Repeat::LookFirst), classify).await.unwrap_err();
    let Failure::Exhausted {
        attempts,
        elapsed,
        cause: Cause::Answer(Answer { status: 503, .. }),
        by_deadline: false,
        ..
    } = end
    else {
        panic!("{end:?}")
    };
    let times = script.times();
    let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, limit) in waits.iter().zip([1, 2, 4, 8, 10, 10].into_iter().chain(std::iter::repeat(10))) {
        assert!(*wait < limit * SECOND, "{waits:?}");
    }
    assert!(
        waits.iter().any(|wait| *wait > 8 * SECOND) && waits[4..].iter().any(|wait| *wait < 2 * SECOND),
        "{waits:?}"
    );
    // It ends where the next wait would go beyond the patience.
    assert!(elapsed <= 300 * SECOND && elapsed > 290 * SECOND, "{elapsed:?}");
    assert_eq!(started.elapsed(), elapsed);
    assert_eq!(attempts as usize, times.len());

    // The same seed gives the same waits, another seed others.
    let run = |seed| async move {
        let script = Script::new(|_| status(503));
        let options = databricks_deploy::http::Options { seed, ..options() };
        let _ = Client::new(options, script.clone(), Arc::new(Signer::default()))
            .send(&call(Repeat::Always), classify)
            .await;
        script.times()
    };
    assert_eq!(run(42).await, times);
    assert_ne!(run(43).await, times);
}

#[tokio::test(start_paused = true)]
async fn a_call_has_its_own_patience_and_more_than_that_is_not_waited() {
    let script = Script::new(|_| status(503));
    let mut short = call(Repeat::Always);
    short.patience = Some(20 * SECOND);
    let end = client(&script).send(&short, classify).await.unwrap_err();
    assert!(
        matches!(end, Failure::Exhausted { elapsed, .. } if elapsed <= 20 * SECOND && elapsed > 10 * SECOND),
        "{end:?}"
    );

    // Asked for more than it has, it gives up at once.
    for code in [429, 503] {
        let script = Script::new(move |_| with(code, "retry-after", "301"));
        let end = client(&script).send(&call(Repeat::Always), classify).await.unwrap_err();
        assert!(
            matches!(
                &end,
                Failure::Exhausted {
                    elapsed: Duration::ZERO,
                    attempts: 1,
                    cause: Cause::Answer(_),
                    by_deadline: false,
                    ..
                }
            ),
            "{end:?}"
        );
        assert_eq!(end.to_string(), format!("POST /api/2.0/thing has no answer after 1 attempt in 0s: status {code}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answered_is_given_up_sooner() {
    let script = Script::new(|_| Play::Error(WireError::Name("no such name".into())));
    let started = Instant::now();
    let end = client(&script).send(&call(Repeat::LookFirst), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Name(_), .. }), "{end:?}");
    assert!(script.count() > 2 && started.elapsed() <= 10 * SECOND);

    let script = Script::new(|_| Play::Error(WireError::Connect("refused".into())));
    let started = Instant::now();
    let end = client(&script).send(&call(Repeat::LookFirst), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Exhausted { cause: Cause::Connect(_), by_deadline: false, .. }), "{end:?}");
    assert!(script.count() > 3 && started.elapsed() <= 30 * SECOND);

    // Once it has answered, its name is right.
    let script = Script::new(|request| match request {
        0 => status(200),
        1..=20 => Play::Error(WireError::Name("no such name".into())),
        _ => status(200),
    });
    let client = client(&script);
    client.send(&call(Repeat::LookFirst), classify).await.unwrap();
    let started = Instant::now();
    client.send(&call(Repeat::LookFirst), classify).await.unwrap();
    assert!(started.elapsed() > 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_after_the_time_for_connection_answer_and_upload() {
    use databricks_deploy::http::Body;
    for (length, seconds) in [(0, 70), (99_999, 70), (1_000_000, 80)] {
        let script = Script::new(|_| Play::Silence);
        let started = Instant::now();
        let mut call = call(Repeat::LookFirst);
        call.body = Body::Json(vec![b' '; length].into());
        let end = client(&script).send(&call, classify).await.unwrap_err();
        assert!(matches!(&end, Failure::Uncertain { cause: Cause::Timeout(_), .. }), "{end:?}");
        assert_eq!(started.elapsed(), seconds * SECOND);
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_everything_and_says_so() {
    let with_time = |script: &Arc<Script>, seconds| client(script).until(Instant::now() + seconds * SECOND);

    // While it waits
    let script = Script::new(|_| status(503));
    let started = Instant::now();
    let end = with_time(&script, 20).send(&call(Repeat::LookFirst), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Exhausted { by_deadline: true, cause: Cause::Answer(_), .. }), "{end:?}");
    assert!(started.elapsed() <= 20 * SECOND);

    // While the server is silent
    for repeat in REPEATS {
        let script = Script::new(|_| Play::Silence);
        let started = Instant::now();
        let end = with_time(&script, 20).send(&call(repeat), classify).await.unwrap_err();
        match end {
            Failure::Uncertain { cause: Cause::Timeout(_), .. } => assert_eq!(repeat, Repeat::LookFirst),
            Failure::Exhausted { by_deadline: true, cause: Cause::Timeout(time), .. } => {
                assert!(repeat != Repeat::LookFirst && time == 20 * SECOND);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(started.elapsed(), 20 * SECOND);
    }

    // Before the first attempt; and another deadline helps
    let script = Script::new(|_| status(200));
    let late = with_time(&script, 0);
    let end = late.send(&call(Repeat::Always), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Exhausted { attempts: 0, by_deadline: true, cause: Cause::NoTime, .. }), "{end:?}");
    assert_eq!(script.count(), 0);
    late.until(Instant::now() + SECOND).send(&call(Repeat::Always), classify).await.unwrap();
    assert_eq!(late.stats().requests, 1);
}
