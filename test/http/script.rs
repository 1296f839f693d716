//! A wire in memory that plays a script, and clients over it.

use databricks_deploy::http::{
    Answer, Authorize, Body, Call, Class, Client, NoCredential, Options, Repeat, Signing, Verdict, Wire, WireError,
};
use databricks_deploy::problem::{Code, Problem};
use http_body_util::BodyExt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What the other side does with a request.
pub(super) enum Play {
    /// Answers at once.
    Answer(u16, Vec<(&'static str, String)>, &'static str),
    /// Answers after a while.
    After(Duration, Box<Play>),
    /// Fails.
    Error(WireError),
    /// Says nothing, ever.
    Silence,
}

pub(super) fn status(status: u16) -> Play {
    Play::Answer(status, Vec::new(), "{}")
}

pub(super) fn with(code: u16, name: &'static str, value: &str) -> Play {
    Play::Answer(code, vec![(name, value.to_owned())], "{}")
}

/// A request as it arrived.
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

/// Plays the n-th (from 0) request as the script says.
pub(super) struct Script {
    play: Box<dyn Fn(usize) -> Play + Send + Sync>,
    started: AtomicUsize,
    pub(super) under_way: AtomicUsize,
    pub(super) most_under_way: AtomicUsize,
    pub(super) seen: Mutex<Vec<Seen>>,
}

impl Script {
    pub(super) fn new(play: impl Fn(usize) -> Play + Send + Sync + 'static) -> Arc<Script> {
        Arc::new(Script {
            play: Box::new(play),
            started: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            seen: Mutex::default(),
        })
    }

    /// When the requests arrived, counted from the first.
    pub(super) fn times(&self) -> Vec<Duration> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|request| request.at - seen[0].at).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

/// Leaves the count also when the request is dropped.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Wire for Script {
    fn carry<'a>(
        &'a self,
        mut request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        Box::pin(async move {
            let at = Instant::now();
            let count = self.under_way.fetch_add(1, SeqCst) + 1;
            self.most_under_way.fetch_max(count, SeqCst);
            let _under_way = UnderWay(&self.under_way);
            let body = match request.body_mut().take() {
                Some(body) => body.collect().await?.to_bytes().to_vec(),
                None => Vec::new(),
            };
            let url = request.url();
            let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            let (method, headers) = (request.method().to_string(), request.headers().clone());
            self.seen.lock().unwrap().push(Seen { at, method, target, headers, body });
            let mut play = (self.play)(self.started.fetch_add(1, SeqCst));
            loop {
                match play {
                    Play::Answer(status, headers, body) => {
                        let mut response = ::http::Response::builder().status(status);
                        for (name, value) in headers {
                            response = response.header(name, value);
                        }
                        return Ok(reqwest::Response::from(response.body(body).unwrap()));
                    }
                    Play::After(time, then) => {
                        tokio::time::sleep(time).await;
                        play = *then;
                    }
                    Play::Error(error) => return Err(error),
                    Play::Silence => std::future::pending().await,
                }
            }
        })
    }
}

/// Signs with a number that goes up.
#[derive(Default)]
pub(super) struct Signer {
    pub(super) signed: AtomicUsize,
    pub(super) can_renew: AtomicBool,
    pub(super) broken: AtomicBool,
}

impl Authorize for Signer {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async move {
            if self.broken.load(SeqCst) {
                let problem = Problem::new(Code::InvalidToken, "the token server says no");
                return Err(NoCredential { problem: Box::new(problem), passing: false });
            }
            let number = self.signed.fetch_add(1, SeqCst);
            let value = format!("Bearer token-{number}").parse().unwrap();
            Ok([(reqwest::header::AUTHORIZATION, value)].into_iter().collect())
        })
    }

    fn refused(&self, _: &reqwest::header::HeaderMap) -> bool {
        self.can_renew.load(SeqCst)
    }
}

pub(super) fn options() -> Options {
    crate::support::options("https://workspace.example.com")
}

pub(super) fn client(script: &Arc<Script>) -> Client {
    Client::new(options(), script.clone(), Arc::new(Signer::default()))
}

pub(super) fn call(repeat: Repeat) -> Call {
    Call {
        method: reqwest::Method::POST,
        path: "/api/2.0/thing".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Empty,
        class: Class::Control,
        repeat,
        patience: None,
    }
}

/// 2xx is accepted, 429 and 503 are passing, other 5xx are too but uncertain, 401 asks for a login.
pub(super) fn classify(answer: &Answer) -> Verdict {
    match answer.status {
        200..=299 => Verdict::Accept,
        401 => Verdict::LoginAgain,
        429 | 503 => Verdict::Retry,
        500..=599 => Verdict::RetryUncertain,
        _ => Verdict::Fail,
    }
}

pub(super) const REPEATS: [Repeat; 3] = [Repeat::Always, Repeat::ByToken, Repeat::LookFirst];
