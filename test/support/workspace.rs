//! The endpoints of a workspace over a sandbox in this process.

use super::InMemory;
use databricks_deploy::databricks::Workspace;
use databricks_deploy::http::{Authorize, Client, Options, Signing, header};
use databricks_sandbox::Sandbox;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

struct Token(String);

impl Authorize for Token {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async {
            let value = format!("Bearer {}", self.0).parse().expect("a token is a header value");
            Ok([(header::AUTHORIZATION, value)].into_iter().collect())
        })
    }

    fn refused(&self, _: &header::HeaderMap) -> bool {
        false
    }
}

/// The sandbox as its first user sees it.
pub(crate) fn workspace(sandbox: &Sandbox) -> Workspace {
    workspace_of(sandbox, sandbox.token())
}

/// The sandbox as somebody else sees it.
pub(crate) fn workspace_of(sandbox: &Sandbox, token: String) -> Workspace {
    let options = options("https://sandbox.cloud.databricks.com");
    Workspace::new(Client::new(options, Arc::new(InMemory::new(sandbox.clone())), Arc::new(Token(token))))
}

/// How a client of tests asks `base`: five minutes of patience, an hour of time.
pub(crate) fn options(base: &str) -> Options {
    Options {
        base: base.parse().expect("an address"),
        user_agent: "test/1.0".to_owned(),
        connect_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(60),
        patience: Duration::from_secs(300),
        deadline: Instant::now() + Duration::from_secs(3600),
        seed: 42,
    }
}
