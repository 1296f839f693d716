//! Everything the workspace remembers.

use crate::clock::Clock;
use crate::compute::Compute;
use crate::entra::Entra;
use crate::faults::Faults;
use crate::freeze::Freezer;
use crate::host::HostSettings;
use crate::ids::Ids;
use crate::issuer::Issuers;
use crate::jobs::Jobs;
use crate::limits::Bucket;
use crate::oauth::OAuth;
use crate::permissions::Permissions;
use crate::principals::Principals;
use crate::record::Recorded;
use crate::runs::Runs;
use crate::workspace::Tree;

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) workspace_id: i64,
    pub(crate) principals: Principals,
    pub(crate) host: HostSettings,
    pub(crate) issuers: Issuers,
    pub(crate) oauth: OAuth,
    pub(crate) entra: Entra,
    pub(crate) tree: Tree,
    pub(crate) permissions: Permissions,
    pub(crate) jobs: Jobs,
    pub(crate) runs: Runs,
    pub(crate) compute: Compute,
    pub(crate) faults: Faults,
    pub(crate) freezer: Freezer,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) unknown_routes: Vec<String>,
    pub(crate) connections: u64,
    /// Those that have not been closed yet.
    pub(crate) open_connections: u64,
}
