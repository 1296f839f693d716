//! Puts the client together; nothing is sent yet.

use crate::databricks::Workspace;
use crate::http::{self, Network, NetworkOptions, Wire};
use crate::identity::{self, Identity};
use crate::pipeline::Pipeline;
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Puts the client together; nothing is sent yet.
pub(crate) fn connect(
    settings: &Settings,
    pipeline: &Pipeline,
    wire: Option<Arc<dyn Wire>>,
    redactor: &Redactor,
    nonce: u64,
    began: Instant,
) -> Result<(Workspace, Identity), Vec<Problem>> {
    /// How long a connection may take: long enough for a lost packet or two.
    const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// How long the workspace may stay silent: the vendor's own clients wait as long.
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
    /// How long passing troubles of one request are borne: as long as the vendor's own clients bear them.
    const PATIENCE: Duration = Duration::from_secs(300);

    let wire = match wire {
        Some(wire) => wire,
        None => {
            let proxy = settings.proxy.clone();
            let options = NetworkOptions {
                connect_timeout: CONNECT_TIMEOUT,
                authorities: settings.authorities.clone(),
                proxy: proxy.map(|proxy| http::Proxy { url: proxy.url, login: proxy.login, except: proxy.except }),
            };
            Arc::new(Network::new(&options).map_err(|why| vec![Problem::new(Code::Bug, why)])?)
        }
    };
    let options = http::Options {
        base: settings.host.clone(),
        user_agent: pipeline.user_agent(crate::VERSION),
        connect_timeout: CONNECT_TIMEOUT,
        answer_timeout: ANSWER_TIMEOUT,
        patience: PATIENCE,
        deadline: began + settings.timeout,
        seed: nonce,
    };
    if let Some((user, password)) = settings.proxy.as_ref().and_then(|proxy| proxy.login.as_ref()) {
        redactor.learn_pair(user, password);
    }
    let client = http::Client::new(options, wire, Arc::new(http::Unsigned));
    let identity = identity::choose(settings, &client, redactor);
    Ok((Workspace::new(client.sibling(Arc::clone(&identity.authorize))), identity))
}
