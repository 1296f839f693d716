//! Bodies of answers: whole ones, and ones that misbehave as a fault orders.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// A body that comes in pieces, with a pause before each, and may break off.
pub(crate) struct Pieces {
    pieces: VecDeque<Bytes>,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    breaks_off: bool,
    /// Whether the connection had a turn to send what came before it breaks.
    flushed: bool,
}

impl Pieces {
    /// The first `keep` bytes, then a broken connection.
    pub(crate) fn truncated(body: &Bytes, keep: usize) -> Pieces {
        let kept = body.slice(..keep.min(body.len()));
        let pieces = if kept.is_empty() { VecDeque::new() } else { VecDeque::from([kept]) };
        Pieces { pieces, pause: Duration::ZERO, waiting: None, breaks_off: true, flushed: false }
    }

    /// Everything, slowly.
    pub(crate) fn slow(mut body: Bytes, piece: usize, pause: Duration) -> Pieces {
        let mut pieces = VecDeque::new();
        while !body.is_empty() {
            pieces.push_back(body.split_to(piece.clamp(1, body.len())));
        }
        Pieces { pieces, pause, waiting: None, breaks_off: false, flushed: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.pieces.is_empty() {
            if !self.breaks_off {
                return Poll::Ready(None);
            }
            if !self.flushed {
                self.flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let broken = io::Error::new(io::ErrorKind::ConnectionReset, "the connection broke off");
            return Poll::Ready(Some(Err(broken)));
        }
        if !self.pause.is_zero() {
            let pause = self.pause;
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
            if waiting.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.waiting = None;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        // The head already says how long the body should be.
        SizeHint::default()
    }
}
