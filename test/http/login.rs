//! Signing anew.

use super::script::*;
use databricks_deploy::http::{Cause, Client, Failure, Repeat};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

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
