//! The local tree: which files are deployed, and as what.
//!
//! Everything that can be wrong with it is found before anything is changed, and told at once.

mod checks;
mod fingerprint;
mod ignore_rules;
mod inspect;
mod jupyter;
mod never;
mod notebook;
mod patterns;
mod walk;

pub use fingerprint::fingerprint;

use crate::digest::Digest;
use crate::order;
use crate::problem::{Code, Problem};
use crate::secrets::Secret;
use crate::secrets::scan::Scanner;
use crate::settings::{Files, SecretScan};
use std::path::{Path, PathBuf};

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
    /// The digest of its bytes: of what is sent.
    pub digest: Digest,
    /// The digest of its content as `fingerprint` compares it with an export. A plain file's is its `digest`.
    pub fingerprint: Digest,
}

/// What was found below `LOCAL_PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalTree {
    /// What is deployed, sorted by remote path.
    pub files: Vec<LocalFile>,
    /// What is left out and why, sorted by path: `(path below LOCAL_PATH, reason)`. A folder is one entry that ends in
    /// `/` and stands for all that is in it.
    pub ignored: Vec<(String, String)>,
    /// What does not stop the deploy but should be said, sorted by place.
    pub warnings: Vec<Problem>,
}

/// A tree that cannot be deployed, and what else was found out about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unusable {
    /// Everything that is wrong, sorted by place.
    pub problems: Vec<Problem>,
    /// As in [`LocalTree`].
    pub ignored: Vec<(String, String)>,
    /// As in [`LocalTree`].
    pub warnings: Vec<Problem>,
}

/// Reads the tree below `files.local`: walks it, tells notebooks from files, takes digests, and looks for what would go
/// wrong later. Each file is read once.
///
/// `output_dir` is absolute and never deployed, `secrets` are the live ones of this step. Blocks, so call it where that
/// is allowed; memory stays below twice a notebook's limit (10 MiB) and a few hundred bytes a file, whatever the tree holds.
pub fn read(files: &Files, output_dir: &Path, secrets: &[Secret]) -> Result<LocalTree, Unusable> {
    let walk::Walked { candidates, mut ignored, mut problems, mut warnings } = walk::walk(files, output_dir)
        .map_err(|problems| Unusable { problems, ignored: Vec::new(), warnings: Vec::new() })?;
    let scanner = Scanner::new(secrets, files.secret_scan != SecretScan::Off);
    let mut inspector = inspect::Inspector::new(scanner, files.secret_scan);
    let mut found: Vec<LocalFile> =
        candidates.into_iter().filter_map(|candidate| inspector.inspect(candidate)).collect();
    problems.append(&mut inspector.problems);
    warnings.append(&mut inspector.warnings);

    order::by_text(&mut found, |file| &file.relative);
    order::by_text(&mut found, |file| &file.remote);
    problems.extend(checks::names(&found));
    problems.extend(checks::collisions(&found));
    order::by_text(&mut ignored, |(path, _)| path);
    if found.is_empty() && problems.is_empty() {
        problems.push(checks::empty(&files.shown, &ignored));
    }
    let problem_lists = [&mut problems, &mut warnings];
    for problem in problem_lists.into_iter().flatten() {
        name_from_where_the_user_stands(problem, &files.shown);
    }
    sort(&mut warnings);
    sort(&mut problems);
    if problems.is_empty() {
        Ok(LocalTree { files: found, ignored, warnings })
    } else {
        Err(Unusable { problems, ignored, warnings })
    }
}

/// A file is named as the user finds it, not as we do, below `LOCAL_PATH`. Variables and ignore files have their names.
fn name_from_where_the_user_stands(problem: &mut Problem, shown: &str) {
    let is_file = !matches!(problem.code, Code::InvalidValue | Code::EmptyTree | Code::NoSuchFolder);
    let shown = shown.trim_start_matches("./").trim_end_matches('/');
    if let Some(place) = problem.place.as_mut().filter(|_| is_file && !shown.is_empty() && shown != ".") {
        *place = format!("{shown}/{place}");
    }
}

fn sort(problems: &mut Vec<Problem>) {
    order::by_text(problems, |problem| &problem.message);
    order::by_text(problems, |problem| problem.place.as_deref().unwrap_or_default());
}
