//! The way to log in: exactly one, chosen by which variables are set, or the one that `DATABRICKS_AUTH_TYPE` names.

mod azure;
mod identity_token;
mod secrets;
mod unused;

use super::folder::Place;
use super::parse::{choice, unresolved};
use super::patient::{StepToken, Way};
use super::reader::{Broken, Read, Reader};
use super::variables::{Given, RawVariables};
use super::{AuthType, Chosen, IdToken, Login};
use crate::pipeline::{Environment, STEP_TOKEN};
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Secret};
use url::Url;

/// The ways in the order in which they are tried. What an identity token buys comes before every stored secret, and
/// one that was named comes before the step's own; a service principal's secret comes before a personal access token,
/// which is often left over in the settings of a repository that has moved on.
const ORDER: [AuthType; 6] = [
    AuthType::EnvOidc,
    AuthType::FileOidc,
    AuthType::BitbucketOidc,
    AuthType::OauthM2m,
    AuthType::AzureClientSecret,
    AuthType::Pat,
];

/// All that the choice depends on.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) raw: &'a RawVariables,
    pub(super) environment: &'a Environment,
    pub(super) place: &'a Place,
    /// The workspace's address, where it is a good one.
    pub(super) host: Option<&'a Url>,
}

/// Chooses, and reads what the chosen way needs. The others are not read: of each of their variables a warning tells
/// that it is not used.
pub(super) fn login(reader: &mut Reader<'_>, sources: Sources<'_>) -> Read<Chosen> {
    let forced = reader.parsed(sources.raw.databricks_auth_type(), choice::<AuthType>)?;
    let Some(way) = forced.or_else(|| ORDER.into_iter().find(|way| sources.allow(*way))) else {
        return no_way(reader, sources);
    };
    let login = read(reader, sources, way);
    // That an identity makes a stored secret superfluous is said where there is one, and nowhere else.
    if login.is_ok() || !way.is_keyless() {
        unused::warn(reader, sources, way, forced.is_some());
    }
    let login = login?;
    let mut because = match forced {
        Some(way) => format!("`DATABRICKS_AUTH_TYPE` is `{}`", way.name()),
        None => sources.reason(way, &login),
    };
    if let Some(why) = sources.why_not_keyless(way).filter(|_| forced.is_none()) {
        because.push_str(&format!("; not keyless, because {why}"));
    }
    Ok(Chosen { way, login, because })
}

/// Every way whose variables are set, and the one that is taken, for the doctor. What is wrong with another one than
/// that is told with it, and not as a problem of the settings: an ordinary run does not read it.
pub(super) fn ways(reader: &mut Reader<'_>, sources: Sources<'_>, taken: Option<&Chosen>) -> Vec<Way> {
    let mut all = Vec::new();
    for way in ORDER {
        if let Some(taken) = taken.filter(|taken| taken.way == way) {
            all.push(Way { way, login: Ok(taken.clone()), taken: true });
        } else if sources.allow(way) {
            let (problems, warnings) = (reader.problems.len(), reader.warnings.len());
            let login = read(reader, sources, way);
            // Two ways may share a variable, of which the first has told what is wrong.
            let problems = reader.problems.split_off(problems);
            reader.warnings.truncate(warnings);
            let login = login.map(|login| Chosen { way, because: sources.reason(way, &login), login });
            all.push(Way { way, login: login.map_err(|Broken| problems), taken: false });
        }
    }
    all
}

/// What stands where Bitbucket puts the step's identity token.
pub(super) fn step_token(sources: Sources<'_>) -> StepToken {
    match (sources.raw_step_token(), sources.step_token()) {
        (None, _) => StepToken::Missing,
        (Some(_), None) => StepToken::Unreadable,
        (Some(_), Some((_, claims))) => StepToken::Claims(claims),
    }
}

fn read(reader: &mut Reader<'_>, sources: Sources<'_>, way: AuthType) -> Read<Login> {
    match way {
        AuthType::EnvOidc => identity_token::from_variable(reader, sources),
        AuthType::FileOidc => identity_token::from_file(reader, sources),
        AuthType::BitbucketOidc => identity_token::of_step(reader, sources, identity_token::NAME_THE_OTHER),
        AuthType::OauthM2m => secrets::oauth_m2m(reader, sources.raw),
        AuthType::AzureClientSecret => azure::client_secret(reader, sources),
        AuthType::Pat => secrets::personal(reader, sources.raw),
    }
}

