//! What people did to what is ours, and what of it is looked at.

use super::{BACKUP, NOTEBOOK, Target, drifted, left, lines, stops, tree};
use crate::exit::Exit;
use crate::plan::tests::model::{What, digest_of, path, what_of};
use crate::plan::*;
use crate::source::{Kind, Language};
use crate::state::{Digest, RelativePath};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_new_time_is_a_suspicion_and_the_content_decides() {
    let local = tree(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    target.edit("a", 1);
    assert_eq!(target.asked(&local), ["a"]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert!(plan.changes_nothing() && plan.records_change, "{plan:#?}");
    assert_eq!(plan.untouched, 2);
    // What the records say then raises no suspicion any more.
    target.deploy(&local);
    assert_eq!(target.asked(&local), Vec::<String>::new());
}

#[test]
fn where_the_service_tells_no_time_only_what_is_touched_or_has_another_size_is_looked_at() {
    let file = |at: &'static str| (at, Kind::File, 1);
    let local = tree(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 2), file("c"), file("d")]);
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), file("c"), file("d")]);
    // But a file's size it tells.
    target.edit("d", 7);
    let mut remote = target.world.observe(&local, &target.ours);
    remote.objects.values_mut().for_each(|seen| seen.modified_at = None);
    target.ours.records.values_mut().for_each(|record| record.modified_at = None);
    let inputs = target.inputs(&remote, &local);
    let asked: Vec<RelativePath> = suspects(&inputs).into_iter().map(|suspect| suspect.path).collect();
    assert_eq!(asked, [path("b"), path("d")]);
}

#[test]
fn an_edit_is_kept_safe_or_stops_or_is_lost_as_the_user_chose() {
    // `a` changes here too, `b` does not, `c` goes.
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), ("c", NOTEBOOK, 1)]);
    for at in ["a", "b", "c"] {
        target.edit(at, 7);
    }
    let local = tree(&[("a", NOTEBOOK, 2), ("b", NOTEBOOK, 1)]);
    let with = |on_drift| target.plan(Intent::Deploy, Policy { on_drift, ..BACKUP }, &local);

    let plan = with(OnDrift::Backup);
    let copied: Vec<&str> = plan.backups.iter().map(|backup| backup.path.as_str()).collect();
    assert_eq!(copied, ["a", "b", "c"]);
    assert_eq!(
        lines(&plan),
        ["~ a: was changed in the workspace", "~ b: was changed in the workspace", "- c: no longer in the local tree"]
    );
    assert_eq!(
        drifted(&plan),
        [
            "a was edited in the workspace since the last deploy: it is copied, then overwritten",
            "b was edited in the workspace since the last deploy: it is copied, then overwritten",
            "c was edited in the workspace since the last deploy: it is copied, then deleted"
        ]
    );
    assert!(plan.may_run().is_ok());

    let (exit, messages) = stops(&with(OnDrift::Fail));
    assert_eq!(exit, Exit::Conflict);
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[2], "/Workspace/Shared/etl/c: was edited in the workspace since the last deploy [drift]");

    let plan = with(OnDrift::Overwrite);
    assert!(plan.backups.is_empty() && plan.may_run().is_ok());
    assert_eq!(
        drifted(&plan)[2],
        "c was edited in the workspace since the last deploy: it is deleted without a copy, by `ON_DRIFT: overwrite`"
    );
}

#[test]
fn an_edit_that_equals_the_new_content_is_none() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 2);
    let local = tree(&[("a", NOTEBOOK, 2)]);
    let plan = target.plan(Intent::Deploy, Policy { on_drift: OnDrift::Fail, ..BACKUP }, &local);
    assert!(plan.changes_nothing() && plan.may_run().is_ok() && plan.drifted.is_empty(), "{plan:#?}");
    assert_eq!(plan.kept.get(&path("a")).unwrap().digest, digest_of((2, 0)));
}

#[test]
fn a_moved_object_is_sent_anew_and_never_touched() {
    let mut target = Target::with(&[("d/a", NOTEBOOK, 1), ("d/b", NOTEBOOK, 1)]);
    let object = target.world.objects.remove(&path("d/a")).unwrap();
    target.world.objects.insert(path("d/mine"), object);
    let local = tree(&[("d/a", NOTEBOOK, 1), ("d/b", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(lines(&plan), ["+ d/a: was moved in the workspace"]);
    assert_eq!(
        drifted(&plan),
        [
            "d/a was moved in the workspace since the last deploy, to `/Workspace/Shared/etl/d/mine`: it stays there, and \
          is sent anew"
        ]
    );
    assert_eq!(left(&plan), ["d/mine was moved here in the workspace, and is not touched"]);
    let fail = target.plan(Intent::Deploy, Policy { on_drift: OnDrift::Fail, ..BACKUP }, &local);
    assert_eq!(stops(&fail).0, Exit::Conflict);
    // Where it is not wanted any more, there is nothing to do.
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("d/b", NOTEBOOK, 1)]));
    assert!(plan.changes_nothing() && plan.records_change);
}

