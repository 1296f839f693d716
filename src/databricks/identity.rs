//! Who we are.

use super::Workspace;
use super::error::Error;
use crate::http::Class;
use serde::Deserialize;

/// The principal that the workspace sees in us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// A user's name; a service principal's application id. Also the name of the home folder.
    pub user_name: String,
    /// The name for people, where there is one.
    pub display_name: Option<String>,
}

#[derive(Deserialize)]
struct WireMe {
    #[serde(rename = "userName")]
    user_name: String,
    #[serde(rename = "displayName", default)]
    display_name: Option<String>,
}

impl Workspace {
    /// `GET /api/2.0/preview/scim/v2/Me`: works for every principal, so it proves the credential and nothing else.
    pub async fn me(&self) -> Result<Me, Error> {
        let me: WireMe = self.get(Class::Control, "/api/2.0/preview/scim/v2/Me", Vec::new()).await?;
        Ok(Me { user_name: me.user_name, display_name: me.display_name.filter(|name| !name.trim().is_empty()) })
    }
}
