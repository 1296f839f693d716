use super::*;
use crate::problem::{Code, Problem};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const HOUR: Duration = Duration::from_secs(3600);

/// Grants `bought-0`, `bought-1`, … after a second, or says no.
#[derive(Clone)]
struct Source {
    asked: Arc<AtomicUsize>,
    lifetime: Option<Duration>,
    /// The requests (from 0) that fail.
    fails: fn(usize) -> bool,
    takes: Duration,
    /// When that ends which the tokens are bought with.
    bought_with: Option<Instant>,
    /// Whether they may outlive it.
    outlives: bool,
}

impl Source {
    fn new(lifetime: Option<Duration>, fails: fn(usize) -> bool) -> Source {
        Source {
            asked: Arc::default(),
            lifetime,
            fails,
            takes: Duration::from_secs(1),
            bought_with: None,
            outlives: false,
        }
    }

    /// Tokens of an hour at most, bought with one that lives so long.
    fn bought_with(left: Duration, outlives: bool) -> Source {
        Source { bought_with: Some(Instant::now() + left), outlives, ..Source::new(Some(HOUR), |_| false) }
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl TokenSource for Source {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            let number = self.asked.fetch_add(1, SeqCst);
            tokio::time::sleep(self.takes).await;
            if (self.fails)(number) {
                let problem = Problem::new(Code::InvalidToken, format!("refusal {number}"));
                return Err(NoCredential { problem: Box::new(problem), passing: false });
            }
            let bought_with = self.bought_with.map(|ends| ends.saturating_duration_since(Instant::now()));
            let lifetime = self.lifetime.map(|lifetime| match (self.outlives, bought_with) {
                (false, Some(left)) => lifetime.min(left),
                _ => lifetime,
            });
            let token = Secret::new(format!("bought-{number}"));
            Ok(Grant { token, lifetime, bought_with, date: Some(SystemTime::UNIX_EPOCH) })
        })
    }
}

fn cached(source: &Source) -> Arc<Cached<Source>> {
    Arc::new(Cached::new(source.clone(), Redactor::new(), Field::AUTHORIZATION))
}

async fn signed(cached: &Cached<Source>) -> String {
    match cached.sign().await {
        Ok(fields) => fields[AUTHORIZATION].to_str().unwrap().to_owned(),
        Err(reason) => reason.problem.message.clone(),
    }
}

/// Signs many requests at the same time.
async fn many(cached: &Arc<Cached<Source>>) -> Vec<String> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..24 {
        let cached = Arc::clone(cached);
        tasks.spawn(async move { signed(&cached).await });
    }
    tasks.join_all().await
}

