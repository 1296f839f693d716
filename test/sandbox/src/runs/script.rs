//! What a run plays: the states it passes through, how long each lasts, and how it ends.

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Which runs play a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Every run.
    Any,
    /// Runs of this job.
    Job(i64),
    /// Runs of the jobs with this name, or one-time runs with this `run_name`.
    Name(String),
    /// Runs with a task on this notebook, with or without `/Workspace`.
    Notebook(String),
}

/// How long a state lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// For so many answers of `runs/get` on the run.
    Polls(u32),
    /// For so long, in tokio time.
    Time(Duration),
    /// Until the run is cancelled or its own time limit ends it.
    Forever,
}

/// A state on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `state.life_cycle_state`; any text, so that a test can show a value that nobody knows.
    pub life_cycle: String,
    /// `status.state`; likewise.
    pub status: String,
    /// How long it lasts.
    pub lasts: Lasting,
}

impl Phase {
    /// Any state.
    #[must_use]
    pub fn new(life_cycle: &str, status: &str, lasts: Lasting) -> Phase {
        Phase { life_cycle: life_cycle.to_owned(), status: status.to_owned(), lasts }
    }

    /// Waiting for compute.
    #[must_use]
    pub fn pending(lasts: Lasting) -> Phase {
        Phase::new("PENDING", "PENDING", lasts)
    }

    /// At work.
    #[must_use]
    pub fn running(lasts: Lasting) -> Phase {
        Phase::new("RUNNING", "RUNNING", lasts)
    }

    /// Waiting in the queue.
    #[must_use]
    pub fn queued(lasts: Lasting) -> Phase {
        Phase::new("QUEUED", "QUEUED", lasts)
    }

    /// Failed once, and about to be tried again.
    #[must_use]
    pub fn waiting_for_retry(lasts: Lasting) -> Phase {
        Phase::new("WAITING_FOR_RETRY", "WAITING", lasts)
    }

    /// Cleaning up.
    #[must_use]
    pub fn terminating(lasts: Lasting) -> Phase {
        Phase::new("TERMINATING", "TERMINATING", lasts)
    }
}

/// A `state` or `status` block in an ended run or task.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Block {
    /// As the ending says.
    #[default]
    True,
    /// Left out.
    Absent,
    /// This instead.
    Json(Value),
}

/// How a task ends; also how a run ends, where a script says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// `state.life_cycle_state`: `TERMINATED`, `SKIPPED`, `INTERNAL_ERROR`.
    pub life_cycle: String,
    /// `state.result_state`; `None` leaves it out.
    pub result: Option<String>,
    /// `state.state_message` and `status.termination_details.message`.
    pub message: String,
    /// `state.user_cancelled_or_timedout`.
    pub cancelled_or_timed_out: bool,
    /// `status.termination_details.code`.
    pub code: String,
    /// `status.termination_details.type`.
    pub kind: String,
    /// `error` of `runs/get-output`.
    pub error: Option<String>,
    /// `error_trace` of `runs/get-output`.
    pub error_trace: Option<String>,
    /// What the notebook gave to `dbutils.notebook.exit`.
    pub output: Option<String>,
    /// Whether `output` is said to be cut. It is also said, and cut, where `output` has over 5 MB.
    pub truncated: bool,
    /// Overrides the whole `state` block. A task's does not reach its run: for that, end the run with [`RunEnd::As`].
    pub state: Block,
    /// Overrides the whole `status` block; likewise.
    pub status: Block,
}

impl Ending {
    /// Any ending.
    #[must_use]
    pub fn new(life_cycle: &str, result: Option<&str>, code: &str, kind: &str, message: &str) -> Ending {
        Ending {
            life_cycle: life_cycle.to_owned(),
            result: result.map(str::to_owned),
            message: message.to_owned(),
            cancelled_or_timed_out: false,
            code: code.to_owned(),
            kind: kind.to_owned(),
            error: None,
            error_trace: None,
            output: None,
            truncated: false,
            state: Block::True,
            status: Block::True,
        }
    }

    /// It worked.
    #[must_use]
    pub fn success() -> Ending {
        Ending::new("TERMINATED", Some("SUCCESS"), "SUCCESS", "SUCCESS", "")
    }

    /// It worked, and the notebook said this at its end.
    #[must_use]
    pub fn success_with(output: &str) -> Ending {
        Ending { output: Some(output.to_owned()), ..Ending::success() }
    }

    /// The user's code failed. The message is the general one that the real service gives (databricks/cli,
    /// libs/testserver/jobs.go, `taskFailureMessage`).
    #[must_use]
    pub fn failed(error: &str, error_trace: &str) -> Ending {
        let message = "Workload failed, see run output for details";
        Ending {
            error: Some(error.to_owned()),
            error_trace: Some(error_trace.to_owned()),
            ..Ending::new("TERMINATED", Some("FAILED"), "RUN_EXECUTION_ERROR", "CLIENT_ERROR", message)
        }
    }

    /// The platform failed.
    #[must_use]
    pub fn internal_error(code: &str, message: &str) -> Ending {
        Ending::new("INTERNAL_ERROR", Some("FAILED"), code, "INTERNAL_ERROR", message)
    }

