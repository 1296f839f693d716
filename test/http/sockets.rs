//! The real network, against a small hand-written server on loopback. Real time, but nobody waits for time to pass.

use super::script::{Signer, call, classify, options};
use databricks_deploy::databricks::error::Error;
use databricks_deploy::digest::{Digest, Hasher};
use databricks_deploy::http::{
    Answer, Body, Call, Cause, Client, Failure, Fence, Network, NetworkOptions, Options, Part, PartContent, Proxy,
    ProxyTrouble, Repeat,
};
use databricks_deploy::problem::Code;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Connection = BufReader<TcpStream>;

/// Serves each connection with `serve`, until the test's runtime ends.
async fn server<F, S>(serve: S) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(Connection) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            counter.fetch_add(1, SeqCst);
            tokio::spawn(serve(BufReader::new(connection)));
        }
    });
    (address, connections)
}

/// Reads a request's head; nothing where the connection ended.
async fn head(connection: &mut Connection) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            return Some(lines);
        }
        lines.push(line);
    }
}

fn length(head: &[String]) -> usize {
    let field =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    field.map(|length| length.parse().unwrap()).unwrap_or(0)
}

/// A client without patience: one attempt, so that no test waits.
fn client_of(base: &str) -> Client {
    let options =
        databricks_deploy::http::Options { base: base.parse().unwrap(), patience: Duration::ZERO, ..options() };
    let connect_timeout = options.connect_timeout;
    let network = Network::new(&NetworkOptions { connect_timeout, authorities: Vec::new(), proxy: None }).unwrap();
    Client::new(options, Arc::new(network), Arc::new(Signer::default()))
}

fn client(address: SocketAddr) -> Client {
    client_of(&format!("http://{address}"))
}

async fn send(client: &Client, call: &Call) -> Result<Answer, Failure> {
    client.send(call, classify).await
}

/// Answers every request with `answer`.
async fn fixed(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    server(move |mut connection| async move {
        while let Some(head) = head(&mut connection).await {
            let mut body = vec![0; length(&head)];
            connection.read_exact(&mut body).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_hundred_calls_share_a_connection() {
    let (address, connections) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let client = client(address);
    let mut call = call(Repeat::LookFirst);
    call.body = Body::Json("{\"a\":1}".into());
    for _ in 0..100 {
        assert_eq!(&send(&client, &call).await.unwrap().body[..], b"{}");
    }
    // A call that comes before the last one's connection has been given back makes one of its own.
    assert!(connections.load(SeqCst) <= 10, "{} connections", connections.load(SeqCst));
}

#[tokio::test]
async fn the_head_says_what_it_must_and_nothing_more() {
    let heads = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = heads.clone();
    let (address, _) = server(move |mut connection| {
        let seen = seen.clone();
        async move {
            *seen.lock().unwrap() = head(&mut connection).await.unwrap();
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        }
    })
    .await;
    let mut get = call(Repeat::Always);
    get.method = reqwest::Method::GET;
    send(&client(address), &get).await.unwrap();
    let mut head = heads.lock().unwrap().clone();
    assert_eq!(head.remove(0), "GET /api/2.0/thing HTTP/1.1");
    head.sort();
    let host = format!("host: {address}");
    assert_eq!(
        head,
        ["accept: application/json", "authorization: Bearer token-0", host.as_str(), "user-agent: test/1.0"]
    );
}

#[tokio::test]
async fn a_refused_connection_did_not_arrive() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let end = send(&client(address), &call(Repeat::LookFirst)).await.unwrap_err();
    assert!(matches!(&end, Failure::Exhausted { attempts: 1, cause: Cause::Connect(_), .. }), "{end:?}");
    assert!(end.to_string().contains("Connection refused"), "{end}");
    assert_eq!(Error::from(end).problem().code, Code::HostUnreachable);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_in_the_resolvers_words() {
    // No resolver needs to ask anybody about a label of more than 63 characters.
    let name = "x".repeat(70);
    let end = send(&client_of(&format!("http://{name}.invalid")), &call(Repeat::LookFirst)).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Name(_), .. }), "{end:?}");
    assert!(end.to_string().contains("failed to lookup address information"), "{end}");
    assert_eq!(Error::from(end).problem().code, Code::HostNotFound);
}

/// The end of a call to a far workspace through this proxy.
async fn through(proxy: &str) -> Failure {
    let proxy = Proxy { url: proxy.parse().unwrap(), login: None, except: String::new() };
    let options = Options { base: "https://workspace.invalid".parse().unwrap(), patience: Duration::ZERO, ..options() };
    let connect_timeout = options.connect_timeout;
    let network = NetworkOptions { connect_timeout, authorities: Vec::new(), proxy: Some(proxy) };
    let network = Arc::new(Network::new(&network).unwrap());
    send(&Client::new(options, network, Arc::new(Signer::default())), &call(Repeat::LookFirst)).await.unwrap_err()
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told_from_a_workspace_that_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let end = through(&format!("http://{address}")).await;
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Proxy(_, ProxyTrouble::Connect(_)), .. }), "{end:?}");
    assert!(end.to_string().contains(&format!("the proxy `{address}` cannot be reached")), "{end}");
    assert_eq!(Error::from(end).problem().code, Code::ProxyFailed);

    let name = format!("{}.invalid", "x".repeat(70));
    let end = through(&format!("http://{name}:3128")).await;
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Proxy(_, ProxyTrouble::Name(_)), .. }), "{end:?}");
    assert!(end.to_string().contains(&format!("the proxy `{name}:3128` has a name that cannot be resolved")), "{end}");
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_an_uncertain_end() {
    // Closed in good order after the request was read, and reset before that.
    let (closed, _) = server(|mut connection| async move {
        let _ = head(&mut connection).await;
    })
    .await;
    let (reset, _) = server(|connection| async move {
        let _ = connection.get_ref().readable().await;
    })
    .await;
    for address in [closed, reset] {
        let end = send(&client(address), &call(Repeat::LookFirst)).await.unwrap_err();
        assert!(matches!(&end, Failure::Uncertain { cause: Cause::Broken(_), .. }), "{end:?}");
        let end = send(&client(address), &call(Repeat::Always)).await.unwrap_err();
        assert!(matches!(&end, Failure::Exhausted { cause: Cause::Broken(_), .. }), "{end:?}");
    }
}

