//! A plan made on the model of the workspace, and what carrying it out may not have done.

use super::Tree;
use crate::plan::tests::model::*;
use crate::plan::*;
use crate::settings::WorkspacePath;
use crate::state::{DeployedBy, Found, Owner, RelativePath, State};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn root() -> WorkspacePath {
    WorkspacePath::parse("/Shared/etl").unwrap()
}

fn owner() -> Owner {
    Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
}

/// What is really ours, whatever a state says: the objects that our deploys left behind, and what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth(pub(super) BTreeMap<RelativePath, Object>);

impl Truth {
    pub(super) fn of(world: &World, records: &Records) -> Truth {
        let there = records.keys().filter_map(|at| Some((at.clone(), world.objects.get(at)?.clone())));
        Truth(there.collect())
    }

    pub(super) fn is_ours(&self, at: &RelativePath, object: &Object) -> bool {
        self.0.get(at).is_some_and(|ours| ours.id == object.id)
    }

    /// Whether nobody would miss the content of `object`.
    fn is_unedited(&self, at: &RelativePath, object: &Object) -> bool {
        // A Jupyter notebook's outputs are nobody's work.
        let same = |ours: &Object| match (ours.what, object.what) {
            (What::Notebook { jupyter: true, .. }, What::Notebook { jupyter: true, .. }) => {
                ours.content.0 == object.content.0
            }
            _ => ours.content == object.content,
        };
        self.0.get(at).is_some_and(same)
    }
}

pub(super) struct Made {
    pub(super) plan: Plan,
    /// The workspace as the plan found it: some suspects have gone away meanwhile.
    pub(super) found: World,
}

pub(super) fn make(
    world: &World,
    intent: Intent,
    policy: Policy,
    local: &Tree,
    ours: &Ours,
    vanishing: &[bool],
) -> Made {
    let nothing = Tree::new();
    let listed = if intent == Intent::Deploy { local } else { &nothing };
    let remote = world.observe(listed, ours);
    let root = root();
    let inputs = Inputs { root: &root, intent, policy, local, remote: &remote, ours };
    let suspects = suspects(&inputs);
    let mut found = world.clone();
    for (suspect, vanishes) in suspects.iter().zip(vanishing) {
        if *vanishes {
            found.delete(&suspect.path).unwrap();
        }
    }
    let plan = compute(&inputs, &found.evidence(&suspects));
    // Nothing was asked for that was not announced.
    let left = plan.left_alone.iter().map(|one| format!("{:?}", one.because));
    let drifted = plan.drifted.iter().map(|one| format!("{:?}", one.how));
    let obstacles = plan.obstacles.iter().map(|one| format!("{one:?}"));
    assert!(!left.chain(drifted).chain(obstacles).any(|said| said.contains("was not looked at")), "{plan:#?}");
    assert!(suspects.iter().all(|suspect| !suspect.compare_as.is_empty()));
    Made { plan, found }
}

/// What may not have happened between two moments.
pub(super) fn check_what_was_touched(
    before: &World,
    after: &World,
    plan: &Plan,
    local: &Tree,
    ours: &Ours,
    truth: &Truth,
    copies: &BTreeMap<RelativePath, Content>,
) -> Result<(), TestCaseError> {
    let claimed: BTreeSet<&RelativePath> = ours.records.keys().chain(ours.accepted.keys()).collect();
    let holds_records = |folder: &RelativePath| claimed.iter().any(|path| *path != folder && within(folder, path));
    // What a killed deploy was about to write is no edit, whoever wrote it.
    let is_accepted = |at: &RelativePath, object: &Object| {
        let mut accepted = ours.accepted.get(at).into_iter().flatten();
        accepted.any(|one| object.exported_as(one.kind) == one.fingerprint)
    };
    for (at, object) in &before.objects {
        if after.objects.get(at) == Some(object) {
            continue;
        }
        if object.what == What::Folder {
            prop_assert!(holds_records(at), "the folder {at} is not ours and went");
            continue;
        }
        let safe = truth.is_unedited(at, object)
            || is_accepted(at, object)
            || copies.get(at) == Some(&object.content)
            || plan.policy.on_drift == OnDrift::Overwrite
            || local.get(at).is_some_and(|local| object.exported_as(local.kind) == local.fingerprint);
        prop_assert!(safe, "what somebody wrote to {at} is lost: {object:?}");
        let same_object = after.objects.get(at).is_some_and(|now| now.id == object.id);
        if same_object {
            prop_assert!(local.contains_key(at), "{at} was overwritten by nothing");
            // Overwritten: at a place that was deployed to before, or where nobody can know.
            prop_assert!(claimed.contains(&at) || !ours.known, "{at} was never ours and is overwritten");
        } else {
            prop_assert!(truth.is_ours(at, object), "{at} is not ours and was deleted: {object:?}");
        }
    }
    for (at, object) in &after.objects {
        let new = before.objects.get(at).is_none_or(|was| was.id != object.id);
        if new && object.what == What::Folder {
            prop_assert!(local.keys().any(|path| path != at && within(at, path)), "nobody needs the folder {at}");
        } else if new {
            prop_assert!(local.contains_key(at), "{at} came from nowhere");
        }
    }
    Ok(())
}

pub(super) fn check_the_tree(world: &World, local: &Tree) -> Result<(), TestCaseError> {
    for (at, local) in local {
        let Some(object) = world.objects.get(at) else { return Err(TestCaseError::fail(format!("{at} is missing"))) };
        prop_assert_eq!(object.exported_as(local.kind), local.fingerprint, "{} has another content", at);
        let fits = match (object.what, what_of(local.kind)) {
            (What::Notebook { language: one, .. }, What::Notebook { language: two, jupyter }) => one == two || jupyter,
            (one, two) => one == two,
        };
        prop_assert!(fits, "{at} is {:?} and should be {:?}", object.what, local.kind);
    }
    Ok(())
}

pub(super) fn check_json(plan: &Plan, records: &Records) -> Result<(), TestCaseError> {
    let state = State::new(owner()).succeeded_by(DeployedBy::default(), records.clone(), 1);
    let text = state.to_json();
    prop_assert_eq!(State::read(text.as_bytes(), &owner()), Found::Ours(Box::new(state)));
    check_plan_file(plan)
}

pub(super) fn check_plan_file(plan: &Plan) -> Result<(), TestCaseError> {
    let file = PlanFile::of(plan, &owner(), "0.1.0");
    let read = PlanFile::read(file.to_json().as_bytes());
    prop_assert_eq!(read.as_ref(), Ok(&file));
    prop_assert_eq!(file.still_holds(&PlanFile::of(plan, &owner(), "0.2.0")), Ok(()));
    Ok(())
}
