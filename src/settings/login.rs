//! The way to log in: exactly one, chosen by which variables are set.

use super::reader::{Broken, Read, Reader};
use super::token::{is_uuid, token};
use super::variables::{Given, RawVariables};
use super::{Login, echo::Echo};
use crate::problem::{Code, Problem};
use crate::secrets::Secret;

/// Chooses. A service principal with its OAuth secret comes before a personal access token: what is bought with the
/// secret lives for an hour, and a token is often left over in the settings of a repository that has moved on.
pub(super) fn login(reader: &mut Reader<'_>, raw: &RawVariables) -> Read<Login> {
    let (id, secret, token) = (raw.databricks_client_id(), raw.databricks_client_secret(), raw.databricks_token());
    match (id.value.is_some(), secret.value.is_some(), token.value.is_some()) {
        (true, true, token_too) => {
            if token_too {
                let message =
                    "not used: `DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` are set, and OAuth comes first";
                let hint = "leave out the way to log in that you do not mean";
                reader.warn(token, Problem::new(Code::ConflictingVariables, message).hint(hint));
            }
            // Both are read, so that both are told of.
            let client_id = required(reader, id, client_id);
            let secret = oauth_secret(reader, secret);
            Ok(Login::OauthM2m { client_id: client_id?, secret: secret? })
        }
        (has_id, has_secret, true) => {
            if has_id {
                half(reader, id, "DATABRICKS_CLIENT_SECRET");
            }
            if has_secret {
                half(reader, secret, "DATABRICKS_CLIENT_ID");
            }
            personal(reader, token)
        }
        (true, false, false) => incomplete(reader, secret, id),
        (false, true, false) => incomplete(reader, id, secret),
        (false, false, false) => {
            // A value that is there and of no use was told of already.
            for given in [id, secret, token] {
                reader.text(given)?;
            }
            let message = "not set, and neither is `DATABRICKS_TOKEN`: there is no way to log in";
            let hint = "set `DATABRICKS_CLIENT_ID` and `DATABRICKS_CLIENT_SECRET` of a service principal, or \
                        `DATABRICKS_TOKEN`, and hand them over, as in `DATABRICKS_TOKEN: $DATABRICKS_TOKEN`; a \
                        deployment variable is there only in a step with that `deployment:`";
            reader.fail(id, Problem::new(Code::MissingVariable, message).hint(hint))
        }
    }
}

/// One of the two is there, a token too.
fn half(reader: &mut Reader<'_>, given: Given<'_>, other: &str) {
    let message = format!("not used: `{other}` is not set, so `DATABRICKS_TOKEN` is what logs in");
    let hint = format!("set `{other}` to log in by OAuth, or leave it out");
    reader.warn(given, Problem::new(Code::NoEffect, message).hint(hint));
}

/// One of the two is there, and nothing else.
fn incomplete(reader: &mut Reader<'_>, lacking: Given<'_>, there: Given<'_>) -> Read<Login> {
    // What is there is judged all the same, but only where there is something to say of it.
    let there_read = if there.variable.is_secret() {
        oauth_secret(reader, there).map(drop)
    } else {
        required(reader, there, client_id).map(drop)
    };
    reader.text(lacking)?;
    let (name, there) = (lacking.variable.name, there.variable.name);
    let message = format!("not set, or blank, but `{there}` is set");
    let hint = format!("log-in by OAuth takes both: define it as a variable and hand it over by `{name}: ${name}`");
    let lacking: Read<Login> = reader.fail(lacking, Problem::new(Code::MissingVariable, message).hint(hint));
    there_read.and(lacking)
}

fn required<T>(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    parse: impl FnOnce(&str, Echo<'_>) -> Result<T, Problem>,
) -> Read<T> {
    reader.parsed(given, parse)?.ok_or(Broken)
}

fn personal(reader: &mut Reader<'_>, given: Given<'_>) -> Read<Login> {
    secret(reader, given, token).map(Login::Token)
}

fn oauth_secret(reader: &mut Reader<'_>, given: Given<'_>) -> Read<Secret> {
    secret(reader, given, super::token::oauth_secret)
}

fn secret(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    read: impl FnOnce(&str) -> Result<Secret, Problem>,
) -> Read<Secret> {
    let Some(text) = reader.text(given)? else { return Err(Broken) };
    if text.trim() != text {
        let message = "has blanks or line breaks around it, which are left out";
        reader.warn(given, Problem::new(Code::NoEffect, message).hint("store the variable again without them"));
    }
    match read(text.trim()) {
        Ok(secret) => Ok(secret),
        Err(problem) => reader.fail(given, problem),
    }
}

/// The application id of a service principal.
fn client_id(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    if is_uuid(text) {
        return Ok(text.to_owned());
    }
    let (what, hint) = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        (
            "is the numeric id of a service principal",
            "the application id is meant, a UUID: both are on the service principal's page in Databricks",
        )
    } else {
        ("is not an application id", "copy the application id, a UUID, from the service principal's page in Databricks")
    };
    Err(Problem::new(Code::InvalidValue, format!("{} {what}", echo.show(text))).hint(hint))
}
