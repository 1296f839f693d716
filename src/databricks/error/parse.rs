//! Reads answers: the JSON that was asked for, or an error in any of the shapes that really occur.
//!
//! The shapes and their order are those of the official SDKs (go apierr/errors.go, py errors/parser.py).

use super::{ApiError, Details, Shape};
use crate::http::Answer;
use crate::order;
use crate::text;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use std::time::Duration;

/// How much of a server's text is kept, in characters.
const LONGEST_TEXT: usize = 600;

/// How much of a page is looked at, in bytes.
const LONGEST_PAGE: usize = 64 * 1024;

/// How many details of a kind are kept.
const MOST_DETAILS: usize = 16;

/// The JSON of a successful answer. Pages, redirects, empty bodies and other JSON are errors that say what came instead.
pub fn parse_json<T: DeserializeOwned>(answer: &Answer) -> Result<T, ApiError> {
    if !is_success(answer) || !looks_like_json(&answer.body) {
        return Err(error(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|reason| {
        if reason.is_eof() {
            return error(answer);
        }
        let message = format!("the answer is not the JSON that was expected ({})", clean(&reason.to_string()));
        new(answer, Shape::Success, None, message)
    })
}

/// A successful answer whose content does not matter: `{}`, `null` or nothing (the SDKs accept all three). Pages and
/// redirects are errors.
pub fn parse_done(answer: &Answer) -> Result<(), ApiError> {
    let fine = is_success(answer) && (is_blank(&answer.body) || is_json(&answer.body));
    if fine { Ok(()) } else { Err(error(answer)) }
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

pub(super) fn is_blank(body: &[u8]) -> bool {
    body.trim_ascii().is_empty()
}

/// Whether the body is JSON to its end.
pub(super) fn is_json(body: &[u8]) -> bool {
    looks_like_json(body) && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// What is said of JSON whose end is missing.
const CUT: &str = "the answer ends in the middle";

fn is_cut(body: &[u8]) -> bool {
    looks_like_json(body) && matches!(serde_json::from_slice::<IgnoredAny>(body), Err(error) if error.is_eof())
}

/// Whether the body starts as JSON does: enough to tell an API from a login page.
pub(super) fn looks_like_json(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    matches!(body.first(), Some(b'{' | b'[' | b'"')) || body.trim_ascii_end() == b"null"
}

fn new(answer: &Answer, shape: Shape, code: Option<String>, message: String) -> ApiError {
    let (message, named) = without_request_id(&message);
    let message = clean(&message);
    ApiError {
        status: answer.status,
        code: code.map(|code| clean(&code)).filter(|code| !code.is_empty()),
        // Some texts hold nothing that can be shown.
        message: if message.is_empty() { phrase(answer.status) } else { message },
        details: Box::default(),
        shape,
        request: answer.request.clone(),
        attempts: answer.attempts,
        request_id: named.or_else(|| answer.request_id().map(str::to_owned)),
    }
}

/// Reads an error.
pub(super) fn error(answer: &Answer) -> ApiError {
    if (300..400).contains(&answer.status) {
        return redirect(answer);
    }
    if is_success(answer) {
        return success(answer);
    }
    if let Ok(Value::Object(fields)) = serde_json::from_slice(&answer.body)
        && let Some(error) = object(answer, &fields)
    {
        return error;
    }
    if is_cut(&answer.body) {
        return new(answer, Shape::Page, None, CUT.to_owned());
    }
    let page = &answer.body[..answer.body.len().min(LONGEST_PAGE)];
    let text = String::from_utf8_lossy(page);
    let text = text.trim();
    if text.is_empty() {
        // The front door puts its reason here (seen on refused tokens).
        let reason = answer.headers.get("x-databricks-reason-phrase").and_then(|reason| reason.to_str().ok());
        let shape = if reason.is_some() { Shape::Api } else { Shape::Empty };
        return new(answer, shape, None, reason.map_or_else(|| phrase(answer.status), str::to_owned));
    }
    if let Some((code, message)) = coded_text(text) {
        return new(answer, Shape::Api, Some(code.to_owned()), message.to_owned());
    }
    if is_page(text) {
        return match element(text, "pre") {
            Some(message) => new(answer, Shape::Api, Some(code_of(answer.status)), message),
            None => {
                let title = element(text, "title").map(|title| format!(", \"{}\"", clean(&title)));
                new(answer, Shape::Page, None, format!("a web page{}", title.unwrap_or_default()))
            }
        };
    }
    new(answer, Shape::Page, None, text.to_owned())
}

/// JSON objects in the shapes of API 2.x, 1.2, SCIM, OAuth and Google.
fn object(answer: &Answer, fields: &Map<String, Value>) -> Option<ApiError> {
    let text = |name: &str| fields.get(name).and_then(scalar).filter(|text| !text.trim().is_empty());
    let api = |code, message: String| Some(new(answer, Shape::Api, code, message));
    if fields.contains_key("error_code") || fields.contains_key("message") {
        let code = text("error_code");
        let mut error = new(answer, Shape::Api, code, text("message").unwrap_or_else(|| phrase(answer.status)));
        if let Some(Value::Array(details)) = fields.get("details") {
            let (details, request_id) = read_details(details);
            error.details = Box::new(details);
            error.request_id = request_id.or(error.request_id);
        }
        return Some(error);
    }
    if let Some(description) = text("error_description") {
        return api(text("error"), description);
    }
    match fields.get("error") {
        Some(Value::Object(inner)) => {
            let inner_text = |name: &str| inner.get(name).and_then(scalar);
            return api(inner_text("status").or_else(|| inner_text("code")), inner_text("message")?);
        }
        Some(Value::String(message)) => return api(None, message.clone()),
        _ => {}
    }
    let detail = text("detail").or_else(|| text("scimType"))?;
    api(Some(format!("SCIM_{}", text("status").unwrap_or_else(|| answer.status.to_string()))), detail)
}

/// A string, or a number as one: `error_code` is declared as either.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn read_details(details: &[Value]) -> (Details, Option<String>) {
    let mut read = Details::default();
    let mut request_id = None;
    let text = |value: &Value, name: &str| value.get(name).and_then(scalar).map(|text| clean(&text));
    for detail in details.iter().take(MOST_DETAILS) {
        let kind = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
        let list = |name: &str| {
            detail.get(name).and_then(Value::as_array).into_iter().flatten().take(MOST_DETAILS).collect::<Vec<_>>()
        };
        match kind.rsplit('.').next().unwrap_or_default() {
            "ErrorInfo" => {
                read.reason = text(detail, "reason");
                let metadata = detail.get("metadata").and_then(Value::as_object).into_iter().flatten();
                let metadata = metadata.filter_map(|(name, value)| Some((clean(name), clean(&scalar(value)?))));
                read.metadata = order::gathered(metadata.take(MOST_DETAILS));
            }
            "RequestInfo" => request_id = text(detail, "request_id").filter(|id| !id.is_empty()),
            "RetryInfo" => {
                let seconds = text(detail, "retry_delay").and_then(|delay| delay.strip_suffix('s')?.parse().ok());
                read.retry_delay = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            }
            "BadRequest" => read.violations.extend(list("field_violations").into_iter().map(|violation| {
                let field = text(violation, "field").unwrap_or_default();
                format!("{field}: {}", text(violation, "description").unwrap_or_default())
            })),
            "PreconditionFailure" => {
                let violations = list("violations").into_iter();
                read.violations.extend(violations.filter_map(|violation| text(violation, "description")));
            }
            "Help" => read.links.extend(list("links").into_iter().filter_map(|link| text(link, "url"))),
            _ => {}
        }
    }
    (read, request_id)
}

/// A redirect, told by where it leads, without what stands behind the `?`.
fn redirect(answer: &Answer) -> ApiError {
    let target = answer.headers.get("location").and_then(|target| target.to_str().ok()).unwrap_or_default();
    // go-sdk apierr/private_link.go
    if target.contains("error=private-link-validation-error") {
        let message = "the workspace is only reachable over its private link, and this network is not on it".to_owned();
        return new(answer, Shape::Redirect, Some("PRIVATE_LINK_VALIDATION_ERROR".to_owned()), message);
    }
    let place = target.split(['?', '#']).next().unwrap_or_default();
    let message = match clean(place) {
        place if place.is_empty() => "a redirect".to_owned(),
        place => format!("a redirect to {place}"),
    };
    new(answer, Shape::Redirect, None, message)
}

/// A success that is none: the answer of a wrong host is often 200 and a login page.
fn success(answer: &Answer) -> ApiError {
    if is_blank(&answer.body) {
        return new(answer, Shape::Success, None, "the answer is empty".to_owned());
    }
    if looks_like_json(&answer.body) {
        let what = if is_cut(&answer.body) { CUT } else { "the answer is not the JSON that was expected" };
        return new(answer, Shape::Success, None, what.to_owned());
    }
    let text = String::from_utf8_lossy(&answer.body[..answer.body.len().min(LONGEST_PAGE)]);
    let message = match element(&text, "title") {
        Some(title) => format!("a web page, \"{}\", instead of JSON", clean(&title)),
        None if is_page(&text) => "a web page instead of JSON".to_owned(),
        None => format!("text instead of JSON: {text}"),
    };
    new(answer, Shape::Page, None, message)
}

/// `CODE: text`, as account APIs write it (go-sdk issue 998).
fn coded_text(text: &str) -> Option<(&str, &str)> {
    let (code, message) = text.split_once(": ")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_code.then_some((code, message))
}

fn is_page(text: &str) -> bool {
    let start = text.trim_start().get(..1);
    start == Some("<")
}

/// The text of the first `<name>` element.
fn element(page: &str, name: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let open = lower.find(&format!("<{name}"))?;
    let start = open + lower.get(open..)?.find('>')? + 1;
    let end = start + lower.get(start..)?.find(&format!("</{name}"))?;
    let text = page.get(start..end)?.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = text.replace("&#39;", "'").replace("&amp;", "&");
    (!text.trim().is_empty()).then_some(text)
}

/// Takes ` [ReqId: <uuid>]` off the end of a message.
fn without_request_id(message: &str) -> (String, Option<String>) {
    let named = message.trim_end().strip_suffix(']').and_then(|rest| rest.rsplit_once("[ReqId: "));
    match named {
        Some((text, id)) if !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            (text.trim_end().to_owned(), Some(id.to_owned()))
        }
        _ => (message.to_owned(), None),
    }
}

fn phrase(status: u16) -> String {
    let phrase = reason_phrase(status);
    if phrase.is_empty() { format!("status {status}, and no text") } else { format!("{phrase}, and no text") }
}

fn code_of(status: u16) -> String {
    reason_phrase(status).to_ascii_uppercase().replace([' ', '-'], "_")
}

/// The reason phrases of RFC 9110 for the statuses that occur.
fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

/// A server's text for a log: in one line, no character that steers a terminal or turns the reading direction, and not
/// too long. It is cut between two words, because it is not redacted yet: the front half of a secret would be found by
/// no redactor.
pub(super) fn clean(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for char in text.chars() {
        let char = match char {
            char if char.is_whitespace() || char.is_control() => ' ',
            char if text::steers(char) => continue,
            char => char,
        };
        if char == ' ' && (line.is_empty() || line.ends_with(' ')) {
            continue;
        }
        if length == LONGEST_TEXT {
            if char != ' ' {
                line.truncate(line.rfind(' ').map_or(0, |blank| blank + 1));
            }
            line.push('…');
            break;
        }
        line.push(char);
        length += 1;
    }
    line.truncate(line.trim_end().len());
    line
}
