//! Secrets: the type that holds one, and the redactor that every sink writes through.
//!
//! Four sinks, one redactor: console and logger, files, panic message, insights bodies.

mod claims;
mod forms;
mod redactor;
pub mod scan;
mod search;
pub mod shapes;
mod writer;

pub use claims::Claims;
pub use forms::MIN_LENGTH;
pub use redactor::{MARKER, Redactor};
pub use writer::RedactingWriter;

use secrecy::{ExposeSecret, SecretString};

/// A value that must never be seen: no `Display`, no `Serialize`, and a `Debug` that says nothing.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a value into custody. Tell the [`Redactor`] of it at once.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(SecretString::from(value.into()))
    }

    /// The value itself: only where a request is signed or a token requested, in a proxy URL, and in the redactor and
    /// the secret scan.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
