//! The floor: the same requests over as many connections, by a client that does nothing but send and read.

use crate::pipe::notebook;
use crate::sandbox::Ready;
use anyhow::ensure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// As many as the pipe has uploads under way.
const CONNECTIONS: usize = 24;

type Connection = BufReader<TlsStream<TcpStream>>;

/// Who one is, the folders, the notebooks: each only when the ones before are done.
pub(crate) fn measure(ready: &Ready, notebooks: usize, folders: usize) -> anyhow::Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connector = connector(ready)?;
        let began = Instant::now();
        let (token, head) = (ready.token.as_str(), "Host: localhost\r\nAuthorization: Bearer");
        let me = vec![format!("GET /api/2.0/preview/scim/v2/Me HTTP/1.1\r\n{head} {token}\r\n\r\n")];
        let mkdirs = (0..folders).map(|folder| {
            let body = format!("{{\"path\":\"/Shared/figures/d{folder}\"}}");
            let fields = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
            format!("POST /api/2.0/workspace/mkdirs HTTP/1.1\r\n{head} {token}\r\n{fields}\r\n\r\n{body}")
        });
        let imports = (0..notebooks).map(|number| {
            let body = multipart(&format!("/Shared/figures/d{}/n{number}", number % folders), &notebook(number));
            let fields = format!("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {}", body.len());
            format!("POST /api/2.0/workspace/import HTTP/1.1\r\n{head} {token}\r\n{fields}\r\n\r\n{body}")
        });
        let mut pool = Vec::new();
        for requests in [me, mkdirs.collect(), imports.collect()] {
            pool = send(requests, pool, &connector, ready).await?;
        }
        Ok(began.elapsed())
    })
}

fn connector(ready: &Ready) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ready.ca_pem.as_bytes())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Sends all requests, and returns the connections, warm.
async fn send(
    requests: Vec<String>,
    mut pool: Vec<Connection>,
    connector: &TlsConnector,
    ready: &Ready,
) -> anyhow::Result<Vec<Connection>> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..CONNECTIONS.min(requests.len()) {
        let (requests, next, connector) = (Arc::clone(&requests), Arc::clone(&next), connector.clone());
        let warm = pool.pop();
        let address = ready.url.replace("https://localhost", "127.0.0.1");
        workers.spawn(async move {
            let mut connection = match warm {
                Some(connection) => connection,
                None => {
                    let stream = TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    BufReader::new(connector.connect(ServerName::try_from("localhost")?, stream).await?)
                }
            };
            while let Some(request) = requests.get(next.fetch_add(1, Relaxed)) {
                connection.get_mut().write_all(request.as_bytes()).await?;
                answer(&mut connection).await?;
            }
            anyhow::Ok(connection)
        });
    }
    while let Some(worker) = workers.join_next().await {
        pool.push(worker??);
    }
    Ok(pool)
}

/// Reads an answer, which must be a success.
async fn answer(connection: &mut Connection) -> anyhow::Result<()> {
    let (mut length, mut first) = (0, String::new());
    loop {
        let mut line = String::new();
        ensure!(connection.read_line(&mut line).await? > 0, "the connection has ended");
        let line = line.trim_end();
        if first.is_empty() {
            first = line.to_owned();
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse()?;
        } else if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await?;
    ensure!(first.starts_with("HTTP/1.1 200"), "{first}: {}", String::from_utf8_lossy(&body));
    Ok(())
}

fn multipart(path: &str, content: &str) -> String {
    let field =
        |name: &str, value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    format!(
        "{}{}{}{}--x\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\n\r\n{content}\r\n--x--\r\n",
        field("path", path),
        field("format", "SOURCE"),
        field("language", "PYTHON"),
        field("overwrite", "true"),
    )
}
