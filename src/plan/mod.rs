//! What a deploy will do, computed from what is here (and, later, from what is there). Pure: knows no network.

use crate::event::Counts;
use crate::settings::WorkspacePath;
use crate::source::{Kind, LocalFile, LocalTree};
use std::collections::BTreeSet;

/// Everything that a deploy will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The folder that the tree goes to.
    pub root: WorkspacePath,
    /// The folders that must be made: only those that no other one of them contains, since making a folder makes all
    /// above it. The root itself stands here when nothing lies deeper.
    pub folders: Vec<WorkspacePath>,
    /// What is uploaded.
    pub uploads: Vec<Upload>,
    /// What there will be.
    pub counts: Counts,
}

/// One object to upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The local file.
    pub file: LocalFile,
    /// Where it goes.
    pub to: WorkspacePath,
}

impl Plan {
    /// The plan that sends the whole tree.
    pub fn of_everything(tree: &LocalTree, root: &WorkspacePath) -> Plan {
        let mut counts = Counts::default();
        let mut parents = BTreeSet::new();
        for file in &tree.files {
            counts.bytes += file.size;
            match file.kind {
                Kind::SourceNotebook(_) | Kind::JupyterNotebook(_) => counts.notebooks += 1,
                Kind::Dashboard => counts.dashboards += 1,
                Kind::File => counts.files += 1,
            }
            let mut rest = file.remote.as_str();
            while let Some((parent, _)) = rest.rsplit_once('/') {
                parents.insert(parent);
                rest = parent;
            }
        }
        counts.folders = parents.len();
        let mut folders: Vec<WorkspacePath> = parents
            .iter()
            .filter(|parent| {
                // Sorted order puts a folder's first descendant anywhere behind it ("a", "a-b", "a/b"), so it is sought
                // by its prefix and not by looking at the next one.
                let below = format!("{parent}/");
                !parents.range(below.as_str()..).next().is_some_and(|next| next.starts_with(&below))
            })
            .map(|parent| root.join(parent))
            .collect();
        if folders.is_empty() {
            folders.push(root.clone());
        }
        let uploads =
            tree.files.iter().map(|file| Upload { file: file.clone(), to: root.join(&file.remote) }).collect();
        Plan { root: root.clone(), folders, uploads, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Language;
    use proptest::prelude::*;

    fn tree(paths: &[&str]) -> LocalTree {
        let files = paths
            .iter()
            .map(|path| LocalFile {
                path: path.into(),
                relative: (*path).to_owned(),
                remote: (*path).to_owned(),
                kind: if path.ends_with("nb") { Kind::SourceNotebook(Language::Python) } else { Kind::File },
                size: 10,
                digest: crate::digest::Digest::of(path.as_bytes()),
                fingerprint: crate::digest::Digest::of(path.as_bytes()),
            })
            .collect();
        LocalTree { files, ..LocalTree::default() }
    }

    fn root() -> WorkspacePath {
        WorkspacePath::parse("/Shared/etl").unwrap()
    }

    #[test]
    fn only_the_deepest_folders_are_made() {
        let plan = Plan::of_everything(&tree(&["a/x", "a/b/y.nb", "a-b/z", "a/b/c/d", "top"]), &root());
        let folders: Vec<&str> = plan.folders.iter().map(WorkspacePath::as_str).collect();
        assert_eq!(folders, ["/Workspace/Shared/etl/a-b", "/Workspace/Shared/etl/a/b/c"]);
        assert_eq!(plan.counts, Counts { notebooks: 1, files: 4, dashboards: 0, folders: 4, bytes: 50 });
    }

    #[test]
    fn a_flat_tree_makes_the_root() {
        let plan = Plan::of_everything(&tree(&["one", "two"]), &root());
        assert_eq!(plan.folders, [root()]);
        assert_eq!(plan.counts.folders, 0);
    }

    proptest! {
        /// Applied to a model whose folders appear as the service makes them, no upload lacks its parent.
        #[test]
        fn every_upload_finds_its_parent(paths in proptest::collection::btree_set("[ab-]{1,2}(/[ab-]{1,2}){0,4}", 1..30)) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let plan = Plan::of_everything(&tree(&paths), &root());
            let mut made = BTreeSet::new();
            for folder in &plan.folders {
                let mut folder = folder.as_str();
                made.insert(folder.to_owned());
                while let Some((parent, _)) = folder.rsplit_once('/') {
                    made.insert(parent.to_owned());
                    folder = parent;
                }
            }
            for upload in &plan.uploads {
                let (parent, _) = upload.to.as_str().rsplit_once('/').unwrap();
                prop_assert!(made.contains(parent), "{} has no parent", upload.to);
            }
            prop_assert!(plan.folders.len() <= plan.counts.folders.max(1));
        }
    }
}
