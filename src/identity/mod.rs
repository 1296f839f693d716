//! Ways to log in, one file each. Exactly one is chosen; the log says which and why.
//!
//! A way whose credential is bought with another one is a `TokenSource`: the cache (cache.rs) keeps what it
//! brings, renews it in time, and tells the redactor of it.

mod cache;
mod endpoint;
mod oauth_m2m;
mod pat;

use crate::http::{Authorize, Client, NoCredential};
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use crate::settings::Login;
use std::sync::Arc;

/// A way to log in that was chosen.
pub struct Identity {
    /// Signs the requests.
    pub authorize: Arc<dyn Authorize>,
    /// Which way it is, and why, for the log.
    pub how: &'static str,
}

/// Prepares the way to log in. Nothing is sent yet. Tokens are asked for through siblings of `client`, and `redactor`
/// is told of each before anybody else sees it.
pub fn choose(login: &Login, client: &Client, redactor: &Redactor) -> Identity {
    match login {
        Login::Token(token) => Identity {
            authorize: Arc::new(pat::Pat::new(token.clone())),
            how: "personal access token, because `DATABRICKS_TOKEN` is set",
        },
        Login::OauthM2m { client_id, secret } => {
            redactor.learn_pair(client_id, secret);
            let source = oauth_m2m::OauthM2m::new(client, client_id.clone(), secret.clone());
            Identity {
                authorize: Arc::new(cache::Cached::new(source, redactor.clone())),
                how: "OAuth machine-to-machine, because `DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` are set",
            }
        }
    }
}

/// A credential that cannot stand in a header field.
fn unsendable(what: &str) -> NoCredential {
    let problem = Problem::new(Code::InvalidToken, format!("{what} has a character that a header cannot carry"));
    NoCredential { problem: Box::new(problem.hint("copy it again, as plain text")), passing: false }
}
