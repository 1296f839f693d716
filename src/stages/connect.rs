//! Puts the client together; nothing is sent yet.

use crate::databricks::Workspace;
use crate::http::{self, Client, Network, NetworkOptions, Wire};
use crate::identity::{self, Identity};
use crate::pipeline::Pipeline;
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use crate::settings::{Route, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long passing troubles of one request are borne: as long as the vendor's own clients bear them.
const PATIENCE: Duration = Duration::from_secs(300);

/// Puts together what a run works with.
pub(crate) fn connect(
    settings: &Settings,
    pipeline: &Pipeline,
    wire: Option<Arc<dyn Wire>>,
    redactor: &Redactor,
    nonce: u64,
    began: Instant,
) -> Result<(Workspace, Identity), Vec<Problem>> {
    let patient = Patience { bears: PATIENCE, deadline: began + settings.timeout };
    let client = client(&settings.route, pipeline, wire, redactor, nonce, patient)?;
    let identity = identity::choose(&settings.route, &settings.login, &client, redactor);
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
pub(crate) fn client(
    route: &Route,
    pipeline: &Pipeline,
    wire: Option<Arc<dyn Wire>>,
    redactor: &Redactor,
    nonce: u64,
    patience: Patience,
) -> Result<Client, Vec<Problem>> {
    /// How long a connection may take: long enough for a lost packet or two.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long the workspace may stay silent: the vendor's own clients wait as long.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

    let wire = match wire {
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
        user_agent: pipeline.user_agent(crate::VERSION),
        connect_timeout: CONNECT_TIMEOUT,
        answer_timeout: ANSWER_TIMEOUT,
        patience: patience.bears,
        deadline: patience.deadline,
        seed: nonce,
    };
    if let Some((user, password)) = route.proxy.as_ref().and_then(|proxy| proxy.login.as_ref()) {
        redactor.learn_pair(user, password);
    }
    Ok(Client::new(options, wire, Arc::new(http::Unsigned)))
}
