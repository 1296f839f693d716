//! Log-in without a stored secret: an identity token is exchanged for an access token (RFC 8693, as Databricks' OAuth
//! token federation has it).

use super::cache::{Fetching, Grant, TokenSource};
use super::endpoint::Endpoint;
use super::refusal;
use crate::http::{Client, NoCredential, Unsigned};
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Redactor, Secret};
use crate::settings::{IdToken, Route};
use std::path::Path;
use std::sync::Arc;

/// An identity token is a few kilobytes; whatever is larger is something else.
const LARGEST: u64 = 64 * 1024;

/// Exchanges the token at the host's own token endpoint. The token is sent nowhere else.
pub(super) struct Exchange {
    endpoint: Endpoint,
    client_id: Option<String>,
    token: IdToken,
    redactor: Redactor,
}

impl Exchange {
    pub(super) fn new(
        client: &Client,
        route: &Route,
        client_id: Option<String>,
        token: IdToken,
        redactor: Redactor,
    ) -> Exchange {
        Exchange { endpoint: Endpoint::new(client, route, Arc::new(Unsigned)), client_id, token, redactor }
    }

    async fn exchange(&self) -> Result<Grant, NoCredential> {
        let token = match &self.token {
            IdToken::Variable { token, .. } => token.clone(),
            IdToken::File(path) => self.read(path).await?,
        };
        let claims = Claims::read(&token);
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", token.expose()),
            ("scope", "all-apis"),
        ];
        // Without it, Databricks looks for a policy of the whole account.
        form.extend(self.client_id.as_deref().map(|id| ("client_id", id)));
        let presented =
            refusal::Presented { claims: claims.as_ref(), client_id: self.client_id.as_deref(), token: &self.token };
        let mut grant = self.endpoint.request(&form, |answer| refusal::of_exchange(answer, presented)).await?;
        // By the server's clock: the runner's may be wrong.
        let ends = claims.as_ref().and_then(Claims::expires);
        grant.bought_with = match (ends, grant.date) {
            (Some(ends), Some(now)) => Some(ends.duration_since(now).unwrap_or_default()),
            // A server without a clock: what it gives ends no later than it says, and what comes then is not known.
            _ => grant.lifetime,
        };
        Ok(grant)
    }

    /// Reads the token's file: each time anew, since whoever writes it may have written a newer one.
    async fn read(&self, path: &Path) -> Result<Secret, NoCredential> {
        let shown = path.display();
        let problem = |what: String| {
            let problem = Problem::new(Code::InvalidToken, what).at("DATABRICKS_OIDC_TOKEN_FILEPATH");
            let hint = "the file must hold an identity token, a JWT, and nothing else";
            NoCredential { problem: Box::new(problem.hint(hint)), passing: false }
        };
        let unreadable = |error: std::io::Error| problem(format!("the file `{shown}` cannot be read: {error}"));
        let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
        if length > LARGEST {
            return Err(problem(format!("the file `{shown}` is far too large for a token")));
        }
        let text = tokio::fs::read_to_string(path).await.map_err(unreadable)?;
        let token = Secret::new(text.trim());
        self.redactor.learn(&token);
        if Claims::read(&token).is_none() {
            return Err(problem(format!("the file `{shown}` does not hold an identity token")));
        }
        Ok(token)
    }
}

impl TokenSource for Exchange {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.exchange())
    }
}