impl Sources<'_> {
    /// Whether everything that a way needs is set, right or wrong.
    fn allow(&self, way: AuthType) -> bool {
        let raw = self.raw;
        let all = |given: &[Given<'_>]| given.iter().all(|given| given.value.is_some());
        match way {
            AuthType::EnvOidc => {
                raw.databricks_oidc_token().value.is_some() || raw.databricks_oidc_token_env().value.is_some()
            }
            AuthType::FileOidc => all(&[raw.databricks_oidc_token_filepath()]),
            AuthType::BitbucketOidc => all(&[raw.databricks_client_id()]) && self.step_token().is_some(),
            AuthType::OauthM2m => all(&[raw.databricks_client_id(), raw.databricks_client_secret()]),
            AuthType::AzureClientSecret => all(&[raw.arm_tenant_id(), raw.arm_client_id(), raw.arm_client_secret()]),
            AuthType::Pat => all(&[raw.databricks_token()]),
        }
    }

    /// The step's identity token, where it can be read as one.
    fn step_token(&self) -> Option<(Secret, Claims)> {
        let token = Secret::new(self.raw_step_token()?);
        let claims = Claims::read(&token)?;
        Some((token, claims))
    }

    /// What stands where Bitbucket puts the step's identity token. A reference that nobody resolved is nothing.
    fn raw_step_token(&self) -> Option<&str> {
        self.environment.get(STEP_TOKEN).map(str::trim).filter(|text| unresolved(text).is_none())
    }

    /// Why a way was taken, in words for the log.
    fn reason(&self, way: AuthType, login: &Login) -> String {
        match (way, login) {
            (AuthType::BitbucketOidc, _) => "the step has `oidc: true` and `DATABRICKS_CLIENT_ID` is set".to_owned(),
            (AuthType::EnvOidc, Login::IdToken { token: IdToken::Variable { name, .. }, .. })
                if name.as_str() != self.raw.databricks_oidc_token().variable.name =>
            {
                format!("`DATABRICKS_OIDC_TOKEN_ENV` names `{name}`")
            }
            (AuthType::EnvOidc, _) => "`DATABRICKS_OIDC_TOKEN` is set".to_owned(),
            (AuthType::FileOidc, _) => "`DATABRICKS_OIDC_TOKEN_FILEPATH` is set".to_owned(),
            (AuthType::OauthM2m, _) => "`DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` are set".to_owned(),
            (AuthType::AzureClientSecret, _) => {
                "`ARM_TENANT_ID`, `ARM_CLIENT_ID` and `ARM_CLIENT_SECRET` are set".to_owned()
            }
            (AuthType::Pat, _) => "`DATABRICKS_TOKEN` is set".to_owned(),
        }
    }

    /// Why a stored secret had to be taken, on Bitbucket.
    fn why_not_keyless(&self, way: AuthType) -> Option<&'static str> {
        self.environment.get("BITBUCKET_BUILD_NUMBER")?;
        let has_id = self.raw.databricks_client_id().value.is_some();
        match way {
            AuthType::EnvOidc | AuthType::FileOidc | AuthType::BitbucketOidc => None,
            AuthType::OauthM2m | AuthType::AzureClientSecret | AuthType::Pat => Some(match self.raw_step_token() {
                None => "the step has no `oidc: true`",
                Some(_) if has_id => "the step's identity token cannot be read",
                Some(_) => "`DATABRICKS_CLIENT_ID` is not set",
            }),
        }
    }
}

/// Says what is missing for the way that was meant.
fn no_way(reader: &mut Reader<'_>, sources: Sources<'_>) -> Read<Chosen> {
    let raw = sources.raw;
    let (id, secret) = (raw.databricks_client_id(), raw.databricks_client_secret());
    let arm = [raw.arm_tenant_id(), raw.arm_client_id(), raw.arm_client_secret()];
    if secret.value.is_some() {
        return secrets::incomplete(reader, id, secret);
    }
    if id.value.is_some() {
        return identity_token::of_step(reader, sources, identity_token::ADD_THE_SECRET).and(Err(Broken));
    }
    if arm.iter().any(|given| given.value.is_some()) {
        return azure::client_secret(reader, sources).and(Err(Broken));
    }
    // A value that is there and of no use was told of already.
    for given in [id, secret, raw.databricks_token()] {
        reader.text(given)?;
    }
    if sources.step_token().is_some() {
        let message = "not set: the step has an identity token, but Databricks must be told whose it is";
        let hint = "set it to the application id (a UUID) of the service principal that trusts this repository; it is \
                    no secret";
        return reader.fail(id, Problem::new(Code::MissingVariable, message).hint(hint));
    }
    let message = "not set, and neither is `DATABRICKS_TOKEN`: there is no way to log in";
    let hint = "set `DATABRICKS_CLIENT_ID` to the application id of a service principal, and give the step `oidc: true`: \
                then no secret is needed (the README's \"Keyless in five minutes\"); or set `DATABRICKS_CLIENT_SECRET` \
                beside it, or `DATABRICKS_TOKEN`, and hand them over, as in `DATABRICKS_TOKEN: $DATABRICKS_TOKEN`; a \
                deployment variable is there only in a step with that `deployment:`";
    reader.fail(id, Problem::new(Code::MissingVariable, message).hint(hint))
}
