//! The log that people read, in the style of the official pipes: `INFO:` blue, `WARNING:` yellow, `✔` green, `✖` red.
//! Colours are forced, since a pipe never has a terminal, unless `NO_COLOR` is set.

use super::Output;
use crate::event::{Counts, DriftTold, Ending, Event, PlanTold, RunEnd, TaskFailure};
use crate::exit::Exit;
use crate::finding::{Finding, Verdict};
use crate::plan::{self, Intent};
use crate::problem::Problem;
use crate::secrets::Redactor;
use crate::text;
use std::time::Duration;

/// How long one line from elsewhere may be, in characters, once it is redacted.
const LINE_LENGTH: usize = 1_000;

/// How much of a notebook's result is shown, in characters; the service keeps up to 5 MB of it, a log up to 50 MB.
const OUTPUT_LENGTH: usize = 10_000;

/// How many of many similar lines are shown.
const SHOWN: usize = 20;

/// How many changes of a plan are shown; its file has all.
const SHOWN_CHANGES: usize = 50;

/// Renders events.
#[derive(Clone)]
pub(super) struct Console {
    output: Output,
    redactor: Redactor,
    colour: bool,
}

/// How a line begins and looks: the toolkit's own colours.
#[derive(Clone, Copy)]
enum Style {
    Info,
    Warning,
    Success,
    Failure,
    Unknown,
    Debug,
}

impl Style {
    fn mark(self) -> &'static str {
        match self {
            Style::Info => "INFO: ",
            Style::Warning => "WARNING: ",
            Style::Success => "✔ ",
            Style::Failure => "✖ ",
            Style::Unknown => "? ",
            Style::Debug => "DEBUG: ",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Style::Info => "\u{1b}[34m",
            Style::Warning => "\u{1b}[33m",
            Style::Success => "\u{1b}[32m",
            Style::Failure => "\u{1b}[31m",
            Style::Unknown => "\u{1b}[36m",
            Style::Debug => "\u{1b}[37m",
        }
    }
}

impl Console {
    pub(super) fn new(output: Output, redactor: Redactor, colour: bool) -> Console {
        Console { output, redactor, colour }
    }

    /// Shows a line of the logger.
    pub(super) fn debug(&self, text: &str) {
        self.line(Style::Debug, text);
    }

