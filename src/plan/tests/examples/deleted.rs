//! What is deleted: by prune or a destroy, and never by accident.

use super::{BACKUP, NOTEBOOK, Target, Tree, left, lines, stops, tree};
use crate::exit::Exit;
use crate::plan::tests::model::{What, local, path, what_of};
use crate::plan::*;
use crate::source::Kind;
use crate::state::RelativePath;

#[test]
fn prune_takes_ours_and_the_folders_that_this_empties() {
    let mut target =
        Target::with(&[("a/b/c/x", NOTEBOOK, 1), ("a/y", NOTEBOOK, 1), ("d/x", NOTEBOOK, 1), ("keep", NOTEBOOK, 1)]);
    target.put("d/mine", What::File, 1);
    let local = tree(&[("keep", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(
        lines(&plan),
        [
            "- a/: empty then",
            "- a/b/: empty then",
            "- a/b/c/: empty then",
            "- a/b/c/x: no longer in the local tree",
            "- a/y: no longer in the local tree",
            "- d/x: no longer in the local tree"
        ]
    );
    assert_eq!(plan.emptied, [path("a/b/c"), path("a/b"), path("a")]);

    let none = target.plan(Intent::Deploy, Policy { prune: Prune::None, ..BACKUP }, &local);
    assert!(none.changes_nothing() && !none.records_change);
    assert_eq!(none.left_alone.len(), 3);
    assert_eq!(left(&none)[0], "a/b/c/x is no longer in the local tree, and stays because of `PRUNE: none`");
    assert_eq!(none.kept.len(), 4);
}

#[test]
fn prune_leaves_what_is_not_the_object_that_we_deployed() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), ("c", NOTEBOOK, 1), ("keep", NOTEBOOK, 1)]);
    target.put("a", what_of(NOTEBOOK), 1);
    target.edit("b", 1);
    target.object("b").opaque = true;
    target.world.objects.remove(&path("c"));
    target.put("c/mine", What::File, 1);
    let local = tree(&[("keep", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert!(plan.changes_nothing() && plan.may_run().is_ok());
    assert_eq!(
        left(&plan),
        [
            "a is not the object that was deployed here, so it is not deleted",
            "b looks changed and cannot be copied, so it is not deleted: it is too large to be exported",
            "c is not the object that was deployed here, so it is not deleted"
        ]
    );
    // What may be looked at another day stays ours, the others do not.
    assert_eq!(plan.kept.keys().map(RelativePath::as_str).collect::<Vec<_>>(), ["b", "keep"]);
}

#[test]
fn an_empty_tree_is_a_mistake_and_not_a_wish() {
    let target = Target::with(&[("a", NOTEBOOK, 1)]);
    for prune in [Prune::None, Prune::Files, Prune::Force] {
        let plan = target.plan(Intent::Deploy, Policy { prune, ..BACKUP }, &Tree::new());
        let (exit, messages) = stops(&plan);
        assert_eq!(exit, Exit::Settings);
        assert_eq!(
            messages,
            [
                "LOCAL_PATH: no local file is left to deploy, and 1 object deployed earlier would be deleted [empty-tree]"
            ]
        );
    }
    assert!(Target::new().plan(Intent::Deploy, BACKUP, &Tree::new()).may_run().is_ok());
}

#[test]
fn more_than_half_of_more_than_twenty_is_not_deleted_by_accident() {
    let names: Vec<String> = (0..22).map(|index| format!("d/{index:02}")).collect();
    let files = |range: std::ops::Range<usize>| -> Vec<(&str, Kind, u8)> {
        names.get(range).unwrap().iter().map(|name| (name.as_str(), Kind::File, 1)).collect()
    };
    let plan = |deployed: usize, kept: usize, prune| {
        let target = Target::with(&files(0..deployed));
        target.plan(Intent::Deploy, Policy { prune, ..BACKUP }, &tree(&files(0..kept)))
    };
    let (exit, messages) = stops(&plan(22, 10, Prune::Files));
    assert_eq!(exit, Exit::Conflict);
    assert_eq!(
        messages,
        ["PRUNE: 12 of the 22 objects deployed earlier would be deleted, which is more than half [prune-guard]"]
    );
    for (deployed, kept, prune) in
        [(22, 11, Prune::Files), (22, 10, Prune::Force), (22, 10, Prune::None), (20, 1, Prune::Files)]
    {
        assert!(plan(deployed, kept, prune).may_run().is_ok(), "{deployed} {kept} {prune:?}");
    }
    assert!(plan(21, 10, Prune::Files).may_run().is_err());
    // A folder that goes counts too, a destroy is not bound.
    let target = Target::with(&files(0..22));
    let gone = target.plan(Intent::Deploy, BACKUP, &tree(&[("d", Kind::File, 1)]));
    assert_eq!(gone.obstacles, [Obstacle::TooManyDeletions { deleting: 22, recorded: 22 }]);
    assert!(target.plan(Intent::Destroy, BACKUP, &Tree::new()).may_run().is_ok());
}

#[test]
fn destroy_takes_ours_and_names_the_rest() {
    let mut target = Target::with(&[("a/x", NOTEBOOK, 1), ("b/y", NOTEBOOK, 1), ("top", Kind::File, 1)]);
    let plan = target.plan(Intent::Destroy, BACKUP, &Tree::new());
    assert_eq!(plan.end, End::RemoveRecords { then_root: true });
    assert_eq!(plan.emptied, [path("b"), path("a")]);
    assert!(!plan.changes_nothing());

    target.edit("a/x", 7);
    target.put("b/mine", What::File, 1);
    target.put("theirs/deep/z", What::File, 1);
    let plan = target.plan(Intent::Destroy, BACKUP, &Tree::new());
    assert_eq!(
        lines(&plan),
        [
            "- a/: empty then",
            "- a/x: everything deployed from here goes",
            "- b/y: everything deployed from here goes",
            "- top: everything deployed from here goes"
        ]
    );
    assert_eq!(
        left(&plan),
        [
            "b/mine was never deployed from here, so it is not deleted",
            "theirs was never deployed from here, so it is not deleted"
        ]
    );
    assert_eq!(plan.backups.len(), 1);
    assert_eq!(plan.end, End::RemoveRecords { then_root: false });

    // What could not be looked at stays ours, so the state stays.
    target.object("a/x").opaque = true;
    let plan = target.plan(Intent::Destroy, BACKUP, &Tree::new());
    assert_eq!(plan.end, End::WriteState);
    assert!(plan.kept.contains_key(&path("a/x")) && plan.emptied.is_empty());
}

#[test]
fn another_object_with_the_recorded_content_is_not_ours_to_delete() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), ("keep", NOTEBOOK, 1)]);
    for at in ["a", "b"] {
        target.put(at, what_of(NOTEBOOK), 1);
        target.ours.accepted.insert(path(at), vec![local(NOTEBOOK, (2, 0)).intended()]);
    }
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("b", Kind::File, 1), ("keep", NOTEBOOK, 1)]));
    assert_eq!(left(&plan), ["a is not the object that was deployed here, so it is not deleted"]);
    assert_eq!(stops(&plan).1.len(), 1);
    assert!(plan.deletions.is_empty() && plan.replaced.is_empty());
}