#[tokio::test]
async fn an_answer_cut_short_is_an_uncertain_end() {
    for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let (address, _) = server(move |mut connection| async move {
            let _ = head(&mut connection).await;
            let _ = connection.write_all(answer.as_bytes()).await;
        })
        .await;
        let end = send(&client(address), &call(Repeat::LookFirst)).await.unwrap_err();
        assert!(matches!(&end, Failure::Uncertain { cause: Cause::Broken(_), .. }), "{end:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_taken_into_memory() {
    let announced = "HTTP/1.1 200 OK\r\nContent-Length: 70000000\r\n\r\n{";
    let (address, _) = fixed(announced).await;
    let end = send(&client(address), &call(Repeat::Always)).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::TooLong(_), .. }), "{end:?}");

    let (address, _) = server(|mut connection| async move {
        let _ = head(&mut connection).await;
        let _ = connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let piece = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
        while connection.write_all(piece.as_bytes()).await.is_ok() {}
    })
    .await;
    let end = send(&client(address), &call(Repeat::LookFirst)).await.unwrap_err();
    assert!(matches!(&end, Failure::Uncertain { cause: Cause::TooLong(_), .. }), "{end:?}");
}

#[tokio::test]
async fn a_page_is_no_answer_of_databricks_and_a_redirect_is_not_followed() {
    use databricks_deploy::databricks::error::classify;
    let page =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 35\r\n\r\n<html><title>Sign in</title></html>";
    let (address, _) = fixed(page).await;
    let end = client(address).send(&call(Repeat::Always), classify).await.unwrap_err();
    let problem = Error::from(end).problem();
    assert_eq!(problem.code, Code::NotDatabricks);
    let message = "`POST /api/2.0/thing` was answered with status 200: a web page, \"Sign in\", instead of JSON";
    assert_eq!(problem.message, message);

    let redirect = "HTTP/1.1 302 Found\r\nLocation: /login.html?next=secret\r\nContent-Length: 0\r\n\r\n";
    let (address, _) = fixed(redirect).await;
    let client = client(address);
    let end = client.send(&call(Repeat::Always), classify).await.unwrap_err();
    let problem = Error::from(end).problem();
    assert_eq!(problem.code, Code::NotDatabricks);
    assert_eq!(problem.message, "`POST /api/2.0/thing` was answered with status 302: a redirect to /login.html");
    assert_eq!(client.stats().requests, 1);
}

