//! Why nothing of a plan may be done.

use super::render::{kind_with_article, what_was_done};
use super::{Drifted, Plan, SeenKind};
use crate::exit::Exit;
use crate::problem::{Code, Problem};
use crate::state::RelativePath;
use crate::stop::Stop;
use crate::text;

/// Why nothing of a plan may be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The local tree is empty and the target is not: a mistake in `LOCAL_PATH` would delete everything. Exit 1.
    NothingLeft {
        /// How many objects were deployed.
        recorded: usize,
    },
    /// More than half of what was deployed would be deleted. Exit 7.
    TooManyDeletions {
        /// How many would be deleted.
        deleting: usize,
        /// How many were deployed.
        recorded: usize,
    },
    /// Somebody changed objects in the workspace, under `ON_DRIFT: fail`. Exit 7.
    Drift(Vec<Drifted>),
    /// Objects are in the way that may not be touched. Exit 7.
    Conflicts(Vec<Conflict>),
}

/// An object in the way that may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where it is.
    pub path: RelativePath,
    /// Why it may not be touched.
    pub why: Why,
}

/// Why an object in the way may not be touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// We never deployed it, and its content is not what we would send.
    NeverOurs,
    /// It is of this other kind, so it would have to be deleted, and the object is not the one that we deployed.
    OtherKind(SeenKind),
    /// It lies in a folder whose place a local file takes, and is not ours to delete.
    InFolderThatGoes {
        /// The folder.
        folder: RelativePath,
    },
    /// It lies in a folder whose place a local file takes, and `PRUNE: none` says that it stays.
    PruneIsOff {
        /// The folder.
        folder: RelativePath,
    },
    /// The folder is there, and what is in it cannot be seen.
    NotListed,
    /// It looks changed, and cannot be copied since its content cannot be looked at: why.
    Unreadable(String),
}

impl Plan {
    /// Whether the plan may be carried out: the reasons why not, all of them, each named with its place.
    pub fn may_run(&self) -> Result<(), Stop> {
        let exits = self.obstacles.iter().map(Obstacle::exit);
        let Some(exit) = exits.reduce(Exit::or_worse) else { return Ok(()) };
        Err(Stop { exit, problems: self.obstacles.iter().flat_map(|obstacle| self.problems(obstacle)).collect() })
    }

    fn problems(&self, obstacle: &Obstacle) -> Vec<Problem> {
        match obstacle {
            Obstacle::NothingLeft { recorded } => {
                let message = format!(
                    "no local file is left to deploy, and {} deployed earlier would be deleted",
                    text::count(*recorded, "object")
                );
                vec![
                    Problem::new(Code::EmptyTree, message)
                        .at("LOCAL_PATH")
                        .hint("check `LOCAL_PATH` and the ignore rules; `ACTION: destroy` removes what was deployed"),
                ]
            }
            Obstacle::TooManyDeletions { deleting, recorded } => {
                let message = format!(
                    "{} of the {} deployed earlier would be deleted, which is more than half",
                    text::thousands(*deleting as u64),
                    text::count(*recorded, "object")
                );
                vec![
                    Problem::new(Code::PruneGuard, message)
                        .at("PRUNE")
                        .hint("check `LOCAL_PATH`, or set `PRUNE: force` for one deploy if they are to go"),
                ]
            }
            Obstacle::Drift(drifted) => drifted.iter().map(|one| self.drift_problem(one)).collect(),
            Obstacle::Conflicts(conflicts) => conflicts.iter().map(|one| self.conflict_problem(one)).collect(),
        }
    }

    fn drift_problem(&self, drifted: &Drifted) -> Problem {
        Problem::new(Code::Drift, what_was_done(&drifted.how, &self.root))
            .at(self.at(&drifted.path).to_string())
            .hint("bring the change into the repository, or set `ON_DRIFT: backup` to keep a copy of it")
    }

    fn conflict_problem(&self, conflict: &Conflict) -> Problem {
        const AWAY: &str = "move it away or delete it";
        let (code, message, hint) = match &conflict.why {
            Why::NeverOurs => (
                Code::ForeignObject,
                "is in the way of a local file, and was never deployed from here".to_owned(),
                AWAY.to_owned(),
            ),
            Why::OtherKind(kind) => (
                Code::TypeMismatch,
                format!(
                    "is {}, which would have to be deleted for a local file, and is not what was deployed from here",
                    kind_with_article(kind)
                ),
                AWAY.to_owned(),
            ),
            Why::InFolderThatGoes { folder } => (
                Code::ForeignObject,
                format!("was never deployed from here, and lies where the local file of `{folder}` goes"),
                AWAY.to_owned(),
            ),
            Why::PruneIsOff { folder } => (
                Code::TypeMismatch,
                format!("stays because of `PRUNE: none`, and lies where the local file of `{folder}` goes"),
                "set `PRUNE: files`, or move it away".to_owned(),
            ),
            Why::NotListed => (
                Code::PermissionDenied,
                "is a folder that the local tree needs, and what is in it cannot be seen".to_owned(),
                "give the identity the permission to manage the folder".to_owned(),
            ),
            Why::Unreadable(why) => (
                Code::Drift,
                format!("looks changed in the workspace and cannot be copied: it {}", text::one_line(why)),
                "keep it safe by hand, then set `ON_DRIFT: overwrite` for one deploy".to_owned(),
            ),
        };
        Problem::new(code, message).at(self.at(&conflict.path).to_string()).hint(hint)
    }
}

impl Obstacle {
    /// How the process ends because of it.
    pub fn exit(&self) -> Exit {
        match self {
            Obstacle::NothingLeft { .. } => Exit::Settings,
            Obstacle::TooManyDeletions { .. } | Obstacle::Drift(_) | Obstacle::Conflicts(_) => Exit::Conflict,
        }
    }
}
