//! A plan in the making, and what every step of the way may note in it.

use super::inputs::below;
use super::look::{self, Content};
use super::{
    Backup, Because, Conflict, Drifted, End, Evidence, Fate, How, Inputs, Intended, Intent, LeftAlone, Local, OnDrift,
    Over, Plan, Seen, Suspect, Upload, UploadReason, Why,
};
use crate::state::{Digest, FileRecord, RelativePath};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A plan in the making.
pub(super) struct Draft<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    evidence: &'a BTreeMap<RelativePath, Evidence>,
    /// The folders that the local tree needs.
    pub(super) implied: BTreeSet<RelativePath>,
    /// Where recorded objects are that do not lie at their own place, by their ids.
    elsewhere: HashMap<i64, &'a RelativePath>,
    /// Records that are dealt with, though no local file stands at their path.
    pub(super) handled: BTreeSet<RelativePath>,
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

impl<'a> Draft<'a> {
    pub(super) fn new(inputs: &'a Inputs<'a>, evidence: &'a BTreeMap<RelativePath, Evidence>) -> Draft<'a> {
        let mut implied = BTreeSet::new();
        if inputs.intent == Intent::Deploy {
            implied.extend(inputs.local.keys().flat_map(RelativePath::ancestors).map(RelativePath::of_ancestor));
        }
        let recorded: HashMap<i64, &RelativePath> =
            inputs.ours.records.iter().map(|(path, record)| (record.object_id, path)).collect();
        let elsewhere = inputs
            .remote
            .objects
            .iter()
            .filter(|(path, seen)| recorded.get(&seen.object_id).is_some_and(|recorded| recorded != path));
        Draft {
            inputs,
            evidence,
            implied,
            elsewhere: elsewhere.map(|(path, seen)| (seen.object_id, path)).collect(),
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

    pub(super) fn record(&self, path: &RelativePath) -> Option<&'a FileRecord> {
        self.inputs.ours.records.get(path)
    }

    /// Whether the object at `path` is the very one that was deployed there.
    pub(super) fn same_object(&self, path: &RelativePath, seen: &Seen) -> bool {
        self.record(path).is_some_and(|record| record.object_id == seen.object_id)
    }

    /// Where the object lies that was deployed to `path`, if that is elsewhere.
    pub(super) fn elsewhere(&self, path: &RelativePath) -> Option<&'a RelativePath> {
        self.record(path).and_then(|record| self.elsewhere.get(&record.object_id)).copied()
    }

    /// The same, if that place is neither one that a local file goes to nor one of ours: there it is just moved away.
    pub(super) fn moved(&self, path: &RelativePath) -> Option<&'a RelativePath> {
        self.elsewhere(path).filter(|to| {
            let wanted = self.inputs.intent == Intent::Deploy && self.inputs.local.contains_key(*to);
            !wanted && self.record(to).is_none()
        })
    }

    /// What deploys that did not end may have written to `path`.
    pub(super) fn accepted(&self, path: &RelativePath) -> &'a [Intended] {
        self.inputs.ours.accepted.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// What deploys that did not end have written to `path`, if that is what is there: the content alone does not tell
    /// notebooks of two languages apart.
    pub(super) fn half_done(&self, path: &RelativePath, seen: &Seen, content: Digest) -> Option<&'a Intended> {
        let mut accepted = self.accepted(path).iter();
        accepted.find(|intended| intended.fingerprint == content && look::language_fits(intended.kind, seen))
    }

    /// Whether what is at `path` and holds `content` is ours to delete: the object that we deployed, or another one that
    /// a deploy which did not end has written.
    pub(super) fn may_delete(&self, path: &RelativePath, seen: &Seen, content: Digest) -> bool {
        self.same_object(path, seen) || self.half_done(path, seen, content).is_some()
    }

    pub(super) fn may_be_half_done(&self, path: &RelativePath) -> bool {
        !self.accepted(path).is_empty()
    }

    /// Whether earlier deploys put something into this folder.
    pub(super) fn holds_ours(&self, folder: &RelativePath) -> bool {
        below(&self.inputs.ours.records, folder).next().is_some()
            || below(&self.inputs.ours.accepted, folder).next().is_some()
    }

    pub(super) fn look(&mut self, path: &RelativePath, seen: &'a Seen, local: Option<&Local>, touch: bool) -> Content {
        let record = self.record(path);
        // Where a deploy that did not end may have written, only a time tells that it has not.
        let touch = touch || self.may_be_half_done(path);
        if let Some(record) = record.filter(|record| look::as_recorded(record, seen, touch)) {
            return Content::Ours(record.fingerprint);
        }
        let accepted = self.accepted(path);
        let compare_as = look::compare_as(record, local, accepted, seen);
        self.asked.push(Suspect { path: path.clone(), seen: seen.clone(), compare_as });
        let content = look::judge(self.evidence.get(path), record, accepted, local);
        if content == Content::Gone {
            self.vanished.insert(path.clone());
        }
        content
    }

    /// An edit that is about to be lost: what the user chose decides. `fate` is what happens without a copy.
    pub(super) fn drift(&mut self, path: &RelativePath, seen: &Seen, how: How, content: Option<Digest>, fate: Fate) {
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

    pub(super) fn drifted(&mut self, path: &RelativePath, how: How, fate: Fate) {
        let drifted = Drifted { path: path.clone(), how, fate };
        if fate == Fate::Stops {
            self.stopping.push(drifted.clone());
        }
        self.plan.drifted.push(drifted);
    }

    pub(super) fn conflict(&mut self, path: &RelativePath, why: Why) {
        self.conflicts.push(Conflict { path: path.clone(), why });
    }

    pub(super) fn leave(&mut self, path: &RelativePath, because: Because) {
        self.plan.left_alone.push(LeftAlone { path: path.clone(), because });
    }

    /// Leaves an object that stays ours.
    pub(super) fn leave_ours(&mut self, path: &RelativePath, because: Because) {
        if let Some(record) = self.record(path) {
            self.keep(path, *record);
        }
        self.leave(path, because);
    }

    pub(super) fn keep(&mut self, path: &RelativePath, record: FileRecord) {
        self.plan.records_change |= self.record(path) != Some(&record);
        self.plan.kept.insert(path.clone(), record);
    }

    pub(super) fn drop_record(&mut self, path: &RelativePath) {
        self.plan.records_change |= self.record(path).is_some();
        self.dropped.insert(path.clone());
    }

    pub(super) fn upload(&mut self, path: &RelativePath, local: &Local, reason: UploadReason, over: Option<Over>) {
        self.plan.uploads.push(Upload { path: path.clone(), local: local.clone(), reason, over });
    }
}
