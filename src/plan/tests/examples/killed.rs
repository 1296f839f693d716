//! What a deploy that did not end was about to write.

use super::{BACKUP, NOTEBOOK, Target, Tree, left, lines, stops, tree};
use crate::plan::tests::model::{What, digest_of, local, path, what_of};
use crate::plan::*;
use crate::source::{Kind, Language};

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

#[test]
fn what_a_killed_deploy_has_sent_counts_as_deployed_where_much_is_deleted() {
    let names: Vec<String> = (0..60).map(|index| format!("d/{index:02}")).collect();
    let files = |range: std::ops::Range<usize>| -> Vec<(&str, Kind, u8)> {
        names[range].iter().map(|name| (name.as_str(), Kind::File, 1)).collect()
    };
    // So many were deployed, and so many more sent by a deploy that did not end, of so many that it was about to send.
    let killed = |deployed: usize, sent: usize, intended: usize| {
        let mut target = Target::with(&files(0..deployed));
        for name in &names[deployed..deployed + intended] {
            target.ours.accepted.insert(path(name), vec![local(Kind::File, (1, 0)).intended()]);
        }
        names[deployed..deployed + sent].iter().for_each(|name| target.put(name, What::File, 1));
        target
    };
    // The commit before it, again: as if it had ended.
    let plan = killed(21, 15, 15).plan(Intent::Deploy, BACKUP, &tree(&files(0..21)));
    assert!(plan.may_run().is_ok(), "{:?}", plan.obstacles);
    assert_eq!(plan.deletions.len(), 15);
    let plan = killed(10, 12, 12).plan(Intent::Deploy, BACKUP, &tree(&files(0..10)));
    assert_eq!(plan.obstacles, [Obstacle::TooManyDeletions { deleting: 12, recorded: 22 }]);
    // What it did not come to send was never deployed.
    let plan = killed(21, 0, 30).plan(Intent::Deploy, BACKUP, &tree(&files(0..10)));
    assert_eq!(plan.obstacles, [Obstacle::TooManyDeletions { deleting: 11, recorded: 21 }]);
    let plan = killed(0, 3, 5).plan(Intent::Deploy, BACKUP, &Tree::new());
    assert_eq!(plan.obstacles, [Obstacle::NothingLeft { recorded: 3 }]);
}

#[test]
fn what_a_killed_deploy_has_sent_is_not_deleted_where_nothing_is_to_be() {
    let mut target = Target::with(&[("keep", NOTEBOOK, 1), ("a/x", Kind::File, 1)]);
    target.put("a/new", What::File, 2);
    target.ours.accepted.insert(path("a/new"), vec![local(Kind::File, (2, 0)).intended()]);
    let none = Policy { prune: Prune::None, ..BACKUP };
    let plan = target.plan(Intent::Deploy, none, &tree(&[("keep", NOTEBOOK, 1), ("a", Kind::File, 1)]));
    let (_, messages) = stops(&plan);
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().all(|message| message.contains("stays because of `PRUNE: none`")), "{messages:?}");
}

#[test]
fn what_a_killed_deploy_was_about_to_write_is_looked_at_even_where_no_time_is_told() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 2);
    target.ours.accepted.insert(path("a"), vec![local(NOTEBOOK, (2, 0)).intended()]);
    target.ours.records.values_mut().for_each(|record| record.modified_at = None);
    let local = tree(&[("a", NOTEBOOK, 1)]);
    let mut remote = target.world.observe(&local, &target.ours);
    remote.objects.values_mut().for_each(|seen| seen.modified_at = None);
    let inputs = target.inputs(&remote, &local);
    let plan = compute(&inputs, &target.world.evidence(&suspects(&inputs)));
    assert_eq!(lines(&plan), ["~ a: changed"]);
}

#[test]
fn where_nothing_is_deleted_what_a_killed_deploy_has_sent_stays_ours_as_what_it_is() {
    let mut target = Target::with(&[("keep", NOTEBOOK, 1), ("a", Kind::File, 1)]);
    target.edit("a", 2);
    target.put("new", what_of(NOTEBOOK), 2);
    target.ours.accepted.insert(path("a"), vec![local(Kind::File, (2, 0)).intended()]);
    target.ours.accepted.insert(path("new"), vec![local(NOTEBOOK, (2, 0)).intended()]);
    let none = Policy { prune: Prune::None, ..BACKUP };
    let plan = target.plan(Intent::Deploy, none, &tree(&[("keep", NOTEBOOK, 1)]));
    assert_eq!(
        left(&plan),
        ["a", "new"].map(|at| format!("{at} is no longer in the local tree, and stays because of `PRUNE: none`"))
    );
    assert!(["a", "new"].iter().all(|at| plan.kept[&path(at)].digest == digest_of((2, 0))), "{:?}", plan.kept);
}

#[test]
fn a_notebook_of_another_language_is_not_what_a_killed_deploy_has_sent() {
    // Somebody's, with the very content that it was about to write over it.
    let mut target = Target::with(&[("keep", NOTEBOOK, 1)]);
    target.put("a", what_of(Kind::SourceNotebook(Language::R)), 2);
    target.ours.accepted.insert(path("a"), vec![local(NOTEBOOK, (2, 0)).intended()]);
    for prune in [Prune::Files, Prune::None] {
        let policy = Policy { prune, ..BACKUP };
        let plan = target.plan(Intent::Deploy, policy, &tree(&[("keep", NOTEBOOK, 1), ("a", Kind::File, 1)]));
        assert_eq!(stops(&plan).1.len(), 1, "{prune:?}");
        let plan = target.plan(Intent::Deploy, policy, &tree(&[("keep", NOTEBOOK, 1)]));
        assert_eq!(left(&plan), ["a is not the object that was deployed here, so it is not deleted"], "{prune:?}");
        assert!(plan.changes_nothing() && !plan.kept.contains_key(&path("a")), "{prune:?}");
    }
}
