//! The sandbox behind a socket.

use crate::sandbox::Sandbox;
use crate::tls::Tls;
use axum::body::Body;
use http::Request;
use http::uri::Scheme;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

impl Sandbox {
    /// Serves over HTTP/1.1 with keep-alive until the future is dropped, which also closes every connection.
    pub fn serve(&self, listener: TcpListener) -> impl Future<Output = ()> + Send + 'static {
        self.clone().accept(listener, None)
    }

    /// The same over TLS.
    pub fn serve_tls(&self, listener: TcpListener, tls: &Tls) -> impl Future<Output = ()> + Send + 'static {
        self.clone().accept(listener, Some(tls.clone()))
    }

    async fn accept(self, listener: TcpListener, tls: Option<Tls>) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else {
                        // A peer that is gone again concerns nobody; a lack of file handles passes, but not at once.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        continue;
                    };
                    // Answers are small; waiting to fill a packet would only add latency.
                    let _ = stream.set_nodelay(true);
                    let sandbox = self.clone();
                    let open = sandbox.connected();
                    match tls.clone() {
                        None => {
                            connections.spawn(async move {
                                let _open = open;
                                sandbox.converse(stream, Scheme::HTTP).await;
                            });
                        }
                        Some(tls) => {
                            connections.spawn(async move {
                                let _open = open;
                                // Who does not trust the certificate hangs up in the handshake.
                                if let Ok(stream) = tls.acceptor().accept(stream).await {
                                    sandbox.converse(stream, Scheme::HTTPS).await;
                                }
                            });
                        }
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// One connection, over any stream. The scheme travels with each request, for the links in the answers.
    async fn converse(self, stream: impl AsyncRead + AsyncWrite + Unpin, scheme: Scheme) {
        let service = service_fn(|mut request: Request<Incoming>| {
            let sandbox = self.clone();
            request.extensions_mut().insert(scheme.clone());
            async move { sandbox.answer(request.map(Body::new)).await }
        });
        // hyper closes the connection without a byte when the service fails: that is what `Dropped` asks for.
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

/// A sandbox served on a thread of its own, on a free port of 127.0.0.1. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    sandbox: Sandbox,
    tls: Option<Tls>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it; it is reachable when this returns.
    ///
    /// # Errors
    ///
    /// If no port can be opened, or no thread started.
    pub fn start(sandbox: Sandbox) -> io::Result<Running> {
        Running::start_with(sandbox, None)
    }

    /// Starts it with TLS, under a certificate for `localhost` and 127.0.0.1 that an authority of its own has issued.
    ///
    /// # Errors
    ///
    /// As for [`Running::start`].
    pub fn start_tls(sandbox: Sandbox) -> io::Result<Running> {
        Running::start_with(sandbox, Some(Tls::new(&[])?))
    }

    /// Starts it with TLS of the caller's making, such as a certificate for other names.
    ///
    /// # Errors
    ///
    /// As for [`Running::start`].
    pub fn start_tls_with(sandbox: Sandbox, tls: Tls) -> io::Result<Running> {
        Running::start_with(sandbox, Some(tls))
    }

    fn start_with(sandbox: Sandbox, tls: Option<Tls>) -> io::Result<Running> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (served, secured) = (sandbox.clone(), tls.clone());
        let thread = std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = served.accept(listener, secured) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Running { address, sandbox, tls, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`, or with TLS `https://localhost:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        match self.tls {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The certificate of the authority that vouches for it, in PEM form; empty without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.tls.as_ref().map_or("", Tls::ca_pem)
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sandbox behind it.
    #[must_use]
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
