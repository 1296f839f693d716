//! What a reader is told: what happened, in the server's own words, and what to do about it.

use super::{ApiError, Error, Meaning, Shape};
use crate::http::{Cause, Failure, ProxyTrouble};
use crate::problem::{Code, Problem};
use crate::text;

impl Error {
    /// The error for the log. The caller adds the place, and a better hint where it knows one.
    pub fn problem(&self) -> Problem {
        match self {
            Error::Api(error) => error.problem(),
            Error::Transport(failure) => transport(failure),
        }
    }
}

impl ApiError {
    /// The error for the log.
    pub fn problem(&self) -> Problem {
        let (code, hint) = advice(self);
        let problem = Problem::new(code, self.to_string()).hint(hint);
        match self.details.links.iter().find(|link| text::is_link(link)) {
            Some(link) => problem.link(link),
            None => problem,
        }
    }
}

/// The code and the hint for an error of the workspace.
fn advice(error: &ApiError) -> (Code, String) {
    let (code, hint) = match error.meaning() {
        Meaning::InvalidToken => (
            Code::InvalidToken,
            "the credential is wrong, expired, revoked or of another workspace: make a new one, or check the host",
        ),
        Meaning::Unauthenticated => {
            (Code::InvalidToken, "the workspace saw no credential that it takes: check the credential and the host")
        }
        Meaning::PermissionDenied => {
            (Code::PermissionDenied, "ask an owner or a workspace admin to grant the identity what the message names")
        }
        Meaning::IpAccessList => (
            Code::PermissionDenied,
            "allow the addresses of this runner in the workspace's IP access list, or run where the address is allowed",
        ),
        Meaning::PrivateLink => {
            (Code::PermissionDenied, "run on a machine inside the network that the workspace's private link belongs to")
        }
        Meaning::NotFound => {
            (Code::NotFound, "check the name; what the identity may not see looks as if it were not there")
        }
        Meaning::ParentMissing => (
            Code::NotFound,
            "look whether this identity has rights on the folder; if it was deleted in the meantime, run again",
        ),
        Meaning::AlreadyExists => (Code::UnexpectedAnswer, "something else made it in the meantime: run again"),
        Meaning::TypeMismatch { .. } => {
            (Code::TypeMismatch, "delete or move what is there, or choose another name for the local file")
        }
        Meaning::TooLarge => (Code::UnexpectedAnswer, "make it smaller, or leave it out of the deploy"),
        Meaning::NotEmpty => (Code::UnexpectedAnswer, "delete or move what is in the folder, or leave the folder"),
        Meaning::Protected => {
            (Code::UnexpectedAnswer, "only Databricks itself makes and deletes folders there: choose another folder")
        }
        Meaning::RateLimited => (
            Code::RateLimited,
            "other work may be using up the workspace's rate limit: run again later, or run fewer pipelines at once",
        ),
        Meaning::Transient => (Code::ServerError, "run again; see https://status.databricks.com if it stays"),
        Meaning::NotDatabricks if error.shape == Shape::Redirect => {
            (Code::NotDatabricks, "check `DATABRICKS_HOST`: it must be the address of the workspace itself")
        }
        Meaning::NotDatabricks => (
            Code::NotDatabricks,
            "check `DATABRICKS_HOST`: it must be the address of a workspace, with no proxy that asks for a login on the way",
        ),
        Meaning::Malformed | Meaning::Other => {
            (Code::UnexpectedAnswer, "see the message; Databricks' support can look the request id up")
        }
    };
    (code, hint.to_owned())
}

/// Trouble below the API.
fn transport(failure: &Failure) -> Problem {
    match failure {
        Failure::Refused(answer) => ApiError::read(answer).problem(),
        // It says itself what was asked of whom.
        Failure::Fatal { cause: Cause::Login(reason), .. } => (*reason.problem).clone(),
        // What was going to be asked does not matter: it was not.
        Failure::Fatal { cause: cause @ Cause::LocalFile(_), .. } => {
            of_cause(cause, format!("{cause}; it was not sent"))
        }
        Failure::Fatal { request, cause } => of_cause(cause, format!("`{request}`: {cause}")),
        Failure::Uncertain { request, cause } => {
            let message = format!("`{request}` was sent, but how it ended is not known: {}", last_words(cause));
            of_cause(cause, message).hint("look in the workspace whether it had its effect, then run again")
        }
        Failure::Exhausted { request, attempts, elapsed, cause, by_deadline, .. } => {
            let (last, asked) = (last_words(cause), asked_pause(cause));
            let time = if *by_deadline { ", and the time is up" } else { "" };
            let message = match attempts {
                0 => format!("`{request}` was not sent: {last}"),
                1 => format!("`{request}` failed{time}: {last}{asked}"),
                _ => format!(
                    "`{request}` failed for {} ({attempts} attempts){time}: {last}{asked}",
                    text::duration(*elapsed)
                ),
            };
            // More time would not make a host answer that never took a connection.
            if !*by_deadline || matches!(cause, Cause::Name(_) | Cause::Connect(_)) {
                return of_cause(cause, message);
            }
            let (code, hint) = time_is_up();
            Problem::new(code, message).hint(hint)
        }
    }
}

