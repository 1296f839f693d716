//! The real network.

use super::proxy::{Proxy, Route};
use super::wire::{Wire, WireError};
use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
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
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(&options.authorities)?)
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

/// TLS as it is spoken here. reqwest would make the same of whole certificates; this takes of each built-in root only
/// what a chain is checked against, which is a third of it, and does not have to be read at each start.
fn tls(authorities: &[CertificateDer<'static>]) -> Result<ClientConfig, WireError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let refused = |error: rustls::Error| WireError::Tls(error.to_string());
    for authority in authorities {
        roots.add(authority.clone()).map_err(refused)?;
    }
    // The one place that names the cryptography behind TLS.
    let provider = CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// No certificate of ours is ever shown, so nothing that signs with one is linked.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("this client has no keys".into()))
    }
}
