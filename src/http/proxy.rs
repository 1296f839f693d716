//! The proxy on the way, and which hosts are reached without it.

use super::wire::WireError;
use crate::secrets::Secret;
use hyper_util::client::proxy::matcher::Matcher;

/// This machine is never reached through a proxy: it would be the proxy's own.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1";

/// A proxy that opens connections by `CONNECT`.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Scheme, host and port; no user, no password.
    pub url: url::Url,
    /// What it is to be told in the Basic scheme, decoded.
    pub login: Option<(String, Secret)>,
    /// Hosts that are reached without it, separated by commas: `example.com` stands for it and all below it; addresses
    /// may have a prefix length, as in `10.0.0.0/8`; `*` stands for all.
    pub except: String,
}

/// A proxy in use.
pub(super) struct Route {
    name: String,
    matcher: Matcher,
}

impl Proxy {
    fn except(&self) -> String {
        format!("{LOOPBACK},{}", self.except)
    }

    /// Host and port of it, if requests to `url` go through it.
    pub fn on_the_way_to(&self, url: &url::Url) -> Option<String> {
        self.route().of(url).map(str::to_owned)
    }

    /// As reqwest takes it.
    pub(super) fn to_reqwest(&self) -> Result<reqwest::Proxy, WireError> {
        let proxy = reqwest::Proxy::https(self.url.clone())?.no_proxy(reqwest::NoProxy::from_string(&self.except()));
        Ok(match &self.login {
            Some((user, password)) => proxy.basic_auth(user, password.expose()),
            None => proxy,
        })
    }

    /// The same choice as reqwest's, asked beforehand: an error must name whom it concerns.
    pub(super) fn route(&self) -> Route {
        let host = self.url.host_str().unwrap_or_default();
        let name = match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Route { name, matcher: Matcher::builder().https(self.url.as_str()).no(self.except()).build() }
    }
}

impl Route {
    /// The proxy, as host and port, if requests to `url` go through it.
    pub(super) fn of(&self, url: &url::Url) -> Option<&str> {
        let uri = url.as_str().parse::<http::Uri>().ok()?;
        self.matcher.intercept(&uri).map(|_| self.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hosts_are_reached_without_it() {
        let proxy = Proxy {
            url: "http://proxy.example.com".parse().unwrap(),
            login: None,
            except: "corp.example, 10.0.0.0/8,.dotted.example".to_owned(),
        };
        let route = proxy.route();
        for (url, through) in [
            ("https://dbc-1.cloud.databricks.com/", true),
            ("https://corp.example.com/", true),
            ("https://11.0.0.1/", true),
            ("https://corp.example/", false),
            ("https://a.b.corp.example:8443/", false),
            ("https://x.dotted.example/", false),
            ("https://10.1.2.3/", false),
            ("https://localhost:9/", false),
            ("https://127.9.9.9/", false),
            ("https://[::1]:9/", false),
            ("http://dbc-1.cloud.databricks.com/", false),
        ] {
            let name = route.of(&url.parse().unwrap());
            assert_eq!(name, through.then_some("proxy.example.com:80"), "{url}");
        }
        let route = Proxy { except: "*".to_owned(), ..proxy }.route();
        assert_eq!(route.of(&"https://dbc-1.cloud.databricks.com/".parse().unwrap()), None);
    }
}
