//! Which hosts a credential may be sent to: the domains of Databricks and Microsoft, and those that the user vouches for.
//!
//! It guards against mistakes: a typing error, a copied address, a document that leads away. Against people who may
//! change the pipeline it guards nobody, since they may change `ALLOWED_HOSTS` as well.

use super::echo::Echo;
use crate::problem::{Code, Problem};
use url::{Host, Url};

/// The clouds that Databricks runs on, as far as a host's name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon's, the government's regions included.
    Aws,
    /// One of Microsoft's.
    Azure(AzureCloud),
    /// Google's.
    Gcp,
}

impl Cloud {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Cloud::Aws => "AWS",
            Cloud::Azure(_) => "Azure",
            Cloud::Gcp => "GCP",
        }
    }
}

/// Microsoft's clouds: each has its own Entra ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AzureCloud {
    /// The one for everybody.
    Public,
    /// That of the government of the United States.
    UsGovernment,
    /// The one in China, run by 21Vianet.
    China,
}

/// Under which domains workspaces are, and on which cloud (go config/environment, `environments.go`; a vanity host is
/// one name below `databricks.com` and does not tell its cloud). `databricksapps.com` is not among them: what answers
/// there, customers wrote.
const WORKSPACES: [(&str, Option<Cloud>); 8] = [
    ("cloud.databricks.com", Some(Cloud::Aws)),
    ("cloud.databricks.us", Some(Cloud::Aws)),
    ("cloud.databricks.mil", Some(Cloud::Aws)),
    ("gcp.databricks.com", Some(Cloud::Gcp)),
    ("azuredatabricks.net", Some(Cloud::Azure(AzureCloud::Public))),
    ("databricks.azure.us", Some(Cloud::Azure(AzureCloud::UsGovernment))),
    ("databricks.azure.cn", Some(Cloud::Azure(AzureCloud::China))),
    ("databricks.com", None),
];

