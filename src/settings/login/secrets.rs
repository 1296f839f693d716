//! Ways that take a stored secret: OAuth machine-to-machine, and personal access tokens.

use super::super::Login;
use super::super::echo::Echo;
use super::super::reader::{Read, Reader};
use super::super::token::{self, is_uuid, token};
use super::super::variables::{Given, RawVariables};
use crate::problem::{Code, Problem};
use crate::secrets::Secret;

/// A service principal and its OAuth secret.
pub(super) fn oauth_m2m(reader: &mut Reader<'_>, raw: &RawVariables) -> Read<Login> {
    let (id, secret) = (raw.databricks_client_id(), raw.databricks_client_secret());
    match (id.value.is_some(), secret.value.is_some()) {
        (true, false) => return incomplete(reader, secret, id),
        (false, true) => return incomplete(reader, id, secret),
        _ => {}
    }
    // Both are read, so that both are told of.
    let client_id = required(reader, id, client_id);
    let secret = oauth_secret(reader, secret);
    Ok(Login::OauthM2m { client_id: client_id?, secret: secret? })
}

/// A personal access token.
pub(super) fn personal(reader: &mut Reader<'_>, raw: &RawVariables) -> Read<Login> {
    stored(reader, raw.databricks_token(), token).map(Login::Token)
}

/// One of the two is there, and nothing else.
pub(super) fn incomplete<T>(reader: &mut Reader<'_>, lacking: Given<'_>, there: Given<'_>) -> Read<T> {
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
    let lacking: Read<T> = reader.fail(lacking, Problem::new(Code::MissingVariable, message).hint(hint));
    there_read.and(lacking)
}

/// A value that the chosen way cannot do without.
pub(super) fn required<T>(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    parse: impl FnOnce(&str, Echo<'_>) -> Result<T, Problem>,
) -> Read<T> {
    match reader.parsed(given, parse)? {
        Some(value) => Ok(value),
        None => super::super::validate::missing(reader, given),
    }
}

fn oauth_secret(reader: &mut Reader<'_>, given: Given<'_>) -> Read<Secret> {
    stored(reader, given, token::oauth_secret)
}

/// A secret that was stored in Bitbucket by hand.
pub(super) fn stored(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    read: impl FnOnce(&str) -> Result<Secret, Problem>,
) -> Read<Secret> {
    let Some(text) = reader.text(given)? else { return super::super::validate::missing(reader, given) };
    if text.trim() != text {
        let message = "has blanks or line breaks around it, which are left out";
        reader.warn(given, Problem::new(Code::NoEffect, message).hint("store the variable again without them"));
    }
    match read(text.trim()) {
        Ok(secret) => Ok(secret),
        Err(problem) => reader.fail(given, problem),
    }
}

/// The application id of a service principal, in lower case as Databricks writes it: whether its token endpoint takes
/// the other for the same, no document says.
pub(super) fn client_id(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    if is_uuid(text) {
        return Ok(text.to_ascii_lowercase());
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
