//! `/api/2.1/clusters/get` and `/api/2.0/sql/warehouses/…`.

use crate::errors::ApiError;
use crate::reply::Reply;
use crate::request::Ask;
use crate::state::State;
use serde_json::json;

/// `GET clusters/get`. A missing cluster is a 400 (py errors/overrides.py). On the real service whoever was given nothing
/// on a cluster is refused; here everybody may see all of them.
pub(crate) fn cluster(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let id = ask.required_query("cluster_id")?;
    let name = state.compute.clusters.get(id);
    let name = name.ok_or_else(|| ApiError::invalid(format!("Cluster {id} does not exist")))?;
    Ok(Reply::json(&json!({
        "cluster_id": id,
        "cluster_name": name,
        "state": "TERMINATED",
        "spark_version": "16.4.x-scala2.12",
        "creator_user_name": "ci@example.com",
    })))
}

/// `GET sql/warehouses/{id}`. Status and words for a missing one are likely, not confirmed.
pub(crate) fn warehouse(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let id = ask.path.rsplit('/').next().unwrap_or_default();
    let name = state.compute.warehouses.get(id);
    let name = name.ok_or_else(|| ApiError::missing(format!("SQL warehouse {id} does not exist.")))?;
    Ok(Reply::json(&json!({
        "id": id,
        "name": name,
        "state": "STOPPED",
        "warehouse_type": "PRO",
        "enable_serverless_compute": false,
    })))
}