fn upload(path: &Path, length: u64, digest: Digest) -> Call {
    let content = PartContent::File { path: path.to_owned(), length, digest };
    let mut call = call(Repeat::LookFirst);
    call.body = Body::Multipart(vec![Part { name: "content", content }]);
    call
}

#[tokio::test]
async fn a_file_is_streamed_with_its_length_in_the_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.bin");
    let data: Vec<u8> = (0..1_000_003_u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(&path, &data).unwrap();
    let received = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = received.clone();
    let (address, _) = server(move |mut connection| {
        let seen = seen.clone();
        async move {
            let head = head(&mut connection).await.unwrap();
            assert!(!head.iter().any(|line| line.to_ascii_lowercase().starts_with("transfer-encoding")));
            let mut body = vec![0; length(&head)];
            connection.read_exact(&mut body).await.unwrap();
            *seen.lock().unwrap() = body;
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        }
    })
    .await;
    send(&client(address), &upload(&path, data.len() as u64, Digest::of(&data))).await.unwrap();
    let body = received.lock().unwrap().clone();
    let start = body.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(body[start..].starts_with(&data));
    assert!(body[start + data.len()..].starts_with(b"\r\n--part-") && body.ends_with(b"--\r\n"));
}

type Change = fn(&std::fs::File);

const LENGTH: u64 = 64 * 1024 * 1024;

/// Sends a file of 64 MiB of zeros, more than sockets buffer, to a server that changes it once it has seen the head.
async fn upload_of_changing_file(change: Change) -> (Failure, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("data.bin");
    std::fs::File::create(&path).unwrap().set_len(LENGTH).unwrap();
    let file = path.clone();
    let (tell, complete) = tokio::sync::mpsc::channel(1);
    let (address, _) = server(move |mut connection| {
        let (file, tell) = (file.clone(), tell.clone());
        async move {
            let head = head(&mut connection).await.unwrap();
            change(&std::fs::File::options().write(true).open(file).unwrap());
            let expected = length(&head);
            let mut taken = 0;
            let mut piece = vec![0; 0x10_0000];
            while taken < expected {
                match connection.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => taken += count,
                }
            }
            tell.send(taken == expected).await.unwrap();
        }
    })
    .await;
    let mut complete = complete;
    let end = send(&client(address), &upload(&path, LENGTH, zeros())).await.unwrap_err();
    (end, complete.recv().await.unwrap())
}

