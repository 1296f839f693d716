//! Which values of the environment are secrets, whether the settings are valid or not.

use super::near_miss::meant;
use super::parse::unresolved;
use super::variables::{OTHER_SECRETS, VARIABLES, find};
use crate::pipeline::Environment;
use crate::problem::{Code, Problem};
use crate::secrets::{MIN_LENGTH, Secret};
use std::collections::BTreeSet;

const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Every secret of the environment, each once.
pub(super) fn secrets(environment: &Environment) -> Vec<Secret> {
    let mut values = BTreeSet::new();
    // Whatever the variable is called that the identity token is in.
    let named = environment.get("DATABRICKS_OIDC_TOKEN_ENV").map(str::trim).unwrap_or_default();
    for (name, value) in &environment.variables {
        if is_secret(name) || name == named {
            values.extend(forms(value));
        } else if PROXIES.contains(&name.to_ascii_uppercase().as_str()) {
            values.extend(user_and_password(value));
        }
    }
    values.into_iter().map(Secret::new).collect()
}

/// Secrets that the redactor cannot keep out of the log without blanking ordinary words.
pub(super) fn too_short(environment: &Environment) -> impl Iterator<Item = Problem> {
    let mut names = BTreeSet::new();
    for (name, value) in &environment.variables {
        let held = if is_secret(name) { forms(value) } else { Vec::new() };
        if held.iter().any(|secret| secret.len() < MIN_LENGTH) {
            names.insert(name.clone());
        }
    }
    names.into_iter().map(|name| {
        Problem::new(Code::InvalidValue, format!("too short to be kept out of the log: under {MIN_LENGTH} bytes"))
            .at(name)
            .hint("check that it is the whole secret")
    })
}

/// Whether the variable holds a secret, under its own name or under one that was meant to be it.
fn is_secret(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.is_secret() && variable.name == name)
        || OTHER_SECRETS.contains(&name)
        || meant(name).is_some_and(|variable| variable.is_secret())
}

/// The value, and what is left of it without what people paste around a token.
fn forms(value: &str) -> Vec<String> {
    let whole = value.trim();
    // `$DATABRICKS_TOKEN` is no secret but the name of one, and messages need the name.
    if whole.is_empty() || unresolved(whole).is_some_and(is_public) {
        return Vec::new();
    }
    let bare = without_wrapping(whole);
    [whole, bare].into_iter().filter(|form| !form.is_empty()).map(str::to_owned).collect()
}

/// Whether a name is in our documentation, so that it cannot be a secret.
pub(super) fn is_public(name: &str) -> bool {
    find(name).is_some() || OTHER_SECRETS.contains(&name)
}

/// A token without quotes and scheme.
fn without_wrapping(text: &str) -> &str {
    let unquoted = text.trim_matches(|character| matches!(character, '"' | '\'' | '`')).trim();
    match unquoted.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim(),
        _ => unquoted,
    }
}

/// `user:password` and `password` of a proxy's address, as written and decoded.
fn user_and_password(proxy: &str) -> Vec<String> {
    let authority = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    // The password may hold an unencoded `/` or `@` where the address was typed by hand.
    let Some((user_info, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let user_info = user_info.trim();
    // A user alone is no secret.
    let Some((_, password)) = user_info.split_once(':').filter(|(_, password)| !password.is_empty()) else {
        return Vec::new();
    };
    let decoded = url::form_urlencoded::parse(format!("p={}", password.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    vec![user_info.to_owned(), password.to_owned(), decoded]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)]) -> Vec<String> {
        let environment = Environment::new(pairs.iter().copied(), "/");
        secrets(&environment).iter().map(|secret| secret.expose().to_owned()).collect()
    }

    #[test]
    fn every_secret_is_found_in_every_wrapping() {
        assert_eq!(found(&[("DATABRICKS_TOKEN", " \"Bearer abc\" ")]), ["\"Bearer abc\"", "abc"]);
        assert_eq!(found(&[("DATABRICKS_TOKN", "abc"), ("BITBUCKET_STEP_OIDC_TOKEN", "def")]), ["abc", "def"]);
        assert_eq!(found(&[("https_proxy", "http://me:p%40ss@proxy:80")]), ["me:p%40ss", "p%40ss", "p@ss"]);
        assert_eq!(found(&[("HTTP_PROXY", "http://me:a/b+c@proxy")]), ["a/b+c", "me:a/b+c"]);
        for name in OTHER_SECRETS {
            assert_eq!(found(&[(name, "x")]), ["x"], "{name}");
        }
    }

    #[test]
    fn what_is_none_is_left_out() {
        let none: [&str; 0] = [];
        assert_eq!(found(&[("DATABRICKS_TOKEN", "  "), ("TARGET", "x"), ("HTTP_PROXY", "http://me@proxy:80")]), none);
        assert_eq!(found(&[("DATABRICKS_TOKEN", "$DATABRICKS_TOKEN")]), none);
        assert_eq!(found(&[("DATABRICKS_TOKEN", "$ecret_pass")]), ["$ecret_pass"], "it may be a secret all the same");
    }
}
