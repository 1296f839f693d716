//! Each rule once, by name.

mod deleted;
mod drift;
mod killed;
mod kinds;
mod sent;

use super::model::*;
use crate::exit::Exit;
use crate::plan::*;
use crate::settings::WorkspacePath;
use crate::source::{Kind, Language};
use crate::state::RelativePath;
use std::collections::BTreeMap;

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
    root: WorkspacePath,
}

impl Target {
    pub(super) fn new() -> Target {
        Target { world: World::default(), ours: Ours::default(), root: root() }
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

    fn inputs<'a>(&'a self, remote: &'a Remote, local: &'a Tree) -> Inputs<'a> {
        Inputs { root: &self.root, intent: Intent::Deploy, policy: BACKUP, local, remote, ours: &self.ours }
    }

    fn asked(&self, local: &Tree) -> Vec<String> {
        let remote = self.world.observe(local, &self.ours);
        suspects(&self.inputs(&remote, local)).into_iter().map(|suspect| suspect.path.to_string()).collect()
    }

    pub(super) fn plan(&self, intent: Intent, policy: Policy, local: &Tree) -> Plan {
        let remote = self.world.observe(local, &self.ours);
        let inputs = Inputs { intent, policy, ..self.inputs(&remote, local) };
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
