//! Any local tree × any workspace × any state: what a plan does to the model, and what it never does.

use super::model::*;
use crate::plan::*;
use crate::settings::WorkspacePath;
use crate::source::{Kind, Language};
use crate::state::{DeployedBy, Digest, FileRecord, Found, Owner, RelativePath, State};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use std::collections::{BTreeMap, BTreeSet};

type Tree = BTreeMap<RelativePath, Local>;

/// How many cases a run of the tests takes; `PROPTEST_CASES` makes them more.
const CASES: u32 = 2_000;

fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig { cases: config.cases.max(CASES), ..config }
}

/// What people do in the workspace.
#[derive(Clone, Debug)]
enum Edit {
    Put(RelativePath, What, Content),
    Write(Index, Content),
    Touch(Index),
    Delete(Index),
    Move(Index, RelativePath),
    Convert(Index, What),
    Folder(RelativePath),
    Lock(Index),
    Hide(Index),
}

/// What becomes of the state between two deploys.
#[derive(Clone, Debug)]
enum Fate {
    Kept,
    Lost,
    /// Records that say what is not so.
    Garbled(Vec<Garble>),
}

#[derive(Clone, Debug)]
enum Garble {
    Id(Index),
    Time(Index),
    Digest(Index),
    Kind(Index, Kind),
    Invented(RelativePath, Kind),
    Forgotten(Index),
}

#[derive(Clone, Debug)]
struct Scenario {
    before: Vec<Edit>,
    first: Tree,
    between: Vec<Edit>,
    /// A deploy of this tree that is killed after so many changes.
    killed: Option<(Tree, usize)>,
    fate: Fate,
    second: Tree,
    policy: Policy,
    /// Which of the suspects go away before they are looked at.
    vanishing: Vec<bool>,
}

fn a_path() -> impl Strategy<Value = RelativePath> {
    // `-` sorts before `/`, which is what makes prefixes treacherous.
    proptest::collection::vec(select(vec!["a", "b", "a-"]), 1..4).prop_map(|names| path(&names.join("/")))
}

fn a_language() -> impl Strategy<Value = Language> {
    select(vec![Language::Python, Language::R])
}

fn a_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => a_language().prop_map(Kind::SourceNotebook),
        1 => a_language().prop_map(Kind::JupyterNotebook),
        3 => Just(Kind::File),
        1 => Just(Kind::Dashboard),
    ]
}

fn a_content() -> impl Strategy<Value = Content> {
    (0..3_u8, 0..2_u8)
}

fn a_tree(size: std::ops::Range<usize>) -> impl Strategy<Value = Tree> {
    proptest::collection::vec((a_path(), a_kind(), a_content()), size).prop_map(|files| {
        let mut tree = Tree::new();
        for (at, kind, content) in files {
            if !tree.keys().any(|other| within(other, &at) || within(&at, other)) {
                tree.insert(at, local(kind, content));
            }
        }
        tree
    })
}

fn a_what() -> impl Strategy<Value = What> {
    prop_oneof![4 => a_kind().prop_map(what_of), 1 => Just(What::Other)]
}

fn an_edit() -> impl Strategy<Value = Edit> {
    let any = || any::<Index>();
    prop_oneof![
        4 => (a_path(), a_what(), a_content()).prop_map(|(at, what, content)| Edit::Put(at, what, content)),
        4 => (any(), a_content()).prop_map(|(at, content)| Edit::Write(at, content)),
        2 => any().prop_map(Edit::Touch),
        2 => any().prop_map(Edit::Delete),
        2 => (any(), a_path()).prop_map(|(at, to)| Edit::Move(at, to)),
        1 => (any(), a_what()).prop_map(|(at, what)| Edit::Convert(at, what)),
        1 => a_path().prop_map(Edit::Folder),
        1 => any().prop_map(Edit::Lock),
        1 => any().prop_map(Edit::Hide),
    ]
}

