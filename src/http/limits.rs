//! Who may send now: one lane a class, each with a window that opens as answers come in, a gate that a 429 closes, a pace
//! that is learnt from 429s, and for uploads a bound on memory.
//!
//! A lane answers one question, "when may this call go out?" ([`Lane::turn`]), and is told what came of it
//! ([`Lane::throttled`], [`Lane::passed`]): window and pace are learnt between the two.

use super::call::Class;
use super::pace::Pace;
use super::patience;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Uploads at the same time. The workspace takes 30 imports a second (reference: "Databricks limits"), so that no more than
/// a second's worth is ever refused at once; a request takes 50 to 800 ms; the official CLI uses 20.
const IMPORT_WINDOW: usize = 28;

/// Looks at the same time. The workspace takes 60 exports a second (reference: "Databricks limits"); of listings no limit
/// is known.
const LOOK_WINDOW: usize = 24;

/// Calls of any other class at the same time: their limits are 20 to 100 a second, their answers small and quick.
const WINDOW: usize = 8;

/// How wide a window is at first. Each answer opens it by one, so that it is twice as wide after the first answers:
/// neither a server that has nothing left to give nor one that is just waking up gets all of it at the first moment, and
/// the connections are not all made in one. Measured with 1,000 uploads to 50 new folders at 50 ms a request: beginning
/// with 4 costs 100 ms, with 8 half of that, with 12 nothing, because making the folders takes as many round trips.
const FIRST_WINDOW: usize = 12;

/// The pace after a first 429, in requests a second: the documented limits of imports, of exports, and the lowest of those
/// of jobs and of runs (reference: "Databricks limits").
const IMPORT_PACE: f64 = 30.0;
const LOOK_PACE: f64 = 60.0;
const PACE: f64 = 20.0;

/// Over what time processes are spread that a server sent away until the same moment. Each of them begins with one
/// request, and goes on at its pace.
const SPREAD: Duration = Duration::from_millis(100);

/// Bytes of uploads in memory at the same time.
pub(super) const UPLOAD_BYTES: u32 = 32 * 1024 * 1024;

/// The longest pause that a gate can express: no process of ours lives longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The lanes of one host.
pub(super) struct Limits {
    import: Arc<Lane>,
    look: Arc<Lane>,
    jobs: Arc<Lane>,
    runs: Arc<Lane>,
    control: Arc<Lane>,
}

impl Limits {
    pub(super) fn new() -> Limits {
        Limits {
            import: Arc::new(Lane::new(IMPORT_WINDOW, Some(UPLOAD_BYTES), Some(IMPORT_PACE))),
            look: Arc::new(Lane::new(LOOK_WINDOW, None, Some(LOOK_PACE))),
            jobs: Arc::new(Lane::new(WINDOW, None, Some(PACE))),
            runs: Arc::new(Lane::new(WINDOW, None, Some(PACE))),
            // They go to many endpoints, each with a limit of its own, and they must get through: that one was told to
            // wait says nothing for the others.
            control: Arc::new(Lane::new(WINDOW, None, None)),
        }
    }

    pub(super) fn lane(&self, class: Class) -> Arc<Lane> {
        Arc::clone(match class {
            Class::Import => &self.import,
            Class::Look => &self.look,
            Class::Jobs => &self.jobs,
            Class::Runs => &self.runs,
            Class::Control => &self.control,
        })
    }
}

/// What the calls of one class pass before they are sent.
pub(super) struct Lane {
    window: Arc<Semaphore>,
    bytes: Option<(Arc<Semaphore>, u32)>,
    gate: Mutex<Gate>,
    /// Tells those who wait for their moment that it has changed.
    closing: Notify,
}

struct Gate {
    /// Until when it is closed.
    opens: Option<Instant>,
    /// How long it has been closed so far, and is going to be.
    closed: Duration,
    /// Counts the closings, so that twenty 429s on requests sent together count as one.
    closings: u64,
    /// Closings in a row, without a success between them.
    streak: u32,
    /// How often the moments of those who wait have changed.
    changes: u64,
    /// By how much the window can still open.
    narrow: usize,
    /// None where each call waits for itself.
    pace: Option<Pace>,
}

/// Leave to send one request; given back when dropped.
pub(super) struct Turn {
    _place: Place,
    closings: u64,
    /// How long it stood in the queue and waited for its moment while the gate was open.
    pub(super) queued: Duration,
    /// How long it stood before the closed gate.
    pub(super) shut: Duration,
}

struct Place {
    _window: OwnedSemaphorePermit,
    _bytes: Option<OwnedSemaphorePermit>,
}

impl Lane {
    fn new(window: usize, bytes: Option<u32>, pace: Option<f64>) -> Lane {
        let first = window.min(FIRST_WINDOW);
        let gate = Gate {
            opens: None,
            closed: Duration::ZERO,
            closings: 0,
            streak: 0,
            changes: 0,
            narrow: window - first,
            pace: pace.map(Pace::new),
        };
        Lane {
            window: Arc::new(Semaphore::new(first)),
            bytes: bytes.map(|bytes| (Arc::new(Semaphore::new(bytes as usize)), bytes)),
            gate: Mutex::new(gate),
            closing: Notify::new(),
        }
    }

