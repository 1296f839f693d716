//! A small model of the workspace with the service's rules, and an executor that follows a plan blindly.

use crate::plan::*;
use crate::source::{Kind, Language};
use crate::state::{Digest, FileRecord, RelativePath};
use std::collections::{BTreeMap, BTreeSet};

/// A content: what a person wrote, and what a normal form leaves out (a Jupyter notebook's outputs).
pub(super) type Content = (u8, u8);

pub(super) type Copies = BTreeMap<RelativePath, Content>;
pub(super) type Records = BTreeMap<RelativePath, FileRecord>;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Object {
    pub(super) id: i64,
    pub(super) what: What,
    pub(super) content: Content,
    pub(super) modified_at: i64,
    /// Too large to be exported, for example.
    pub(super) opaque: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Folder,
    File,
    Dashboard,
    Notebook { language: Language, jupyter: bool },
    Other,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct World {
    pub(super) root: bool,
    pub(super) objects: BTreeMap<RelativePath, Object>,
    /// The ids of folders that the identity may not list.
    pub(super) hidden: BTreeSet<i64>,
    ids: i64,
    clock: i64,
}

pub(super) fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).unwrap()
}

pub(super) fn digest_of(content: Content) -> Digest {
    Digest::of(format!("raw {content:?}").as_bytes())
}

/// The digest of a content in the form in which the service gives back what was sent as `kind`.
pub(super) fn fingerprint(kind: Kind, content: Content) -> Digest {
    match kind {
        Kind::SourceNotebook(_) => Digest::of(format!("source {content:?}").as_bytes()),
        Kind::JupyterNotebook(_) => Digest::of(format!("jupyter {}", content.0).as_bytes()),
        Kind::Dashboard | Kind::File => digest_of(content),
    }
}

pub(super) fn local(kind: Kind, content: Content) -> Local {
    Local {
        kind,
        size: u64::from(content.0) + 100,
        digest: match kind {
            // JSON is never the source of a notebook, nor the other way round.
            Kind::JupyterNotebook(_) => Digest::of(format!("json {content:?}").as_bytes()),
            _ => digest_of(content),
        },
        fingerprint: fingerprint(kind, content),
        source: format!("{},{}", content.0, content.1).into(),
    }
}

fn content_of(local: &Local) -> Content {
    let text = local.source.to_str().unwrap();
    let (body, noise) = text.split_once(',').unwrap();
    (body.parse().unwrap(), noise.parse().unwrap())
}

pub(super) fn what_of(kind: Kind) -> What {
    match kind {
        Kind::SourceNotebook(language) => What::Notebook { language, jupyter: false },
        Kind::JupyterNotebook(language) => What::Notebook { language, jupyter: true },
        Kind::Dashboard => What::Dashboard,
        Kind::File => What::File,
    }
}

impl Object {
    /// What an export shows, in the form in which `kind` would be given back.
    pub(super) fn exported_as(&self, kind: Kind) -> Digest {
        match (self.what, kind) {
            (What::Notebook { jupyter: true, .. }, Kind::SourceNotebook(_)) => {
                Digest::of(format!("source of jupyter {:?}", self.content).as_bytes())
            }
            (What::Notebook { jupyter: false, .. }, Kind::JupyterNotebook(_)) => {
                Digest::of(format!("jupyter of source {:?}", self.content).as_bytes())
            }
            _ => fingerprint(kind, self.content),
        }
    }

    pub(super) fn seen(&self) -> Seen {
        Seen {
            kind: match self.what {
                What::Folder => SeenKind::Folder,
                What::File => SeenKind::File,
                What::Dashboard => SeenKind::Dashboard,
                What::Notebook { language, .. } => SeenKind::Notebook(Some(language)),
                What::Other => SeenKind::Other("LIBRARY".into()),
            },
            size: (self.what == What::File).then(|| u64::from(self.content.0) + 100),
            object_id: self.id,
            modified_at: Some(self.modified_at),
        }
    }
}

impl World {
    pub(super) fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn put(&mut self, at: &RelativePath, what: What, content: Content) {
        self.ids += 1;
        let object = Object { id: self.ids, what, content, modified_at: self.tick(), opaque: false };
        self.objects.insert(at.clone(), object);
    }

    pub(super) fn is_folder(&self, at: Option<&RelativePath>) -> bool {
        match at {
            None => self.root,
            Some(at) => self.objects.get(at).is_some_and(|object| object.what == What::Folder),
        }
    }

    pub(super) fn mkdirs(&mut self, at: Option<&RelativePath>) -> Result<(), String> {
        self.root = true;
        let Some(at) = at else { return Ok(()) };
        let whole = at.ancestors().map(RelativePath::of_ancestor).chain([at.clone()]);
        for folder in whole.collect::<Vec<_>>() {
            match self.objects.get(&folder) {
                None => self.put(&folder, What::Folder, (0, 0)),
                Some(object) if object.what == What::Folder => {}
                Some(_) => return Err(format!("{folder} already exists and it is not a folder")),
            }
        }
        Ok(())
    }

