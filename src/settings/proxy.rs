//! `HTTPS_PROXY` and `NO_PROXY`, in the two spellings that programs know.

use super::Proxy;
use super::echo::Echo;
use super::reader::{Read, Reader};
use super::variables::RawVariables;
use crate::pipeline::Environment;
use crate::problem::{Code, Problem};
use crate::secrets::Secret;
use url::{Url, form_urlencoded};

const HINT: &str = "write it as `http://proxy.example.com:3128`; user and password, with a colon between them, come before the \
                    host, with an `@` after them";

/// The proxy, where one is set.
pub(super) fn proxy(reader: &mut Reader<'_>, raw: &RawVariables) -> Read<Option<Proxy>> {
    let address = reader.parsed(raw.https_proxy(), address);
    let except = reader.text(raw.no_proxy()).map(|text| text.unwrap_or_default().to_owned());
    let (address, except) = (address?, except?);
    Ok(address.map(|(url, login)| Proxy { url, login, except }))
}

type Login = Option<(String, Secret)>;

/// Reads the address of a proxy. It may hold a password, so that of a wrong one nothing is shown.
fn address(text: &str, echo: Echo<'_>) -> Result<(Url, Login), Problem> {
    let may_be_shown = !text.contains('@') && !echo.hides_all();
    let shown = if may_be_shown { echo.show(text) } else { "the value (not shown)".to_owned() };
    let wrong = |what: &str| Problem::new(Code::InvalidValue, format!("{shown} {what}")).hint(HINT);
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&with_scheme).map_err(|_| wrong("is not the address of a proxy"))?;
    match url.scheme() {
        "http" | "https" => {}
        "socks5" | "socks5h" | "socks4" | "socks4a" => return Err(wrong("is a SOCKS proxy, which is not supported")),
        _ => return Err(wrong("does not start with `http://` or `https://`")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("names no host"));
    }
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some((decoded(user), Secret::new(decoded(password.unwrap_or_default())))),
    };
    // Neither can fail for an address with a host.
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| wrong("is not the address of a proxy"))?;
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok((url, login))
}

/// Percent-decoded; a `+` stands for itself.
fn decoded(text: &str) -> String {
    let field = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(field.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// A word on the variables of other programs' proxies: one that was set and is not used is looked for long.
pub(super) fn useless_proxies(environment: &Environment) -> Option<Problem> {
    let is_set = |name: &str| environment.get(name).or(environment.get(&name.to_ascii_lowercase())).is_some();
    if is_set("HTTPS_PROXY") {
        return None;
    }
    let name = ["HTTP_PROXY", "ALL_PROXY"].into_iter().find(|name| is_set(name))?;
    let message = "not used: Databricks is reached over encrypted connections only, and their proxy is `HTTPS_PROXY`";
    let hint = "set `HTTPS_PROXY`, if there is a proxy on the way to Databricks; its value may start with `http://`";
    Some(Problem::new(Code::NoEffect, message).at(name).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Option<(String, String)>), String> {
        let read = address(text, Echo::new(text, &[]));
        let shown = |(user, password): (String, Secret)| (user, password.expose().to_owned());
        read.map(|(url, login)| (url.to_string(), login.map(shown))).map_err(|problem| problem.message)
    }

    #[test]
    fn the_spellings_of_a_proxy() {
        let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        for (text, url, expected) in [
            ("http://proxy.example.com:3128", "http://proxy.example.com:3128/", None),
            ("proxy:3128", "http://proxy:3128/", None),
            ("10.0.0.1:3128", "http://10.0.0.1:3128/", None),
            ("https://proxy.example.com/x?y#z", "https://proxy.example.com/", None),
            ("http://me:p%40ss+w%26rd@proxy:1", "http://proxy:1/", login("me", "p@ss+w&rd")),
            ("me:pass@proxy:1", "http://proxy:1/", login("me", "pass")),
            ("http://me@proxy:1", "http://proxy:1/", login("me", "")),
        ] {
            assert_eq!(read(text), Ok((url.into(), expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_password() {
        for (text, part) in [
            ("socks5://proxy:1080", "SOCKS"),
            ("ftp://proxy", "does not start with"),
            ("http://", "is not the address"),
            ("http://me:hunter2hunter2@proxy:port", "(not shown) is not the address"),
            ("socks5://me:hunter2hunter2@proxy", "(not shown) is a SOCKS proxy"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(part) && !message.contains("hunter2"), "{text}: {message}");
        }
    }
}
