//! What is sent, what comes back, and how the two are understood.

use super::client::NoCredential;
use super::wire::ProxyTrouble;
use crate::digest::Digest;
use crate::text;
use bytes::Bytes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A request, described so that it can be built anew for each attempt.
#[derive(Clone, Debug)]
pub struct Call {
    /// The HTTP method.
    pub method: reqwest::Method,
    /// The path below the base address, starting with `/`, without query. Names in it come percent-encoded.
    pub path: String,
    /// The query, encoded when the request is built.
    pub query: Vec<(&'static str, String)>,
    /// Header fields beyond those that every request has.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Body,
    /// Which limiter it counts with.
    pub class: Class,
    /// Whether it may be sent again after an uncertain end.
    pub repeat: Repeat,
    /// How long transient failures of this call are borne, from the first attempt on; the deadline of the client ends
    /// it earlier. `None` means the client's own patience.
    pub patience: Option<Duration>,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// JSON, already written.
    Json(Bytes),
    /// `application/x-www-form-urlencoded`, already written.
    Form(Bytes),
    /// `multipart/form-data`.
    Multipart(Vec<Part>),
}

/// One part of a multipart body.
#[derive(Clone, Debug)]
pub struct Part {
    /// The field's name.
    pub name: &'static str,
    /// What it holds.
    pub content: PartContent,
}

/// What a part holds.
#[derive(Clone, Debug)]
pub enum PartContent {
    /// A short text.
    Text(String),
    /// Bytes in memory, sent as a file.
    Bytes(Bytes),
    /// A file that is streamed from disk, opened anew for each attempt.
    File {
        /// Where it is.
        path: PathBuf,
        /// How long it was when it was looked at, in bytes.
        length: u64,
        /// What it held then: nothing else is sent.
        digest: Digest,
    },
}

/// Which limiter a call counts with, so that one kind never starves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Uploads.
    Import,
    /// Looking at what is there: listings, contents. They come in numbers, too.
    Look,
    /// Job definitions.
    Jobs,
    /// Runs: triggering and watching.
    Runs,
    /// All that must get through: identity, single objects, records, cancel.
    Control,
}

/// Whether a request may be sent again when its end is uncertain (sent, but no answer came back). What certainly did
/// not reach the server may always be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Always: reading, or writing the same over itself.
    Always,
    /// Always, because a token in it makes the server answer a repetition with the first one's effect.
    ByToken,
    /// Never blindly: an uncertain end is returned, and the caller looks before it repeats.
    LookFirst,
}

/// The caller's understanding of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was asked for.
    Accept,
    /// A passing trouble; send again, no earlier than the server asks. The request had no effect.
    Retry,
    /// A passing trouble, but the request may have had its effect (a 5xx): send again where [`Repeat`] allows it.
    RetryUncertain,
    /// The credential was refused; sign anew and send again, once.
    LoginAgain,
    /// Somebody else seems to have answered, or the answer was damaged on its way. From a server that this client has
    /// never had an accepted answer of, that is final: it may be the wrong one. From any other it is a passing trouble,
    /// and the request may have had its effect.
    Foreign,
    /// The server's final word.
    Fail,
}

/// An answer, its body read to the end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header fields.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Bytes,
    /// `POST /api/…`: what was asked, for messages.
    pub request: Arc<str>,
    /// How often it was sent.
    pub attempts: u32,
}

impl Answer {
    /// The server's own name for the request, for its operators: short and printable, or nothing.
    pub fn request_id(&self) -> Option<&str> {
        let id = self.headers.get("x-request-id")?.to_str().ok()?.trim();
        (!id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())).then_some(id)
    }

    /// What time it was at the server (RFC 9110, 6.6.1).
    pub fn date(&self) -> Option<std::time::SystemTime> {
        httpdate::parse_http_date(self.headers.get("date")?.to_str().ok()?.trim()).ok()
    }

    /// How long the server asks us to wait (RFC 9110, 10.2.3): seconds, or a date. A date counts from the answer's own
    /// `Date`, because the two clocks need not agree; without one it says nothing.
    pub fn retry_after(&self) -> Option<Duration> {
        let field = |name: &str| self.headers.get(name)?.to_str().ok().map(str::trim);
        let value = field("retry-after")?;
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let until = httpdate::parse_http_date(value).ok()?;
        Some(until.duration_since(self.date()?).unwrap_or_default())
    }
}

/// Why a call has no accepted answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The server's final word.
    #[error("{} was refused with status {}", .0.request, .0.status)]
    Refused(Answer),
    /// A passing trouble that outlasted our patience; or the deadline came first.
    #[error("{request} has no answer after {} in {}: {cause}", Attempts(*.attempts), text::duration(*.elapsed))]
    Exhausted {
        /// `POST /api/…`.
        request: Arc<str>,
        /// How often it was sent.
        attempts: u32,
        /// For how long.
        elapsed: Duration,
        /// The last of the failures.
        cause: Cause,
        /// Whether it was the process' deadline that ended it.
        by_deadline: bool,
        /// Whether one of the attempts may have had its effect.
        uncertain: bool,
    },
    /// The request may have had its effect, and may not be repeated blindly.
    #[error("{request} was sent, but how it ended is not known: {cause}")]
    Uncertain {
        /// `POST /api/…`.
        request: Arc<str>,
        /// What came instead of an answer.
        cause: Cause,
    },
    /// A trouble that repetition does not cure: a certificate, a name that does not exist, a local file.
    #[error("{request}: {cause}")]
    Fatal {
        /// `POST /api/…`.
        request: Arc<str>,
        /// What it is.
        cause: Cause,
    },
}

/// One attempt's bad end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Cause {
    /// An answer that asks for patience.
    #[error("status {}", .0.status)]
    Answer(Answer),
    /// The name does not resolve.
    #[error("the name cannot be resolved ({0})")]
    Name(String),
    /// No connection: the request certainly did not arrive.
    #[error("no connection ({0})")]
    Connect(String),
    /// The TLS handshake failed: the request certainly did not arrive.
    #[error("TLS failed ({0})")]
    Tls(String),
    /// Sent, but no answer in time.
    #[error("no answer within {}", text::duration(*.0))]
    Timeout(Duration),
    /// The connection broke while the request or the answer was under way.
    #[error("the connection broke ({0})")]
    Broken(String),
    /// A local file could not be read, or was no longer what it was, when it was sent: no whole request went out.
    #[error("{0}")]
    LocalFile(String),
    /// The proxy did not let the connection pass: the request certainly did not arrive. Proxy, and what went wrong.
    #[error("the proxy `{0}` {1}")]
    Proxy(String, ProxyTrouble),
    /// No credential could be had.
    #[error("{}", .0.problem.message)]
    Login(NoCredential),
    /// The answer is longer than this many bytes, which is more than the client takes into memory.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// The request cannot be written as HTTP.
    #[error("the request cannot be built ({0})")]
    Invalid(String),
    /// An earlier answer 429 closed the way for all calls of this class, for longer than our patience.
    #[error("the server asks for a pause of {}", text::duration(*.0))]
    Throttled(Duration),
    /// What had to hold for it to be sent does not hold any longer; see [`super::Fence`].
    #[error("it may not be sent any longer")]
    Fenced,
    /// The same, when it was under way: we have broken the connection.
    #[error("it was broken off, because it may not be under way any longer")]
    BrokenOff,
    /// The deadline came before the request's first attempt.
    #[error("there was no time left to send it")]
    NoTime,
}

/// Counts attempts in words.
struct Attempts(u32);

impl std::fmt::Display for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} attempt{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}
