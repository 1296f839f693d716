//! What is sent again, and what never is.

use super::script::*;
use databricks_deploy::digest::Digest;
use databricks_deploy::http::{Body, Cause, Client, Failure, Part, PartContent, Repeat, Verdict, WireError};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

#[tokio::test(start_paused = true)]
async fn every_status_under_every_verdict_is_repeated_only_where_it_may_be() {
    use Verdict::{Accept, Fail, Foreign, LoginAgain, Retry, RetryUncertain};
    let verdicts = [Accept, Retry, RetryUncertain, LoginAgain, Foreign, Fail];
    for code in 100..600 {
        for repeat in REPEATS {
            for verdict in &verdicts {
                let script = Script::new(move |request| status(if request == 0 { code } else { 200 }));
                let signer = Arc::new(Signer::default());
                signer.can_renew.store(true, SeqCst);
                let client = Client::new(options(), script.clone(), signer.clone());
                let first = verdict.clone();
                let understand = move |answer: &databricks_deploy::http::Answer| {
                    if answer.attempts == 1 { first.clone() } else { Verdict::Accept }
                };
                let end = client.send(&call(repeat), understand).await;

                let case = format!("{code} {repeat:?} {verdict:?}: {end:?}");
                let uncertain = *verdict == Verdict::RetryUncertain && repeat == Repeat::LookFirst;
                let repeated = !uncertain && !matches!(verdict, Accept | Foreign | Fail);
                assert_eq!(script.count(), 1 + usize::from(repeated), "{case}");
                match &end {
                    Ok(answer) => assert_eq!(answer.status, if repeated { 200 } else { code }, "{case}"),
                    Err(Failure::Refused(answer)) => {
                        // It is the very first answer of this server.
                        assert!(matches!(verdict, Fail | Foreign) && answer.status == code, "{case}")
                    }
                    Err(Failure::Uncertain { cause: Cause::Answer(answer), .. }) => {
                        assert!(uncertain && answer.status == code, "{case}");
                    }
                    Err(_) => panic!("{case}"),
                }
                let stats = client.stats();
                assert_eq!(stats.requests, script.count() as u64, "{case}");
                assert_eq!(stats.repetitions, u64::from(repeated), "{case}");
                assert_eq!(stats.throttled, u64::from(code == 429), "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_answer_is_final_until_the_server_has_proved_itself() {
    let understand = |answer: &databricks_deploy::http::Answer| match answer.status {
        200 => Verdict::Accept,
        _ => Verdict::Foreign,
    };
    for repeat in REPEATS {
        // The very first answer, then one after an answer that was accepted.
        let script = Script::new(|request| status(if request % 2 == 0 { 299 } else { 200 }));
        let client = client(&script);
        let end = client.send(&call(repeat), understand).await;
        assert!(matches!(&end, Err(Failure::Refused(answer)) if answer.status == 299), "{end:?}");
        assert_eq!(client.send(&call(repeat), understand).await.unwrap().attempts, 1);
        let end = client.send(&call(repeat), understand).await;
        match repeat {
            // It may have had its effect.
            Repeat::LookFirst => assert!(matches!(&end, Err(Failure::Uncertain { .. })), "{end:?}"),
            Repeat::Always | Repeat::ByToken => assert_eq!(end.unwrap().attempts, 2),
        }
        // Who signs with something else has to see for himself, and clones have seen what their like has.
        let script = Script::new(|request| status(if request == 0 { 200 } else { 299 }));
        let client = Client::new(options(), script.clone(), Arc::new(Signer::default()));
        client.send(&call(repeat), understand).await.unwrap();
        let end = client.sibling(Arc::new(Signer::default())).send(&call(repeat), understand).await;
        assert!(matches!(&end, Err(Failure::Refused(_))), "{end:?}");
        let end = client.until(options().deadline).send(&call(repeat), understand).await;
        assert!(!matches!(&end, Err(Failure::Refused(_))), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_answer_that_stays_ends_the_call_with_the_last_one() {
    let script = Script::new(|request| status(if request == 0 { 200 } else { 299 }));
    let client = client(&script);
    let understand = |answer: &databricks_deploy::http::Answer| match answer.status {
        200 => Verdict::Accept,
        _ => Verdict::Foreign,
    };
    client.send(&call(Repeat::Always), understand).await.unwrap();
    let end = client.send(&call(Repeat::Always), understand).await.unwrap_err();
    assert!(
        matches!(&end, Failure::Exhausted { cause: Cause::Answer(answer), uncertain: true, .. } if answer.status == 299),
        "{end:?}"
    );
    assert!(script.count() > 10, "{}", script.count());
}

#[tokio::test(start_paused = true)]
async fn the_statuses_that_databricks_means_as_passing_are_repeated() {
    use databricks_deploy::databricks::error::classify;
    for repeat in REPEATS {
        let mut repeated = Vec::new();
        for code in 200..600 {
            let script = Script::new(move |request| status(if request == 0 { code } else { 200 }));
            let _ = client(&script).send(&call(repeat), classify).await;
            if script.count() > 1 {
                repeated.push(code);
            }
        }
        match repeat {
            Repeat::LookFirst => assert_eq!(repeated, [429, 503]),
            _ => assert_eq!(repeated, [429, 500, 502, 503, 504]),
        }
    }
}

/// One bad end, then success.
async fn after(error: fn() -> Play, repeat: Repeat) -> (usize, Result<u16, Failure>) {
    let script = Script::new(move |request| if request == 0 { error() } else { status(200) });
    let end = client(&script).send(&call(repeat), classify).await;
    (script.count(), end.map(|answer| answer.status))
}

#[tokio::test(start_paused = true)]
async fn what_did_not_arrive_is_always_repeated() {
    for repeat in REPEATS {
        let name = || Play::Error(WireError::Name("no such name".into()));
        assert!(matches!(after(name, repeat).await, (2, Ok(200))));
        let connect = || Play::Error(WireError::Connect("refused".into()));
        assert!(matches!(after(connect, repeat).await, (2, Ok(200))));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_arrived_is_repeated_only_where_that_does_no_harm() {
    let broken = || Play::Error(WireError::Broken("reset".into()));
    let silent = || Play::Silence;
    for repeat in [Repeat::Always, Repeat::ByToken] {
        assert!(matches!(after(broken, repeat).await, (2, Ok(200))));
        assert!(matches!(after(silent, repeat).await, (2, Ok(200))));
    }
    let (count, end) = after(broken, Repeat::LookFirst).await;
    assert!(matches!((count, &end), (1, Err(Failure::Uncertain { cause: Cause::Broken(_), .. }))), "{end:?}");
    let (count, end) = after(silent, Repeat::LookFirst).await;
    assert!(matches!((count, &end), (1, Err(Failure::Uncertain { cause: Cause::Timeout(_), .. }))), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn what_repetition_does_not_cure_ends_at_once() {
    for repeat in REPEATS {
        let (count, end) = after(|| Play::Error(WireError::Tls("UnknownIssuer".into())), repeat).await;
        assert!(matches!((count, &end), (1, Err(Failure::Fatal { cause: Cause::Tls(_), .. }))), "{end:?}");
        let (count, end) = after(|| Play::Error(WireError::LocalFile("gone".into())), repeat).await;
        assert!(matches!((count, &end), (1, Err(Failure::Fatal { cause: Cause::LocalFile(_), .. }))), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_whole_and_built_anew_for_each_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.bin");
    std::fs::write(&path, vec![7; 200_000]).unwrap();
    let script = Script::new(|request| status(if request < 2 { 503 } else { 200 }));
    let mut call = call(Repeat::Always);
    call.path = "/api/2.0/workspace/a b".to_owned();
    call.query = vec![("path", "/ü&x".to_owned())];
    call.headers = vec![("x-extra", "1".to_owned())];
    call.body = Body::Multipart(vec![
        Part { name: "path", content: PartContent::Text("/Workspace/x".into()) },
        Part { name: "content", content: PartContent::Bytes("bytes".into()) },
        Part { name: "file", content: PartContent::File { path, length: 200_000, digest: Digest::of(&[7; 200_000]) } },
    ]);
    assert_eq!(client(&script).send(&call, classify).await.unwrap().attempts, 3);

    let seen = script.seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    let mut boundaries = Vec::new();
    for request in seen.iter() {
        assert_eq!(
            (request.method.as_str(), request.target.as_str()),
            ("POST", "/api/2.0/workspace/a%20b?path=%2F%C3%BC%26x")
        );
        assert_eq!(request.header("user-agent"), "test/1.0");
        assert_eq!(request.header("accept"), "application/json");
        assert_eq!(request.header("x-extra"), "1");
        assert!(request.headers["authorization"].is_sensitive());
        let boundary = request.header("content-type").strip_prefix("multipart/form-data; boundary=").unwrap();
        let mut expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Workspace/x\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\
             Content-Type: application/octet-stream\r\n\r\nbytes\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        expected.extend(vec![7; 200_000]);
        expected.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
        assert!(request.body == expected);
        assert_eq!(request.header("content-length"), expected.len().to_string());
        boundaries.push(boundary.to_owned());
    }
    boundaries.dedup();
    assert_eq!(boundaries.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_written_is_not_sent() {
    let script = Script::new(|_| status(200));
    let mut call = call(Repeat::Always);
    call.headers = vec![("x-secret", "a\nb".to_owned())];
    let end = client(&script).send(&call, classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Invalid(_), .. }), "{end:?}");
    assert!(!end.to_string().contains("a\nb"));
    assert_eq!(script.count(), 0);
}
