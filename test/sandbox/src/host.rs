//! What kind of host the sandbox is, and what it tells of itself.

use crate::sandbox::Sandbox;
use serde_json::{Map, Value, json};

const ACCOUNT_ID: &str = "7a3f0c51-0000-4000-8000-00000000acc1";

/// What a host serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostKind {
    /// One workspace.
    #[default]
    Workspace,
    /// An account, and none of the calls that belong to a workspace.
    Account,
    /// An account and all its workspaces; each call of a workspace names it in `X-Databricks-Workspace-Id`.
    Unified,
}

/// The settings of the host.
#[derive(Debug)]
pub(crate) struct HostSettings {
    pub(crate) kind: HostKind,
    pub(crate) has_metadata: bool,
    pub(crate) has_authorization_server: bool,
    pub(crate) cloud: String,
    pub(crate) azure_resource_id: Option<String>,
    pub(crate) tells_date: bool,
    placeholder: bool,
    changes: Map<String, Value>,
}

impl Default for HostSettings {
    fn default() -> HostSettings {
        HostSettings {
            kind: HostKind::default(),
            has_metadata: true,
            has_authorization_server: true,
            cloud: "AWS".to_owned(),
            azure_resource_id: None,
            tells_date: true,
            placeholder: false,
            changes: Map::new(),
        }
    }
}

impl HostSettings {
    pub(crate) fn account_id(&self) -> &'static str {
        ACCOUNT_ID
    }

    /// Whether the host has the paths of this account.
    pub(crate) fn is_account(&self, id: &str) -> bool {
        self.kind != HostKind::Workspace && id == ACCOUNT_ID
    }

    /// Whether the paths of a workspace need no more than the host.
    pub(crate) fn is_workspace(&self) -> bool {
        self.kind == HostKind::Workspace
    }

    /// Where OAuth lives.
    pub(crate) fn oidc(&self, origin: &str, account_id: &str) -> String {
        match self.kind {
            HostKind::Workspace => format!("{origin}/oidc"),
            HostKind::Account | HostKind::Unified => format!("{origin}/oidc/accounts/{account_id}"),
        }
    }

    /// The document at `/.well-known/databricks-config`.
    pub(crate) fn metadata(&self, origin: &str, workspace_id: i64) -> Value {
        let account = if self.placeholder { "{account_id}" } else { ACCOUNT_ID };
        let workspace = self.kind == HostKind::Workspace;
        let audience = if workspace { format!("{origin}/oidc/v1/token") } else { ACCOUNT_ID.to_owned() };
        let mut document = json!({
            "oidc_endpoint": self.oidc(origin, account),
            "account_id": ACCOUNT_ID,
            "cloud": self.cloud,
            "host_type": match self.kind {
                HostKind::Workspace => "workspace",
                HostKind::Account => "account",
                HostKind::Unified => "unified",
            },
            "token_federation_default_oidc_audiences": [audience],
        });
        if workspace {
            document["workspace_id"] = Value::from(workspace_id.to_string());
        }
        if let Some(fields) = document.as_object_mut() {
            for (name, value) in &self.changes {
                match value {
                    Value::Null => fields.remove(name),
                    value => fields.insert(name.clone(), value.clone()),
                };
            }
        }
        document
    }
}

impl Sandbox {
    /// Whether answers have a `Date` from now on; a server without a clock has none (RFC 9110, 6.6.1).
    pub fn tell_date(&self, tells: bool) {
        self.state().host.tells_date = tells;
    }

    /// The id of the account that the workspace belongs to.
    #[must_use]
    pub fn account_id(&self) -> String {
        self.state().host.account_id().to_owned()
    }

    /// Makes it another kind of host; [`HostKind::Workspace`] at first.
    pub fn set_host_kind(&self, kind: HostKind) {
        self.state().host.kind = kind;
    }

    /// The cloud that the host names: `AWS` at first, `Azure`, or `GCP`. Tokens of Entra ID open an Azure one only.
    pub fn set_host_cloud(&self, cloud: &str) {
        cloud.clone_into(&mut self.state().host.cloud);
    }

    /// Whether `oidc_endpoint` of an account or unified host holds the literal `{account_id}`, which the client has to
    /// replace.
    pub fn send_account_id_as_placeholder(&self, placeholder: bool) {
        self.state().host.placeholder = placeholder;
    }

    /// Sets fields of the document at `/.well-known/databricks-config`; `null` takes one away.
    pub fn change_host_metadata(&self, fields: Map<String, Value>) {
        self.state().host.changes.extend(fields);
    }

    /// Takes the document at `/.well-known/databricks-config` away, which older hosts do not have.
    pub fn remove_host_metadata(&self) {
        self.state().host.has_metadata = false;
    }

    /// Takes the document at `…/.well-known/oauth-authorization-server` away. The token endpoint stays.
    pub fn remove_authorization_server(&self) {
        self.state().host.has_authorization_server = false;
    }
}
