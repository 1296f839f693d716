//! What time it is at a host, as far as its answers tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The unit of a `Date` (RFC 9110, 5.6.7): it leaves out the rest of its second.
const UNIT: Duration = Duration::from_secs(1);

/// The clock of a host, from its answers. An answer with a `Date` bounds the time: when it has come, it is that late at
/// least, and no later than if the field had been written when the request was sent.
#[derive(Default)]
pub(super) struct Clock(Mutex<Option<Known>>);

/// Between what the time was, and when that was known.
#[derive(Clone, Copy)]
struct Known {
    earliest: SystemTime,
    latest: SystemTime,
    at: Instant,
}

impl Clock {
    /// The time, never more than it is.
    pub(super) fn now(&self) -> Option<SystemTime> {
        self.known().map(|known| known.earliest + known.at.elapsed())
    }

    /// The time, never less than it is: more by as much as the answers that tell it were on their way.
    pub(super) fn now_at_most(&self) -> Option<SystemTime> {
        self.known().map(|known| known.latest + known.at.elapsed())
    }

    /// The host has just told `date` in its answer to what was sent at `sent`. What is known stays where this does not
    /// contradict it, and does not know better: an answer that was held up on its way tells an old time.
    pub(super) fn learn(&self, date: SystemTime, sent: Instant) {
        let told = Known { earliest: date, latest: date + UNIT + sent.elapsed(), at: Instant::now() };
        let mut known = self.known();
        let both = known.map(|known| {
            let since = told.at.saturating_duration_since(known.at);
            let (earliest, latest) = (known.earliest + since, known.latest + since);
            Known { earliest: earliest.max(told.earliest), latest: latest.min(told.latest), at: told.at }
        });
        *known = Some(both.filter(|both| both.earliest <= both.latest).unwrap_or(told));
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;
    use tokio::time::sleep;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_that_knows_best_counts_until_one_contradicts_it() {
        let clock = Clock::default();
        assert_eq!(clock.now(), None);
        clock.learn(UNIX_EPOCH + seconds(1_000), Instant::now());
        sleep(seconds(30)).await;
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_030)));
        assert_eq!(clock.now_at_most(), Some(UNIX_EPOCH + seconds(1_031)));
        // Written when the request was sent, and held up since.
        let sent = Instant::now();
        sleep(seconds(50)).await;
        clock.learn(UNIX_EPOCH + seconds(1_030), sent);
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_080)));
        // The rest of a second that the first one had left out.
        clock.learn(UNIX_EPOCH + seconds(1_081), Instant::now());
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_081)));
        // It was put right, in either direction.
        for right in [900, 5_000] {
            clock.learn(UNIX_EPOCH + seconds(right), Instant::now());
            assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(right)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn how_late_it_may_be_is_known_by_the_quickest_answer() {
        let clock = Clock::default();
        let sent = Instant::now();
        sleep(seconds(25)).await;
        clock.learn(UNIX_EPOCH + seconds(1_000), sent);
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_000)));
        assert_eq!(clock.now_at_most(), Some(UNIX_EPOCH + seconds(1_026)));
        // It was held up for longer, and tells nothing new.
        let sent = Instant::now();
        sleep(seconds(50)).await;
        clock.learn(UNIX_EPOCH + seconds(1_030), sent);
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_050)));
        assert_eq!(clock.now_at_most(), Some(UNIX_EPOCH + seconds(1_076)));
        // It was not held up.
        clock.learn(UNIX_EPOCH + seconds(1_070), Instant::now());
        assert_eq!(clock.now(), Some(UNIX_EPOCH + seconds(1_070)));
        assert_eq!(clock.now_at_most(), Some(UNIX_EPOCH + seconds(1_071)));
        for right in [900, 5_000] {
            clock.learn(UNIX_EPOCH + seconds(right), Instant::now());
            assert_eq!(clock.now_at_most(), Some(UNIX_EPOCH + seconds(right + 1)));
        }
    }
}
