//! What a host tells of itself to everybody.

use crate::databricks::error::{Error, classify_content, parse_json};
use crate::http::{Body, Call, Class, Client, Method, Repeat};
use crate::problem::{Code, Problem};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A host by its own words; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// What it serves.
    pub serves: Serves,
    /// The cloud, in its own word: `AWS`, `Azure`, `GCP`.
    pub cloud: Option<String>,
    /// The workspace, where it serves one.
    pub workspace_id: Option<String>,
    /// The account.
    pub account_id: Option<String>,
    /// Where OAuth lives.
    pub(super) oidc_endpoint: Option<String>,
}

/// What a host serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Serves {
    /// It does not say.
    #[default]
    Untold,
    /// One workspace.
    Workspace,
    /// An account, without its workspaces.
    Account,
    /// An account and all its workspaces.
    Unified,
    /// Something else, in its own word.
    Other(String),
}

/// `GET /.well-known/databricks-config` (py oauth.py, `get_host_metadata`; go config/host_metadata.go).
#[derive(Default, Deserialize)]
struct WireHost {
    #[serde(default)]
    oidc_endpoint: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
    #[serde(default)]
    workspace_id: Option<String>,
    #[serde(default)]
    host_type: Option<String>,
    #[serde(default)]
    cloud: Option<String>,
}

/// Asks a host what it is. `client` needs no credential.
pub async fn ask(client: &Client) -> Result<Host, Error> {
    let wire: WireHost = document(client, "/.well-known/databricks-config").await?;
    let serves = match wire.host_type.as_deref() {
        None | Some("") => Serves::Untold,
        Some("workspace") => Serves::Workspace,
        Some("account") => Serves::Account,
        Some("unified") => Serves::Unified,
        Some(other) => Serves::Other(other.to_owned()),
    };
    let WireHost { oidc_endpoint, account_id, workspace_id, cloud, .. } = wire;
    Ok(Host { serves, cloud, workspace_id, account_id, oidc_endpoint })
}

/// A document that everybody may read. Passing trouble is borne for a moment, since a host of
/// several workspaces has its endpoint elsewhere than most; a host in lasting trouble is found out by the request for the
/// token.
pub(super) async fn document<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, Error> {
    let call = Call {
        method: Method::GET,
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        class: Class::Control,
        repeat: Repeat::Always,
        patience: Some(Duration::from_secs(10)),
    };
    Ok(parse_json(&client.send(&call, classify_content).await?)?)
}

impl Host {
    /// Why it is not the host that the settings take it for, if it is not; `meant` is the workspace that they name.
    pub fn is_not_meant(&self, meant: Option<&str>) -> Option<Problem> {
        let problem = match (meant, &self.workspace_id, &self.serves) {
            (None, _, Serves::Unified | Serves::Account) => {
                let message =
                    "not set, and the host in `DATABRICKS_HOST` serves a whole account, with several workspaces";
                let hint = "set it to the number after `?o=` in the address that the browser shows of the workspace";
                Problem::new(Code::MissingVariable, message).hint(hint)
            }
            (Some(meant), Some(told), Serves::Workspace) if meant != told => {
                let message = format!("`{meant}`, but the host in `DATABRICKS_HOST` is the workspace `{told}`");
                Problem::new(Code::ConflictingVariables, message)
                    .hint("check which of the two is meant, and leave the id out")
            }
            _ => return None,
        };
        Some(problem.at("DATABRICKS_WORKSPACE_ID"))
    }
}
