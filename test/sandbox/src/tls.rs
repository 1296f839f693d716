//! TLS for the sandbox: a certificate authority of its own, made anew each time.

use crate::ids;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A private authority and the certificate that it issued for one server. Nobody trusts it who was not given
/// [`Tls::ca_pem`].
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    ca_pem: Arc<str>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl Tls {
    /// A new authority, and a certificate for `localhost`, the loopback addresses, and `names`.
    ///
    /// # Errors
    ///
    /// If one of `names` cannot stand in a certificate.
    pub fn new(names: &[&str]) -> io::Result<Tls> {
        let ca_key = KeyPair::generate().map_err(io::Error::other)?;
        let mut ca = CertificateParams::default();
        // Two authorities of one name would be taken for one.
        let number: String = ids::random().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        ca.distinguished_name.push(DnType::CommonName, format!("Sandbox authority {number}"));
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_certificate = ca.self_signed(&ca_key).map_err(io::Error::other)?;
        let ca_pem = Arc::from(ca_certificate.pem());
        let issuer = rcgen::Issuer::new(ca, ca_key);

        let key = KeyPair::generate().map_err(io::Error::other)?;
        let all = ["localhost", "127.0.0.1", "::1"].iter().chain(names).map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(all.collect::<Vec<_>>()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "Sandbox workspace");
        let certificate = params.signed_by(&key, &issuer).map_err(io::Error::other)?;

        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls { acceptor: TlsAcceptor::from(Arc::new(config)), ca_pem })
    }

    /// The authority's certificate in PEM form: what a client must trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}
