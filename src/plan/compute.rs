//! The plan, path by path.
//!
//! One walk serves both steps: [`suspects`] is the walk that has no evidence yet and only notes what it would look at.
//! What is asked never depends on an answer, so the second walk misses nothing.

use super::inputs::{Knowledge, below};
use super::look::{self, Content};
use super::{
    Backup, Because, Conflict, Deletion, DeletionReason, Drifted, End, Evidence, Fate, How, Inputs, Intent, LeftAlone,
    Local, OnDrift, Over, Plan, Prune, Seen, SeenKind, Suspect, Upload, UploadReason, Why, finish,
};
use crate::state::{Digest, FileRecord, RelativePath};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The objects whose content must be exported and looked at before the plan can be made, sorted by path: those that would
/// be overwritten or deleted, or that should be as they were deployed, and that do not look as they were recorded; and
/// those that nobody recorded, where a local file goes.
pub fn suspects(inputs: &Inputs<'_>) -> Vec<Suspect> {
    let no_evidence = BTreeMap::new();
    let mut draft = walked(inputs, &no_evidence);
    draft.asked.sort_by(|a, b| a.path.cmp(&b.path));
    draft.asked
}

/// The plan. `evidence` answers [`suspects`]; a suspect without an answer counts as one that cannot be looked at.
pub fn compute(inputs: &Inputs<'_>, evidence: &BTreeMap<RelativePath, Evidence>) -> Plan {
    finish::finish(walked(inputs, evidence))
}

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    evidence: &'a BTreeMap<RelativePath, Evidence>,
    /// The folders that the local tree needs.
    pub(super) implied: BTreeSet<RelativePath>,
    /// Where recorded objects are that lie neither at their own place nor at that of another one of ours.
    moved: HashMap<i64, &'a RelativePath>,
    /// Records that are dealt with, though no local file stands at their path.
    handled: BTreeSet<RelativePath>,
    /// Folders of the local tree that are missing.
    pub(super) missing: BTreeSet<RelativePath>,
    /// Paths of records that end with this plan, or ended before it.
    pub(super) dropped: BTreeSet<RelativePath>,
    /// Objects that went away between the listing and a look at them.
    pub(super) vanished: BTreeSet<RelativePath>,
    pub(super) asked: Vec<Suspect>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) stopping: Vec<Drifted>,
    pub(super) plan: Plan,
}

/// What came of clearing a place for something of another kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cleared {
    /// It will be empty.
    Yes,
    /// It is empty already.
    Gone,
    /// It may not be cleared; a conflict says why.
    No,
}

fn walked<'a>(inputs: &'a Inputs<'a>, evidence: &'a BTreeMap<RelativePath, Evidence>) -> Draft<'a> {
    let mut draft = Draft::new(inputs, evidence);
    if inputs.intent == Intent::Deploy {
        for folder in draft.implied.clone() {
            draft.need_folder(&folder);
        }
        for (path, local) in inputs.local {
            draft.place(path, local);
        }
    }
    let claimed: BTreeSet<&RelativePath> = inputs.ours.records.keys().chain(inputs.ours.accepted.keys()).collect();
    for path in claimed {
        let placed = inputs.intent == Intent::Deploy && inputs.local.contains_key(path);
        if !placed && !draft.handled.contains(path) {
            draft.retire(path);
        }
    }
    draft
}

