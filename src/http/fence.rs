//! A moment after which calls must not go out any more, which somebody else moves on as long as he may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Lets calls out until a moment that is moved on from outside. Unlike the deadline of a client it is looked at right
/// before a request is sent: a process that was stopped for a while and wakes up sends nothing that it may not send now.
#[derive(Clone, Debug)]
pub struct Fence(Arc<Mutex<Instant>>);

impl Fence {
    /// Lets calls out until `end`.
    pub fn until(end: Instant) -> Fence {
        Fence(Arc::new(Mutex::new(end)))
    }

    /// Moves the end.
    pub fn move_to(&self, end: Instant) {
        *self.end() = end;
    }

    /// How long it is open yet.
    pub fn left(&self) -> Duration {
        self.end().saturating_duration_since(Instant::now())
    }

    /// Whether it is closed by now.
    pub fn is_closed(&self) -> bool {
        self.left().is_zero()
    }

    /// Ends when it closes.
    pub async fn closed(&self) {
        while !self.is_closed() {
            let end = *self.end();
            sleep_until(end).await;
        }
    }

    fn end(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
