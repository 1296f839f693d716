//! What the doctor found: one line each, for the log and for `doctor.json`.

use crate::problem::{Code, Problem};

/// One thing that was examined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it belongs to.
    pub group: Group,
    /// How it counts.
    pub verdict: Verdict,
    /// Which kind of problem it is, where it is one.
    pub code: Option<Code>,
    /// Where: a variable, a job, a path.
    pub place: Option<String>,
    /// What was found, in one sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The page to open, shown alone at the end of its line.
    pub link: Option<String>,
    /// Lines to read or to paste, shown as they are.
    pub exhibit: Box<[String]>,
}

/// How a finding counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// A run would fail by it.
    Bad,
    /// Odd, but this step would run.
    Odd,
    /// The platform does not tell, or it could not be examined.
    Unknown,
    /// Neither good nor bad: to know.
    Told,
}

/// What findings are grouped by, in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The pipe's variables.
    Variables,
    /// The files of the clone.
    Files,
    /// The step's identity token.
    StepToken,
    /// The host and the way to it.
    Host,
    /// The two clocks.
    Clock,
    /// The ways to log in.
    LogIn,
    /// The federation policy that lets the step in.
    Policy,
    /// Who we are.
    Identity,
    /// The target's folder, its owner, and the rights on it.
    Target,
    /// What `RUN` names.
    Runs,
    /// What builds of other kinds would do.
    Builds,
}

impl Group {
    /// The heading in the log.
    pub fn title(self) -> &'static str {
        match self {
            Group::Variables => "Variables",
            Group::Files => "Local files",
            Group::StepToken => "Step token",
            Group::Host => "Host",
            Group::Clock => "Clock",
            Group::LogIn => "Log-in",
            Group::Policy => "Trust policy",
            Group::Identity => "Identity",
            Group::Target => "Target",
            Group::Runs => "Runs",
            Group::Builds => "Other builds",
        }
    }

    /// The name in `doctor.json`.
    pub fn name(self) -> &'static str {
        match self {
            Group::Variables => "variables",
            Group::Files => "files",
            Group::StepToken => "step-token",
            Group::Host => "host",
            Group::Clock => "clock",
            Group::LogIn => "log-in",
            Group::Policy => "policy",
            Group::Identity => "identity",
            Group::Target => "target",
            Group::Runs => "runs",
            Group::Builds => "builds",
        }
    }
}

impl Verdict {
    /// The name in `doctor.json`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Odd => "odd",
            Verdict::Unknown => "unknown",
            Verdict::Told => "told",
        }
    }
}

impl Finding {
    fn new(group: Group, verdict: Verdict, message: String) -> Finding {
        Finding { group, verdict, code: None, place: None, message, hint: None, link: None, exhibit: Box::default() }
    }

    /// All is well with it.
    pub fn good(group: Group, message: impl Into<String>) -> Finding {
        Finding::new(group, Verdict::Good, message.into())
    }

    /// Nobody can tell.
    pub fn unknown(group: Group, message: impl Into<String>) -> Finding {
        Finding::new(group, Verdict::Unknown, message.into())
    }

    /// To know.
    pub fn told(group: Group, message: impl Into<String>) -> Finding {
        Finding::new(group, Verdict::Told, message.into())
    }

    /// What an ordinary run would stop for, in its words.
    pub fn bad(group: Group, problem: Problem) -> Finding {
        Finding::of(group, Verdict::Bad, problem)
    }

    /// What an ordinary run would warn of, or would never notice.
    pub fn odd(group: Group, problem: Problem) -> Finding {
        Finding::of(group, Verdict::Odd, problem)
    }

    /// A problem, whatever it counts as.
    pub fn of(group: Group, verdict: Verdict, problem: Problem) -> Finding {
        let Problem { code, place, message, hint, link, exhibit } = problem;
        Finding { group, verdict, code: Some(code), place, message, hint, link, exhibit }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Finding {
        self.place = Some(place.into());
        self
    }

    /// Names the page to open.
    #[must_use]
    pub fn link(mut self, link: impl Into<String>) -> Finding {
        self.link = Some(link.into());
        self
    }

    /// Shows lines below it.
    #[must_use]
    pub fn exhibit(mut self, lines: impl IntoIterator<Item = String>) -> Finding {
        self.exhibit = lines.into_iter().collect();
        self
    }

    /// The problem that it is; `None` for one without a code.
    pub fn problem(&self) -> Option<Problem> {
        let mut problem = Problem::new(self.code?, self.message.clone());
        problem.place.clone_from(&self.place);
        problem.hint.clone_from(&self.hint);
        problem.link.clone_from(&self.link);
        problem.exhibit.clone_from(&self.exhibit);
        Some(problem)
    }
}