fn time_is_up() -> (Code, String) {
    (Code::TimeIsUp, "raise `TIMEOUT`, if the work needs more time than that".to_owned())
}

/// The problem for a cause, with its own hint.
fn of_cause(cause: &Cause, message: String) -> Problem {
    let (code, hint) = match cause {
        Cause::Answer(answer) => advice(&ApiError::read(answer)),
        Cause::Name(_) => (Code::HostNotFound, "check `DATABRICKS_HOST` for a typing error".to_owned()),
        Cause::Connect(_) => (
            Code::HostUnreachable,
            "check `DATABRICKS_HOST`, and whether the network of this runner may reach it".to_owned(),
        ),
        Cause::Tls(text) => (Code::TlsFailed, tls_hint(text).to_owned()),
        Cause::Timeout(_) | Cause::Broken(_) => {
            (Code::HostUnreachable, "the network or a proxy on the way gave up: run again".to_owned())
        }
        Cause::LocalFile(_) => (
            Code::Unreadable,
            "let nothing change the files while they are deployed, and run the step again".to_owned(),
        ),
        Cause::Proxy(_, trouble) => (Code::ProxyFailed, proxy_hint(trouble).to_owned()),
        Cause::Login(reason) => (reason.problem.code, reason.problem.hint.clone().unwrap_or_default()),
        Cause::TooLong(_) => (Code::UnexpectedAnswer, "check `DATABRICKS_HOST`".to_owned()),
        Cause::Throttled(_) => (Code::RateLimited, "run again later, or run fewer pipelines at once".to_owned()),
        Cause::NoTime => time_is_up(),
        Cause::Fenced | Cause::BrokenOff => (Code::LockLost, "run the step again".to_owned()),
        Cause::Invalid(_) => (Code::Bug, "report this, please".to_owned()),
    };
    Problem::new(code, message).hint(hint)
}

/// What trouble with a proxy most likely comes from.
fn proxy_hint(trouble: &ProxyTrouble) -> &'static str {
    match trouble {
        ProxyTrouble::Name(_) => "check `HTTPS_PROXY` for a typing error",
        ProxyTrouble::Connect(_) | ProxyTrouble::Broken(_) => {
            "check `HTTPS_PROXY`, and whether the network of this runner may reach the proxy"
        }
        ProxyTrouble::Tls(_) => {
            "check `HTTPS_PROXY`: most proxies are reached by `http://`, also for encrypted connections; the certificate of \
             a private authority goes into `CA_BUNDLE`"
        }
        ProxyTrouble::Login => {
            "give user and password in `HTTPS_PROXY`, with a colon between them and an `@` before the host, in a secured \
             variable; special characters of the password are percent-encoded"
        }
        ProxyTrouble::Refused => {
            "the proxy may not allow the host, or not reach it: ask those who run it, or list the host in `NO_PROXY`"
        }
    }
}

/// What a failed handshake most likely comes from.
fn tls_hint(text: &str) -> &'static str {
    let says = |word: &str| text.contains(word);
    if says("UnknownIssuer") || says("BadSignature") {
        "no authority that this pipe trusts vouches for the certificate: check `DATABRICKS_HOST`; where a proxy on the way \
         opens TLS connections, or the authority is a private one, give its certificate in `CA_BUNDLE`"
    } else if says("Expired") || says("expired") {
        "the host's certificate has expired, or this machine's clock is wrong"
    } else if says("not valid for name") || says("NotValidForName") {
        "the certificate belongs to another name: check `DATABRICKS_HOST`"
    } else if says("does not speak TLS") {
        "the address is that of a plain http port: check the port in `DATABRICKS_HOST`"
    } else {
        "check `DATABRICKS_HOST`, and whether a proxy on the way opens TLS connections"
    }
}

/// The cause in words; an answer in the server's.
fn last_words(cause: &Cause) -> String {
    match cause {
        Cause::Answer(answer) => {
            let error = ApiError::read(answer);
            let id = error.request_id.as_ref().map(|id| format!(" (request id {id})")).unwrap_or_default();
            format!("status {}: {}{id}", error.status, error.words())
        }
        other => other.to_string(),
    }
}

fn asked_pause(cause: &Cause) -> String {
    match cause {
        Cause::Answer(answer) => match answer.retry_after() {
            Some(pause) if !pause.is_zero() => format!("; it asks for a pause of {}", text::duration(pause)),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
