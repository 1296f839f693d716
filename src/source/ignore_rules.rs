//! `.gitignore`, `.git/info/exclude` and `.databricksignore`: which rule decides on a path.
//!
//! The rules are Git's (gitignore(5)): the deepest file that has a matching pattern decides, in it the last such
//! pattern; what is in an ignored folder stays ignored. `.git/info/exclude` comes last. `.databricksignore` files have
//! the same syntax and are asked before all others, so that a negated pattern in them adds back what Git ignores.
//! Nobody's global ignore file counts: a deploy must not depend on the machine.

use crate::disk;
use crate::problem::{Code, Problem};
use crate::text;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const GIT: &str = ".gitignore";
const DATABRICKS: &str = ".databricksignore";

/// Bytes; nobody writes a hundredth of it by hand.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The rules of the folders from the clone's root down to where the walk is.
pub(super) struct Rules {
    clone: PathBuf,
    exclude: Option<Gitignore>,
    layers: Vec<Layer>,
    /// What could not be read, and the patterns that are none.
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

#[derive(Default)]
struct Layer {
    git: Option<Gitignore>,
    databricks: Option<Gitignore>,
}

impl Rules {
    /// The rules that hold above `folder`, which lies in `clone`.
    pub(super) fn above(folder: &Path, clone: &Path) -> Rules {
        let mut rules = Rules {
            clone: clone.to_path_buf(),
            exclude: None,
            layers: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        rules.exclude = rules.load(clone, &clone.join(".git/info/exclude"));
        let mut above: Vec<&Path> = folder.ancestors().skip(1).take_while(|path| path.starts_with(clone)).collect();
        above.reverse();
        for path in above {
            rules.enter(path, path);
        }
        rules
    }

    /// Adds the rules of a folder: `path` is where it is in the tree, `real` where its files are read from.
    pub(super) fn enter(&mut self, path: &Path, real: &Path) {
        let layer =
            Layer { git: self.load(path, &real.join(GIT)), databricks: self.load(path, &real.join(DATABRICKS)) };
        self.layers.push(layer);
    }

    /// Forgets the rules of the folder that was entered last.
    pub(super) fn leave(&mut self) {
        self.layers.pop();
    }

    /// Why `path` is ignored, if it is.
    pub(super) fn reason(&self, path: &Path, is_folder: bool) -> Option<String> {
        let databricks = self.layers.iter().rev().filter_map(|layer| layer.databricks.as_ref());
        let git = self.layers.iter().rev().filter_map(|layer| layer.git.as_ref());
        for rules in databricks.chain(git).chain(&self.exclude) {
            match rules.matched(path, is_folder) {
                ignore::Match::None => {}
                ignore::Match::Whitelist(_) => return None,
                ignore::Match::Ignore(glob) => {
                    let file = glob.from().map(|from| from.display().to_string()).unwrap_or_default();
                    return Some(format!("`{file}`: `{}`", glob.original()));
                }
            }
        }
        None
    }

    fn load(&mut self, folder: &Path, file: &Path) -> Option<Gitignore> {
        let shown = file.strip_prefix(&self.clone).unwrap_or(file).display().to_string();
        let bytes = match disk::read(file, LARGEST) {
            Ok(bytes) => bytes,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) => {
                return None;
            }
            Err(e) => {
                self.problems.push(super::inspect::unreadable(&shown, &e));
                return None;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let mut builder = GitignoreBuilder::new(folder);
        for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
            // The crate keeps the file of a pattern, not its line: so the line goes with the file.
            let place = format!("{shown}:{number}");
            if let Err(e) = builder.add_line(Some(PathBuf::from(&place)), line) {
                self.warnings.push(broken(place, &e));
            }
        }
        match builder.build() {
            Ok(rules) if rules.is_empty() => None,
            Ok(rules) => Some(rules),
            Err(e) => {
                self.problems.push(broken(shown, &e));
                None
            }
        }
    }
}

fn broken(place: String, error: &ignore::Error) -> Problem {
    // It quotes the pattern, and a file of rules may hold anything.
    let error = text::excerpt(&error.to_string(), text::EXCERPT);
    Problem::new(Code::InvalidValue, format!("the pattern does not count: {error}")).at(place)
}
