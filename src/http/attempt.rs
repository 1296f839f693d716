//! One attempt: build the request, send it, read the answer to its end.

use super::body;
use super::call::{Answer, Call, Cause};
use super::client::Options;
use super::wire::{Wire, WireError};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Answers longer than this are not taken into memory. The largest that are asked for, the output of a notebook and a
/// page of a listing, stay below 10 MiB.
pub(super) const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Bytes a second that an upload may count on: a slower line is taken for a broken one.
const SLOWEST_UPLOAD: u64 = 100_000;

/// A request that is ready to be sent.
pub(super) struct Prepared {
    request: reqwest::Request,
    /// Of the body, in bytes.
    length: u64,
}

/// Sends a request and reads the answer to its end. `told` is what the answer says of the request: what was asked, and
/// for which time; `longest_answer` is in bytes.
pub(super) async fn send(
    wire: &dyn Wire,
    options: &Options,
    prepared: Prepared,
    told: (Arc<str>, u32),
    longest_answer: usize,
) -> Result<Answer, Cause> {
    let upload = Duration::from_secs(prepared.length / SLOWEST_UPLOAD);
    // The time for the connection is the wire's to watch; it is added here so that the wire's answer comes first.
    let patience = options.connect_timeout + options.answer_timeout + upload;
    let response = match timeout(patience, wire.carry(prepared.request)).await {
        Err(_) => return Err(Cause::Timeout(patience)),
        Ok(Err(error)) => return Err(Cause::from(error)),
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = read(response, options.answer_timeout, longest_answer).await?;
    let (request, attempts) = told;
    Ok(Answer { status, headers, body, request, attempts })
}

/// Builds the request for one attempt, signed with `credentials`.
pub(super) async fn prepare(
    options: &Options,
    call: &Call,
    credentials: HeaderMap,
    boundary: u128,
) -> Result<Prepared, Cause> {
    let mut url = options.base.clone();
    url.set_path(&call.path);
    url.set_query(None);
    if !call.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&call.query);
    }
    let built = body::build(&call.body, boundary).await?;

    let mut request = reqwest::Request::new(call.method.clone(), url);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, field_value("user-agent", &options.user_agent).map_err(Cause::Invalid)?);
    if let Some(content_type) = built.content_type {
        headers.insert(CONTENT_TYPE, field_value("content-type", &content_type).map_err(Cause::Invalid)?);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(built.length));
    }
    for (name, value) in &call.headers {
        let field = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Cause::Invalid(format!("`{}` is no header name", name.escape_debug())))?;
        headers.insert(field, field_value(name, value).map_err(Cause::Invalid)?);
    }
    for (name, mut value) in credentials.iter().map(|(name, value)| (name.clone(), value.clone())) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    if built.length > 0 {
        *request.body_mut() = Some(built.body);
    }
    Ok(Prepared { request, length: built.length })
}

/// The value is not shown: it may be a secret.
fn field_value(name: &str, value: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(value).map_err(|_| format!("the value of header `{name}` holds a control character"))
}

/// The whole body, where each piece of it comes in time.
async fn read(mut response: reqwest::Response, silence: Duration, longest: usize) -> Result<Bytes, Cause> {
    let announced = response.content_length().unwrap_or(0);
    if announced > longest as u64 {
        return Err(Cause::TooLong(longest));
    }
    // What is announced is believed only up to a size that costs nothing.
    let mut body = BytesMut::with_capacity(announced.min(64 * 1024) as usize);
    loop {
        match timeout(silence, response.chunk()).await {
            Err(_) => return Err(Cause::Timeout(silence)),
            Ok(Err(error)) => return Err(Cause::from(WireError::from(error))),
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() > longest => {
                return Err(Cause::TooLong(longest));
            }
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
        }
    }
}

impl From<WireError> for Cause {
    fn from(error: WireError) -> Cause {
        match error {
            WireError::Name(text) => Cause::Name(text),
            WireError::Connect(text) => Cause::Connect(text),
            WireError::Tls(text) => Cause::Tls(text),
            WireError::Proxy(proxy, trouble) => Cause::Proxy(proxy, trouble),
            WireError::Broken(text) => Cause::Broken(text),
            WireError::LocalFile(text) => Cause::LocalFile(text),
        }
    }
}
