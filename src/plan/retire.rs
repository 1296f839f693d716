//! What is ours and no longer wanted.

use super::draft::Draft;
use super::inputs::Knowledge;
use super::look::Content;
use super::{Because, Deletion, DeletionReason, Fate, Intent, OnDrift, Prune, SeenKind};
use crate::state::RelativePath;

impl Draft<'_> {
    /// Decides what becomes of something that an earlier deploy put there, and that is not in the local tree.
    pub(super) fn retire(&mut self, path: &RelativePath) {
        let record = self.record(path);
        let seen = match self.inputs.remote.know(path) {
            // An object lies in one place only: one that was seen elsewhere is not in the hidden folder.
            Knowledge::Hidden(_) if self.elsewhere(path).is_none() => {
                return self.leave_ours(path, Because::NotListed);
            }
            Knowledge::Absent | Knowledge::Hidden(_) => {
                if let Some(to) = self.moved(path) {
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
            // What a deploy that did not end has written stays ours as what it is now.
            let written = match self.accepted(path) {
                [] => None,
                _ => match self.look(path, seen, None, true) {
                    Content::Gone => return self.drop_record(path),
                    Content::Ours(content) => self.half_done(path, seen, content),
                    _ => None,
                },
            };
            return match written {
                Some(intended) => {
                    self.keep(path, intended.recorded(seen));
                    self.leave(path, Because::PruneIsOff);
                }
                None if same_object => self.leave_ours(path, Because::PruneIsOff),
                None => {
                    self.leave(path, Because::AnotherObject);
                    self.drop_record(path);
                }
            };
        }
        let content = match self.look(path, seen, None, true) {
            Content::Gone => return self.drop_record(path),
            Content::Ours(content) if self.may_delete(path, seen, content) => Some(content),
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
}
