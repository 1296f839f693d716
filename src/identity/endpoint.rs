//! The token endpoint of a workspace or an account: where it is, and what it is asked (RFC 6749, 5.1).

use super::cache::Grant;
use super::host::{self, Host};
use super::patient;
use super::refusal::Refusal;
use super::token_request::ask;
use crate::databricks::error::Error;
use crate::http::{Authorize, Client, NoCredential, Unsigned};
use crate::problem::Problem;
use crate::settings::{Route, TrustedHosts, is_account_console};
use serde::Deserialize;
use std::sync::Arc;
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

/// `GET {oidc_endpoint}/.well-known/oauth-authorization-server` (RFC 8414).
#[derive(Deserialize)]
struct AuthorizationServer {
    token_endpoint: String,
}

impl Endpoint {
    /// The endpoint of the host of `client`; requests for tokens carry what `credential` gives.
    pub(super) fn new(client: &Client, route: &Route, credential: Arc<dyn Authorize>) -> Endpoint {
        Endpoint {
            open: patient(client.sibling(Arc::new(Unsigned))),
            credential,
            trusted: route.trusted.clone(),
            workspace_id: route.workspace_id.clone(),
            account_id: route.account_id.clone(),
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
        let host = match host::ask(&self.open).await {
            Ok(host) => host,
            // A host that answers, but not this, may still have the second document.
            Err(Error::Api(_)) => Host::default(),
            Err(error) => {
                tracing::debug!("the host tells nothing of its log-in: {error}");
                return Ok(self.at(&self.usual()));
            }
        };
        if let Some(problem) = host.is_not_meant(self.workspace_id.as_deref()) {
            return Err(NoCredential { problem: Box::new(problem), passing: false });
        }
        let usual = self.usual();
        let endpoint = match self.documented(host).await {
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

    async fn documented(&self, host: Host) -> Result<Url, String> {
        let base = self.open.base();
        let not_an_address = |error: url::ParseError| error.to_string();
        let account = self.account_id.clone().or(host.account_id).unwrap_or_default();
        let root = host.oidc_endpoint.unwrap_or_else(|| "/oidc".to_owned()).replace("{account_id}", &account);
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
        let server: AuthorizationServer = host::document(&client, &path).await.map_err(|error| error.to_string())?;
        base.join(&server.token_endpoint).map_err(not_an_address)
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