    /// Shows one event.
    pub(super) fn show(&self, event: &Event) {
        match event {
            Event::Began { version } => self.info(&format!("databricks-deploy {version}")),
            Event::Warned(problem) => self.problem(Style::Warning, problem),
            Event::LoggedIn { host, user, how } => self.info(&format!("Logged in to {host} as {user} ({how})")),
            Event::Ignored { path, reason } => tracing::debug!("ignored {path}: {reason}"),
            Event::Planned(told) => self.planned(told),
            Event::NothingToDo { to, intent: Intent::Deploy, untouched } => {
                let line = match untouched {
                    1 => format!("Nothing to deploy: 1 object in {to} is as it should be"),
                    _ => format!(
                        "Nothing to deploy: {} in {to} are as they should be",
                        text::count(*untouched, "object")
                    ),
                };
                self.line(Style::Success, &line);
            }
            Event::NothingToDo { to, intent: Intent::Destroy, .. } => {
                self.line(
                    Style::Success,
                    &format!(
                        "Nothing to remove: nothing that this identity sees in {to} is known to be deployed from here"
                    ),
                );
            }
            Event::LeftAlone(told) => {
                let lines = told.iter().map(|(path, why)| format!("Left alone: {path} {why}"));
                self.folded(lines, told.len(), |line| self.info(&line));
            }
            Event::Drifted(told) => self.folded(told.iter(), told.len(), |one| self.drifted(one)),
            Event::ChangesBegan { from, to, intent: Intent::Deploy, counts } => {
                self.info(&format!("Deploying from {from} to {to}: {}", changes(counts)));
            }
            Event::ChangesBegan { to, intent: Intent::Destroy, counts, .. } => {
                let what = if counts.deleted > 0 { changes(counts) } else { "only its records are left".to_owned() };
                self.info(&format!("Removing what was deployed to {to}: {what}"));
            }
            Event::DeployProgress { done, total } => {
                self.info(&format!("{} of {} uploaded", text::thousands(*done as u64), text::thousands(*total as u64)))
            }
            Event::ChangesDone { silent: true, .. } => {}
            Event::ChangesDone { to, intent: Intent::Deploy, counts, holds, elapsed, .. } => self.line(
                Style::Success,
                &format!(
                    "Deployed to {to} in {} ({} sent); it holds {}",
                    text::duration(*elapsed),
                    text::bytes(counts.bytes),
                    contents(holds)
                ),
            ),
            Event::ChangesDone { to, intent: Intent::Destroy, counts, elapsed, .. } => {
                let what = match counts.deleted {
                    0 => "the records".to_owned(),
                    deleted => text::count(deleted, "object"),
                };
                self.line(Style::Success, &format!("Removed {what} from {to} in {}", text::duration(*elapsed)));
            }
            Event::PermissionGiven { to, level } => self.info(&format!("Gave the {to} {level} on the folder")),
            Event::LockWait { to, whom, link } => {
                self.linked(&format!("Waiting: {whom} deploys to {to}"), link.as_deref());
            }
            Event::LockStillHeld { whom, elapsed } => {
                self.info(&format!("Still waiting after {}: {whom} deploys", text::duration(*elapsed)));
            }
            Event::LockPassedOver { from, link } => {
                self.linked(&format!("Took over the target's lock from {from}"), link.as_deref());
            }
            Event::TargetKnown { .. } | Event::PlanMade(_) | Event::DriftStops(_) => {}
            Event::IdentityLasts { shown, left, limits } => {
                let left = text::duration(Duration::from_secs(left.as_secs()));
                let then = if *limits {
                    "and cannot be renewed: the wait for runs ends a minute before that"
                } else {
                    "longer than `TIMEOUT`"
                };
                self.info(&format!("The identity lasts {shown} ({left} from now), {then}"));
            }
            Event::RunTriggered { run, .. } => self.info(&format!("Started {}: run {}", run.name, run.id)),
            Event::RunLinked { run, link } => self.info(&format!("Run {} is at {link}", run.id)),
            Event::RunChanged { run, state } => self.info(&format!("Run {}: {state}", run.id)),
            Event::TaskChanged { task, state, bad, .. } => {
                self.line(if *bad { Style::Warning } else { Style::Info }, &format!("  {task}: {state}"));
            }
            Event::StillWaiting { run, elapsed, state } => {
                self.info(&format!("Run {}: still waiting after {} ({state})", run.id, text::duration(*elapsed)));
            }
            Event::WatchTroubled { run, trouble } => self.line(
                Style::Warning,
                &format!("Run {}: its state cannot be read at the moment, the watch goes on: {trouble}", run.id),
            ),
            Event::WatchRecovered(run) => self.info(&format!("Run {}: its state can be read again", run.id)),
            Event::TaskExplained { failure, .. } => self.task_failure(failure),
            Event::TaskOutput { task, output, truncated, .. } => self.task_output(task, output, *truncated),
            Event::RunEnded(report) => self.run_ended(report),
            Event::CancelRequested(run) => self.info(&format!("Run {}: asked to cancel", run.id)),
            Event::NotTriggered { entries, because } => self.line(
                Style::Warning,
                &format!(
                    "Not started, because {because}: {}",
                    entries.iter().map(|entry| format!("`{entry}`")).collect::<Vec<_>>().join(", ")
                ),
            ),
            Event::Examining(group) => self.info(group.title()),
            Event::Found(finding) => self.finding(finding),
            Event::Examined { complete, good, bad, unknown, file } => {
                self.examined(*complete, [*good, *bad, *unknown], file.as_deref());
            }
            Event::Stopped { problems, exit } => self.stopped(problems, *exit),
            Event::Ended { exit, words, elapsed, requests, repetitions } => {
                tracing::debug!(
                    "{}, {repetitions} of them repeated, in {}",
                    text::count(*requests as usize, "request"),
                    text::duration(*elapsed)
                );
                if *exit != Exit::Done {
                    self.line(Style::Failure, &format!("{words} (exit code {})", exit.code()));
                }
            }
        }
    }

