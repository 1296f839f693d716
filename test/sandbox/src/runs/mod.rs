//! Runs: what they play, how they move, how they look from outside.

mod live;
mod render;
mod rollup;
mod script;
mod store;

pub(crate) use live::{LiveRun, Plan, Repair, Stage};
pub(crate) use render::View;
pub(crate) use rollup::upstream;
pub(crate) use store::Runs;

pub use script::{Block, Ending, Lasting, Match, Phase, RunEnd, Script, Start, TaskScript};

use serde_json::Value;

/// A run as a test sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The number of the outer run.
    pub run_id: i64,
    /// The job; `None` for a one-time run (`runs/submit`).
    pub job_id: Option<i64>,
    /// The name of the job, or the `run_name`.
    pub name: String,
    /// Who triggered it.
    pub by: String,
    /// When it was triggered, in milliseconds since 1970.
    pub created_at: i64,
    /// The body of the request that triggered it.
    pub request: Value,
    /// The token that makes a repeated trigger harmless.
    pub idempotency_token: Option<String>,
    /// Whether somebody asked for its cancellation.
    pub cancel_requested: bool,
    /// Whether it has ended.
    pub ended: bool,
    /// What `runs/get` would answer now, all tasks at once. Looking at it is not a poll.
    pub seen: Value,
}
