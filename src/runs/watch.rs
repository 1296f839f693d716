//! Watches a run to its end: one line when something changes, a heartbeat otherwise, and patience with the workspace.

use super::Context;
use super::explain;
use super::horizon::{self, Horizon};
use super::trigger::Triggered;
use super::verdict::{Class, End, Judgement, judge, judge_disputed};
use crate::databricks::error::Error;
use crate::databricks::runs::{Run, TaskRun};
use crate::event::{Ending, Event, RunEnd};
use crate::exit::Exit;
use crate::order;
use crate::problem::{Code, Problem};
use crate::settings::{OnPartialSuccess, OnTimeout};
use crate::stop::Stop;
use crate::text;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first pause between two looks; each is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: six looks a minute are far below the service's 100 requests a second for a whole workspace.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the log may stay silent.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// How long one look may struggle before the log says so. The watch goes on after that.
const LOOK_PATIENCE: Duration = Duration::from_secs(20);

/// How often a state that contradicts itself is asked for again: the service writes its two forms one after the other.
const DISPUTED_LOOKS: u32 = 3;

/// How many answers in a row that make no sense, or refuse, end the watch: a proxy's page or a moment's lapse of the
/// service must not end a watch of hours.
const STRANGE_LOOKS: u32 = 3;

/// How long a cancellation at the deadline is followed.
const CANCEL_WATCH: Duration = Duration::from_secs(4);

/// Watches until the run ends, or our wait for it.
pub(super) async fn watch(context: &Context<'_>, triggered: &Triggered) -> Result<Ending, Stop> {
    Watch {
        context,
        triggered,
        began: Instant::now(),
        last_line: Instant::now(),
        link: None,
        state: "pending".to_owned(),
        tasks: BTreeMap::new(),
        troubled: false,
        disputed: 0,
        strange: 0,
    }
    .follow()
    .await
}

struct Watch<'a> {
    context: &'a Context<'a>,
    triggered: &'a Triggered,
    began: Instant,
    /// When the log last said something of this run.
    last_line: Instant,
    link: Option<String>,
    /// The run's last known state, in words.
    state: String,
    /// The last known state of every task's attempt, in words.
    tasks: BTreeMap<(String, i64), String>,
    /// Whether the log says at the moment that the workspace does not answer.
    troubled: bool,
    /// How often in a row the state contradicted itself.
    disputed: u32,
    /// How often in a row a look was refused.
    strange: u32,
}

