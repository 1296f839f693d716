//! An answer before it is put on the wire.

use crate::errors::ApiError;
use crate::faults::Canned;
use bytes::Bytes;
use serde_json::Value;

/// Status, header fields and body.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(body: &Value) -> Reply {
        Reply { status: 200, headers: json_type(), body: Bytes::from(body.to_string()) }
    }

    pub(crate) fn empty() -> Reply {
        Reply { status: 200, headers: json_type(), body: Bytes::from_static(b"{}") }
    }

    pub(crate) fn bytes(body: Bytes) -> Reply {
        let kind = ("content-type".to_owned(), "application/octet-stream".to_owned());
        Reply { status: 200, headers: vec![kind], body }
    }

    pub(crate) fn error(error: &ApiError, request_id: &str) -> Reply {
        let mut headers = json_type();
        headers.extend(error.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Reply { status: error.status, headers, body: Bytes::from(error.body(request_id).to_string()) }
    }

    pub(crate) fn canned(canned: Canned) -> Reply {
        let Canned { status, mut headers, body } = canned;
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.extend(json_type());
        }
        Reply { status, headers, body }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

fn json_type() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}
