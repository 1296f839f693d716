//! What a plan is computed from: all of it values, so that the same inputs always give the same plan.

use crate::settings::{OnDrift, Prune, WorkspacePath};
use crate::source::{Kind, Language};
use crate::state::{Digest, FileRecord, Intended, Journal, RelativePath, State};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;

/// Everything but the content of suspicious objects.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The target's folder.
    pub root: &'a WorkspacePath,
    /// What is to be done.
    pub intent: Intent,
    /// What the user chose.
    pub policy: Policy,
    /// What is to be there. No path of it lies in another one. Of no meaning for [`Intent::Destroy`].
    pub local: &'a BTreeMap<RelativePath, Local>,
    /// What is there.
    pub remote: &'a Remote,
    /// What earlier deploys of this target say that they put there.
    pub ours: &'a Ours,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// The target is to hold the local tree.
    Deploy,
    /// The target is to hold nothing of ours.
    Destroy,
}

/// What the user chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `PRUNE`.
    pub prune: Prune,
    /// `ON_DRIFT`.
    pub on_drift: OnDrift,
}

/// A local file, as a plan sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// What it becomes.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The digest of its content in the form in which the service will give it back; a plain file's is `digest`.
    pub fingerprint: Digest,
    /// Where its bytes are.
    pub source: PathBuf,
}

/// What was observed of the target. What lies in [`crate::state::FOLDER`] is no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Whether the root is there; if it is, it was listed.
    pub root_exists: bool,
    /// Every object that a listing showed, folders too, by its path below the root.
    pub objects: BTreeMap<RelativePath, Seen>,
    /// The folders below the root that were listed. What lies in any other folder is not known: a listing answers
    /// "does not exist" also where the identity may not look.
    pub listed: BTreeSet<RelativePath>,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub kind: SeenKind,
    /// Its size in bytes; the service tells a file's only.
    pub size: Option<u64>,
    /// Its id.
    pub object_id: i64,
    /// When the service last saw it change, in milliseconds since 1970.
    pub modified_at: Option<i64>,
}

/// What an object in the workspace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenKind {
    /// A notebook; the language where the service told one that is known.
    Notebook(Option<Language>),
    /// A file.
    File,
    /// A dashboard.
    Dashboard,
    /// A folder.
    Folder,
    /// Anything else, in the service's own word.
    Other(String),
}

/// What earlier deploys of this target say that they put there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ours {
    /// Whether there is a readable state of this target. If there is, an object that it does not name was never deployed
    /// by us; if there is none, nobody knows.
    pub known: bool,
    /// The state's records.
    pub records: BTreeMap<RelativePath, FileRecord>,
    /// Contents beside the recorded ones that count as ours: those that deploys which did not end were about to write.
    pub accepted: BTreeMap<RelativePath, Vec<Intended>>,
}

impl Intended {
    /// The record of it, once it is there.
    pub(super) fn recorded(&self, seen: &Seen) -> FileRecord {
        FileRecord {
            kind: self.kind,
            digest: self.digest,
            fingerprint: self.fingerprint,
            size: self.size,
            object_id: seen.object_id,
            modified_at: seen.modified_at,
        }
    }
}

impl Local {
    /// What a deploy writes that sends it.
    pub fn intended(&self) -> Intended {
        Intended { kind: self.kind, digest: self.digest, fingerprint: self.fingerprint, size: self.size }
    }
}

impl Ours {
    /// What the state says, and what deploys that did not end were about to write; `None` where there is no state that
    /// can be believed, or every deploy has ended.
    pub fn of(state: Option<&State>, journal: Option<&Journal>) -> Ours {
        Ours {
            known: state.is_some(),
            records: state.map(|state| state.files.clone()).unwrap_or_default(),
            accepted: journal.map(|journal| journal.writes.clone()).unwrap_or_default(),
        }
    }
}

/// An object whose content must be looked at before the plan can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// Where it is.
    pub path: RelativePath,
    /// As the listing showed it.
    pub seen: Seen,
    /// In which forms its content is compared: as the recorded kind, as the kind that is about to be sent, or both. Never
    /// empty.
    pub compare_as: Vec<Kind>,
}

/// What looking at a suspect's content showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The digests of its content, one for each form in [`Suspect::compare_as`] in which the service gives it.
    Content(BTreeSet<Digest>),
    /// It is not there any more.
    Gone,
    /// It cannot be looked at: why, as the end of a sentence that starts with the path.
    Unexportable(String),
}

impl Evidence {
    /// A content of which one form was looked at.
    pub fn content(fingerprint: Digest) -> Evidence {
        Evidence::Content(BTreeSet::from([fingerprint]))
    }
}

impl Remote {
    /// What is known of `path`.
    pub(super) fn know(&self, path: &RelativePath) -> Knowledge<'_> {
        if !self.root_exists {
            return Knowledge::Absent;
        }
        if let Some(seen) = self.objects.get(path) {
            return Knowledge::Seen(seen);
        }
        for ancestor in path.ancestors() {
            match self.objects.get_key_value(ancestor) {
                Some((_, seen)) if seen.kind != SeenKind::Folder => return Knowledge::Absent,
                None => return Knowledge::Absent,
                Some((folder, _)) if !self.listed.contains(ancestor) => return Knowledge::Hidden(folder),
                Some(_) => {}
            }
        }
        Knowledge::Absent
    }

    /// Everything that was seen below `folder`.
    pub(super) fn below(&self, folder: &RelativePath) -> impl Iterator<Item = (&RelativePath, &Seen)> {
        below(&self.objects, folder)
    }
}

/// What is known of a path in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge<'a> {
    /// Nothing is there.
    Absent,
    /// This is there.
    Seen(&'a Seen),
    /// It would lie in this folder, which is there but was not listed.
    Hidden(&'a RelativePath),
}

/// The entries of a map of paths that lie below `folder`.
pub(super) fn below<'a, V>(
    map: &'a BTreeMap<RelativePath, V>,
    folder: &RelativePath,
) -> impl Iterator<Item = (&'a RelativePath, &'a V)> {
    let prefix = folder.as_prefix();
    // The prefix itself is no path: what lies below comes right behind it in the order of texts.
    let behind = map.range::<str, _>((Bound::Excluded(prefix.as_str()), Bound::Unbounded));
    behind.take_while(move |(path, _)| path.as_str().starts_with(&prefix))
}

/// The folders that must be listed before a plan can be made: all that lie on the way to a local file or to a recorded
/// one, and all that stand where a local file goes and recorded ones lie. Sorted, without the root, which is always
/// listed; one that is not there need not be asked for again below.
pub fn folders_to_list(local: &BTreeMap<RelativePath, Local>, ours: &Ours) -> BTreeSet<RelativePath> {
    let paths = local.keys().chain(ours.records.keys()).chain(ours.accepted.keys());
    paths.flat_map(RelativePath::ancestors).map(RelativePath::of_ancestor).collect()
}
