//! What `api.bitbucket.org` tells everybody about its identity provider.

use crate::reply::Reply;
use crate::state::State;
use http::Method;
use serde_json::{Value, json};

/// The host of the real one.
pub(crate) const HOST: &str = "api.bitbucket.org";

const WORKSPACES: &str = "/2.0/workspaces/";
const PROVIDER: &str = "/pipelines-config/identity/oidc";

/// The issuer's URL of a workspace.
pub(super) fn issuer(slug: &str) -> String {
    format!("https://{HOST}{WORKSPACES}{slug}{PROVIDER}")
}

/// Answers a request for `api.bitbucket.org`; `None` if it is for nothing that is known here. A workspace where OIDC was
/// never used has no documents.
pub(crate) fn answer(state: &State, method: &Method, path: &str) -> Option<Reply> {
    let (slug, document) = path.strip_prefix(WORKSPACES)?.split_once(PROVIDER)?;
    let issuer = issuer(slug);
    let body = match (method, document, state.issuers.keys(&issuer)) {
        (&Method::GET, "/.well-known/openid-configuration" | "/keys.json", None) => {
            let body = json!({ "type": "error", "error": { "message": "Not found" } });
            return Some(Reply { status: 404, ..Reply::json(&body) });
        }
        (&Method::GET, "/.well-known/openid-configuration", Some(_)) => json!({
            "issuer": issuer,
            "jwks_uri": format!("{issuer}/keys.json"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }),
        (&Method::GET, "/keys.json", Some(keys)) => {
            json!({ "keys": keys.iter().map(|key| key.document()).collect::<Value>() })
        }
        _ => return None,
    };
    Some(Reply::json(&body))
}
