//! `azure-client-secret`: an application of Microsoft Entra ID and its secret buy access tokens for Azure Databricks.

use super::cache::{Cached, Fetching, Field, Grant, TokenSource};
use super::token_request::ask;
use super::{patient, refusal};
use crate::http::header::{HeaderMap, HeaderName, HeaderValue};
use crate::http::{Authorize, Client, NoCredential, Signing, Unsigned};
use crate::problem::Code;
use crate::secrets::Redactor;
use crate::settings::{AzureCloud, AzureLogin};
use std::sync::Arc;
use url::Url;

/// Azure Databricks as a resource: the same in every cloud (go config/environment, `azureDatabricksLoginAppId`).
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/// Where a cloud has its Entra ID (Microsoft's "National clouds"), and its resource manager's name as a resource
/// (go config/environment, `ServiceManagementEndpoint`).
fn addresses(cloud: AzureCloud) -> (&'static str, &'static str) {
    match cloud {
        AzureCloud::Public => ("https://login.microsoftonline.com/", "https://management.core.windows.net/"),
        AzureCloud::UsGovernment => ("https://login.microsoftonline.us/", "https://management.core.usgovcloudapi.net/"),
        AzureCloud::China => ("https://login.partner.microsoftonline.cn/", "https://management.core.chinacloudapi.cn/"),
    }
}

/// Signs with a token for Azure Databricks; and, where the application is no member of the workspace but has rights on
/// it as a resource, with a token for the resource manager beside it.
pub(super) fn authorize(client: &Client, login: &AzureLogin, redactor: &Redactor) -> Arc<dyn Authorize> {
    let (_, management) = addresses(login.cloud);
    let databricks = Cached::new(Entra::new(client, login, DATABRICKS), redactor.clone(), Field::AUTHORIZATION);
    let Some(resource_id) = login.resource_id.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) else {
        return Arc::new(databricks);
    };
    let manager = Cached::new(Entra::new(client, login, management), redactor.clone(), Field::MANAGEMENT);
    Arc::new(AsResource { databricks, manager, resource_id })
}

/// One resource of Entra ID that tokens are bought for.
struct Entra {
    client: Client,
    login: AzureLogin,
    resource: &'static str,
}

impl Entra {
    fn new(client: &Client, login: &AzureLogin, resource: &'static str) -> Entra {
        let (authority, _) = addresses(login.cloud);
        // The three are constants that parse: see the test.
        let base = Url::parse(authority).unwrap_or_else(|_| client.base().clone());
        Entra { client: patient(client.elsewhere(base, Arc::new(Unsigned))), login: login.clone(), resource }
    }

    /// `POST /{tenant}/oauth2/token` (py credentials_provider.py, `azure_service_principal`).
    async fn request(&self) -> Result<Grant, NoCredential> {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.login.client_id),
            ("client_secret", self.login.secret.expose()),
            ("resource", self.resource),
        ];
        let path = format!("/{}/oauth2/token", self.login.tenant);
        let asked = ask(&self.client, &path, &form, |refusal| refusal::of_entra(refusal, &self.login)).await;
        asked.map_err(|failed| self.elsewhere(failed))
    }

    /// What is wrong with the way to Entra ID is not wrong with the workspace.
    fn elsewhere(&self, mut failed: NoCredential) -> NoCredential {
        let problem = &mut failed.problem;
        let host = self.client.base().host_str().unwrap_or_default();
        if !matches!(problem.code, Code::InvalidToken | Code::ProxyFailed) {
            problem.place.get_or_insert_with(|| host.to_owned());
        }
        if problem.hint.as_ref().is_some_and(|hint| hint.contains("`DATABRICKS_HOST`")) {
            let hint = format!(
                "check whether the network of this runner, or its proxy, lets it reach {host}, Entra ID's host"
            );
            problem.hint = Some(hint);
        }
        failed
    }
}

impl TokenSource for Entra {
    fn fetch(&self) -> Fetching<'_> {
        Box::pin(self.request())
    }
}

/// Signs for a workspace that knows the application only as somebody with rights on its resource.
struct AsResource {
    databricks: Cached<Entra>,
    manager: Cached<Entra>,
    resource_id: HeaderValue,
}

impl Authorize for AsResource {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async {
            let mut fields = self.databricks.sign().await?;
            fields.extend(self.manager.sign().await?);
            fields
                .insert(HeaderName::from_static("x-databricks-azure-workspace-resource-id"), self.resource_id.clone());
            Ok(fields)
        })
    }

    fn refused(&self, given: &HeaderMap) -> bool {
        self.manager.refused(given);
        self.databricks.refused(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cloud_has_an_address_of_its_own() {
        let clouds = [AzureCloud::Public, AzureCloud::UsGovernment, AzureCloud::China];
        let hosts: std::collections::BTreeSet<String> = clouds
            .iter()
            .map(|cloud| Url::parse(addresses(*cloud).0).unwrap().host_str().unwrap().to_owned())
            .collect();
        assert_eq!(hosts.len(), 3);
        assert!(clouds.iter().all(|cloud| addresses(*cloud).1.starts_with("https://management.core.")));
    }
}
