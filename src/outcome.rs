//! The fold of all events: what the reports and the exit code are made from.

use crate::event::{Counts, Ending, Event, RunLabel, RunReport};
use crate::exit::Exit;
use crate::problem::Problem;

/// What happened, all in all.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the process ends.
    pub exit: Exit,
    /// Where the files went and what they are, when they all arrived.
    pub deployed: Option<(String, Counts)>,
    /// Runs that were started and whose end we have not seen.
    pub running: Vec<RunLabel>,
    /// The runs in the order of their end.
    pub runs: Vec<RunReport>,
    /// Everything that went wrong, in order.
    pub problems: Vec<Problem>,
    /// Everything that was odd, in order.
    pub warnings: Vec<Problem>,
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome {
            exit: Exit::Done,
            deployed: None,
            running: Vec::new(),
            runs: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

impl Outcome {
    /// Takes one more event into account.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Warned(problem) => self.warnings.push(problem.clone()),
            Event::Deployed { to, counts, .. } => self.deployed = Some((to.clone(), *counts)),
            Event::RunTriggered(run) => self.running.push(run.clone()),
            Event::RunEnded(report) => {
                self.running.retain(|run| *run != report.run);
                self.exit = self.exit.or_worse(match report.ending {
                    Ending::Succeeded | Ending::Triggered => Exit::Done,
                    Ending::Failed => Exit::RunFailed,
                    Ending::Cancelled => Exit::RunCancelled,
                    Ending::WaitEnded => Exit::WaitEnded,
                });
                self.runs.push(report.clone());
            }
            Event::Stopped { problems, exit } => {
                self.exit = self.exit.or_worse(*exit);
                self.problems.extend(problems.iter().cloned());
            }
            _ => {}
        }
    }
}
