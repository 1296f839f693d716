//! The pace of a lane: the moment of each request, learnt from answers 429.
//!
//! A server that limits a rate has a bucket: it fills at the rate, each request takes one from it, and a 429 says that it
//! is empty. From the first 429 on, requests go out evenly, no faster than it fills. Between two 429s, which both met an
//! empty bucket, as many requests were taken as went into it: that is the rate. What went into it during a pause is made
//! up for at twice the pace, not at once, so that a few requests notice where the limit has sunk in the meantime.

use std::time::Duration;
use tokio::time::Instant;

/// What is kept back of the rate, so that a hair too much does not end in a 429.
const CARE: f64 = 0.99;

/// The most that is made up for, and the longest silence after which the bucket is not yet taken to have been full.
const SAVED: Duration = Duration::from_secs(1);

/// The least that is left of the pace after one 429: a measurement may have met somebody else's burst.
const STEP: f64 = 0.7;

/// How long without a 429 before the pace grows faster: the limit may have been somebody else's doing.
const CALM: Duration = Duration::from_secs(5);

/// How much the pace grows with each request that had to wait for its moment. Requests a second. Where 429s come
/// too often to ever be calm, each of them costs a little, and this gives it back.
const GROWTH: f64 = 0.002;

/// What is added to that for each second of calm: slowly at first, since the limit is most likely where it was.
const ACCELERATION: f64 = 0.02;

/// Requests a second: a pace below this would be a standstill.
const SLOWEST: f64 = 1.0;

/// Gives moments away, in the order in which they are asked for.
pub(super) struct Pace {
    /// The pace to begin with: the documented limit. Requests a second.
    documented: f64,
    /// The number of the next request.
    next: u64,
    /// The number after the highest that went out.
    gone: u64,
    /// None, until the first 429.
    learnt: Option<Learnt>,
}

struct Learnt {
    /// Requests a second.
    rate: f64,
    /// The moment of the next request, if requests came evenly. It lies in the past while there is something to make up
    /// for.
    due: Instant,
    /// Before this the next request does not go out, however much there is to make up for.
    free: Instant,
    /// The last 429.
    emptied: Instant,
    /// When a request went out last, if one did since.
    last: Instant,
    /// Requests that passed since.
    passed: u32,
    /// How long since then the bucket may have been full, so that what went by was not counted.
    idle: Duration,
    /// What those go by who were waiting at the last closing.
    again: Again,
}

/// The moments of requests after a closing.
struct Again {
    /// The number of the first.
    first: u64,
    /// When it was due.
    due: Instant,
    /// When it goes out.
    opens: Instant,
    /// Between two, if they come evenly.
    slot: Duration,
}

impl Again {
    fn due(&self, number: u64) -> Instant {
        self.due + self.slot.mul_f64(number.saturating_sub(self.first) as f64)
    }

    fn free(&self, number: u64) -> Instant {
        self.opens + self.slot.mul_f64(number.saturating_sub(self.first) as f64 / 2.0)
    }
}

impl Pace {
    pub(super) fn new(documented: f64) -> Pace {
        Pace { documented, next: 0, gone: 0, learnt: None }
    }

    /// Gives the next free moment away, with the number that [`Pace::again`] and [`Pace::went`] ask for. A moment that is
    /// not used is lost.
    pub(super) fn take(&mut self, now: Instant) -> (u64, Instant) {
        let number = self.next;
        self.next += 1;
        let Some(learnt) = &mut self.learnt else { return (number, now) };
        let moment = learnt.due.max(learnt.free).max(now);
        if moment > now {
            let calm = now.saturating_duration_since(learnt.emptied).saturating_sub(CALM);
            learnt.rate += GROWTH + ACCELERATION * calm.as_secs_f64();
        }
        let slot = learnt.slot();
        learnt.due = learnt.due.max(saved(moment, slot)) + slot;
        learnt.free = moment + slot / 2;
        (number, moment)
    }

    /// The new moment of a request that was waiting for its moment at the last closing; those who waited keep their order.
    pub(super) fn again(&self, number: u64, now: Instant) -> Instant {
        self.learnt.as_ref().map_or(now, |learnt| learnt.again.due(number).max(learnt.again.free(number)))
    }

