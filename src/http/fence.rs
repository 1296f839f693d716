//! Something that must hold for calls to go out: somebody else sees to it, for some time ahead, and may lose it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Lets calls out until a moment that is moved on from outside. It is looked at right before a request is sent: a process
/// that was stopped for a while and wakes up sends nothing that it may not send now. What is under way when it closes is
/// broken off: a long upload would arrive when it may not any longer. Calls wait for a closed fence to open again, as long
/// as their patience lasts; one that has fallen never does.
#[derive(Clone, Debug)]
pub struct Fence(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
struct State {
    open_until: Instant,
    fallen: bool,
}

impl Fence {
    /// Lets calls out until `end`.
    pub fn until(end: Instant) -> Fence {
        Fence(Arc::new(watch::Sender::new(State { open_until: end, fallen: false })))
    }

    /// Moves the end.
    pub fn move_to(&self, end: Instant) {
        self.0.send_modify(|state| state.open_until = end);
    }

    /// Lets nothing out any more, for good.
    pub fn fall(&self) {
        self.0.send_modify(|state| state.fallen = true);
    }

    /// How long it is open yet.
    pub fn left(&self) -> Duration {
        let state = *self.0.borrow();
        if state.fallen { Duration::ZERO } else { state.open_until.saturating_duration_since(Instant::now()) }
    }

    /// Whether calls may go out now.
    pub fn is_open(&self) -> bool {
        !self.left().is_zero()
    }

    /// When it closes, as far as is known.
    pub fn end(&self) -> Instant {
        self.0.borrow().open_until
    }

    /// Ends when it is open, or with `false` when it has fallen.
    pub(super) async fn open(&self) -> bool {
        let state = |state: &State| state.fallen || state.open_until > Instant::now();
        // The sender is ours: it does not go away meanwhile. That it closes in the very moment is seen before a request.
        self.0.subscribe().wait_for(state).await.is_ok_and(|state| !state.fallen)
    }

    /// Ends when it closes, wherever that is moved meanwhile. Who wakes up after a while may be asked before his timers are:
    /// the clock is looked at each time.
    pub(super) async fn closed(&self) {
        let mut waiting = pin!(async {
            let mut changes = self.0.subscribe();
            while self.is_open() {
                tokio::select! {
                    () = sleep_until(self.end()) => {}
                    _ = changes.changed() => {}
                }
            }
        });
        poll_fn(|context| if self.is_open() { waiting.as_mut().poll(context) } else { Poll::Ready(()) }).await;
    }

    /// Ends when it has fallen.
    pub async fn fallen(&self) {
        let _ = self.0.subscribe().wait_for(|state| state.fallen).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_fence_opens_again_and_a_fallen_one_does_not() {
        let fence = Fence::until(Instant::now() + Duration::from_secs(10));
        assert!(fence.is_open() && fence.open().await);
        let other = fence.clone();
        let mover = tokio::spawn(async move {
            other.closed().await;
            assert!(!other.is_open());
            tokio::time::sleep(Duration::from_secs(5)).await;
            other.move_to(Instant::now() + Duration::from_secs(10));
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.fall();
        });
        tokio::time::sleep(Duration::from_secs(12)).await;
        let asked = Instant::now();
        assert!(fence.open().await);
        assert_eq!(asked.elapsed(), Duration::from_secs(3));
        fence.fallen().await;
        assert_eq!(asked.elapsed(), Duration::from_secs(4));
        assert!(!fence.open().await && !fence.is_open());
        mover.await.expect("nothing is wrong in it");
    }
}