    fn finding(&self, finding: &Finding) {
        let style = match finding.verdict {
            Verdict::Good => Style::Success,
            Verdict::Bad => Style::Failure,
            Verdict::Odd => Style::Warning,
            Verdict::Unknown => Style::Unknown,
            Verdict::Told => return self.told(finding),
        };
        let place = finding.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        let code = finding.code.map(|code| format!(" [{}]", code.as_str())).unwrap_or_default();
        self.line_with_end(style, &format!("{place}{}", finding.message), &code);
        self.below(finding.hint.as_deref(), finding.link.as_deref(), &finding.exhibit);
    }

    fn told(&self, finding: &Finding) {
        // What has lines of its own below it stands out from them.
        if finding.exhibit.is_empty() {
            self.detail(&finding.message);
        } else {
            self.info(&finding.message);
        }
        self.below(finding.hint.as_deref(), finding.link.as_deref(), &finding.exhibit);
    }

    fn examined(&self, complete: bool, [good, bad, unknown]: [usize; 3], file: Option<&str>) {
        if let Some(file) = file {
            let which = if complete { "All findings" } else { "The findings so far" };
            self.info(&format!("{which} are in {file}"));
        }
        let unknown = match unknown {
            0 => String::new(),
            1 => "; 1 thing is not known".to_owned(),
            _ => format!("; {unknown} things are not known"),
        };
        let good = format!("{} found good", text::count(good, "thing"));
        let problems = text::count(bad, "problem");
        match bad {
            _ if !complete => {
                self.line(Style::Failure, &format!("Not all was examined: {problems} found so far, {good}{unknown}"));
            }
            0 => self.line(Style::Success, &format!("Nothing was found to be wrong: {good}{unknown}")),
            _ => self.line(Style::Failure, &format!("{problems} found, {good}{unknown}")),
        }
    }

    fn planned(&self, told: &PlanTold) {
        let bytes = if told.counts.bytes > 0 {
            format!(" ({} to send)", text::bytes(told.counts.bytes))
        } else {
            String::new()
        };
        if !told.silent {
            self.info(&format!("Plan for {}: {}{bytes}", told.to, changes(&told.counts)));
        }
        for change in told.changes.iter().take(SHOWN_CHANGES) {
            self.detail(&format!("{} {} ({})", change.sign.symbol(), change.path, change.reason));
        }
        if let Some(more) = told.changes.len().checked_sub(SHOWN_CHANGES).filter(|more| *more > 0) {
            self.detail(&format!("… and {} more", text::thousands(more as u64)));
        }
        if let Some(file) = &told.file {
            self.info(&format!("The whole plan is in {file}"));
        }
    }

    fn drifted(&self, told: &DriftTold) {
        self.line_with_end(Style::Warning, &format!("{} {}", told.path, told.words), " [drift]");
        if let Some(copy) = &told.copy {
            self.detail(&format!("copy: {copy}"));
        }
    }

    /// Shows the first of many.
    fn folded<T>(&self, all: impl Iterator<Item = T>, number: usize, show: impl Fn(T)) {
        all.take(SHOWN).for_each(show);
        if let Some(more) = number.checked_sub(SHOWN).filter(|more| *more > 0) {
            self.info(&format!("… and {} more", text::thousands(more as u64)));
        }
    }

    fn run_ended(&self, report: &RunEnd) {
        let name = capitalised(&report.run.name);
        let after = match report.ending {
            Ending::Triggered => String::new(),
            _ => format!(" (after {})", text::duration(report.elapsed)),
        };
        let style = match report.ending {
            Ending::Succeeded | Ending::Triggered => Style::Success,
            Ending::Failed | Ending::Cancelled | Ending::WaitEnded => Style::Failure,
        };
        let code = report.code.map(|code| format!(" [{}]", code.as_str())).unwrap_or_default();
        self.line_with_end(style, &format!("{name} {}", report.message), &format!("{after}{code}"));
        if let Some(hint) = &report.hint {
            self.detail(&format!("hint: {hint}"));
        }
        if let (Style::Failure, Some(link)) = (style, &report.link) {
            self.info(&format!("Open the run: {link}"));
        }
    }

    fn task_failure(&self, failure: &TaskFailure) {
        self.line(Style::Failure, &format!("Task {} {}", failure.task, failure.ended));
        if let Some(error) = &failure.error {
            self.detail(error);
        }
        // A Python trace ends with the error itself.
        let trace = match failure.trace.split_last() {
            Some((last, rest)) if Some(last) == failure.error.as_ref() => rest,
            _ => &failure.trace,
        };
        for line in trace {
            self.detail(&format!("| {line}"));
        }
        if let Some(notebook) = &failure.notebook {
            self.detail(&format!("notebook: {notebook}"));
        }
        if let Some(link) = &failure.link {
            self.detail(link);
        }
    }

