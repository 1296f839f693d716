//! Takes every event: shows it at once, and keeps what the reports need.

use super::console::Console;
use crate::event::{Emit, Event};
use crate::outcome::Outcome;
use std::fmt::{Debug, Write};
use std::sync::{Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The one receiver of events.
pub struct Journalist {
    console: Console,
    outcome: Mutex<Outcome>,
}

impl Journalist {
    /// Shows events on `output`.
    pub fn new(output: super::Output, redactor: crate::secrets::Redactor, colour: bool) -> Journalist {
        Journalist { console: Console::new(output, redactor, colour), outcome: Mutex::default() }
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
        self.console.show(&event);
    }
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
