//! The workspace's clock: a fixed start plus tokio's elapsed time, so that it stands still when time is paused.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// 2026-03-02 09:00:00 UTC.
const FIXED_START: Duration = Duration::from_secs(1_772_442_000);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: SystemTime,
    start: Instant,
}

impl Clock {
    pub(crate) fn starting_at(base: SystemTime) -> Clock {
        Clock { base, start: Instant::now() }
    }

    pub(crate) fn fixed() -> Clock {
        Clock::starting_at(UNIX_EPOCH + FIXED_START)
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::now()
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.base + self.now().saturating_duration_since(self.start)
    }

    /// A moment of tokio time, in milliseconds since 1970.
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
