//! The token endpoint of a workspace: where it is, what it is asked, and what its refusals mean (RFC 6749, 5.1 and 5.2).

use super::cache::Grant;
use crate::databricks::error::{ApiError, Error, Shape, classify, parse_json};
use crate::http::{
    Answer, Authorize, Body, Call, Class, Client, Failure, Method, NoCredential, Repeat, Unsigned, Verdict,
};
use crate::problem::{Code, Problem};
use crate::secrets::Secret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

/// Where every workspace has its token endpoint. The documents that may name another are asked first, but nothing
/// depends on them.
const WORKSPACE_ENDPOINT: &str = "/oidc/v1/token";

/// Far beyond every deadline: whoever waits for a token has a deadline of its own.
const NEVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The token endpoint of the host that a client speaks to.
pub(super) struct Endpoint {
    /// For the documents, which everybody may read.
    open: Client,
    /// For the endpoint itself.
    signed: Client,
    path: OnceCell<String>,
}

/// `GET /.well-known/databricks-config` (py oauth.py, `get_host_metadata`).
#[derive(Deserialize)]
struct HostMetadata {
    oidc_endpoint: String,
    #[serde(default)]
    account_id: Option<String>,
}

/// `GET {oidc_endpoint}/.well-known/oauth-authorization-server` (RFC 8414).
#[derive(Deserialize)]
struct AuthorizationServer {
    token_endpoint: String,
}

#[derive(Deserialize)]
struct WireGrant {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

impl Endpoint {
    /// The endpoint of the host of `client`; requests for tokens carry what `credential` gives.
    pub(super) fn new(client: &Client, credential: Arc<dyn Authorize>) -> Endpoint {
        let never = Instant::now() + NEVER;
        Endpoint {
            open: client.sibling(Arc::new(Unsigned)).until(never),
            signed: client.sibling(credential).until(never),
            path: OnceCell::new(),
        }
    }

