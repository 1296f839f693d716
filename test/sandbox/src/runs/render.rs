//! How runs look from outside, in the old `state` and the new `status` at once.

use super::live::{LiveRun, LiveTask, Queue, Stage};
use super::script::{Block, Ending};
use crate::clock::Clock;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// What an answer needs to know besides the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) clock: &'a Clock,
    pub(crate) origin: &'a str,
    pub(crate) workspace_id: i64,
    pub(crate) now: Instant,
}

/// What an exit value of a notebook may weigh in an answer: "the first 5 MB".
const MAX_OUTPUT: usize = 5 * 1024 * 1024;

fn ended_blocks(into: &mut Map<String, Value>, ending: &Ending) {
    let mut state = json!({
        "life_cycle_state": ending.life_cycle,
        "state_message": ending.message,
        "user_cancelled_or_timedout": ending.cancelled_or_timed_out,
    });
    if let Some(result) = &ending.result {
        state["result_state"] = Value::from(result.as_str());
    }
    let status = json!({
        "state": "TERMINATED",
        "termination_details": { "code": ending.code, "type": ending.kind, "message": ending.message },
    });
    for (name, block, true_value) in [("state", &ending.state, state), ("status", &ending.status, status)] {
        match block {
            Block::True => into.insert(name.to_owned(), true_value),
            Block::Absent => None,
            Block::Json(value) => into.insert(name.to_owned(), value.clone()),
        };
    }
}

fn open_blocks(into: &mut Map<String, Value>, life_cycle: &str, status: &str, queued: Option<Queue>) {
    let mut state = json!({ "life_cycle_state": life_cycle, "state_message": "", "user_cancelled_or_timedout": false });
    let mut status = json!({ "state": status });
    if let Some(queue) = queued {
        let (code, reason) = match queue {
            Queue::Slot => ("MAX_CONCURRENT_RUNS_REACHED", "Queued due to reaching the maximum of concurrent runs."),
            Queue::Scripted { .. } => ("ACTIVE_RUNS_LIMIT_REACHED", "Queued due to reaching the limit of active runs."),
        };
        state["queue_reason"] = Value::from(reason);
        status["queue_details"] = json!({ "code": code, "message": reason });
    }
    into.insert("state".to_owned(), state);
    into.insert("status".to_owned(), status);
}

/// How a task stands: `life_cycle_state` and `status.state`.
fn open_state(task: &LiveTask) -> Option<(&str, &str)> {
    match &task.stage {
        Stage::Blocked => Some(("BLOCKED", "BLOCKED")),
        Stage::Playing { phase, .. } => {
            let playing = task.script.phases.get(*phase);
            Some(playing.map_or(("RUNNING", "RUNNING"), |phase| (phase.life_cycle.as_str(), phase.status.as_str())))
        }
        Stage::Ended { .. } => None,
    }
}

/// How an open run stands, by its tasks: what is furthest counts, and where something has ended, it is running.
fn open_run_state(run: &LiveRun) -> (&str, &str) {
    if run.queue.is_some() {
        return ("QUEUED", "QUEUED");
    }
    let open: Vec<(&str, &str)> = run.tasks.iter().filter_map(open_state).collect();
    let find = |wanted: &str| open.iter().copied().find(|(life, _)| *life == wanted);
    let nobody_ended = open.len() == run.tasks.len();
    let usual = ["BLOCKED", "PENDING", "QUEUED", "WAITING_FOR_RETRY"];
    find("TERMINATING")
        .or_else(|| find("RUNNING"))
        .or_else(|| open.iter().copied().find(|(life, _)| !usual.contains(life)))
        .or_else(|| (!nobody_ended).then_some(("RUNNING", "RUNNING")))
        .or_else(|| find("WAITING_FOR_RETRY").map(|_| ("RUNNING", "RUNNING")))
        .or_else(|| find("QUEUED"))
        .unwrap_or(("PENDING", "PENDING"))
}

