//! The one stream that everything is written to, in order, and through the redactor.

use crate::secrets::{RedactingWriter, Redactor};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where lines go. All clones write to the same stream; a line is never torn by another.
#[derive(Clone)]
pub struct Output {
    stream: Arc<Mutex<RedactingWriter<Box<dyn Write + Send>>>>,
}

impl Output {
    /// Writes to `stream`, and only what `redactor` lets through.
    pub fn new(stream: Box<dyn Write + Send>, redactor: Redactor) -> Output {
        Output { stream: Arc::new(Mutex::new(RedactingWriter::new(stream, redactor))) }
    }

    /// Writes the text, which ends with a newline, at once. A log that nobody reads any more is no reason to leave a
    /// deploy half-done, so a failure to write is ignored.
    pub fn write(&self, text: &str) {
        let mut stream = self.lock();
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    fn lock(&self) -> MutexGuard<'_, RedactingWriter<Box<dyn Write + Send>>> {
        // A writer that panicked in the middle of a line leaves a stream that can still be written to.
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
