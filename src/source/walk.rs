//! The walk: which files are below `LOCAL_PATH`, and which of them are left out.
//!
//! In this order: what is never deployed; `EXCLUDE`; `.databricksignore`, `.gitignore` and `.git/info/exclude`;
//! `INCLUDE`, which adds back what those ignore. `LOCAL_PATH` itself was asked for by name, so no rule ignores it.
//!
//! Links are followed within the clone, because what they point to is versioned with the rest; a link that leaves it is
//! an error: it would deploy whatever happens to be on the machine. Like Git, the rules take a link for a file.

use super::ignore_rules::Rules;
use super::inspect::unreadable;
use super::never;
use super::patterns::Patterns;
use crate::problem::{Code, Problem};
use crate::settings::Files;
use std::ffi::OsString;
use std::fs::{self, FileType};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A file that nothing leaves out.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) relative: String,
    pub(super) size: u64,
}

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) candidates: Vec<Candidate>,
    pub(super) ignored: Vec<(String, String)>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Walks the tree. Fails where there is none, or where a pattern is no glob.
pub(super) fn walk(files: &Files, output_dir: &Path) -> Result<Walked, Vec<Problem>> {
    let root = fs::canonicalize(&files.local).map_err(|e| vec![no_folder(&files.shown, &e)])?;
    if !root.is_dir() {
        return Err(vec![no_folder(&files.shown, &ErrorKind::NotADirectory.into())]);
    }
    let clone = fs::canonicalize(&files.clone_root).ok().filter(|clone| root.starts_with(clone));
    let clone = clone.unwrap_or_else(|| root.clone());
    let (include, exclude) = match (Patterns::new("INCLUDE", &files.include), Patterns::new("EXCLUDE", &files.exclude))
    {
        (Ok(include), Ok(exclude)) => (include, exclude),
        (include, exclude) => {
            let problems = [include.err(), exclude.err()];
            return Err(problems.into_iter().flatten().flatten().collect());
        }
    };
    let mut walk = Walk {
        rules: Rules::above(&root, &clone),
        output_dir: fs::canonicalize(output_dir).unwrap_or_else(|_| output_dir.to_path_buf()),
        root: root.clone(),
        clone,
        include,
        exclude,
        found: Walked::default(),
        entered: Vec::new(),
    };
    walk.folder("", &root, None);
    let mut found = walk.found;
    found.problems.append(&mut walk.rules.problems);
    found.warnings.append(&mut walk.rules.warnings);
    found.warnings.extend(walk.include.unused());
    Ok(found)
}

struct Walk {
    root: PathBuf,
    clone: PathBuf,
    output_dir: PathBuf,
    rules: Rules,
    include: Patterns,
    exclude: Patterns,
    found: Walked,
    /// The real folders from the root to where the walk is, so that a link back to one of them ends there.
    entered: Vec<PathBuf>,
}

/// What is to become of a file or folder.
enum Verdict {
    Take,
    /// It is ignored, and only what `INCLUDE` adds back may be taken from it.
    OnlyIncluded(String),
    Leave(String),
}

impl Walk {
    /// Walks what is in a folder. `ignored` is the reason why only what `INCLUDE` adds back is taken.
    fn folder(&mut self, relative: &str, real: &Path, ignored: Option<&str>) {
        let entries = match entries(real) {
            Ok(entries) => entries,
            Err(e) => {
                return self.found.problems.push(unreadable(if relative.is_empty() { "." } else { relative }, &e));
            }
        };
        self.entered.push(real.to_path_buf());
        self.rules.enter(&self.root.join(relative), real);
        for (name, file_type) in entries {
            self.entry(relative, &name, real.join(&name), file_type, ignored);
        }
        self.rules.leave();
        self.entered.pop();
    }

    fn entry(&mut self, above: &str, name: &OsString, real: PathBuf, file_type: FileType, ignored: Option<&str>) {
        // A name that is not UTF-8 is shown, and compared with patterns, as well as it can be.
        let shown = name.to_string_lossy();
        let relative = if above.is_empty() { shown.clone().into_owned() } else { format!("{above}/{shown}") };
        let is_folder = file_type.is_dir();
        match self.verdict(&relative, &real, is_folder, ignored) {
            Verdict::Leave(reason) => self.leave(relative, is_folder, reason, ignored),
            Verdict::OnlyIncluded(reason) => {
                self.leave(relative.clone(), is_folder, reason.clone(), ignored);
                if is_folder && self.include.may_match_below(&relative) && name.to_str().is_some() {
                    self.folder(&relative, &real, Some(&reason));
                }
            }
            Verdict::Take if name.to_str().is_none() => self.found.problems.push(
                Problem::new(Code::InvalidName, "the name is not UTF-8, so the workspace cannot have it")
                    .at(relative)
                    .hint("rename it"),
            ),
            Verdict::Take if is_folder => self.folder(&relative, &real, ignored),
            Verdict::Take if file_type.is_symlink() => self.link(relative, &real, ignored),
            Verdict::Take if file_type.is_file() => match fs::metadata(&real) {
                Ok(metadata) => self.take(real, relative, metadata.len()),
                Err(e) => self.found.problems.push(unreadable(&relative, &e)),
            },
            Verdict::Take => self.leave(relative, false, "neither a file nor a folder".into(), None),
        }
    }

