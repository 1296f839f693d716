//! Paths in the workspace.

use std::fmt;

/// An absolute path in the workspace in its one normal form: `/Workspace/…`, single slashes, no `.` or `..`, no slash
/// at the end. (`/Workspace` is an optional alias on the service; one form makes paths comparable.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspacePath(String);

impl WorkspacePath {
    /// Brings `path` into the normal form; the error says what is wrong with it, as the end of a sentence that starts
    /// with the path.
    pub fn parse(path: &str) -> Result<WorkspacePath, String> {
        if !path.starts_with('/') {
            return Err("is not absolute: it must start with `/`".into());
        }
        if path.chars().any(char::is_control) {
            return Err("contains a control character".into());
        }
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts.iter().any(|part| *part == "." || *part == "..") {
            return Err("contains `.` or `..`".into());
        }
        if parts.first() == Some(&"Workspace") {
            parts.remove(0);
        }
        let mut normal = String::from("/Workspace");
        for part in parts {
            normal.push('/');
            normal.push_str(part);
        }
        Ok(WorkspacePath(normal))
    }

    /// The path below this one; `relative` uses `/`, and is normal already.
    #[must_use]
    pub fn join(&self, relative: &str) -> WorkspacePath {
        WorkspacePath(format!("{}/{relative}", self.0))
    }

    /// Whether the workspace has this folder by itself: that of all users, or somebody's own.
    pub fn is_given(&self) -> bool {
        let mut parts = self.0.split('/').skip(2);
        matches!(
            (parts.next(), parts.next(), parts.next()),
            (None | Some("Shared" | "Users" | "Repos"), None, None) | (Some("Users" | "Repos"), Some(_), None)
        )
    }

    /// The text of the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspacePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::WorkspacePath;

    #[test]
    fn every_spelling_has_one_normal_form() {
        for spelling in ["/Shared/etl", "/Workspace/Shared/etl", "//Workspace//Shared/etl/", "/Shared//etl/"] {
            assert_eq!(WorkspacePath::parse(spelling).unwrap().as_str(), "/Workspace/Shared/etl", "{spelling}");
        }
        for wrong in ["Shared/etl", "", "/a/../b", "/a/./b", "/a\nb"] {
            assert!(WorkspacePath::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn folders_of_the_workspace_are_told_from_those_that_somebody_made() {
        for given in ["/", "/Shared", "/Workspace/Users", "/Users/ci@example.com/", "/Repos/ci@example.com"] {
            assert!(WorkspacePath::parse(given).unwrap().is_given(), "{given}");
        }
        for made in ["/Shared/etl", "/Users/ci@example.com/etl", "/etl", "/Shared/Users"] {
            assert!(!WorkspacePath::parse(made).unwrap().is_given(), "{made}");
        }
    }
}
