//! The walk of one request: record, faults, credential, rate limit, route, answer.

use crate::bodies::Pieces;
use crate::doors;
use crate::errors::ApiError;
use crate::faults::{Moment, Strike, Trouble};
use crate::gate;
use crate::ids;
use crate::limits;
use crate::oauth::Knock;
use crate::record::Authenticated;
use crate::reply::Reply;
use crate::request::{Ask, Payload, origin, record_head, text_header};
use crate::routes;
use crate::sandbox::Sandbox;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use std::fmt;
use std::time::Duration;

/// The connection broke, and there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection broke before an answer came")
    }
}

impl std::error::Error for Dropped {}

impl Sandbox {
    /// Answers one request in memory. The address may be absolute or a path; without authority, the `Host` header
    /// counts. All waiting is in tokio time. Dropping the future before it ends is the client's hanging up.
    ///
    /// # Errors
    ///
    /// [`Dropped`] if a fault breaks the connection, or the request's own body breaks off.
    pub fn answer(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Dropped>> + Send + 'static {
        self.clone().walk(request)
    }

    async fn walk(self, request: Request<Body>) -> Result<Response<Body>, Dropped> {
        let (head, body) = request.into_parts();
        let (number, strike) = self.arrive(&head);
        let payload = Payload::read(&head, body).await.ok_or(Dropped)?;
        payload.record(&mut self.state().requests[number]);

        pause(strike.delay_before).await;
        let request_id = ids::request_id(number as u64 + 1);
        let reply = match &strike.trouble {
            Some(Trouble::Drop(Moment::Before)) => return Err(Dropped),
            Some(Trouble::Answer(Moment::Before, canned)) => Reply::canned(canned.clone()),
            _ => self.handle(number, &request_id, &head, payload),
        };
        pause(strike.delay_after).await;
        let reply = match &strike.trouble {
            Some(Trouble::Drop(Moment::After)) => return Err(Dropped),
            Some(Trouble::Answer(Moment::After, canned)) => Reply::canned(canned.clone()),
            _ => reply,
        };
        let date = {
            let mut state = self.state();
            state.requests[number].status = Some(reply.status);
            state.host.tells_date.then(|| state.clock.http_date())
        };
        Ok(respond(reply, strike.trouble, date.as_deref(), &request_id))
    }

    /// Records the head, and counts the request with the faults: both at its arrival, so that "the k-th request" means
    /// the same in the record and in a fault.
    fn arrive(&self, head: &Parts) -> (usize, Strike) {
        let mut state = self.state();
        let mut record = record_head(head, state.clock.millis());
        let strike = state.faults.strike(&head.method, head.uri.path());
        record.fault = strike.is_any();
        state.requests.push(record);
        (state.requests.len() - 1, strike)
    }

    fn handle(&self, number: usize, request_id: &str, head: &Parts, payload: Payload) -> Reply {
        let mut state = self.state();
        let state = &mut *state;
        let record = &mut state.requests[number];
        let line = record.line();
        let host = record.host.clone().unwrap_or_default();
        let origin = origin(head, &host);
        let authorization = text_header(&head.headers, "authorization");
        let path = head.uri.path();
        let knock = Knock { origin, line, authorization, payload, request_id };
        if let Some((reply, entrant)) = doors::open(state, &host, (&head.method, path), &knock) {
            let record = &mut state.requests[number];
            let (principal, way) = entrant.unzip();
            record.way = way;
            record.issued_to.clone_from(&principal);
            record.authorization = knock.authorization.as_deref().map(|value| authenticated(value, principal));
            return reply;
        }
        let Knock { origin, line, authorization, payload, .. } = knock;
        let route = routes::find(&head.method, path);
        if route.is_none() {
            state.unknown_routes.push(line.clone());
        }

        let caller = gate::identify(state, authorization.as_deref(), request_id);
        let record = &mut state.requests[number];
        record.way = caller.as_ref().ok().map(|caller| caller.way);
        record.authorization = authorization
            .map(|value| authenticated(&value, caller.as_ref().ok().map(|caller| caller.principal.name.clone())));
        let query = record.query.clone();
        if let Some(reply) = gate::elsewhere(state, &head.headers, &line, request_id) {
            return reply;
        }

        let result = caller.and_then(|caller| {
            gate::admit(state, &head.headers, &caller)?;
            let now = state.clock.now();
            limits::admit(&mut state.buckets, &head.method, path, now)
                .map_err(|throttled| ApiError::throttled(throttled.retry_after))?;
            let route = route.ok_or_else(|| ApiError::unknown_endpoint(&line))?;
            let path = path.to_owned();
            let ask = Ask { path, query, origin, payload, caller_id: caller.id, caller: caller.principal };
            let answered = route(state, &ask);
            if let Err(refusal) = &answered
                && refusal.status == StatusCode::NOT_IMPLEMENTED.as_u16()
            {
                state.unknown_routes.push(line);
            }
            answered
        });
        result.unwrap_or_else(|error| Reply::error(&error, request_id))
    }
}

/// What is recorded of an `Authorization` header.
fn authenticated(authorization: &str, principal: Option<String>) -> Authenticated {
    Authenticated { scheme: authorization.split(' ').next().unwrap_or_default().to_owned(), principal }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Puts the answer on the wire, with the misbehaviour that a fault orders.
fn respond(reply: Reply, trouble: Option<Trouble>, date: Option<&str>, request_id: &str) -> Response<Body> {
    let Reply { status, headers, body } = reply;
    let length = body.len();
    let body = match trouble {
        Some(Trouble::Truncate(keep)) => Body::new(Pieces::truncated(&body, keep)),
        Some(Trouble::Slow { piece, pause }) => Body::new(Pieces::slow(body, piece, pause)),
        _ => Body::from(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    for (name, value) in [("date", date), ("x-request-id", Some(request_id))] {
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            fields.insert(name, value);
        }
    }
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            fields.insert(name, value);
        }
    }
    response
}