#[test]
fn another_object_in_our_place_is_copied_before_it_is_overwritten() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.put("a", what_of(NOTEBOOK), 7);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("a", NOTEBOOK, 1)]));
    assert_eq!(
        drifted(&plan),
        ["a was replaced in the workspace since the last deploy: it is copied, then overwritten"]
    );
    // Of another kind it would have to be deleted, and it is not ours.
    target.put("a", What::File, 7);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("a", NOTEBOOK, 1)]));
    assert_eq!(
        stops(&plan).1,
        ["/Workspace/Shared/etl/a: is a file, which would have to be deleted for a local file, and is not what was \
          deployed from here [type-mismatch]"]
    );
}

#[test]
fn what_nobody_deployed_is_adopted_if_equal_and_in_the_way_if_not() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.put("same", what_of(NOTEBOOK), 1);
    target.put("other", what_of(NOTEBOOK), 7);
    target.put("unrelated", what_of(NOTEBOOK), 7);
    let local = tree(&[("a", NOTEBOOK, 1), ("same", NOTEBOOK, 1), ("other", NOTEBOOK, 1)]);
    assert_eq!(target.asked(&local), ["other", "same"]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(lines(&plan), ["= same: is there already, and belongs to this target from now on"]);
    assert_eq!(
        stops(&plan),
        (
            Exit::Conflict,
            vec![
                "/Workspace/Shared/etl/other: is in the way of a local file, and was never deployed from here \
                 [foreign-object]"
                    .to_owned()
            ]
        )
    );

    // Without a state nobody knows whose it is: treated as an edit.
    target.ours = Ours::default();
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert!(plan.may_run().is_ok());
    assert_eq!(
        drifted(&plan),
        ["other was there before, and no state tells who put it there: it is copied, then overwritten"]
    );
    assert_eq!(plan.adopted, [path("a"), path("same")]);
    assert_eq!(lines(&plan)[1], "~ other: was there before, with another content");
}

#[test]
fn what_cannot_be_copied_is_not_overwritten() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 7);
    target.object("a").opaque = true;
    let local = tree(&[("a", NOTEBOOK, 2)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert!(
        stops(&plan).1[0].ends_with(
            "a: looks changed in the workspace and cannot be copied: it is too large to be exported [drift]"
        )
    );
    let plan = target.plan(Intent::Deploy, Policy { on_drift: OnDrift::Overwrite, ..BACKUP }, &local);
    assert!(plan.may_run().is_ok());
    assert_eq!(plan.uploads.len(), 1);
}

#[test]
fn content_is_compared_in_the_form_of_what_was_sent_and_of_what_will_be() {
    let jupyter = Kind::JupyterNotebook(Language::Python);
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 1);
    let local = tree(&[("a", jupyter, 1)]);
    let remote = target.world.observe(&local, &target.ours);
    let inputs = target.inputs(&remote, &local);
    assert_eq!(suspects(&inputs)[0].compare_as, [NOTEBOOK, jupyter]);
    // As source it is what was deployed: no drift, and the new form is sent over it.
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(lines(&plan), ["~ a: changed"]);
    assert!(plan.drifted.is_empty());
    // Without any answer nothing is overwritten.
    assert!(compute(&inputs, &BTreeMap::new()).may_run().is_err());
    let empty = BTreeMap::from([(path("a"), Evidence::Content(BTreeSet::new()))]);
    assert!(compute(&inputs, &empty).may_run().is_err());
    let known = BTreeMap::from([(path("a"), Evidence::content(Digest::of(b"something else")))]);
    assert_eq!(compute(&inputs, &known).backups.len(), 1);
}

#[test]
fn a_language_that_somebody_chose_in_the_workspace_is_looked_at() {
    let local = tree(&[("a", NOTEBOOK, 1)]);
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    // Even if the service took it for no change of the object.
    target.object("a").what = what_of(Kind::SourceNotebook(Language::R));
    assert_eq!(target.asked(&local), ["a"]);
    assert_eq!(lines(&target.plan(Intent::Deploy, BACKUP, &local)), ["~ a: changed"]);
}

#[test]
fn the_outputs_in_a_file_in_the_place_of_a_notebook_are_what_somebody_wrote() {
    let mut target = Target::with(&[("a", Kind::JupyterNotebook(Language::Python), 1)]);
    target.remove("a");
    target.put("a", What::File, 1);
    target.object("a").content.1 = 7;
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("a", Kind::File, 2)]));
    assert_eq!(plan.backups.len(), 1, "{plan:#?}");
}