    /// A request went out.
    pub(super) fn went(&mut self, number: u64, now: Instant) {
        self.gone = self.gone.max(number + 1);
        if let Some(learnt) = &mut self.learnt {
            learnt.idle += now.saturating_duration_since(learnt.last).saturating_sub(SAVED);
            learnt.last = now;
        }
    }

    /// A request passed.
    pub(super) fn passed(&mut self) {
        if let Some(learnt) = &mut self.learnt {
            learnt.passed = learnt.passed.saturating_add(1);
        }
    }

    /// A first 429: the bucket is empty now.
    pub(super) fn emptied(&mut self, now: Instant) {
        let rate = match &self.learnt {
            None => self.documented,
            Some(learnt) => learnt.measured(now).clamp(learnt.rate * STEP, learnt.rate),
        };
        let rate = (rate * CARE).max(SLOWEST);
        let again = Again { first: self.gone, due: now, opens: now, slot: Duration::ZERO };
        self.learnt =
            Some(Learnt { rate, due: now, free: now, emptied: now, last: now, passed: 0, idle: Duration::ZERO, again });
        self.close(now);
    }

    /// Nothing goes out before `opens`: gives new moments to all who wait for theirs.
    pub(super) fn close(&mut self, opens: Instant) {
        let Some(learnt) = &mut self.learnt else { return };
        let slot = learnt.slot();
        let due = (learnt.emptied + slot).max(saved(opens, slot));
        learnt.again = Again { first: self.gone, due, opens, slot };
        learnt.due = learnt.again.due(self.next);
        learnt.free = learnt.again.free(self.next);
    }
}

