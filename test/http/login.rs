//! Signing anew.

use super::script::*;
use databricks_deploy::http::{Body, Cause, Client, Failure, Repeat};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_renewed_once_even_where_nothing_is_repeated_blindly() {
    for (refusals, can_renew, requests) in [(1, true, 2), (2, true, 2), (1, false, 1)] {
        let script = Script::new(move |request| status(if request < refusals { 401 } else { 200 }));
        let signer = Arc::new(Signer::default());
        signer.can_renew.store(can_renew, SeqCst);
        let client = Client::new(options(), script.clone(), signer.clone());
        let end = client.send(&call(Repeat::LookFirst), classify).await;
        assert_eq!(script.count(), requests);
        assert_eq!(signer.signed.load(SeqCst), requests);
        match end {
            Ok(answer) => assert!(refusals == 1 && can_renew && answer.status == 200),
            Err(Failure::Refused(answer)) => assert!((refusals == 2 || !can_renew) && answer.status == 401),
            Err(other) => panic!("{other:?}"),
        }
        let seen = script.seen.lock().unwrap();
        for (number, request) in seen.iter().enumerate() {
            assert_eq!(request.header("authorization"), format!("Bearer token-{number}"));
            assert_eq!(request.at, seen[0].at);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_credential_nothing_is_sent_and_the_reason_is_told() {
    let script = Script::new(|_| status(200));
    let signer = Arc::new(Signer::default());
    signer.broken.store(true, SeqCst);
    let end = Client::new(options(), script.clone(), signer).send(&call(Repeat::Always), classify).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Login(_), .. }), "{end:?}");
    assert_eq!(end.to_string(), "POST /api/2.0/thing: the token server says no");
    assert_eq!(script.count(), 0);
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_each_attempt_and_each_wait_and_nothing_that_may_be_secret() {
    let script = || {
        Script::new(|request| match request {
            0 => with(503, "x-request-id", "id-503"),
            1 => with(429, "set-cookie", "canary-cookie"),
            _ => Play::Answer(200, vec![("x-request-id", "bad\tid".to_owned())], "canary-answer"),
        })
    };
    let mut call = call(Repeat::Always);
    call.query = vec![("code", "canary-query".to_owned())];
    call.headers = vec![("x-extra", "canary-header".to_owned())];
    call.body = Body::Json("canary-body".into());
    // A place in the code that logs for the first time asks who listens, and remembers it. If another test's thread asks
    // in the very moment when this one begins to listen, it may remember that nobody does: so all of them are asked before.
    client(&script()).send(&call, classify).await.unwrap();

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    crate::support::hear_everything();
    let _guard = tracing::subscriber::set_default(subscriber);
    client(&script()).send(&call, classify).await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 5, "{log}");
    let line = "POST /api/2.0/thing attempt=1 status=503 milliseconds=0 bytes=2 request_id=\"id-503\"";
    assert!(lines[0].ends_with(line), "{log}");
    assert!(lines[1].contains("waiting: POST /api/2.0/thing attempt=1 milliseconds="), "{log}");
    assert!(lines[3].contains("waiting: POST /api/2.0/thing attempt=2 milliseconds="), "{log}");
    assert!(lines[4].ends_with("POST /api/2.0/thing attempt=3 status=200 milliseconds=0 bytes=13"), "{log}");
    assert!(!log.contains("canary") && !log.contains("token-") && !log.contains("bad"), "{log}");
}
