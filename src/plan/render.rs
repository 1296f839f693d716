//! A plan in words: counts, and one line a change.

use super::{
    Because, Deletion, DeletionReason, Drifted, End, Fate, How, Intent, LeftAlone, Plan, SeenKind, Upload, UploadReason,
};
use crate::settings::WorkspacePath;
use crate::source::Kind;
use crate::state::kind_word;
use crate::text;
use serde::{Deserialize, Serialize};

/// How much of what a plan does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Objects that are uploaded where nothing is.
    pub created: usize,
    /// Objects that are uploaded over something, or in the place of something of another kind.
    pub changed: usize,
    /// Objects that are deleted for good.
    pub deleted: usize,
    /// Objects that are there as they should be.
    pub untouched: usize,
    /// Of the untouched ones' like: nobody deployed them, and they are ours from now on.
    pub adopted: usize,
    /// Objects that somebody changed in the workspace.
    pub drifted: usize,
    /// Copies that are made of them first.
    pub backups: usize,
    /// Objects that are left alone though one might expect otherwise.
    pub left_alone: usize,
    /// Folders that are made, without those that come with a deeper one.
    pub folders_made: usize,
    /// Folders that are deleted because they are empty.
    pub folders_deleted: usize,
    /// What is sent, in bytes.
    pub bytes: u64,
}

/// What kind of change a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// Something that was not there.
    Create,
    /// Something else in the same place.
    Change,
    /// Ours from now on.
    Adopt,
    /// Something goes.
    Delete,
}

impl Sign {
    /// The one character that stands for it.
    pub fn symbol(self) -> char {
        match self {
            Sign::Create => '+',
            Sign::Change => '~',
            Sign::Adopt => '=',
            Sign::Delete => '-',
        }
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where, below the root; a folder's ends in `/`, and the root's own is `./`.
    pub path: String,
    /// What happens.
    pub sign: Sign,
    /// Why, in words.
    pub reason: String,
}

impl Plan {
    /// How much of what it does.
    pub fn counts(&self) -> Counts {
        let changes =
            |upload: &&Upload| upload.over.is_some() || matches!(upload.reason, UploadReason::KindChanged { .. });
        let changed = self.uploads.iter().filter(changes).count();
        Counts {
            created: self.uploads.len() - changed,
            changed,
            deleted: self.deletions.len()
                + self.replaced.iter().filter(|deletion| deletion.reason != DeletionReason::KindChanged).count(),
            untouched: self.untouched,
            adopted: self.adopted.len(),
            drifted: self.drifted.len(),
            backups: self.backups.len(),
            left_alone: self.left_alone.len(),
            folders_made: self.folders.len(),
            folders_deleted: self.emptied.len() + self.replaced_folders.len(),
            bytes: self.uploads.iter().map(|upload| upload.local.size).sum(),
        }
    }

    /// Whether nothing in the workspace would be changed but, perhaps, the records.
    pub fn changes_nothing(&self) -> bool {
        self.touches_nothing() && self.end == End::WriteState
    }

    /// Whether nothing in the target is touched, our own records aside.
    pub fn touches_nothing(&self) -> bool {
        self.backups.is_empty()
            && self.replaced.is_empty()
            && self.replaced_folders.is_empty()
            && self.folders.is_empty()
            && self.uploads.is_empty()
            && self.deletions.is_empty()
            && self.emptied.is_empty()
    }

    /// Whether there is nothing that a reader of the log would want to know of: the same, and nobody's work is concerned.
    pub fn says_nothing(&self) -> bool {
        let nothing = match self.intent {
            Intent::Deploy => self.changes_nothing(),
            Intent::Destroy => self.backups.is_empty() && self.deletions.is_empty() && self.emptied.is_empty(),
        };
        nothing && self.adopted.is_empty() && self.drifted.is_empty() && self.obstacles.is_empty()
    }

    /// Every change, one line each, sorted by path. What is replaced by another kind at the same path is one change.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let mut changes: Vec<Change> = Vec::new();
        let mut add = |path: String, sign, reason: String| changes.push(Change { path, sign, reason });
        for folder in &self.folders {
            add(self.shown_folder(folder), Sign::Create, "new folder".into());
        }
        for upload in &self.uploads {
            let sign = match (&upload.over, &upload.reason) {
                (None, UploadReason::KindChanged { .. }) | (Some(_), _) => Sign::Change,
                (None, _) => Sign::Create,
            };
            add(upload.path.to_string(), sign, why_uploaded(upload));
        }
        for path in &self.adopted {
            add(path.to_string(), Sign::Adopt, "is there already, and belongs to this target from now on".into());
        }
        let replaced = self.replaced.iter().filter(|deletion| deletion.reason != DeletionReason::KindChanged);
        for deletion in replaced.chain(&self.deletions) {
            add(deletion.path.to_string(), Sign::Delete, why_deleted(deletion).into());
        }
        for folder in &self.replaced_folders {
            add(folder.as_prefix(), Sign::Delete, "a file takes its place".into());
        }
        for folder in &self.emptied {
            add(folder.as_prefix(), Sign::Delete, "empty then".into());
        }
        changes.sort();
        changes.into_iter()
    }

