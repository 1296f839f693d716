//! What went wrong, in the four parts that a reader needs: a stable code, the place, the message, a hint.

use std::fmt;

/// One thing that is wrong. The text may name anything but a secret; every sink redacts it once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind of problem; stable, so that it can be searched for.
    pub code: Code,
    /// Where: a variable, a file, a job or a run.
    pub place: Option<String>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The page to open, shown alone at the end of its line.
    pub link: Option<String>,
    /// Lines to read or to paste, shown as they are: what the message is about.
    pub exhibit: Box<[String]>,
}

impl Problem {
    /// A problem that belongs to no one place.
    pub fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem { code, place: None, message: message.into(), hint: None, link: None, exhibit: Box::default() }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Problem {
        self.place = Some(place.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Names the page to open.
    #[must_use]
    pub fn link(mut self, link: impl Into<String>) -> Problem {
        self.link = Some(link.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.message, self.code.as_str())
    }
}

/// Makes the enum of codes, their names and one sentence on each: the README's table is tested against it.
macro_rules! codes {
    ($($variant:ident $name:literal $meaning:literal;)*) => {
        /// The kinds of problems. A name never changes within a major version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code there is, in the order of the README's table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The name that the log shows in brackets.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $name,)* }
            }

            /// One sentence on what it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }
        }
    };
}

codes! {
    // Settings
    MissingVariable "missing-variable" "A variable that this action needs is not set";
    InvalidValue "invalid-value" "A variable has a value that it cannot have";
    UnresolvedVariable "unresolved-variable" "A value is the literal `$NAME`: the step never defined NAME";
    UnknownVariable "unknown-variable" "A variable is one edit away from one that this pipe knows";
    NotUnicode "not-unicode" "A variable's value is not UTF-8";
    HostNotAllowed "host-not-allowed" "A credential would go to a host that is neither Databricks' nor vouched for";
    NoStepToken "no-step-token" "The step has no identity token: `oidc: true` is missing";
    ConflictingVariables "conflicting-variables" "Two variables contradict each other";
    NoEffect "no-effect" "A variable, or a part of its value, has no effect";
    // Local files
    NoSuchFolder "no-such-folder" "`LOCAL_PATH` is not a folder in the clone";
    EmptyTree "empty-tree" "No file is left to deploy";
    NameCollision "name-collision" "Two local files claim one name in the workspace";
    InvalidName "invalid-name" "A file's name cannot be a workspace name";
    NotebookTooLarge "notebook-too-large" "A notebook is over the limit of the workspace";
    FileTooLarge "file-too-large" "A file is over the limit of the workspace";
    LeavesTree "leaves-tree" "A link points out of the tree";
    LfsPointer "lfs-pointer" "A file is a Git LFS pointer, not its content";
    InvalidNotebook "invalid-notebook" "A notebook cannot be read as one";
    SecretInFile "secret-in-file" "A live secret of this step, or what looks like a token, is in a file";
    Unreadable "unreadable" "A local file or folder cannot be read, or changed while it was deployed";
    // Reaching Databricks
    HostNotFound "host-not-found" "The host's name cannot be resolved";
    HostUnreachable "host-unreachable" "No connection to the host";
    TlsFailed "tls-failed" "The host's certificate or its TLS is not acceptable";
    ProxyFailed "proxy-failed" "The proxy cannot be reached, or does not let the connection pass";
    NotDatabricks "not-databricks" "The host answers, but not as a Databricks workspace does";
    NoTrustPolicy "no-trust-policy" "No federation policy of the service principal fits the identity token";
    InvalidToken "invalid-token" "Databricks does not accept the credential";
    PermissionDenied "permission-denied" "The identity may not do this";
    RateLimited "rate-limited" "The workspace kept answering 429 until patience ended";
    ServerError "server-error" "The workspace kept failing until patience ended";
    UnexpectedAnswer "unexpected-answer" "The workspace refused a request for a reason of its own";
    ClockSkew "clock-skew" "This machine's clock and the server's do not agree";
    TimeIsUp "time-is-up" "`TIMEOUT` passed before the work was done";
    // Deploying
    TypeMismatch "type-mismatch" "The workspace holds an object of another kind at this path";
    DeployUnfinished "deploy-unfinished" "The deploy ended before everything was sent";
    NotVerified "not-verified" "Something that was sent is not there as it was sent";
    NotFound "not-found" "Something that was named is not there";
    ForeignOwner "foreign-owner" "Another repository, or another pipe of this one, deploys to this `WORKSPACE_PATH`";
    NewerState "newer-state" "A newer version of the pipe wrote the target's state";
    DamagedState "damaged-state" "The target's state cannot be believed, and counts as lost; only `ACTION: destroy` stops";
    ForeignObject "foreign-object" "An object that was never deployed from here is in the way";
    Drift "drift" "Somebody changed in the workspace what was deployed";
    PruneGuard "prune-guard" "More than half of what was deployed would be deleted";
    Locked "locked" "Another build deploys to the target, and did not end before `TIMEOUT` did";
    Overtaken "overtaken" "A newer build deployed to the target while this one waited for it";
    LockLost "lock-lost" "The target's lock went to another build while this one did not answer";
    InvalidPlan "invalid-plan" "The file that `PLAN` names is not a plan that this version can read";
    PlanChanged "plan-changed" "The plan is no longer the one that was seen";
    // Runs
    JobNotFound "job-not-found" "No job answers to an entry of `RUN`";
    AmbiguousJob "ambiguous-job" "More than one job answers to an entry of `RUN`";
    UnknownParameter "unknown-parameter" "The job does not define a parameter that `PARAMS` gives";
    ParametersNotAccepted "parameters-not-accepted" "The job's tasks take no such parameters";
    LanguageNotSupported "language-not-supported" "The compute that was asked for cannot run the notebook's language";
    TriggerFailed "trigger-failed" "The run could not be started";
    RunFailed "run-failed" "The run ended in failure";
    RunCancelled "run-cancelled" "The run was cancelled, or did not happen";
    StatusDisagrees "status-disagrees" "The run's status fields contradict each other";
    WaitEnded "wait-ended" "Our wait ended before the run did";
    IdentityEnded "identity-ended" "The identity token is over, so that no new access token can be bought with it";
    IdentityLost "identity-lost" "Databricks stopped accepting the credential in the middle of the work";
    // Ours
    OutputsNotWritten "outputs-not-written" "The files in `OUTPUT_DIR` cannot be written; a warning only";
    Interrupted "interrupted" "The process was told to stop";
    Bug "bug" "A bug in this program";
}
