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
}

impl Source {
    fn new(lifetime: Option<Duration>, fails: fn(usize) -> bool) -> Source {
        Source { asked: Arc::default(), lifetime, fails, takes: Duration::from_secs(1) }
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
            Ok(Grant { token: Secret::new(format!("bought-{number}")), lifetime: self.lifetime })
        })
    }
}

fn cached(source: &Source) -> Arc<Cached<Source>> {
    Arc::new(Cached::new(source.clone(), Redactor::new()))
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
    let cached = Cached::new(Source::new(Some(HOUR), |_| false), redactor.clone());
    assert_eq!(redactor.redact("it is bought-0"), "it is bought-0");
    cached.sign().await.unwrap();
    assert_eq!(redactor.redact("it is bought-0"), "it is [secret]");
}
