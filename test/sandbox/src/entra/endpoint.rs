//! The token endpoints of a tenant: the older one, which Databricks' own tools use, and `v2.0`.

use super::errors::EntraError;
use super::{Entra, EntraCloud};
use crate::jwt::Jwt;
use crate::oauth::{Entrant, Knock, Resource};
use crate::principals::TokenState;
use crate::record::Way;
use crate::reply::Reply;
use crate::state::State;
use http::Method;
use serde_json::{Map, Value, json};

/// Answers a request for the host of a cloud, and says which application got a token; `None` if it is for nothing that
/// is known here.
pub(crate) fn answer(
    state: &mut State,
    cloud: EntraCloud,
    (method, path): (&Method, &str),
    knock: &Knock<'_>,
) -> Option<(Reply, Option<Entrant>)> {
    let (tenant, endpoint) = path.strip_prefix('/')?.split_once('/')?;
    let first_version = match (method, endpoint) {
        (&Method::POST, "oauth2/token") => true,
        (&Method::POST, "oauth2/v2.0/token") => false,
        _ => return None,
    };
    let target = if first_version { knock.field("resource") } else { knock.field("scope") };
    let granted = (|| {
        let target = target.ok_or_else(|| EntraError::missing(if first_version { "resource" } else { "scope" }))?;
        let unknown = || EntraError::resource(target, tenant);
        let name = if first_version { target } else { target.strip_suffix("/.default").ok_or_else(unknown)? };
        let client_id = state.entra.client(cloud, tenant, knock)?;
        Ok((name.to_owned(), cloud.resource(name).ok_or_else(unknown)?, client_id))
    })();
    Some(match granted {
        Err(refused) => (EntraError::reply(&refused, &state.clock, cloud.host(), knock.request_id), None),
        Ok((name, resource, client_id)) => {
            let reply = issue(state, tenant, &client_id, (&name, resource), first_version);
            (reply, Some((client_id, Way::EntraSecret)))
        }
    })
}

impl Entra {
    /// The application that the form names with a good secret.
    fn client(&self, cloud: EntraCloud, tenant: &str, knock: &Knock<'_>) -> Result<String, EntraError> {
        let required = |name: &'static str| knock.field(name).ok_or_else(|| EntraError::missing(name));
        let mut known = self.0.iter().filter(|known| known.cloud == cloud && known.tenant == tenant).peekable();
        if known.peek().is_none() {
            return Err(EntraError::tenant(tenant));
        }
        let grant_type = required("grant_type")?;
        if grant_type != "client_credentials" {
            return Err(EntraError::grant_type(grant_type));
        }
        let client_id = required("client_id")?;
        let mut known = known.filter(|known| known.client_id == client_id).peekable();
        if known.peek().is_none() {
            return Err(EntraError::application(client_id, tenant));
        }
        if let Some(assertion) = knock.field("client_assertion") {
            let subject = Jwt::read(assertion).and_then(|token| token.text("sub").map(str::to_owned));
            return Err(EntraError::assertion(&subject.unwrap_or_default()));
        }
        let secret = required("client_secret")?;
        match known.find(|known| known.secret == secret).map(|known| known.state) {
            Some(TokenState::Valid) => Ok(client_id.to_owned()),
            Some(TokenState::Expired) => Err(EntraError::expired(client_id)),
            Some(TokenState::Revoked) | None => Err(EntraError::secret(client_id)),
        }
    }
}

/// Issues a token. The older endpoint writes its numbers as strings.
fn issue(
    state: &mut State,
    tenant: &str,
    client_id: &str,
    (name, resource): (&str, Resource),
    first_version: bool,
) -> Reply {
    let mut claims = Map::new();
    let issuer = format!("https://sts.windows.net/{tenant}/");
    for (claim, value) in [("aud", name), ("iss", &issuer), ("tid", tenant), ("appid", client_id), ("ver", "1.0")] {
        claims.insert(claim.to_owned(), Value::from(value));
    }
    let (now, lifetime) = (state.clock.seconds(), state.oauth.lifetime);
    let token = state.oauth.tokens.issue(&state.clock, (client_id, Way::EntraSecret), resource, lifetime, claims);
    let seconds = lifetime.as_secs();
    let body = if first_version {
        json!({
            "token_type": "Bearer", "expires_in": seconds.to_string(), "ext_expires_in": seconds.to_string(),
            "expires_on": (now + seconds).to_string(), "not_before": (now - 300).to_string(), "resource": name,
            "access_token": token,
        })
    } else {
        json!({ "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token })
    };
    Reply::json(&body).with_header("cache-control", "no-store, no-cache")
}
