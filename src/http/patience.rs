//! How long trouble is borne, and how long we wait before the next attempt.

use std::time::Duration;

/// What the first wait is drawn from; it doubles from wait to wait. SDKs of this kind of service start at one second.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait that we choose ourselves; a server may ask for more.
const LONGEST: Duration = Duration::from_secs(10);

/// Over what time the calls are spread that a server sent away until the same moment.
pub(super) const SPREAD: Duration = Duration::from_millis(800);

/// How long a name that does not resolve is tried while the host has never answered: a passing trouble of the resolver,
/// or a typing error. Once the host has answered, the name is known to be right.
const UNKNOWN_NAME: Duration = Duration::from_secs(10);

/// How long a host that has never answered may refuse connections.
const UNKNOWN_HOST: Duration = Duration::from_secs(30);

/// The upper bound of the wait after `failures` failures in a row (1, 2, …).
pub(super) fn step(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST)
}

/// The wait before the next attempt. Where the server asks for a time, never earlier, and spread after it. Else full
/// jitter, because what failed together must not come back together.
pub(super) fn wait(failures: u32, asked: Option<Duration>, random: &mut fastrand::Rng) -> Duration {
    match asked {
        Some(asked) if !asked.is_zero() => asked.saturating_add(below(SPREAD, random)),
        _ => below(step(failures), random),
    }
}

/// A random time below `limit`.
pub(super) fn below(limit: Duration, random: &mut fastrand::Rng) -> Duration {
    limit.mul_f64(random.f64())
}

/// How long a name may stay unresolved, given the patience with the host at large.
pub(super) fn with_name(patience: Duration, host_known: bool) -> Duration {
    if host_known { patience } else { patience.min(UNKNOWN_NAME) }
}

/// How long connections may fail, given the patience with the host at large.
pub(super) fn with_connection(patience: Duration, host_known: bool) -> Duration {
    if host_known { patience } else { patience.min(UNKNOWN_HOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let steps: Vec<u64> = (0..8).map(|failures| step(failures).as_secs()).collect();
        assert_eq!(steps, [1, 1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(step(u32::MAX), LONGEST);
    }

    #[test]
    fn jitter_fills_its_range_and_never_leaves_it() {
        let mut random = fastrand::Rng::with_seed(7);
        for failures in 1..6 {
            let limit = step(failures);
            let waits: Vec<Duration> = (0..1000).map(|_| wait(failures, None, &mut random)).collect();
            assert!(waits.iter().all(|wait| *wait < limit));
            assert!(waits.iter().any(|wait| *wait < limit / 10));
            assert!(waits.iter().any(|wait| *wait > limit * 9 / 10));
        }
        for _ in 0..1000 {
            let wait = wait(9, Some(Duration::from_secs(3)), &mut random);
            assert!(wait >= Duration::from_secs(3) && wait < Duration::from_secs(3) + SPREAD);
        }
        assert_eq!(wait(1, Some(Duration::MAX), &mut random), Duration::MAX);
    }

    #[test]
    fn a_host_that_never_answered_gets_less_patience() {
        let patience = Duration::from_secs(300);
        assert_eq!(with_name(patience, false), UNKNOWN_NAME);
        assert_eq!(with_name(patience, true), patience);
        assert_eq!(with_connection(patience, false), UNKNOWN_HOST);
        assert_eq!(with_connection(Duration::from_secs(1), false), Duration::from_secs(1));
    }
}
