//! `INCLUDE` and `EXCLUDE`: globs relative to `LOCAL_PATH`.

use crate::problem::{Code, Problem};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The patterns of one variable. `*` stays within a folder, `**` does not; a pattern that names a folder takes all that
/// is in it; one without a slash before its end matches in every folder, as people know it from `.gitignore`.
pub(super) struct Patterns {
    variable: &'static str,
    written: Vec<String>,
    /// Two globs a pattern: what it names, and what is below that.
    set: GlobSet,
    /// The names that a path must start with to match, a list for each pattern.
    heads: Vec<Vec<String>>,
    used: Vec<bool>,
}

impl Patterns {
    /// Compiles the patterns of `variable`; every one that is no glob is a problem.
    pub(super) fn new(variable: &'static str, written: &[String]) -> Result<Patterns, Vec<Problem>> {
        let (mut builder, mut problems) = (GlobSetBuilder::new(), Vec::new());
        for pattern in written {
            let glob = anywhere(pattern);
            let below = format!("{glob}/**");
            for glob in [&glob, &below] {
                match GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build() {
                    Ok(glob) => {
                        builder.add(glob);
                    }
                    Err(e) if *glob != below => problems.push(invalid(variable, pattern, &e)),
                    Err(_) => {}
                }
            }
        }
        let set = builder.build().map_err(|e| vec![invalid(variable, &written.join(", "), &e)]);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Patterns {
            variable,
            written: written.to_vec(),
            set: set?,
            heads: written.iter().map(|pattern| head(&anywhere(pattern))).collect(),
            used: vec![false; written.len()],
        })
    }

    /// The first pattern that takes `path`.
    pub(super) fn find(&mut self, path: &str) -> Option<&str> {
        if self.written.is_empty() {
            return None;
        }
        let matches = self.set.matches(path);
        for index in &matches {
            if let Some(used) = self.used.get_mut(index / 2) {
                *used = true;
            }
        }
        self.written.get(matches.first()? / 2).map(String::as_str)
    }

    /// `false` if no path below `folder` can match.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        self.heads.iter().any(|head| folder.split('/').zip(head).all(|(name, wanted)| name == wanted))
    }

    /// `true` if a pattern is just this path: who wrote it meant it.
    pub(super) fn names(&self, path: &str) -> bool {
        self.written.iter().any(|pattern| bare(pattern) == path)
    }

    /// A warning for each pattern that took nothing: it is misspelt, or what it names was not built.
    pub(super) fn unused(&self) -> impl Iterator<Item = Problem> {
        self.written.iter().zip(&self.used).filter(|(_, used)| !**used).map(|(pattern, _)| {
            Problem::new(Code::NotFound, format!("the pattern `{pattern}` matches no file"))
                .at(self.variable)
                .hint("patterns are relative to `LOCAL_PATH`; one without `/` matches in every folder")
        })
    }
}

fn invalid(variable: &str, pattern: &str, error: &globset::Error) -> Problem {
    Problem::new(Code::InvalidValue, format!("the pattern `{pattern}` is not a glob: {}", error.kind())).at(variable)
}

fn bare(pattern: &str) -> &str {
    let pattern = pattern.trim().trim_end_matches('/');
    pattern.strip_prefix("./").unwrap_or(pattern).trim_start_matches('/')
}

/// The glob that a pattern stands for.
fn anywhere(pattern: &str) -> String {
    let name = pattern.trim().trim_end_matches('/');
    if name.contains('/') { bare(pattern).to_owned() } else { format!("**/{name}") }
}

fn head(pattern: &str) -> Vec<String> {
    pattern.split('/').take_while(|name| !name.contains(['*', '?', '[', '{', '\\'])).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(written: &[&str]) -> Patterns {
        let written: Vec<String> = written.iter().map(|pattern| (*pattern).to_owned()).collect();
        Patterns::new("INCLUDE", &written).unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    #[test]
    fn patterns_are_relative_and_take_whole_folders() {
        for (pattern, path, expected) in [
            ("*.whl", "a.whl", true),
            ("*.whl", "dist/a.whl", true),
            ("/*.whl", "dist/a.whl", false),
            ("./*.whl", "a.whl", true),
            ("./*.whl", "dist/a.whl", false),
            ("scratch/", "a/scratch/b/c.py", true),
            ("**/*.whl", "a.whl", true),
            ("**/*.whl", "dist/x/a.whl", true),
            ("dist", "dist/x/a.whl", true),
            ("dist/", "dist", true),
            ("./dist/*.whl", "dist/a.whl", true),
            ("/dist/*.whl", "dist/x/a.whl", false),
            ("dist/*", "dist/x/a.whl", true),
            ("dist", "distant/a.whl", false),
            ("{a,b}/*.py", "b/x.py", true),
            ("[ab].py", "c.py", false),
            ("A.py", "a.py", false),
        ] {
            assert_eq!(patterns(&[pattern]).find(path).is_some(), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn folders_in_which_nothing_can_match_are_known() {
        let patterns = patterns(&["build/lib/*.whl", "dist/**"]);
        for (folder, expected) in
            [("build", true), ("build/lib", true), ("build/other", false), ("dist/x/y", true), ("node_modules", false)]
        {
            assert_eq!(patterns.may_match_below(folder), expected, "{folder}");
        }
        assert!(super::tests::patterns(&["**/*.whl"]).may_match_below("any/where"));
        assert!(!super::tests::patterns(&[]).may_match_below("any/where"));
    }

    #[test]
    fn patterns_that_take_nothing_are_told() {
        let mut patterns = patterns(&["a/*", "b/*", "a/x"]);
        assert_eq!(patterns.find("a/x"), Some("a/*"));
        let unused: Vec<String> = patterns.unused().map(|problem| problem.to_string()).collect();
        assert_eq!(unused, ["INCLUDE: the pattern `b/*` matches no file [not-found]"]);
    }

    #[test]
    fn what_is_no_glob_is_told() {
        let problems = Patterns::new("EXCLUDE", &["a[".into(), "ok".into(), "{".into()]).err().unwrap();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].to_string().starts_with("EXCLUDE: the pattern `a[` is not a glob: "), "{}", problems[0]);
    }
}
