//! Troubles that a test orders: which request they hit, and what happens to it.

use bytes::Bytes;
use http::Method;
use std::time::Duration;

/// Which requests something applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct On {
    /// The method; `None` means any.
    pub method: Option<Method>,
    /// What the path starts with, by whole segments: `/api/2.2/jobs/runs/get` does not cover `…/runs/get-output`, and
    /// `/api/2.0/workspace` covers all below it. Empty means any.
    pub path: String,
}

impl On {
    /// Every request, so that a fault's `skip` counts requests of any kind.
    #[must_use]
    pub fn any() -> On {
        On::default()
    }

    /// Requests of any method at `path` and below.
    #[must_use]
    pub fn path(path: &str) -> On {
        On { method: None, path: path.to_owned() }
    }

    /// GET requests at `path` and below.
    #[must_use]
    pub fn get(path: &str) -> On {
        On { method: Some(Method::GET), path: path.to_owned() }
    }

    /// POST requests at `path` and below.
    #[must_use]
    pub fn post(path: &str) -> On {
        On { method: Some(Method::POST), path: path.to_owned() }
    }

    pub(crate) fn covers(&self, method: &Method, path: &str) -> bool {
        let rest = path.strip_prefix(self.path.trim_end_matches('/'));
        let path_fits = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        path_fits && self.method.as_ref().is_none_or(|wanted| wanted == method)
    }
}

/// Whether the request had its effect when the trouble struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was done.
    Before,
    /// Everything was done, only the answer is lost or replaced.
    After,
}

/// An answer given instead of the workspace's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canned {
    /// The HTTP status.
    pub status: u16,
    /// Header fields; `content-type` is `application/json` unless one is given here.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Canned {
    /// An error body of the platform's usual form.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Canned {
        let body = serde_json::json!({ "error_code": code, "message": message });
        Canned { status, headers: Vec::new(), body: Bytes::from(body.to_string()) }
    }

    /// A page, as a gateway or a log-in form sends it.
    #[must_use]
    pub fn html(status: u16, page: &str) -> Canned {
        Canned {
            status,
            headers: vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())],
            body: Bytes::copy_from_slice(page.as_bytes()),
        }
    }

    /// A redirect without body.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Canned {
        Canned { status, headers: vec![("location".to_owned(), location.to_owned())], body: Bytes::new() }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Canned {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Canned {
        self.with_header("retry-after", &seconds.to_string())
    }
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This answer comes instead.
    Answer(Moment, Canned),
    /// The connection closes without a byte of answer.
    Drop(Moment),
    /// The request is held up this long (tokio time), before or after its effect, and then answered as ever. Adds up
    /// with whatever else hits the request.
    Delay(Moment, Duration),
    /// The answer's head is true, its body ends after so many bytes, and the connection closes.
    Truncate(usize),
    /// The answer's body is cut to so many bytes, and its head says that this is all: as somebody between hands it on
    /// who has lost the rest.
    Cut(usize),
    /// The answer's body comes in pieces of so many bytes, with a pause (tokio time) before each.
    Slow {
        /// How many bytes a piece has; at least 1.
        piece: usize,
        /// How long the pause is.
        pause: Duration,
    },
}

/// A trouble, and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which requests are counted and hit.
    pub on: On,
    /// How many of them pass first.
    pub skip: u64,
    /// How many are hit after that; `None` means all.
    pub times: Option<u64>,
    /// What happens to them.
    pub trouble: Trouble,
}

impl Fault {
    /// Hits every matching request.
    #[must_use]
    pub fn always(on: On, trouble: Trouble) -> Fault {
        Fault { on, skip: 0, times: None, trouble }
    }

    /// Hits the first matching request.
    #[must_use]
    pub fn once(on: On, trouble: Trouble) -> Fault {
        Fault::times(on, 1, trouble)
    }

    /// Hits the first `times` matching requests.
    #[must_use]
    pub fn times(on: On, times: u64, trouble: Trouble) -> Fault {
        Fault { on, skip: 0, times: Some(times), trouble }
    }

    /// Hits the `n`-th matching request, counted from 1.
    #[must_use]
    pub fn nth(on: On, n: u64, trouble: Trouble) -> Fault {
        Fault { on, skip: n.saturating_sub(1), times: Some(1), trouble }
    }
}

/// The faults that are armed, and how far each has counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<(Fault, u64)>,
}

/// What hits one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strike {
    pub(crate) delay_before: Duration,
    pub(crate) delay_after: Duration,
    pub(crate) trouble: Option<Trouble>,
}

impl Strike {
    pub(crate) fn is_any(&self) -> bool {
        self.trouble.is_some() || !self.delay_before.is_zero() || !self.delay_after.is_zero()
    }
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: Fault) {
        self.armed.push((fault, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// Counts the request with every fault that covers it. Of the troubles that exclude each other, the one ordered
    /// first strikes.
    pub(crate) fn strike(&mut self, method: &Method, path: &str) -> Strike {
        let mut strike = Strike::default();
        for (fault, seen) in &mut self.armed {
            if !fault.on.covers(method, path) {
                continue;
            }
            *seen += 1;
            let hit = *seen > fault.skip && fault.times.is_none_or(|times| *seen - fault.skip <= times);
            if !hit {
                continue;
            }
            match &fault.trouble {
                Trouble::Delay(Moment::Before, pause) => strike.delay_before += *pause,
                Trouble::Delay(Moment::After, pause) => strike.delay_after += *pause,
                other => {
                    strike.trouble.get_or_insert_with(|| other.clone());
                }
            }
        }
        strike
    }
}
