//! A run in motion. Time moves it when somebody looks, and answers of `runs/get` do.

use super::rollup;
use super::script::{Ending, Lasting, Phase, RunEnd, Script, Start, TaskScript};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Where a task stands.
#[derive(Clone, Debug)]
pub(crate) enum Stage {
    /// It waits for others, or for the run to start.
    Blocked,
    /// It plays the phase with this number.
    Playing { phase: usize, polls: u32, since: Instant },
    /// It is over.
    Ended { ending: Arc<Ending>, at: Instant },
}

/// A task of a run.
#[derive(Clone, Debug)]
pub(crate) struct LiveTask {
    pub(crate) key: String,
    pub(crate) run_id: i64,
    /// As the job's settings have it.
    pub(crate) spec: Value,
    pub(crate) script: TaskScript,
    pub(crate) stage: Stage,
    pub(crate) started: Option<Instant>,
    /// 0, and one more for each repair that ran it again.
    pub(crate) attempt: u32,
    /// Whether the notebook was looked for, which happens once: when it starts to run.
    looked: bool,
}

/// Why a run is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// A script says so.
    Scripted { lasts: Lasting, polls: u32, since: Instant },
    /// Other runs of the job are at work.
    Slot,
}

/// A repair.
#[derive(Clone, Debug)]
pub(crate) struct Repair {
    pub(crate) id: i64,
    pub(crate) task_run_ids: Vec<i64>,
    pub(crate) at: Instant,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct LiveRun {
    pub(crate) run_id: i64,
    pub(crate) job_id: i64,
    pub(crate) one_time: bool,
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) by: String,
    pub(crate) created: Instant,
    pub(crate) started: Option<Instant>,
    pub(crate) request: Value,
    pub(crate) token: Option<String>,
    /// What ran: the job's settings when it was triggered, or the one-time run.
    pub(crate) settings: Value,
    pub(crate) end: RunEnd,
    last_poll: Instant,
    pub(crate) queue: Option<Queue>,
    pub(crate) tasks: Vec<LiveTask>,
    /// Attempts that a repair replaced; their output can still be read.
    pub(crate) past: Vec<LiveTask>,
    pub(crate) cancelled: bool,
    pub(crate) outcome: Option<(Ending, Instant)>,
    pub(crate) repairs: Vec<Repair>,
}

/// What a new run is made of.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) run_id: i64,
    pub(crate) job_id: i64,
    pub(crate) one_time: bool,
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) by: String,
    pub(crate) request: Value,
    pub(crate) token: Option<String>,
    pub(crate) settings: Value,
    /// Key, task run id and specification.
    pub(crate) tasks: Vec<(String, i64, Value)>,
}

impl LiveRun {
    pub(crate) fn new(plan: Plan, script: Script, wait_for_slot: bool, now: Instant) -> LiveRun {
        let Plan { run_id, job_id, one_time, number, name, by, request, token, settings, tasks } = plan;
        let Script { start, tasks: mut scripted, other_tasks, end, times: _ } = script;
        let tasks = tasks.into_iter().map(|(key, run_id, spec)| {
            let script = scripted.remove(&key).unwrap_or_else(|| other_tasks.clone());
            let stage = Stage::Blocked;
            LiveTask { key, run_id, spec, script, stage, started: None, attempt: 0, looked: false }
        });
        let queue = match start {
            Start::Queued(lasts) => Some(Queue::Scripted { lasts, polls: 0, since: now }),
            Start::AtOnce | Start::Never(_) => wait_for_slot.then_some(Queue::Slot),
        };
        let mut run = LiveRun {
            run_id,
            job_id,
            one_time,
            number,
            name,
            by,
            created: now,
            started: None,
            last_poll: now,
            request,
            token,
            settings,
            end,
            queue,
            tasks: tasks.collect(),
            past: Vec::new(),
            cancelled: false,
            outcome: None,
            repairs: Vec::new(),
        };
        if let Start::Never(ending) = start {
            run.queue = None;
            run.end_at_once(&ending, now);
        } else if run.queue.is_none() {
            run.started = Some(now);
        }
        run
    }

    pub(crate) fn ended(&self) -> bool {
        self.outcome.is_some()
    }

    /// Ends it before it has begun.
    pub(crate) fn end_at_once(&mut self, ending: &Ending, at: Instant) {
        self.end_all_open(ending, at);
        self.outcome = Some((ending.clone(), at));
    }

