//! Takes down what is found, tells it, and counts.

use crate::event::{Emit, Event};
use crate::finding::{Finding, Group, Verdict};
use crate::problem::{Code, Problem};

/// The findings of one examination.
pub(super) struct Chart<'a> {
    events: &'a dyn Emit,
    group: Option<Group>,
    good: usize,
    bad: Vec<Problem>,
    unknown: usize,
}

impl<'a> Chart<'a> {
    pub(super) fn new(events: &'a dyn Emit) -> Chart<'a> {
        Chart { events, group: None, good: 0, bad: Vec::new(), unknown: 0 }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.group != Some(finding.group) {
            self.group = Some(finding.group);
            self.events.emit(Event::Examining(finding.group));
        }
        match finding.verdict {
            Verdict::Good => self.good += 1,
            Verdict::Bad => self.bad.extend(finding.problem()),
            Verdict::Unknown => self.unknown += 1,
            Verdict::Odd | Verdict::Told => {}
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

    /// How many findings are good and bad, and how many things are not known.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.good, self.bad.len(), self.unknown)
    }
}
