//! What a deploy (or a destroy) will do, computed from what is here, what is there, and what earlier deploys say that
//! they put there. Pure: knows no network.
//!
//! Two steps, since content is looked at only where something looks wrong: [`suspects`] names the objects whose content
//! must be exported first, [`compute()`] makes the plan from what that showed.

mod compute;
mod draft;
mod file;
mod finish;
mod inputs;
mod look;
mod obstacle;
mod render;
mod retire;
mod verify;

pub use crate::settings::{OnDrift, Prune};
pub use crate::state::Intended;
pub use compute::{compute, suspects};
pub use file::{FileError, PlanFile};
pub use inputs::{Evidence, Inputs, Intent, Local, Ours, Policy, Remote, Seen, SeenKind, Suspect, folders_to_list};
pub use obstacle::{Conflict, Obstacle, Why};
pub use render::{Change, Counts, Sign};
pub use verify::Mismatch;

use crate::settings::WorkspacePath;
use crate::state::{Digest, FileRecord, RelativePath};
use std::collections::BTreeMap;

/// Everything that a deploy will do, in the order in which it must be done: a phase is begun when the one before it has
/// ended without an error; within a phase the order is free, except where a field says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The target's folder.
    pub root: WorkspacePath,
    /// What was asked for.
    pub intent: Intent,
    /// What the user chose.
    pub policy: Policy,
    /// Why nothing of it may be done; see [`Plan::may_run`].
    pub obstacles: Vec<Obstacle>,

    /// Phase 1: copied, and the copies verified.
    pub backups: Vec<Backup>,
    /// Phase 2: deleted because something of another kind takes the place. Not prune.
    pub replaced: Vec<Deletion>,
    /// Phase 2, after that: folders whose place a file takes, in this order, the deepest first. Each is empty by then,
    /// and is deleted non-recursively, so that what nobody knew of protects itself (and stops the deploy).
    pub replaced_folders: Vec<RelativePath>,
    /// Phase 3: made. Only those that are missing and that no other one contains, since making a folder makes all above
    /// it. The root itself stands here when it is missing and nothing lies deeper.
    pub folders: Vec<WorkspacePath>,
    /// Phase 4: uploaded, over what is there.
    pub uploads: Vec<Upload>,
    /// Phase 5: listed, to see that everything sent is there ([`Plan::verify`]).
    pub verify: Vec<WorkspacePath>,
    /// Phase 6: deleted.
    pub deletions: Vec<Deletion>,
    /// Phase 7: folders that held ours and are empty now, in this order, the deepest first. Deleted non-recursively; one
    /// that is not empty after all stays, which is no error.
    pub emptied: Vec<RelativePath>,
    /// Phase 8: what becomes of the records.
    pub end: End,

    /// Objects that are there as they should be.
    pub untouched: usize,
    /// Objects that nobody deployed and whose content is what would be sent: they are ours from now on.
    pub adopted: Vec<RelativePath>,
    /// What somebody did in the workspace to what we deployed.
    pub drifted: Vec<Drifted>,
    /// What is not touched though one might expect it, and why.
    pub left_alone: Vec<LeftAlone>,
    /// The records of everything that stays ours without being uploaded.
    pub kept: BTreeMap<RelativePath, FileRecord>,
    /// Whether the records change, apart from those of uploads and deletions: refreshed, adopted or dropped.
    pub records_change: bool,
}

/// A copy to make before the original is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The original.
    pub path: RelativePath,
    /// As the listing showed it.
    pub seen: Seen,
    /// The digest of what is there, as far as it is known.
    pub content: Option<Digest>,
}

/// An object to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Where it is.
    pub path: RelativePath,
    /// As the listing showed it.
    pub seen: Seen,
    /// The digest of what is there, as far as it is known.
    pub content: Option<Digest>,
    /// Why.
    pub reason: DeletionReason,
}

/// Why an object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionReason {
    /// It is no longer in the local tree.
    NotLocal,
    /// An object of another kind takes its place.
    KindChanged,
    /// A folder takes its place.
    FolderTakesPlace,
    /// A file takes the place of the folder that it is in.
    FolderGoes,
    /// Everything that is ours goes.
    Destroyed,
}

/// An object to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Where it goes.
    pub path: RelativePath,
    /// What is sent.
    pub local: Local,
    /// Why.
    pub reason: UploadReason,
    /// What it overwrites; `None` where nothing is, or nothing is left by then.
    pub over: Option<Over>,
}

/// What an upload overwrites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// As the listing showed it.
    pub seen: Seen,
    /// The digest of what is there, as far as it is known.
    pub content: Option<Digest>,
}

/// Why an object is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadReason {
    /// It was never deployed.
    New,
    /// The local file is not what was deployed.
    Changed,
    /// What is there is of this other kind.
    KindChanged {
        /// The kind that is there.
        from: SeenKind,
    },
    /// It is no longer there: somebody deleted it, or a deploy that was killed while it pruned.
    Restored,
    /// Somebody moved it in the workspace.
    MovedAway,
    /// Somebody changed it in the workspace.
    Drifted,
    /// Something is there, and there is no state that could tell whose it is.
    TakenOver,
}

/// What becomes of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The state is written.
    WriteState,
    /// Everything in [`crate::state::FOLDER`] is deleted but the copies of edited objects, of this deploy or an earlier
    /// one: they are somebody's work, stay, and are named.
    RemoveRecords {
        /// Whether nothing else is known to be left in the root, so that it is deleted too: non-recursively, so that it
        /// stays where copies stay.
        then_root: bool,
    },
}

/// What somebody did in the workspace to an object that we deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifted {
    /// Where it is, or was.
    pub path: RelativePath,
    /// What was done.
    pub how: How,
    /// What happens to it.
    pub fate: Fate,
}

/// What was done to an object in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The object is the one that we deployed, its content is not.
    Edited,
    /// Another object is in its place, with another content.
    Replaced,
    /// The object lies elsewhere.
    Moved {
        /// Where.
        to: RelativePath,
    },
    /// There is no state that could tell whose it is.
    OwnerUnknown,
    /// It looks changed, and its content could not be looked at: why.
    Unreadable(String),
}

/// What happens to a drifted object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is copied, then overwritten.
    CopiedAndOverwritten,
    /// It is copied, then deleted.
    CopiedAndDeleted,
    /// It is overwritten without a copy (`ON_DRIFT: overwrite`).
    Overwritten,
    /// It is deleted without a copy (`ON_DRIFT: overwrite`).
    Deleted,
    /// It stops the deploy (`ON_DRIFT: fail`).
    Stops,
    /// It is not touched.
    LeftAlone,
}

/// An object that is not touched though one might expect it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftAlone {
    /// Where it is.
    pub path: RelativePath,
    /// Why.
    pub because: Because,
}

/// Why an object is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// `PRUNE: none`; it stays ours.
    PruneIsOff,
    /// Another object than the one that we deployed is there: it is not ours to delete.
    AnotherObject,
    /// The object that we deployed was moved here.
    MovedHere,
    /// We never deployed it; told by a destroy only.
    NeverOurs,
    /// There is no state that could tell whose it is; told by a destroy only.
    OwnerUnknown,
    /// Its content could not be looked at: why. It stays ours.
    Unreadable(String),
    /// The folder that it is in could not be listed. It stays ours.
    NotListed,
}

impl Plan {
    /// The place of `path` in the workspace.
    pub fn at(&self, path: &RelativePath) -> WorkspacePath {
        self.root.join(path.as_str())
    }
}

#[cfg(test)]
mod tests;
