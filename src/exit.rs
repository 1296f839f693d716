//! The exit codes: a public contract, one number for each class of ending.

/// How the process ends. A code never changes its meaning within a major version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// All that was asked for is done; also: triggered, where `WAIT` is `false`.
    Done = 0,
    /// A setting or a local file is wrong; nothing was changed.
    Settings = 1,
    /// Databricks could not be reached as the identity that was asked for; also: the doctor found something wrong.
    Identity = 2,
    /// The deploy did not finish.
    Deploy = 3,
    /// A run failed.
    RunFailed = 4,
    /// A run was cancelled, or did not happen.
    RunCancelled = 5,
    /// Our own wait ended before the run did.
    WaitEnded = 6,
    /// Somebody else's work is in the way; nothing was overwritten.
    Conflict = 7,
    /// The process was told to stop.
    Interrupted = 8,
    /// A bug in this program.
    Bug = 70,
}

impl Exit {
    /// The number that the operating system is given.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, as the last line of the log.
    pub fn words(self) -> &'static str {
        match self {
            Exit::Done => "Done",
            Exit::Settings => "Stopped before any change",
            Exit::Identity => "Not logged in to Databricks",
            Exit::Deploy => "The deploy did not finish",
            Exit::RunFailed => "A run failed",
            Exit::RunCancelled => "A run was cancelled, or did not happen",
            Exit::WaitEnded => "The wait ended before the run did",
            Exit::Conflict => "Stopped, so that nobody's work is lost",
            Exit::Interrupted => "Told to stop",
            Exit::Bug => "A bug in databricks-deploy",
        }
    }

    /// Of two endings the one that is reported: the earlier in the published order wins.
    #[must_use]
    pub fn or_worse(self, other: Exit) -> Exit {
        const ORDER: [Exit; 10] = [
            Exit::Bug,
            Exit::Interrupted,
            Exit::Settings,
            Exit::Conflict,
            Exit::Identity,
            Exit::Deploy,
            Exit::RunFailed,
            Exit::RunCancelled,
            Exit::WaitEnded,
            Exit::Done,
        ];
        ORDER.into_iter().find(|exit| *exit == self || *exit == other).unwrap_or(Exit::Bug)
    }
}

#[cfg(test)]
mod tests {
    use super::Exit::*;

    #[test]
    fn several_endings_are_reported_in_the_published_order() {
        assert_eq!(Done.or_worse(Done), Done);
        assert_eq!(RunFailed.or_worse(Deploy), Deploy);
        assert_eq!(WaitEnded.or_worse(RunCancelled), RunCancelled);
        assert_eq!(Identity.or_worse(Conflict), Conflict);
        assert_eq!(Conflict.or_worse(Interrupted), Interrupted);
        assert_eq!(Interrupted.or_worse(Bug), Bug);
    }
}
