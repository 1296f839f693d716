//! What it means that somebody is not let in: the server's own words, the cause, and what to do.

use super::policy::{Policy, claims_shown, is_not_genuine, is_of_bitbucket, is_taken_for_bitbucket};
use crate::databricks::error::{ApiError, Error, Meaning, Shape};
use crate::http::{Answer, Failure, NoCredential};
use crate::problem::{Code, Problem};
use crate::secrets::Claims;
use crate::settings::{AuthType, AzureLogin, Chosen, IdToken, Login, Route};
use crate::text;
use std::time::SystemTime;

/// An answer that is no token.
pub(super) struct Refusal {
    pub(super) error: ApiError,
    /// The server's clock.
    pub(super) date: Option<SystemTime>,
}

impl Refusal {
    /// OAuth's own code of an error (RFC 6749, 5.2).
    fn is(&self, code: &str) -> bool {
        self.error.code.as_deref() == Some(code) || self.error.message == code
    }

    fn says(&self, text: &str) -> bool {
        self.error.message.contains(text)
    }
}

/// The reason for having no token; `meaning` knows what the refusals of its own way mean.
pub(super) fn of(failure: Failure, meaning: impl FnOnce(&Refusal) -> Option<Problem>) -> NoCredential {
    let passing = matches!(failure, Failure::Exhausted { .. } | Failure::Uncertain { .. });
    let problem = match failure {
        Failure::Refused(answer) => {
            let refusal = Refusal { error: read(&answer), date: answer.date() };
            meaning(&refusal).unwrap_or_else(|| of_any(&refusal.error))
        }
        other => Error::from(other).problem(),
    };
    NoCredential { problem: Box::new(problem), passing }
}

/// An answer that succeeded, and holds no token.
pub(super) fn no_token(answer: &Answer) -> NoCredential {
    NoCredential { problem: Box::new(not_a_token(&read(answer))), passing: false }
}

/// What a token endpoint says. The title of a page is shown; any other text that comes with success may be the token
/// itself, which nobody knows yet.
fn read(answer: &Answer) -> ApiError {
    let mut error = ApiError::read(answer);
    let body = answer.body.trim_ascii_start();
    if (200..300).contains(&answer.status) && !body.is_empty() && !body.starts_with(b"<") {
        error.message = "the answer is not the JSON that was expected (not shown: it may hold a token)".to_owned();
    }
    error
}

fn not_a_token(error: &ApiError) -> Problem {
    Problem::new(Code::NotDatabricks, format!("the log-in was not answered with an access token: {error}")).hint(
        "check `DATABRICKS_HOST`: it must be the address of a workspace, with no proxy that asks for a login on the way",
    )
}

/// What any token endpoint may answer.
fn of_any(error: &ApiError) -> Problem {
    match error.meaning() {
        Meaning::IpAccessList | Meaning::PrivateLink => return error.problem(),
        _ => {}
    }
    match error.shape {
        Shape::Page | Shape::Redirect | Shape::Success if error.status != 404 => not_a_token(error),
        _ if error.status == 404 => {
            Problem::new(Code::NotDatabricks, format!("this host has no OAuth log-in: {error}")).hint(
                "check `DATABRICKS_HOST`: it must be the address of a workspace; one that is older than OAuth takes a \
                 personal access token in `DATABRICKS_TOKEN`",
            )
        }
        Shape::Api if error.status == 400 || error.status == 401 => {
            Problem::new(Code::InvalidToken, format!("Databricks issues no access token: {error}"))
                .hint("check the service principal and its credential in Databricks")
        }
        _ => error.problem(),
    }
}

/// Refusals of a client id with a secret.
pub(super) fn of_oauth_secret(refusal: &Refusal) -> Option<Problem> {
    let error = &refusal.error;
    refusal.is("invalid_client").then(|| {
        Problem::new(Code::InvalidToken, format!("Databricks does not accept the client id with this secret: {error}"))
            .hint(
                "the secret must be an OAuth secret that Databricks made (not one of Entra ID) for this very client id, \
                 neither expired nor deleted, and the service principal must be in the workspace that `DATABRICKS_HOST` \
                 names; a secret made a moment ago may need a minute",
            )
    })
}

/// What Databricks says where no policy fits. What it says of a token that is no good was never seen.
const NO_POLICY: &str = "Ensure a valid federation policy has been configured";

/// What was shown to Databricks for an access token.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) claims: Option<&'a Claims>,
    pub(super) client_id: Option<&'a str>,
    pub(super) token: &'a IdToken,
}