fn a_fate() -> impl Strategy<Value = Fate> {
    let any = || any::<Index>();
    let garble = prop_oneof![
        any().prop_map(Garble::Id),
        any().prop_map(Garble::Time),
        any().prop_map(Garble::Digest),
        // Not a dashboard: how the service lists one is not certain, so a record that speaks of one is believed.
        (any(), a_language()).prop_map(|(at, language)| Garble::Kind(at, Kind::SourceNotebook(language))),
        any().prop_map(|at| Garble::Kind(at, Kind::File)),
        (a_path(), a_kind()).prop_map(|(at, kind)| Garble::Invented(at, kind)),
        any().prop_map(Garble::Forgotten),
    ];
    prop_oneof![
        6 => Just(Fate::Kept),
        1 => Just(Fate::Lost),
        2 => proptest::collection::vec(garble, 1..4).prop_map(Fate::Garbled),
    ]
}

fn a_policy() -> impl Strategy<Value = Policy> {
    let prune = prop_oneof![1 => Just(Prune::None), 5 => Just(Prune::Files), 1 => Just(Prune::Force)];
    let on_drift = prop_oneof![4 => Just(OnDrift::Backup), 1 => Just(OnDrift::Fail), 2 => Just(OnDrift::Overwrite)];
    (prune, on_drift).prop_map(|(prune, on_drift)| Policy { prune, on_drift })
}

prop_compose! {
    fn a_scenario()(
        before in proptest::collection::vec(an_edit(), 0..3),
        first in a_tree(0..10),
        between in proptest::collection::vec(an_edit(), 0..4),
        killed in proptest::option::weighted(0.3, (a_tree(1..8), 0..12_usize)),
        fate in a_fate(),
        second in a_tree(1..10),
        // Most redeploys are of nearly the same tree.
        keep in proptest::collection::vec(any::<bool>(), 10),
        policy in a_policy(),
        vanishing in proptest::collection::vec(prop_oneof![9 => Just(false), 1 => Just(true)], 6),
    ) -> Scenario {
        let mut mixed = Tree::new();
        for ((at, file), keep) in first.iter().zip(keep) {
            if keep {
                mixed.insert(at.clone(), file.clone());
            }
        }
        for (at, file) in second {
            if !mixed.keys().any(|other| other != &at && (within(other, &at) || within(&at, other))) {
                mixed.insert(at, file);
            }
        }
        Scenario { before, first, between, killed, fate, second: mixed, policy, vanishing }
    }
}

fn edit(world: &mut World, edit: &Edit) {
    let paths: Vec<RelativePath> = world.objects.keys().cloned().collect();
    let pick = |index: &Index| (!paths.is_empty()).then(|| index.get(&paths).clone());
    match edit {
        Edit::Put(at, what, content) => {
            let parent_made = world.mkdirs(at.parent().as_ref()).is_ok();
            if parent_made && !world.objects.contains_key(at) {
                world.put(at, *what, *content);
            }
        }
        Edit::Write(index, content) => {
            let now = world.tick();
            if let Some(object) =
                pick(index).and_then(|at| world.objects.get_mut(&at)).filter(|object| object.what != What::Folder)
            {
                (object.content, object.modified_at) = (*content, now);
            }
        }
        Edit::Touch(index) => {
            let now = world.tick();
            if let Some(object) = pick(index).and_then(|at| world.objects.get_mut(&at)) {
                object.modified_at = now;
            }
        }
        Edit::Delete(index) => {
            if let Some(at) = pick(index) {
                world.objects.retain(|path, _| !within(&at, path));
            }
        }
        Edit::Move(index, to) => {
            let Some(at) = pick(index) else { return };
            if within(&at, to) || world.objects.contains_key(to) || world.mkdirs(to.parent().as_ref()).is_err() {
                return;
            }
            let moving: Vec<RelativePath> = world.objects.keys().filter(|path| within(&at, path)).cloned().collect();
            for from in moving {
                let object = world.objects.remove(&from).unwrap();
                let behind = from.as_str().strip_prefix(at.as_str()).unwrap();
                world.objects.insert(path(&format!("{to}{behind}")), object);
            }
        }
        Edit::Convert(index, what) => {
            let Some(at) = pick(index) else { return };
            let object = world.objects.get(&at).unwrap().clone();
            if object.what != What::Folder {
                world.put(&at, *what, object.content);
            }
        }
        Edit::Folder(at) => {
            let _ = world.mkdirs(Some(at));
        }
        Edit::Lock(index) => {
            let now = world.tick();
            if let Some(object) = pick(index).and_then(|at| world.objects.get_mut(&at)) {
                (object.opaque, object.modified_at) = (true, now);
            }
        }
        Edit::Hide(index) => {
            if let Some(object) =
                pick(index).and_then(|at| world.objects.get(&at)).filter(|one| one.what == What::Folder)
            {
                world.hidden.insert(object.id);
            }
        }
    }
}

