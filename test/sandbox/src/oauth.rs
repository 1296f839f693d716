//! The way in with OAuth: discovery documents, and the token endpoint for service principals with a secret.
//!
//! These paths are open to everybody, and the errors of the token endpoint have the form of RFC 6749, 5.2, with an
//! `error_id` beside it (py oauth.py).

use crate::ids;
use crate::principals::TokenState;
use crate::reply::Reply;
use crate::request::Payload;
use crate::state::State;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::Instant;

const ACCOUNT_ID: &str = "7a3f0c51-0000-4000-8000-00000000acc1";
const SCOPE: &str = "all-apis";

/// A request at one of the open paths.
pub(crate) struct Knock<'a> {
    pub(crate) origin: String,
    pub(crate) authorization: Option<String>,
    pub(crate) payload: Payload,
    pub(crate) request_id: &'a str,
}

/// Answers, and says who was let in. It runs under the lock, so it never waits.
pub(crate) type Door = fn(&mut State, &Knock<'_>) -> (Reply, Option<String>);

/// The open path of a request.
pub(crate) fn door(method: &Method, path: &str) -> Option<Door> {
    match (method.as_str(), path) {
        ("GET", "/.well-known/databricks-config") => Some(configuration),
        ("GET", "/oidc/.well-known/oauth-authorization-server") => Some(authorization_server),
        ("POST", "/oidc/v1/token") => Some(token),
        _ => None,
    }
}

/// The secrets of service principals, and the access tokens that were issued for them.
#[derive(Debug)]
pub(crate) struct OAuth {
    secrets: BTreeMap<String, (String, TokenState)>,
    tokens: BTreeMap<String, Issued>,
    order: Vec<String>,
    pub(crate) lifetime: Duration,
    pub(crate) expires_in_as_text: bool,
}

#[derive(Debug)]
struct Issued {
    principal: String,
    until: Instant,
    revoked: bool,
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth {
            secrets: BTreeMap::new(),
            tokens: BTreeMap::new(),
            order: Vec::new(),
            lifetime: Duration::from_secs(3600),
            expires_in_as_text: false,
        }
    }
}

impl OAuth {
    pub(crate) fn add_secret(&mut self, application_id: &str) -> String {
        let secret = ids::client_secret();
        self.secrets.insert(secret.clone(), (application_id.to_owned(), TokenState::Valid));
        secret
    }

    pub(crate) fn set_secret_state(&mut self, secret: &str, state: TokenState) {
        if let Some((_, known)) = self.secrets.get_mut(secret) {
            *known = state;
        }
    }

    pub(crate) fn revoke_all(&mut self) {
        self.tokens.values_mut().for_each(|token| token.revoked = true);
    }

    pub(crate) fn issued(&self) -> Vec<String> {
        self.order.clone()
    }

    /// Whom an access token belongs to, while it is good.
    pub(crate) fn holder(&self, token: &str) -> Option<&str> {
        let issued = self.tokens.get(token)?;
        (!issued.revoked && Instant::now() < issued.until).then_some(issued.principal.as_str())
    }

    /// Whether the pair of a client is good.
    fn knows(&self, client_id: &str, secret: &str) -> bool {
        matches!(self.secrets.get(secret), Some((owner, TokenState::Valid)) if owner == client_id)
    }
}

/// `GET /.well-known/databricks-config`.
fn configuration(state: &mut State, knock: &Knock<'_>) -> (Reply, Option<String>) {
    let origin = &knock.origin;
    let body = json!({
        "oidc_endpoint": format!("{origin}/oidc"),
        "account_id": ACCOUNT_ID,
        "workspace_id": state.workspace_id.to_string(),
        "cloud": "AWS",
        "host_type": "workspace",
        "token_federation_default_oidc_audiences": [format!("{origin}/oidc/v1/token")],
    });
    (Reply::json(&body), None)
}

/// `GET /oidc/.well-known/oauth-authorization-server`.
fn authorization_server(_: &mut State, knock: &Knock<'_>) -> (Reply, Option<String>) {
    let origin = &knock.origin;
    let body = json!({
        "issuer": format!("{origin}/oidc"),
        "authorization_endpoint": format!("{origin}/oidc/v1/authorize"),
        "token_endpoint": format!("{origin}/oidc/v1/token"),
        "scopes_supported": [SCOPE, "offline_access"],
        "grant_types_supported":
            ["client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    });
    (Reply::json(&body), None)
}

/// `POST /oidc/v1/token`.
fn token(state: &mut State, knock: &Knock<'_>) -> (Reply, Option<String>) {
    let Payload::Form(fields) = &knock.payload else {
        return (knock.refuse(400, "invalid_request", "The request body must be a form"), None);
    };
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match field("grant_type") {
        None => (knock.refuse(400, "invalid_request", "Missing parameter: grant_type"), None),
        Some("client_credentials") => match client(state, knock) {
            None => (knock.refuse(401, "invalid_client", "Client authentication failed"), None),
            // The status of these two is that of RFC 6749; it was not measured.
            Some(_) if field("scope") != Some(SCOPE) => {
                (knock.refuse(400, "invalid_scope", "The requested scope is invalid"), None)
            }
            Some(client_id) => (issue(state, &client_id), Some(client_id)),
        },
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => {
            (knock.refuse(501, "not_implemented", "The sandbox does not do this: token exchange"), None)
        }
        Some(_) => (knock.refuse(400, "unsupported_grant_type", "The grant type is not supported"), None),
    }
}

/// The service principal that the Basic scheme names with a good secret. Id and secret are form-encoded in it
/// (RFC 6749, 2.3.1), which changes neither a UUID nor a hexadecimal number.
fn client(state: &State, knock: &Knock<'_>) -> Option<String> {
    let (scheme, pair) = knock.authorization.as_deref()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(pair).ok()?).ok()?;
    let (client_id, secret) = pair.split_once(':')?;
    let known = state.principals.named(client_id).is_some() && state.oauth.knows(client_id, secret);
    known.then(|| client_id.to_owned())
}

/// Makes an access token: in the shape of a JWT, which the real one has, and good for nothing but to be shown here.
fn issue(state: &mut State, client_id: &str) -> Reply {
    let lifetime = state.oauth.lifetime;
    let now = state.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "sub": client_id, "client_id": client_id, "iat": now, "exp": now + lifetime.as_secs(), "scope": SCOPE });
    let signature = URL_SAFE_NO_PAD.encode(ids::random());
    let header = part(json!({ "alg": "RS256", "typ": "at+jwt", "kid": "sandbox" }));
    let token = format!("{header}.{}.{signature}", part(claims));
    let until = Instant::now() + lifetime;
    state.oauth.tokens.insert(token.clone(), Issued { principal: client_id.to_owned(), until, revoked: false });
    state.oauth.order.push(token.clone());
    let seconds = lifetime.as_secs();
    let expires_in =
        if state.oauth.expires_in_as_text { Value::from(seconds.to_string()) } else { Value::from(seconds) };
    let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in, "scope": SCOPE });
    Reply::json(&body).with_header("cache-control", "no-store")
}

impl Knock<'_> {
    fn refuse(&self, status: u16, error: &str, description: &str) -> Reply {
        let body = json!({ "error": error, "error_id": self.request_id, "error_description": description });
        Reply { status, ..Reply::json(&body) }
    }
}
