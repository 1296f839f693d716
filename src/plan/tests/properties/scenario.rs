//! What happens to a target: deploys, and what people, killed deploys and damage do in between.

use super::Tree;
use crate::plan::tests::model::*;
use crate::plan::*;
use crate::source::{Kind, Language};
use crate::state::{Digest, FileRecord, RelativePath};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What people do in the workspace.
#[derive(Clone, Debug)]
pub(super) enum Edit {
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
pub(super) enum Fate {
    Kept,
    Lost,
    /// Records that say what is not so.
    Garbled(Vec<Garble>),
}

#[derive(Clone, Debug)]
pub(super) enum Garble {
    Id(Index),
    Time(Index),
    Digest(Index),
    Kind(Index, Kind),
    Invented(RelativePath, Kind),
    Forgotten(Index),
}

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) before: Vec<Edit>,
    pub(super) first: Tree,
    pub(super) between: Vec<Edit>,
    /// A deploy of this tree that is killed after so many changes.
    pub(super) killed: Option<(Tree, usize)>,
    pub(super) fate: Fate,
    pub(super) second: Tree,
    pub(super) policy: Policy,
    /// Which of the suspects go away before they are looked at.
    pub(super) vanishing: Vec<bool>,
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

pub(super) fn a_tree(size: std::ops::Range<usize>) -> impl Strategy<Value = Tree> {
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
    pub(super) fn a_scenario()(
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

pub(super) fn edit(world: &mut World, edit: &Edit) {
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

pub(super) fn garble(records: &mut Records, with: &Garble, stamp: i64) {
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
