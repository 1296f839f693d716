//! A fake of Microsoft Entra ID, as far as it issues tokens to applications that have a secret.

mod endpoint;
mod errors;

pub(crate) use endpoint::answer;

use crate::ids;
use crate::oauth::Resource;
use crate::principals::TokenState;
use crate::sandbox::Sandbox;

/// The application id of Azure Databricks, which is the same in every cloud.
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/// One of Microsoft's clouds. A tenant lives in one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EntraCloud {
    /// `login.microsoftonline.com`.
    #[default]
    Public,
    /// `login.microsoftonline.us`.
    UsGov,
    /// `login.partner.microsoftonline.cn`.
    China,
}

impl EntraCloud {
    const ALL: [EntraCloud; 3] = [EntraCloud::Public, EntraCloud::UsGov, EntraCloud::China];

    /// The host at which the tokens of this cloud are asked for.
    #[must_use]
    pub fn host(self) -> &'static str {
        match self {
            EntraCloud::Public => "login.microsoftonline.com",
            EntraCloud::UsGov => "login.microsoftonline.us",
            EntraCloud::China => "login.partner.microsoftonline.cn",
        }
    }

    /// The cloud whose host this is.
    pub(crate) fn at(host: &str) -> Option<EntraCloud> {
        EntraCloud::ALL.into_iter().find(|cloud| cloud.host() == host)
    }

    /// What a token for a resource opens. Azure Resource Manager has an old and a new name in each cloud.
    fn resource(self, name: &str) -> Option<Resource> {
        let azure = match self {
            EntraCloud::Public => ["https://management.core.windows.net", "https://management.azure.com"],
            EntraCloud::UsGov => ["https://management.core.usgovcloudapi.net", "https://management.usgovcloudapi.net"],
            EntraCloud::China => ["https://management.core.chinacloudapi.cn", "https://management.chinacloudapi.cn"],
        };
        match name.strip_suffix('/').unwrap_or(name) {
            DATABRICKS => Some(Resource::Databricks),
            name => azure.contains(&name).then_some(Resource::Azure),
        }
    }
}

/// The secret of an application.
#[derive(Clone, Debug)]
struct Registration {
    tenant: String,
    cloud: EntraCloud,
    client_id: String,
    secret: String,
    state: TokenState,
}

/// The applications of all tenants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entra(Vec<Registration>);

impl Sandbox {
    /// Registers an application in a tenant of Entra ID, and makes it a secret, which is returned. Registered again it
    /// gets another one. A tenant is there as soon as it has an application.
    ///
    /// Its tokens open a workspace whose cloud is `Azure` ([`Sandbox::set_host_cloud`]) and that knows a service
    /// principal of this application id.
    pub fn add_entra_application(&self, tenant: &str, client_id: &str, cloud: EntraCloud) -> String {
        let secret = ids::entra_secret();
        let (tenant, client_id) = (tenant.to_owned(), client_id.to_owned());
        let made = Registration { tenant, cloud, client_id, secret: secret.clone(), state: TokenState::Valid };
        self.state().entra.0.push(made);
        secret
    }

    /// Changes the state of an application's secret. A revoked one is as wrong as any other text.
    pub fn set_entra_secret_state(&self, secret: &str, state: TokenState) {
        for known in self.state().entra.0.iter_mut().filter(|known| known.secret == secret) {
            known.state = state;
        }
    }

    /// Makes the workspace one of Azure, with this resource id (`/subscriptions/…`). A service principal that is no
    /// member of it, but may manage it in Azure, is let in when each call carries an access token for Azure itself and
    /// this id.
    pub fn set_azure_resource_id(&self, id: &str) {
        let host = &mut self.state().host;
        "Azure".clone_into(&mut host.cloud);
        host.azure_resource_id = Some(id.to_owned());
    }
}
