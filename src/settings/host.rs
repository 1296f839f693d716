//! `DATABRICKS_HOST`.

use super::echo::Echo;
use super::token::is_uuid;
use super::trust::{is_account_console, is_loopback};
use crate::problem::{Code, Problem};
use url::{Host, Url};

const HINT: &str =
    "copy the address of the workspace from the browser, for example `https://dbc-1234.cloud.databricks.com`";

/// An address that requests can be sent to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme and authority only.
    pub(super) url: Url,
    /// Whether a path, query or fragment was left out.
    pub(super) shortened: bool,
    /// The workspace's id, where the query has it, as the browser shows it.
    pub(super) workspace_id: Option<String>,
    /// The account's id, likewise.
    pub(super) account_id: Option<String>,
}

/// Reads the address of a workspace: with or without `https://`, also as the browser shows it.
pub(super) fn host(text: &str, echo: Echo<'_>) -> Result<Address, Problem> {
    let wrong = |message: String| Problem::new(Code::InvalidValue, message).hint(HINT);
    if echo.hides_all() && !has_user_info(text) {
        return Err(wrong("not an address: it looks like a token (not shown)".into()));
    }
    if has_user_info(text) {
        return Err(Problem::new(Code::InvalidValue, "has a user or a password before an `@` (not shown)")
            .hint("leave out everything up to the `@`; the credential goes into `DATABRICKS_TOKEN`"));
    }
    // The URL standard silently drops tabs and line breaks inside an address: what is shown would not be what is used.
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(wrong(format!("{} has blanks or control characters in it", echo.show(text))));
    }
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| wrong(format!("{} is not an address", echo.show(text))))?;
    let host = url.host().map(|host| host.to_owned());
    let loopback = is_loopback(&url);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => {
            return Err(Problem::new(
                Code::InvalidValue,
                format!("{} is not encrypted: the token could be read on the way", echo.show(text)),
            )
            .hint("use `https://`"));
        }
        _ => return Err(wrong(format!("{} does not start with `https://`", echo.show(text)))),
    }
    match host {
        Some(Host::Domain(name)) if !loopback && !name.trim_end_matches('.').contains('.') => {
            return Err(wrong(format!("{} is not the whole name of a host", echo.show(text))));
        }
        Some(_) => {}
        None => return Err(wrong(format!("{} names no host", echo.show(text)))),
    }
    // What the browser shows after `?` names workspace and account (go config.go, `HostURL`).
    let mut shortened = !matches!(url.path(), "" | "/") || url.fragment().is_some();
    let (mut workspace_id, mut account_id) = (None, None);
    for (name, value) in url.query_pairs() {
        match &*name {
            "o" | "w" | "workspace_id" if is_workspace_id(&value) => workspace_id = Some(value.into_owned()),
            "a" | "account_id" if is_uuid(&value) => account_id = Some(value.into_owned()),
            _ => shortened = true,
        }
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(Address { url, shortened, workspace_id, account_id })
}

