//! Who we are.

use super::error::{Error, classify, parse_json};
use super::{Workspace, get};
use crate::http::Class;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The principal that the workspace sees in us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// A user's name; a service principal's application id. Also the name of the home folder.
    pub user_name: String,
    /// The name for people, where there is one.
    pub display_name: Option<String>,
    /// The workspace's own number for it, as a text.
    pub id: Option<String>,
    /// The names of the groups that the workspace says it is in.
    pub groups: Vec<String>,
    /// The id of the workspace that answered (`X-Databricks-Org-Id`), where it says it.
    pub workspace_id: Option<String>,
}

#[derive(Deserialize)]
struct WireMe {
    #[serde(rename = "userName")]
    user_name: String,
    #[serde(rename = "displayName", default)]
    display_name: Option<String>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    groups: Vec<Map<String, Value>>,
}

impl Workspace {
    /// `GET /api/2.0/preview/scim/v2/Me`: works for every principal, so it proves the credential and nothing else.
    pub async fn me(&self) -> Result<Me, Error> {
        let call = get(Class::Control, "/api/2.0/preview/scim/v2/Me", Vec::new());
        let answer = self.client.send(&call, classify).await?;
        let me: WireMe = parse_json(&answer)?;
        let workspace_id = answer.headers.get("x-databricks-org-id").and_then(|id| id.to_str().ok());
        Ok(Me {
            user_name: me.user_name,
            display_name: me.display_name.filter(|name| !name.trim().is_empty()),
            id: me.id,
            groups: me.groups.iter().filter_map(|group| Some(group.get("display")?.as_str()?.to_owned())).collect(),
            workspace_id: workspace_id.map(str::to_owned),
        })
    }
}
