//! Clusters and SQL warehouses: whether they are there.

use super::Workspace;
use super::error::{Error, Meaning};
use crate::http::Class;
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

impl Workspace {
    /// The name of the cluster with this id; `None` where there is none. One that is switched off is there: a job
    /// starts it.
    pub async fn cluster(&self, id: &str) -> Result<Option<String>, Error> {
        let query = vec![("cluster_id", id.to_owned())];
        // `ClusterDetails`, of which nothing but the name is told.
        let found: Result<Value, Error> = self.get(Class::Control, "/api/2.1/clusters/get", query).await;
        there(found.map(|cluster| Some(name(&cluster, "cluster_name"))))
    }

    /// The name of the SQL warehouse with this id; `None` where there is none, or none any longer.
    pub async fn warehouse(&self, id: &str) -> Result<Option<String>, Error> {
        let path = format!("/api/2.0/sql/warehouses/{}", byte_serialize(id.as_bytes()).collect::<String>());
        let found: Result<Value, Error> = self.get(Class::Control, &path, Vec::new()).await;
        let lives = |warehouse: &Value| !matches!(warehouse["state"].as_str(), Some("DELETED" | "DELETING"));
        there(found.map(|warehouse| lives(&warehouse).then(|| name(&warehouse, "name"))))
    }
}

fn name(found: &Value, field: &str) -> String {
    found[field].as_str().unwrap_or_default().to_owned()
}

fn there(found: Result<Option<String>, Error>) -> Result<Option<String>, Error> {
    match found {
        Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(None),
        other => other,
    }
}
