//! The real network.

use super::proxy::{Proxy, Route};
use super::wire::{Wire, WireError};
use rustls::pki_types::CertificateDer;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How long a connection without work is kept. Under the idle limits of common load balancers (60 s and more), because a
/// request that meets the server's close half-way has an uncertain end.
const IDLE: Duration = Duration::from_secs(30);

/// When a silent connection is probed: NAT gateways and load balancers forget flows after some minutes, and a run's
/// request may be answered late.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The real network: one warm pool of HTTP/1.1 connections.
///
/// Nothing is repeated here: reqwest's own retries are off. (Below it, hyper takes a fresh connection when a pooled one
/// turns out to be closed before the first byte was written; such a request was never sent.)
pub struct Network {
    client: reqwest::Client,
    route: Option<Route>,
}

/// How the network is used. Nothing else decides it: the environment is not looked at.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// How long a connection may take: name resolution, proxy, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Certificates of authorities that are trusted beside the built-in ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy for encrypted connections.
    pub proxy: Option<Proxy>,
}

impl Network {
    /// Makes the connection pool: rustls with the roots in the binary and those given, HTTP/1.1, no redirects, no proxy
    /// but the given. The error is the reason in one line.
    pub fn new(options: &NetworkOptions) -> Result<Network, String> {
        Network::build(options).map_err(|error| error.to_string())
    }

    fn build(options: &NetworkOptions) -> Result<Network, WireError> {
        choose_cryptography();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .chain(&options.authorities)
            .map(|root| reqwest::Certificate::from_der(root))
            .collect::<Result<Vec<_>, _>>()?;
        let mut builder = reqwest::Client::builder()
            .tls_certs_only(roots)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(KEEPALIVE)
            .tcp_nodelay(true);
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(proxy.to_reqwest()?);
        }
        Ok(Network { client: builder.build()?, route: options.proxy.as_ref().map(Proxy::route) })
    }
}

impl Wire for Network {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        let proxy = self.route.as_ref().and_then(|route| route.of(request.url()));
        Box::pin(async move {
            self.client.execute(request).await.map_err(|error| match proxy {
                Some(proxy) => WireError::through(proxy, error),
                None => WireError::from(error),
            })
        })
    }
}

/// The one place that names the cryptography behind TLS. reqwest asks for the process' choice; where one was made
/// already it stays.
fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
