//! What is said of the variables that the chosen way to log in does not use.

use super::super::AuthType;
use super::super::reader::Reader;
use super::super::variables::Given;
use super::{Sources, unresolved};
use crate::problem::{Code, Problem};

/// Warns of each. Beside an identity, a stored secret is worse than useless: it can leak. Somebody who has forced a way
/// knows that the others are there.
pub(super) fn warn(reader: &mut Reader<'_>, sources: Sources<'_>, way: AuthType, forced: bool) {
    let raw = sources.raw;
    let (id, secret, token) = (raw.databricks_client_id(), raw.databricks_client_secret(), raw.databricks_token());
    let arm = [raw.arm_tenant_id(), raw.arm_client_id(), raw.arm_client_secret(), raw.arm_environment()];
    match way {
        AuthType::EnvOidc | AuthType::FileOidc | AuthType::BitbucketOidc => {
            for (stored, way) in
                [(secret, AuthType::OauthM2m), (token, AuthType::Pat), (arm[2], AuthType::AzureClientSecret)]
            {
                stored_beside_identity(reader, stored, way);
            }
        }
        _ if forced => {}
        AuthType::OauthM2m => {
            not_used(
                reader,
                token,
                "`DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` are set, and OAuth comes first",
            );
            not_used(
                reader,
                raw.arm_client_secret(),
                "`DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` are set, and come first",
            );
        }
        AuthType::AzureClientSecret => {
            not_used(reader, token, "the `ARM_*` variables are set, and Entra ID comes first");
            half(reader, secret, "DATABRICKS_CLIENT_ID", "the `ARM_*` variables are what logs in");
        }
        AuthType::Pat => {
            if secret.value.is_none() && id.value.is_some() {
                let message = "not used: neither has the step an identity token nor is `DATABRICKS_CLIENT_SECRET` set, so \
                               `DATABRICKS_TOKEN` is what logs in";
                let hint = "add `oidc: true` to the step, to log in without a stored secret, or leave it out";
                reader.warn(id, Problem::new(Code::NoEffect, message).hint(hint));
            }
            half(reader, secret, "DATABRICKS_CLIENT_ID", "`DATABRICKS_TOKEN` is what logs in");
            if let Some(lacking) = arm[..3].iter().find(|given| given.value.is_none()) {
                for given in arm {
                    half(reader, given, lacking.variable.name, "`DATABRICKS_TOKEN` is what logs in");
                }
            }
        }
    }
    if way != AuthType::AzureClientSecret {
        let given = raw.databricks_azure_resource_id();
        if given.value.is_some() {
            let message = "has no effect: only log-in by `ARM_CLIENT_SECRET` needs it";
            reader.warn(given, Problem::new(Code::NoEffect, message).hint("leave it out"));
        }
    }
}

fn stored_beside_identity(reader: &mut Reader<'_>, given: Given<'_>, way: AuthType) {
    let Some(text) = given.value else { return };
    let name = given.variable.name;
    let (message, hint) = if unresolved(text.trim()).is_some() {
        (
            "not used: the step's identity logs in, and there is no such secret any more",
            format!("delete the line `{name}: …` from the step"),
        )
    } else {
        (
            "not used: the step's identity logs in, and a stored secret can leak",
            format!(
                "delete the line `{name}: …` from the step, the variable in Bitbucket, and the secret in Databricks; to log \
                 in with it all the same, set `DATABRICKS_AUTH_TYPE: {}`",
                way.name()
            ),
        )
    };
    reader.warn(given, Problem::new(Code::ConflictingVariables, message).hint(hint));
}

fn not_used(reader: &mut Reader<'_>, given: Given<'_>, why: &str) {
    if given.value.is_some() {
        let hint = "leave out the way to log in that you do not mean, or name it in `DATABRICKS_AUTH_TYPE`";
        reader.warn(given, Problem::new(Code::ConflictingVariables, format!("not used: {why}")).hint(hint));
    }
}

/// One of several that only work together.
fn half(reader: &mut Reader<'_>, given: Given<'_>, lacking: &str, instead: &str) {
    if given.value.is_some() {
        let message = format!("not used: `{lacking}` is not set, so {instead}");
        let hint = format!("set `{lacking}` to log in by it, or leave it out");
        reader.warn(given, Problem::new(Code::NoEffect, message).hint(hint));
    }
}
