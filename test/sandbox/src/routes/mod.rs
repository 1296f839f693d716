//! Which request is for whom.

mod compute;
mod identity;
mod jobs;
mod paging;
mod permissions;
mod runs;
mod workspace;

use crate::errors::ApiError;
use crate::reply::Reply;
use crate::request::Ask;
use crate::state::State;
use http::Method;

/// Does what a request asks for. It runs under the lock, so it never waits.
pub(crate) type Route = fn(&mut State, &Ask) -> Result<Reply, ApiError>;

/// The route of a request. A known path under another method is as unknown as any other.
pub(crate) fn find(method: &Method, path: &str) -> Option<Route> {
    let api = path.strip_prefix("/api/")?;
    // 2.1 and 2.2 of the jobs service differ only in the paging of arrays.
    let jobs = api.strip_prefix("2.2/jobs/").or_else(|| api.strip_prefix("2.1/jobs/"));
    let route: Route = match (method.as_str(), jobs) {
        ("POST", Some("create")) => jobs::create,
        ("GET", Some("get")) => jobs::get,
        ("GET", Some("list")) => jobs::list,
        ("POST", Some("delete")) => jobs::delete,
        ("POST", Some("run-now")) => runs::run_now,
        ("POST", Some("runs/submit")) => runs::submit,
        ("GET", Some("runs/get")) => runs::get,
        ("GET", Some("runs/list")) => runs::list,
        ("GET", Some("runs/get-output")) => runs::get_output,
        ("POST", Some("runs/cancel")) => runs::cancel,
        ("POST", Some("runs/delete")) => runs::delete,
        ("POST", Some("runs/repair")) => runs::repair,
        (_, Some(_)) => return None,
        (method, None) => match (method, api) {
            ("GET", "2.0/preview/scim/v2/Me") => identity::me,
            ("GET", "2.0/workspace/get-status") => workspace::get_status,
            ("GET", "2.0/workspace/list") => workspace::list,
            ("POST", "2.0/workspace/mkdirs") => workspace::mkdirs,
            ("POST", "2.0/workspace/import") => workspace::import,
            ("GET", "2.0/workspace/export") => workspace::export,
            ("POST", "2.0/workspace/delete") => workspace::delete,
            ("GET", "2.1/clusters/get" | "2.0/clusters/get") => compute::cluster,
            (method, api) => match (method, one_below(api)?) {
                ("GET", "2.0/permissions/directories") => permissions::get,
                ("PATCH", "2.0/permissions/directories") => permissions::update,
                ("PUT", "2.0/permissions/directories") => permissions::set,
                ("GET", "2.0/permissions/jobs") => permissions::of_job,
                ("GET", "2.0/sql/warehouses") => compute::warehouse,
                _ => return None,
            },
        },
    };
    Some(route)
}

/// Where the one thing lies that the end of a path names.
fn one_below(api: &str) -> Option<&str> {
    api.rsplit_once('/').map(|(collection, _)| collection)
}