fn garble(records: &mut Records, with: &Garble, stamp: i64) {
    let paths: Vec<RelativePath> = records.keys().cloned().collect();
    let pick = |index: &Index| (!paths.is_empty()).then(|| index.get(&paths).clone());
    let nonsense = Digest::of(format!("nonsense {stamp}").as_bytes());
    match with {
        Garble::Id(index) => {
            if let Some(record) = pick(index).and_then(|at| records.get_mut(&at)) {
                record.object_id = 1_000_000 + stamp;
            }
        }
        Garble::Time(index) => {
            if let Some(record) = pick(index).and_then(|at| records.get_mut(&at)) {
                record.modified_at = None;
            }
        }
        Garble::Digest(index) => {
            if let Some(record) = pick(index).and_then(|at| records.get_mut(&at)) {
                (record.digest, record.fingerprint) = (nonsense, nonsense);
            }
        }
        Garble::Kind(index, kind) => {
            if let Some(record) = pick(index).and_then(|at| records.get_mut(&at)) {
                record.kind = *kind;
            }
        }
        Garble::Invented(at, kind) => {
            if !records.keys().any(|other| within(other, at) || within(at, other)) {
                let record = FileRecord {
                    kind: *kind,
                    digest: nonsense,
                    fingerprint: nonsense,
                    size: 1,
                    object_id: 2_000_000 + stamp,
                    modified_at: Some(stamp),
                };
                records.insert(at.clone(), record);
            }
        }
        Garble::Forgotten(index) => {
            if let Some(at) = pick(index) {
                records.remove(&at);
            }
        }
    }
}

fn root() -> WorkspacePath {
    WorkspacePath::parse("/Shared/etl").unwrap()
}

fn owner() -> Owner {
    Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
}

/// What is really ours, whatever a state says: the objects that our deploys left behind, and what they hold.
#[derive(Clone, Debug, Default)]
struct Truth(BTreeMap<RelativePath, Object>);

impl Truth {
    fn of(world: &World, records: &Records) -> Truth {
        let there = records.keys().filter_map(|at| Some((at.clone(), world.objects.get(at)?.clone())));
        Truth(there.collect())
    }

    fn is_ours(&self, at: &RelativePath, object: &Object) -> bool {
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

struct Made {
    plan: Plan,
    /// The workspace as the plan found it: some suspects have gone away meanwhile.
    found: World,
}

fn make(world: &World, intent: Intent, policy: Policy, local: &Tree, ours: &Ours, vanishing: &[bool]) -> Made {
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
fn check_what_was_touched(
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

fn check_the_tree(world: &World, local: &Tree) -> Result<(), TestCaseError> {
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

fn check_json(plan: &Plan, records: &Records) -> Result<(), TestCaseError> {
    let state = State::new(owner()).succeeded_by(DeployedBy::default(), records.clone(), 1);
    let text = state.to_json();
    prop_assert_eq!(State::read(text.as_bytes(), &owner()), Found::Ours(Box::new(state)));
    check_plan_file(plan)
}

fn check_plan_file(plan: &Plan) -> Result<(), TestCaseError> {
    let file = PlanFile::of(plan, &owner(), "0.1.0");
    let read = PlanFile::read(file.to_json().as_bytes());
    prop_assert_eq!(read.as_ref(), Ok(&file));
    prop_assert_eq!(file.still_holds(&PlanFile::of(plan, &owner(), "0.2.0")), Ok(()));
    Ok(())
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
