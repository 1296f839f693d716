//! The wire below the client: the network, or in tests a server in the same process.

use super::body::LocalFile;
use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// Carries one request, once. The tests put a server of the same process behind it, because paused time and real
/// sockets do not go together.
pub trait Wire: Send + Sync {
    /// Sends the request and returns the answer's head; its body is read by the caller.
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>>;
}

/// Why no answer came.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WireError {
    /// The name does not resolve.
    #[error("{0}")]
    Name(String),
    /// No connection.
    #[error("{0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("{0}")]
    Tls(String),
    /// The connection broke after the request was at least partly sent.
    #[error("{0}")]
    Broken(String),
    /// The body could not be read from disk.
    #[error("{0}")]
    LocalFile(String),
}

impl From<reqwest::Error> for WireError {
    /// Sorts an error by what stands in its chain of sources, and keeps the whole chain as text: the words that help
    /// ("Name or service not known") are its last, four or five links down.
    fn from(error: reqwest::Error) -> WireError {
        let error = error.without_url();
        let text = one_line(&error);
        if let Some(file) = links(&error).find_map(|link| link.downcast_ref::<LocalFile>()) {
            return WireError::LocalFile(file.to_string());
        }
        if error.is_dns() {
            return WireError::Name(text);
        }
        if !error.is_connect() {
            return WireError::Broken(text);
        }
        match links(&error).find_map(|link| link.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => {
                WireError::Tls(format!("{text}; the other side does not speak TLS on this port"))
            }
            Some(_) => WireError::Tls(text),
            None => WireError::Connect(text),
        }
    }
}

/// The error and all that caused it. `io::Error` passes over the error that it holds and names that one's source, so it
/// is looked into.
fn links<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let link = next?;
        next = match link.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => link.source(),
        };
        Some(link)
    })
}

/// The chain in one line, without the repetitions that wrappers bring.
fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    let mut previous = String::new();
    for link in links(error) {
        let text = link.to_string();
        if text.is_empty() || previous.contains(&text) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.extend(text.chars().map(|char| if char.is_control() { ' ' } else { char }));
        previous = text;
    }
    line
}