/// Whether something stands before an `@` in the part that names the server. Judged on the text, since an address with a
/// password is most often one that does not parse.
fn has_user_info(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest).trim_start_matches(['/', '\\']);
    rest.split(['/', '\\', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// `DATABRICKS_WORKSPACE_ID`: a number of up to 19 digits.
pub(super) fn is_workspace_id(text: &str) -> bool {
    !text.starts_with('0') && text.parse::<u64>().is_ok_and(|id| i64::try_from(id).is_ok()) && !text.starts_with('+')
}

/// What is wrong with an address that only accounts have.
pub(super) fn account_console(url: &Url) -> Option<Problem> {
    let name = url.host_str().filter(|_| is_account_console(url))?;
    Some(Problem::new(Code::InvalidValue, format!("`{name}` is the account console, not a workspace")).hint(
        "open the workspace in the browser and copy its address; where the console's address serves the workspaces \
             too, set `DATABRICKS_WORKSPACE_ID`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;

    fn read(text: &str) -> Result<(String, bool), String> {
        host(text, Echo::new(text, &[]))
            .map(|address| (address.url.to_string(), address.shortened))
            .map_err(|problem| problem.message)
    }

    #[test]
    fn the_spellings_of_a_workspace() {
        for (text, url, shortened) in [
            ("https://dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com/", false),
            ("https://DBC-1.cloud.databricks.com/", "https://dbc-1.cloud.databricks.com/", false),
            ("dbc-1.cloud.databricks.com", "https://dbc-1.cloud.databricks.com/", false),
            ("adb-12.3.azuredatabricks.net/?o=12", "https://adb-12.3.azuredatabricks.net/", false),
            ("adb-12.3.azuredatabricks.net/?o=12&x=1", "https://adb-12.3.azuredatabricks.net/", true),
            ("adb-12.3.azuredatabricks.net/?o=mine", "https://adb-12.3.azuredatabricks.net/", true),
            ("https://adb-12.3.azuredatabricks.net/jobs/1?o=12#x/me@y", "https://adb-12.3.azuredatabricks.net/", true),
            ("https://db.example.com:8443", "https://db.example.com:8443/", false),
            ("https://10.0.0.5", "https://10.0.0.5/", false),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", false),
            ("http://127.9.9.9", "http://127.9.9.9/", false),
            ("http://[::1]:9", "http://[::1]:9/", false),
            ("http://localhost:9", "http://localhost:9/", false),
            ("localhost:9", "https://localhost:9/", false),
            ("accounts.example.com", "https://accounts.example.com/", false),
        ] {
            assert_eq!(read(text), Ok((url.into(), shortened)), "{text}");
        }
    }

    #[test]
    fn the_query_of_the_browser_names_workspace_and_account() {
        let ids = |text: &str| {
            let address = host(text, Echo::new(text, &[])).unwrap();
            (address.workspace_id, address.account_id, address.shortened)
        };
        let account = "7a3f0c51-0000-4000-8000-00000000acc1";
        for name in ["o", "w", "workspace_id"] {
            assert_eq!(ids(&format!("acme.databricks.com/?{name}=12")), (Some("12".into()), None, false));
        }
        for name in ["a", "account_id"] {
            assert_eq!(ids(&format!("acme.databricks.com?{name}={account}")), (None, Some(account.into()), false));
        }
        for text in ["acme.databricks.com/?o=-1", "acme.databricks.com/?o=0", "acme.databricks.com/?a=1"] {
            assert_eq!(ids(text), (None, None, true), "{text}");
        }
        assert!(is_workspace_id("9223372036854775807") && !is_workspace_id("9223372036854775808"));
    }

    #[test]
    fn what_is_no_workspace() {
        for (text, part) in [
            ("http://dbc-1.cloud.databricks.com", "is not encrypted"),
            ("http://localhost.example.com", "is not encrypted"),
            ("http://128.0.0.1", "is not encrypted"),
            ("http://[::2]", "is not encrypted"),
            ("ftp://dbc-1.cloud.databricks.com", "does not start with `https://`"),
            ("dbc-1", "is not the whole name of a host"),
            ("https://", "is not an address"),
            ("https://dbc-1 .databricks.com", "has blanks"),
            ("https://dbc-1\n.databricks.com", "has blanks"),
            ("https://dbc-1.databricks.com:99999", "is not an address"),
            ("\"https://dbc-1.databricks.com\"", "is not an address"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn a_credential_in_the_address_is_never_shown() {
        for text in [
            "https://token:hunter2hunter2@dbc-1.cloud.databricks.com",
            "token:hunter2hunter2@dbc-1.cloud.databricks.com",
            "https://hunter2hunter2@dbc-1",
            "https://token:hunter2hunter2@bad host",
            "http:hunter2hunter2@x.y",
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains('@') && !message.contains("hunter2"), "{text}: {message}");
        }
        let secrets = [Secret::new("hunter2hunter2")];
        let problem = host("hunter2hunter2", Echo::new("hunter2hunter2", &secrets)).unwrap_err();
        assert_eq!(problem.message, "not an address: it looks like a token (not shown)");
    }
}
