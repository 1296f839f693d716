//! The local tree: which files are deployed, and as what.

use crate::problem::Problem;
use std::path::PathBuf;

/// A language that a notebook can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Python.
    Python,
    /// R.
    R,
    /// Scala.
    Scala,
    /// SQL.
    Sql,
}

/// What a local file becomes in the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A notebook in source form: its first line says so. Loses its extension.
    SourceNotebook(Language),
    /// A Jupyter notebook. Loses its extension.
    JupyterNotebook(Language),
    /// A dashboard (`.lvdash.json`).
    Dashboard,
    /// Any other file; keeps its name and bytes.
    File,
}

/// A file that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Its path below `LOCAL_PATH`, with `/`.
    pub relative: String,
    /// Its path below the target in the workspace, with `/`: a notebook's has no extension.
    pub remote: String,
    /// What it becomes.
    pub kind: Kind,
    /// Its size in bytes.
    pub size: u64,
}

/// What was found below `LOCAL_PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalTree {
    /// What is deployed, sorted by remote path.
    pub files: Vec<LocalFile>,
    /// What is left out and why, sorted by path: `(path below LOCAL_PATH, reason)`.
    pub ignored: Vec<(String, String)>,
    /// What does not stop the deploy but should be said.
    pub warnings: Vec<Problem>,
}
pub fn read(
    _: &crate::settings::Files,
    _: &std::path::Path,
    _: &[crate::secrets::Secret],
) -> Result<LocalTree, Vec<Problem>> {
    Ok(LocalTree::default())
}
