//! What is in the folders of a target.

use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Listing, Object, ObjectKind};
use crate::order;
use crate::plan::{Remote, Seen, SeenKind};
use crate::settings::WorkspacePath;
use crate::state::{FOLDER, RelativePath};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// What is right in a folder.
pub(super) struct Folder {
    /// The objects by name; names that no deploy can make are left out.
    objects: BTreeMap<String, Seen>,
    /// What has the name of the folder of our records, if something has; it is not in `objects`.
    pub(super) records: Option<ObjectKind>,
}

/// Lists one folder; `None` where there is none, or none that we may see.
async fn listing(workspace: &Workspace, folder: &WorkspacePath) -> Result<Option<Folder>, Error> {
    Ok(match workspace.list(folder.as_str()).await? {
        Some(Listing::Folder(objects)) => Some(Folder::of(objects)),
        // Something else stands where the folder goes: making the folder will say what.
        Some(Listing::Single(_)) | None => None,
    })
}

impl Folder {
    pub(super) fn of(objects: Vec<Object>) -> Folder {
        let mut records = None;
        let mut named = BTreeMap::new();
        for object in objects {
            let name = object.name().to_owned();
            if name == FOLDER {
                records = Some(object.kind);
            } else {
                named.insert(name, seen(object));
            }
        }
        Folder { objects: named, records }
    }

    /// Its objects by their paths below the root; `at` is the folder's own, `None` for the root.
    fn placed<'a>(self, at: Option<&'a RelativePath>) -> impl Iterator<Item = (RelativePath, Seen)> + 'a {
        self.objects.into_iter().filter_map(move |(name, seen)| {
            let path = at.map_or_else(|| name.clone(), |at| format!("{at}/{name}"));
            Some((RelativePath::parse(&path).ok()?, seen))
        })
    }
}

/// Lists the wanted folders below the root, as far as they are there; level by level, all of a level at once.
pub(super) async fn below(
    workspace: &Workspace,
    root: &WorkspacePath,
    top: Folder,
    wanted: &BTreeSet<RelativePath>,
) -> Result<Remote, (String, Error)> {
    let mut remote = Remote { root_exists: true, objects: order::gathered(top.placed(None)), listed: BTreeSet::new() };
    let mut level: Vec<RelativePath> = wanted.iter().filter(|folder| folder.parent().is_none()).cloned().collect();
    while !level.is_empty() {
        level.retain(|folder| remote.objects.get(folder).is_some_and(|seen| seen.kind == SeenKind::Folder));
        let folders = level.iter().map(|folder| (folder.clone(), root.join(folder.as_str())));
        for (folder, listed) in at_once(workspace, folders).await? {
            remote.objects.extend(listed.placed(Some(&folder)));
            remote.listed.insert(folder);
        }
        let listed: BTreeSet<&RelativePath> = order::gathered(&level);
        level = wanted
            .iter()
            .filter(|folder| folder.parent().is_some_and(|parent| listed.contains(&parent)))
            .cloned()
            .collect();
    }
    Ok(remote)
}

/// Lists exactly these folders, all at once: what is right in them, by path.
pub(crate) async fn all(
    workspace: &Workspace,
    root: &WorkspacePath,
    folders: &[WorkspacePath],
) -> Result<BTreeMap<RelativePath, Seen>, (String, Error)> {
    let placed = folders.iter().map(|folder| {
        let below = folder.as_str().strip_prefix(root.as_str()).map(|below| below.trim_start_matches('/'));
        let at = below.filter(|below| !below.is_empty()).and_then(|below| RelativePath::parse(below).ok());
        (at, folder.clone())
    });
    let mut objects = BTreeMap::new();
    for (at, listed) in at_once(workspace, placed).await? {
        objects.extend(listed.placed(at.as_ref()));
    }
    Ok(objects)
}

/// Lists many folders side by side; those that are not there, or that we may not see, are left out.
async fn at_once<K: Send + 'static>(
    workspace: &Workspace,
    folders: impl Iterator<Item = (K, WorkspacePath)>,
) -> Result<Vec<(K, Folder)>, (String, Error)> {
    let mut under_way = JoinSet::new();
    for (key, at) in folders {
        let workspace = workspace.clone();
        under_way.spawn(async move {
            let listed = listing(&workspace, &at).await;
            (key, at, listed)
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        // A listing does not panic; if it does, its folder counts as one that could not be listed.
        let Ok((key, at, listed)) = ended else { continue };
        all.extend(listed.map_err(|error| (at.to_string(), error))?.map(|listed| (key, listed)));
    }
    Ok(all)
}

fn seen(object: Object) -> Seen {
    Seen {
        kind: match object.kind {
            ObjectKind::Notebook => SeenKind::Notebook(object.language),
            ObjectKind::File => SeenKind::File,
            ObjectKind::Dashboard => SeenKind::Dashboard,
            ObjectKind::Folder => SeenKind::Folder,
            ObjectKind::GitFolder => SeenKind::Other("Git folder".to_owned()),
            ObjectKind::Other(word) => SeenKind::Other(word),
        },
        size: object.size,
        object_id: object.object_id,
        modified_at: object.modified_at,
    }
}
