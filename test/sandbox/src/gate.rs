//! Who is let in at the paths of the API, and for which workspace.

use crate::errors::ApiError;
use crate::host::HostKind;
use crate::oauth::Resource;
use crate::principals::Principal;
use crate::record::Way;
use crate::reply::Reply;
use crate::request::text_header;
use crate::state::State;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// Names of the header field by which a call says which workspace it is for; the second is the older one.
const WORKSPACE: [&str; 2] = ["x-databricks-workspace-id", "x-databricks-org-id"];

/// By which somebody who may manage the workspace in Azure comes in: a token for Azure itself, and the resource id.
const AZURE: [&str; 2] = ["x-databricks-azure-sp-management-token", "x-databricks-azure-workspace-resource-id"];

/// Azure Databricks refuses tokens of Entra ID that have less than this left (py oauth.py).
const LEAST_LEFT: Duration = Duration::from_secs(30);

const SIGN_IN: &[u8] = b"<!DOCTYPE html><html><head><title>Databricks - Sign In</title></head><body></body></html>";

/// Somebody whose credential is good.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The numeric SCIM id.
    pub(crate) id: i64,
    pub(crate) principal: Arc<Principal>,
    pub(crate) way: Way,
}

/// What a host does with a call before it looks at who asks: an account has no calls of a workspace, and one that
/// serves many workspaces sends whoever does not name this one to its sign-in page. Neither answer is confirmed.
pub(crate) fn elsewhere(state: &State, headers: &HeaderMap, line: &str, request_id: &str) -> Option<Reply> {
    let this = state.workspace_id.to_string();
    let named = || WORKSPACE.iter().find_map(|name| text_header(headers, name));
    match state.host.kind {
        HostKind::Account => Some(Reply::error(&ApiError::unknown_endpoint(line), request_id)),
        HostKind::Unified if named() != Some(this) => {
            let html = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
            Some(Reply { status: 200, headers: html, body: Bytes::from_static(SIGN_IN) })
        }
        HostKind::Workspace | HostKind::Unified => None,
    }
}

/// Finds out whom a credential belongs to.
pub(crate) fn identify(state: &State, authorization: Option<&str>, request_id: &str) -> Result<Caller, ApiError> {
    let pair = authorization.and_then(|value| value.split_once(' '));
    let (_, credential) = pair
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .ok_or_else(|| ApiError::no_credential(request_id))?;
    if let Some(known) = state.principals.with_token(credential) {
        let (id, principal) = known.ok_or_else(|| ApiError::bad_token(request_id))?;
        return Ok(Caller { id, principal, way: Way::PersonalAccessToken });
    }
    // That an access token which has run out is refused in the words for any bad token is not confirmed.
    let bad = || ApiError::bad_token(request_id);
    let issued = state.oauth.tokens.get(credential).filter(|issued| issued.resource == Resource::Databricks);
    let issued = issued.ok_or_else(bad)?;
    let left = issued.left(state.clock.now()).ok_or_else(bad)?;
    if issued.way == Way::EntraSecret && (state.host.cloud != "Azure" || left < LEAST_LEFT) {
        return Err(bad());
    }
    let (id, principal) = state.principals.named(&issued.principal).ok_or_else(bad)?;
    Ok(Caller { id, principal, way: issued.way })
}

/// Whether somebody may use this workspace.
pub(crate) fn admit(state: &State, headers: &HeaderMap, caller: &Caller) -> Result<(), ApiError> {
    if !manages_in_azure(state, headers, caller)? && !caller.principal.member {
        let text = format!("User {} does not have access to this workspace.", caller.principal.name);
        return Err(ApiError::denied(text));
    }
    // A header that names another workspace would be routed away by a multi-workspace host; what a host of one
    // workspace does with it is not confirmed.
    for name in WORKSPACE {
        let given = text_header(headers, name);
        if let Some(other) = given.filter(|id| *id != state.workspace_id.to_string()) {
            return Err(ApiError::invalid(format!("Workspace {other} is not served by this host")));
        }
    }
    Ok(())
}

/// Whether somebody with a token of Entra ID shows that they may manage the workspace in Azure. One of the two fields
/// alone shows nothing, but does no harm: Databricks' own tools send the token even without the id. Whoever sends both
/// must be right, members too; neither this nor the words are confirmed. Resource ids do not tell upper from lower case.
fn manages_in_azure(state: &State, headers: &HeaderMap, caller: &Caller) -> Result<bool, ApiError> {
    let [Some(token), Some(id)] = AZURE.map(|name| text_header(headers, name)) else { return Ok(false) };
    if caller.way != Way::EntraSecret {
        return Ok(false);
    }
    let good = state.oauth.tokens.get(&token).is_some_and(|issued| {
        issued.resource == Resource::Azure
            && issued.principal == caller.principal.name
            && issued.left(state.clock.now()).is_some_and(|left| left >= LEAST_LEFT)
    });
    if !good {
        return Err(ApiError::denied("The management token is not valid for this service principal."));
    }
    if !state.host.azure_resource_id.as_ref().is_some_and(|this| id.eq_ignore_ascii_case(this)) {
        return Err(ApiError::denied("The workspace resource id is not that of this workspace."));
    }
    Ok(true)
}
