//! Ways to log in, one file each. Exactly one is chosen; the log says which and why.

mod pat;

use crate::http::Authorize;
use crate::settings::Login;
use std::sync::Arc;

/// A way to log in that was chosen.
pub struct Identity {
    /// Signs the requests.
    pub authorize: Arc<dyn Authorize>,
    /// Which way it is, and why, for the log.
    pub how: &'static str,
}

/// Chooses the way to log in.
pub fn choose(login: &Login) -> Identity {
    match login {
        Login::Token(token) => Identity {
            authorize: Arc::new(pat::Pat::new(token.clone())),
            how: "personal access token, because `DATABRICKS_TOKEN` is set",
        },
    }
}
