//! Any local tree × any workspace × any state: what a plan does to the model, and what it never does.

mod checks;
mod scenario;

use super::model::*;
use crate::plan::*;
use crate::state::RelativePath;
use checks::{Made, Truth, check_json, check_plan_file, check_the_tree, check_what_was_touched, make, root};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use scenario::{Fate, Scenario, a_scenario, a_tree, edit, garble};
use std::collections::BTreeMap;

type Tree = BTreeMap<RelativePath, Local>;

/// How many cases a run of the tests takes; `PROPTEST_CASES` makes them more.
const CASES: u32 = 2_000;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), ..config }
}

/// Deploys, if it can be done, and gives what came of it.
struct Deployed {
    records: Option<Records>,
    world: World,
}

fn first_deploy(world: World, tree: &Tree) -> Result<Deployed, TestCaseError> {
    let policy = Policy { prune: Prune::Files, on_drift: OnDrift::Backup };
    let ours = Ours::default();
    let Made { plan, found } = make(&world, Intent::Deploy, policy, tree, &ours, &[]);
    if plan.may_run().is_err() {
        return Ok(Deployed { records: None, world });
    }
    let mut after = found.clone();
    let (copies, records) = after.apply(&plan).map_err(TestCaseError::fail)?;
    check_what_was_touched(&found, &after, &plan, tree, &ours, &Truth::default(), &copies)?;
    check_the_tree(&after, tree)?;
    Ok(Deployed { records: Some(records), world: after })
}

/// How far a scenario got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reached {
    AStop,
    SecondDeploy,
}

fn check_scenario(scenario: Scenario) -> Result<Reached, TestCaseError> {
    let Scenario { before, first, between, killed, fate, second, policy, vanishing } = scenario;
    let mut world = World::default();
    for one in &before {
        edit(&mut world, one);
    }
    let Deployed { records, mut world } = first_deploy(world, &first)?;
    let mut truth = records.as_ref().map(|records| Truth::of(&world, records)).unwrap_or_default();
    for one in &between {
        edit(&mut world, one);
    }
    let mut ours = Ours { known: records.is_some(), records: records.unwrap_or_default(), accepted: BTreeMap::new() };
    if let Some((tree, budget)) = &killed {
        let Made { plan, found } = make(&world, Intent::Deploy, policy, tree, &ours, &[]);
        if plan.may_run().is_ok() {
            let (copies, _) = world.follow(&plan, *budget).map_err(TestCaseError::fail)?;
            check_what_was_touched(&found, &world, &plan, tree, &ours, &truth, &copies)?;
            for Upload { path, local, .. } in plan.uploads {
                if let Some(object) = world.objects.get(&path).filter(|now| found.objects.get(&path) != Some(*now)) {
                    truth.0.insert(path.clone(), object.clone());
                }
                ours.accepted.insert(path, vec![local.intended()]);
            }
        }
    }
    match &fate {
        Fate::Kept => {}
        Fate::Lost => ours = Ours::default(),
        Fate::Garbled(all) => {
            for (stamp, one) in (0..).zip(all) {
                garble(&mut ours.records, one, stamp);
            }
        }
    }

    // The second deploy.
    let Made { plan, found } = make(&world, Intent::Deploy, policy, &second, &ours, &vanishing);
    check_plan_file(&plan)?;
    let Ok(()) = plan.may_run() else { return Ok(Reached::AStop) };
    let mut after = found.clone();
    let (copies, records) = after.apply(&plan).map_err(TestCaseError::fail)?;
    check_what_was_touched(&found, &after, &plan, &second, &ours, &truth, &copies)?;
    check_the_tree(&after, &second)?;
    check_json(&plan, &records)?;
    prop_assert!(second.keys().all(|at| records.contains_key(at)));
    for (at, record) in &records {
        let there = after.objects.get(at).map(|object| object.id);
        let unseen = plan.left_alone.iter().any(|one| one.path == *at);
        prop_assert!(there == Some(record.object_id) || unseen, "the record of {at} is not of what is there");
    }

    // Once more: there is nothing to do, and nothing to look at but what could not be looked at before.
    let truth = Truth::of(&after, &records);
    let ours = Ours { known: true, records, accepted: BTreeMap::new() };
    let Made { plan: again, .. } = make(&after, Intent::Deploy, policy, &second, &ours, &[]);
    prop_assert_eq!(&again.obstacles, &[]);
    prop_assert!(again.changes_nothing(), "{:#?}", again);
    prop_assert!(!again.records_change, "{:#?}", again);
    prop_assert_eq!(again.changes().count(), 0);
    prop_assert_eq!(again.untouched, second.len());
    let remote = after.observe(&second, &ours);
    let root = root();
    let inputs = Inputs { root: &root, intent: Intent::Deploy, policy, local: &second, remote: &remote, ours: &ours };
    for suspect in suspects(&inputs) {
        prop_assert!(again.left_alone.iter().any(|one| one.path == suspect.path), "{suspect:?}");
    }

    // And away with it.
    let Made { plan: destroy, found } = make(&after, Intent::Destroy, policy, &Tree::new(), &ours, &[]);
    let Ok(()) = destroy.may_run() else {
        prop_assert_eq!(policy.on_drift, OnDrift::Fail);
        return Ok(Reached::SecondDeploy);
    };
    let mut rest = found.clone();
    let (copies, records) = rest.apply(&destroy).map_err(TestCaseError::fail)?;
    check_what_was_touched(&found, &rest, &destroy, &Tree::new(), &ours, &truth, &copies)?;
    check_json(&destroy, &records)?;
    for (at, object) in &rest.objects {
        let told = destroy.left_alone.iter().any(|one| within(&one.path, at));
        let hidden = rest.is_hidden(at);
        if object.what != What::Folder {
            prop_assert!(told || hidden, "{at} is left and not named");
            prop_assert!(
                !truth.is_ours(at, object)
                    || object.opaque
                    || hidden
                    || ours.records.get(at).is_none_or(|record| record.object_id != object.id),
                "{at} is ours and left"
            );
        }
    }
    prop_assert_eq!(destroy.end == End::WriteState, !records.is_empty());
    Ok(Reached::SecondDeploy)
}

