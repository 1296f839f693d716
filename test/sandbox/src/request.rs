//! A request, decoded, and the typed reading of its fields.

use crate::errors::ApiError;
use crate::multipart::{self, Part, PartsError};
use crate::principals::Principal;
use crate::record::Recorded;
use axum::body::Body;
use http::request::Parts;
use http::uri::Scheme;
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use std::sync::Arc;

const RECORDED_CONTENT: usize = 4096;

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Parts(Vec<Part>),
    /// `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// Neither, or broken.
    Other,
}

impl Payload {
    /// Reads the body; `None` if it broke off.
    pub(crate) async fn read(head: &Parts, body: Body) -> Option<Payload> {
        let content_type = text_header(&head.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
        if content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
            return match multipart::read(body, &content_type).await {
                Ok(parts) => Some(Payload::Parts(parts)),
                Err(PartsError::Malformed) => Some(Payload::Other),
                Err(PartsError::Broken) => None,
            };
        }
        let bytes = body.collect().await.ok()?.to_bytes();
        if bytes.is_empty() {
            return Some(Payload::Empty);
        }
        if content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Some(Payload::Form(form_urlencoded::parse(&bytes).into_owned().collect()));
        }
        Some(serde_json::from_slice(&bytes).map_or(Payload::Other, Payload::Json))
    }

    pub(crate) fn record(&self, into: &mut Recorded) {
        match self {
            Payload::Empty | Payload::Other => {}
            Payload::Json(Value::Object(fields)) => {
                let shortened = fields.iter().map(|(name, value)| match value {
                    Value::String(text) if name == "content" && text.len() > RECORDED_CONTENT => {
                        (name.clone(), Value::from(format!("<{} characters>", text.len())))
                    }
                    other => (name.clone(), other.clone()),
                });
                into.body = Some(Value::Object(shortened.collect()));
            }
            Payload::Json(value) => into.body = Some(value.clone()),
            Payload::Form(fields) => into.form = fields.clone(),
            Payload::Parts(parts) => into.parts = parts.iter().map(Part::record).collect(),
        }
    }
}

/// A request that was let in.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    /// Scheme and authority that the client called, for links.
    pub(crate) origin: String,
    pub(crate) payload: Payload,
    /// The numeric SCIM id of the caller.
    pub(crate) caller_id: i64,
    pub(crate) caller: Arc<Principal>,
}

impl Ask {
    /// A query field; an empty one counts as absent.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    pub(crate) fn required_query(&self, name: &str) -> Result<&str, ApiError> {
        self.query(name).ok_or_else(|| missing(name))
    }

    pub(crate) fn query_integer(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.query(name)
            .map(|value| value.parse().map_err(|_| ApiError::invalid(format!("Field '{name}' must be an integer"))))
            .transpose()
    }

    pub(crate) fn query_flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.query(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::invalid(format!("Field '{name}' must be true or false, not '{other}'"))),
        }
    }

    /// The JSON object of the body.
    pub(crate) fn json(&self) -> Result<Fields<'_>, ApiError> {
        match &self.payload {
            Payload::Json(Value::Object(fields)) => Ok(Fields(fields)),
            Payload::Json(_) | Payload::Empty | Payload::Other | Payload::Parts(_) | Payload::Form(_) => {
                Err(ApiError::malformed())
            }
        }
    }
}

/// The fields of a JSON object. A `null` counts as absent, as it does in protocol buffers' JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(crate) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(self, name: &str, kind: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, ApiError> {
        self.get(name)
            .map(|value| read(value).ok_or_else(|| ApiError::invalid(format!("Field '{name}' must be {kind}"))))
            .transpose()
    }

    pub(crate) fn text(self, name: &str) -> Result<Option<&'a str>, ApiError> {
        self.typed(name, "a string", Value::as_str)
    }

    pub(crate) fn required_text(self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    pub(crate) fn flag(self, name: &str) -> Result<bool, ApiError> {
        Ok(self.typed(name, "a boolean", Value::as_bool)?.unwrap_or(false))
    }

    pub(crate) fn integer(self, name: &str) -> Result<Option<i64>, ApiError> {
        self.typed(name, "an integer", Value::as_i64)
    }

    pub(crate) fn required_integer(self, name: &str) -> Result<i64, ApiError> {
        self.integer(name)?.ok_or_else(|| missing(name))
    }

    pub(crate) fn list(self, name: &str) -> Result<Option<&'a [Value]>, ApiError> {
        self.typed(name, "a list", |value| value.as_array().map(Vec::as_slice))
    }

    pub(crate) fn object(self, name: &str) -> Result<Option<Fields<'a>>, ApiError> {
        self.typed(name, "an object", |value| value.as_object().map(Fields))
    }

    /// A map from names to strings, such as job parameters.
    pub(crate) fn text_map(self, name: &str) -> Result<Option<Fields<'a>>, ApiError> {
        let map = self.object(name)?;
        if let Some(key) = map.and_then(|map| map.0.iter().find(|(_, value)| !value.is_string())).map(|(key, _)| key) {
            return Err(ApiError::invalid(format!("Field '{name}.{key}' must be a string")));
        }
        Ok(map)
    }
}

pub(crate) fn missing(name: &str) -> ApiError {
    ApiError::invalid(format!("Missing required field: {name}"))
}

/// Scheme and authority that a request was sent to. In memory a request without scheme is taken for an encrypted one.
pub(crate) fn origin(head: &Parts, host: &str) -> String {
    let scheme = head.extensions.get::<Scheme>().or(head.uri.scheme()).map_or("https", Scheme::as_str);
    format!("{scheme}://{host}")
}

/// A header field as text.
pub(crate) fn text_header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The first record of a request: all that its head says.
pub(crate) fn record_head(head: &Parts, at: i64) -> Recorded {
    let query = head.uri.query().unwrap_or_default();
    Recorded {
        method: Method::clone(&head.method),
        path: head.uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        user_agent: text_header(&head.headers, "user-agent"),
        host: text_header(&head.headers, "host").or_else(|| head.uri.authority().map(ToString::to_string)),
        content_type: text_header(&head.headers, "content-type"),
        authorization: None,
        way: None,
        issued_to: None,
        headers: head
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: None,
        form: Vec::new(),
        parts: Vec::new(),
        status: None,
        fault: false,
        at,
    }
}
