//! Reads one variable after the other and keeps all that is wrong with them.

use super::choices::Spelled;
use super::custody::is_public;
use super::echo::{Echo, escape};
use super::parse::{self, unresolved, unresolved_problem};
use super::raw::Raw;
use super::variables::{Given, Kind, Split};
use crate::problem::{Code, Problem};
use crate::secrets::Secret;
use globset::GlobBuilder;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// A value that is there but of no use: a problem has been told, so nobody needs to complain that it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

/// A variable's value, as far as it can be used.
pub(super) type Read<T> = Result<T, Broken>;

/// Collects every problem instead of stopping at the first.
pub(super) struct Reader<'s> {
    secrets: &'s [Secret],
    broken: BTreeSet<&'static str>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl<'s> Reader<'s> {
    /// Goes on from what the raw reading found.
    pub(super) fn new(raw: &mut Raw, secrets: &'s [Secret]) -> Reader<'s> {
        Reader {
            secrets,
            broken: std::mem::take(&mut raw.broken),
            problems: std::mem::take(&mut raw.problems),
            warnings: std::mem::take(&mut raw.warnings),
        }
    }

    /// How to show parts of this variable's value.
    pub(super) fn echo(&self, given: Given<'_>) -> Echo<'s> {
        Echo::new(given.value.unwrap_or_default(), self.secrets)
    }

    /// The text, where one is given.
    pub(super) fn text<'r>(&mut self, given: Given<'r>) -> Read<Option<&'r str>> {
        let name = given.variable.name;
        if self.broken.contains(name) {
            return Err(Broken);
        }
        let Some(text) = given.value else { return Ok(None) };
        match unresolved(text.trim()) {
            None => Ok(Some(text)),
            Some(missing) => {
                // Of a secret only a name is shown that everybody knows: anything else may be the secret itself.
                let known = !given.variable.is_secret() || is_public(missing);
                let shown = if known { self.echo(given).show(text.trim()) } else { "`$…`".to_owned() };
                let missing = Some(missing).filter(|_| known && !self.echo(given).hides_all());
                self.fail(given, unresolved_problem("", &shown, missing))
            }
        }
    }

    /// The text read by `parse`, where one is given.
    pub(super) fn parsed<T>(
        &mut self,
        given: Given<'_>,
        parse: impl FnOnce(&str, Echo<'s>) -> Result<T, Problem>,
    ) -> Read<Option<T>> {
        match self.text(given)? {
            None => Ok(None),
            Some(text) => match parse(text, self.echo(given)) {
                Ok(value) => Ok(Some(value)),
                Err(problem) => self.fail(given, problem),
            },
        }
    }

    /// The text, or the table's default, read by `parse`.
    pub(super) fn or_default<T>(
        &mut self,
        given: Given<'_>,
        parse: impl FnOnce(&str, Echo<'s>) -> Result<T, Problem>,
    ) -> Read<T> {
        let value = given.value.or(given.variable.default_value());
        match self.parsed(Given { value, ..given }, parse)? {
            Some(value) => Ok(value),
            // A table without the default is a bug of ours, and a loud one.
            None => self.fail(given, Problem::new(Code::Bug, "has no default")),
        }
    }

    pub(super) fn boolean(&mut self, given: Given<'_>) -> Read<bool> {
        self.or_default(given, parse::boolean)
    }

    pub(super) fn duration(&mut self, given: Given<'_>) -> Read<Duration> {
        self.or_default(given, parse::duration)
    }

    pub(super) fn choice<C: Spelled>(&mut self, given: Given<'_>) -> Read<C> {
        self.or_default(given, parse::choice)
    }

    /// The items of a list of names in which each may stand once.
    pub(super) fn names(&mut self, given: Given<'_>) -> Read<Vec<String>> {
        let mut first = HashMap::new();
        self.list(given, |number, item, echo| {
            let earlier = *first.entry(item.to_owned()).or_insert(number);
            if earlier != number {
                let message = format!("item {number} repeats item {earlier}: {}", echo.show(item));
                let hint = "name each job once; to run one with several parameters use several steps";
                return Some(Problem::new(Code::InvalidValue, message).hint(hint));
            }
            item.chars().any(char::is_control).then(|| {
                let message = format!("item {number} has a control character in it: {}", echo.show(item));
                Problem::new(Code::InvalidValue, message).hint("name one job an item")
            })
        })
    }

    /// The items of a list of file patterns, each of which can be matched.
    pub(super) fn patterns(&mut self, given: Given<'_>) -> Read<Vec<String>> {
        self.list(given, |number, item, echo| {
            if item.starts_with('!') {
                let message = format!("item {number}, {}, starts with `!`", echo.show(item));
                let hint = "`INCLUDE` adds files back and `EXCLUDE` leaves them out: move the pattern to the other one";
                return Some(Problem::new(Code::InvalidValue, message).hint(hint));
            }
            let error = GlobBuilder::new(item).literal_separator(true).build().err()?;
            // It quotes characters of the pattern as they are.
            let why = escape(&error.kind().to_string());
            let message = format!("item {number}, {}, is not a pattern: {why}", echo.show(item));
            let hint = "patterns are those of `.gitignore`: `*`, `**`, `?`, `[a-z]`, `{a,b}`";
            Some(Problem::new(Code::InvalidValue, message).hint(hint))
        })
    }

    /// The items of a list, all of which pass `check`; it is given an item's number, counted from one.
    pub(super) fn list(
        &mut self,
        given: Given<'_>,
        mut check: impl FnMut(usize, &str, Echo<'s>) -> Option<Problem>,
    ) -> Read<Vec<String>> {
        let split = match given.variable.kind {
            Kind::List(split) => split,
            _ => Split::Lines,
        };
        let items = self.parsed(given, |text, _| parse::list(text, split))?.unwrap_or_default();
        let echo = self.echo(given);
        let mut read = Ok(());
        for (number, item) in (1..).zip(&items) {
            let problem = match unresolved(item) {
                Some(missing) => {
                    let missing = Some(missing).filter(|_| !echo.hides(item));
                    Some(unresolved_problem(&format!("item {number} is "), &echo.show(item), missing))
                }
                None => check(number, item, echo),
            };
            if let Some(problem) = problem {
                read = self.fail(given, problem);
            }
        }
        read.map(|()| items)
    }

    /// Names and values, in order. A value may well start with a dollar sign, so one that looks unresolved is only
    /// warned of; so is one that looks like a token, since everybody who may see a run can read its parameters.
    pub(super) fn map(&mut self, given: Given<'_>) -> Read<Vec<(String, String)>> {
        let pairs = self.parsed(given, parse::map)?.unwrap_or_default();
        // Each value is judged by itself: one that is a secret does not hide the names of the others.
        let echo = Echo::new("", self.secrets);
        for (name, value) in &pairs {
            let name = echo.show(name);
            if echo.hides(value) {
                let message = format!("the value of {name} looks like a token (not shown)");
                let hint = "everybody who may see the run can read its parameters: let the job read a secret scope";
                self.warn(given, Problem::new(Code::InvalidValue, message).hint(hint));
            } else if let Some(missing) = unresolved(value) {
                let subject = format!("the value of {name} is ");
                self.warn(given, unresolved_problem(&subject, &echo.show(value), Some(missing)));
            }
        }
        Ok(pairs)
    }

    /// Keeps a problem of this variable.
    pub(super) fn fail<T>(&mut self, given: Given<'_>, problem: Problem) -> Read<T> {
        self.broken.insert(given.variable.name);
        self.problems.push(problem.at(given.variable.name));
        Err(Broken)
    }

    /// Keeps a warning about this variable.
    pub(super) fn warn(&mut self, given: Given<'_>, problem: Problem) {
        self.warnings.push(problem.at(given.variable.name));
    }
}