/// How far scenarios get; a planner that always stops would pass every check above.
#[test]
fn most_scenarios_reach_a_second_deploy() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = a_scenario();
    let mut reached = 0;
    for _ in 0..200 {
        let scenario = strategy.new_tree(&mut runner).unwrap().current();
        reached += usize::from(check_scenario(scenario).unwrap() == Reached::SecondDeploy);
    }
    assert!(reached >= 80, "only {reached} of 200 get to a second deploy");
}

proptest! {
    #![proptest_config(config())]

    /// Whatever people, other deploys and damaged records did: either the plan stops, or the target holds the tree, nothing
    /// else was touched, no edit is lost, a second plan is empty, and destroy leaves what was never ours.
    #[test]
    fn a_plan_gives_the_tree_and_touches_nothing_else(scenario in a_scenario()) {
        check_scenario(scenario)?;
    }

    /// Without anybody in between nothing stops a deploy, nothing is exported, and what did not change is not sent.
    #[test]
    fn undisturbed_deploys_send_the_difference_and_never_stop(
        first in a_tree(0..12), second in a_tree(1..12), prune in select(vec![Prune::Files, Prune::Force]),
        on_drift in select(vec![OnDrift::Backup, OnDrift::Fail, OnDrift::Overwrite]),
    ) {
        let Deployed { records, world } = first_deploy(World::default(), &first)?;
        let records = records.ok_or(TestCaseError::fail("the first deploy stops"))?;
        let ours = Ours { known: true, records, accepted: BTreeMap::new() };
        let policy = Policy { prune, on_drift };
        let remote = world.observe(&second, &ours);
        let root = root();
        let inputs = Inputs { root: &root, intent: Intent::Deploy, policy, local: &second, remote: &remote, ours: &ours };
        prop_assert_eq!(suspects(&inputs), vec![]);
        let plan = compute(&inputs, &BTreeMap::new());
        prop_assert_eq!(&plan.obstacles, &[]);
        let sent: Vec<&RelativePath> = plan.uploads.iter().map(|upload| &upload.path).collect();
        let different = |(at, file): &(&RelativePath, &Local)| {
            first.get(*at).is_none_or(|was| was.digest != file.digest || was.kind != file.kind)
        };
        let expected: Vec<&RelativePath> = second.iter().filter(different).map(|(at, _)| at).collect();
        prop_assert_eq!(sent, expected);
        let mut after = world.clone();
        let (copies, records) = after.apply(&plan).map_err(TestCaseError::fail)?;
        prop_assert!(copies.is_empty() && plan.drifted.is_empty());
        check_the_tree(&after, &second)?;
        // What is there is the tree and its folders, and nothing else.
        for (at, object) in &after.objects {
            if object.what == What::Folder {
                prop_assert!(second.keys().any(|path| path != at && within(at, path)), "{at} is left");
            } else {
                prop_assert!(second.contains_key(at), "{at} is left");
            }
        }
        prop_assert_eq!(records.len(), second.len());
    }
}
