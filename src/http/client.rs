//! The client: signs, sends, waits its turn, and repeats what may be repeated.

use super::call::{Answer, Call, Failure, Verdict};
use super::wire::Wire;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The future of [`Authorize::sign`].
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<reqwest::header::HeaderMap, String>> + Send + 'a>>;

/// Signs requests.
pub trait Authorize: Send + Sync {
    /// The header fields that a request must carry, marked sensitive. An error is the whole reason why there are none.
    fn sign(&self) -> Signing<'_>;

    /// The server refused what [`Authorize::sign`] gave last. Whether signing anew could help: a fixed token says no.
    fn refused(&self) -> bool;
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme and authority.
    pub base: url::Url,
    /// The User-Agent.
    pub user_agent: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the server may stay silent; an upload's time comes on top, by its size.
    pub answer_timeout: Duration,
    /// How long transient failures of one call are borne.
    pub patience: Duration,
    /// When everything ends.
    pub deadline: tokio::time::Instant,
    /// Seeds the jitter.
    pub seed: u64,
}

/// What a client has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent, repetitions included.
    pub requests: u64,
    /// Requests that were repetitions.
    pub repetitions: u64,
    /// Answers 429.
    pub throttled: u64,
}

/// Sends calls to one host. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    _options: Arc<Options>,
}

impl Client {
    /// A client that sends over `wire` and signs with `authorize`.
    pub fn new(options: Options, wire: Arc<dyn Wire>, authorize: Arc<dyn Authorize>) -> Client {
        let _ = (wire, authorize);
        Client { _options: Arc::new(options) }
    }

    /// Sends `call`, repeats it as it may be repeated, and returns the first answer that `classify` accepts.
    pub async fn send(&self, call: &Call, classify: impl Fn(&Answer) -> Verdict) -> Result<Answer, Failure> {
        let _ = (call, classify);
        std::future::pending().await
    }

    /// The same client with another deadline: what must still be done after the first one has passed.
    #[must_use]
    pub fn until(&self, deadline: tokio::time::Instant) -> Client {
        let _ = deadline;
        self.clone()
    }

    /// What was sent so far, by all clones.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
