//! Refusals, in the forms the platform gives them.

use serde_json::{Value, json};

/// An error answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    code: Value,
    message: String,
    details: Vec<Value>,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The front door refuses before a request has details.
    front_door: bool,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code: Value::from(code),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
            front_door: false,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "INVALID_PARAMETER_VALUE", message)
    }

    pub(crate) fn malformed() -> ApiError {
        let text = "Invalid JSON given in the body of the request - failed to parse given JSON";
        ApiError::new(400, "MALFORMED_REQUEST", text)
    }

    pub(crate) fn denied(message: impl Into<String>) -> ApiError {
        ApiError::new(403, "PERMISSION_DENIED", message)
    }

    pub(crate) fn missing(message: impl Into<String>) -> ApiError {
        ApiError::new(404, "RESOURCE_DOES_NOT_EXIST", message)
    }

    pub(crate) fn exists(message: impl Into<String>) -> ApiError {
        ApiError::new(400, "RESOURCE_ALREADY_EXISTS", message)
    }

    pub(crate) fn unknown_endpoint(line: &str) -> ApiError {
        ApiError::new(404, "ENDPOINT_NOT_FOUND", format!("No API found for '{line}'"))
    }

    /// The real service can do it, the sandbox cannot (yet): not a behaviour to build on.
    pub(crate) fn not_in_sandbox(what: &str) -> ApiError {
        ApiError::new(501, "NOT_IMPLEMENTED", format!("The sandbox does not do this: {what}"))
    }

    pub(crate) fn throttled(retry_after: Option<u64>) -> ApiError {
        let mut error = ApiError::new(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests. Please try again later.");
        error.headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
        error
    }

    /// The code is a number here: the front door writes it so (measured, databricks-sdk-go issues 871 and 917).
    pub(crate) fn bad_token(request_id: &str) -> ApiError {
        let mut error = ApiError::new(403, "", format!("Invalid access token. [ReqId: {request_id}]"));
        error.code = Value::from(403);
        error.headers.push(("x-databricks-reason-phrase", "Invalid access token.".to_owned()));
        error.front_door = true;
        error
    }

    pub(crate) fn no_credential(request_id: &str) -> ApiError {
        let text = "Credential was not sent or was of an unsupported type for this API.";
        let mut error = ApiError::new(401, "", format!("{text} [ReqId: {request_id}]"));
        error.code = Value::from(401);
        error.headers.push(("x-databricks-reason-phrase", text.to_owned()));
        error.front_door = true;
        error
    }

    pub(crate) fn with_info(mut self, reason: &str, domain: &str, metadata: Value) -> ApiError {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": domain,
            "metadata": metadata,
        }));
        self
    }

    pub(crate) fn body(&self, request_id: &str) -> Value {
        let mut body = json!({ "error_code": self.code, "message": self.message });
        if !self.front_door {
            let mut details = self.details.clone();
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.RequestInfo",
                "request_id": request_id,
                "serving_data": "",
            }));
            body["details"] = Value::from(details);
        }
        body
    }
}
