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
    /// The proxy, as host and port, did not let the connection pass.
    #[error("the proxy `{0}` {1}")]
    Proxy(String, ProxyTrouble),
    /// The connection broke after the request was at least partly sent.
    #[error("{0}")]
    Broken(String),
    /// The body could not be read from disk.
    #[error("{0}")]
    LocalFile(String),
}

/// What went wrong with a proxy.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProxyTrouble {
    /// Its name does not resolve.
    #[error("has a name that cannot be resolved ({0})")]
    Name(String),
    /// No connection to it.
    #[error("cannot be reached ({0})")]
    Connect(String),
    /// The TLS handshake with it failed.
    #[error("cannot be reached over TLS ({0})")]
    Tls(String),
    /// It asks for a user and a password, or does not take those it was given.
    #[error("asks for a log-in (status 407)")]
    Login,
    /// It answered, but opened no way to the host: it may not want to, or may not reach it either.
    #[error("opens no connection to the host")]
    Refused,
    /// It hung up, or its answer is no HTTP.
    #[error("broke off ({0})")]
    Broken(String),
}

impl WireError {
    /// Sorts an error of a request that went through `proxy`.
    pub(super) fn through(proxy: &str, error: reqwest::Error) -> WireError {
        // The tunnel's own error type is not public; its words are its interface.
        const TUNNEL: &str = "tunnel error: ";
        let tunnel =
            links(&error).map(ToString::to_string).find_map(|text| text.strip_prefix(TUNNEL).map(str::to_owned));
        let Some(tunnel) = tunnel else {
            return match WireError::from(error) {
                WireError::Connect(text) => WireError::Connect(format!("{text}, through the proxy `{proxy}`")),
                other => other,
            };
        };
        let trouble = match tunnel.as_str() {
            "proxy authorization required" => ProxyTrouble::Login,
            "unsuccessful" => ProxyTrouble::Refused,
            "failed to create underlying connection" => match WireError::from(error) {
                WireError::Name(text) => ProxyTrouble::Name(text),
                WireError::Tls(text) => ProxyTrouble::Tls(text),
                other => ProxyTrouble::Connect(other.to_string()),
            },
            _ => ProxyTrouble::Broken(WireError::from(error).to_string()),
        };
        WireError::Proxy(proxy.to_owned(), trouble)
    }
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
