//! An access token, kept as long as it is good: one renewal at a time, whoever asks, and early enough that nobody waits.

use super::{End, unsendable};
use crate::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use crate::http::{Authorize, NoCredential, Signing};
use crate::secrets::{Redactor, Secret};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout};

/// A token is not used in its last seconds: some services refuse one with 30 s left (py oauth.py, `Token.expired`).
const UNUSED: Duration = Duration::from_secs(40);

/// From when on before its end a token is renewed, while it still serves; half of its lifetime, if that is less
/// (py oauth.py, `Refreshable`).
const STALE: Duration = Duration::from_secs(20 * 60);

/// A token that is bought with one that ends is bought anew this long before either ends: while the other lives, the
/// new one may outlive it (whether it does, the service does not say; both were seen).
const BEFORE_END: Duration = Duration::from_secs(120);

/// By how much an access token must outlive the token it was bought with, to count as outliving it: clocks and answers
/// take their time.
const OUTLIVES: Duration = Duration::from_secs(60);

/// How long the renewal of a token that still serves may hold up the one request that sees to it.
const GRACE: Duration = Duration::from_secs(10);

/// When a renewal that failed is tried again, while the token still serves.
const AGAIN: Duration = Duration::from_secs(30);

/// Where access tokens come from.
pub(super) trait TokenSource: Send + Sync {
    /// Asks for a new token. What is passing has been borne already when this fails.
    fn fetch(&self) -> Fetching<'_>;
}

/// The future of [`TokenSource::fetch`].
pub(super) type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Grant, NoCredential>> + Send + 'a>>;

/// A new access token.
pub(super) struct Grant {
    pub(super) token: Secret,
    /// How long it is good, from the moment when it was asked for; `None` if nobody said.
    pub(super) lifetime: Option<Duration>,
    /// How long what it was bought with is good, from the same moment on; `None` for what does not end.
    pub(super) bought_with: Option<Duration>,
    /// What time it was at the server.
    pub(super) date: Option<SystemTime>,
}

/// The header field that a token goes into.
#[derive(Clone)]
pub(super) struct Field {
    name: HeaderName,
    scheme: &'static str,
}

impl Field {
    /// That of every API.
    pub(super) const AUTHORIZATION: Field = Field { name: AUTHORIZATION, scheme: "Bearer " };

    /// That for rights on a workspace as a resource of Azure (go config/auth_azure_client_secret.go).
    pub(super) const MANAGEMENT: Field =
        Field { name: HeaderName::from_static("x-databricks-azure-sp-management-token"), scheme: "" };
}

/// Something that may end.
pub(super) trait Lasts: Send + Sync {
    /// When it will, as far as that is known by now.
    fn end(&self) -> Option<End>;
}

/// Signs with the tokens of a source.
pub(super) struct Cached<S> {
    source: S,
    redactor: Redactor,
    field: Field,
    state: Mutex<State>,
    /// Held by the one who renews. Never together with the other lock across a wait.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the identity ends behind the tokens; still known when one of them was thrown away.
    end: Option<End>,
    /// The last failure: those who were waiting for that very answer need not ask again.
    failed: Option<(Instant, NoCredential)>,
}

struct Held {
    field: HeaderValue,
    /// From when on it is to be renewed.
    stale: Option<Instant>,
    /// From when on it is not to be used.
    unused: Option<Instant>,
}

/// What is at hand.
enum Hand {
    Fresh(HeaderValue),
    Stale(HeaderValue),
    Empty,
}

impl<S: TokenSource> Cached<S> {
    pub(super) fn new(source: S, redactor: Redactor, field: Field) -> Cached<S> {
        Cached { source, redactor, field, state: Mutex::default(), renewing: tokio::sync::Mutex::new(()) }
    }

