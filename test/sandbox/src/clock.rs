//! The workspace's clock: a fixed start, tokio's elapsed time, so that it stands still when time is paused, and what a
//! test lets pass beyond that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// 2026-03-02 09:00:00 UTC.
const FIXED_START: Duration = Duration::from_secs(1_772_442_000);

/// Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    base: SystemTime,
    start: Instant,
    /// In milliseconds.
    skipped: Arc<AtomicU64>,
}

impl Clock {
    pub(crate) fn starting_at(base: SystemTime) -> Clock {
        Clock { base, start: Instant::now(), skipped: Arc::default() }
    }

    pub(crate) fn fixed() -> Clock {
        Clock::starting_at(UNIX_EPOCH + FIXED_START)
    }

    /// Another clock that shows the same time.
    pub(crate) fn fork(&self) -> Clock {
        Clock { skipped: Arc::new(AtomicU64::new(self.skipped.load(Relaxed))), ..*self }
    }

    /// Moves it on.
    pub(crate) fn skip(&self, time: Duration) {
        self.skipped.fetch_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The moment by which everything in the workspace is measured: that of tokio, and what was skipped.
    pub(crate) fn now(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.skipped.load(Relaxed))
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.base + self.now().saturating_duration_since(self.start)
    }

    /// A moment of [`Clock::now`], in milliseconds since 1970.
    pub(crate) fn millis_at(&self, moment: Instant) -> i64 {
        let wall = self.base + moment.saturating_duration_since(self.start);
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn millis(&self) -> i64 {
        self.millis_at(self.now())
    }

    /// The time in seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        self.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// The time in the form of the `Date` header.
    pub(crate) fn http_date(&self) -> String {
        httpdate::fmt_http_date(self.wall())
    }
}