/// Refusals of an identity token. Whether a policy is missing, or the client id is wrong, Databricks does not tell: it
/// looks for policies of that very id.
pub(super) fn of_exchange(refusal: &Refusal, presented: Presented<'_>) -> Option<Problem> {
    let error = &refusal.error;
    if !refusal.is("invalid_grant") {
        return None;
    }
    // What the token says of itself comes first: no policy is missing where nobody should trust it.
    let of_bitbucket = presented.claims.is_some_and(|claims| is_taken_for_bitbucket(presented.token, claims));
    if let Some((claims, why)) =
        presented.claims.and_then(|claims| Some((claims, is_not_genuine(claims, of_bitbucket)?)))
    {
        let (what, hint) = if of_bitbucket {
            ("not one of Bitbucket's", "leave the token to Bitbucket, which makes it for a step with `oidc: true`")
        } else {
            ("not one that Databricks takes", "hand over a token as its issuer made it")
        };
        let message = format!("the identity token is {what}: {why}. Databricks says: {error}");
        let mut problem = Problem::new(Code::InvalidToken, message).hint(hint);
        problem.exhibit = claims_shown(claims).into();
        return Some(problem);
    }
    let ended = presented.claims.zip(refusal.date).and_then(|(claims, now)| ended(claims, now, presented.token));
    if let Some(mut problem) = ended {
        problem.message.push_str(&format!(": {error}"));
        return Some(problem);
    }
    if refusal.says("TOKEN_EXPIRED") {
        let message = format!("the identity token is over: {error}");
        return Some(Problem::new(Code::IdentityEnded, message).hint(anew(presented.token)));
    }
    let id = presented.client_id.map_or_else(|| "the account".to_owned(), |id| format!("the service principal `{id}`"));
    let (message, hint) = if refusal.says("TOKEN_AUDIENCE_INVALID") {
        (
            format!("no federation policy of {id} takes a token that is meant for this audience: {error}"),
            "let `audiences` of the policy hold one of the token's own, as in the policy that is shown here; after a change it takes a \
             minute or two"
                .to_owned(),
        )
    } else if !refusal.says(NO_POLICY) {
        let message = format!("Databricks does not take the identity token: {error}");
        // Its very words were never seen, and any that speak of a signature mean the same.
        let by_signature = error.message.to_ascii_lowercase().contains("signature");
        let mut problem = Problem::new(Code::InvalidToken, message).hint(if by_signature {
            let whole = match of_bitbucket {
                true => "leave the token to Bitbucket, which makes it for a step with `oidc: true`",
                false => "hand over the token as its issuer made it",
            };
            format!(
                "by Databricks' words the signature is not its issuer's: the token was changed on its way, or somebody else has \
                 made it; {whole}; where the federation policy of {id} names keys of its own (`jwks_json`, `jwks_uri`), they \
                 must be that issuer's"
            )
        } else {
            format!(
                "the reason is Databricks' own; it is not the one that it gives where a policy is missing. Run the step again \
                 for a new token; where that is refused as well, compare its claims with the federation policies of {id}"
            )
        });
        problem.exhibit = presented.claims.map(claims_shown).unwrap_or_default().into();
        return Some(problem);
    } else {
        let (or, whose) = match presented.client_id {
            Some(_) => (
                ", or there is none of that id",
                "`DATABRICKS_CLIENT_ID` with the application id of the service principal that has the policy",
            ),
            None => (
                "",
                "set `DATABRICKS_CLIENT_ID`, where the policy is one of a service principal: without it, only policies of \
                 the whole account count",
            ),
        };
        let mind = if presented.claims.is_some_and(is_of_bitbucket) {
            " (UUIDs keep their braces, and `sub` is new in every run, so that no policy on it can ever fit)"
        } else {
            ""
        };
        (
            format!("no federation policy of {id} fits the identity token{or}: {error}"),
            format!(
                "was the policy made in the last two minutes? then run again; otherwise compare it with the token's \
                 claims{mind}, and {whose}"
            ),
        )
    };
    let mut problem = Problem::new(Code::NoTrustPolicy, message).hint(hint);
    if let Some(claims) = presented.claims {
        let policy = Policy::for_claims(claims).map(|policy| policy.shown());
        problem.exhibit = claims_shown(claims).into_iter().chain(policy.into_iter().flatten()).collect();
    }
    Some(problem)
}

/// Why an identity token is of no use any more, if it has ended by then.
pub fn ended(claims: &Claims, now: SystemTime, token: &IdToken) -> Option<Problem> {
    let ended = claims.expires()?;
    let late = now.duration_since(ended).ok()?;
    let message = format!(
        "the identity token ended at {}, {} before it was shown to Databricks",
        text::clock(ended),
        text::duration(late)
    );
    Some(Problem::new(Code::IdentityEnded, message).hint(anew(token)))
}

/// How to get a token that is not over.
fn anew(token: &IdToken) -> &'static str {
    match token {
        IdToken::Variable { .. } => {
            "a step gets one token, which nobody can renew: run the step again, and put the pipe at its beginning, or give \
             slow work before it a step of its own"
        }
        IdToken::File(_) => "whoever writes the file must write a newer token in time",
    }
}

