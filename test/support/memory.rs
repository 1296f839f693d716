//! The sandbox behind the client without a socket: paused time and real sockets do not go together, since tokio moves
//! the clock whenever it has to wait for the network.

use axum::body::{Body, Bytes, HttpBody};
use databricks_deploy::http::{Wire, WireError};
use databricks_sandbox::Sandbox;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

/// Carries requests to a sandbox in the same process.
pub(crate) struct InMemory {
    sandbox: Sandbox,
    through: bool,
}

impl InMemory {
    /// A wire to this sandbox.
    pub(crate) fn new(sandbox: Sandbox) -> InMemory {
        InMemory { sandbox, through: false }
    }

    /// The same, where what was sent is seen through although its sender has gone.
    pub(crate) fn seeing_through(sandbox: Sandbox) -> InMemory {
        InMemory { sandbox, through: true }
    }
}

impl Wire for InMemory {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        Box::pin(async move {
            let broken = |error: &dyn std::fmt::Display| WireError::Broken(error.to_string());
            let request: http::Request<reqwest::Body> =
                request.try_into().map_err(|error: reqwest::Error| broken(&error))?;
            let (mut parts, body) = request.into_parts();
            // A server sees path and query; the host is in its field.
            let host = parts.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
            parts.headers.insert("host", host.parse().map_err(|error| broken(&error as &dyn std::fmt::Display))?);
            parts.uri = parts
                .uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .parse()
                .map_err(|error: http::uri::InvalidUri| broken(&error))?;
            let failed = Arc::new(Mutex::new(None));
            let body = Sent { body, failed: Arc::clone(&failed) };
            let request = http::Request::from_parts(parts, axum::body::Body::new(body));
            let sandbox = self.sandbox.clone();
            let answer = async move { sandbox.answer(request).await };
            let answer =
                if self.through { tokio::spawn(answer).await.expect("the sandbox answers") } else { answer.await };
            let answer = answer.map_err(|_| {
                // A request whose body breaks off is its sender's trouble, whatever the server makes of it.
                let failed = failed.lock().expect("nobody panicked").take();
                failed.map_or_else(|| WireError::Broken("connection closed".into()), WireError::from)
            })?;
            Ok(answer.map(|body| reqwest::Body::wrap(Shared(Mutex::new(body)))).into())
        })
    }
}

/// A body on its way to the sandbox, and why it broke off.
struct Sent {
    body: reqwest::Body,
    failed: Arc<Mutex<Option<reqwest::Error>>>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = WireError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, WireError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                let text = error.to_string();
                *self.failed.lock().expect("nobody panicked") = Some(error);
                WireError::Broken(text)
            })
        }))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// The sandbox's body as one that several threads may hold, as reqwest wants it. The lock is never fought for.
struct Shared(Mutex<Body>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(self.0.get_mut().expect("nobody panicked")).poll_frame(context)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().expect("nobody panicked").size_hint()
    }
}
