//! What jobs can run on: clusters and SQL warehouses, by id.

use crate::sandbox::Sandbox;
use std::collections::BTreeMap;

/// Names by ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compute {
    pub(crate) clusters: BTreeMap<String, String>,
    pub(crate) warehouses: BTreeMap<String, String>,
}

impl Sandbox {
    /// Makes a cluster; its id looks like `0123-456789-abcdefgh`.
    pub fn add_cluster(&self, id: &str, name: &str) {
        self.state().compute.clusters.insert(id.to_owned(), name.to_owned());
    }

    /// Makes an SQL warehouse; its id is 16 hexadecimal digits.
    pub fn add_warehouse(&self, id: &str, name: &str) {
        self.state().compute.warehouses.insert(id.to_owned(), name.to_owned());
    }
}
