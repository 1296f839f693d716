//! How a call has gone so far, and what its end is called.

use super::call::{Call, Cause, Failure};
use super::limits::Turn;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How a call has gone so far.
pub(super) struct Course {
    pub(super) request: Arc<str>,
    pub(super) patience: Duration,
    pub(super) attempts: u32,
    /// Attempts in a row that ended in a passing trouble.
    pub(super) failures: u32,
    /// When the first attempt was made.
    pub(super) first: Option<Instant>,
    /// What was spent in the lane's queue since, and in attempts that we have broken off: neither is a failure of the
    /// server.
    stood: Duration,
    /// How long the lane's gate was closed before the first attempt: that is one.
    shut: Duration,
    /// How long the lane's gate is closed after the last answer, where that was a 429 which closed it.
    pub(super) gate: Option<Duration>,
    pub(super) signed_anew: bool,
    /// Whether one of the attempts may have had its effect.
    pub(super) uncertain: bool,
    pub(super) last: Option<Cause>,
}

impl Course {
    pub(super) fn new(call: &Call, patience: Duration) -> Course {
        Course {
            request: format!("{} {}", call.method, call.path).into(),
            patience: call.patience.unwrap_or(patience),
            attempts: 0,
            failures: 0,
            first: None,
            stood: Duration::ZERO,
            shut: Duration::ZERO,
            gate: None,
            signed_anew: false,
            uncertain: false,
            last: None,
        }
    }

    /// It waited for its turn.
    pub(super) fn waited(&mut self, turn: &Turn) {
        if self.first.is_some() {
            self.stood += turn.queued;
        } else {
            self.shut += turn.shut;
        }
    }

    /// An attempt that had taken so long was broken off.
    pub(super) fn broken_off(&mut self, after: Duration) {
        self.stood += after;
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.first.map(|first| first.elapsed()).unwrap_or_default()
    }

    /// How long trouble has been borne.
    pub(super) fn borne(&self) -> Duration {
        self.elapsed().saturating_sub(self.stood).saturating_add(self.shut)
    }

    pub(super) fn exhausted(&self, cause: Cause, by_deadline: bool) -> Failure {
        let request = Arc::clone(&self.request);
        let (attempts, elapsed, uncertain) = (self.attempts, self.elapsed(), self.uncertain);
        Failure::Exhausted { request, attempts, elapsed, cause, by_deadline, uncertain }
    }

    /// The deadline came while the call waited; nothing of it is under way.
    pub(super) fn out_of_time(&mut self) -> Failure {
        let cause = self.last.take().unwrap_or(Cause::NoTime);
        self.exhausted(cause, true)
    }

    pub(super) fn fatal(&self, cause: Cause) -> Failure {
        Failure::Fatal { request: Arc::clone(&self.request), cause }
    }
}
