//! What happens, as it happens: stages emit events; the console renders them live and [`crate::outcome`] folds them.
//!
//! Texts in events are whole: a sink redacts them first and shortens them then, so that no half of a secret is left.

use crate::finding::{Finding, Group};
use crate::plan::{self, Change, Intent, Plan};
use crate::problem::{Code, Problem};
use std::time::Duration;

/// Something that happened and that a reader of the log may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// The program started.
    Began {
        /// Its version.
        version: &'static str,
    },
    /// Something is odd, but nothing stops.
    Warned(Problem),
    /// The workspace knows us.
    LoggedIn {
        /// The workspace's address.
        host: String,
        /// Who we are there: a user name, or a service principal's application id.
        user: String,
        /// Which way to log in was taken, and why.
        how: String,
    },
    /// A local file is left out.
    Ignored {
        /// Its path below `LOCAL_PATH`; a folder's ends with `/`.
        path: String,
        /// The rule that leaves it out.
        reason: String,
    },
    /// It is known what a deploy or a destroy has to do. Nothing has been changed yet.
    PlanMade(plan::Counts),
    /// What a deploy would do was asked for.
    Planned(PlanTold),
    /// Everything is as it should be.
    NothingToDo {
        /// The target's folder.
        to: String,
        /// What was asked for.
        intent: Intent,
        /// How many objects are as they should be.
        untouched: usize,
    },
    /// Objects that are not touched though one might expect it: path, and why.
    LeftAlone(Vec<(String, String)>),
    /// Somebody changed an object in the workspace since the last deploy.
    Drifted(Vec<DriftTold>),
    /// The same, where it stops everything: the problems of the end tell it.
    DriftStops(Vec<DriftTold>),
    /// Another build holds the lock of the target; we wait.
    LockWait {
        /// The target's folder.
        to: String,
        /// Who holds it.
        whom: String,
        /// The page of that build.
        link: Option<String>,
    },
    /// It still does.
    LockStillHeld {
        /// Who holds it.
        whom: String,
        /// How long we have waited.
        elapsed: Duration,
    },
    /// The lock was taken although somebody seems to hold it.
    LockPassedOver {
        /// From whom: `a build that stopped without releasing it`.
        from: &'static str,
        /// The page of that build.
        link: Option<String>,
    },
    /// The workspace is about to be changed.
    ChangesBegan {
        /// `LOCAL_PATH` as the user wrote it.
        from: String,
        /// The target's folder.
        to: String,
        /// What is done.
        intent: Intent,
        /// How much of it.
        counts: plan::Counts,
    },
    /// The deploy takes its time.
    DeployProgress {
        /// Objects that are done.
        done: usize,
        /// Objects there are.
        total: usize,
    },
    /// The workspace is as it was asked for.
    ChangesDone {
        /// The target's folder.
        to: String,
        /// What was done.
        intent: Intent,
        /// How much of it.
        counts: plan::Counts,
        /// What of ours is there now.
        holds: Counts,
        /// How long it took.
        elapsed: Duration,
        /// Whether that has been said already, since there was nothing to do.
        silent: bool,
    },
    /// Somebody was given a right on the target's folder.
    PermissionGiven {
        /// Who, and as what: ``group `team` ``.
        to: String,
        /// The service's word: `CAN_RUN`.
        level: &'static str,
    },
    /// What is deployed to is known. Nothing has been changed yet.
    TargetKnown {
        /// The target's name, where it has one.
        target: Option<String>,
        /// Its folder in the workspace, where something needs or names one.
        path: Option<String>,
    },
    /// How long the identity lasts that runs are watched with. Nothing has been started yet.
    IdentityLasts {
        /// In words: `until 2026-03-02 10:00:00 UTC`.
        shown: String,
        /// For how long.
        left: Duration,
        /// Whether it ends the wait before `TIMEOUT` does.
        limits: bool,
    },
    /// A run was started.
    RunTriggered {
        /// The run.
        run: RunLabel,
        /// Its job, if it has one.
        job_id: Option<i64>,
    },
    /// The page of a run is known.
    RunLinked {
        /// The run.
        run: RunLabel,
        /// Its page.
        link: String,
    },
    /// The run as a whole changed its state: queued, for example.
    RunChanged {
        /// The run.
        run: RunLabel,
        /// In words.
        state: String,
    },
    /// A task changed its state.
    TaskChanged {
        /// The run.
        run: RunLabel,
        /// The task's key.
        task: String,
        /// In words: `running`, `succeeded after 12 s`.
        state: String,
        /// Whether it is a bad end.
        bad: bool,
    },
    /// Nothing changed for a while.
    StillWaiting {
        /// The run.
        run: RunLabel,
        /// How long it has been watched.
        elapsed: Duration,
        /// In words: `running, 1 of 3 tasks done`.
        state: String,
    },
    /// The workspace does not tell the state of a run at the moment.
    WatchTroubled {
        /// The run.
        run: RunLabel,
        /// What is the matter.
        trouble: String,
    },
    /// The workspace tells the state of the run again.
    WatchRecovered(RunLabel),
    /// Why a task failed.
    TaskExplained {
        /// The run.
        run: RunLabel,
        /// What is known.
        failure: TaskFailure,
    },
    /// What a notebook returned.
    TaskOutput {
        /// The run.
        run: RunLabel,
        /// The task's key.
        task: String,
        /// What it returned.
        output: String,
        /// Whether the workspace kept only the first part of it.
        truncated: bool,
    },
    /// A run is over, or our wait for it.
    RunEnded(RunEnd),
    /// A run was asked to cancel.
    CancelRequested(RunLabel),
    /// Entries of `RUN` that are not triggered any more.
    NotTriggered {
        /// As the user wrote them.
        entries: Vec<String>,
        /// Why not.
        because: String,
    },
    /// The doctor begins with something.
    Examining(Group),
    /// The doctor has examined something.
    Found(Finding),
    /// The doctor has ended.
    Examined {
        /// Whether everything was examined.
        complete: bool,
        /// How many findings are good.
        good: usize,
        /// How many are bad.
        bad: usize,
        /// How many things are not known.
        unknown: usize,
        /// Where all of it is written, where it could be.
        file: Option<String>,
    },
    /// The walk ended early.
    Stopped {
        /// All that is wrong.
        problems: Vec<Problem>,
        /// How the process will end.
        exit: crate::exit::Exit,
    },
    /// The last event of all.
    Ended {
        /// How the process ends.
        exit: crate::exit::Exit,
        /// What that means, in words.
        words: &'static str,
        /// How long all took.
        elapsed: Duration,
        /// How many requests were sent.
        requests: u64,
        /// How many of these were repetitions.
        repetitions: u64,
    },
}

