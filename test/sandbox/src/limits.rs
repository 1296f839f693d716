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

/// What becomes of a limit while it is in use. All times count from the first request that it covers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// From when on the bucket regains so many requests a second, in the order of time.
    pub changes: Vec<(Duration, f64)>,
    /// Somebody else who uses the same bucket.
    pub rival: Option<Rival>,
}

/// Somebody else's requests, all at once and again and again. What the bucket does not hold is refused to him too, and
/// he does not come back for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rival {
    /// How many requests he sends at a time.
    pub requests: u32,
    /// How long it is from one time to the next; more than zero.
    pub every: Duration,
}

/// A limit, and what is left in its bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    limit: RateLimit,
    conditions: Conditions,
    level: f64,
    at: Instant,
    /// When the first request came.
    first: Option<Instant>,
    /// How many of the changes have come.
    changed: usize,
    /// How often the rival has come.
    visits: u32,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttled {
    pub(crate) retry_after: Option<u64>,
}

impl Bucket {
    pub(crate) fn new(limit: RateLimit, conditions: Conditions, now: Instant) -> Bucket {
        Bucket { level: f64::from(limit.burst), limit, conditions, at: now, first: None, changed: 0, visits: 0 }
    }

    /// Takes one from the bucket, or tells that it is empty. A refused request costs nothing.
    fn take(&mut self, now: Instant) -> Result<(), Throttled> {
        let first = *self.first.get_or_insert(now);
        while let Some((moment, event)) = self.next_event(first).filter(|(moment, _)| *moment <= now) {
            self.fill(moment);
            match event {
                Event::Change(per_second) => {
                    self.limit.per_second = per_second;
                    self.changed += 1;
                }
                Event::Visit(requests) => {
                    self.level -= f64::from(requests).min(self.level.floor());
                    self.visits += 1;
                }
            }
        }
        self.fill(now);
        // Paused time advances in whole milliseconds, so that a bucket waited for exactly may be a hair short.
        if self.level >= 1.0 - 1e-9 {
            self.level -= 1.0;
            return Ok(());
        }
        let wait = Duration::try_from_secs_f64((1.0 - self.level) / self.limit.per_second).unwrap_or(Duration::MAX);
        let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Err(Throttled { retry_after: self.limit.retry_after.then_some(whole.max(1)) })
    }

    /// What it regains up to `now`.
    fn fill(&mut self, now: Instant) {
        let regained = now.saturating_duration_since(self.at).as_secs_f64() * self.limit.per_second;
        self.at = now;
        self.level = (self.level + regained).min(f64::from(self.limit.burst));
    }

    /// The change or visit that comes next.
    fn next_event(&self, first: Instant) -> Option<(Instant, Event)> {
        let change = self.conditions.changes.get(self.changed);
        let change = change.map(|(after, per_second)| (first + *after, Event::Change(*per_second)));
        let rival = self.conditions.rival;
        let visit = rival.map(|rival| (first + rival.every * (self.visits + 1), Event::Visit(rival.requests)));
        [change, visit].into_iter().flatten().min_by_key(|(moment, _)| *moment)
    }
}

/// What happens to a bucket but requests.
enum Event {
    Change(f64),
    Visit(u32),
}

/// Asks every bucket that covers the request; the first that refuses ends it.
pub(crate) fn admit(buckets: &mut [Bucket], method: &Method, path: &str, now: Instant) -> Result<(), Throttled> {
    for bucket in buckets.iter_mut().filter(|bucket| bucket.limit.on.covers(method, path)) {
        bucket.take(now)?;
    }
    Ok(())
}
