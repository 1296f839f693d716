//! Who may send now: one lane a class, each with a window, a gate that a 429 closes, and for uploads a bound on memory
//! and a pace.
//!
//! A lane answers one question, "when may this call go out?" ([`Lane::turn`]), and is told what came of it
//! ([`Lane::throttled`], [`Lane::passed`]): the pace is learnt between the two.

use super::call::Class;
use super::pace::Pace;
use super::patience::{self, SPREAD};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Uploads at the same time. The workspace takes 30 imports a second (reference: "Databricks limits"), a request takes
/// 50 to 800 ms; the official CLI uses 20.
const IMPORT_WINDOW: usize = 24;

/// Imports a second that the workspace takes (reference: "Databricks limits"): the pace after a first 429.
const IMPORT_PACE: f64 = 30.0;

/// Looks at the same time. The workspace takes 60 exports a second (reference: "Databricks limits"); of listings no limit
/// is known.
const LOOK_WINDOW: usize = 24;

/// Calls of any other class at the same time: their limits are 20 to 100 a second, their answers small and quick.
const WINDOW: usize = 8;

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
            look: Arc::new(Lane::new(LOOK_WINDOW, None, None)),
            jobs: Arc::new(Lane::new(WINDOW, None, None)),
            runs: Arc::new(Lane::new(WINDOW, None, None)),
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
}

/// Closed for a while by a 429.
#[derive(Default)]
struct Gate {
    opens: Option<Instant>,
    /// Counts the closings, so that twenty 429s on requests sent together count as one.
    closings: u64,
    /// Closings in a row, without a success between them.
    streak: u32,
    /// Where requests come in numbers, and evenly.
    pace: Option<Pace>,
}

/// Leave to send one request; given back when dropped.
pub(super) struct Turn {
    _window: OwnedSemaphorePermit,
    _bytes: Option<OwnedSemaphorePermit>,
    closings: u64,
    /// How long it stood in the queue and waited for its moment, gate not counted.
    pub(super) queued: Duration,
}

impl Lane {
    fn new(window: usize, bytes: Option<u32>, pace: Option<f64>) -> Lane {
        Lane {
            window: Arc::new(Semaphore::new(window)),
            bytes: bytes.map(|bytes| (Arc::new(Semaphore::new(bytes as usize)), bytes)),
            gate: Mutex::new(Gate { pace: pace.map(Pace::new), ..Gate::default() }),
        }
    }

    /// Waits until a request with `memory` bytes of body may be sent. First come, first served; a body larger than all
    /// the memory there is waits until it has it alone. Where the gate stays closed for longer than `limit`, the error
    /// says how long.
    pub(super) async fn turn(
        &self,
        memory: u64,
        limit: Duration,
        random: &Mutex<fastrand::Rng>,
    ) -> Result<Turn, Duration> {
        let asked = Instant::now();
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
        let mut queued = asked.elapsed();
        loop {
            let (opens, closings, moment) = {
                let (mut gate, now) = (self.gate(), Instant::now());
                let opens = gate.opens.filter(|opens| *opens > now);
                let moment = match &mut gate.pace {
                    Some(pace) if opens.is_none() => pace.take(now),
                    _ => now,
                };
                (opens, gate.closings, moment)
            };
            let Some(opens) = opens else {
                let waited = moment.saturating_duration_since(Instant::now());
                if !waited.is_zero() {
                    tokio::time::sleep_until(moment).await;
                    queued += waited;
                    if self.gate().closings != closings {
                        // A 429 came in the meantime; the moment is void.
                        continue;
                    }
                }
                return Ok(Turn { _window: window, _bytes: bytes, closings, queued });
            };
            let pause = opens.saturating_duration_since(Instant::now());
            if pause > limit {
                return Err(pause);
            }
            // Those who wait here hold their place in the window, so no more than a window's worth starts again, and
            // not all in the same moment.
            let spread = patience::below(SPREAD, &mut random.lock().unwrap_or_else(PoisonError::into_inner));
            tracing::debug!(milliseconds = (pause + spread).as_millis() as u64, "waiting: throttled");
            tokio::time::sleep_until(opens + spread).await;
        }
    }

    /// The request of `turn` was answered with 429: everybody waits as long as the server asks, else longer from time to
    /// time. Returns how long that is from now.
    pub(super) fn throttled(&self, turn: &Turn, asked: Option<Duration>) -> Duration {
        let mut gate = self.gate();
        let now = Instant::now();
        let first_of_its_kind = gate.closings == turn.closings;
        if first_of_its_kind {
            gate.closings += 1;
            gate.streak = gate.streak.saturating_add(1);
            if let Some(pace) = &mut gate.pace {
                pace.emptied(now);
            }
        }
        let pause = match asked {
            Some(asked) if !asked.is_zero() => asked,
            _ if first_of_its_kind => patience::step(gate.streak),
            _ => Duration::ZERO,
        };
        // A moment centuries ahead is none that a clock can name.
        gate.opens = gate.opens.max(Some(now + pause.min(LONGEST_PAUSE)));
        pause.max(gate.opens.map(|opens| opens.saturating_duration_since(now)).unwrap_or_default())
    }

    /// The request of `turn` was not throttled.
    pub(super) fn passed(&self, turn: &Turn) {
        let mut gate = self.gate();
        if let Some(pace) = &mut gate.pace {
            pace.passed(Instant::now());
        }
        if gate.closings == turn.closings {
            gate.streak = 0;
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