impl View<'_> {
    fn page_url(&self, job_id: i64, run_id: i64) -> Value {
        Value::from(format!("{}/?o={}#job/{job_id}/run/{run_id}", self.origin, self.workspace_id))
    }

    fn millis(&self, at: Instant) -> Value {
        Value::from(self.clock.millis_at(at))
    }

    fn times(&self, into: &mut Map<String, Value>, started: Option<Instant>, ended: Option<Instant>) {
        into.insert("start_time".to_owned(), started.map_or(Value::from(0), |at| self.millis(at)));
        into.insert("end_time".to_owned(), ended.map_or(Value::from(0), |at| self.millis(at)));
        let took = started.map(|started| ended.unwrap_or(self.now).saturating_duration_since(started));
        let took = took.map_or(0, |took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        for (name, value) in [("setup_duration", 0), ("execution_duration", took), ("cleanup_duration", 0)] {
            into.insert(name.to_owned(), Value::from(value));
        }
    }

    /// A task as part of its run.
    fn task(&self, run: &LiveRun, task: &LiveTask) -> Value {
        let mut shown = task.spec.as_object().cloned().unwrap_or_default();
        let ended = match &task.stage {
            Stage::Ended { at, .. } => Some(*at),
            Stage::Blocked | Stage::Playing { .. } => None,
        };
        self.times(&mut shown, task.started, ended);
        shown.insert("run_id".to_owned(), Value::from(task.run_id));
        shown.insert("task_key".to_owned(), Value::from(task.key.as_str()));
        shown.insert("run_page_url".to_owned(), self.page_url(run.job_id, task.run_id));
        shown.insert("attempt_number".to_owned(), Value::from(task.attempt));
        match &task.stage {
            Stage::Ended { ending, .. } => ended_blocks(&mut shown, ending),
            Stage::Blocked | Stage::Playing { .. } => {
                let (life_cycle, status) = open_state(task).unwrap_or(("RUNNING", "RUNNING"));
                open_blocks(&mut shown, life_cycle, status, None);
            }
        }
        Value::Object(shown)
    }

    /// A whole run.
    pub(crate) fn run(&self, run: &LiveRun) -> Value {
        let mut shown = Map::new();
        let ended = run.outcome.as_ref().map(|(_, at)| *at);
        // A queued run has a start time, too: that of its trigger.
        self.times(&mut shown, Some(run.created), ended);
        let run_type = if run.one_time { "SUBMIT_RUN" } else { "JOB_RUN" };
        let fields = [
            ("job_id", Value::from(run.job_id)),
            ("run_id", Value::from(run.run_id)),
            ("number_in_job", Value::from(run.number)),
            ("original_attempt_run_id", Value::from(run.run_id)),
            ("creator_user_name", Value::from(run.by.as_str())),
            ("run_name", Value::from(run.name.as_str())),
            ("run_type", Value::from(run_type)),
            ("trigger", Value::from("ONE_TIME")),
            ("format", Value::from("MULTI_TASK")),
            ("run_page_url", self.page_url(run.job_id, run.run_id)),
            ("tasks", run.tasks.iter().map(|task| self.task(run, task)).collect()),
        ];
        shown.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        for name in ["job_clusters", "git_source"] {
            if let Some(value) = run.settings.get(name) {
                shown.insert(name.to_owned(), value.clone());
            }
        }
        let parameters = job_parameters(run);
        if !parameters.is_empty() {
            shown.insert("job_parameters".to_owned(), Value::from(parameters));
        }
        let overriding: Map<String, Value> =
            ["notebook_params", "python_params", "jar_params", "sql_params", "dbt_commands"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), run.request.get(name)?.clone())))
                .collect();
        if !overriding.is_empty() {
            shown.insert("overriding_parameters".to_owned(), Value::Object(overriding));
        }
        match &run.outcome {
            Some((ending, _)) => ended_blocks(&mut shown, ending),
            None => {
                let (life_cycle, status) = open_run_state(run);
                open_blocks(&mut shown, life_cycle, status, run.queue);
            }
        }
        Value::Object(shown)
    }

    /// The repairs of a run, as `include_history=true` shows them.
    pub(crate) fn repairs(&self, run: &LiveRun) -> Value {
        let repairs = run.repairs.iter().map(|repair| {
            json!({
                "type": "REPAIR",
                "id": repair.id,
                "task_run_ids": repair.task_run_ids,
                "start_time": self.clock.millis_at(repair.at),
            })
        });
        repairs.collect()
    }

    /// A task run on its own.
    pub(crate) fn task_run(&self, run: &LiveRun, task: &LiveTask) -> Value {
        let mut shown = self.task(run, task);
        shown["job_id"] = Value::from(run.job_id);
        shown["run_name"] = Value::from(task.key.as_str());
        shown["parent_run_id"] = Value::from(run.run_id);
        shown["creator_user_name"] = Value::from(run.by.as_str());
        shown
    }

    /// What a task left behind.
    pub(crate) fn output(&self, run: &LiveRun, task: &LiveTask) -> Value {
        let mut shown = json!({ "metadata": self.task_run(run, task) });
        let Stage::Ended { ending, .. } = &task.stage else { return shown };
        if task.spec.get("notebook_task").is_some() {
            let whole = ending.output.as_deref().unwrap_or_default();
            let cut = &whole[..whole.floor_char_boundary(MAX_OUTPUT)];
            // Without an exit value the block is there all the same, and empty.
            shown["notebook_output"] = match cut {
                "" => json!({}),
                cut => json!({ "result": cut, "truncated": ending.truncated || cut.len() < whole.len() }),
            };
        }
        for (name, value) in [("error", &ending.error), ("error_trace", &ending.error_trace)] {
            if let Some(value) = value {
                shown[name] = Value::from(value.as_str());
            }
        }
        shown
    }
}

/// The job parameters that a run had: those of the job, and what the trigger set.
fn job_parameters(run: &LiveRun) -> Vec<Value> {
    let given = run.request["job_parameters"].as_object();
    let defined = run.settings["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut shown: Vec<Value> = Vec::new();
    for parameter in defined {
        let name = parameter["name"].as_str().unwrap_or_default();
        let mut one = json!({ "name": name, "default": parameter["default"] });
        if let Some(value) = given.and_then(|given| given.get(name)) {
            one["value"] = value.clone();
        }
        shown.push(one);
    }
    for (name, value) in given.into_iter().flatten() {
        if !defined.iter().any(|parameter| parameter["name"] == name.as_str()) {
            shown.push(json!({ "name": name, "value": value }));
        }
    }
    shown
}
