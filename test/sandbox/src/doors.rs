//! The paths that are open to everybody: those of Bitbucket and of Entra ID under their own hosts, those of Databricks
//! under any other.

use crate::entra::{self, EntraCloud};
use crate::errors::ApiError;
use crate::issuer;
use crate::limits;
use crate::oauth::{self, Entrant, Knock};
use crate::reply::Reply;
use crate::state::State;
use http::Method;

/// Answers a request for such a path, and says who was let in; `None` if it is for none. Of the foreign hosts nothing
/// else is known. `host` may have a port.
pub(crate) fn open(
    state: &mut State,
    host: &str,
    (method, path): (&Method, &str),
    knock: &Knock<'_>,
) -> Option<(Reply, Option<Entrant>)> {
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (bitbucket, cloud) = (host == issuer::HOST, EntraCloud::at(host));
    let door = oauth::door(&state.host, method, path);
    if !bitbucket && cloud.is_none() && door.is_none() {
        return None;
    }
    let now = state.clock.now();
    if let Err(throttled) = limits::admit(&mut state.buckets, method, path, now) {
        return Some((Reply::error(&ApiError::throttled(throttled.retry_after), knock.request_id), None));
    }
    let answered = match (cloud, door) {
        _ if bitbucket => issuer::answer(state, method, path).map(|reply| (reply, None)),
        (Some(cloud), _) => entra::answer(state, cloud, (method, path), knock),
        (None, Some(door)) => Some(door(state, knock)),
        (None, None) => None,
    };
    Some(answered.unwrap_or_else(|| {
        state.unknown_routes.push(knock.line.clone());
        (Reply::error(&ApiError::unknown_endpoint(&knock.line), knock.request_id), None)
    }))
}