    /// As `workspace/import` with `overwrite`.
    pub(super) fn import(&mut self, at: &RelativePath, kind: Kind, content: Content) -> Result<(), String> {
        if !self.is_folder(at.parent().as_ref()) {
            return Err(format!("the parent folder of {at} does not exist"));
        }
        let now = self.tick();
        let what = what_of(kind);
        match self.objects.get_mut(at) {
            None => self.put(at, what, content),
            Some(there) if std::mem::discriminant(&there.what) == std::mem::discriminant(&what) => {
                *there = Object { id: there.id, what, content, modified_at: now, opaque: false };
            }
            Some(_) => return Err(format!("cannot overwrite the asset at {at} due to type mismatch")),
        }
        Ok(())
    }

    /// As `workspace/delete` without `recursive`.
    pub(super) fn delete(&mut self, at: &RelativePath) -> Result<(), String> {
        if self.objects.keys().any(|path| path.as_str().starts_with(&at.as_prefix())) {
            return Err(format!("{at} is not empty"));
        }
        self.objects.remove(at).map(|_| ()).ok_or(format!("{at} does not exist"))
    }

    /// Whether it is a folder that may not be listed, or lies in one.
    pub(super) fn is_hidden(&self, at: &RelativePath) -> bool {
        let mut hidden = self.objects.iter().filter(|(_, object)| self.hidden.contains(&object.id));
        hidden.any(|(folder, _)| within(folder, at))
    }

    fn list(&self, folder: Option<&RelativePath>) -> impl Iterator<Item = (RelativePath, Seen)> {
        let inside = self.objects.iter().filter(move |(path, _)| path.parent().as_ref() == folder);
        inside.map(|(path, object)| (path.clone(), object.seen()))
    }

    /// What an observer sees.
    pub(super) fn observe(&self, local: &BTreeMap<RelativePath, Local>, ours: &Ours) -> Remote {
        let mut remote = Remote { root_exists: self.root, ..Remote::default() };
        if self.root {
            remote.objects.extend(self.list(None));
        }
        for folder in folders_to_list(local, ours) {
            if self.is_folder(Some(&folder)) && !self.is_hidden(&folder) {
                remote.objects.extend(self.list(Some(&folder)));
                remote.listed.insert(folder);
            }
        }
        remote
    }

    /// What an exporter finds out.
    pub(super) fn evidence(&self, suspects: &[Suspect]) -> BTreeMap<RelativePath, Evidence> {
        let evidence = suspects.iter().map(|suspect| {
            let evidence = match self.objects.get(&suspect.path) {
                None => Evidence::Gone,
                Some(object) if object.opaque => Evidence::Unexportable("is too large to be exported".into()),
                Some(object) => {
                    Evidence::Content(suspect.compare_as.iter().map(|kind| object.exported_as(*kind)).collect())
                }
            };
            (suspect.path.clone(), evidence)
        });
        evidence.collect()
    }

    /// Follows the plan to its end.
    pub(super) fn apply(&mut self, plan: &Plan) -> Result<(Copies, Records), String> {
        let (copies, records) = self.follow(plan, usize::MAX)?;
        Ok((copies, records.ok_or("the plan has no end")?))
    }

    /// Follows the plan, phase by phase, until `budget` changes are made; then it is killed, and there are no records.
    pub(super) fn follow(&mut self, plan: &Plan, mut budget: usize) -> Result<(Copies, Option<Records>), String> {
        assert_eq!(plan.obstacles, []);
        let below_root = |folder: &crate::settings::WorkspacePath| {
            let rest = folder.as_str().strip_prefix(plan.root.as_str()).unwrap().trim_start_matches('/');
            (!rest.is_empty()).then(|| path(rest))
        };
        let mut may_go_on = || {
            let may = budget > 0;
            budget = budget.saturating_sub(1);
            may
        };
        let mut copies = Copies::new();
        for backup in &plan.backups {
            let original = self.objects.get(&backup.path).ok_or(format!("{} cannot be copied", backup.path))?;
            copies.insert(backup.path.clone(), original.content);
        }
        let replaced = plan.replaced.iter().map(|deletion| &deletion.path).chain(&plan.replaced_folders);
        for path in replaced {
            if !may_go_on() {
                return Ok((copies, None));
            }
            self.delete(path)?;
        }
        for folder in &plan.folders {
            if !may_go_on() {
                return Ok((copies, None));
            }
            self.mkdirs(below_root(folder).as_ref())?;
        }
        for upload in &plan.uploads {
            if !may_go_on() {
                return Ok((copies, None));
            }
            self.import(&upload.path, upload.local.kind, content_of(&upload.local))?;
        }
        let mut listing = BTreeMap::new();
        for folder in &plan.verify {
            listing.extend(self.list(below_root(folder).as_ref()));
        }
        let deleted = plan.deletions.iter().map(|deletion| &deletion.path).chain(&plan.emptied);
        for path in deleted {
            if !may_go_on() {
                return Ok((copies, None));
            }
            self.delete(path)?;
        }
        if let End::RemoveRecords { then_root: true } = plan.end {
            if !self.objects.is_empty() {
                return Err("the root is not empty".into());
            }
            self.root = false;
        }
        let files = plan.next_files(&listing).map_err(|mismatches| format!("{mismatches:?}"))?;
        Ok((copies, Some(files)))
    }
}

pub(super) fn within(folder: &RelativePath, path: &RelativePath) -> bool {
    path == folder || path.as_str().starts_with(&folder.as_prefix())
}
