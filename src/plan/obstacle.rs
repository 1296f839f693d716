//! Why nothing of a plan may be done.

use super::{Drifted, SeenKind};
use crate::state::RelativePath;

/// Why nothing of a plan may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The local tree is empty and the target is not: a mistake in `LOCAL_PATH` would delete everything. Exit 1.
    NothingLeft {
        /// How many objects were deployed.
        recorded: usize,
    },
    /// More than half of what was deployed would be deleted. Exit 7.
    TooManyDeletions {
        /// How many would be deleted.
        deleting: usize,
        /// How many were deployed.
        recorded: usize,
    },
    /// Somebody changed objects in the workspace, under `ON_DRIFT: fail`. Exit 7.
    Drift(Vec<Drifted>),
    /// Objects are in the way that may not be touched. Exit 7.
    Conflicts(Vec<Conflict>),
}

/// An object in the way that may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where it is.
    pub path: RelativePath,
    /// Why it may not be touched.
    pub why: Why,
}

/// Why an object in the way may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// We never deployed it, and its content is not what we would send.
    NeverOurs,
    /// It is of this other kind, so it would have to be deleted, and the object is not the one that we deployed.
    OtherKind(SeenKind),
    /// It lies in a folder whose place a local file takes, and is not ours to delete.
    InFolderThatGoes {
        /// The folder.
        folder: RelativePath,
    },
    /// It lies in a folder whose place a local file takes, and `PRUNE: none` says that it stays.
    PruneIsOff {
        /// The folder.
        folder: RelativePath,
    },
    /// The folder is there, and what is in it cannot be seen.
    NotListed,
    /// It looks changed, and cannot be copied since its content cannot be looked at: why.
    Unreadable(String),
}