    fn task_output(&self, task: &str, output: &str, truncated: bool) {
        let (shown, cut) = self.redactor.cut(output, OUTPUT_LENGTH);
        self.info(&format!("  {task} returned:"));
        for line in shown.lines() {
            self.output.write(&format!("    | {}\n", text::controls_escaped(line)));
        }
        if truncated || cut {
            self.detail("(cut here; the whole result is on the run's page)");
        }
    }

    fn stopped(&self, problems: &[Problem], exit: Exit) {
        if problems.len() > 1 && exit == Exit::Settings {
            self.line(Style::Failure, &format!("{} problems, and nothing was changed:", problems.len()));
        }
        for (index, problem) in problems.iter().enumerate() {
            // One piece of advice for a row of problems is given once, below the last of them.
            let advised =
                problems.get(index + 1).is_some_and(|next| next.hint == problem.hint && problem.link.is_none());
            if advised {
                self.headline(Style::Failure, problem);
            } else {
                self.problem(Style::Failure, problem);
            }
        }
    }

    /// A line, and the page that it is about.
    fn linked(&self, line: &str, link: Option<&str>) {
        match link {
            Some(link) => self.info(&format!("{line}: {link}")),
            None => self.info(line),
        }
    }

    fn problem(&self, style: Style, problem: &Problem) {
        self.headline(style, problem);
        self.below(problem.hint.as_deref(), problem.link.as_deref(), &problem.exhibit);
    }

    fn below(&self, hint: Option<&str>, link: Option<&str>, exhibit: &[String]) {
        if let Some(hint) = hint {
            self.detail(&format!("hint: {hint}"));
        }
        if let Some(link) = link {
            self.detail(link);
        }
        for line in exhibit {
            self.detail(line);
        }
    }

    fn headline(&self, style: Style, problem: &Problem) {
        let place = problem.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        self.line_with_end(style, &format!("{place}{}", problem.message), &format!(" [{}]", problem.code.as_str()));
    }

    fn info(&self, text: &str) {
        self.line(Style::Info, text);
    }

    fn line(&self, style: Style, text: &str) {
        self.line_with_end(style, text, "");
    }

    /// One line; `end` is shown however long `text` is.
    fn line_with_end(&self, style: Style, text: &str, end: &str) {
        let (text, end) = (self.shown(text, LINE_LENGTH), self.shown(end, LINE_LENGTH));
        let mark = style.mark();
        self.output.write(&if self.colour {
            format!("{}{mark}{text}{end}\u{1b}[0m\n", style.colour())
        } else {
            format!("{mark}{text}{end}\n")
        });
    }

    /// A line that belongs to the one above it.
    fn detail(&self, text: &str) {
        self.output.write(&format!("    {}\n", self.shown(text, LINE_LENGTH)));
    }

    /// The text as it may be shown in one line: redacted first, shortened then, so that no half of a secret is left.
    fn shown(&self, text: &str, length: usize) -> String {
        let (start, cut) = self.redactor.cut(text, length);
        format!("{}{}", text::controls_escaped(&start), if cut { " …" } else { "" })
    }
}

/// `2 new, 1 changed, 997 as they should be`: what is none of is not named.
fn changes(counts: &plan::Counts) -> String {
    let parts: Vec<String> = [
        (counts.created, "new"),
        (counts.changed, "changed"),
        (counts.deleted, "deleted"),
        (counts.adopted, "there already"),
        (counts.untouched, "as they should be"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{} {what}", text::thousands(number as u64)))
    .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// `4 notebooks, 2 files and 1 dashboard in 3 folders`: what is none of is not named.
fn contents(counts: &Counts) -> String {
    let mut parts = Vec::new();
    for (number, name) in [(counts.notebooks, "notebook"), (counts.files, "file"), (counts.dashboards, "dashboard")] {
        if number > 0 {
            parts.push(text::count(number, name));
        }
    }
    let mut contents = match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nothing".to_owned(),
    };
    if counts.folders > 0 {
        contents.push_str(&format!(" in {}", text::count(counts.folders, "folder")));
    }
    contents
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