/// Refusals of Entra ID: its numbers are stable, its words are not (Microsoft's "Error handling" says so).
pub(super) fn of_entra(refusal: &Refusal, login: &AzureLogin) -> Option<Problem> {
    let error = &refusal.error;
    let (_, rest) = error.message.split_once("AADSTS")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let (what, hint) = match number.as_str() {
        "7000215" => (
            "Entra ID does not accept the secret of the application".to_owned(),
            "store the secret's value, not its id, in `ARM_CLIENT_SECRET`, and check that it belongs to `ARM_CLIENT_ID`",
        ),
        "7000222" => (
            "the secret of the application has expired".to_owned(),
            "make a new one in Entra ID; or log in without a secret: `oidc: true` on the step and `DATABRICKS_CLIENT_ID`",
        ),
        "700016" => (
            format!("the directory `{}` has no application `{}`", login.tenant, login.client_id),
            "check `ARM_CLIENT_ID` and `ARM_TENANT_ID`: both are on the application's page in Entra ID",
        ),
        "90002" | "900023" | "900382" => (
            format!("there is no directory `{}` in this cloud", login.tenant),
            "check `ARM_TENANT_ID`, and `ARM_ENVIRONMENT` where the workspace is in the cloud of another country",
        ),
        _ => (
            "Entra ID issues no access token".to_owned(),
            "see the message; its number is explained at https://login.microsoftonline.com/error",
        ),
    };
    Some(Problem::new(Code::InvalidToken, format!("{what}: {error}")).hint(hint))
}

/// Where a problem is that is about the credential, whatever variable it is in.
pub const LOG_IN: &str = "log-in";

/// The reason why the workspace does not know us, for the log.
pub fn not_logged_in(error: &Error, chosen: &Chosen, route: &Route) -> Problem {
    let mut problem = error.problem();
    match error.meaning() {
        Some(Meaning::PermissionDenied) => {
            problem.message = format!(
                "the identity is good, but this workspace does not let it in, or gives it no rights at all (it does not \
                 tell which): {}",
                problem.message
            );
            let also = match &chosen.login {
                Login::AzureClientSecret(AzureLogin { resource_id: Some(_), .. }) => {
                    "; or check `DATABRICKS_AZURE_RESOURCE_ID`, and the rights of the application on that resource"
                }
                Login::AzureClientSecret(_) => {
                    "; an application with rights on the resource alone needs `DATABRICKS_AZURE_RESOURCE_ID`"
                }
                _ => "",
            };
            problem.hint = Some(format!(
                "check that `DATABRICKS_HOST` is the workspace that is meant; an admin of it adds the identity under \
                 Settings, Identity and access, with the entitlement \"Workspace access\"{also}"
            ));
        }
        Some(Meaning::InvalidToken | Meaning::Unauthenticated) if chosen.way == AuthType::Pat => {
            problem.hint = Some(
                "the token in `DATABRICKS_TOKEN` is wrong, expired, revoked or of another workspace: make a new one; or log \
                 in without a stored secret, by `oidc: true` on the step and `DATABRICKS_CLIENT_ID`"
                    .to_owned(),
            );
        }
        Some(Meaning::InvalidToken | Meaning::Unauthenticated) if chosen.way.is_keyless() => {
            problem.hint = Some(
                "Databricks has issued the token a moment ago, for this host: check that `DATABRICKS_HOST` is the workspace \
                 that is meant, then run again"
                    .to_owned(),
            );
        }
        _ => {}
    }
    if matches!(problem.code, Code::NotFound | Code::UnexpectedAnswer) {
        // Every workspace knows who asks; a server that has no such page is no workspace.
        problem.code = Code::NotDatabricks;
        problem.hint = Some("check `DATABRICKS_HOST`: it must be the address of a workspace".into());
    }
    if problem.code == Code::NotDatabricks && error.api().is_some() {
        let hint = problem.hint.unwrap_or_default();
        problem.hint = Some(match &route.workspace_id {
            None => format!("{hint}; where the host serves several workspaces, set `DATABRICKS_WORKSPACE_ID`"),
            Some(id) => format!("{hint}, and `{id}` the id of that workspace"),
        });
    }
    placed(problem)
}

/// The reason why the host cannot be reached, for the log.
pub fn not_reached(error: &Error) -> Problem {
    placed(error.problem())
}

fn placed(mut problem: Problem) -> Problem {
    let place = match problem.code {
        Code::ProxyFailed => "HTTPS_PROXY",
        Code::InvalidToken | Code::PermissionDenied | Code::NoTrustPolicy | Code::IdentityEnded => LOG_IN,
        _ => "DATABRICKS_HOST",
    };
    problem.place.get_or_insert_with(|| place.to_owned());
    problem
}