    fn verdict(&mut self, relative: &str, real: &Path, is_folder: bool, ignored: Option<&str>) -> Verdict {
        if let Some(reason) = never::reason(relative) {
            self.warn_of_never(relative, reason);
            return Verdict::Leave(reason.to_owned());
        }
        if is_folder && real == self.output_dir {
            return Verdict::Leave("never deployed: `OUTPUT_DIR`".to_owned());
        }
        if let Some(pattern) = self.exclude.find(relative) {
            return Verdict::Leave(format!("`EXCLUDE`: `{pattern}`"));
        }
        let included = self.include.find(relative).is_some();
        let reason = match ignored {
            Some(reason) => Some(reason.to_owned()),
            None => self.rules.reason(&self.root.join(relative), is_folder),
        };
        match reason {
            Some(reason) if !included => Verdict::OnlyIncluded(reason),
            // Of an ignored folder that is added back all is added back: its patterns take what is below, too.
            _ => Verdict::Take,
        }
    }

    /// Notes what is left out; what is in a folder that is noted already is not noted again.
    fn leave(&mut self, relative: String, is_folder: bool, reason: String, ignored: Option<&str>) {
        if ignored != Some(reason.as_str()) {
            self.found.ignored.push((if is_folder { relative + "/" } else { relative }, reason));
        }
    }

    fn warn_of_never(&mut self, relative: &str, reason: &str) {
        if self.include.names(relative) {
            let _ = self.include.find(relative);
            let message = format!("`{relative}` is not added back, because it is {reason}");
            self.found.warnings.push(Problem::new(Code::InvalidValue, message).at("INCLUDE"));
        }
    }

    fn link(&mut self, relative: String, link: &Path, ignored: Option<&str>) {
        let target = fs::read_link(link).map(|target| target.display().to_string()).unwrap_or_default();
        let real = match fs::canonicalize(link) {
            Ok(real) => real,
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                return self.found.problems.push(unreadable(&relative, &e));
            }
            Err(_) => {
                return self.found.problems.push(
                    Problem::new(Code::Unreadable, format!("the link points to `{target}`, where nothing is"))
                        .at(relative)
                        .hint("remove the link, or add it to `.databricksignore`"),
                );
            }
        };
        let Ok(below_clone) = real.strip_prefix(&self.clone) else {
            return self.found.problems.push(
                Problem::new(Code::LeavesTree, format!("the link points to `{target}`, outside of the repository"))
                    .at(relative)
                    .hint("replace the link by what it points to, or add it to `.databricksignore`"),
            );
        };
        // A link must not bring in what would not be deployed where it is.
        let mut path = String::new();
        for name in below_clone.iter() {
            path.push_str(&name.to_string_lossy());
            if let Some(reason) = never::reason(&path) {
                return self.leave(relative, false, format!("a link to `{target}`, {reason}"), None);
            }
            path.push('/');
        }
        if real.starts_with(&self.output_dir) && !self.root.starts_with(&self.output_dir) {
            return self.leave(relative, false, "a link into `OUTPUT_DIR`, never deployed".into(), None);
        }
        match fs::metadata(&real) {
            Ok(metadata) if metadata.is_file() => self.take(real, relative, metadata.len()),
            Ok(metadata) if metadata.is_dir() => {
                if self.entered.contains(&real) {
                    self.leave(relative, true, "a link back to a folder that it is in".into(), None);
                } else {
                    self.folder(&relative, &real, ignored);
                }
            }
            Ok(_) => self.leave(relative, false, "neither a file nor a folder".into(), None),
            Err(e) => self.found.problems.push(unreadable(&relative, &e)),
        }
    }

    fn take(&mut self, path: PathBuf, relative: String, size: u64) {
        self.found.candidates.push(Candidate { path, relative, size });
    }
}

/// What is in a folder, by name.
fn entries(folder: &Path) -> io::Result<Vec<(OsString, FileType)>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        entries.push((entry.file_name(), entry.file_type()?));
    }
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(entries)
}

fn no_folder(shown: &str, error: &io::Error) -> Problem {
    let message = match error.kind() {
        ErrorKind::NotFound => format!("`{shown}` is not there"),
        ErrorKind::NotADirectory => format!("`{shown}` is not a folder"),
        _ => return unreadable(shown, error),
    };
    Problem::new(Code::NoSuchFolder, message).at("LOCAL_PATH").hint("it is relative to the root of the repository")
}
