//! The client: signs, sends, waits its turn, and repeats what may be repeated.

use super::attempt::{self, LONGEST_ANSWER};
use super::body;
use super::call::{Answer, Call, Cause, Failure, Repeat, Verdict};
use super::clock::Clock;
use super::course::Course;
use super::fence::Fence;
use super::limits::{Lane, Limits, Turn};
use super::patience;
use super::wire::{ProxyTrouble, Wire};
use crate::problem::Problem;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// The future of [`Authorize::sign`].
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<reqwest::header::HeaderMap, NoCredential>> + Send + 'a>>;

/// Why a request cannot be signed.
#[derive(Clone, Debug)]
pub struct NoCredential {
    /// What is wrong, for the log.
    pub problem: Box<Problem>,
    /// Whether it is a passing trouble, so that signing may succeed later.
    pub passing: bool,
}

/// Signs requests. Called for each attempt, while it holds its place in the limiter: signing must not send calls through
/// the client that it signs for. It may send them through a [sibling](Client::sibling), which has limits of its own.
pub trait Authorize: Send + Sync {
    /// The header fields that a request must carry, marked sensitive. An error is the whole reason why there are none.
    fn sign(&self) -> Signing<'_>;

    /// The server refused `given`, which [`Authorize::sign`] gave for the request. Whether signing anew could help: a
    /// fixed token says no.
    fn refused(&self, given: &reqwest::header::HeaderMap) -> bool;
}

/// Signs nothing.
pub struct Unsigned;

impl Authorize for Unsigned {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async { Ok(reqwest::header::HeaderMap::new()) })
    }

    fn refused(&self, _: &reqwest::header::HeaderMap) -> bool {
        false
    }
}

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scheme and authority.
    pub base: url::Url,
    /// The User-Agent.
    pub user_agent: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the server may stay silent, before the answer's head and between the pieces of its body; an upload's
    /// time comes on top, one second for each 100 kB.
    pub answer_timeout: Duration,
    /// How long transient failures of one call are borne.
    pub patience: Duration,
    /// When everything ends.
    pub deadline: Instant,
    /// Seeds the jitter.
    pub seed: u64,
}

/// What a client has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent, repetitions included.
    pub requests: u64,
    /// Requests that were repetitions.
    pub repetitions: u64,
    /// Answers 429.
    pub throttled: u64,
}

/// Sends calls to one host. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    deadline: Instant,
    /// In bytes.
    longest_answer: usize,
    fence: Option<Fence>,
}

struct Shared {
    host: Arc<Host>,
    authorize: Arc<dyn Authorize>,
    limits: Limits,
    /// Whether an answer was ever accepted: then it is the right server that is asked.
    proven: AtomicBool,
}

/// What clients of one host share, whatever they sign with.
struct Host {
    options: Options,
    wire: Arc<dyn Wire>,
    random: Mutex<fastrand::Rng>,
    /// Whether the host ever answered: then its name is right, and trouble with it is a passing one.
    host_known: AtomicBool,
    /// What time it is at the host, by the answers that were accepted: any other may be somebody else's.
    clock: Clock,
    counters: Arc<Counters>,
}

/// What was sent, to whatever host.
#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    repetitions: AtomicU64,
    throttled: AtomicU64,
}

impl Client {
    /// A client that sends over `wire` and signs with `authorize`.
    pub fn new(options: Options, wire: Arc<dyn Wire>, authorize: Arc<dyn Authorize>) -> Client {
        let deadline = options.deadline;
        Client::of(Arc::new(Host::new(options, wire, Arc::default())), authorize, deadline)
    }

    fn of(host: Arc<Host>, authorize: Arc<dyn Authorize>, deadline: Instant) -> Client {
        Client {
            shared: Arc::new(Shared { host, authorize, limits: Limits::new(), proven: AtomicBool::new(false) }),
            deadline,
            longest_answer: LONGEST_ANSWER,
            fence: None,
        }
    }