    /// A folder of [`Plan::folders`] by its path below the root.
    pub(super) fn shown_folder(&self, folder: &WorkspacePath) -> String {
        match folder.as_str().strip_prefix(self.root.as_str()).map(|rest| rest.trim_start_matches('/')) {
            Some("") | None => "./".into(),
            Some(rest) => format!("{rest}/"),
        }
    }
}

impl Drifted {
    /// What was done and what happens now, as the end of a sentence that starts with the path.
    pub fn in_words(&self, root: &WorkspacePath) -> String {
        let fate = match self.fate {
            Fate::CopiedAndOverwritten => "it is copied, then overwritten",
            Fate::CopiedAndDeleted => "it is copied, then deleted",
            Fate::Overwritten => "it is overwritten without a copy, by `ON_DRIFT: overwrite`",
            Fate::Deleted => "it is deleted without a copy, by `ON_DRIFT: overwrite`",
            Fate::Stops => "nothing is changed, by `ON_DRIFT: fail`",
            Fate::LeftAlone => "it stays there, and is sent anew",
        };
        format!("{}: {fate}", what_was_done(&self.how, root))
    }
}

impl LeftAlone {
    /// Why, as the end of a sentence that starts with the path.
    pub fn in_words(&self) -> String {
        match &self.because {
            Because::PruneIsOff => "is no longer in the local tree, and stays because of `PRUNE: none`".into(),
            Because::AnotherObject => "is not the object that was deployed here, so it is not deleted".into(),
            Because::OwnerUnknown => "is not deleted, because no state tells that it was deployed from here".into(),
            Because::MovedHere => "was moved here in the workspace, and is not touched".into(),
            Because::NeverOurs => "was never deployed from here, so it is not deleted".into(),
            Because::Unreadable(why) => {
                format!("looks changed and cannot be copied, so it is not deleted: it {}", text::one_line(why))
            }
            Because::NotListed => "lies in a folder whose content cannot be seen".into(),
        }
    }
}

/// What was done to a drifted object, as the end of a sentence that starts with the path.
pub(super) fn what_was_done(how: &How, root: &WorkspacePath) -> String {
    match how {
        How::Edited => "was edited in the workspace since the last deploy".into(),
        How::Replaced => "was replaced in the workspace since the last deploy".into(),
        How::Moved { to } => {
            format!("was moved in the workspace since the last deploy, to `{}`", root.join(to.as_str()))
        }
        How::OwnerUnknown => "was there before, and no state tells who put it there".into(),
        How::Unreadable(why) => format!("looks changed in the workspace, but it {}", text::one_line(why)),
    }
}

/// `a notebook`, `an object of type LIBRARY`.
pub(super) fn kind_with_article(kind: &SeenKind) -> String {
    match kind {
        SeenKind::Notebook(_) => "a notebook".into(),
        SeenKind::File => "a file".into(),
        SeenKind::Dashboard => "a dashboard".into(),
        SeenKind::Folder => "a folder".into(),
        SeenKind::Other(word) => format!("an object of type {}", text::one_line(word)),
    }
}

pub(super) fn why_uploaded(upload: &Upload) -> String {
    match &upload.reason {
        UploadReason::New => format!("new {}", noun(upload.local.kind)),
        UploadReason::Changed => "changed".into(),
        UploadReason::KindChanged { from } => {
            format!("{} becomes a {}", kind_with_article(from), noun(upload.local.kind))
        }
        UploadReason::Restored => "is no longer in the workspace".into(),
        UploadReason::MovedAway => "was moved in the workspace".into(),
        UploadReason::Drifted => "was changed in the workspace".into(),
        UploadReason::TakenOver => "was there before, with another content".into(),
    }
}

pub(super) fn why_deleted(deletion: &Deletion) -> &'static str {
    match deletion.reason {
        DeletionReason::NotLocal => "no longer in the local tree",
        DeletionReason::KindChanged => "an object of another kind takes its place",
        DeletionReason::FolderTakesPlace => "a folder takes its place",
        DeletionReason::FolderGoes => "a file takes the place of its folder",
        DeletionReason::Destroyed => "everything deployed from here goes",
    }
}

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::JupyterNotebook(_) => "notebook",
        other => kind_word(other),
    }
}

/// The word for an intent, as `ACTION` spells it.
pub(super) fn action_word(intent: Intent) -> &'static str {
    match intent {
        Intent::Deploy => "deploy",
        Intent::Destroy => "destroy",
    }
}
