//! What a sweep found: how many points it covered, in which time, and where it went wrong.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// How many failures are shown with all that belongs to them; the others by their first line.
const SHOWN: usize = 6;

/// Counts for all threads of a sweep.
pub(super) struct Tally {
    began: Instant,
    points: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Tally {
    #[allow(clippy::disallowed_methods)] // the figure of a sweep is real time, and nothing depends on it
    pub(super) fn new() -> Tally {
        Tally { began: Instant::now(), points: AtomicUsize::new(0), failures: Mutex::default() }
    }

    /// Counts a point, and keeps what went wrong there.
    pub(super) fn note(&self, at: impl FnOnce() -> String, judged: Result<(), String>) {
        self.points.fetch_add(1, Relaxed);
        if let Err(why) = judged {
            self.failures.lock().unwrap().push(format!("{}: {why}", at()));
        }
    }

    /// Prints the figures. Fails where something went wrong, or fewer points were covered than there must be.
    #[allow(clippy::print_stdout)] // the figures of a sweep
    pub(super) fn tell(self, what: &str, least: usize) {
        let (points, seconds) = (self.points.into_inner(), self.began.elapsed().as_secs_f32());
        println!("{what}: {points} points, {seconds:.0} s");
        let failures = self.failures.into_inner().unwrap();
        let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n\n");
        let lines: Vec<&str> = failures.iter().map(|failure| failure.lines().next().unwrap_or_default()).collect();
        let lines = lines.join("\n");
        assert!(failures.is_empty(), "{} of {points} points went wrong:\n{lines}\n\n{shown}", failures.len());
        assert!(points >= least && least > 0, "{points} points are fewer than {least}");
    }
}

/// Works on two threads; what each is given hands out the numbers from 0 on, each of them once.
pub(super) fn on_two_threads(work: impl Fn(&dyn Fn() -> usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| work(&|| next.fetch_add(1, Relaxed)));
        }
    });
}