    /// Its own time limit ended it. The termination code is that of a cancellation by the platform, for the list of
    /// codes has none for time limits (unconfirmed).
    #[must_use]
    pub fn timed_out() -> Ending {
        Ending {
            cancelled_or_timed_out: true,
            ..Ending::new("TERMINATED", Some("TIMEDOUT"), "CANCELED", "CLIENT_ERROR", "Run timed out.")
        }
    }

    /// Somebody cancelled it.
    #[must_use]
    pub fn cancelled() -> Ending {
        Ending {
            cancelled_or_timed_out: true,
            ..Ending::new("TERMINATED", Some("CANCELED"), "USER_CANCELED", "CLIENT_ERROR", "Run cancelled.")
        }
    }

    /// It was skipped.
    #[must_use]
    pub fn skipped(message: &str) -> Ending {
        Ending::new("SKIPPED", None, "SKIPPED", "CLIENT_ERROR", message)
    }

    /// The job has as many runs as it may have, and no queue.
    #[must_use]
    pub fn too_many_runs() -> Ending {
        let message = "The maximum number of concurrent runs for this job was reached.";
        let result = Some("MAXIMUM_CONCURRENT_RUNS_REACHED");
        Ending::new("SKIPPED", result, "MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR", message)
    }

    /// Leaves some tasks failed, and is a success in the end.
    #[must_use]
    pub fn success_with_failures() -> Ending {
        let result = Some("SUCCESS_WITH_FAILURES");
        Ending::new("TERMINATED", result, "SUCCESS_WITH_FAILURES", "SUCCESS", "")
    }

    /// Replaces the `state` block.
    #[must_use]
    pub fn with_state(mut self, state: Block) -> Ending {
        self.state = state;
        self
    }

    /// Replaces the `status` block.
    #[must_use]
    pub fn with_status(mut self, status: Block) -> Ending {
        self.status = status;
        self
    }
}

/// What one task plays.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskScript {
    /// The states on the way.
    pub phases: Vec<Phase>,
    /// How it ends.
    pub end: Ending,
}

impl TaskScript {
    /// PENDING for one poll, RUNNING for one poll, then this.
    #[must_use]
    pub fn ending(end: Ending) -> TaskScript {
        let phases = vec![Phase::pending(Lasting::Polls(1)), Phase::running(Lasting::Polls(1))];
        TaskScript { phases, end }
    }

    /// RUNNING for so long, then this.
    #[must_use]
    pub fn after(time: Duration, end: Ending) -> TaskScript {
        TaskScript { phases: vec![Phase::running(Lasting::Time(time))], end }
    }

    /// RUNNING until it is cancelled.
    #[must_use]
    pub fn forever() -> TaskScript {
        TaskScript { phases: vec![Phase::running(Lasting::Forever)], end: Ending::success() }
    }
}

impl Default for TaskScript {
    fn default() -> TaskScript {
        TaskScript::ending(Ending::success())
    }
}

/// What happens before the first task.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Start {
    /// Nothing.
    #[default]
    AtOnce,
    /// The run waits in the queue.
    Queued(Lasting),
    /// The run never starts and has this ending at once.
    Never(Box<Ending>),
}

/// How the run as a whole ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RunEnd {
    /// As its tasks did.
    #[default]
    ByTasks,
    /// When all tasks have ended, like this, whatever they did.
    As(Ending),
    /// So long after the first task started (tokio time), like this; tasks still at work end likewise.
    After(Duration, Ending),
}

/// What a run plays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// What happens before the first task.
    pub start: Start,
    /// What tasks play, by `task_key`.
    pub tasks: BTreeMap<String, TaskScript>,
    /// What every other task plays.
    pub other_tasks: TaskScript,
    /// How the run as a whole ends.
    pub end: RunEnd,
    /// How many runs play it, after which it is gone; `None` means all.
    pub times: Option<u32>,
}

impl Script {
    /// Every task ends like this.
    #[must_use]
    pub fn ending(end: Ending) -> Script {
        Script { other_tasks: TaskScript::ending(end), ..Script::default() }
    }

    /// Every task plays this.
    #[must_use]
    pub fn playing(task: TaskScript) -> Script {
        Script { other_tasks: task, ..Script::default() }
    }

    /// The run never starts.
    #[must_use]
    pub fn never(end: Ending) -> Script {
        Script { start: Start::Never(Box::new(end)), ..Script::default() }
    }

    /// Never ends by itself.
    #[must_use]
    pub fn forever() -> Script {
        Script::playing(TaskScript::forever())
    }

    /// One task plays this.
    #[must_use]
    pub fn task(mut self, key: &str, task: TaskScript) -> Script {
        self.tasks.insert(key.to_owned(), task);
        self
    }

    /// The run ends like this, whatever its tasks did.
    #[must_use]
    pub fn run_end(mut self, end: RunEnd) -> Script {
        self.end = end;
        self
    }

    /// Only so many runs play it.
    #[must_use]
    pub fn times(mut self, times: u32) -> Script {
        self.times = Some(times);
        self
    }
}
