//! The fold of all events: what the reports and the exit code are made from.

use crate::event::{Counts, DriftTold, Ending, Event, RunEnd, RunLabel};
use crate::exit::Exit;
use crate::finding::{Finding, Verdict};
use crate::plan::{self, Intent};
use crate::problem::Problem;

/// What happened, all in all.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the process ends, as far as is known.
    pub exit: Exit,
    /// Whether the process is about to end, so that `exit` is final.
    pub ended: bool,
    /// The workspace's address, once it knows us.
    pub host: Option<String>,
    /// The target's name.
    pub target: Option<String>,
    /// The target's folder in the workspace.
    pub workspace_path: Option<String>,
    /// What of ours is there, when all of it arrived.
    pub deployed: Option<Counts>,
    /// What the plan comes to, be it carried out or not.
    pub changes: Option<plan::Counts>,
    /// What somebody changed in the workspace since the last deploy.
    pub drifted: Vec<DriftTold>,
    /// Where the plan is written.
    pub plan_file: Option<String>,
    /// The runs in the order of their start.
    pub runs: Vec<RunRecord>,
    /// What the doctor found, in order.
    pub findings: Vec<Finding>,
    /// Everything that went wrong, in order.
    pub problems: Vec<Problem>,
    /// Everything that was odd, in order.
    pub warnings: Vec<Problem>,
}

/// A run that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunLabel,
    /// Its job, if it has one.
    pub job_id: Option<i64>,
    /// Its page, once it is known.
    pub link: Option<String>,
    /// How it ended; `None` as long as we wait for it.
    pub end: Option<RunEnd>,
}

impl Default for Outcome {
    fn default() -> Outcome {
        Outcome {
            exit: Exit::Done,
            ended: false,
            host: None,
            target: None,
            workspace_path: None,
            deployed: None,
            changes: None,
            drifted: Vec::new(),
            plan_file: None,
            runs: Vec::new(),
            findings: Vec::new(),
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
            Event::LoggedIn { host, .. } => self.host = Some(host.clone()),
            Event::TargetKnown { target, path } => {
                self.target.clone_from(target);
                self.workspace_path.clone_from(path);
            }
            Event::PlanMade(counts) => self.changes = Some(*counts),
            Event::Planned(told) => self.plan_file.clone_from(&told.file),
            Event::Drifted(told) | Event::DriftStops(told) => self.drifted.extend(told.iter().cloned()),
            Event::ChangesDone { intent, holds, .. } => {
                self.deployed = (*intent == Intent::Deploy).then_some(*holds);
            }
            Event::RunTriggered { run, job_id } => {
                self.runs.push(RunRecord { run: run.clone(), job_id: *job_id, link: None, end: None });
            }
            Event::RunLinked { run, link } => {
                if let Some(record) = self.record(run) {
                    record.link = Some(link.clone());
                }
            }
            Event::RunEnded(end) => {
                self.exit = self.exit.or_worse(match end.ending {
                    Ending::Succeeded | Ending::Triggered => Exit::Done,
                    Ending::Failed => Exit::RunFailed,
                    Ending::Cancelled => Exit::RunCancelled,
                    Ending::WaitEnded => Exit::WaitEnded,
                });
                if let Some(record) = self.record(&end.run) {
                    record.end = Some(end.clone());
                }
            }
            Event::Found(finding) => {
                match finding.verdict {
                    Verdict::Bad => self.problems.extend(finding.problem()),
                    Verdict::Odd => self.warnings.extend(finding.problem()),
                    Verdict::Good | Verdict::Unknown | Verdict::Told => {}
                }
                self.findings.push(finding.clone());
            }
            Event::Stopped { problems, exit } => {
                self.exit = self.exit.or_worse(*exit);
                self.problems.extend(problems.iter().cloned());
            }
            Event::Ended { .. } => self.ended = true,
            _ => {}
        }
    }

    /// Runs that were started and whose end we have not seen.
    pub fn running(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter().filter(|record| record.end.is_none())
    }

    fn record(&mut self, run: &RunLabel) -> Option<&mut RunRecord> {
        self.runs.iter_mut().find(|record| record.run == *run)
    }
}
