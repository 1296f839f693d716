//! An object of one kind in the place of another.

use super::{BACKUP, NOTEBOOK, Target, lines, stops, tree};
use crate::plan::tests::model::{What, path};
use crate::plan::*;
use crate::source::Kind;

#[test]
fn a_kind_that_changed_is_deleted_and_sent_anew() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", Kind::File, 1)]);
    let local = tree(&[("a", Kind::File, 1), ("b", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, Policy { prune: Prune::None, ..BACKUP }, &local);
    assert_eq!(lines(&plan), ["~ a: a notebook becomes a file", "~ b: a file becomes a notebook"]);
    assert_eq!((plan.counts().changed, plan.counts().deleted), (2, 0));
    assert_eq!(plan.replaced.len(), 2);
    target.edit("a", 7);
    assert_eq!(target.plan(Intent::Deploy, BACKUP, &local).backups.len(), 1);
    // A library is never ours.
    target.put("a", What::Other, 1);
    assert!(stops(&target.plan(Intent::Deploy, BACKUP, &local)).1[0].contains("is an object of type LIBRARY"));
}

#[test]
fn what_the_service_calls_by_its_own_word_stays_ours() {
    let mut target = Target::with(&[("x.designer.ipynb", Kind::File, 1)]);
    target.object("x.designer.ipynb").what = What::Other;
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("x.designer.ipynb", Kind::File, 2)]));
    assert_eq!(lines(&plan), ["~ x.designer.ipynb: changed"]);
}

#[test]
fn a_file_gives_way_to_a_folder() {
    let mut target = Target::with(&[("a", Kind::File, 1)]);
    let local = tree(&[("a/x/y", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, Policy { prune: Prune::None, ..BACKUP }, &local);
    assert_eq!(lines(&plan), ["- a: a folder takes its place", "+ a/x/: new folder", "+ a/x/y: new notebook"]);
    target.deploy(&local);
    assert!(target.plan(Intent::Deploy, BACKUP, &local).changes_nothing());

    let mut foreign = Target::with(&[("b", Kind::File, 1)]);
    foreign.put("a", What::File, 1);
    assert!(
        stops(&foreign.plan(Intent::Deploy, BACKUP, &local)).1[0].starts_with("/Workspace/Shared/etl/a: is a file")
    );
}

#[test]
fn a_folder_of_ours_gives_way_to_a_file_and_no_other_does() {
    let mut target = Target::with(&[("a/x", Kind::File, 1), ("a/b/y", Kind::File, 1)]);
    let local = tree(&[("a", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(
        lines(&plan),
        [
            "~ a: a folder becomes a notebook",
            "- a/: a file takes its place",
            "- a/b/: a file takes its place",
            "- a/b/y: a file takes the place of its folder",
            "- a/x: a file takes the place of its folder"
        ]
    );
    assert_eq!(plan.replaced_folders, [path("a/b"), path("a")]);

    let kept = target.plan(Intent::Deploy, Policy { prune: Prune::None, ..BACKUP }, &local);
    let (_, messages) = stops(&kept);
    assert_eq!(messages.len(), 2);
    assert!(
        messages[0].ends_with(
            "a/b/y: stays because of `PRUNE: none`, and lies where the local file of `a` goes [type-mismatch]"
        )
    );

    target.put("a/b/mine", What::File, 1);
    target.put("a/mine/z", What::File, 1);
    let (_, messages) = stops(&target.plan(Intent::Deploy, BACKUP, &local));
    let named: Vec<&str> = messages.iter().map(|message| message.split(':').next().unwrap()).collect();
    assert_eq!(named, ["/Workspace/Shared/etl/a/b/mine", "/Workspace/Shared/etl/a/mine"]);
    assert!(messages.iter().all(|message| message.ends_with("[foreign-object]")), "{messages:?}");

    let mut foreign = Target::with(&[("b", Kind::File, 1)]);
    foreign.put("a/z", What::File, 1);
    assert!(stops(&foreign.plan(Intent::Deploy, BACKUP, &local)).1[0].contains("a: is a folder, which would have"));
}