    fn end_all_open(&mut self, ending: &Ending, at: Instant) {
        let ending = Arc::new(ending.clone());
        for task in &mut self.tasks {
            if !matches!(task.stage, Stage::Ended { .. }) {
                task.stage = Stage::Ended { ending: Arc::clone(&ending), at };
            }
        }
    }

    /// Leaves the queue because other runs have ended.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.queue == Some(Queue::Slot) {
            self.queue = None;
            self.started = Some(now);
        }
    }

    /// Moves it to where it is now. `there` tells whether a notebook is in the workspace.
    pub(crate) fn advance(&mut self, now: Instant, there: &dyn Fn(&str) -> bool) {
        if let Some(Queue::Scripted { lasts, polls: _, since }) = self.queue
            && let Some(left) = over(lasts, since, now)
        {
            self.queue = None;
            self.started = Some(left);
        }
        let (Some(started), None) = (self.started, &self.outcome) else { return };
        let limit = self.limit(started);
        let until = limit.as_ref().map_or(now, |(at, _)| now.min(*at));
        loop {
            let mut moved = false;
            for index in 0..self.tasks.len() {
                moved |= self.begin(index, started) || self.tasks[index].play(until, self.cancelled, there);
            }
            if !moved {
                break;
            }
        }
        if let Some((at, ending)) = limit.filter(|(at, _)| *at <= now)
            && !self.all_ended()
        {
            self.end_all_open(&ending, at);
            self.outcome = Some((ending, at));
            return;
        }
        if self.all_ended() {
            let at = self.tasks.iter().filter_map(LiveTask::ended_at).max().unwrap_or(started);
            let ending = match &self.end {
                _ if self.cancelled => Ending::cancelled(),
                RunEnd::As(ending) => ending.clone(),
                RunEnd::ByTasks | RunEnd::After(..) => rollup::outcome(&self.tasks),
            };
            self.outcome = Some((ending, at));
        }
    }

    /// When something ends the whole run, and how.
    fn limit(&self, started: Instant) -> Option<(Instant, Ending)> {
        let scripted = match &self.end {
            RunEnd::After(time, ending) => Some((started + *time, ending.clone())),
            RunEnd::ByTasks | RunEnd::As(_) => None,
        };
        let own = seconds(&self.settings).map(|time| (started + time, Ending::timed_out()));
        scripted.into_iter().chain(own).min_by_key(|(at, _)| *at)
    }

    fn all_ended(&self) -> bool {
        self.tasks.iter().all(|task| matches!(task.stage, Stage::Ended { .. }))
    }

    /// Starts a task whose upstream tasks are over, or ends it where it may not run.
    fn begin(&mut self, index: usize, started: Instant) -> bool {
        if !matches!(self.tasks[index].stage, Stage::Blocked) {
            return false;
        }
        let names: Vec<&str> = rollup::upstream(&self.tasks[index].spec).collect();
        let mut endings = Vec::new();
        let mut at = started;
        for task in self.tasks.iter().filter(|task| names.contains(&task.key.as_str())) {
            let Stage::Ended { ending, at: over } = &task.stage else { return false };
            endings.push(Arc::clone(ending));
            at = at.max(*over);
        }
        let task = &mut self.tasks[index];
        let run_if = task.spec["run_if"].as_str().unwrap_or("ALL_SUCCESS");
        task.stage = match rollup::not_run(run_if, &endings, task.spec["disabled"] == true) {
            Some(ending) => Stage::Ended { ending: Arc::new(ending), at },
            None => {
                task.started = Some(at);
                Stage::Playing { phase: 0, polls: 0, since: at }
            }
        };
        true
    }

    /// Counts an answer of `runs/get` that showed the run as it is now.
    pub(crate) fn polled(&mut self, now: Instant) {
        self.last_poll = now;
        if let Some(Queue::Scripted { polls, .. }) = &mut self.queue {
            *polls += 1;
        }
        for task in &mut self.tasks {
            if let Stage::Playing { polls, .. } = &mut task.stage {
                *polls += 1;
            }
        }
    }

    /// Leaves the states that have lasted for as many polls as they should. This happens when the next poll comes, so
    /// that all pages of an answer, and whoever looks in between, see what the last poll saw.
    pub(crate) fn turn(&mut self) {
        let last_poll = self.last_poll;
        let enough = |lasts: Lasting, polls: u32| matches!(lasts, Lasting::Polls(count) if polls >= count);
        if let Some(Queue::Scripted { lasts, polls, .. }) = self.queue
            && enough(lasts, polls)
        {
            self.queue = None;
            self.started = Some(last_poll);
        }
        for task in &mut self.tasks {
            if let Stage::Playing { phase, polls, since } = task.stage
                && task.script.phases.get(phase).is_some_and(|playing| enough(playing.lasts, polls))
            {
                task.stage = Stage::Playing { phase: phase + 1, polls: 0, since: since.max(last_poll) };
            }
        }
    }

    /// Asks it to end. It takes a poll to do so.
    pub(crate) fn cancel(&mut self, now: Instant) {
        if self.ended() || self.cancelled {
            return;
        }
        self.cancelled = true;
        self.queue = None;
        self.started.get_or_insert(now);
        for task in &mut self.tasks {
            if !matches!(task.stage, Stage::Ended { .. }) {
                let phases = vec![Phase::terminating(Lasting::Polls(1))];
                task.script = TaskScript { phases, end: Ending::cancelled() };
                task.stage = Stage::Playing { phase: 0, polls: 0, since: now };
            }
        }
    }

    /// Runs some tasks again, under new task run ids.
    pub(crate) fn repair(&mut self, repair: Repair, tasks: &[(usize, i64)], script: Script) {
        for (index, run_id) in tasks {
            let Some(task) = self.tasks.get_mut(*index) else { continue };
            self.past.push(task.clone());
            task.script = script.tasks.get(&task.key).unwrap_or(&script.other_tasks).clone();
            task.run_id = *run_id;
            task.stage = Stage::Blocked;
            task.started = None;
            task.attempt += 1;
            task.looked = false;
        }
        self.end = script.end;
        self.started = Some(repair.at);
        self.cancelled = false;
        self.outcome = None;
        self.repairs.push(repair);
    }
}

