//! Who am I.

use crate::errors::ApiError;
use crate::principals::PrincipalKind;
use crate::reply::Reply;
use crate::request::Ask;
use crate::state::State;
use serde_json::json;

/// `GET /api/2.0/preview/scim/v2/Me`.
pub(crate) fn me(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let caller = &ask.caller;
    let mut groups = vec![json!({ "display": "users", "type": "direct", "value": "1001", "$ref": "Groups/1001" })];
    if caller.admin {
        groups.push(json!({ "display": "admins", "type": "direct", "value": "1002", "$ref": "Groups/1002" }));
    }
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": ask.caller_id.to_string(),
        "userName": caller.name,
        "displayName": caller.display_name,
        "active": true,
        "groups": groups,
        "entitlements": [{ "value": "workspace-access" }],
    });
    if caller.kind == PrincipalKind::User {
        body["emails"] = json!([{ "type": "work", "value": caller.name, "primary": true }]);
    }
    let reply = Reply::json(&body);
    Ok(reply.with_header("x-databricks-org-id", &state.workspace_id.to_string()))
}