impl<'a> Draft<'a> {
    fn new(inputs: &'a Inputs<'a>, evidence: &'a BTreeMap<RelativePath, Evidence>) -> Draft<'a> {
        let mut implied = BTreeSet::new();
        if inputs.intent == Intent::Deploy {
            implied.extend(inputs.local.keys().flat_map(RelativePath::ancestors).map(RelativePath::of_ancestor));
        }
        let recorded: HashMap<i64, &RelativePath> =
            inputs.ours.records.iter().map(|(path, record)| (record.object_id, path)).collect();
        let moved = inputs.remote.objects.iter().filter(|(path, seen)| {
            recorded.contains_key(&seen.object_id)
                && !inputs.ours.records.contains_key(*path)
                && !(inputs.intent == Intent::Deploy && inputs.local.contains_key(*path))
        });
        Draft {
            inputs,
            evidence,
            implied,
            moved: moved.map(|(path, seen)| (seen.object_id, path)).collect(),
            handled: BTreeSet::new(),
            missing: BTreeSet::new(),
            dropped: BTreeSet::new(),
            vanished: BTreeSet::new(),
            asked: Vec::new(),
            conflicts: Vec::new(),
            stopping: Vec::new(),
            plan: Plan {
                root: inputs.root.clone(),
                intent: inputs.intent,
                policy: inputs.policy,
                obstacles: Vec::new(),
                backups: Vec::new(),
                replaced: Vec::new(),
                replaced_folders: Vec::new(),
                folders: Vec::new(),
                uploads: Vec::new(),
                verify: Vec::new(),
                deletions: Vec::new(),
                emptied: Vec::new(),
                end: End::WriteState,
                untouched: 0,
                adopted: Vec::new(),
                drifted: Vec::new(),
                left_alone: Vec::new(),
                kept: BTreeMap::new(),
                records_change: false,
            },
        }
    }

    fn record(&self, path: &RelativePath) -> Option<&'a FileRecord> {
        self.inputs.ours.records.get(path)
    }

    /// Whether the object at `path` is the very one that was deployed there.
    fn same_object(&self, path: &RelativePath, seen: &Seen) -> bool {
        self.record(path).is_some_and(|record| record.object_id == seen.object_id)
    }

    /// Whether there may be a content at `path` that a deploy which did not end has put there.
    fn may_be_half_done(&self, path: &RelativePath) -> bool {
        self.inputs.ours.accepted.get(path).is_some_and(|accepted| !accepted.is_empty())
    }

    // A folder of the local tree.

    fn need_folder(&mut self, folder: &RelativePath) {
        match self.inputs.remote.know(folder) {
            Knowledge::Absent => {
                self.missing.insert(folder.clone());
            }
            Knowledge::Seen(seen) if seen.kind == SeenKind::Folder => {
                if !self.inputs.remote.listed.contains(folder) {
                    self.conflict(folder, Why::NotListed);
                }
            }
            Knowledge::Seen(seen) => {
                self.handled.insert(folder.clone());
                self.dropped.insert(folder.clone());
                self.missing.insert(folder.clone());
                let why = Why::OtherKind(seen.kind.clone());
                self.clear(folder, seen, DeletionReason::FolderTakesPlace, why);
            }
            // A folder above it is one of the local tree too, and has told it.
            Knowledge::Hidden(_) => {}
        }
    }

    // A local file.

    fn place(&mut self, path: &RelativePath, local: &'a Local) {
        match self.inputs.remote.know(path) {
            Knowledge::Hidden(folder) => self.conflict(folder, Why::NotListed),
            Knowledge::Absent => self.send_anew(path, local),
            Knowledge::Seen(seen) if seen.kind == SeenKind::Folder => self.take_folders_place(path, local),
            Knowledge::Seen(seen) => {
                let same_object = self.same_object(path, seen);
                if look::takes_over(local.kind, seen, self.record(path).filter(|_| same_object)) {
                    self.put_over(path, local, seen);
                } else {
                    self.put_instead(path, local, seen);
                }
            }
        }
    }

    /// Where nothing is.
    fn send_anew(&mut self, path: &RelativePath, local: &'a Local) {
        let reason = match self.record(path).map(|record| self.moved.get(&record.object_id).copied()) {
            None => UploadReason::New,
            Some(None) => UploadReason::Restored,
            Some(Some(to)) => {
                let how = How::Moved { to: to.clone() };
                let fails = self.inputs.policy.on_drift == OnDrift::Fail;
                self.drifted(path, how, if fails { Fate::Stops } else { Fate::LeftAlone });
                self.leave(to, Because::MovedHere);
                UploadReason::MovedAway
            }
        };
        self.upload(path, local, reason, None);
    }

