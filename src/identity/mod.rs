//! Ways to log in, one file each. Exactly one is chosen; the log says which and why.
//!
//! A way whose credential is bought with another one is a `TokenSource`: the cache (cache.rs) keeps what it
//! brings, renews it in time, and tells the redactor of it.

mod cache;
mod endpoint;
mod entra;
mod host;
mod id_token;
mod oauth_m2m;
mod pat;
mod policy;
mod refusal;
mod routed;
mod token_request;

pub use host::{Host, Serves, ask as ask_host};
pub use id_token::read_file;
pub use policy::{Policy, claims_shown, is_not_genuine, is_of_bitbucket, is_taken_for_bitbucket};
pub use refusal::{LOG_IN, ended, not_logged_in, not_reached};

use crate::http::{Authorize, Client, NoCredential};
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use crate::settings::{AuthType, Chosen, Login, Route};
use cache::{Cached, Field, Lasts};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// A way to log in that was chosen.
pub struct Identity {
    /// Signs the requests.
    pub authorize: Arc<dyn Authorize>,
    /// Which way it is, and why, for the log.
    pub how: String,
    lasts: Option<Arc<dyn Lasts>>,
}

/// When an identity ends that cannot be renewed for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// From then on nothing is signed any more.
    pub at: Instant,
    /// The same by the server's clock, where it told the time.
    pub clock: Option<SystemTime>,
}

impl Identity {
    /// When it ends, as far as that is known by now; `None` for what is renewed as often as it takes, and before the
    /// first log-in. A renewal may move it.
    pub fn end(&self) -> Option<End> {
        self.lasts.as_ref()?.end()
    }
}

/// Prepares the way to log in. Nothing is sent yet. Tokens are asked for through siblings of `client`, and `redactor`
/// is told of each before anybody else sees it.
pub fn choose(route: &Route, chosen: &Chosen, client: &Client, redactor: &Redactor) -> Identity {
    let how = format!("{}, because {}", words(chosen.way), chosen.because);
    let keep =
        |authorize| Identity { authorize: routed::to(route.workspace_id.as_deref(), authorize), how, lasts: None };
    match &chosen.login {
        Login::Token(token) => keep(Arc::new(pat::Pat::new(token.clone()))),
        Login::OauthM2m { client_id, secret } => {
            redactor.learn_pair(client_id, secret);
            let source = oauth_m2m::OauthM2m::new(client, route, client_id.clone(), secret.clone());
            keep(Arc::new(Cached::new(source, redactor.clone(), Field::AUTHORIZATION)))
        }
        Login::AzureClientSecret(azure) => keep(entra::authorize(client, azure, redactor)),
        Login::IdToken { client_id, token } => {
            let source = id_token::Exchange::new(client, route, client_id.clone(), token.clone(), redactor.clone());
            let cached = Arc::new(Cached::new(source, redactor.clone(), Field::AUTHORIZATION));
            Identity { lasts: Some(Arc::clone(&cached) as Arc<dyn Lasts>), ..keep(cached) }
        }
    }
}

/// A way to log in, for people.
pub fn words(way: AuthType) -> &'static str {
    match way {
        AuthType::BitbucketOidc => "the step's own identity",
        AuthType::EnvOidc | AuthType::FileOidc => "an identity token",
        AuthType::OauthM2m => "OAuth machine-to-machine",
        AuthType::AzureClientSecret => "an Entra ID client secret",
        AuthType::Pat => "personal access token",
    }
}

/// The client as one that asks for tokens: whoever waits for a token has a deadline of its own.
fn patient(client: Client) -> Client {
    const NEVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    client.until(Instant::now() + NEVER)
}

/// A credential that cannot stand in a header field.
fn unsendable(what: &str) -> NoCredential {
    let problem = Problem::new(Code::InvalidToken, format!("{what} has a character that a header cannot carry"));
    NoCredential { problem: Box::new(problem.hint("copy it again, as plain text")), passing: false }
}
