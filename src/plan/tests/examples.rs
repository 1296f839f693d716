//! Each rule once, by name.

use super::model::*;
use crate::exit::Exit;
use crate::plan::*;
use crate::settings::WorkspacePath;
use crate::source::{Kind, Language};
use crate::state::{Digest, RelativePath};
use std::collections::{BTreeMap, BTreeSet};

type Tree = BTreeMap<RelativePath, Local>;

pub(super) const NOTEBOOK: Kind = Kind::SourceNotebook(Language::Python);
pub(super) const BACKUP: Policy = Policy { prune: Prune::Files, on_drift: OnDrift::Backup };

pub(super) fn tree(files: &[(&str, Kind, u8)]) -> Tree {
    files.iter().map(|(at, kind, content)| (path(at), local(*kind, (*content, 0)))).collect()
}

/// A workspace, and what earlier deploys say of it.
pub(super) struct Target {
    pub(super) world: World,
    pub(super) ours: Ours,
}

impl Target {
    pub(super) fn new() -> Target {
        Target { world: World::default(), ours: Ours::default() }
    }

    pub(super) fn with(files: &[(&str, Kind, u8)]) -> Target {
        let mut target = Target::new();
        target.deploy(&tree(files));
        target
    }

    fn deploy(&mut self, local: &Tree) {
        let plan = self.plan(Intent::Deploy, BACKUP, local);
        let (_, records) = self.world.apply(&plan).unwrap();
        self.ours = Ours { known: true, records, accepted: BTreeMap::new() };
    }

    fn asked(&self, local: &Tree) -> Vec<String> {
        let remote = self.world.observe(local, &self.ours);
        let root = root();
        let inputs =
            Inputs { root: &root, intent: Intent::Deploy, policy: BACKUP, local, remote: &remote, ours: &self.ours };
        suspects(&inputs).into_iter().map(|suspect| suspect.path.to_string()).collect()
    }

    pub(super) fn plan(&self, intent: Intent, policy: Policy, local: &Tree) -> Plan {
        let remote = self.world.observe(local, &self.ours);
        let root = root();
        let inputs = Inputs { root: &root, intent, policy, local, remote: &remote, ours: &self.ours };
        compute(&inputs, &self.world.evidence(&suspects(&inputs)))
    }

    fn object(&mut self, at: &str) -> &mut Object {
        self.world.objects.get_mut(&path(at)).unwrap()
    }

    pub(super) fn edit(&mut self, at: &str, content: u8) {
        let now = self.world.tick();
        let object = self.object(at);
        (object.content, object.modified_at) = ((content, 0), now);
    }

    fn put(&mut self, at: &str, what: What, content: u8) {
        self.world.mkdirs(path(at).parent().as_ref()).unwrap();
        self.world.put(&path(at), what, (content, 0));
    }

    fn remove(&mut self, at: &str) {
        self.world.objects.remove(&path(at)).unwrap();
    }
}

fn root() -> WorkspacePath {
    WorkspacePath::parse("/Shared/etl").unwrap()
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.changes().map(|change| format!("{} {}: {}", change.sign.symbol(), change.path, change.reason)).collect()
}

fn left(plan: &Plan) -> Vec<String> {
    plan.left_alone.iter().map(|one| format!("{} {}", one.path, one.in_words())).collect()
}

fn drifted(plan: &Plan) -> Vec<String> {
    plan.drifted.iter().map(|one| format!("{} {}", one.path, one.in_words(&plan.root))).collect()
}

/// The exit code and the messages of a plan that may not be carried out.
fn stops(plan: &Plan) -> (Exit, Vec<String>) {
    let stop = plan.may_run().unwrap_err();
    assert!(stop.problems.iter().all(|problem| problem.hint.is_some()));
    (stop.exit, stop.problems.iter().map(ToString::to_string).collect())
}

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
        ["~ d/b: changed", "+ d/c: was deleted in the workspace", "+ d/e/: new folder", "+ d/e/f: new notebook"]
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
fn where_the_service_tells_no_time_only_what_is_touched_is_looked_at() {
    let local = tree(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 2)]);
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    let mut remote = target.world.observe(&local, &target.ours);
    remote.objects.values_mut().for_each(|seen| seen.modified_at = None);
    target.ours.records.values_mut().for_each(|record| record.modified_at = None);
    let root = root();
    let inputs = Inputs {
        root: &root,
        intent: Intent::Deploy,
        policy: BACKUP,
        local: &local,
        remote: &remote,
        ours: &target.ours,
    };
    let asked: Vec<RelativePath> = suspects(&inputs).into_iter().map(|suspect| suspect.path).collect();
    assert_eq!(asked, [path("b")]);
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
fn content_is_compared_in_the_form_of_what_was_sent_and_of_what_will_be() {
    let jupyter = Kind::JupyterNotebook(Language::Python);
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 1);
    let local = tree(&[("a", jupyter, 1)]);
    let remote = target.world.observe(&local, &target.ours);
    let root = root();
    let inputs = Inputs {
        root: &root,
        intent: Intent::Deploy,
        policy: BACKUP,
        local: &local,
        remote: &remote,
        ours: &target.ours,
    };
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
fn folders_to_list_are_those_of_the_tree_and_of_the_records() {
    let target = Target::with(&[("old/deep/x", NOTEBOOK, 1)]);
    let folders = folders_to_list(&tree(&[("new/y", NOTEBOOK, 1), ("top", NOTEBOOK, 1)]), &target.ours);
    assert_eq!(folders.iter().map(RelativePath::as_str).collect::<Vec<_>>(), ["new", "old", "old/deep"]);
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
fn an_object_from_a_hidden_folder_that_is_seen_elsewhere_has_one_record() {
    let mut target = Target::with(&[("a/x", NOTEBOOK, 1), ("a/y", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]);
    let object = target.world.objects.remove(&path("a/x")).unwrap();
    target.world.objects.insert(path("x"), object);
    let id = target.object("a").id;
    target.world.hidden.insert(id);
    let plan = target.plan(Intent::Deploy, BACKUP, &tree(&[("x", NOTEBOOK, 1), ("b", NOTEBOOK, 1)]));
    assert_eq!(plan.adopted, [path("x")]);
    assert_eq!(plan.kept.keys().map(RelativePath::as_str).collect::<Vec<_>>(), ["a/y", "b", "x"]);
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