    /// Where an object is that an import overwrites.
    fn put_over(&mut self, path: &RelativePath, local: &'a Local, seen: &'a Seen) {
        let record = self.record(path);
        let unchanged = record.is_some_and(|record| record.digest == local.digest && record.kind == local.kind);
        let as_wanted = look::language_fits(local.kind, seen);
        let over = |content| Some(Over { seen: seen.clone(), content });
        let owner_unknown = record.is_none() && !self.may_be_half_done(path);
        match self.look(path, seen, Some(local), !unchanged) {
            Content::Gone => self.send_anew(path, local),
            Content::AsLocal if as_wanted => {
                let accepted = self.inputs.ours.accepted.get(path);
                if record.is_none() && !accepted.is_some_and(|accepted| accepted.contains(&local.fingerprint)) {
                    self.plan.adopted.push(path.clone());
                } else {
                    self.plan.untouched += 1;
                }
                self.keep(path, recorded(local, seen));
            }
            Content::Ours(_) if unchanged && as_wanted => {
                self.plan.untouched += 1;
                self.keep(path, recorded(local, seen));
            }
            // Only the language is another one, so nothing is lost by sending it again.
            Content::AsLocal if !owner_unknown => {
                self.upload(path, local, UploadReason::Changed, over(Some(local.fingerprint)));
            }
            Content::Ours(content) if unchanged => {
                self.upload(path, local, UploadReason::Drifted, over(Some(content)));
            }
            Content::Ours(content) => self.upload(path, local, UploadReason::Changed, over(Some(content))),
            _ if owner_unknown && self.inputs.ours.known => {
                self.conflict(path, Why::NeverOurs);
            }
            Content::Unreadable(why) if self.inputs.policy.on_drift == OnDrift::Backup => {
                self.conflict(path, Why::Unreadable(why));
            }
            found => {
                let (how, content) = found.into_drift(record, seen);
                let reason = if owner_unknown { UploadReason::TakenOver } else { UploadReason::Drifted };
                self.drift(path, seen, how, content, Fate::Overwritten);
                self.upload(path, local, reason, over(content));
            }
        }
    }

    /// Where an object of another kind is: an import would be refused, so it is deleted first.
    fn put_instead(&mut self, path: &RelativePath, local: &'a Local, seen: &'a Seen) {
        let why = Why::OtherKind(seen.kind.clone());
        match self.clear(path, seen, DeletionReason::KindChanged, why) {
            Cleared::Yes => {
                let from = seen.kind.clone();
                self.upload(path, local, UploadReason::KindChanged { from }, None);
            }
            Cleared::Gone => self.send_anew(path, local),
            Cleared::No => {}
        }
    }

    /// Where a folder is. Only one that holds nothing but ours gives way.
    fn take_folders_place(&mut self, path: &RelativePath, local: &'a Local) {
        if !self.holds_ours(path) {
            return self.conflict(path, Why::OtherKind(SeenKind::Folder));
        }
        if !self.inputs.remote.listed.contains(path) {
            return self.conflict(path, Why::NotListed);
        }
        let mut folders = vec![path.clone()];
        let mut clear = true;
        for (inside, seen) in self.inputs.remote.below(path) {
            let foreign = Why::InFolderThatGoes { folder: path.clone() };
            let why = if seen.kind == SeenKind::Folder {
                if !self.holds_ours(inside) {
                    foreign
                } else if !self.inputs.remote.listed.contains(inside) {
                    Why::NotListed
                } else {
                    folders.push(inside.clone());
                    continue;
                }
            } else if self.inputs.policy.prune == Prune::None && self.same_object(inside, seen) {
                Why::PruneIsOff { folder: path.clone() }
            } else {
                clear &= self.clear(inside, seen, DeletionReason::FolderGoes, foreign) != Cleared::No;
                continue;
            };
            clear = false;
            self.conflict(inside, why);
        }
        let records = below(&self.inputs.ours.records, path).map(|(path, _)| path);
        let accepted = below(&self.inputs.ours.accepted, path).map(|(path, _)| path);
        for record in records.chain(accepted) {
            self.handled.insert(record.clone());
            self.dropped.insert(record.clone());
        }
        if clear {
            // What lies deeper comes later in the order of texts.
            self.plan.replaced_folders.extend(folders.into_iter().rev());
            self.upload(path, local, UploadReason::KindChanged { from: SeenKind::Folder }, None);
        }
    }