impl Watch<'_> {
    async fn follow(mut self) -> Result<Ending, Stop> {
        let mut pause = FIRST_PAUSE;
        loop {
            // A look that hangs must not use up the time in which the run can still be cancelled.
            let looking = self.context.workspace.until(Horizon::of(self.context).at());
            match looking.run(self.triggered.label.id, LOOK_PATIENCE).await {
                Ok(run) => {
                    self.recovered();
                    if let Some(end) = self.look(&run) {
                        return Ok(self.ended(&run, end).await);
                    }
                }
                Err(error) => self.trouble(&error)?,
            }
            let (now, horizon) = (Instant::now(), Horizon::of(self.context));
            if now >= horizon.at() {
                return Ok(self.out_of_time(&horizon).await);
            }
            if now - self.last_line >= HEARTBEAT {
                self.heartbeat();
            }
            sleep_until((now + pause).min(horizon.at())).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    fn say(&mut self, event: Event) {
        self.last_line = Instant::now();
        self.context.events.emit(event);
    }

    fn heartbeat(&mut self) {
        // Of several attempts the last one counts; the map has them in order.
        let last: BTreeMap<&str, &str> = order::gathered(self.tasks.iter().map(|((key, _), state)| (&**key, &**state)));
        let state = if last.len() > 1 {
            let done = last.values().filter(|state| is_end(state)).count();
            format!("{}, {done} of {} tasks done", self.state, last.len())
        } else {
            self.state.clone()
        };
        let (run, elapsed) = (self.triggered.label.clone(), self.began.elapsed());
        self.say(Event::StillWaiting { run, elapsed, state });
    }

    /// Tells what changed; returns the run's end if it has ended.
    fn look(&mut self, run: &Run) -> Option<End> {
        let label = self.triggered.label.clone();
        if let (None, Some(page)) = (&self.link, &run.page) {
            self.link = Some(page.clone());
            self.say(Event::RunLinked { run: label.clone(), link: page.clone() });
        }
        for task in &run.tasks {
            self.look_at_task(task);
        }
        match judge(&run.status, self.context.settings.on_partial_success) {
            Judgement::Ended(end) => Some(end),
            Judgement::Disputed => {
                self.disputed += 1;
                (self.disputed >= DISPUTED_LOOKS).then(|| judge_disputed(&run.status))
            }
            Judgement::Active(state) => {
                self.disputed = 0;
                if state != self.state {
                    self.state = state.to_owned();
                    // That it starts and runs, the lines of its tasks tell.
                    if !matches!(state, "pending" | "running") {
                        let state = match &run.status.message {
                            Some(why) if state == "queued" => format!("{state}: {}", text::one_line(why)),
                            _ => state.to_owned(),
                        };
                        self.say(Event::RunChanged { run: label, state });
                    }
                }
                None
            }
        }
    }

    fn look_at_task(&mut self, task: &TaskRun) {
        let (state, bad) = match judge(&task.status, OnPartialSuccess::Fail) {
            Judgement::Active(state) => (state.to_owned(), false),
            Judgement::Disputed => return,
            Judgement::Ended(end) => {
                let after = task.took.map(|took| format!(" after {}", text::duration(took))).unwrap_or_default();
                (format!("{}{after}", end.words), matches!(end.class, Class::Failed | Class::Disagrees))
            }
        };
        let known = self.tasks.insert((task.key.clone(), task.attempt), state.clone());
        // Every task starts blocked or pending; what is worth a line is when it runs, and how it ends.
        if known.as_deref() == Some(&*state) || matches!(&*state, "pending" | "blocked" | "queued") {
            return;
        }
        let state = if task.attempt > 0 { format!("{state} (retry {})", task.attempt) } else { state };
        let run = self.triggered.label.clone();
        self.say(Event::TaskChanged { run, task: task.key.clone(), state, bad });
    }

    fn recovered(&mut self) {
        self.strange = 0;
        if std::mem::take(&mut self.troubled) {
            self.say(Event::WatchRecovered(self.triggered.label.clone()));
        }
    }

    /// A look that failed: passing trouble is borne until the deadline; what refuses us again and again ends the watch.
    fn trouble(&mut self, error: &Error) -> Result<(), Stop> {
        self.strange = if error.is_passing() { 0 } else { self.strange + 1 };
        if self.strange < STRANGE_LOOKS {
            if !self.troubled && Instant::now() < Horizon::of(self.context).at() {
                self.troubled = true;
                let run = self.triggered.label.clone();
                self.say(Event::WatchTroubled { run, trouble: error.problem().message });
            }
            return Ok(());
        }
        let mut problem = error.problem().at(format!("run {}", self.triggered.label.id));
        if error.is_lost_identity() {
            problem.code = Code::IdentityLost;
        }
        let message = "cannot be watched any longer, and may go on".to_owned();
        self.context.events.emit(Event::RunEnded(self.report(Ending::WaitEnded, Some(problem.code), message)));
        Err(Stop::because(Exit::WaitEnded, problem))
    }

    async fn ended(&mut self, run: &Run, end: End) -> Ending {
        let (ending, code) = match end.class {
            Class::Succeeded => (Ending::Succeeded, None),
            Class::Failed => (Ending::Failed, Some(Code::RunFailed)),
            Class::Disagrees => (Ending::Failed, Some(Code::StatusDisagrees)),
            Class::Cancelled => (Ending::Cancelled, Some(Code::RunCancelled)),
        };
        if ending == Ending::Succeeded {
            if self.context.settings.show_output {
                explain::outputs(self.context, &self.triggered.label, run).await;
            }
        } else {
            explain::failures(self.context, &self.triggered.label, run).await;
        }
        let message = match &run.status.message {
            Some(said) if ending != Ending::Succeeded => format!("{}: {}", end.words, text::one_line(said)),
            _ => end.words,
        };
        self.context.events.emit(Event::RunEnded(self.report(ending, code, message)));
        ending
    }

    async fn out_of_time(&mut self, horizon: &Horizon) -> Ending {
        let label = self.triggered.label.clone();
        let (waited, code, hint) = match horizon {
            Horizon::Timeout(_) => {
                let timeout = text::duration(self.context.settings.timeout);
                (format!("has not ended within `TIMEOUT` ({timeout})"), Code::WaitEnded, None)
            }
            Horizon::Identity(_, end) => {
                let lasts = horizon::shown(*end);
                (
                    format!("has not ended while the identity lasts ({lasts})"),
                    Code::IdentityEnded,
                    Some(horizon::HINT.to_owned()),
                )
            }
        };
        let message = match self.context.settings.on_timeout {
            OnTimeout::Leave => format!("{waited} and goes on ({}), because `ON_TIMEOUT` is `leave`", self.state),
            OnTimeout::Cancel => {
                let late = self.context.workspace.until(Instant::now() + CANCEL_WATCH);
                match late.cancel(label.id).await {
                    Ok(()) => {
                        self.say(Event::CancelRequested(label.clone()));
                        match self.see_cancelled(&late).await {
                            Some(words) => format!("{waited}, and then {words}"),
                            None => format!("{waited}; it was told to stop and is about to"),
                        }
                    }
                    Err(error) => {
                        let why = error.problem().message;
                        self.context.events.emit(Event::Warned(
                            Problem::new(Code::WaitEnded, format!("the run could not be cancelled: {why}"))
                                .at(label.name)
                                .hint("cancel it by hand"),
                        ));
                        format!("{waited}, could not be cancelled and goes on")
                    }
                }
            }
        };
        let report = self.report(Ending::WaitEnded, Some(code), message);
        self.context.events.emit(Event::RunEnded(RunEnd { hint, ..report }));
        Ending::WaitEnded
    }

    /// Follows a cancellation for a moment; returns how the run ended, if it did.
    async fn see_cancelled(&mut self, late: &crate::databricks::Workspace) -> Option<String> {
        let until = Instant::now() + CANCEL_WATCH;
        while Instant::now() < until {
            if let Ok(run) = late.run(self.triggered.label.id, Duration::from_secs(1)).await {
                for task in &run.tasks {
                    self.look_at_task(task);
                }
                if let Judgement::Ended(end) = judge(&run.status, self.context.settings.on_partial_success) {
                    return Some(end.words);
                }
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        None
    }

    fn report(&self, ending: Ending, code: Option<Code>, message: String) -> RunEnd {
        RunEnd {
            run: self.triggered.label.clone(),
            link: self.link.clone(),
            ending,
            code,
            message,
            hint: None,
            elapsed: self.began.elapsed(),
        }
    }
}

fn is_end(state: &str) -> bool {
    !matches!(state, "queued" | "pending" | "running" | "terminating" | "blocked" | "waiting for a retry")
        && !state.starts_with("in a state")
}
