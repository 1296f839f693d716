//! What `ACTION` and `LOCAL_PATH` leave without effect, and what must not be left so.

use super::reader::{Read, Reader};
use super::variables::{Given, RawVariables};
use super::{Action, OnDrift, Prune};
use crate::problem::{Code, Problem};

/// What the settings come to, as far as it decides what has an effect.
pub(super) struct Reach {
    pub(super) action: Action,
    /// Whether `LOCAL_PATH` is set.
    pub(super) has_files: bool,
    pub(super) prune: Prune,
    pub(super) on_drift: OnDrift,
}

impl Reach {
    /// Tells of each variable that was chosen for nothing. Values that differ from the default were chosen: `pipe.yml`
    /// hands the defaults over too. A step that only runs may share the variables of the one that deploys.
    pub(super) fn judge(&self, reader: &mut Reader<'_>, raw: &RawVariables) {
        if self.action == Action::Deploy && !self.has_files {
            let chosen = [
                (raw.include(), true),
                (raw.exclude(), true),
                (raw.prune(), self.prune != Prune::Files),
                (raw.on_drift(), self.on_drift != OnDrift::Backup),
                (raw.permissions(), true),
                (raw.plan(), true),
            ];
            for (given, _) in chosen.into_iter().filter(|(given, chosen)| *chosen && given.value.is_some()) {
                warn(reader, given, "has no effect without `LOCAL_PATH`", "set `LOCAL_PATH`, or leave it out");
            }
        }
        if self.action == Action::Plan && raw.plan().value.is_some() {
            let message = "has no effect, because `ACTION` is `plan`: it is a deploy that is held to a plan";
            warn(reader, raw.plan(), message, "leave it out here, and set it where the plan is carried out");
        }
        if self.action == Action::Destroy {
            if raw.plan().value.is_some() {
                // A guard that would guard nothing.
                let message = "set, but `ACTION` is `destroy`, which no plan of a deploy fits";
                let problem = Problem::new(Code::ConflictingVariables, message).hint("leave one of the two out");
                let _: Read<()> = reader.fail(raw.plan(), problem);
            }
            if self.prune == Prune::None {
                let message = "has no effect, because `ACTION` is `destroy`, which deletes what was deployed";
                warn(reader, raw.prune(), message, "leave it out");
            }
        }
        if matches!(self.action, Action::Plan | Action::Destroy) && raw.run().value.is_some() {
            let action = if self.action == Action::Plan { "plan" } else { "destroy" };
            let message = format!("has no effect, because `ACTION` is `{action}`: nothing is run");
            warn(reader, raw.run(), &message, "leave it out here");
        }
    }
}

fn warn(reader: &mut Reader<'_>, given: Given<'_>, message: &str, hint: &str) {
    reader.warn(given, Problem::new(Code::NoEffect, message).hint(hint));
}