    /// Asks for an access token.
    pub(super) async fn request(&self, form: &[(&str, &str)]) -> Result<Grant, NoCredential> {
        let path = self.path.get_or_init(|| self.discover()).await;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = Call {
            method: Method::POST,
            path: path.clone(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Form(form.into()),
            class: Class::Control,
            // A second token harms nobody.
            repeat: Repeat::Always,
            patience: None,
        };
        let answer = self.signed.send(&call, classify).await.map_err(refusal)?;
        let grant: WireGrant = parse_json(&answer).map_err(|error| no_token(&error))?;
        if grant.access_token.trim().is_empty() {
            return Err(no_token(&ApiError::read(&answer)));
        }
        Ok(Grant { token: Secret::new(grant.access_token), lifetime: seconds(grant.expires_in.as_ref()) })
    }

    /// The endpoint's path, as the host's own documents tell it. Only an endpoint of the very host that the user named
    /// is used: a credential is sent nowhere else.
    async fn discover(&self) -> String {
        match self.documented().await {
            Ok(endpoint) if endpoint.origin() == self.open.base().origin() => endpoint.path().to_owned(),
            Ok(endpoint) => {
                let host = endpoint.host_str().unwrap_or_default();
                tracing::debug!("the host names a token endpoint on another host, which is not used: {host}");
                WORKSPACE_ENDPOINT.to_owned()
            }
            Err(reason) => {
                tracing::debug!("the token endpoint is taken to be `{WORKSPACE_ENDPOINT}`: {reason}");
                WORKSPACE_ENDPOINT.to_owned()
            }
        }
    }

    async fn documented(&self) -> Result<Url, String> {
        let base = self.open.base();
        let metadata: Option<HostMetadata> = match self.document("/.well-known/databricks-config").await {
            Ok(metadata) => Some(metadata),
            // A host that answers, but not this, may still have the second document.
            Err(Error::Api(_)) => None,
            Err(error) => return Err(error.to_string()),
        };
        let root = metadata.map_or_else(
            || "/oidc".to_owned(),
            |metadata| {
                let account = metadata.account_id.unwrap_or_default();
                metadata.oidc_endpoint.replace("{account_id}", &account)
            },
        );
        let not_an_address = |error: url::ParseError| error.to_string();
        let root = base.join(root.trim_end_matches('/')).map_err(not_an_address)?;
        if root.origin() != base.origin() {
            return Ok(root);
        }
        let path = format!("{}/.well-known/oauth-authorization-server", root.path());
        let server: AuthorizationServer = self.document(&path).await.map_err(|error| error.to_string())?;
        base.join(&server.token_endpoint).map_err(not_an_address)
    }

    /// A document that is asked for once: a host in trouble is found out by the request for the token.
    async fn document<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let call = Call {
            method: Method::GET,
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            class: Class::Control,
            repeat: Repeat::Always,
            patience: Some(Duration::ZERO),
        };
        let once = |answer: &Answer| match classify(answer) {
            Verdict::Accept => Verdict::Accept,
            _ => Verdict::Fail,
        };
        Ok(parse_json(&self.open.send(&call, once).await?)?)
    }
}

/// `expires_in`: a number of seconds, or one as text. Anything else says nothing.
fn seconds(expires_in: Option<&serde_json::Value>) -> Option<Duration> {
    let seconds = match expires_in? {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|lifetime| !lifetime.is_zero())
}

/// What it means that no token came.
fn refusal(failure: Failure) -> NoCredential {
    let passing = matches!(failure, Failure::Exhausted { .. } | Failure::Uncertain { .. });
    let error = Error::from(failure);
    let problem = match &error {
        Error::Api(api) => refused(api),
        Error::Transport(_) => error.problem(),
    };
    NoCredential { problem: Box::new(problem), passing }
}

fn refused(error: &ApiError) -> Problem {
    let says = |code: &str| error.code.as_deref() == Some(code) || error.message == code;
    if says("invalid_client") {
        return Problem::new(Code::InvalidToken, format!("Databricks does not accept the client id with this secret: {error}"))
            .hint(
                "the secret must be an OAuth secret that Databricks made (not one of Entra ID) for this very client id, \
                 neither expired nor deleted, and the service principal must be in the workspace that `DATABRICKS_HOST` \
                 names; a secret made a moment ago may need a minute",
            );
    }
    match error.shape {
        Shape::Page | Shape::Redirect | Shape::Success if error.status != 404 => not_a_token(error),
        _ if error.status == 404 => {
            Problem::new(Code::NotDatabricks, format!("this host has no OAuth log-in: {error}")).hint(
                "check `DATABRICKS_HOST`: it must be the address of a workspace; one that is older than OAuth takes a \
                 personal access token in `DATABRICKS_TOKEN`",
            )
        }
        Shape::Api if error.status == 400 || error.status == 401 => {
            Problem::new(Code::InvalidToken, format!("Databricks issues no access token: {error}"))
                .hint("check the service principal and its OAuth secret in Databricks")
        }
        _ => error.problem(),
    }
}

fn not_a_token(error: &ApiError) -> Problem {
    Problem::new(Code::NotDatabricks, format!("the log-in was not answered with an access token: {error}")).hint(
        "check `DATABRICKS_HOST`: it must be the address of a workspace, with no proxy that asks for a login on the way",
    )
}

fn no_token(error: &ApiError) -> NoCredential {
    NoCredential { problem: Box::new(not_a_token(error)), passing: false }
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_lifetime_is_read_in_every_spelling_and_never_made_up() {
        for (value, read) in [
            (json!(3600), Some(3600)),
            (json!("3599"), Some(3599)),
            (json!(60.0), Some(60)),
            (json!(0), None),
            (json!(-1), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!(1e300), None),
        ] {
            assert_eq!(seconds(Some(&value)), read.map(Duration::from_secs), "{value}");
        }
        assert_eq!(seconds(None), None);
    }
}
