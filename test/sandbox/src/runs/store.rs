//! All runs, and what they share: scripts, idempotency tokens, the places in a job.

use super::live::{LiveRun, LiveTask, Plan, Queue};
use super::script::{Ending, Match, Script};
use crate::workspace::path::with_mount;
use crate::workspace::{Kind, Tree};
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

/// All runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs {
    all: BTreeMap<i64, LiveRun>,
    /// Runs that have not ended.
    open: BTreeSet<i64>,
    /// The run of each task run, those of earlier attempts included.
    of_task: BTreeMap<i64, i64>,
    /// The run of each idempotency token. Its scope is the token, not the job (databricks/cli, libs/testserver).
    tokens: BTreeMap<String, i64>,
    scripts: Vec<(Match, Script)>,
}

impl Runs {
    pub(crate) fn add_script(&mut self, which: Match, script: Script) {
        self.scripts.push((which, script));
    }

    /// The script for a run: of those that match, the one given last.
    pub(crate) fn take_script(&mut self, job_id: i64, name: &str, notebooks: &[&str]) -> Script {
        let matches = |which: &Match| match which {
            Match::Any => true,
            Match::Job(id) => *id == job_id,
            Match::Name(wanted) => wanted == name,
            Match::Notebook(path) => notebooks.iter().any(|notebook| with_mount(notebook) == with_mount(path)),
        };
        let Some(index) = self.scripts.iter().rposition(|(which, script)| matches(which) && script.times != Some(0))
        else {
            return Script::default();
        };
        let script = &mut self.scripts[index].1;
        script.times = script.times.map(|times| times - 1);
        script.clone()
    }

    /// What an idempotency token stands for: `Some(None)` if its run was deleted.
    pub(crate) fn by_token(&self, token: &str) -> Option<Option<&LiveRun>> {
        self.tokens.get(token).map(|run_id| self.all.get(run_id))
    }

    /// Takes a new run in. Of a job's runs, no more are at work than the job allows.
    pub(crate) fn add(&mut self, plan: Plan, script: Script, places: Option<(usize, bool)>, now: Instant) {
        let busy = self.open_of(plan.job_id).filter(|run| run.queue != Some(Queue::Slot)).count();
        let full = places.is_some_and(|(max, _)| busy >= max);
        let queues = places.is_some_and(|(max, queues)| queues && max > 0);
        if let Some(token) = &plan.token {
            self.tokens.insert(token.clone(), plan.run_id);
        }
        for (_, task_run_id, _) in &plan.tasks {
            self.of_task.insert(*task_run_id, plan.run_id);
        }
        let mut run = LiveRun::new(plan, script, full && queues, now);
        if full && !queues {
            run.end_at_once(&Ending::too_many_runs(), now);
        }
        if !run.ended() {
            self.open.insert(run.run_id);
        }
        self.all.insert(run.run_id, run);
    }

    fn open_of(&self, job_id: i64) -> impl Iterator<Item = &LiveRun> {
        self.open.iter().filter_map(|id| self.all.get(id)).filter(move |run| run.job_id == job_id)
    }

    /// Moves every run to where it is now.
    pub(crate) fn advance(&mut self, tree: &Tree, now: Instant) {
        let there = |path: &str| tree.at(&with_mount(path)).is_some_and(|object| object.kind == Kind::Notebook);
        loop {
            for id in &self.open {
                if let Some(run) = self.all.get_mut(id) {
                    run.advance(now, &there);
                }
            }
            let all = &self.all;
            self.open.retain(|id| all.get(id).is_some_and(|run| !run.ended()));
            let Some((id, at)) = self.next_from_queue(now) else { return };
            if let Some(run) = self.all.get_mut(&id) {
                run.start(at);
            }
        }
    }

    /// A run whose place in its job has become free, and since when.
    fn next_from_queue(&self, now: Instant) -> Option<(i64, Instant)> {
        let waiting = self.open.iter().filter_map(|id| self.all.get(id)).filter(|run| run.queue == Some(Queue::Slot));
        for run in waiting {
            let max = run.settings["max_concurrent_runs"].as_u64().unwrap_or(1);
            let busy = self.open_of(run.job_id).filter(|other| other.queue != Some(Queue::Slot)).count();
            if (busy as u64) < max {
                let same_job = self.all.values().filter(|other| other.job_id == run.job_id);
                let freed = same_job.filter_map(|other| other.outcome.as_ref()).map(|(_, at)| *at).max();
                return Some((run.run_id, freed.map_or(now, |at| at.max(run.created))));
            }
        }
        None
    }

    pub(crate) fn get(&self, run_id: i64) -> Option<&LiveRun> {
        self.all.get(&run_id)
    }

    pub(crate) fn get_mut(&mut self, run_id: i64) -> Option<&mut LiveRun> {
        self.all.get_mut(&run_id)
    }

    /// Marks a run as under way again.
    pub(crate) fn reopen(&mut self, run_id: i64, task_run_ids: &[i64]) {
        self.open.insert(run_id);
        self.of_task.extend(task_run_ids.iter().map(|id| (*id, run_id)));
    }

    pub(crate) fn remove(&mut self, run_id: i64) {
        self.all.remove(&run_id);
        self.open.remove(&run_id);
    }

    /// The task run with this id, of any attempt, and its run.
    pub(crate) fn task(&self, task_run_id: i64) -> Option<(&LiveRun, &LiveTask)> {
        let run = self.all.get(self.of_task.get(&task_run_id)?)?;
        let task = run.tasks.iter().chain(&run.past).find(|task| task.run_id == task_run_id)?;
        Some((run, task))
    }

    /// In the order in which they were triggered.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = &LiveRun> {
        self.all.values()
    }
}
