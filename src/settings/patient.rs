//! What the doctor examines: the settings as far as they can be read.

use super::{AuthType, Chosen, Files, Route, Settings};
use crate::problem::Problem;
use crate::secrets::Claims;
use std::path::PathBuf;
use std::time::Duration;

/// The settings under `ACTION: doctor`, whether they are valid or not.
#[derive(Debug)]
pub struct Patient {
    /// All that is wrong with the variables.
    pub problems: Vec<Problem>,
    /// Why a deploy of this build could not begin, where only the doctor goes on all the same.
    pub stops: Option<Problem>,
    /// What is deployed to, as far as it is known.
    pub target: Option<String>,
    /// What builds of other kinds would deploy to.
    pub other_builds: OtherBuilds,
    /// The application id of the service principal, where it is a good one.
    pub client_id: Option<String>,
    /// What is deployed and how, where that can be used.
    pub files: Option<Files>,
    /// The file of the plan that a deploy is held to.
    pub plan: Option<PathBuf>,
    /// Where the findings go; `None` where `OUTPUT_DIR` is wrong.
    pub output_dir: Option<PathBuf>,
    /// One deadline for everything.
    pub timeout: Duration,
    /// Whether to say more.
    pub debug: bool,
    /// The step's identity token.
    pub step_token: StepToken,
    /// How the host is reached; `None` where one of the variables that say so cannot be used.
    pub route: Option<Route>,
    /// Every way to log in whose variables are set, in the order in which they are preferred.
    pub ways: Vec<Way>,
    /// The settings, with defaults for all that is broken; `None` where there is no host, or no way to log in.
    pub settings: Option<Settings>,
}

/// What a build of a pull request or a tag would deploy to by the same settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherBuilds {
    /// Nothing is deployed.
    Nothing,
    /// The same target.
    SameTarget {
        /// Why: the end of a sentence.
        because: &'static str,
    },
    /// It would not know, and stop.
    Stop,
}

/// What stands where Bitbucket puts the identity token of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepToken {
    /// Nothing.
    Missing,
    /// Something else than a token.
    Unreadable,
    /// A token that says this of itself.
    Claims(Claims),
}

/// A way to log in whose variables are set.
#[derive(Clone, Debug)]
pub struct Way {
    /// Its name.
    pub way: AuthType,
    /// What it takes, or what is wrong with that.
    pub login: Result<Chosen, Vec<Problem>>,
    /// Whether an ordinary run takes it.
    pub taken: bool,
}

impl Patient {
    /// Whether something is wrong with the variable of this name, so that nobody knows what it was meant to say.
    pub fn is_broken(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.place.as_deref() == Some(name))
    }
}
