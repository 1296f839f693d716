//! `azure-client-secret`: an application of Microsoft Entra ID and its secret.

use super::super::echo::Echo;
use super::super::reader::{Read, Reader};
use super::super::token::{entra_secret, is_uuid};
use super::super::trust::cloud;
use super::super::{AzureCloud, AzureLogin, Cloud, Login};
use super::Sources;
use super::secrets::{required, stored};
use crate::problem::{Code, Problem};

/// Reads the `ARM_*` variables, by the names that Terraform and the official SDKs have for them.
pub(super) fn client_secret(reader: &mut Reader<'_>, sources: Sources<'_>) -> Read<Login> {
    let raw = sources.raw;
    // All are read, so that all are told of.
    let tenant = required(reader, raw.arm_tenant_id(), tenant);
    let client_id = required(reader, raw.arm_client_id(), application);
    let secret = stored(reader, raw.arm_client_secret(), entra_secret);
    let resource_id = reader.parsed(raw.databricks_azure_resource_id(), resource_id);
    let named = reader.parsed(raw.arm_environment(), super::choice::<AzureCloud>);
    let cloud = match (named?, sources.host.and_then(cloud)) {
        (None, Some(Cloud::Azure(cloud))) => Ok(cloud),
        (Some(named), Some(Cloud::Azure(cloud))) if named != cloud => {
            let message = format!(
                "`{}`, but the host in `DATABRICKS_HOST` is in the cloud `{}`",
                super::super::choices::name_of(named),
                super::super::choices::name_of(cloud)
            );
            let hint = "leave it out: the host's name tells the cloud";
            reader.fail(raw.arm_environment(), Problem::new(Code::ConflictingVariables, message).hint(hint))
        }
        (_, Some(Cloud::Aws | Cloud::Gcp)) => {
            let message = "set, but the host in `DATABRICKS_HOST` is not on Azure: it takes nobody from Entra ID";
            let hint = "log in there with the step's own identity (`oidc: true` and `DATABRICKS_CLIENT_ID`), or check the host";
            reader.fail(raw.arm_client_secret(), Problem::new(Code::ConflictingVariables, message).hint(hint))
        }
        (named, _) => Ok(named.unwrap_or(AzureCloud::Public)),
    };
    Ok(Login::AzureClientSecret(AzureLogin {
        tenant: tenant?,
        client_id: client_id?,
        secret: secret?,
        cloud: cloud?,
        resource_id: resource_id?,
    }))
}

/// The directory: its id, or one of its domains.
fn tenant(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    let is_domain = text.contains('.')
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.chars().all(|next| next.is_ascii_alphanumeric() || next == '-'));
    if is_uuid(text) || is_domain {
        return Ok(text.to_owned());
    }
    Err(Problem::new(Code::InvalidValue, format!("{} is neither a directory id nor a domain", echo.show(text)))
        .hint("copy the \"Directory (tenant) ID\" from the application's page in Entra ID"))
}

fn application(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    if is_uuid(text) {
        return Ok(text.to_owned());
    }
    Err(Problem::new(Code::InvalidValue, format!("{} is not an application id", echo.show(text)))
        .hint("copy the \"Application (client) ID\", a UUID, from the application's page in Entra ID"))
}

/// `/subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/workspaces/…`.
fn resource_id(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    const SHAPE: [Option<&str>; 9] = [
        Some(""),
        Some("subscriptions"),
        None,
        Some("resourceGroups"),
        None,
        Some("providers"),
        Some("Microsoft.Databricks"),
        Some("workspaces"),
        None,
    ];
    let parts: Vec<&str> = text.trim_end_matches('/').split('/').collect();
    let fits = parts.len() == SHAPE.len()
        && parts.iter().zip(SHAPE).all(|(part, word)| match word {
            Some(word) => part.eq_ignore_ascii_case(word),
            None => !part.is_empty() && part.chars().all(|next| next.is_ascii_graphic()),
        });
    if fits {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    Err(Problem::new(Code::InvalidValue, format!("{} is not the resource id of a workspace", echo.show(text))).hint(
        "copy it from the workspace's page in the Azure portal: \
         `/subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/workspaces/…`",
    ))
}
