//! The token endpoint of a workspace or an account: where it is, and what it is asked (RFC 6749, 5.1).

use super::cache::Grant;
use super::patient;
use super::refusal::Refusal;
use super::token_request::ask;
use crate::databricks::error::{Error, classify_content, parse_json};
use crate::http::{Authorize, Body, Call, Class, Client, Method, NoCredential, Repeat, Unsigned};
use crate::problem::{Code, Problem};
use crate::settings::{Settings, TrustedHosts, is_account_console};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

/// The token endpoint of the host that a client speaks to.
pub(super) struct Endpoint {
    /// For the documents, which everybody may read.
    open: Client,
    credential: Arc<dyn Authorize>,
    trusted: TrustedHosts,
    workspace_id: Option<String>,
    account_id: Option<String>,
    /// Signed for it, and its path.
    found: OnceCell<(Client, String)>,
}

/// `GET /.well-known/databricks-config` (py oauth.py, `get_host_metadata`; go config/host_metadata.go).
#[derive(Default, Deserialize)]
struct HostMetadata {
    #[serde(default)]
    oidc_endpoint: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    workspace_id: Option<String>,
    #[serde(default)]
    host_type: Option<String>,
}

/// `GET {oidc_endpoint}/.well-known/oauth-authorization-server` (RFC 8414).
#[derive(Deserialize)]
struct AuthorizationServer {
    token_endpoint: String,
}

impl Endpoint {
    /// The endpoint of the host of `client`; requests for tokens carry what `credential` gives.
    pub(super) fn new(client: &Client, settings: &Settings, credential: Arc<dyn Authorize>) -> Endpoint {
        Endpoint {
            open: patient(client.sibling(Arc::new(Unsigned))),
            credential,
            trusted: settings.trusted.clone(),
            workspace_id: settings.workspace_id.clone(),
            account_id: settings.account_id.clone(),
            found: OnceCell::new(),
        }
    }

    /// Asks for an access token; `refused` says what it means that there is none.
    pub(super) async fn request(
        &self,
        form: &[(&str, &str)],
        refused: impl FnOnce(&Refusal) -> Option<Problem>,
    ) -> Result<Grant, NoCredential> {
        let (client, path) = self.found.get_or_try_init(|| self.discover()).await?;
        ask(client, path, form, refused).await
    }

    /// The endpoint, as the host's own documents tell it.
    async fn discover(&self) -> Result<(Client, String), NoCredential> {
        let base = self.open.base();
        let metadata = match self.document(&self.open, "/.well-known/databricks-config").await {
            Ok(metadata) => metadata,
            // A host that answers, but not this, may still have the second document.
            Err(Error::Api(_)) => HostMetadata::default(),
            Err(error) => {
                tracing::debug!("the host tells nothing of its log-in: {error}");
                return Ok(self.at(&self.usual()));
            }
        };
        self.check(&metadata)?;
        let usual = self.usual();
        let endpoint = match self.documented(metadata).await {
            // Only the domains that a credential may be sent to count, whatever a document says.
            Ok(endpoint) if self.trusted.allow_from(base, &endpoint) => endpoint,
            Ok(endpoint) => {
                let host = endpoint.host_str().unwrap_or_default();
                tracing::debug!("the host names a token endpoint on another host, which is not used: {host}");
                usual
            }
            Err(reason) => {
                tracing::debug!("the token endpoint is taken to be `{}`: {reason}", usual.path());
                usual
            }
        };
        Ok(self.at(&endpoint))
    }

    fn at(&self, endpoint: &Url) -> (Client, String) {
        let credential = Arc::clone(&self.credential);
        let client = if endpoint.origin() == self.open.base().origin() {
            self.open.sibling(credential)
        } else {
            self.open.elsewhere(origin(endpoint), credential)
        };
        (patient(client), endpoint.path().to_owned())
    }

    /// Where hosts have their endpoint that do not say it: the documents are asked first, but nothing depends on them.
    fn usual(&self) -> Url {
        let base = self.open.base();
        let mut url = base.clone();
        match &self.account_id {
            Some(account) if is_account_console(base) => url.set_path(&format!("/oidc/accounts/{account}/v1/token")),
            _ => url.set_path("/oidc/v1/token"),
        }
        url
    }

    /// Whether the host is what the settings take it for.
    fn check(&self, metadata: &HostMetadata) -> Result<(), NoCredential> {
        let kind = metadata.host_type.as_deref().unwrap_or_default();
        let problem = match (&self.workspace_id, &metadata.workspace_id) {
            (None, _) if kind == "unified" || kind == "account" => {
                let message =
                    "not set, and the host in `DATABRICKS_HOST` serves a whole account, with several workspaces";
                let hint = "set it to the number after `?o=` in the address that the browser shows of the workspace";
                Problem::new(Code::MissingVariable, message).hint(hint)
            }
            (Some(meant), Some(told)) if kind == "workspace" && meant != told => {
                let message = format!("`{meant}`, but the host in `DATABRICKS_HOST` is the workspace `{told}`");
                Problem::new(Code::ConflictingVariables, message)
                    .hint("check which of the two is meant, and leave the id out")
            }
            _ => return Ok(()),
        };
        Err(NoCredential { problem: Box::new(problem.at("DATABRICKS_WORKSPACE_ID")), passing: false })
    }

    async fn documented(&self, metadata: HostMetadata) -> Result<Url, String> {
        let base = self.open.base();
        let not_an_address = |error: url::ParseError| error.to_string();
        let account = self.account_id.clone().or(metadata.account_id).unwrap_or_default();
        let root = metadata.oidc_endpoint.unwrap_or_else(|| "/oidc".to_owned()).replace("{account_id}", &account);
        let root = base.join(root.trim_end_matches('/')).map_err(not_an_address)?;
        if !self.trusted.allow_from(base, &root) {
            return Ok(root);
        }
        let client = if root.origin() == base.origin() {
            self.open.clone()
        } else {
            self.open.elsewhere(origin(&root), Arc::new(Unsigned))
        };
        let path = format!("{}/.well-known/oauth-authorization-server", root.path());
        let server: AuthorizationServer = self.document(&client, &path).await.map_err(|error| error.to_string())?;
        base.join(&server.token_endpoint).map_err(not_an_address)
    }

    /// A document that everybody may read. Passing trouble is borne for a moment, since a host of several workspaces has
    /// its endpoint elsewhere than most; a host in lasting trouble is found out by the request for the token.
    async fn document<T: DeserializeOwned>(&self, client: &Client, path: &str) -> Result<T, Error> {
        let call = Call {
            method: Method::GET,
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            class: Class::Control,
            repeat: Repeat::Always,
            patience: Some(Duration::from_secs(10)),
        };
        Ok(parse_json(&client.send(&call, classify_content).await?)?)
    }
}

/// Scheme, host and port alone: a user that a document names is nobody's credential.
fn origin(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    // They fail for addresses without a host only, and those have no user.
    let _ = origin.set_username("");
    let _ = origin.set_password(None);
    origin
}