    /// Whether earlier deploys put something into this folder.
    pub(super) fn holds_ours(&self, folder: &RelativePath) -> bool {
        below(&self.inputs.ours.records, folder).next().is_some()
            || below(&self.inputs.ours.accepted, folder).next().is_some()
    }

    /// Clears a place for something of another kind. What is there must be the very object that we deployed: a deletion
    /// loses its id and its permissions, and what nobody deployed is not ours to delete.
    fn clear(&mut self, path: &RelativePath, seen: &'a Seen, reason: DeletionReason, foreign: Why) -> Cleared {
        let same_object = self.same_object(path, seen);
        if !same_object && !self.may_be_half_done(path) {
            self.conflict(path, foreign);
            return Cleared::No;
        }
        let content = match self.look(path, seen, None, true) {
            Content::Gone => return Cleared::Gone,
            Content::Ours(content) => Some(content),
            Content::Unreadable(why) if same_object && self.inputs.policy.on_drift == OnDrift::Backup => {
                self.conflict(path, Why::Unreadable(why));
                return Cleared::No;
            }
            found if same_object => {
                let (how, content) = found.into_drift(self.record(path), seen);
                self.drift(path, seen, how, content, Fate::Deleted);
                content
            }
            _ => {
                self.conflict(path, foreign);
                return Cleared::No;
            }
        };
        self.plan.replaced.push(Deletion { path: path.clone(), seen: seen.clone(), content, reason });
        Cleared::Yes
    }

    // What is ours and no longer wanted.

    fn retire(&mut self, path: &RelativePath) {
        let record = self.record(path);
        let seen = match self.inputs.remote.know(path) {
            Knowledge::Hidden(_) => return self.leave_ours(path, Because::NotListed),
            Knowledge::Absent => {
                if let Some(to) = record.and_then(|record| self.moved.get(&record.object_id)) {
                    self.leave(to, Because::MovedHere);
                }
                return self.drop_record(path);
            }
            Knowledge::Seen(seen) if self.implied.contains(path) && seen.kind == SeenKind::Folder => {
                return self.drop_record(path);
            }
            Knowledge::Seen(seen) => seen,
        };
        let same_object = self.same_object(path, seen);
        if seen.kind == SeenKind::Folder || (!same_object && !self.may_be_half_done(path)) {
            self.leave(path, Because::AnotherObject);
            return self.drop_record(path);
        }
        if self.inputs.intent == Intent::Deploy && self.inputs.policy.prune == Prune::None {
            return self.leave_ours(path, Because::PruneIsOff);
        }
        let content = match self.look(path, seen, None, true) {
            Content::Gone => return self.drop_record(path),
            Content::Ours(content) => Some(content),
            _ if !same_object => {
                self.leave(path, Because::AnotherObject);
                return self.drop_record(path);
            }
            Content::Unreadable(why) if self.inputs.policy.on_drift == OnDrift::Backup => {
                return self.leave_ours(path, Because::Unreadable(why));
            }
            found => {
                let (how, content) = found.into_drift(record, seen);
                self.drift(path, seen, how, content, Fate::Deleted);
                content
            }
        };
        let reason = match self.inputs.intent {
            Intent::Deploy => DeletionReason::NotLocal,
            Intent::Destroy => DeletionReason::Destroyed,
        };
        self.dropped.insert(path.clone());
        self.plan.deletions.push(Deletion { path: path.clone(), seen: seen.clone(), content, reason });
    }

