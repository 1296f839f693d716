//! What a deploy that did not end was about to write.

use super::{BACKUP, NOTEBOOK, Target, left, lines, tree};
use crate::plan::tests::model::{What, local, path, what_of};
use crate::plan::*;
use crate::source::Kind;

#[test]
fn what_a_deploy_that_did_not_end_has_written_is_ours() {
    // The records are those before it; it was about to write 2 to all of these.
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("keep", NOTEBOOK, 1)]);
    target.edit("a", 2);
    target.put("new", what_of(NOTEBOOK), 2);
    target.put("gone", What::File, 2);
    target.put("edited", What::File, 7);
    for (at, kind) in [("a", NOTEBOOK), ("new", NOTEBOOK), ("gone", Kind::File), ("edited", Kind::File)] {
        target.ours.accepted.insert(path(at), vec![local(kind, (2, 0)).intended()]);
    }
    let fail = Policy { on_drift: OnDrift::Fail, ..BACKUP };
    let plan =
        target.plan(Intent::Deploy, fail, &tree(&[("a", NOTEBOOK, 3), ("new", NOTEBOOK, 3), ("keep", NOTEBOOK, 1)]));
    assert!(plan.may_run().is_ok(), "{plan:#?}");
    assert_eq!(lines(&plan), ["~ a: changed", "- gone: no longer in the local tree", "~ new: changed"]);
    assert_eq!(left(&plan), ["edited is not the object that was deployed here, so it is not deleted"]);
}

#[test]
fn going_back_to_what_was_recorded_undoes_what_a_killed_deploy_wrote() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 2);
    target.ours.accepted.insert(path("a"), vec![local(NOTEBOOK, (2, 0)).intended()]);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("a", NOTEBOOK, 1)]));
    assert_eq!(lines(&plan), ["~ a: changed"]);
    assert!(plan.drifted.is_empty());
}
