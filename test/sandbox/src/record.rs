//! What was asked, as a test sees it afterwards.

use http::Method;
use serde_json::Value;

/// Who a request came from. The credential itself is never recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// The scheme of the `Authorization` header, such as `Bearer`.
    pub scheme: String,
    /// The principal that the credential belongs to; `None` if it was refused.
    pub principal: Option<String>,
}

/// One part of a multipart body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    /// The field's name.
    pub name: String,
    /// The file name, if the part has one.
    pub file_name: Option<String>,
    /// Its text, if it has no file name, is UTF-8 and has at most 4096 bytes.
    pub text: Option<String>,
    /// Its length, in bytes.
    pub length: u64,
}

/// A request, as it arrived, and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// The path, without query.
    pub path: String,
    /// The query, decoded, in its order.
    pub query: Vec<(String, String)>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The `Host`.
    pub host: Option<String>,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// The `Authorization`, without the credential; `None` if there was none.
    pub authorization: Option<Authenticated>,
    /// The body, if it is JSON. The `content` of an import is replaced by its length where it has over 4096
    /// characters.
    pub body: Option<Value>,
    /// The fields, if the body is a form. Of those that may hold a secret only the length is kept.
    pub form: Vec<(String, String)>,
    /// The parts, if the body is multipart.
    pub parts: Vec<PartRecord>,
    /// The status that was answered; `None` if there was no answer (yet).
    pub status: Option<u16>,
    /// Whether an ordered fault hit it. A rate limit is not a fault.
    pub fault: bool,
    /// When it arrived, in milliseconds since 1970 by the sandbox' clock.
    pub at: i64,
}

impl Recorded {
    /// `POST /api/2.0/…`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The first value of a query field.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The principal that was let in.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        self.authorization.as_ref().and_then(|given| given.principal.as_deref())
    }

    /// The value of a form's field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The text of a multipart field.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&str> {
        self.parts.iter().find(|part| part.name == name).and_then(|part| part.text.as_deref())
    }
}
