//! What it means that somebody may not do something in a folder: the words for it, whoever finds it out.

use crate::problem::{Code, Problem};

/// How the right is given that a deploy needs.
const GIVE: &str = "give the identity CAN_MANAGE on the folder, or on one above it: in the workspace, the folder's menu, \
                    Share (Permissions)";

/// The identity may not put anything into the folder; `said` are the workspace's own words, where it was asked to.
pub fn may_not_write(said: Option<&str>) -> Problem {
    denied("this identity may not write here", said)
}

/// The identity may not look into the folder.
pub fn may_not_read(said: Option<&str>) -> Problem {
    denied("this identity may not read this", said)
}

/// What holds the home folders of all users.
pub const HOMES: &str = "/Workspace/Users";

/// The home folder that a path is or lies in.
pub fn home_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(HOMES)?.strip_prefix('/')?.split('/').next().filter(|name| !name.is_empty())?;
    path.get(..HOMES.len() + 1 + name.len())
}

/// The home folder at `home` cannot be seen, and no deploy can make it, whatever its rights on the folder of all homes.
pub fn no_home(home: &str, said: Option<&str>) -> Problem {
    let what =
        "this home folder is not there, or this identity may not see it; only Databricks makes one, with its user";
    Problem::new(Code::NotFound, with_words(what, said)).at(home).hint(
        "check the name in `WORKSPACE_PATH`; if it is right, its user gives the identity CAN_MANAGE on the folder that is meant, or \
         a folder below `/Workspace/Shared` takes its place",
    )
}

fn denied(what: &str, said: Option<&str>) -> Problem {
    Problem::new(Code::PermissionDenied, with_words(what, said)).hint(GIVE)
}

fn with_words(what: &str, said: Option<&str>) -> String {
    said.map_or_else(|| what.to_owned(), |said| format!("{what}: {said}"))
}
