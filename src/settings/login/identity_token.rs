//! Ways that exchange an identity token, so that no secret is stored: the step's own, or one that the user names.

use super::super::reader::{Broken, Read, Reader};
use super::super::{IdToken, Login};
use super::secrets::{client_id, required};
use super::{Sources, unresolved};
use crate::pipeline::STEP_TOKEN;
use crate::problem::{Code, Problem};
use crate::secrets::{Claims, Secret};

/// How a stored secret is taken instead, where nothing but the client id is set.
pub(super) const ADD_THE_SECRET: &str = "set `DATABRICKS_CLIENT_SECRET` too";

/// The same, where this very way was asked for.
pub(super) const NAME_THE_OTHER: &str = "name that way in `DATABRICKS_AUTH_TYPE`";

/// The step's own token, which Bitbucket hands to every pipe of a step with `oidc: true`; `otherwise` says how a stored
/// secret is taken instead.
pub(super) fn of_step(reader: &mut Reader<'_>, sources: Sources<'_>, otherwise: &str) -> Read<Login> {
    // Both are read, so that both are told of.
    let id = required(reader, sources.raw.databricks_client_id(), client_id);
    let token = match sources.raw_step_token() {
        None => told(reader, STEP_TOKEN, no_step_token(otherwise)),
        Some(_) => match sources.step_token() {
            Some((token, _)) => Ok(IdToken::Variable { name: STEP_TOKEN.to_owned(), token }),
            None => told(reader, STEP_TOKEN, not_a_token("leave the variable to Bitbucket, which sets it itself")),
        },
    };
    Ok(Login::IdToken { client_id: Some(id?), token: token? })
}

/// The token in `DATABRICKS_OIDC_TOKEN`, or in the variable that `DATABRICKS_OIDC_TOKEN_ENV` names.
pub(super) fn from_variable(reader: &mut Reader<'_>, sources: Sources<'_>) -> Read<Login> {
    let (own, named) = (sources.raw.databricks_oidc_token(), sources.raw.databricks_oidc_token_env());
    let id = reader.parsed(sources.raw.databricks_client_id(), client_id);
    let name = reader.parsed(named, |name, echo| {
        let good = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
        if good && !echo.hides_all() {
            return Ok(name.to_owned());
        }
        Err(Problem::new(Code::InvalidValue, format!("{} is not the name of a variable", echo.show(name)))
            .hint("the token itself goes into `DATABRICKS_OIDC_TOKEN`; this is the name of the variable that holds it"))
    });
    let (place, token) = match name? {
        Some(name) => {
            if own.value.is_some() && name != own.variable.name {
                let message = "not used: `DATABRICKS_OIDC_TOKEN_ENV` names another variable";
                reader.warn(own, Problem::new(Code::ConflictingVariables, message).hint("leave one of the two out"));
            }
            let value = sources.environment.get(&name).map(str::trim).filter(|text| unresolved(text).is_none());
            let Some(value) = value else {
                let problem = if name == STEP_TOKEN {
                    no_step_token(NAME_THE_OTHER)
                } else {
                    Problem::new(Code::MissingVariable, "not set, but `DATABRICKS_OIDC_TOKEN_ENV` names it").hint(format!(
                        "a pipe sees only what its `variables:` hand over, and Bitbucket's own: add `{name}: ${name}`"
                    ))
                };
                return told(reader, &name, problem);
            };
            (name, Secret::new(value))
        }
        None => (own.variable.name.to_owned(), required(reader, own, |text, _| Ok(Secret::new(text.trim())))?),
    };
    if Claims::read(&token).is_none() {
        let mut problem = not_a_token("hand over the token as its issuer made it: three parts with dots");
        if place != own.variable.name {
            problem.message.push_str(", but `DATABRICKS_OIDC_TOKEN_ENV` names it");
        }
        return told(reader, &place, problem);
    }
    Ok(Login::IdToken { client_id: id?, token: IdToken::Variable { name: place, token } })
}

/// The token in a file. What is in it is read when it is needed, since whoever writes it may write a newer one.
pub(super) fn from_file(reader: &mut Reader<'_>, sources: Sources<'_>) -> Read<Login> {
    let id = reader.parsed(sources.raw.databricks_client_id(), client_id);
    let path = required(reader, sources.raw.databricks_oidc_token_filepath(), |text, echo| {
        let path = sources.place.working_directory.join(text);
        let wrong = |what: &str| {
            Problem::new(Code::InvalidValue, format!("{} {what}", echo.show(text))).hint(
                "the path is relative to the step's working directory, and a pipe sees the clone and the folders of the \
                 pipelines only",
            )
        };
        match std::fs::metadata(&path) {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(wrong("is not a file")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(wrong("is not there")),
            Err(error) => Err(wrong(&format!("cannot be read: {error}"))),
        }
    });
    Ok(Login::IdToken { client_id: id?, token: IdToken::File(path?) })
}

fn no_step_token(otherwise: &str) -> Problem {
    Problem::new(Code::NoStepToken, "the step has no identity token to log in with").hint(format!(
        "add `oidc: true` to the step in bitbucket-pipelines.yml, beside `script:`, not inside the pipe; to log in with a \
         stored secret instead, {otherwise}"
    ))
}

fn not_a_token(hint: &str) -> Problem {
    Problem::new(Code::InvalidValue, "is not an identity token, which is a JWT (not shown)").hint(hint)
}

/// Keeps a problem of something that is no variable of this pipe.
fn told<T>(reader: &mut Reader<'_>, place: &str, problem: Problem) -> Read<T> {
    reader.problems.push(problem.at(place));
    Err(Broken)
}
