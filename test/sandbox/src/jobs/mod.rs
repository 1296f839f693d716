//! Jobs: their settings, and where they are kept.

mod settings;

pub(crate) use settings::{check, checked_tasks, with_defaults};

use serde_json::Value;
use std::collections::BTreeMap;

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) job_id: i64,
    pub(crate) creator: String,
    pub(crate) created_at: i64,
    /// With the server's defaults filled in.
    pub(crate) settings: Value,
    /// How many runs it had.
    pub(crate) runs: i64,
}

impl Job {
    pub(crate) fn name(&self) -> &str {
        self.settings["name"].as_str().unwrap_or_default()
    }

    pub(crate) fn max_concurrent_runs(&self) -> usize {
        self.settings["max_concurrent_runs"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
    }

    pub(crate) fn queues(&self) -> bool {
        self.settings["queue"]["enabled"].as_bool().unwrap_or(false)
    }
}

/// All jobs, by id: the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs {
    pub(crate) all: BTreeMap<i64, Job>,
}

impl Jobs {
    pub(crate) fn add(&mut self, job_id: i64, creator: &str, created_at: i64, settings: Value) {
        let settings = with_defaults(settings);
        self.all.insert(job_id, Job { job_id, creator: creator.to_owned(), created_at, settings, runs: 0 });
    }
}