    async fn field(&self) -> Result<HeaderValue, NoCredential> {
        let asked = Instant::now();
        match self.hand() {
            Hand::Fresh(field) => Ok(field),
            Hand::Stale(field) => {
                // One sees to the renewal, the others go on with what still serves.
                let Ok(_renewing) = self.renewing.try_lock() else { return Ok(field) };
                match self.hand() {
                    Hand::Fresh(renewed) => return Ok(renewed),
                    Hand::Stale(_) | Hand::Empty => {}
                }
                let why = match timeout(GRACE, self.renew()).await {
                    Ok(Ok(renewed)) => return Ok(renewed),
                    Ok(Err(reason)) => reason.problem.message.clone(),
                    Err(_) => "no answer yet".to_owned(),
                };
                tracing::debug!("the access token could not be renewed yet: {why}");
                if let Some(held) = &mut self.state().held {
                    held.stale = Some(Instant::now() + AGAIN);
                }
                Ok(field)
            }
            Hand::Empty => {
                let _renewing = self.renewing.lock().await;
                if let Hand::Fresh(field) | Hand::Stale(field) = self.hand() {
                    return Ok(field);
                }
                if let Some((_, reason)) = self.state().failed.as_ref().filter(|(at, _)| *at > asked) {
                    return Err(reason.clone());
                }
                let renewed = self.renew().await;
                if let Err(reason) = &renewed {
                    self.state().failed = Some((Instant::now(), reason.clone()));
                }
                renewed
            }
        }
    }

    /// Asks the source; the redactor knows the token before anybody else does.
    async fn renew(&self) -> Result<HeaderValue, NoCredential> {
        let asked = Instant::now();
        let Grant { token, lifetime, bought_with, date } = self.source.fetch().await?;
        self.redactor.learn(&token);
        let mut field = HeaderValue::from_str(&format!("{}{}", self.field.scheme, token.expose()))
            .map_err(|_| unsendable("the access token"))?;
        field.set_sensitive(true);
        // However short a token lives, it serves for half of that.
        let before_end = |margin: Duration| {
            let lifetime = lifetime?;
            asked.checked_add(lifetime.saturating_sub(margin.min(lifetime / 2)))
        };
        tracing::debug!(seconds = lifetime.map(|lifetime| lifetime.as_secs()), "a new access token");
        let mut held = Held { field: field.clone(), stale: before_end(STALE), unused: before_end(UNUSED) };
        let mut end = None;
        if let Some(left) = bought_with {
            let course = Course::of(lifetime, left);
            held.stale = course.renew.and_then(|after| asked.checked_add(after));
            let clock = |at: Instant| date?.checked_add(at.saturating_duration_since(Instant::now()));
            end = asked.checked_add(course.end).map(|at| End { at, clock: clock(at) });
        }
        let mut state = self.state();
        (state.held, state.end) = (Some(held), end);
        Ok(field)
    }

    fn hand(&self) -> Hand {
        let now = Instant::now();
        let is_over = |moment: Option<Instant>| moment.is_some_and(|moment| now >= moment);
        match &self.state().held {
            Some(held) if is_over(held.unused) => Hand::Empty,
            Some(held) if is_over(held.stale) => Hand::Stale(held.field.clone()),
            Some(held) => Hand::Fresh(held.field.clone()),
            None => Hand::Empty,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: TokenSource> Authorize for Cached<S> {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async { Ok(HeaderMap::from_iter([(self.field.name.clone(), self.field().await?)])) })
    }

    /// Throws the refused token away, unless another request did so already and the next one is at hand.
    fn refused(&self, given: &HeaderMap) -> bool {
        let held = &mut self.state().held;
        if held.as_ref().is_some_and(|held| given.get(&self.field.name) == Some(&held.field)) {
            *held = None;
        }
        true
    }
}

impl<S: TokenSource> Lasts for Cached<S> {
    fn end(&self) -> Option<End> {
        self.state().end
    }
}

/// What becomes of an identity whose access tokens are bought with a token that ends. Times count from when the access
/// token was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Course {
    /// When to renew; `None` when it is too late for that to help.
    renew: Option<Duration>,
    /// When the last access token ends.
    end: Duration,
}

impl Course {
    /// For an access token that lives so long, bought with one that lives `left`.
    fn of(lifetime: Option<Duration>, left: Duration) -> Course {
        let end = lifetime.unwrap_or(left);
        let Some(last_chance) = left.checked_sub(BEFORE_END).filter(|last| !last.is_zero()) else {
            return Course { renew: None, end };
        };
        // However short a token lives, it serves for half of that.
        let renew = last_chance.min(end.saturating_sub(BEFORE_END.min(end / 2)));
        // What outlives the token it was bought with will do so once more, at the last renewal.
        let end = if end > left.saturating_add(OUTLIVES) { last_chance.saturating_add(end) } else { left };
        Course { renew: Some(renew), end }
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