    /// Waits until a request with `memory` bytes of body may be sent. First come, first served; a body larger than all
    /// the memory there is waits until it has it alone. Where the gate is closed for longer than `limit`, the error says
    /// how long it still is.
    pub(super) async fn turn(&self, memory: u64, limit: Duration) -> Result<Turn, Duration> {
        let asked = Instant::now();
        let before = self.gate().closed_until(asked);
        let mut place = pin!(self.place(memory));
        let place = loop {
            let mut closing = pin!(self.closing.notified());
            closing.as_mut().enable();
            self.gate().bears(limit, before)?;
            tokio::select! {
                biased;
                place = &mut place => break place?,
                () = closing => {}
            }
        };
        // Nobody stands in another's way from here on, whether or not he is polled: each has a moment of his own.
        let (number, mut moment, mut changes) = self.gate().take(Instant::now());
        loop {
            let mut closing = pin!(self.closing.notified());
            closing.as_mut().enable();
            {
                let (mut gate, now) = (self.gate(), Instant::now());
                gate.bears(limit, before)?;
                if gate.changes != changes {
                    changes = gate.changes;
                    moment = gate.pace.as_ref().map_or(now, |pace| pace.again(number, now));
                }
                if moment <= now {
                    if let Some(pace) = &mut gate.pace {
                        pace.went(number, now);
                    }
                    let shut = gate.closed_until(now).saturating_sub(before);
                    let queued = (now - asked).saturating_sub(shut);
                    return Ok(Turn { _place: place, closings: gate.closings, queued, shut });
                }
            }
            tokio::select! {
                () = sleep_until(moment) => {}
                () = closing => {}
            }
        }
    }

    /// A place in the window, and the memory.
    async fn place(&self, memory: u64) -> Result<Place, Duration> {
        // The semaphores are never closed.
        let never = |_| Duration::MAX;
        let window = Arc::clone(&self.window).acquire_owned().await.map_err(never)?;
        let bytes = match &self.bytes {
            Some((bytes, all)) if memory > 0 => {
                let share = u32::try_from(memory).unwrap_or(u32::MAX).min(*all);
                Some(Arc::clone(bytes).acquire_many_owned(share).await.map_err(never)?)
            }
            _ => None,
        };
        Ok(Place { _window: window, _bytes: bytes })
    }

    /// The request of `turn` was answered with 429: everybody waits as long as the server asks, else longer from time to
    /// time. Returns how long that is from now; nothing where each call waits for itself.
    pub(super) fn throttled(
        &self,
        turn: &Turn,
        asked: Option<Duration>,
        random: &mut fastrand::Rng,
    ) -> Option<Duration> {
        let mut guard = self.gate();
        let gate = &mut *guard;
        let pace = gate.pace.as_mut()?;
        let now = Instant::now();
        let first_of_its_kind = gate.closings == turn.closings;
        if first_of_its_kind {
            gate.closings += 1;
            gate.streak = gate.streak.saturating_add(1);
            pace.emptied(now);
        }
        let pause = match asked {
            Some(asked) if !asked.is_zero() => asked,
            _ if first_of_its_kind => patience::step(gate.streak),
            _ => Duration::ZERO,
        };
        let closed_so_far = gate.opens.unwrap_or(now).max(now);
        if !pause.is_zero() {
            // A moment centuries ahead is none that a clock can name.
            let opens = closed_so_far.max(now + pause.min(LONGEST_PAUSE) + patience::below(SPREAD, random));
            gate.closed += opens.saturating_duration_since(closed_so_far);
            gate.opens = Some(opens);
            gate.changes += 1;
            pace.close(opens);
            self.closing.notify_waiters();
        }
        Some(pause.max(gate.opens.unwrap_or(now).saturating_duration_since(now)))
    }

    /// The request of `turn` was not throttled, and the server is well.
    pub(super) fn passed(&self, turn: &Turn) {
        let mut gate = self.gate();
        if let Some(pace) = &mut gate.pace {
            pace.passed();
        }
        if gate.closings == turn.closings {
            gate.streak = 0;
        }
        if gate.narrow > 0 {
            gate.narrow -= 1;
            self.window.add_permits(1);
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// The number and the moment of the next request, and what its moment is as old as.
    fn take(&mut self, now: Instant) -> (u64, Instant, u64) {
        let (number, moment) = self.pace.as_mut().map_or((0, now), |pace| pace.take(now));
        (number, moment, self.changes)
    }

    /// How long it had been closed at this moment.
    fn closed_until(&self, now: Instant) -> Duration {
        self.closed.saturating_sub(self.still_closed(now))
    }

    fn still_closed(&self, now: Instant) -> Duration {
        self.opens.map(|opens| opens.saturating_duration_since(now)).unwrap_or_default()
    }

    /// Whether somebody stays to whom it was closed for `before` when he came, and who bears `limit` of it.
    fn bears(&self, limit: Duration, before: Duration) -> Result<(), Duration> {
        let still = self.still_closed(Instant::now());
        if !still.is_zero() && self.closed.saturating_sub(before) > limit { Err(still) } else { Ok(()) }
    }
}
