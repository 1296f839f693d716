//! Whoever ends the work, however it ends, finds the lock here.

use super::Held;
use crate::event::{Emit, Event};
use crate::problem::Problem;
use crate::state::LEASE;
use crate::text;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Keeps the lock for whoever releases it: the deploy when it has ended, or the end of the process.
#[derive(Default)]
pub struct Keeper(Mutex<Option<Arc<Held>>>);

impl Keeper {
    /// From now on there may be something to release.
    pub(super) fn keep(&self, held: &Arc<Held>) {
        *self.slot() = Some(Arc::clone(held));
    }

    /// There is nothing to release any longer.
    pub(super) fn forget(&self) {
        self.slot().take();
    }

    /// Releases the lock, if one is held. One that cannot be released ends with its lease.
    pub async fn release(&self, budget: Duration, events: &dyn Emit) {
        let Some(held) = self.slot().clone() else { return };
        if let Err((lock, error)) = held.release(budget).await {
            let problem = error.problem();
            let message = format!("the target's lock could not be released: {}", problem.message);
            let hint = format!("nothing needs to be done: it ends by itself within {}", text::duration(LEASE));
            let problem = Problem::new(problem.code, message).at(lock.to_string());
            events.emit(Event::Warned(problem.hint(hint)));
        }
        // Not before: whoever breaks this off has to begin anew.
        self.forget();
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
