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

fn denied(what: &str, said: Option<&str>) -> Problem {
    let message = said.map_or_else(|| what.to_owned(), |said| format!("{what}: {said}"));
    Problem::new(Code::PermissionDenied, message).hint(GIVE)
}
