//! The documents that lead to the token endpoint.

use super::{Entrant, Knock, SCOPE};
use crate::reply::Reply;
use crate::state::State;
use serde_json::json;

/// `GET /.well-known/databricks-config`.
pub(super) fn configuration(state: &mut State, knock: &Knock<'_>) -> (Reply, Option<Entrant>) {
    (Reply::json(&state.host.metadata(&knock.origin, state.workspace_id)), None)
}

/// `GET /oidc/.well-known/oauth-authorization-server`, and the same for an account.
pub(super) fn authorization_server(state: &mut State, knock: &Knock<'_>) -> (Reply, Option<Entrant>) {
    let issuer = state.host.oidc(&knock.origin, state.host.account_id());
    let body = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/v1/authorize"),
        "token_endpoint": format!("{issuer}/v1/token"),
        "scopes_supported": [SCOPE, "offline_access"],
        "grant_types_supported":
            ["client_credentials", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
    });
    (Reply::json(&body), None)
}
