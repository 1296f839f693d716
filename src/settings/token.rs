//! `DATABRICKS_TOKEN` and `DATABRICKS_CLIENT_SECRET`.

use crate::problem::{Code, Problem};
use crate::secrets::Secret;

/// Takes a token into custody, or says what is wrong with it without showing any of it. Databricks accepts personal
/// access tokens and OAuth access tokens (JWTs) in the same place, so anything that may be one is accepted.
pub(super) fn token(text: &str) -> Result<Secret, Problem> {
    const CREATE: &str = "create a personal access token in Databricks and store it as a secured variable";
    plain(text, CREATE)?;
    if text.starts_with("dose") && text.len() >= 36 {
        return Err(wrong(
            "an OAuth secret, which belongs to a client id and is not a token",
            "put it into `DATABRICKS_CLIENT_SECRET`, beside `DATABRICKS_CLIENT_ID`",
        ));
    }
    if is_uuid(text) {
        return Err(wrong("an id, not a token", CREATE));
    }
    Ok(Secret::new(text))
}

/// Takes the OAuth secret of a service principal into custody. Those that Databricks makes start with `dose`; others
/// are accepted, since no document promises it.
pub(super) fn oauth_secret(text: &str) -> Result<Secret, Problem> {
    const CREATE: &str =
        "create an OAuth secret of the service principal in Databricks and store it as a secured variable";
    plain(text, CREATE)?;
    if text.starts_with("dapi") {
        let hint = "put it into `DATABRICKS_TOKEN`, and leave `DATABRICKS_CLIENT_ID` out";
        return Err(wrong("a personal access token, not an OAuth secret", hint));
    }
    if is_of_entra(text) {
        let hint = "put it into `ARM_CLIENT_SECRET`, beside `ARM_TENANT_ID` and `ARM_CLIENT_ID`; or create an OAuth secret \
                    of the service principal in Databricks";
        return Err(wrong("a secret of Entra ID, which Databricks' own log-in does not take", hint));
    }
    if is_uuid(text) {
        return Err(wrong("an id, not a secret", CREATE));
    }
    Ok(Secret::new(text))
}

/// Takes the secret of an Entra ID application into custody.
pub(super) fn entra_secret(text: &str) -> Result<Secret, Problem> {
    const CREATE: &str = "create a client secret of the application in Entra ID and store its value, not its id, as a \
                          secured variable";
    plain(text, CREATE)?;
    if text.starts_with("dose") && text.len() >= 36 {
        let hint = "put it into `DATABRICKS_CLIENT_SECRET`, beside `DATABRICKS_CLIENT_ID`, and leave the `ARM_*` \
                    variables out";
        return Err(wrong("an OAuth secret of Databricks, not a secret of Entra ID", hint));
    }
    if text.starts_with("dapi") {
        let hint = "put it into `DATABRICKS_TOKEN`, and leave the `ARM_*` variables out";
        return Err(wrong("a personal access token, not a secret of Entra ID", hint));
    }
    if is_uuid(text) {
        return Err(wrong("an id, not a secret", CREATE));
    }
    Ok(Secret::new(text))
}

/// Whether a secret looks like those of Entra ID: 40 characters, with `~` behind the first few and a version (`8Q~`).
fn is_of_entra(text: &str) -> bool {
    (34..=48).contains(&text.len()) && text.get(3..6).is_some_and(|mark| mark.ends_with("Q~"))
}

fn wrong(message: &str, hint: &str) -> Problem {
    Problem::new(Code::InvalidValue, message).hint(hint)
}

/// What is true of every secret that Databricks makes.
fn plain(text: &str, create: &str) -> Result<(), Problem> {
    let wrong = |message: &str, hint: &str| Err(wrong(message, hint));
    let starts = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts("bearer ") || starts("basic ") {
        return wrong("starts with an authorization scheme", "leave `Bearer` out: the value is the token alone");
    }
    if text.starts_with(['"', '\'', '`']) || text.ends_with(['"', '\'', '`']) {
        return wrong("has quotes around it", "Bitbucket stores a variable as typed: leave the quotes out");
    }
    if text.chars().any(char::is_whitespace) {
        return wrong("has a blank or a line break inside", "copy the token again, in one piece");
    }
    if text.chars().any(|character| !character.is_ascii_graphic()) {
        return wrong("has characters that no token has", "copy the token again, as plain text");
    }
    if text.contains(['"', '\'', '`']) {
        return wrong("has quotes inside", "copy the token again, in one piece");
    }
    if text.starts_with("ATCTT") || text.starts_with("ATATT") || text.starts_with("ATBB") {
        return wrong("a token of Bitbucket or Atlassian, not of Databricks", create);
    }
    if starts("https://") || starts("http://") {
        return wrong("an address, not a token", "the address goes into `DATABRICKS_HOST`");
    }
    Ok(())
}

/// The shape of a service principal's application id.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(index, character)| match index {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_accepted() {
        for text in
            [format!("dapi{}-2", "0".repeat(32)), format!("eyJ{0}.eyJ{0}.{0}", "a".repeat(20)), "any-thing".into()]
        {
            assert_eq!(token(&text).unwrap().expose(), text);
        }
    }

    #[test]
    fn what_is_no_token_is_told_without_showing_it() {
        let body = "0123456789abcdef0123456789abcdef";
        for (text, part) in [
            (format!("Bearer {body}"), "authorization scheme"),
            (format!("\"{body}\""), "quotes around"),
            (format!("{body}'"), "quotes around"),
            (format!("{body}'{body}"), "quotes inside"),
            (format!("{body} {body}"), "a blank or a line break"),
            (format!("{body}\n{body}"), "a blank or a line break"),
            (format!("{body}\u{7}"), "characters that no token has"),
            (format!("{body}é"), "characters that no token has"),
            (format!("{body}\u{200b}"), "characters that no token has"),
            (format!("ATCTT3xFfGN0{body}"), "of Bitbucket or Atlassian"),
            (format!("ATATT3{body}"), "of Bitbucket or Atlassian"),
            (format!("dose{body}"), "OAuth secret"),
            (format!("https://{body}"), "an address"),
            ("01234567-89ab-cdef-0123-456789abcdef".into(), "an id"),
        ] {
            let problem = token(&text).unwrap_err();
            assert!(problem.message.contains(part), "{text}: {}", problem.message);
            assert!(!format!("{problem:?}").contains("89ab"), "{problem:?}");
        }
    }
}
