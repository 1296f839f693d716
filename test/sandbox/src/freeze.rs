//! The moment before a request, held: so a test can end a process there, and decide what becomes of what it had sent.

use crate::answer::Dropped;
use crate::request::Payload;
use crate::sandbox::Sandbox;
use crate::state::State;
use axum::body::Body;
use http::Response;
use http::request::Parts;
use std::sync::PoisonError;
use std::time::Duration;

/// How often somebody who waits looks whether waiting still makes sense.
const LOOK: Duration = Duration::from_millis(20);

/// Which requests are held, and those that are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Freezer {
    /// How many requests still pass; `None` means all.
    passing: Option<u64>,
    /// How many requests that pass have arrived and not been answered.
    under_way: u64,
    held: Vec<Held>,
}

/// A request that has arrived, had no effect, and gets no answer.
#[derive(Clone, Debug)]
struct Held {
    /// Its place in the record.
    number: usize,
    head: Parts,
    payload: Payload,
}

impl Freezer {
    /// Counts a request that arrives.
    pub(crate) fn lets_pass(&mut self) -> bool {
        let passes = self.passing.is_none_or(|left| left > 0);
        if passes {
            self.passing = self.passing.map(|left| left - 1);
            self.under_way += 1;
        }
        passes
    }

    /// Those under way belong to another workspace.
    pub(crate) fn forget_under_way(&mut self) {
        self.under_way = 0;
    }
}

/// A request that passes, until its answer is ready or nobody waits for that any more.
pub(crate) struct UnderWay(Sandbox);

impl UnderWay {
    /// One that was counted already.
    pub(crate) fn of(sandbox: &Sandbox) -> UnderWay {
        UnderWay(sandbox.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state().freezer.under_way -= 1;
        self.0.shared.moved.notify_all();
    }
}

/// A connection, until it ends.
pub(crate) struct Connected(Sandbox);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.state().open_connections -= 1;
        self.0.shared.moved.notify_all();
    }
}

impl Sandbox {
    /// Lets so many more requests pass, and holds all after them: without effect and without answer, until their client
    /// hangs up or [`Sandbox::thaw`] is told. Faults do not strike what is held.
    pub fn freeze_after(&self, requests: u64) {
        self.state().freezer.passing = Some(requests);
    }

    /// Holds no request any more, and forgets those that are held: they never arrived. Their clients, where there are
    /// any left, go without an answer.
    pub fn thaw(&self) {
        let mut state = self.state();
        state.freezer.passing = None;
        state.freezer.held.clear();
    }

    /// The requests that are held, in the order of their arrival: `POST /api/…`.
    #[must_use]
    pub fn frozen(&self) -> Vec<String> {
        let state = self.state();
        state.freezer.held.iter().map(|held| state.requests[held.number].line()).collect()
    }

    /// Lets the requests that are held have their effect now, however late that is, in an order of their indices in
    /// [`Sandbox::frozen`]; nobody gets an answer. Those that `order` leaves out stay held.
    pub fn apply_frozen(&self, order: &[usize]) {
        for index in order {
            let held = self.state().freezer.held.get(*index).cloned();
            if let Some(Held { number, head, payload }) = held {
                let _ = self.handle(number, &head, payload);
            }
        }
        let mut index = 0;
        self.state().freezer.held.retain(|_| {
            index += 1;
            !order.contains(&(index - 1))
        });
    }

    /// Blocks this thread until a request is held and all that came before have been answered; true. False where that
    /// cannot happen any more, because whoever sends requests has ended, as `is_over` says now and then.
    pub fn wait_until_frozen(&self, is_over: impl FnMut() -> bool) -> bool {
        self.wait(|state| !state.freezer.held.is_empty() && state.freezer.under_way == 0, is_over)
    }

    /// Blocks this thread until every connection has ended: whatever their clients had sent has arrived by then.
    pub fn wait_until_disconnected(&self) {
        self.wait(|state| state.open_connections == 0, || false);
    }

    fn wait(&self, is_there: impl Fn(&State) -> bool, mut is_over: impl FnMut() -> bool) -> bool {
        loop {
            let over = is_over();
            let state = self.state();
            if is_there(&state) {
                return true;
            }
            if over {
                return false;
            }
            drop(self.shared.moved.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Keeps a request until its client hangs up.
    pub(crate) async fn hold(&self, number: usize, head: Parts, payload: Payload) -> Result<Response<Body>, Dropped> {
        self.state().freezer.held.push(Held { number, head, payload });
        self.shared.moved.notify_all();
        std::future::pending().await
    }

    /// Counts a connection, as long as what this returns lives.
    pub(crate) fn connected(&self) -> Connected {
        let mut state = self.state();
        state.connections += 1;
        state.open_connections += 1;
        Connected(self.clone())
    }
}
