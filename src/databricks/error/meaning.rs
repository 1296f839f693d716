//! What an error means, and what follows for the call that got it.

use super::parse::{is_blank, is_json, looks_like_json};
use super::{ApiError, Shape};
use crate::http::{Answer, Verdict};

/// What an error of the workspace means. The code counts more than the status, as in the official SDKs; where the service
/// gives neither, its words count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The token is wrong, revoked or expired.
    InvalidToken,
    /// No credential was seen, or one of a kind that the API does not take.
    Unauthenticated,
    /// The identity is known, but may not do this.
    PermissionDenied,
    /// The workspace does not accept this network's address.
    IpAccessList,
    /// The workspace is only reachable over its private link.
    PrivateLink,
    /// What was named does not exist. A missing job or run is a 400 on the real service, and recognised here.
    NotFound,
    /// The folder that something was to be put into does not exist.
    ParentMissing,
    /// Something of this name exists.
    AlreadyExists,
    /// An object of another kind has this name.
    TypeMismatch {
        /// What exists (`NOTEBOOK`, `FILE`, …), where the server says it.
        existing: Option<String>,
    },
    /// The content is over a limit of the workspace.
    TooLarge,
    /// A folder that should be deleted holds something.
    NotEmpty,
    /// Only the platform itself does this in that place: it makes a home folder with its user, say.
    Protected,
    /// Too many requests.
    RateLimited,
    /// A passing trouble.
    Transient,
    /// The request's content was refused.
    Malformed,
    /// It was not Databricks that answered: a login page, a proxy, another server.
    NotDatabricks,
    /// Something else.
    Other,
}

/// Texts of passing troubles that come before any effect, whatever their status (py _base_client.py, go apierr).
const NOT_READY: [&str; 6] = [
    "UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "There is no worker environment with id",
    "Unknown worker environment",
    "ClusterNotReadyException",
    "Authentication is temporarily unavailable",
];

/// Texts of passing troubles that leave open what they stopped.
const CUT_SHORT: [&str; 4] =
    ["Unexpected error", "Please try again later or try a faster operation.", "Timed out after ", "deadline exceeded"];

/// Texts of a limit, which some APIs send with other statuses than 429.
const LIMITED: [&str; 2] = ["RPC token bucket limit has been exceeded", "REQUEST_LIMIT_EXCEEDED"];

/// How a call to any API of the workspace that answers in JSON is to be understood.
///
/// 429 and 503 had no effect; 500, 502 and 504 may have had one. A success that is no whole JSON, and a redirect, come from
/// a wrong host; or, where it has been right before, from somebody between: a proxy, a log-in page.
pub fn classify(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 if is_blank(&answer.body) || is_json(&answer.body) => return Verdict::Accept,
        200..=299 => return Verdict::Foreign,
        300..=399 if ApiError::read(answer).meaning() == Meaning::NotDatabricks => return Verdict::Foreign,
        0..=399 => return Verdict::Fail,
        401 => return Verdict::LoginAgain,
        429 | 503 => return Verdict::Retry,
        // A refusal of which a part was lost on the way says nothing that one can rely on.
        _ if looks_like_json(&answer.body) && !is_json(&answer.body) => return Verdict::Foreign,
        _ => {}
    }
    let error = ApiError::read(answer);
    match error.meaning() {
        Meaning::InvalidToken | Meaning::Unauthenticated => Verdict::LoginAgain,
        Meaning::RateLimited => Verdict::Retry,
        _ if mentions(&error, &NOT_READY) || is(&error, "TEMPORARILY_UNAVAILABLE") => Verdict::Retry,
        Meaning::Transient => Verdict::RetryUncertain,
        _ => Verdict::Fail,
    }
}

/// The same for calls whose answer must say something: nothing at all is no answer to them.
pub fn classify_content(answer: &Answer) -> Verdict {
    match classify(answer) {
        Verdict::Accept if is_blank(&answer.body) => Verdict::Foreign,
        verdict => verdict,
    }
}

pub(super) fn of(error: &ApiError) -> Meaning {
    match sort(error) {
        // A folder that is there already is no error; something else in its place is.
        Meaning::AlreadyExists if error.request.ends_with("/workspace/mkdirs") => {
            Meaning::TypeMismatch { existing: None }
        }
        meaning => meaning,
    }
}

