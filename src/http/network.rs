//! The real network.

use super::wire::{Wire, WireError};
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
}

impl Network {
    /// Makes the connection pool: rustls with the roots in the binary, HTTP/1.1, no redirects, no proxy but the given.
    ///
    /// `connect_timeout` covers name resolution, TCP and TLS together. The error is the reason in one line.
    pub fn new(connect_timeout: Duration) -> Result<Network, String> {
        choose_cryptography();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
            .iter()
            .map(|root| reqwest::Certificate::from_der(root))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| WireError::from(error).to_string())?;
        let client = reqwest::Client::builder()
            .tls_certs_only(roots)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(KEEPALIVE)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| WireError::from(error).to_string())?;
        Ok(Network { client })
    }
}

impl Wire for Network {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        Box::pin(async move { self.client.execute(request).await.map_err(WireError::from) })
    }
}

/// The one place that names the cryptography behind TLS. reqwest asks for the process' choice; where one was made
/// already it stays.
fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