impl LiveTask {
    fn ended_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Ended { at, .. } => Some(at),
            Stage::Blocked | Stage::Playing { .. } => None,
        }
    }

    /// Moves it by one step, if there is one to move before `until`.
    fn play(&mut self, until: Instant, cancelled: bool, there: &dyn Fn(&str) -> bool) -> bool {
        let Stage::Playing { phase, polls: _, since } = self.stage else { return false };
        let playing = self.script.phases.get(phase);
        let works = playing.is_none_or(|phase| phase.life_cycle == "RUNNING");
        if works && !self.looked && !cancelled {
            self.looked = true;
            if let Some(path) = self.notebook().filter(|path| !there(path)) {
                self.stage = Stage::Ended { ending: Arc::new(no_notebook(path)), at: since };
                return true;
            }
        }
        let limit = seconds(&self.spec).zip(self.started).map(|(time, started)| started + time);
        let over = playing.map(|phase| over(phase.lasts, since, until));
        self.stage = match (over, limit.filter(|limit| *limit <= until)) {
            (None, _) => Stage::Ended { ending: Arc::new(self.script.end.clone()), at: since },
            // What is over before the limit does not concern it.
            (Some(Some(at)), limit) if limit.is_none_or(|limit| at <= limit) => {
                Stage::Playing { phase: phase + 1, polls: 0, since: at }
            }
            (Some(_), Some(limit)) => Stage::Ended { ending: Arc::new(Ending::timed_out()), at: limit },
            (Some(_), None) => return false,
        };
        true
    }

    /// The notebook in the workspace that it runs.
    pub(crate) fn notebook(&self) -> Option<&str> {
        let notebook = &self.spec["notebook_task"];
        notebook["notebook_path"].as_str().filter(|path| notebook["source"] != "GIT" && path.starts_with('/'))
    }
}

/// When a state is over by itself, if it is. One that lasts for polls waits for [`LiveRun::turn`].
fn over(lasts: Lasting, since: Instant, now: Instant) -> Option<Instant> {
    match lasts {
        Lasting::Polls(count) => (count == 0).then_some(since),
        Lasting::Time(time) => Some(since + time).filter(|end| *end <= now),
        Lasting::Forever => None,
    }
}

fn seconds(settings: &Value) -> Option<Duration> {
    settings["timeout_seconds"].as_u64().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// The code is documented; the text is how the service words it as far as is known.
fn no_notebook(path: &str) -> Ending {
    let message = format!(
        "Unable to access the notebook \"{path}\". Either it does not exist, or the identity used to run this job lacks \
         the required permissions"
    );
    Ending::new("INTERNAL_ERROR", Some("FAILED"), "RESOURCE_NOT_FOUND", "CLIENT_ERROR", &message)
}