#[tokio::test(start_paused = true)]
async fn many_requests_cause_one_refresh() {
    let source = Source::new(Some(HOUR), |_| false);
    let cached = cached(&source);
    assert_eq!(many(&cached).await, vec!["Bearer bought-0"; 24]);
    assert_eq!(many(&cached).await, vec!["Bearer bought-0"; 24]);
    assert_eq!(source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_requests_share_one_refusal_and_later_ones_ask_again() {
    let source = Source::new(Some(HOUR), |number| number == 0);
    let cached = cached(&source);
    assert_eq!(many(&cached).await, vec!["refusal 0"; 24]);
    assert_eq!(signed(&cached).await, "Bearer bought-1");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_its_end_while_the_others_go_on() {
    let source = Source::new(Some(HOUR), |_| false);
    let cached = cached(&source);
    signed(&cached).await;
    tokio::time::advance(HOUR - STALE - Duration::from_secs(2)).await;
    assert_eq!(signed(&cached).await, "Bearer bought-0");
    assert_eq!(source.asked(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut fields = many(&cached).await;
    fields.sort();
    assert_eq!(fields[..23], vec!["Bearer bought-0"; 23], "they did not wait");
    assert_eq!((fields[23].as_str(), source.asked()), ("Bearer bought-1", 2));
    assert_eq!(signed(&cached).await, "Bearer bought-1");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_harms_nobody_while_the_token_serves() {
    let source = Source::new(Some(HOUR), |number| number > 0);
    let cached = cached(&source);
    signed(&cached).await;
    tokio::time::advance(HOUR - STALE).await;
    for _ in 0..3 {
        assert_eq!(signed(&cached).await, "Bearer bought-0");
    }
    assert_eq!(source.asked(), 2, "the next attempt waits");
    tokio::time::advance(AGAIN).await;
    assert_eq!(signed(&cached).await, "Bearer bought-0");
    assert_eq!(source.asked(), 3);
    tokio::time::advance(STALE).await;
    assert_eq!(signed(&cached).await, "refusal 3");
}

#[tokio::test(start_paused = true)]
async fn a_slow_renewal_holds_nobody_up_for_long() {
    let source = Source::new(Some(HOUR), |_| false);
    let slow = Source { takes: Duration::from_secs(600), ..source.clone() };
    let cached = cached(&slow);
    signed(&cached).await;
    tokio::time::advance(HOUR - STALE - Duration::from_secs(600)).await;
    let began = Instant::now();
    assert_eq!(signed(&cached).await, "Bearer bought-0");
    assert_eq!(began.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_short_life_is_used_and_an_unknown_one_lasts_until_the_refusal() {
    for (lifetime, serves) in [(Some(60), 29), (Some(2), 0), (Some(600), 299), (None, 1_000_000)] {
        let source = Source::new(lifetime.map(Duration::from_secs), |_| false);
        let cached = cached(&source);
        signed(&cached).await;
        // The second that the answer took counts.
        tokio::time::advance(Duration::from_secs(serves).saturating_sub(Duration::from_millis(1500))).await;
        assert_eq!(signed(&cached).await, if lifetime == Some(2) { "Bearer bought-1" } else { "Bearer bought-0" });
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_thrown_away_once() {
    let source = Source::new(Some(HOUR), |_| false);
    let cached = cached(&source);
    let first = cached.sign().await.unwrap();
    // Two requests were sent with it, and both are refused; the second answer comes late.
    assert!(cached.refused(&first));
    assert_eq!(signed(&cached).await, "Bearer bought-1");
    assert!(cached.refused(&first));
    assert_eq!(signed(&cached).await, "Bearer bought-1");
    assert_eq!(source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_redactor_knows_a_token_before_anybody_else() {
    let redactor = Redactor::new();
    let cached = Cached::new(Source::new(Some(HOUR), |_| false), redactor.clone(), Field::AUTHORIZATION);
    assert_eq!(redactor.redact("it is bought-0"), "it is bought-0");
    cached.sign().await.unwrap();
    assert_eq!(redactor.redact("it is bought-0"), "it is [secret]");
}

const MINUTE: Duration = Duration::from_secs(60);

/// Signs every ten seconds, as a watch does, until nothing is signed any more; returns how long that went well, in
/// minutes, what was foreseen at the beginning, and how often a token was asked for.
async fn until_the_end(source: Source) -> (u64, u64, usize) {
    let cached = cached(&source);
    let began = Instant::now();
    assert_eq!(cached.end(), None);
    signed(&cached).await;
    let foreseen = cached.end().unwrap();
    loop {
        let end = cached.end().unwrap();
        let clock = end.clock.unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert!(clock <= HOUR * 3, "{clock:?}");
        if Instant::now() + MINUTE >= end.at {
            let minutes = |at: Instant| ((at - began).as_secs() + 30) / 60;
            return (minutes(end.at), minutes(foreseen.at), source.asked());
        }
        let asked = source.asked();
        assert!(signed(&cached).await.starts_with("Bearer bought-"));
        assert!(source.asked() - asked <= 1);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_with_its_step_is_renewed_once_before_that_and_no_longer() {
    // Whether the new token would outlive the other, only the attempt shows: one request in an hour.
    assert_eq!(until_the_end(Source::bought_with(HOUR, false)).await, (60, 60, 2));
    assert_eq!(until_the_end(Source::bought_with(20 * MINUTE, false)).await, (20, 20, 2));
    // Two hours of identity, in tokens of an hour each.
    assert_eq!(until_the_end(Source::bought_with(120 * MINUTE, false)).await, (120, 120, 4));
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_step_is_bought_as_late_as_can_be() {
    // At minute 58 another hour is bought; that it will be is foreseen at the beginning.
    assert_eq!(until_the_end(Source::bought_with(55 * MINUTE, true)).await, (113, 113, 2));
    // The first answer does not tell which of the two rules holds: the less is promised, the more is had.
    assert_eq!(until_the_end(Source::bought_with(HOUR, true)).await, (118, 60, 2));
}

#[tokio::test(start_paused = true)]
async fn what_is_almost_over_is_not_renewed_at_all() {
    assert_eq!(until_the_end(Source::bought_with(90 * Duration::from_secs(1), false)).await, (1, 1, 1));
    let refused = Source { fails: |number| number > 0, ..Source::bought_with(HOUR, false) };
    // A renewal that is refused while the token serves changes nothing about the end.
    let (minutes, foreseen, asked) = until_the_end(refused).await;
    assert_eq!((minutes, foreseen), (60, 60));
    assert!((2..=6).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_end_is_known_when_a_token_was_refused() {
    let source = Source { fails: |number| number > 0, ..Source::bought_with(HOUR, false) };
    let cached = cached(&source);
    let first = cached.sign().await.unwrap();
    let end = cached.end();
    assert!(end.is_some() && cached.refused(&first));
    assert_eq!(signed(&cached).await, "refusal 1");
    assert_eq!(cached.end(), end);
}

#[tokio::test(start_paused = true)]
async fn lifetimes_that_no_clock_can_hold_are_no_accident() {
    for lifetime in [Duration::MAX, Duration::from_secs(i64::MAX as u64 - 1_000_000_000), HOUR] {
        for left in [Duration::ZERO, MINUTE, HOUR, Duration::from_secs(9_000_000_000_000_000_000), Duration::MAX] {
            let source = Source { lifetime: Some(lifetime), outlives: true, ..Source::bought_with(MINUTE, true) };
            let cached = Cached::new(Lasting(source, left), Redactor::new(), Field::AUTHORIZATION);
            assert!(cached.sign().await.is_ok(), "{lifetime:?} {left:?}");
        }
    }
}

/// What the source grants, bought with something that lasts so long, on a server of this century.
struct Lasting(Source, Duration);

impl TokenSource for Lasting {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(async {
            let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(1_800_000_000));
            Ok(Grant { bought_with: Some(self.1), date, ..self.0.fetch().await? })
        })
    }
}
