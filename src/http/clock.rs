//! What time it is at a host, as far as its answers tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The unit of a `Date` (RFC 9110, 5.6.7): it leaves out the rest of its second.
const UNIT: Duration = Duration::from_secs(1);

/// The clock of a host, from its answers. An answer with a `Date` bounds the time: when it has come, it is that late at
/// least, and no later than if the field had been written when the request was sent.
#[derive(Default)]
pub(super) struct Clock(Mutex<Option<(SystemTime, Instant)>>);

impl Clock {
    /// The time, never more than it is.
    pub(super) fn now(&self) -> Option<SystemTime> {
        self.known().map(|(date, at)| date + at.elapsed())
    }

    /// The host has just told `date` in its answer to what was sent at `sent`. What is known stays where this does not
    /// contradict it, and does not know better: an answer that was held up on its way tells an old time.
    pub(super) fn learn(&self, date: SystemTime, sent: Instant) {
        let fits = |now: &SystemTime| (date..=date + UNIT + sent.elapsed()).contains(now);
        if !self.now().is_some_and(|now| fits(&now)) {
            *self.known() = Some((date, Instant::now()));
        }
    }

    fn known(&self) -> MutexGuard<'_, Option<(SystemTime, Instant)>> {
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
}