fn sort(error: &ApiError) -> Meaning {
    let says = |texts: &[&str]| mentions(error, texts);
    match error.shape {
        Shape::Redirect if is(error, "PRIVATE_LINK_VALIDATION_ERROR") => return Meaning::PrivateLink,
        Shape::Redirect => return Meaning::NotDatabricks,
        Shape::Page if error.status < 400 => return Meaning::NotDatabricks,
        Shape::Success => return Meaning::Other,
        _ => {}
    }
    // What the front door says, by its words: it has only numbers for codes.
    if says(&["IP ACL", "IP access list", "Unauthorized network access"]) {
        return Meaning::IpAccessList;
    }
    if is(error, "invalid_token") || says(&["Invalid access token", "token is expired", "token expired"]) {
        return Meaning::InvalidToken;
    }
    if error.status == 429 || is(error, "RESOURCE_EXHAUSTED") || is(error, "REQUEST_LIMIT_EXCEEDED") || says(&LIMITED) {
        return Meaning::RateLimited;
    }
    if let Some(meaning) = by_details(error).or_else(|| by_code(error)) {
        return meaning;
    }
    if says(&NOT_READY) || says(&CUT_SHORT) {
        return Meaning::Transient;
    }
    match error.status {
        500 | 502..=504 => Meaning::Transient,
        // An API of Databricks answers in JSON, also where it refuses; a page is a proxy's, or another server's.
        _ if error.shape == Shape::Page => Meaning::NotDatabricks,
        400 if says(&["already exists"]) => Meaning::AlreadyExists,
        400 => Meaning::Malformed,
        401 => Meaning::Unauthenticated,
        403 => Meaning::PermissionDenied,
        404 if error.code.as_deref() == Some("ENDPOINT_NOT_FOUND") => Meaning::Other,
        404 if is_missing_parent(error) => Meaning::ParentMissing,
        404 => Meaning::NotFound,
        409 => Meaning::AlreadyExists,
        413 => Meaning::TooLarge,
        _ => Meaning::Other,
    }
}

/// Reasons that stand in `details` only, or in words that vary.
fn by_details(error: &ApiError) -> Option<Meaning> {
    let reason = error.details.reason.as_deref().unwrap_or_default();
    let message = error.message.as_str();
    if reason == "WORKSPACE_OBJECT_TYPE_MISMATCH"
        || message.contains("due to type mismatch (asked:")
        || message.contains("is different from the existing node type [")
    {
        let existing = error.details.metadata.get("existing_type").cloned();
        let existing = existing.or_else(|| between(message, "actual: ", ")"));
        return Some(Meaning::TypeMismatch {
            existing: existing.or_else(|| between(message, "existing node type [", "]")),
        });
    }
    let too_large = ["MAX_NOTEBOOK_SIZE_EXCEEDED", "MAX_READ_SIZE_EXCEEDED"];
    let is_too_large = too_large.iter().any(|code| *code == reason || is(error, code))
        || message.contains("exceeded max size (")
        || message.contains("Maximum file size of ");
    is_too_large.then_some(Meaning::TooLarge)
}

fn by_code(error: &ApiError) -> Option<Meaning> {
    Some(match error.code.as_deref()? {
        "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND" if is_missing_parent(error) => Meaning::ParentMissing,
        "RESOURCE_DOES_NOT_EXIST" | "NOT_FOUND" | "SCIM_404" => Meaning::NotFound,
        "ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS" | "SCIM_409" => Meaning::AlreadyExists,
        "DIRECTORY_NOT_EMPTY" => Meaning::NotEmpty,
        "DIRECTORY_PROTECTED" => Meaning::Protected,
        "PERMISSION_DENIED" => Meaning::PermissionDenied,
        "UNAUTHENTICATED" | "401" => Meaning::Unauthenticated,
        // The front door answers every refused credential so, and a lacking permission with PERMISSION_DENIED.
        "403" => Meaning::InvalidToken,
        "TEMPORARILY_UNAVAILABLE" | "DEADLINE_EXCEEDED" => Meaning::Transient,
        "INVALID_PARAMETER_VALUE" if is_missing_job(error) || is_missing_cluster(error) => Meaning::NotFound,
        "INVALID_PARAMETER_VALUE" | "MALFORMED_REQUEST" | "BAD_REQUEST" | "INVALID_STATE"
            if !mentions(error, &NOT_READY) && !mentions(error, &CUT_SHORT) =>
        {
            Meaning::Malformed
        }
        _ => return None,
    })
}

/// A missing job or run is no 404 (py errors/overrides.py, go error_overrides.go).
fn is_missing_job(error: &ApiError) -> bool {
    let message = error.message.as_str();
    error.request.contains("/jobs/")
        && ((["Job ", "Run "].iter().any(|start| message.starts_with(start)) && message.contains(" does not exist"))
            || (message.starts_with("Run: ") && message.contains(" in job: ") && message.contains(" doesn't exist")))
}

/// Nor is a missing cluster.
fn is_missing_cluster(error: &ApiError) -> bool {
    let message = error.message.as_str();
    error.request.contains("/clusters/get") && message.starts_with("Cluster ") && message.contains(" does not exist")
}

fn is_missing_parent(error: &ApiError) -> bool {
    error.message.contains("parent folder") && error.message.contains("does not exist")
}

fn is(error: &ApiError, code: &str) -> bool {
    error.code.as_deref() == Some(code)
}

fn mentions(error: &ApiError, texts: &[&str]) -> bool {
    texts.iter().any(|text| error.message.contains(text))
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let start = text.find(before)? + before.len();
    let rest = text.get(start..)?;
    rest.get(..rest.find(after)?).map(str::to_owned)
}
