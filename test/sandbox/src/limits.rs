//! Rate limits: a token bucket a class of endpoint, in tokio time.

use crate::faults::On;
use http::Method;
use std::time::Duration;
use tokio::time::Instant;

/// A limit on some endpoints together. The real workspace has 30 imports a second, 100 `runs/get`, 20 `run-now`
/// (the vendor's "limits" page); whether it sends `Retry-After` is not documented.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Which requests share the bucket.
    pub on: On,
    /// How many requests a rested bucket lets pass at once.
    pub burst: u32,
    /// How many requests a second it regains; more than 0.
    pub per_second: f64,
    /// Whether a refusal says in `Retry-After` (whole seconds, at least 1) when to come again.
    pub retry_after: bool,
}

/// A limit, and what is left in its bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    limit: RateLimit,
    level: f64,
    at: Instant,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    pub(crate) retry_after: Option<u64>,
}

impl Bucket {
    pub(crate) fn new(limit: RateLimit, now: Instant) -> Bucket {
        Bucket { level: f64::from(limit.burst), limit, at: now }
    }

    /// Takes one from the bucket, or tells that it is empty. A refused request costs nothing.
    fn take(&mut self, now: Instant) -> Result<(), Throttled> {
        let regained = now.saturating_duration_since(self.at).as_secs_f64() * self.limit.per_second;
        self.at = now;
        self.level = (self.level + regained).min(f64::from(self.limit.burst));
        // Paused time advances in whole milliseconds, so that a bucket waited for exactly may be a hair short.
        if self.level >= 1.0 - 1e-9 {
            self.level -= 1.0;
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64((1.0 - self.level) / self.limit.per_second).unwrap_or(Duration::MAX);
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(Throttled { retry_after: self.limit.retry_after.then_some(whole.max(1)) })
    }
}

/// Asks every bucket that covers the request; the first that refuses ends it.
pub(crate) fn admit(buckets: &mut [Bucket], method: &Method, path: &str, now: Instant) -> Result<(), Throttled> {
    for bucket in buckets.iter_mut().filter(|bucket| bucket.limit.on.covers(method, path)) {
        bucket.take(now)?;
    }
    Ok(())
}
