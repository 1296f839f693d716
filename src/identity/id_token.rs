//! Log-in without a stored secret: an identity token is exchanged for an access token (RFC 8693, as Databricks' OAuth
//! token federation has it).

use super::cache::{Fetching, Grant, TokenSource};
use super::endpoint::Endpoint;
use super::refusal;
use crate::disk;
use crate::http::{Client, NoCredential, Unsigned};
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Redactor, Secret};
use crate::settings::{IdToken, Route};
use std::io::{self, ErrorKind};
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
        let (file, redactor) = (path.to_owned(), self.redactor.clone());
        let read = tokio::task::spawn_blocking(move || read_file(&file, &redactor)).await;
        let read = read.unwrap_or_else(|panicked| Err(unreadable(path, &panicked.into())));
        read.map(|(token, _)| token).map_err(|problem| NoCredential { problem: Box::new(problem), passing: false })
    }
}

/// Reads the file of an identity token; the redactor learns what is in it, whatever that is.
pub fn read_file(path: &Path, redactor: &Redactor) -> Result<(Secret, Claims), Problem> {
    let bytes = disk::read(path, LARGEST).map_err(|error| unreadable(path, &error))?;
    let token = Secret::new(String::from_utf8_lossy(&bytes).trim());
    redactor.learn(&token);
    match Claims::read(&token) {
        Some(claims) => Ok((token, claims)),
        None => Err(no_token_in(format!("the file `{}` does not hold an identity token", path.display()))),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    no_token_in(match error.kind() {
        ErrorKind::FileTooLarge => format!("the file `{shown}` is far too large for a token"),
        _ => format!("the file `{shown}` cannot be read: {error}"),
    })
}

fn no_token_in(what: String) -> Problem {
    Problem::new(Code::InvalidToken, what)
        .at("DATABRICKS_OIDC_TOKEN_FILEPATH")
        .hint("the file must hold an identity token, a JWT, and nothing else")
}

impl TokenSource for Exchange {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.exchange())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was one when the variables were read.
    #[test]
    fn what_is_no_file_any_more_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.jwt");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let problem = read_file(&path, &Redactor::new()).unwrap_err();
        assert!(problem.message.ends_with("cannot be read: it is a named pipe, not a file"), "{problem}");
    }
}
