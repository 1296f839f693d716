//! What is sent, and what must be there then.

use super::{BACKUP, NOTEBOOK, Target, left, lines, root, stops, tree};
use crate::exit::Exit;
use crate::plan::tests::model::path;
use crate::plan::*;
use crate::settings::WorkspacePath;
use crate::source::{Kind, Language};
use crate::state::RelativePath;
use std::collections::BTreeMap;

#[test]
fn a_first_deploy_makes_the_deepest_folders_and_sends_everything() {
    let local =
        tree(&[("a/b/x", Kind::File, 1), ("a/y", NOTEBOOK, 2), ("a-b/z", Kind::Dashboard, 3), ("top", NOTEBOOK, 4)]);
    let plan = Target::new().plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(
        lines(&plan),
        [
            "+ a-b/: new folder",
            "+ a-b/z: new dashboard",
            "+ a/b/: new folder",
            "+ a/b/x: new file",
            "+ a/y: new notebook",
            "+ top: new notebook"
        ]
    );
    let counts = plan.counts();
    assert_eq!((counts.created, counts.folders_made, counts.bytes), (4, 2, 410));
    let verify: Vec<&str> = plan.verify.iter().map(WorkspacePath::as_str).collect();
    assert_eq!(
        verify,
        ["/Workspace/Shared/etl", "/Workspace/Shared/etl/a", "/Workspace/Shared/etl/a-b", "/Workspace/Shared/etl/a/b"]
    );
    assert_eq!(plan.at(&path("a/y")).as_str(), "/Workspace/Shared/etl/a/y");

    let flat = Target::new().plan(Intent::Deploy, BACKUP, &tree(&[("x", Kind::File, 1)]));
    assert_eq!(flat.folders, [root()]);
}

#[test]
fn a_redeploy_sends_what_changed_and_puts_back_what_was_deleted() {
    let mut target = Target::with(&[("d/a", NOTEBOOK, 1), ("d/b", NOTEBOOK, 1), ("d/c", Kind::File, 1)]);
    target.remove("d/c");
    let local = tree(&[("d/a", NOTEBOOK, 1), ("d/b", NOTEBOOK, 2), ("d/c", Kind::File, 1), ("d/e/f", NOTEBOOK, 1)]);
    assert_eq!(target.asked(&local), Vec::<String>::new());
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    assert_eq!(
        lines(&plan),
        ["~ d/b: changed", "+ d/c: is no longer in the workspace", "+ d/e/: new folder", "+ d/e/f: new notebook"]
    );
    assert_eq!(plan.untouched, 1);
}

#[test]
fn a_language_is_a_change_though_no_byte_is() {
    let target = Target::with(&[("a", NOTEBOOK, 1)]);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("a", Kind::SourceNotebook(Language::R), 1)]));
    assert_eq!(lines(&plan), ["~ a: changed"]);
}

#[test]
fn what_was_sent_must_be_there_as_it_was_sent() {
    let local = tree(&[("a", NOTEBOOK, 1), ("b", Kind::File, 1), ("c", Kind::File, 1), ("d", NOTEBOOK, 1)]);
    let target = Target::new();
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    let mut after = target.world;
    after.apply(&plan).unwrap();
    let mut listing: BTreeMap<RelativePath, Seen> =
        after.objects.iter().map(|(at, object)| (at.clone(), object.seen())).collect();
    assert_eq!(plan.next_files(&listing).unwrap().len(), 4);
    listing.remove(&path("a"));
    listing.get_mut(&path("b")).unwrap().size = Some(7);
    listing.get_mut(&path("c")).unwrap().kind = SeenKind::Notebook(None);
    listing.get_mut(&path("d")).unwrap().kind = SeenKind::Notebook(Some(Language::Scala));
    let told: Vec<String> =
        plan.next_files(&listing).unwrap_err().into_iter().map(|one| format!("{} {}", one.path, one.what)).collect();
    assert_eq!(
        told,
        [
            "a was sent, and is not there",
            "b has 7 bytes, and 101 were sent",
            "c is a notebook now",
            "d has another language than it was sent with"
        ]
    );
}

#[test]
fn folders_to_list_are_those_of_the_tree_and_of_the_records() {
    let target = Target::with(&[("old/deep/x", NOTEBOOK, 1)]);
    let folders = folders_to_list(&tree(&[("new/y", NOTEBOOK, 1), ("top", NOTEBOOK, 1)]), &target.ours);
    assert_eq!(folders.iter().map(RelativePath::as_str).collect::<Vec<_>>(), ["new", "old", "old/deep"]);
}

#[test]
fn a_folder_that_cannot_be_seen_stops_what_needs_it_and_keeps_what_is_in_it() {
    let mut target = Target::with(&[("a/x", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    let id = target.object("a").id;
    target.world.hidden.insert(id);
    let (exit, messages) = stops(&target.plan(Intent::Deploy, BACKUP, &tree(&[("a/x", NOTEBOOK, 1)])));
    assert_eq!(exit, Exit::Conflict);
    assert_eq!(
        messages,
        ["/Workspace/Shared/etl/a: is a folder that the local tree needs, and what is in it cannot be seen \
          [permission-denied]"]
    );
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("b", NOTEBOOK, 1)]));
    assert_eq!(left(&plan), ["a/x lies in a folder whose content cannot be seen"]);
    assert!(plan.kept.contains_key(&path("a/x")) && plan.changes_nothing());
}

#[test]
fn an_object_from_a_hidden_folder_that_is_seen_elsewhere_has_one_record() {
    let mut target = Target::with(&[("a/x", NOTEBOOK, 1), ("a/y", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    let object = target.world.objects.remove(&path("a/x")).unwrap();
    target.world.objects.insert(path("x"), object);
    let id = target.object("a").id;
    target.world.hidden.insert(id);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("x", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]));
    assert_eq!(plan.adopted, [path("x")]);
    assert_eq!(plan.kept.keys().map(RelativePath::as_str).collect::<Vec<_>>(), ["a/y", "b", "x"]);
    assert!(plan.emptied.is_empty(), "what is in the folder is not known");
}
