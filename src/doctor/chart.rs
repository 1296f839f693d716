//! Tells what is found, and remembers what is bad.

use crate::event::{Emit, Event};
use crate::finding::{Finding, Group, Verdict};
use crate::problem::{Code, Problem};

/// The findings of one examination.
pub(super) struct Chart<'a> {
    events: &'a dyn Emit,
    group: Option<Group>,
    bad: Vec<Problem>,
    /// The question that there was no time to repeat. What is asked after it is no more than guessed at, and not told.
    out_of_time: Option<Problem>,
    /// Whether a question ended because the credential that had let us in was not taken any more.
    shut_out: bool,
    /// The group that has been told of such questions after that one.
    shut_out_of: Option<Group>,
}

impl<'a> Chart<'a> {
    pub(super) fn new(events: &'a dyn Emit) -> Chart<'a> {
        Chart { events, group: None, bad: Vec::new(), out_of_time: None, shut_out: false, shut_out_of: None }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.out_of_time.is_none() && finding.code == Some(Code::TimeIsUp) {
            self.out_of_time = finding.problem();
        }
        if self.out_of_time.is_some() {
            return;
        }
        if is_shut_out(&finding) && std::mem::replace(&mut self.shut_out, true) {
            // It is one problem, however many questions it ends.
            let group = finding.group;
            if self.shut_out_of.replace(group) != Some(group) {
                let message = "what else had to be asked: not known, for the credential was not taken any more";
                self.tell(Finding::unknown(group, message));
            }
            return;
        }
        self.tell(finding);
    }

    fn tell(&mut self, finding: Finding) {
        if self.group != Some(finding.group) {
            self.group = Some(finding.group);
            self.events.emit(Event::Examining(finding.group));
        }
        if finding.verdict == Verdict::Bad {
            self.bad.extend(finding.problem());
        }
        self.events.emit(Event::Found(finding));
    }

    pub(super) fn good(&mut self, group: Group, message: impl Into<String>) {
        self.add(Finding::good(group, message));
    }

    pub(super) fn told(&mut self, group: Group, message: impl Into<String>) {
        self.add(Finding::told(group, message));
    }

    pub(super) fn unknown(&mut self, group: Group, message: impl Into<String>) {
        self.add(Finding::unknown(group, message));
    }

    pub(super) fn bad(&mut self, group: Group, problem: Problem) {
        self.add(Finding::bad(group, problem));
    }

    pub(super) fn odd(&mut self, group: Group, problem: Problem) {
        self.add(Finding::odd(group, problem));
    }

    /// Whether the very same has been told already.
    pub(super) fn has(&self, problem: &Problem) -> bool {
        self.bad.contains(problem)
    }

    /// Whether a problem of this kind has been told already.
    pub(super) fn has_code(&self, code: Code) -> bool {
        self.bad.iter().any(|problem| problem.code == code)
    }

    /// The question that the deadline cut short, if there was one.
    pub(super) fn out_of_time(self) -> Option<Problem> {
        self.out_of_time
    }
}

/// Whether it is the credential that ended a question which only somebody asks who has been let in.
fn is_shut_out(finding: &Finding) -> bool {
    finding.verdict == Verdict::Bad
        && matches!(finding.group, Group::Target | Group::Runs)
        && matches!(finding.code, Some(Code::InvalidToken | Code::IdentityEnded | Code::NoTrustPolicy))
}
