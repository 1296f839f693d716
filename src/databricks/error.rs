//! Errors of the workspace: what it said, what that means, and what a reader is told.

mod meaning;
mod parse;
mod problem;
#[cfg(test)]
mod tests;

pub use meaning::{Meaning, classify, classify_content};
pub use parse::{parse_done, parse_json};

use crate::http::{Answer, Cause, Failure};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the workspace answered instead of what was asked for. All texts are the server's: printable, in one line and of
/// bounded length, but not redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `RESOURCE_DOES_NOT_EXIST`; the front door's numbers (`403`) and SCIM's (`SCIM_409`) likewise. Some errors have none.
    pub code: Option<String>,
    /// The server's own words; where it had none, what it sent instead.
    pub message: String,
    /// What it said beyond that.
    pub details: Box<Details>,
    /// In which shape it came.
    pub shape: Shape,
    /// `POST /api/…`: what was asked.
    pub request: Arc<str>,
    /// How often it was asked.
    pub attempts: u32,
    /// The server's name for the request: what Databricks' support asks for.
    pub request_id: Option<String>,
}

/// In which shape an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As JSON or text that only an API sends.
    Api,
    /// A web page, or text that no Databricks API sends.
    Page,
    /// A redirect: no API of Databricks redirects.
    Redirect,
    /// Nothing at all.
    Empty,
    /// A success, but not the JSON that was expected.
    Success,
}

/// The `details` of an error (go-sdk apierr/details.go), as far as somebody needs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// `ErrorInfo.reason`.
    pub reason: Option<String>,
    /// `ErrorInfo.metadata`.
    pub metadata: BTreeMap<String, String>,
    /// `RetryInfo.retry_delay`.
    pub retry_delay: Option<Duration>,
    /// `BadRequest.field_violations` and `PreconditionFailure.violations`, each in one line.
    pub violations: Vec<String>,
    /// `Help.links`: addresses.
    pub links: Vec<String>,
}

impl ApiError {
    /// Reads an answer in any of the shapes of an error.
    pub fn read(answer: &Answer) -> ApiError {
        parse::error(answer)
    }

    /// What it means.
    pub fn meaning(&self) -> Meaning {
        meaning::of(self)
    }

    /// The server's words with its code, in one line. The front door's codes only repeat the status.
    pub fn words(&self) -> String {
        match &self.code {
            Some(code) if *code != self.status.to_string() && !self.message.starts_with(code.as_str()) => {
                format!("{code}: {}", self.message)
            }
            _ => self.message.clone(),
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was answered with status {}: {}", self.request, self.status, self.words())?;
        match &self.request_id {
            Some(id) => write!(f, " (request id {id})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

/// Why an endpoint has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The workspace refused, or its answer makes no sense.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// There is no answer, or none but a passing trouble until patience ended.
    #[error(transparent)]
    Transport(Box<Failure>),
}

impl Error {
    /// What the workspace said last, if it said anything.
    pub fn api(&self) -> Option<ApiError> {
        match self {
            Error::Api(error) => Some((**error).clone()),
            Error::Transport(failure) => match &**failure {
                Failure::Refused(answer) => Some(ApiError::read(answer)),
                Failure::Exhausted { cause, .. } | Failure::Uncertain { cause, .. } | Failure::Fatal { cause, .. } => {
                    match cause {
                        Cause::Answer(answer) => Some(ApiError::read(answer)),
                        _ => None,
                    }
                }
            },
        }
    }

    /// What the workspace's last word means, if it said anything.
    pub fn meaning(&self) -> Option<Meaning> {
        self.api().map(|error| error.meaning())
    }

    /// Whether the request may have had its effect, so that one has to look before it is repeated.
    pub fn is_uncertain(&self) -> bool {
        match self {
            // It was taken, but what came back cannot be read.
            Error::Api(error) => (200..300).contains(&error.status),
            Error::Transport(failure) => match &**failure {
                Failure::Uncertain { .. } => true,
                Failure::Exhausted { uncertain, .. } => *uncertain,
                Failure::Fatal { cause, .. } => matches!(cause, Cause::TooLong(_)),
                Failure::Refused(_) => false,
            },
        }
    }

    /// The same, where whoever was to look has looked each time and repeated the request in vain.
    #[must_use]
    pub fn repeated(self, attempts: u32, elapsed: Duration) -> Error {
        match self {
            Error::Transport(failure) => Error::Transport(Box::new(match *failure {
                Failure::Uncertain { request, cause } => {
                    Failure::Exhausted { request, attempts, elapsed, cause, by_deadline: false, uncertain: true }
                }
                other => other,
            })),
            other => other,
        }
    }

    /// The workspace's own words, if it said anything.
    pub fn said(&self) -> Option<String> {
        self.api().map(|error| error.words())
    }

    /// Whether the workspace does not take us at all, so that every other request would end likewise.
    pub fn is_about_identity(&self) -> bool {
        self.is_lost_identity() || matches!(self.meaning(), Some(Meaning::IpAccessList | Meaning::PrivateLink))
    }

    /// Whether we are no longer who we were: the workspace does not take the credential, and a new one cannot be had.
    pub fn is_lost_identity(&self) -> bool {
        match self {
            Error::Transport(failure) if self.has_no_credential() => {
                matches!(&**failure, Failure::Fatal { cause: Cause::Login(reason), .. } if !reason.passing)
            }
            _ => matches!(self.meaning(), Some(Meaning::InvalidToken | Meaning::Unauthenticated)),
        }
    }

    /// Whether the request was not sent because there was nothing to sign it with.
    pub fn has_no_credential(&self) -> bool {
        matches!(self, Error::Transport(failure) if matches!(**failure, Failure::Fatal { cause: Cause::Login(_), .. }))
    }

    /// Whether it concerns only what this one request was about, so that others may succeed.
    pub fn is_about_one_object(&self) -> bool {
        match self {
            Error::Api(error) => matches!(
                error.meaning(),
                Meaning::NotFound
                    | Meaning::ParentMissing
                    | Meaning::AlreadyExists
                    | Meaning::TypeMismatch { .. }
                    | Meaning::TooLarge
                    | Meaning::NotEmpty
                    | Meaning::Protected
                    | Meaning::Malformed
                    | Meaning::Other
            ),
            Error::Transport(failure) => {
                matches!(**failure, Failure::Fatal { cause: Cause::LocalFile(_), .. })
            }
        }
    }

    /// Whether an answer came that is longer than what was going to be read.
    pub fn is_too_long(&self) -> bool {
        matches!(self, Error::Transport(failure)
            if matches!(**failure, Failure::Fatal { cause: Cause::TooLong(_), .. }))
    }

    /// Whether the same question may be answered later: nothing is known against it but that no answer came.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Api(error) => matches!(error.meaning(), Meaning::NotDatabricks),
            Error::Transport(_) => !self.is_lost_identity(),
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Error {
        Error::Api(Box::new(error))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        match failure {
            Failure::Refused(answer) => Error::from(ApiError::read(&answer)),
            other => Error::Transport(Box::new(other)),
        }
    }
}
