//! Over TLS.

use databricks_sandbox::{Running, Sandbox, Tls};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Connects as `name`, trusting one authority.
async fn connect(running: &Running, ca_pem: &str, name: &'static str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address()).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(name).unwrap(), stream).await
}

#[tokio::test]
async fn links_have_the_scheme_that_the_request_came_by() {
    let running = Running::start_tls(Sandbox::new()).unwrap();
    assert_eq!(running.url(), format!("https://localhost:{}", running.address().port()));
    for name in ["localhost", "127.0.0.1"] {
        let mut stream = connect(&running, running.ca_pem(), name).await.unwrap();
        let path = "/oidc/.well-known/oauth-authorization-server";
        let head = format!("GET {path} HTTP/1.1\r\nHost: {name}:1\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.contains(&format!("\"token_endpoint\":\"https://{name}:1/oidc/v1/token\"")), "{answer}");
    }
    let plain = Running::start(Sandbox::new()).unwrap();
    assert_eq!(plain.ca_pem(), "");
}

#[tokio::test]
async fn each_start_has_an_authority_and_names_of_its_own() {
    let running = Running::start_tls(Sandbox::new()).unwrap();
    let other = Running::start_tls_with(Sandbox::new(), Tls::new(&["workspace.test"]).unwrap()).unwrap();
    assert!(connect(&other, other.ca_pem(), "workspace.test").await.is_ok());
    let stranger = connect(&running, running.ca_pem(), "workspace.test").await.unwrap_err();
    assert!(stranger.to_string().contains("not valid for name"), "{stranger}");
    let untrusted = connect(&running, other.ca_pem(), "localhost").await.unwrap_err();
    assert!(untrusted.to_string().contains("invalid peer certificate"), "{untrusted}");
}
