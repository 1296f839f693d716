//! An early end of the walk.

use crate::exit::Exit;
use crate::problem::{Code, Problem};

/// Why the walk ends early, and with which exit code.
#[derive(Clone, Debug)]
pub struct Stop {
    /// How the process ends.
    pub exit: Exit,
    /// All that is wrong. Empty where events have told it already.
    pub problems: Vec<Problem>,
}

impl Stop {
    /// An end for one reason.
    pub fn because(exit: Exit, problem: Problem) -> Stop {
        Stop { exit, problems: vec![problem] }
    }

    /// An end that has been told already.
    pub fn told(exit: Exit) -> Stop {
        Stop { exit, problems: Vec::new() }
    }

    /// An end by our own fault.
    pub fn bug(what: &str) -> Stop {
        Stop::because(
            Exit::Bug,
            Problem::new(Code::Bug, what).hint("this is a bug in databricks-deploy: please report it with this log"),
        )
    }
}