/// A host's name in the one spelling: the URL parser has lower-cased it; a dot at its end means the same host.
fn name(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether `host` is below `domain`.
fn is_below(host: &str, domain: &str) -> bool {
    name(host).strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

/// The cloud of a workspace, where its name tells it.
pub(super) fn cloud(url: &Url) -> Option<Cloud> {
    let host = url.host_str()?;
    WORKSPACES.iter().find(|(domain, _)| is_below(host, domain))?.1
}

/// Whether `host` is an account console, under one of the domains of Databricks.
pub fn is_account_console(url: &Url) -> bool {
    let Some((first, domain)) = url.host_str().and_then(|host| name(host).split_once('.')) else { return false };
    (first == "accounts" || first.starts_with("accounts-"))
        && WORKSPACES.iter().any(|(known, _)| domain == *known || is_below(domain, known))
}

/// Whether it is this machine: nothing leaves it.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The hosts that may be given a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedHosts {
    /// `db.example.com` is itself; `.example.com` is everything below it.
    more: Vec<String>,
}

impl TrustedHosts {
    /// Whether a workspace's credential may be sent to this address.
    pub fn allow(&self, url: &Url) -> bool {
        if is_loopback(url) {
            return true;
        }
        let Some(host) = url.host_str().filter(|_| url.scheme() == "https") else { return false };
        WORKSPACES.iter().any(|(domain, _)| is_below(host, domain)) || self.vouched(host)
    }

    /// Whether a workspace's credential may be sent to `to`, because a document of the host of `from` says so. That
    /// this machine is exempt is meant for those who have named it: no other host leads to it.
    pub fn allow_from(&self, from: &Url, to: &Url) -> bool {
        from.origin() == to.origin() || (self.allow(to) && (!is_loopback(to) || is_loopback(from)))
    }

    fn vouched(&self, host: &str) -> bool {
        self.more.iter().any(|pattern| match pattern.strip_prefix('.') {
            Some(domain) => is_below(host, domain),
            None => name(host) == pattern,
        })
    }

    /// Takes the items of `ALLOWED_HOSTS`, which [`item`] has found good.
    pub(super) fn with(items: &[String]) -> TrustedHosts {
        TrustedHosts { more: items.iter().filter_map(|item| pattern(item).ok()).collect() }
    }
}

/// Says what is wrong with an item of `ALLOWED_HOSTS`.
pub(super) fn item(number: usize, item: &str, echo: Echo<'_>) -> Option<Problem> {
    let wrong = pattern(item).err()?;
    let message = format!("item {number}, {}, {wrong}", echo.show(item));
    let hint = "an item is the name of a host, `db.example.com`, or of all below it, `.example.com`";
    Some(Problem::new(Code::InvalidValue, message).hint(hint))
}

/// The normal form of an item.
fn pattern(item: &str) -> Result<String, &'static str> {
    let (dot, rest) = match item.strip_prefix("*.").or_else(|| item.strip_prefix('.')) {
        Some(rest) => (".", rest),
        None => ("", item),
    };
    if item.contains("://") || item.contains('/') {
        return Err("is an address, not the name of a host");
    }
    if rest.contains('*') {
        return Err("has a `*` that does not stand for all before a domain");
    }
    let url = Url::parse(&format!("https://{rest}")).map_err(|_| "is not the name of a host")?;
    // The parser drops much in silence: the port 443, an empty user, tabs, what follows `?`, `#` or a backslash.
    let is_of_a_name = |next: char| next.is_alphanumeric() || matches!(next, '.' | '-' | '_');
    let in_brackets = rest.starts_with('[') && rest.ends_with(']');
    if !in_brackets && !rest.chars().all(is_of_a_name) {
        return Err("has more in it than the name of a host");
    }
    match url.host() {
        Some(Host::Domain(domain)) if name(domain).split('.').any(str::is_empty) => Err("is not the name of a host"),
        Some(Host::Domain(domain)) if !name(domain).contains('.') => Err("is not the whole name of a host"),
        Some(Host::Domain(domain)) => Ok(format!("{dot}{}", name(domain))),
        // `1` is an address too, to the parser.
        Some(Host::Ipv4(address)) if dot.is_empty() && rest == address.to_string() => Ok(rest.to_owned()),
        Some(Host::Ipv6(_)) if dot.is_empty() => Ok(url.host_str().unwrap_or_default().to_owned()),
        _ => Err("is not the name of a host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn every_domain_of_databricks_may_have_a_credential_and_nobody_else() {
        let trusted = TrustedHosts::default();
        for (text, cloud_of) in [
            ("https://dbc-1.cloud.databricks.com/", Some(Cloud::Aws)),
            ("https://dbc-1.cloud.databricks.com./", Some(Cloud::Aws)),
            ("https://dbc-1.dev.cloud.databricks.us", Some(Cloud::Aws)),
            ("https://dod-1.cloud.databricks.mil", Some(Cloud::Aws)),
            ("https://1.2.gcp.databricks.com", Some(Cloud::Gcp)),
            ("https://adb-1.2.azuredatabricks.net", Some(Cloud::Azure(AzureCloud::Public))),
            ("https://adb-1.2.databricks.azure.us", Some(Cloud::Azure(AzureCloud::UsGovernment))),
            ("https://adb-1.2.databricks.azure.cn", Some(Cloud::Azure(AzureCloud::China))),
            ("https://acme.databricks.com", None),
        ] {
            assert!(trusted.allow(&url(text)), "{text}");
            assert_eq!(cloud(&url(text)), cloud_of, "{text}");
        }
        for text in [
            "https://cloud.databricks.com.example.com",
            "https://dbc-1.cloud-databricks.com",
            "https://evildatabricks.com",
            "https://databricks.com",
            "https://x.azuredatabricks.net.cn",
            "https://app-1.aws.databricksapps.com",
            "https://10.0.0.5",
            "https://[fe80::1]",
            "http://dbc-1.cloud.databricks.com",
        ] {
            assert!(!trusted.allow(&url(text)), "{text}");
        }
        for text in ["http://127.0.0.1:1", "http://localhost", "https://127.9.9.9", "http://[::1]:9"] {
            assert!(trusted.allow(&url(text)), "{text}");
        }
    }

    #[test]
    fn users_vouch_for_hosts_by_name_or_domain() {
        let items =
            ["db.example.com".to_owned(), "*.corp.example".to_owned(), ".Lab.Example".to_owned(), "10.0.0.5".into()];
        let trusted = TrustedHosts::with(&items);
        for text in
            ["https://db.example.com:8443", "https://a.b.corp.example", "https://x.lab.example", "https://10.0.0.5"]
        {
            assert!(trusted.allow(&url(text)), "{text}");
        }
        for text in ["https://xdb.example.com", "https://corp.example", "http://db.example.com", "https://10.0.0.6"] {
            assert!(!trusted.allow(&url(text)), "{text}");
        }
        for (item, why) in [
            ("https://db.example.com", "an address"),
            ("db.example.com/", "an address"),
            ("db.example.com:443", "more in it"),
            ("db.example.com:8443", "more in it"),
            ("me@db.example.com", "more in it"),
            ("@db.example.com", "more in it"),
            ("db.example.com?x", "more in it"),
            ("db.example.com#x", "more in it"),
            ("db.example.com\\x", "more in it"),
            ("db.exa\tmple.com", "more in it"),
            ("db%2eexample.com", "more in it"),
            ("[::1]:443", "more in it"),
            ("..example.com", "not the name"),
            ("example..com", "not the name"),
            ("1", "not the name"),
            (".10.0.0.5", "not the name"),
            ("fe80::1", "not the name"),
            ("*", "`*`"),
            ("d*.example.com", "`*`"),
            (".com", "whole name"),
            ("com", "whole name"),
            ("", "not the name"),
            ("a b.c", "not the name"),
        ] {
            let found = pattern(item);
            assert!(found.as_ref().is_err_and(|wrong| wrong.contains(why)), "{item}: {found:?}");
        }
    }

    #[test]
    fn addresses_and_names_of_other_scripts_can_be_vouched_for() {
        for (item, address) in [
            ("[FE80::0:1]", "https://[fe80::1]"),
            ("b\u{fc}cher.example", "https://xn--bcher-kva.example"),
            ("DB.example.com.", "https://db.example.com"),
        ] {
            assert!(TrustedHosts::with(&[item.to_owned()]).allow(&url(address)), "{item}");
        }
    }

    #[test]
    fn a_document_leads_to_trusted_hosts_and_never_to_this_machine() {
        let trusted = TrustedHosts::default();
        let (workspace, here) = (url("https://dbc-1.cloud.databricks.com"), url("http://127.0.0.1:8080/oidc"));
        assert!(trusted.allow_from(&workspace, &url("https://dbc-2.cloud.databricks.com/oidc")));
        assert!(!trusted.allow_from(&workspace, &url("https://elsewhere.example.com/oidc")));
        for loopback in ["http://127.0.0.1:8080/oidc", "https://localhost/oidc", "http://[::1]/oidc"] {
            assert!(!trusted.allow_from(&workspace, &url(loopback)), "{loopback}");
            assert!(trusted.allow_from(&here, &url(loopback)), "{loopback}");
        }
        // A host that the user has named is asked whatever it is called.
        assert!(trusted.allow_from(&url("https://db.example.com"), &url("https://db.example.com/oidc")));
        assert!(!trusted.allow_from(&url("https://db.example.com"), &url("https://db.example.com:8443/oidc")));
    }

    #[test]
    fn account_consoles_are_known_by_their_name() {
        for text in [
            "https://accounts.cloud.databricks.com",
            "https://accounts.azuredatabricks.net",
            "https://accounts-dod.cloud.databricks.us",
        ] {
            assert!(is_account_console(&url(text)), "{text}");
        }
        for text in ["https://accounts.example.com", "https://acme.databricks.com", "https://10.0.0.1"] {
            assert!(!is_account_console(&url(text)), "{text}");
        }
    }
}