fn zeros() -> Digest {
    let mut hasher = Hasher::new();
    (0..LENGTH / 4096).for_each(|_| hasher.update(&[0; 4096]));
    hasher.finish()
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_named_as_the_cause() {
    use std::os::unix::fs::FileExt;
    let changes: [(Change, &str); 3] = [
        (|file| file.set_len(50_000_000).unwrap(), "it had 67108864 bytes, and now has 50000000"),
        (|file| file.write_all_at(b"more", LENGTH).unwrap(), "it had 67108864 bytes, and now has more"),
        (|file| file.write_all_at(b"else", LENGTH - 4).unwrap(), "it no longer holds what was looked at"),
    ];
    for (change, words) in changes {
        let (end, complete) = upload_of_changing_file(change).await;
        assert!(matches!(&end, Failure::Fatal { cause: Cause::LocalFile(_), .. }), "{end:?}");
        assert!(end.to_string().contains(words), "{end}");
        assert!(!complete, "the server must not take the request for a whole one");
    }
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_is_not_sent() {
    let (address, connections) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.bin");
    let end = send(&client(address), &upload(&path, 3, Digest::of(b"two"))).await.unwrap_err();
    assert!(end.to_string().contains("data.bin` can no longer be read: No such file"), "{end}");
    std::fs::write(&path, "four").unwrap();
    let client = client(address);
    let end = send(&client, &upload(&path, 3, Digest::of(b"two"))).await.unwrap_err();
    assert_eq!(client.stats().requests, 0);
    assert!(matches!(&end, Failure::Fatal { cause: Cause::LocalFile(_), .. }), "{end:?}");
    assert!(end.to_string().contains("it had 3 bytes, and now has 4"), "{end}");
    assert_eq!(Error::from(end).problem().code, Code::Unreadable);
    assert_eq!(connections.load(SeqCst), 0);
}

/// Seen at the end of what was read, before the request is whole.
#[tokio::test]
async fn a_file_of_the_same_length_that_is_not_what_it_was_is_no_whole_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.bin");
    std::fs::write(&path, "new").unwrap();
    let (address, _) = fixed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let end = send(&client(address), &upload(&path, 3, Digest::of(b"old"))).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::LocalFile(_), .. }), "{end:?}");
    assert!(end.to_string().contains("data.bin` changed while it was deployed: it no longer holds"), "{end}");
    send(&client(address), &upload(&path, 3, Digest::of(b"new"))).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_for_good() {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (address, connections) = server(move |connection| {
        let acceptor = acceptor.clone();
        async move {
            assert!(acceptor.accept(connection.into_inner()).await.is_err());
        }
    })
    .await;
    let end = send(&client_of(&format!("https://{address}")), &call(Repeat::Always)).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Tls(_), .. }), "{end:?}");
    assert!(end.to_string().contains("invalid peer certificate: UnknownIssuer"), "{end}");
    assert_eq!(Error::from(end).problem().code, Code::TlsFailed);
    assert_eq!(connections.load(SeqCst), 1);
}

#[tokio::test]
async fn tls_to_a_plain_port_is_told_as_that() {
    let (address, _) = server(|mut connection| async move {
        let mut hello = [0; 5];
        connection.read_exact(&mut hello).await.unwrap();
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        // The rest of the hello is read, else the close would be a reset that destroys the answer.
        let _ = tokio::io::copy(&mut connection, &mut tokio::io::sink()).await;
    })
    .await;
    let end = send(&client_of(&format!("https://{address}")), &call(Repeat::Always)).await.unwrap_err();
    assert!(matches!(&end, Failure::Fatal { cause: Cause::Tls(_), .. }), "{end:?}");
    assert!(end.to_string().contains("the other side does not speak TLS on this port"), "{end}");
    assert!(Error::from(end).problem().hint.unwrap().contains("plain http port"));
}

#[tokio::test]
async fn an_upload_that_is_broken_off_does_not_arrive() {
    // More than the buffers on both sides of a connection hold.
    const LENGTH: usize = 64 * 1024 * 1024;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LENGTH as u64).unwrap();
    for content in [
        PartContent::Bytes(vec![0; LENGTH].into()),
        // Nobody comes to its end, where the digest is looked at.
        PartContent::File { path: file.path().into(), length: LENGTH as u64, digest: Digest::of(b"") },
    ] {
        let fence = Fence::until(tokio::time::Instant::now() + options().answer_timeout);
        let (tell, told) = tokio::sync::oneshot::channel();
        let (tell, falling) = (std::sync::Mutex::new(Some(tell)), fence.clone());
        let (address, _) = server(move |mut connection| {
            let (tell, falling) = (tell.lock().unwrap().take().unwrap(), falling.clone());
            async move {
                head(&mut connection).await.unwrap();
                let mut piece = vec![0; 64 * 1024];
                let mut read = connection.read(&mut piece).await.unwrap();
                falling.fall();
                while let Ok(more @ 1..) = connection.read(&mut piece).await {
                    read += more;
                }
                tell.send(read).unwrap();
            }
        })
        .await;
        let mut call = call(Repeat::Always);
        call.body = Body::Multipart(vec![Part { name: "content", content }]);
        let end = send(&client(address).within(fence), &call).await.unwrap_err();
        // A client without patience goes no further.
        assert!(matches!(&end, Failure::Exhausted { cause: Cause::BrokenOff, uncertain: true, .. }), "{end:?}");
        let read = told.await.unwrap();
        assert!(read < LENGTH / 2, "{read}");
    }
}
