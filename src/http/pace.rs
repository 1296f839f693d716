//! The pace of a lane: how many requests a second, learnt from answers 429.
//!
//! A server that limits a rate has a bucket: it fills at the rate, each request takes one from it, and a 429 says that it
//! is empty. From the first 429 on, requests are sent no faster than it fills. Between two 429s, which both met an empty
//! bucket, as many requests were taken as went into it: that is the rate.

use std::time::Duration;
use tokio::time::Instant;

/// What is kept back of the rate, so that a hair too much does not end in a 429.
const CARE: f64 = 0.99;

/// The most that is saved up while nothing is sent. Seconds of the pace.
const SAVED: Duration = Duration::from_secs(1);

/// How long without a 429 before a faster pace is tried. The limit may have been somebody else's doing.
const CALM: Duration = Duration::from_secs(15);

/// How much faster the pace grows with each request that passes in calm times.
const GROWTH: f64 = 1.001;

/// A measurement over less than this says little.
const SHORTEST: Duration = Duration::from_millis(500);

/// Requests a second: below and above this nothing is measured.
const RATES: std::ops::RangeInclusive<f64> = 0.2..=10_000.0;

/// None, until the first 429.
pub(super) struct Pace {
    /// The pace to begin with: the documented limit. Requests a second.
    documented: f64,
    learnt: Option<Learnt>,
}

struct Learnt {
    /// Requests a second.
    rate: f64,
    /// The moment of the next request, if requests came evenly. It lies in the past while there is something saved up.
    next: Instant,
    /// The last 429.
    emptied: Instant,
    /// Requests that passed since.
    passed: u32,
}

impl Pace {
    pub(super) fn new(documented: f64) -> Pace {
        Pace { documented, learnt: None }
    }

    /// Gives the next free moment away.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        let Some(learnt) = &mut self.learnt else { return now };
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let moment = learnt.next.max(earliest);
        learnt.next = moment + Duration::from_secs_f64(1.0 / learnt.rate);
        moment.max(now)
    }

    /// A request passed.
    pub(super) fn passed(&mut self, now: Instant) {
        let Some(learnt) = &mut self.learnt else { return };
        learnt.passed = learnt.passed.saturating_add(1);
        if now.saturating_duration_since(learnt.emptied) > CALM {
            learnt.rate = (learnt.rate * GROWTH).min(*RATES.end());
        }
    }

    /// A first 429: the bucket is empty now.
    pub(super) fn emptied(&mut self, now: Instant) {
        let rate = match &self.learnt {
            None => self.documented * CARE,
            Some(learnt) => {
                let time = now.saturating_duration_since(learnt.emptied);
                if time < SHORTEST {
                    learnt.rate / 2.0
                } else {
                    (f64::from(learnt.passed) / time.as_secs_f64()).min(learnt.rate) * CARE
                }
            }
        };
        let rate = rate.clamp(*RATES.start(), *RATES.end());
        let next = now + Duration::from_secs_f64(1.0 / rate);
        self.learnt = Some(Learnt { rate, next, emptied: now, passed: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a bucket for a minute, with a pause of a second after each 429; returns how many passed and how many did
    /// not.
    fn play(documented: f64, burst: f64, rate: f64) -> (u32, u32) {
        let start = Instant::now();
        let (mut pace, mut level, mut filled) = (Pace::new(documented), burst, start);
        let (mut passed, mut refused, mut now) = (0, 0, start);
        while now < start + Duration::from_secs(60) {
            now = pace.take(now);
            level = (level + (now - filled).as_secs_f64() * rate).min(burst);
            filled = now;
            if level >= 1.0 {
                level -= 1.0;
                passed += 1;
                pace.passed(now);
                // What is saved up goes out one after the other all the same.
                now += Duration::from_millis(2);
            } else {
                refused += 1;
                pace.emptied(now);
                now += Duration::from_secs(1);
            }
        }
        (passed, refused)
    }

    #[test]
    fn a_limit_is_used_to_the_full_and_hardly_ever_met() {
        for (documented, burst, rate) in
            [(30.0, 30.0, 30.0), (30.0, 60.0, 30.0), (30.0, 10.0, 10.0), (30.0, 5.0, 5.0), (30.0, 2.0, 2.0)]
        {
            let (passed, refused) = play(documented, burst, rate);
            let possible = burst + 60.0 * rate;
            let share = f64::from(passed) / possible;
            assert!(share > 0.9, "{rate} a second: {passed} of {possible}");
            assert!(refused <= 12, "{rate} a second: {refused} refused");
        }
    }

    #[test]
    fn a_limit_that_was_somebody_elses_is_outgrown() {
        let (passed, refused) = play(30.0, 100.0, 100.0);
        assert!(passed > 2500 && refused < 5, "{passed} passed, {refused} refused");
    }

    #[test]
    fn without_a_429_nobody_waits() {
        let mut pace = Pace::new(30.0);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(pace.take(now), now);
            pace.passed(now);
        }
    }
}
