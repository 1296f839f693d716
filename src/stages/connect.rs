//! Puts the client together; nothing is sent yet.

use crate::Start;
use crate::databricks::Workspace;
use crate::http::{self, Client, Network, NetworkOptions};
use crate::identity::{self, Identity};
use crate::problem::{Code, Problem};
use crate::settings::{Route, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long passing troubles of one request are borne: as long as the vendor's own clients bear them.
const PATIENCE: Duration = Duration::from_secs(300);

/// Puts together what a run works with.
pub(crate) fn connect(start: &Start<'_>, settings: &Settings) -> Result<(Workspace, Identity), Vec<Problem>> {
    let patience = Patience { bears: PATIENCE, deadline: start.clock.at + settings.timeout };
    let client = client(start, &settings.route, patience)?;
    let identity = identity::choose(&settings.route, &settings.login, &client, start.redactor);
    Ok((Workspace::new(client.sibling(Arc::clone(&identity.authorize))), identity))
}

/// How long answers are waited for.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// How long passing troubles of one request are borne.
    pub(crate) bears: Duration,
    /// When everything ends.
    pub(crate) deadline: Instant,
}

/// The client of a host, without a credential.
pub(crate) fn client(start: &Start<'_>, route: &Route, patience: Patience) -> Result<Client, Vec<Problem>> {
    /// How long a connection may take: long enough for a lost packet or two.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long the workspace may stay silent: the vendor's own clients wait as long.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

    let wire = match start.wire.clone() {
        Some(wire) => wire,
        None => {
            let proxy = route.proxy.clone();
            let options = NetworkOptions {
                connect_timeout: CONNECT_TIMEOUT,
                authorities: route.authorities.clone(),
                proxy: proxy.map(|proxy| http::Proxy { url: proxy.url, login: proxy.login, except: proxy.except }),
            };
            Arc::new(Network::new(&options).map_err(|why| vec![Problem::new(Code::Bug, why)])?)
        }
    };
    let options = http::Options {
        base: route.host.clone(),
        user_agent: start.pipeline.user_agent(crate::VERSION),
        connect_timeout: CONNECT_TIMEOUT,
        answer_timeout: ANSWER_TIMEOUT,
        patience: patience.bears,
        deadline: patience.deadline,
        seed: start.nonce,
    };
    if let Some((user, password)) = route.proxy.as_ref().and_then(|proxy| proxy.login.as_ref()) {
        start.redactor.learn_pair(user, password);
    }
    Ok(Client::new(options, wire, Arc::new(http::Unsigned)))
}