    /// A client to the same host that signs with something else. It has limits of its own, and what the host has shown to
    /// this one proves nothing to it; what it sends is counted together with this one's.
    #[must_use]
    pub fn sibling(&self, authorize: Arc<dyn Authorize>) -> Client {
        Client::of(Arc::clone(&self.shared.host), authorize, self.deadline)
    }

    /// A client to another host that signs with something else. What it sends is counted together with this one's.
    #[must_use]
    pub fn elsewhere(&self, base: url::Url, authorize: Arc<dyn Authorize>) -> Client {
        let here = &self.shared.host;
        let options = Options { base, ..here.options.clone() };
        let host = Host::new(options, Arc::clone(&here.wire), Arc::clone(&here.counters));
        Client::of(Arc::new(host), authorize, self.deadline)
    }

    /// Scheme and authority of the host.
    pub fn base(&self) -> &url::Url {
        &self.shared.host.options.base
    }

    /// The same client with another deadline: what must still be done after the first one has passed.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Client {
        Client { deadline, ..self.clone() }
    }

    /// The same client, which takes no answer into memory that is longer than this many bytes: [`Cause::TooLong`].
    #[must_use]
    pub fn reading_at_most(&self, longest_answer: usize) -> Client {
        Client { longest_answer: longest_answer.min(LONGEST_ANSWER), ..self.clone() }
    }

    /// The same client, which sends nothing that changes something while `fence` is closed, and waits for it with a
    /// call's patience: [`Cause::Fenced`]. What is under way when the fence closes is broken off, which is an uncertain
    /// end: [`Cause::BrokenOff`].
    #[must_use]
    pub fn within(&self, fence: Fence) -> Client {
        Client { fence: Some(fence), ..self.clone() }
    }

    /// What time it is at the host, to the second, as far as an accepted answer ever told: never more than it is, and by
    /// about a second less, since the field of an answer leaves out the rest of its second.
    pub fn server_time(&self) -> Option<SystemTime> {
        self.shared.host.clock.now()
    }

    /// The same, never less than it is: more by as much as the answers that tell it were on their way.
    pub fn server_time_at_most(&self) -> Option<SystemTime> {
        self.shared.host.clock.now_at_most()
    }

    /// How long passing troubles of one call are borne.
    pub fn patience(&self) -> Duration {
        self.shared.host.options.patience
    }

    /// What was sent so far, by all clones.
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.host.counters;
        Stats {
            requests: counters.requests.load(Relaxed),
            repetitions: counters.repetitions.load(Relaxed),
            throttled: counters.throttled.load(Relaxed),
        }
    }

    /// Sends `call`, repeats it as it may be repeated, and returns the first answer that `classify` accepts.
    ///
    /// What certainly had no effect is repeated whatever [`Call::repeat`] says: no connection, [`Verdict::Retry`], one
    /// [`Verdict::LoginAgain`]. After an uncertain end (a broken connection, no answer in time,
    /// [`Verdict::RetryUncertain`], a later [`Verdict::Foreign`], the deadline) [`Repeat`] decides.
    pub async fn send(&self, call: &Call, classify: impl Fn(&Answer) -> Verdict) -> Result<Answer, Failure> {
        let host = &self.shared.host;
        let lane = self.shared.limits.lane(call.class);
        let memory = body::memory(&call.body);
        // Looking is always allowed (RFC 9110, 9.2.1).
        let fence = self.fence.as_ref().filter(|_| !call.method.is_safe());
        let mut course = Course::new(call, host.options.patience);
        loop {
            let patience = course.patience.saturating_sub(course.borne());
            let time = self.deadline.saturating_duration_since(Instant::now());
            if let Some(fence) = fence {
                // Before it stands in the lane: whoever sees to the fence may need a place there.
                let until = self.deadline.min(Instant::now() + patience);
                match timeout_at(until, fence.open()).await {
                    Ok(true) => {}
                    Ok(false) => return Err(course.fatal(Cause::Fenced)),
                    Err(_) if time <= patience => return Err(course.out_of_time()),
                    Err(_) => {
                        let cause = course.last.take().unwrap_or(Cause::Fenced);
                        return Err(course.exhausted(cause, false));
                    }
                }
            }
            let turn = lane.turn(memory, patience.min(time));
            let turn = match timeout_at(self.deadline, turn).await {
                Ok(Err(pause)) => {
                    // What it was told itself says more than what others were told.
                    let cause = course.last.take().unwrap_or(Cause::Throttled(pause));
                    return Err(course.exhausted(cause, time <= patience));
                }
                Ok(Ok(turn)) if Instant::now() < self.deadline => turn,
                _ => return Err(course.out_of_time()),
            };
            course.waited(&turn);
            let credentials = match timeout_at(self.deadline, self.shared.authorize.sign()).await {
                Err(_) => return Err(course.out_of_time()),
                Ok(Err(reason)) => return Err(course.fatal(Cause::Login(reason))),
                Ok(Ok(credentials)) => credentials,
            };

            if fence.is_some_and(|fence| !fence.is_open()) {
                continue;
            }
            let sent = Instant::now();
            let (cause, had_effect) = match self.attempt(call, credentials.clone(), fence, &mut course).await {
                Err(cause) => {
                    let certain = matches!(cause, Cause::Name(_) | Cause::Connect(_) | Cause::Proxy(..));
                    (cause, if certain { Effect::None } else { Effect::Unknown })
                }
                Ok(answer) => {
                    let verdict = classify(&answer);
                    self.note(&lane, &turn, &answer, &mut course);
                    match verdict {
                        Verdict::Accept => {
                            self.shared.proven.store(true, Relaxed);
                            if let Some(date) = answer.date() {
                                host.clock.learn(date, sent);
                            }
                            return Ok(answer);
                        }
                        Verdict::Foreign if !self.shared.proven.load(Relaxed) => return Err(Failure::Refused(answer)),
                        Verdict::Fail => return Err(Failure::Refused(answer)),
                        Verdict::LoginAgain => {
                            if course.signed_anew || !self.shared.authorize.refused(&credentials) {
                                return Err(Failure::Refused(answer));
                            }
                            course.signed_anew = true;
                            course.last = Some(Cause::Answer(answer));
                            continue;
                        }
                        Verdict::Retry => (Cause::Answer(answer), Effect::None),
                        Verdict::RetryUncertain | Verdict::Foreign => (Cause::Answer(answer), Effect::Unknown),
                    }
                }
            };
            // The place in the window is for those who send; who waits gives it back.
            drop(turn);

            if matches!(cause, Cause::Tls(_) | Cause::LocalFile(_) | Cause::Invalid(_)) {
                return Err(course.fatal(cause));
            }
            if had_effect == Effect::Unknown && call.repeat == Repeat::LookFirst {
                return Err(Failure::Uncertain { request: course.request, cause });
            }
            if matches!(cause, Cause::TooLong(_)) {
                return Err(course.fatal(cause));
            }
            course.uncertain |= had_effect == Effect::Unknown;
            self.pause(cause, &mut course).await?;
        }
    }

    /// Sends the call once, as long as there is time and `fence` is open, and logs it.
    async fn attempt(
        &self,
        call: &Call,
        credentials: reqwest::header::HeaderMap,
        fence: Option<&Fence>,
        course: &mut Course,
    ) -> Result<Answer, Cause> {
        let host = &*self.shared.host;
        let boundary = host.random().u128(..);
        course.attempts += 1;
        let started = Instant::now();
        course.first.get_or_insert(started);
        let told = (Arc::clone(&course.request), course.attempts);
        let sending = async {
            let prepared = attempt::prepare(&host.options, call, credentials, boundary).await?;
            host.counters.requests.fetch_add(1, Relaxed);
            host.counters.repetitions.fetch_add(u64::from(told.1 > 1), Relaxed);
            attempt::send(&*host.wire, &host.options, prepared, told, self.longest_answer).await
        };
        let closed = async {
            match fence {
                Some(fence) => fence.closed().await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            // Looked at first: a process that was stopped for a while and wakes up goes no further with what it was sending.
            biased;
            () = closed => {
                course.broken_off(started.elapsed());
                Err(Cause::BrokenOff)
            }
            end = timeout_at(self.deadline, sending) => match end {
                Ok(end) => end,
                Err(_) => Err(Cause::Timeout(started.elapsed())),
            },
        };
        let milliseconds = started.elapsed().as_millis() as u64;
        match &end {
            Ok(answer) => {
                host.host_known.store(true, Relaxed);
                let request_id = answer.request_id();
                let (status, bytes) = (answer.status, answer.body.len());
                tracing::debug!(
                    attempt = course.attempts,
                    status,
                    milliseconds,
                    bytes,
                    request_id,
                    "{}",
                    course.request
                );
            }
            Err(cause) => {
                tracing::debug!(attempt = course.attempts, milliseconds, failure = %cause, "{}", course.request);
            }
        }
        end
    }

    /// Tells the lane what came of the request.
    fn note(&self, lane: &Lane, turn: &Turn, answer: &Answer, course: &mut Course) {
        course.gate = None;
        if answer.status == 429 {
            self.shared.host.counters.throttled.fetch_add(1, Relaxed);
            course.gate = lane.throttled(turn, answer.retry_after(), &mut self.shared.host.random());
        } else if answer.status < 500 {
            lane.passed(turn);
        }
    }

    /// Waits before the next attempt, or says why there is none.
    async fn pause(&self, cause: Cause, course: &mut Course) -> Result<(), Failure> {
        let host = &*self.shared.host;
        let host_known = host.host_known.load(Relaxed);
        let limit = match cause {
            Cause::Name(_) => patience::with_name(course.patience, host_known),
            Cause::Connect(_) => patience::with_connection(course.patience, host_known),
            Cause::Proxy(_, ref trouble) => match trouble {
                ProxyTrouble::Name(_) => patience::with_name(course.patience, host_known),
                ProxyTrouble::Connect(_) => patience::with_connection(course.patience, host_known),
                // It was heard: what it said counts, unless it has let us pass before.
                _ if host_known => course.patience,
                _ => Duration::ZERO,
            },
            _ => course.patience,
        };
        course.failures += 1;
        let asked = match &cause {
            Cause::Answer(answer) => answer.retry_after(),
            _ => None,
        };
        // Where a 429 closed the gate, the wait is the gate's, which all of the class share; here it only counts against
        // the patience.
        let gate = course.gate.take();
        let wait = gate.unwrap_or_else(|| patience::wait(course.failures, asked, &mut host.random()));
        let time = self.deadline.saturating_duration_since(Instant::now());
        if !time.is_zero() && course.borne().saturating_add(wait) > limit {
            let unknown = matches!(cause, Cause::Name(_) | Cause::Proxy(..)) && !host_known;
            return Err(if unknown { course.fatal(cause) } else { course.exhausted(cause, false) });
        }
        if time <= wait {
            return Err(course.exhausted(cause, true));
        }
        course.last = Some(cause);
        let milliseconds = wait.as_millis() as u64;
        tracing::debug!(attempt = course.attempts, milliseconds, "waiting: {}", course.request);
        if gate.is_none() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

impl Host {
    fn new(options: Options, wire: Arc<dyn Wire>, counters: Arc<Counters>) -> Host {
        let random = Mutex::new(fastrand::Rng::with_seed(options.seed));
        Host { options, wire, random, host_known: AtomicBool::new(false), clock: Clock::default(), counters }
    }

    fn random(&self) -> MutexGuard<'_, fastrand::Rng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request that failed may have changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    None,
    Unknown,
}
