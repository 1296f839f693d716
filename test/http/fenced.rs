//! What a fence does to requests: none is sent while it is closed, and none stays under way.

use super::script::*;
use databricks_deploy::http::{
    Authorize, Call, Cause, Client, Failure, Fence, Method, Repeat, Signing, Wire, WireError,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// A client behind a fence that closes in 110 s, of a server whose first answer takes so long.
fn fenced(first: Duration) -> (Arc<Script>, Client, Fence) {
    let script = Script::new(move |request| match request {
        0 => Play::After(first, Box::new(status(200))),
        _ => status(200),
    });
    let fence = Fence::until(Instant::now() + 110 * SECOND);
    let options = databricks_deploy::http::Options { answer_timeout: 600 * SECOND, ..options() };
    let client = Client::new(options, script.clone(), Arc::new(Signer::default())).within(fence.clone());
    (script, client, fence)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_under_way_when_the_fence_closes_is_broken_off() {
    for repeat in REPEATS {
        let (script, client, fence) = fenced(200 * SECOND);
        let began = Instant::now();
        let sending = tokio::spawn(async move { client.send(&call(repeat), classify).await });
        sleep(110 * SECOND - Duration::from_millis(1)).await;
        assert_eq!(script.under_way.load(SeqCst), 1);
        sleep(Duration::from_millis(2)).await;
        assert_eq!(script.under_way.load(SeqCst), 0);
        sleep(100 * SECOND).await;
        fence.move_to(Instant::now() + 110 * SECOND);
        let end = sending.await.unwrap();
        match repeat {
            // It may have arrived.
            Repeat::LookFirst => {
                assert!(matches!(&end, Err(Failure::Uncertain { cause: Cause::BrokenOff, .. })), "{end:?}");
                assert_eq!(script.count(), 1);
            }
            Repeat::Always | Repeat::ByToken => {
                assert_eq!(end.unwrap().attempts, 2);
                assert!(script.times()[1] > 209 * SECOND && began.elapsed() < 212 * SECOND, "{:?}", script.times());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_is_moved_in_time_disturbs_nothing() {
    let (script, client, fence) = fenced(500 * SECOND);
    let sending = tokio::spawn(async move { client.send(&call(Repeat::LookFirst), classify).await });
    for _ in 0..5 {
        sleep(100 * SECOND - Duration::from_millis(1)).await;
        fence.move_to(Instant::now() + 110 * SECOND);
    }
    assert_eq!(sending.await.unwrap().unwrap().attempts, 1);
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_fence_that_falls_breaks_off_for_good() {
    let (script, client, fence) = fenced(50 * SECOND);
    let sending = tokio::spawn(async move { client.send(&call(Repeat::Always), classify).await });
    sleep(SECOND).await;
    fence.fall();
    let end = sending.await.unwrap();
    assert!(matches!(&end, Err(Failure::Fatal { cause: Cause::Fenced, .. })), "{end:?}");
    assert_eq!((script.count(), script.under_way.load(SeqCst)), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn looking_is_not_broken_off() {
    let (script, client, _) = fenced(200 * SECOND);
    let look = Call { method: Method::GET, ..call(Repeat::Always) };
    assert_eq!(client.send(&look, classify).await.unwrap().attempts, 1);
    assert_eq!(script.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_what_was_broken_off_is_no_impatience() {
    // Each attempt is broken off after longer than the patience, which trouble of the server's would have used up.
    let script = Script::new(|request| if request < 2 { Play::Silence } else { status(200) });
    let fence = Fence::until(Instant::now() + 400 * SECOND);
    let options = databricks_deploy::http::Options { answer_timeout: 600 * SECOND, ..options() };
    let client = Client::new(options, script.clone(), Arc::new(Signer::default())).within(fence.clone());
    let sending = tokio::spawn(async move { client.send(&call(Repeat::Always), classify).await });
    for _ in 0..2 {
        sleep(450 * SECOND).await;
        fence.move_to(Instant::now() + 400 * SECOND);
    }
    assert_eq!(sending.await.unwrap().unwrap().attempts, 3);
}

/// Takes so long to sign the first request.
struct Slow {
    first: Duration,
    signed: AtomicBool,
}

impl Authorize for Slow {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async move {
            if !self.signed.swap(true, SeqCst) {
                sleep(self.first).await;
            }
            Ok(reqwest::header::HeaderMap::new())
        })
    }

    fn refused(&self, _: &reqwest::header::HeaderMap) -> bool {
        false
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_before_the_fence_closed_is_no_uncertain_end() {
    for repeat in REPEATS {
        let script = Script::new(|_| status(200));
        let fence = Fence::until(Instant::now() + 110 * SECOND);
        let signer = Slow { first: 120 * SECOND, signed: AtomicBool::new(false) };
        let client = Client::new(options(), script.clone(), Arc::new(signer)).within(fence.clone());
        let sending = tokio::spawn(async move { client.send(&call(repeat), classify).await });
        sleep(150 * SECOND).await;
        assert_eq!(script.count(), 0);
        fence.move_to(Instant::now() + 110 * SECOND);
        let end = sending.await.unwrap();
        assert_eq!(end.map(|answer| answer.attempts).map_err(|failure| failure.to_string()), Ok(1));
        assert_eq!(script.count(), 1);
    }
}

/// Sends nothing before it is told that there is a connection.
struct Connecting {
    connected: Mutex<Option<oneshot::Receiver<()>>>,
    sent: AtomicBool,
}

impl Wire for Connecting {
    fn carry<'a>(
        &'a self,
        _: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        let connected = self.connected.lock().unwrap().take().unwrap();
        Box::pin(async move {
            connected.await.unwrap();
            self.sent.store(true, SeqCst);
            std::future::pending().await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_wakes_up_goes_no_further_with_what_it_was_about_to_send() {
    let (connect, connected) = oneshot::channel();
    let wire = Arc::new(Connecting { connected: Mutex::new(Some(connected)), sent: AtomicBool::new(false) });
    let fence = Fence::until(Instant::now() + 110 * SECOND);
    let client = Client::new(options(), wire.clone(), Arc::new(Signer::default())).within(fence);
    let sending = tokio::spawn(async move { client.send(&call(Repeat::LookFirst), classify).await });
    sleep(SECOND).await;
    // Both are there when it wakes up: the connection, and the end of the fence.
    connect.send(()).unwrap();
    tokio::time::advance(200 * SECOND).await;
    let end = sending.await.unwrap();
    assert!(matches!(&end, Err(Failure::Uncertain { cause: Cause::BrokenOff, .. })), "{end:?}");
    assert!(!wire.sent.load(SeqCst));
}
