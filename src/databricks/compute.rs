//! Clusters and SQL warehouses: whether they are there.

use super::Workspace;
use super::error::{Error, Meaning};
use crate::http::Class;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

/// `ClusterDetails`, as far as it is told.
#[derive(Deserialize)]
struct WireCluster {
    #[serde(default)]
    cluster_name: String,
}

/// `GetWarehouseResponse`, likewise.
#[derive(Deserialize)]
struct WireWarehouse {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: String,
}

impl Workspace {
    /// The name of the cluster with this id; `None` where there is none. One that is switched off is there: a job
    /// starts it.
    pub async fn cluster(&self, id: &str) -> Result<Option<String>, Error> {
        let query = vec![("cluster_id", id.to_owned())];
        let found = self.get::<WireCluster>(Class::Control, "/api/2.1/clusters/get", query).await;
        there(found.map(|cluster| Some(cluster.cluster_name)))
    }

    /// The name of the SQL warehouse with this id; `None` where there is none, or none any longer.
    pub async fn warehouse(&self, id: &str) -> Result<Option<String>, Error> {
        let path = format!("/api/2.0/sql/warehouses/{}", byte_serialize(id.as_bytes()).collect::<String>());
        let found = self.get::<WireWarehouse>(Class::Control, &path, Vec::new()).await;
        let lives = |warehouse: &WireWarehouse| !matches!(warehouse.state.as_str(), "DELETED" | "DELETING");
        there(found.map(|warehouse| Some(warehouse).filter(lives).map(|warehouse| warehouse.name)))
    }
}

fn there(found: Result<Option<String>, Error>) -> Result<Option<String>, Error> {
    match found {
        Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(None),
        other => other,
    }
}
