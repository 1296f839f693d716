//! Paths below the target's root.

use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// A path below the target's root in its one normal form: names joined by single slashes, none of them empty, `.` or
/// `..`, no control character, not the folder of the pipe's own records nor in it. Paths are compared as the service
/// does, with their case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RelativePath(String);

impl RelativePath {
    /// Checks `path`, and changes nothing: what is not normal was not written by us. The error says what is wrong with
    /// it, as the end of a sentence that starts with the path.
    pub fn parse(path: &str) -> Result<RelativePath, &'static str> {
        if path.starts_with('/') {
            return Err("is absolute");
        }
        if path.chars().any(char::is_control) {
            return Err("contains a control character");
        }
        for name in path.split('/') {
            match name {
                "" => return Err("has an empty name in it"),
                "." | ".." => return Err("contains `.` or `..`"),
                _ => {}
            }
        }
        // Deeper down such a folder belongs to another target, which is as foreign as any other object.
        if path.split('/').next() == Some(super::FOLDER) {
            return Err("is in the folder that the pipe keeps its own records in");
        }
        Ok(RelativePath(path.to_owned()))
    }

    /// The text of the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that it lies in; `None` for the root.
    pub fn parent(&self) -> Option<RelativePath> {
        self.0.rsplit_once('/').map(|(parent, _)| RelativePath(parent.to_owned()))
    }

    /// The folders above it, the highest first, without the root.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').filter_map(|(end, _)| self.0.get(..end))
    }

    /// How many folders lie between it and the root.
    pub fn depth(&self) -> usize {
        self.0.matches('/').count()
    }

    /// Makes a path of a prefix that [`RelativePath::ancestors`] gave.
    pub(crate) fn of_ancestor(ancestor: &str) -> RelativePath {
        RelativePath(ancestor.to_owned())
    }

    /// Its text with a slash behind it: everything below it, and nothing else, starts with this.
    pub(crate) fn as_prefix(&self) -> String {
        format!("{}/", self.0)
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Maps are searched by text; the derived order is the text's.
impl Borrow<str> for RelativePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RelativePath, D::Error> {
        let text = String::deserialize(deserializer)?;
        RelativePath::parse(&text)
            .map_err(|what| serde::de::Error::custom(format_args!("the path `{}` {what}", text.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::RelativePath;

    #[test]
    fn only_the_normal_form_is_a_path() {
        for path in ["a", "a/b c/é", "...", "a.b/.c", ".databricks-deploy2", "a/.databricks-deploy/x", "A\\b"] {
            assert_eq!(RelativePath::parse(path).unwrap().as_str(), path);
        }
        for path in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/./b",
            "a\nb",
            "a\u{0}",
            "a/\u{7f}",
            ".databricks-deploy",
            ".databricks-deploy/state.json",
        ] {
            assert!(RelativePath::parse(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn the_way_to_the_root() {
        let path = RelativePath::parse("a/b/c").unwrap();
        assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(path.parent().unwrap().as_str(), "a/b");
        assert_eq!((path.depth(), RelativePath::parse("a").unwrap().parent()), (2, None));
    }
}
