//! The records of `WORKSPACE_PATH/.databricks-deploy/`: what an earlier deploy says of the target.
//!
//! A claim, not a fact: only the listing of the target tells what is there. Whoever may write to the target may have
//! written the state too, so reading it is the judge of hostile input ([`State::read`]).

mod journal;
mod json;
mod judge;
mod lock;
mod owner;
mod path;
mod read;
mod record;

pub use crate::digest::Digest;
pub use journal::{FoundJournal, JOURNAL, Journal};
pub use json::Kept;
pub use judge::Accepted;
pub use lock::{LEASE, Lock, StepId};
pub use owner::Owner;
pub use path::RelativePath;
pub use read::Found;
pub use record::{FileRecord, Intended};
pub(crate) use record::{kind_word, language_word};

use serde::Serialize;
use std::collections::BTreeMap;

/// The folder below a target's root that the records lie in. It is never walked, pruned or counted.
pub const FOLDER: &str = ".databricks-deploy";

/// The name of the state in [`FOLDER`].
pub const FILE: &str = "state.json";

/// The name of the folder in [`FOLDER`] that holds copies of edited objects, by build.
pub const DRIFT: &str = "drift";

/// The version of `state.json`: it goes up when an older pipe would do harm with the new form. Within a version fields
/// are only added, and one that does not know a field at the top keeps it when it writes the state again, so that a
/// step with an older tag of the pipe does not make a newer one forget (its jobs, say).
pub const SCHEMA: u32 = 1;

/// What an earlier deploy of a target left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Whose target it is.
    pub owner: Owner,
    /// Goes up with each deploy that changes something: by one, or to the generation of the lock that it held, where that
    /// is higher.
    pub serial: u64,
    /// Who deployed last, for people.
    pub deployed_by: DeployedBy,
    /// What was deployed, by its path below the target's root.
    pub files: BTreeMap<RelativePath, FileRecord>,
    /// Fields at the top that this version does not know, kept for the version that wrote them.
    pub others: BTreeMap<String, Kept>,
}

/// Who deployed, as far as it was known; for people and audits. All that is decided by it is whose build is the newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct DeployedBy {
    /// The version of the pipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The full commit hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The number of the pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The page of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl DeployedBy {
    /// The page of the build: a page to open, and nothing else that somebody could have written there.
    pub fn page(&self) -> Option<String> {
        self.link.clone().filter(|link| crate::text::is_link(link))
    }
}

impl State {
    /// The state of a target that nothing was deployed to yet.
    pub fn new(owner: Owner) -> State {
        State { owner, serial: 0, deployed_by: DeployedBy::default(), files: BTreeMap::new(), others: BTreeMap::new() }
    }

    /// The state after a deploy under the lock of `generation`: its records, by whom, and a higher serial.
    #[must_use]
    pub fn succeeded_by(
        &self,
        deployed_by: DeployedBy,
        files: BTreeMap<RelativePath, FileRecord>,
        generation: u64,
    ) -> State {
        State {
            owner: self.owner.clone(),
            serial: self.serial.saturating_add(1).max(generation),
            deployed_by,
            files,
            others: self.others.clone(),
        }
    }
}
