//! What was asked, as a test sees it afterwards.

use http::Method;
use serde_json::Value;
use std::fmt;

/// The fields of a form that cannot hold a secret.
const PUBLIC: [&str; 8] = [
    "grant_type",
    "scope",
    "client_id",
    "subject_token_type",
    "requested_token_type",
    "assume_group",
    "resource",
    "client_assertion_type",
];

/// By what somebody proved who they are: at a token endpoint, or when the access token that they show was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A personal access token.
    PersonalAccessToken,
    /// The OAuth secret of a service principal.
    ClientSecret,
    /// The token of an issuer that a federation policy trusts.
    Federation,
    /// The secret of an application in Microsoft Entra ID.
    EntraSecret,
}

/// Who a request came from.
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

/// A request, as it arrived, and what became of it. Credentials are kept, so that a test can look for them where they
/// must not be ([`Recorded::carries`]); its `Debug` form shows none.
#[derive(Clone)]
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
    /// By what the principal that was let in proved who it is; `None` if nobody was.
    pub way: Option<Way>,
    /// The principal that an access token was issued to in the answer.
    pub issued_to: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// The body, if it is JSON. The `content` of an import is replaced by its length where it has over 4096
    /// characters.
    pub body: Option<Value>,
    /// The fields, if the body is a form.
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

    /// The principal that was let in, by its credential or by an access token issued in the answer.
    #[must_use]
    pub fn principal(&self) -> Option<&str> {
        let shown = self.authorization.as_ref().and_then(|given| given.principal.as_deref());
        shown.or(self.issued_to.as_deref())
    }

    /// The value of a header field; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the request holds a text, such as a token, anywhere: in its path, a value of its query, a header field,
    /// a field of its form or its JSON body. Longer contents of imports are not searched.
    #[must_use]
    pub fn carries(&self, text: &str) -> bool {
        let pairs = self.query.iter().chain(&self.headers).chain(&self.form);
        let parts = self.parts.iter().filter_map(|part| part.text.as_deref());
        self.path.contains(text)
            || pairs.into_iter().any(|(_, value)| value.contains(text))
            || parts.into_iter().any(|part| part.contains(text))
            || self.body.as_ref().is_some_and(|body| body.to_string().contains(text))
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

impl fmt::Debug for Recorded {
    /// Everything but the header fields, and of the fields of a form that may hold a secret only the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): &(String, String)| {
            let public = PUBLIC.contains(&name.as_str());
            (name.clone(), if public { value.clone() } else { format!("<{} characters>", value.len()) })
        };
        f.debug_struct("Recorded")
            .field("line", &self.line())
            .field("host", &self.host)
            .field("query", &self.query)
            .field("user_agent", &self.user_agent)
            .field("content_type", &self.content_type)
            .field("authorization", &self.authorization)
            .field("way", &self.way)
            .field("issued_to", &self.issued_to)
            .field("body", &self.body)
            .field("form", &self.form.iter().map(shown).collect::<Vec<_>>())
            .field("parts", &self.parts)
            .field("status", &self.status)
            .field("fault", &self.fault)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