impl Learnt {
    fn slot(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    /// How many requests a second the server took since the last 429.
    fn measured(&self, now: Instant) -> f64 {
        let time = now.saturating_duration_since(self.emptied).saturating_sub(self.idle);
        f64::from(self.passed) / time.as_secs_f64().max(0.001)
    }
}

/// When the first request was due of a bucket that is full at `moment`, and fills in [`SAVED`].
fn saved(moment: Instant, slot: Duration) -> Instant {
    moment.checked_sub(SAVED).map_or(moment, |earliest| earliest + slot)
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
            let (number, moment) = pace.take(now);
            now = moment;
            pace.went(number, now);
            level = (level + (now - filled).as_secs_f64() * rate).min(burst);
            filled = now;
            if level >= 1.0 {
                level -= 1.0;
                passed += 1;
                pace.passed();
                // Without a pace requests go out one after the other all the same.
                now += Duration::from_millis(2);
            } else {
                refused += 1;
                pace.emptied(now);
                pace.close(now + Duration::from_secs(1));
            }
        }
        (passed, refused)
    }

    #[test]
    fn a_limit_is_used_to_the_full_and_hardly_ever_met() {
        // The fewer there are, the more does a single one count.
        for (burst, rate, least) in
            [(30.0, 30.0, 0.95), (60.0, 30.0, 0.95), (10.0, 10.0, 0.9), (5.0, 5.0, 0.9), (2.0, 2.0, 0.8)]
        {
            let (passed, refused) = play(30.0, burst, rate);
            let possible = burst + 60.0 * rate;
            let share = f64::from(passed) / possible;
            assert!(share > least, "{rate} a second: {passed} of {possible}");
            assert!(refused <= 16, "{rate} a second: {refused} refused");
        }
    }

    #[test]
    fn a_limit_that_was_somebody_elses_is_outgrown() {
        let (passed, refused) = play(30.0, 100.0, 100.0);
        assert!(passed > 4500 && refused < 12, "{passed} passed, {refused} refused");
    }

    #[test]
    fn without_a_429_nobody_waits() {
        let mut pace = Pace::new(30.0);
        let now = Instant::now();
        for number in 0..1000 {
            assert_eq!(pace.take(now), (number, now));
            pace.went(number, now);
            pace.passed();
        }
    }

    #[test]
    fn those_who_wait_at_a_closing_keep_their_order_and_come_before_all_others() {
        let mut pace = Pace::new(10.0);
        let start = Instant::now();
        let second = Duration::from_secs(1);
        pace.take(start);
        pace.went(0, start);
        pace.emptied(start);
        pace.close(start + second);
        let before: Vec<_> = (0..5).map(|_| pace.take(start)).collect();
        assert!(before.iter().all(|(_, moment)| *moment >= start + second), "nobody goes out before it opens");
        let later = start + 2 * second;
        pace.emptied(later);
        pace.close(later + second);
        let again: Vec<Instant> = before.iter().map(|(number, _)| pace.again(*number, later)).collect();
        assert!(again.is_sorted() && again[0] == later + second, "{again:?}");
        assert!(pace.take(later).1 > again[4]);
    }

    #[test]
    fn what_a_pause_has_saved_is_made_up_for_at_twice_the_pace() {
        let mut pace = Pace::new(10.0 / CARE);
        let start = Instant::now();
        pace.emptied(start);
        // More than a second's worth is never saved.
        let opens = start + Duration::from_secs(7);
        pace.close(opens);
        let moments: Vec<u128> = (0..30).map(|_| (pace.take(start).1 - opens).as_millis()).collect();
        let near = |index: usize, time: u128| moments[index] <= time && moments[index] + 20 >= time;
        assert!(near(0, 0) && near(10, 500) && near(18, 900) && near(20, 1100) && near(29, 2000), "{moments:?}");
    }

    /// Sends as fast as the pace allows, for so long.
    fn send_for(pace: &mut Pace, from: Instant, time: Duration) -> Instant {
        let mut now = from;
        loop {
            let (number, moment) = pace.take(now);
            if moment >= from + time {
                return from + time;
            }
            now = moment;
            pace.went(number, now);
            pace.passed();
        }
    }

    fn rate(pace: &Pace) -> f64 {
        pace.learnt.as_ref().map(|learnt| learnt.rate).unwrap_or_default()
    }

    #[test]
    fn a_silence_between_two_429s_is_no_part_of_the_measurement() {
        let mut pace = Pace::new(30.0);
        let mut now = Instant::now();
        pace.emptied(now);
        now = send_for(&mut pace, now, CALM);
        let (number, moment) = pace.take(now + Duration::from_secs(100));
        pace.went(number, moment);
        pace.emptied(moment);
        assert!(rate(&pace) > 30.0 * 0.8, "{}", rate(&pace));
    }

    #[test]
    fn no_measurement_makes_it_faster() {
        let mut pace = Pace::new(30.0);
        let now = Instant::now();
        pace.emptied(now);
        // What was under way at the 429 passes soon after it.
        for _ in 0..28 {
            pace.passed();
        }
        pace.emptied(now + Duration::from_millis(100));
        assert!(rate(&pace) <= 30.0, "{}", rate(&pace));
    }

    #[test]
    fn it_grows_only_where_somebody_had_to_wait() {
        let mut pace = Pace::new(30.0);
        let start = Instant::now();
        pace.emptied(start);
        let learnt = rate(&pace);
        for second in 1..100 {
            let now = start + Duration::from_secs(second);
            let (number, moment) = pace.take(now);
            assert_eq!(moment, now);
            pace.went(number, moment);
            pace.passed();
        }
        assert_eq!(rate(&pace), learnt);
        // Two at once are more than it allows.
        let now = start + Duration::from_secs(100);
        assert!(pace.take(now).1 == now && pace.take(now).1 > now);
        assert!(rate(&pace) > learnt);
    }

    #[test]
    fn one_measurement_takes_no_more_than_a_part() {
        let mut pace = Pace::new(30.0);
        let mut now = Instant::now();
        pace.emptied(now);
        for (after, slowest) in [(0, 29.0), (1, 20.0), (1, 14.0), (1, 9.0)] {
            now += Duration::from_secs(after);
            if after > 0 {
                pace.emptied(now);
            }
            let slot = pace.learnt.as_ref().map(Learnt::slot).unwrap_or_default();
            assert!(slot <= Duration::from_secs_f64(1.0 / slowest), "{slot:?}");
        }
        for _ in 0..100 {
            now += Duration::from_secs(1);
            pace.emptied(now);
        }
        assert_eq!(pace.learnt.map(|learnt| learnt.rate), Some(SLOWEST), "and never ends in a standstill");
    }
}
