//! Says which workspace is meant, to a host that serves several.

use crate::http::header::{HeaderMap, HeaderName, HeaderValue};
use crate::http::{Authorize, Signing};
use std::sync::Arc;

/// The field that every call to a workspace carries where the id is configured; hosts that serve one workspace take it
/// too (py service/workspace.py).
const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-databricks-workspace-id");

/// Signs as `authorize` does and names the workspace, where its id is known.
pub(super) fn to(workspace_id: Option<&str>, authorize: Arc<dyn Authorize>) -> Arc<dyn Authorize> {
    match workspace_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        Some(id) => Arc::new(Routed { id, authorize }),
        None => authorize,
    }
}

struct Routed {
    id: HeaderValue,
    authorize: Arc<dyn Authorize>,
}

impl Authorize for Routed {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async {
            let mut fields = self.authorize.sign().await?;
            fields.insert(WORKSPACE_ID, self.id.clone());
            Ok(fields)
        })
    }

    fn refused(&self, given: &HeaderMap) -> bool {
        self.authorize.refused(given)
    }
}