/// Which run an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLabel {
    /// What runs, for people: `job nightly-etl (1042)`, `notebook /Workspace/…`.
    pub name: String,
    /// The run's id.
    pub id: i64,
}

/// What a deploy consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Notebooks of every language.
    pub notebooks: usize,
    /// Files that are no notebooks.
    pub files: usize,
    /// Dashboards.
    pub dashboards: usize,
    /// Folders below the target's own.
    pub folders: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// What is known of a task that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFailure {
    /// The task's key.
    pub task: String,
    /// How it ended, in words.
    pub ended: String,
    /// The error in one line.
    pub error: Option<String>,
    /// The end of the trace, its lines in order.
    pub trace: Vec<String>,
    /// The notebook, where it is one.
    pub notebook: Option<String>,
    /// The task run's page.
    pub link: Option<String>,
}

/// How a run ended, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// The run.
    pub run: RunLabel,
    /// Its page.
    pub link: Option<String>,
    /// How that counts.
    pub ending: Ending,
    /// What kind of bad end it is.
    pub code: Option<Code>,
    /// In words: `succeeded`, `failed: …`.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How long it was watched.
    pub elapsed: Duration,
}

/// What a deploy would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanTold {
    /// The target's folder.
    pub to: String,
    /// How much of what.
    pub counts: plan::Counts,
    /// Every change, sorted by path.
    pub changes: Vec<Change>,
    /// Where all of it is written, where it could be.
    pub file: Option<String>,
    /// Whether the counts have been said already, since there is nothing to do.
    pub silent: bool,
}

/// What somebody changed in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftTold {
    /// The object.
    pub path: String,
    /// What was done to it, and what becomes of it: the end of a sentence that starts with the path.
    pub words: String,
    /// Where the copy is.
    pub copy: Option<String>,
}

impl DriftTold {
    /// All that a plan found; `copy` knows where the copy of an object is.
    pub fn all(plan: &Plan, copy: impl Fn(&str) -> Option<String>) -> Vec<DriftTold> {
        let told = plan.drifted.iter().map(|drifted| {
            let path = plan.at(&drifted.path).to_string();
            DriftTold { copy: copy(&path), words: drifted.in_words(&plan.root), path }
        });
        told.collect()
    }
}

/// How the end of a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything says success (or it was accepted as one).
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled, or did not happen.
    Cancelled,
    /// Our wait ended first.
    WaitEnded,
    /// We do not wait for it.
    Triggered,
}

/// Takes events; every stage gets one.
pub trait Emit: Send + Sync {
    /// Takes one event, in order.
    fn emit(&self, event: Event);
}
