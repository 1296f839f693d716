//! The way in with OAuth: discovery documents, and the token endpoint for service principals with a secret, or with a
//! token of an issuer that they trust.
//!
//! These paths are open to everybody, and the errors of the token endpoint have the form of RFC 6749, 5.2, with an
//! `error_id` beside it (py oauth.py).

mod discovery;
mod exchange;
mod policy;
mod tokens;

pub(crate) use policy::Policies;
pub use policy::{Policy, PolicyRefused};
pub(crate) use tokens::{Resource, Tokens};

use crate::errors::ApiError;
use crate::host::HostSettings;
use crate::ids;
use crate::principals::TokenState;
use crate::record::Way;
use crate::reply::Reply;
use crate::request::Payload;
use crate::state::State;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const SCOPE: &str = "all-apis";

/// How long the access token lives that a federated token buys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FederatedLifetime {
    /// It ends with the federated token, and after the usual lifetime at the latest. So says the vendor's page.
    #[default]
    EndsWithSubject,
    /// It has the usual lifetime, however little is left of the federated token.
    Full,
}

/// A request at one of the open paths.
pub(crate) struct Knock<'a> {
    pub(crate) origin: String,
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) payload: Payload,
    pub(crate) request_id: &'a str,
}

/// Who was let in, and by what.
pub(crate) type Entrant = (String, Way);

/// Answers, and says who was let in. It runs under the lock, so it never waits.
pub(crate) type Door = fn(&mut State, &Knock<'_>) -> (Reply, Option<Entrant>);

/// The open path of a request. Which ones there are depends on the kind of the host; those of the other kinds, and of
/// another account, are not there.
pub(crate) fn door(host: &HostSettings, method: &Method, path: &str) -> Option<Door> {
    if (method.as_str(), path) == ("GET", "/.well-known/databricks-config") {
        return Some(if host.has_metadata { discovery::configuration } else { nowhere });
    }
    let endpoint = path.strip_prefix("/oidc")?;
    let rest = match endpoint.strip_prefix("/accounts/").and_then(|rest| rest.split_once('/')) {
        Some((account, rest)) => host.is_account(account).then_some(rest),
        None => host.is_workspace().then_some(endpoint.strip_prefix('/')?),
    };
    let door: Door = match (method.as_str(), rest) {
        ("GET", Some(".well-known/oauth-authorization-server")) if host.has_authorization_server => {
            discovery::authorization_server
        }
        ("POST", Some("v1/token")) => token,
        ("GET", _) if path.ends_with("/.well-known/oauth-authorization-server") => nowhere,
        ("POST", _) if path.ends_with("/v1/token") => nowhere,
        _ => return None,
    };
    Some(door)
}

/// A path that another host has. What the real service says there is not confirmed.
fn nowhere(_: &mut State, knock: &Knock<'_>) -> (Reply, Option<Entrant>) {
    (Reply::error(&ApiError::unknown_endpoint(&knock.line), knock.request_id), None)
}

/// The secrets of service principals, the issuers they trust, and the rules by which access tokens are issued.
#[derive(Clone, Debug)]
pub(crate) struct OAuth {
    secrets: BTreeMap<String, (String, TokenState)>,
    pub(crate) policies: Policies,
    pub(crate) tokens: Tokens,
    pub(crate) lifetime: Duration,
    pub(crate) federated_lifetime: FederatedLifetime,
    pub(crate) expires_in_as_text: bool,
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth {
            secrets: BTreeMap::new(),
            policies: Policies::default(),
            tokens: Tokens::default(),
            lifetime: Duration::from_secs(3600),
            federated_lifetime: FederatedLifetime::default(),
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

    /// Whether the pair of a client is good.
    fn knows(&self, client_id: &str, secret: &str) -> bool {
        matches!(self.secrets.get(secret), Some((owner, TokenState::Valid)) if owner == client_id)
    }
}

/// `POST /oidc/v1/token`, and the same for an account.
fn token(state: &mut State, knock: &Knock<'_>) -> (Reply, Option<Entrant>) {
    let granted = match knock.field("grant_type") {
        _ if !matches!(knock.payload, Payload::Form(_)) => {
            Err(Refusal::new("invalid_request", "The request body must be a form"))
        }
        None => Err(Refusal::missing("grant_type")),
        Some("client_credentials") => with_secret(state, knock),
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => exchange::with_token(state, knock),
        Some(_) => Err(Refusal::new("unsupported_grant_type", "The grant type is not supported")),
    };
    match granted {
        Err(refusal) => (knock.refuse(&refusal), None),
        Ok(grant) => {
            let reply = issue(state, &grant);
            (reply, Some((grant.client_id, grant.way)))
        }
    }
}

/// Who gets an access token, and for how long.
struct Grant {
    client_id: String,
    way: Way,
    lifetime: Duration,
}

/// Why nobody gets one.
#[derive(Debug)]
struct Refusal {
    status: u16,
    error: &'static str,
    description: String,
}

impl Refusal {
    fn new(error: &'static str, description: impl Into<String>) -> Refusal {
        Refusal { status: 400, error, description: description.into() }
    }

    fn missing(field: &str) -> Refusal {
        Refusal::new("invalid_request", format!("Missing parameter: {field}"))
    }

    // Its status is that of RFC 6749; it was not measured.
    fn scope() -> Refusal {
        Refusal::new("invalid_scope", "The requested scope is invalid")
    }
}

/// The grant `client_credentials`.
fn with_secret(state: &State, knock: &Knock<'_>) -> Result<Grant, Refusal> {
    if knock.field("client_assertion").is_some() {
        // The text is known from those who met it, the code beside it is not.
        let text = "Invalid private key JWT authentication: The client identifier doesn't match the client assertion \
                    subject";
        return Err(Refusal::new("invalid_client", text));
    }
    let client_id = client(state, knock)
        .ok_or_else(|| Refusal { status: 401, ..Refusal::new("invalid_client", "Client authentication failed") })?;
    if knock.field("scope") != Some(SCOPE) {
        return Err(Refusal::scope());
    }
    Ok(Grant { client_id, way: Way::ClientSecret, lifetime: state.oauth.lifetime })
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

/// Issues an access token. There is no refresh token, whatever was shown for it.
fn issue(state: &mut State, grant: &Grant) -> Reply {
    let Grant { client_id, way, lifetime } = grant;
    let mut claims = Map::new();
    for (name, value) in [("sub", client_id.as_str()), ("client_id", client_id), ("scope", SCOPE)] {
        claims.insert(name.to_owned(), Value::from(value));
    }
    let token = state.oauth.tokens.issue(&state.clock, (client_id, *way), Resource::Databricks, *lifetime, claims);
    let seconds = lifetime.as_secs();
    let expires_in =
        if state.oauth.expires_in_as_text { Value::from(seconds.to_string()) } else { Value::from(seconds) };
    let mut body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": expires_in, "scope": SCOPE });
    if *way == Way::Federation {
        body["issued_token_type"] = Value::from("urn:ietf:params:oauth:token-type:access_token");
    }
    Reply::json(&body).with_header("cache-control", "no-store")
}

impl Knock<'_> {
    /// A field of the form; an empty one counts as absent (RFC 6749, 3.2).
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let Payload::Form(fields) = &self.payload else { return None };
        let found = fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        let Refusal { status, error, description } = refusal;
        let body = json!({ "error": error, "error_id": self.request_id, "error_description": description });
        Reply { status: *status, ..Reply::json(&body) }
    }
}