    // What all of them note.

    fn look(&mut self, path: &RelativePath, seen: &'a Seen, local: Option<&Local>, touch: bool) -> Content {
        let record = self.record(path);
        if let Some(record) = record.filter(|record| look::as_recorded(record, seen, touch)) {
            return Content::Ours(record.fingerprint);
        }
        let accepted = self.inputs.ours.accepted.get(path);
        let compare_as = look::compare_as(record, local, seen, self.may_be_half_done(path));
        self.asked.push(Suspect { path: path.clone(), seen: seen.clone(), compare_as });
        let content = look::judge(self.evidence.get(path), record, accepted, local);
        if content == Content::Gone {
            self.vanished.insert(path.clone());
        }
        content
    }

    /// An edit that is about to be lost: what the user chose decides. `fate` is what happens without a copy.
    fn drift(&mut self, path: &RelativePath, seen: &Seen, how: How, content: Option<Digest>, fate: Fate) {
        let fate = match (self.inputs.policy.on_drift, fate) {
            (OnDrift::Overwrite, fate) => fate,
            (OnDrift::Fail, _) => Fate::Stops,
            (OnDrift::Backup, fate) => {
                self.plan.backups.push(Backup { path: path.clone(), seen: seen.clone(), content });
                if fate == Fate::Deleted { Fate::CopiedAndDeleted } else { Fate::CopiedAndOverwritten }
            }
        };
        self.drifted(path, how, fate);
    }

    fn drifted(&mut self, path: &RelativePath, how: How, fate: Fate) {
        let drifted = Drifted { path: path.clone(), how, fate };
        if fate == Fate::Stops {
            self.stopping.push(drifted.clone());
        }
        self.plan.drifted.push(drifted);
    }

    fn conflict(&mut self, path: &RelativePath, why: Why) {
        self.conflicts.push(Conflict { path: path.clone(), why });
    }

    fn leave(&mut self, path: &RelativePath, because: Because) {
        self.plan.left_alone.push(LeftAlone { path: path.clone(), because });
    }

    /// Leaves an object that stays ours.
    fn leave_ours(&mut self, path: &RelativePath, because: Because) {
        if let Some(record) = self.record(path) {
            self.keep(path, *record);
        }
        self.leave(path, because);
    }

    fn keep(&mut self, path: &RelativePath, record: FileRecord) {
        self.plan.records_change |= self.record(path) != Some(&record);
        self.plan.kept.insert(path.clone(), record);
    }

    fn drop_record(&mut self, path: &RelativePath) {
        self.plan.records_change |= self.record(path).is_some();
        self.dropped.insert(path.clone());
    }

    fn upload(&mut self, path: &RelativePath, local: &Local, reason: UploadReason, over: Option<Over>) {
        self.plan.uploads.push(Upload { path: path.clone(), local: local.clone(), reason, over });
    }
}

/// The record of an object that is there as `local` would have it.
pub(super) fn recorded(local: &Local, seen: &Seen) -> FileRecord {
    FileRecord {
        kind: local.kind,
        digest: local.digest,
        fingerprint: local.fingerprint,
        size: local.size,
        object_id: seen.object_id,
        modified_at: seen.modified_at,
    }
}

impl Content {
    /// What was done to an object whose content is not as it should be, and what its content is.
    fn into_drift(self, record: Option<&FileRecord>, seen: &Seen) -> (How, Option<Digest>) {
        let how = match record {
            None => How::OwnerUnknown,
            Some(record) if record.object_id == seen.object_id => How::Edited,
            Some(_) => How::Replaced,
        };
        match self {
            Content::Unreadable(why) => (How::Unreadable(why), None),
            Content::Ours(content) | Content::Other(content) => (how, Some(content)),
            Content::AsLocal | Content::Gone => (how, None),
        }
    }
}
