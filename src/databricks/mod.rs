//! The endpoints of a Databricks workspace, with private wire structs, returning domain types. Knows nothing of
//! Bitbucket, of settings, or of a plan.

pub mod compute;
pub mod error;
pub mod identity;
pub mod jobs;
pub mod objects;
pub mod permissions;
pub mod runs;
pub mod status;

use crate::http::{Answer, Body, Call, Class, Client, Fence, Method, Repeat, Verdict};
use error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};

/// A workspace that answers. Cheap to clone.
#[derive(Clone)]
pub struct Workspace {
    client: Client,
    /// Which way listings and exports go.
    looks: Class,
}

impl Workspace {
    /// The workspace behind `client`.
    pub fn new(client: Client) -> Workspace {
        Workspace { client, looks: Class::Look }
    }

    /// The same workspace, asked until another deadline.
    #[must_use]
    pub fn until(&self, deadline: tokio::time::Instant) -> Workspace {
        Workspace { client: self.client.until(deadline), ..*self }
    }

    /// The same workspace, which is sent no change while `fence` is closed.
    #[must_use]
    pub fn within(&self, fence: Fence) -> Workspace {
        Workspace { client: self.client.within(fence), ..*self }
    }

    /// The same workspace, whose listings and exports go the way that must get through: they are few, and do not wait for
    /// those that come in numbers.
    #[must_use]
    pub fn urgent(&self) -> Workspace {
        Workspace { client: self.client.clone(), looks: Class::Control }
    }

    /// What time it is at the workspace; see [`Client::server_time`].
    pub fn time(&self) -> Option<SystemTime> {
        self.client.server_time()
    }

    /// The same, never less than it is; see [`Client::server_time_at_most`].
    pub fn time_at_most(&self) -> Option<SystemTime> {
        self.client.server_time_at_most()
    }

    /// How long passing troubles of one request are borne.
    pub fn patience(&self) -> Duration {
        self.client.patience()
    }

    /// What was sent so far.
    pub fn stats(&self) -> crate::http::Stats {
        self.client.stats()
    }

    async fn get<T: DeserializeOwned>(
        &self,
        class: Class,
        path: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<T, Error> {
        self.send(&get(class, path, query)).await
    }

    async fn get_within<T: DeserializeOwned>(
        &self,
        class: Class,
        path: &str,
        query: Vec<(&'static str, String)>,
        patience: Duration,
    ) -> Result<T, Error> {
        self.send(&Call { patience: Some(patience), ..get(class, path, query) }).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        class: Class,
        repeat: Repeat,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.send(&post(class, repeat, path, body)).await
    }

    /// A request whose answer says nothing but that it is done.
    async fn order(&self, call: &Call, classify: impl Fn(&Answer) -> Verdict) -> Result<(), Error> {
        Ok(error::parse_done(&self.client.send(call, classify).await?)?)
    }

    async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        Ok(error::parse_json(&self.client.send(call, error::classify_content).await?)?)
    }
}

fn get(class: Class, path: &str, query: Vec<(&'static str, String)>) -> Call {
    Call {
        method: Method::GET,
        path: path.to_owned(),
        query,
        headers: Vec::new(),
        body: Body::Empty,
        class,
        repeat: Repeat::Always,
        patience: None,
    }
}

fn post(class: Class, repeat: Repeat, path: &str, body: &impl Serialize) -> Call {
    // Plain structs, and maps whose keys are texts: writing them cannot fail.
    let body = Body::Json(serde_json::to_vec(body).unwrap_or_default().into());
    Call { method: Method::POST, query: Vec::new(), body, repeat, ..get(class, path, Vec::new()) }
}
