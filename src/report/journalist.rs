//! Takes every event: shows it at once, and keeps what the reports need.

use super::console::Console;
use super::outputs::Outputs;
use crate::event::{Emit, Event};
use crate::outcome::Outcome;
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The one receiver of events.
pub struct Journalist {
    console: Console,
    outcome: Mutex<Outcome>,
    outputs: OnceLock<Outputs>,
    /// Where Bitbucket reads the step's `output-variables` from, if it says so.
    pipeline_variables: Option<PathBuf>,
}

impl Journalist {
    /// Shows events on `output`.
    pub fn new(output: super::Output, redactor: Redactor, colour: bool) -> Journalist {
        Journalist {
            console: Console::new(output, redactor, colour),
            outcome: Mutex::default(),
            outputs: OnceLock::new(),
            pipeline_variables: None,
        }
    }

    /// Also appends the outputs to this file, at the end.
    #[must_use]
    pub fn with_pipeline_variables(mut self, path: Option<PathBuf>) -> Journalist {
        self.pipeline_variables = path;
        self
    }

    /// From now on writes the outputs into `folder`. A report that cannot be written is a warning, never the exit code.
    pub fn write_outputs_to(&self, folder: &Path, redactor: &Redactor) {
        match Outputs::claim(folder, redactor.clone()) {
            Ok(outputs) => {
                // A process that is killed before anything happened leaves a document, not an empty file.
                if let Err(error) = outputs.write(&self.outcome()) {
                    self.emit(Event::Warned(unwritten(folder, &error)));
                }
                let _ = self.outputs.set(outputs);
            }
            Err(error) => self.emit(Event::Warned(unwritten(folder, &error))),
        }
    }

    fn write_outputs(&self, event: &Event) {
        let Some(outputs) = self.outputs.get() else { return };
        if !matches!(
            event,
            Event::RunTriggered { .. } | Event::RunLinked { .. } | Event::RunEnded(_) | Event::Ended { .. }
        ) {
            return;
        }
        let outcome = self.outcome();
        if let Err(error) = outputs.write(&outcome) {
            // Said once, at the end, and not for each of the writes before.
            if outcome.ended {
                self.emit(Event::Warned(unwritten(outputs.env_file(), &error)));
            }
        }
        if let Some(path) = self.pipeline_variables.as_ref().filter(|_| outcome.ended)
            && let Err(error) = outputs.append_to_pipeline(path, &outcome)
        {
            tracing::debug!("the pipeline's variables are not written: {error}");
        }
    }

    /// The subscriber that shows this program's own `DEBUG:` lines in the same log. Those of its dependencies are not
    /// shown: they know nothing of the redactor and may hold bodies.
    pub fn debug_log(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::registry().with(DebugLog { console: self.console.clone() })
    }

    /// What happened so far.
    pub fn outcome(&self) -> Outcome {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Emit for Journalist {
    fn emit(&self, event: Event) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).fold(&event);
        // Before the last line of the log, so that a warning about them is not behind it.
        self.write_outputs(&event);
        self.console.show(&event);
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(Code::OutputsNotWritten, format!("the outputs cannot be written: {error}"))
        .at(path.to_string_lossy())
        .hint("set `OUTPUT_DIR` to a folder of the clone that the pipe may write to")
}

struct DebugLog {
    console: Console,
}

impl<S: tracing::Subscriber> Layer<S> for DebugLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.console.debug(&line.0);
    }
}

/// The message first, then the other fields as `name=value`.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{rest}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
