//! Paths of workspace objects: how they are spelled, and the one form under which they are kept.

use crate::errors::ApiError;

/// The root of everything. In a request its name may be left out: `/Users/x` and `/Workspace/Users/x` are one object.
pub(crate) const ROOT: &str = "/Workspace";

/// A path from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkspacePath {
    /// As it was sent; texts of errors repeat it (databricks/cli, libs/testserver/fake_workspace.go).
    pub(crate) raw: String,
    /// As answers spell it: duplicate slashes gone, `/Workspace` in front as in the request, except that
    /// `//Workspace/…` loses it (same source).
    pub(crate) shown: String,
    /// With `/Workspace` in front.
    pub(crate) normal: String,
}

impl WorkspacePath {
    pub(crate) fn parse(raw: &str) -> Result<WorkspacePath, ApiError> {
        if !raw.starts_with('/') {
            return Err(ApiError::invalid(format!("Path ({raw}) must be absolute: it should start with '/'")));
        }
        if raw.chars().any(char::is_control) {
            return Err(ApiError::invalid("Path must not have control characters"));
        }
        let segments: Vec<&str> = raw.split('/').filter(|segment| !segment.is_empty()).collect();
        // What the real service makes of these is not known; a client should not find out in production.
        if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
            return Err(ApiError::invalid(format!("Path ({raw}) must not have '.' or '..' as a part")));
        }
        let joined = format!("/{}", segments.join("/"));
        let normal = with_mount(&joined);
        let shown = if raw.starts_with("//Workspace/") { joined.replacen(ROOT, "", 1) } else { joined };
        Ok(WorkspacePath { raw: raw.to_owned(), shown, normal })
    }

    /// The path with another last name, for a notebook that loses its extension.
    pub(crate) fn renamed(&self, name: &str) -> WorkspacePath {
        let change = |path: &str| format!("{}/{name}", parent(path).unwrap_or_default());
        WorkspacePath { raw: change(&self.shown), shown: change(&self.shown), normal: change(&self.normal) }
    }

    pub(crate) fn name(&self) -> &str {
        name(&self.normal)
    }
}

/// Puts `/Workspace` in front, where it is missing.
pub(crate) fn with_mount(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match trimmed.strip_prefix(ROOT) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => trimmed.to_owned(),
        _ => format!("{ROOT}{trimmed}"),
    }
}

/// What comes before the last name; `None` for a path of one name, which has `/` before it.
pub(crate) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

/// The last name.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
