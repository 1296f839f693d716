//! The plan, path by path.
//!
//! One walk serves both steps: [`suspects`] is the walk that has no evidence yet and only notes what it would look at.
//! What is asked never depends on an answer, so the second walk misses nothing.

use super::draft::Draft;
use super::inputs::{Knowledge, below};
use super::look::{self, Content};
use super::{
    Because, Deletion, DeletionReason, Evidence, Fate, How, Inputs, Intent, Local, OnDrift, Over, Plan, Prune, Seen,
    SeenKind, Suspect, UploadReason, Why, finish,
};
use crate::order;
use crate::state::RelativePath;
use std::collections::{BTreeMap, BTreeSet};

/// The objects whose content must be exported and looked at before the plan can be made, sorted by path: those that would
/// be overwritten or deleted, or that should be as they were deployed, and that do not look as they were recorded; and
/// those that nobody recorded, where a local file goes.
pub fn suspects(inputs: &Inputs<'_>) -> Vec<Suspect> {
    let no_evidence = BTreeMap::new();
    let mut draft = walked(inputs, &no_evidence);
    order::by_text(&mut draft.asked, |one| one.path.as_str());
    draft.asked
}

/// The plan. `evidence` answers [`suspects`]; a suspect without an answer counts as one that cannot be looked at.
pub fn compute(inputs: &Inputs<'_>, evidence: &BTreeMap<RelativePath, Evidence>) -> Plan {
    finish::finish(walked(inputs, evidence))
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
    let claimed: BTreeSet<&RelativePath> =
        order::gathered(inputs.ours.records.keys().chain(inputs.ours.accepted.keys()));
    for path in claimed {
        let placed = inputs.intent == Intent::Deploy && inputs.local.contains_key(path);
        if !placed && !draft.handled.contains(path) {
            draft.retire(path);
        }
    }
    draft
}

impl<'a> Draft<'a> {
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
        let reason = match self.moved(path) {
            None if self.record(path).is_none() => UploadReason::New,
            None => UploadReason::Restored,
            Some(to) => {
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
        // What a deploy that did not end has written is ours too, and not what the record says.
        let as_recorded = |content| unchanged && record.is_some_and(|record| record.fingerprint == content);
        let over = |content| Some(Over { seen: seen.clone(), content });
        let owner_unknown = record.is_none() && !self.may_be_half_done(path);
        match self.look(path, seen, Some(local), !unchanged) {
            Content::Gone => self.send_anew(path, local),
            Content::AsLocal if as_wanted => {
                let written = self.accepted(path).iter().any(|intended| intended.fingerprint == local.fingerprint);
                if record.is_none() && !written {
                    self.plan.adopted.push(path.clone());
                } else {
                    self.plan.untouched += 1;
                }
                self.keep(path, local.intended().recorded(seen));
            }
            Content::Ours(content) if as_recorded(content) && as_wanted => {
                self.plan.untouched += 1;
                self.keep(path, local.intended().recorded(seen));
            }
            // Only the language is another one, so nothing is lost by sending it again.
            Content::AsLocal if !owner_unknown => {
                self.upload(path, local, UploadReason::Changed, over(Some(local.fingerprint)));
            }
            Content::Ours(content) if as_recorded(content) => {
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
            } else if self.inputs.policy.prune == Prune::None
                && (self.same_object(inside, seen) || self.may_be_half_done(inside))
            {
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
            Content::Ours(content) if self.may_delete(path, seen, content) => Some(content),
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
}
