//! `/api/2.0/permissions/directories/…`, and the reading of `/api/2.0/permissions/jobs/…`.

use crate::errors::ApiError;
use crate::permissions::{Grantee, PermissionLevel};
use crate::principals::{FolderRight, JobRight, Principal, PrincipalKind};
use crate::reply::Reply;
use crate::request::{Ask, Fields};
use crate::state::State;
use crate::workspace::{Kind, path};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One right in a request.
type Given = (Grantee, PermissionLevel);

/// One right in an answer: the level, and from which object it is inherited.
type Right = (&'static str, Option<String>);

/// `GET`.
pub(crate) fn get(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let (folder, object_id) = folder(state, ask)?;
    Ok(answer(state, &folder, object_id))
}

/// `GET` of a job's. Who may not manage the job is refused, whatever else it may do with it (recorded by databricks/cli,
/// libs/testserver/jobs.go, `jobManagePermissionDenied`).
pub(crate) fn of_job(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let id = ask.path.rsplit('/').next().unwrap_or_default();
    let job_id: i64 = id.parse().map_err(|_| ApiError::invalid(format!("'{id}' is not a valid job id")))?;
    let job = state.jobs.all.get(&job_id);
    if ask.caller.job_right(job_id, job.map(|job| job.creator.as_str())) < JobRight::Manage {
        let text = format!(
            "{} does not have Manage permissions on Job with ID: ElasticJobId({job_id}). Please contact the owner or an \
             administrator for access.",
            ask.caller.name
        );
        return Err(ApiError::denied(text));
    }
    let job = job.ok_or_else(|| ApiError::missing(format!("Job {job_id} does not exist.")))?;
    let mut rights: BTreeMap<Grantee, Vec<Right>> = BTreeMap::new();
    for principal in state.principals.all() {
        let owner = job.creator == principal.name;
        let level = match principal.job_right(job_id, Some(&job.creator)) {
            _ if owner => "IS_OWNER",
            // An admin's right is that of its group.
            _ if principal.admin => continue,
            JobRight::None => continue,
            JobRight::View => "CAN_VIEW",
            JobRight::ManageRun => "CAN_MANAGE_RUN",
            JobRight::Manage => "CAN_MANAGE",
        };
        rights.entry(grantee(principal)).or_default().push((level, None));
    }
    let admins = rights.entry(Grantee::Group("admins".to_owned())).or_default();
    admins.push(("CAN_MANAGE", Some("/jobs/".to_owned())));
    Ok(list(state, &format!("/jobs/{job_id}"), "job", rights))
}

/// `PATCH`: gives to those who are named, and leaves the others.
pub(crate) fn update(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let (folder, object_id, given) = change(state, ask)?;
    state.permissions.merge(object_id, given);
    Ok(answer(state, &folder, object_id))
}

/// `PUT`: takes from all who are not named. What is inherited cannot be taken.
pub(crate) fn set(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let (folder, object_id, given) = change(state, ask)?;
    state.permissions.replace(object_id, given);
    Ok(answer(state, &folder, object_id))
}

/// The folder that the address names, if the caller may see it: its normal path and id.
fn folder(state: &State, ask: &Ask) -> Result<(String, i64), ApiError> {
    let id = ask.path.rsplit('/').next().unwrap_or_default();
    let object_id: i64 = id.parse().map_err(|_| ApiError::invalid(format!("'{id}' is not a valid object id")))?;
    let found = state.tree.all().iter().find(|(normal, object)| {
        object.object_id == object_id && object.kind == Kind::Directory && ask.caller.folder_right(normal).may_read()
    });
    // Status and text are likely, not confirmed.
    let missing = || ApiError::missing(format!("Directory with ID {id} does not exist."));
    found.map(|(normal, _)| (normal.clone(), object_id)).ok_or_else(missing)
}

/// What a change asks for, all of it checked: nothing is given where one of those who are named is not known (likely, not
/// confirmed). Who may write in a folder may give rights on it here; the real service asks for CAN_MANAGE.
fn change(state: &State, ask: &Ask) -> Result<(String, i64, Vec<Given>), ApiError> {
    let (folder, object_id) = folder(state, ask)?;
    if ask.caller.folder_right(&folder) != FolderRight::Write {
        let text = format!("{} does not have Manage permissions on {folder}.", ask.caller.name);
        return Err(ApiError::denied(text));
    }
    let entries = ask.json()?.list("access_control_list")?.unwrap_or_default();
    let given = entries.iter().map(|entry| one(state, entry)).collect::<Result<_, _>>()?;
    Ok((folder, object_id, given))
}

fn one(state: &State, entry: &Value) -> Result<Given, ApiError> {
    let Value::Object(fields) = entry else { return Err(ApiError::malformed()) };
    let fields = Fields(fields);
    let name = |field: &str| fields.text(field).map(|name| name.map(str::to_owned));
    let named = (name("user_name")?, name("group_name")?, name("service_principal_name")?);
    let grantee = match named {
        (Some(name), None, None) => Grantee::User(name),
        (None, Some(name), None) => Grantee::Group(name),
        (None, None, Some(name)) => Grantee::ServicePrincipal(name),
        _ => {
            let text = "Exactly one of user_name, group_name and service_principal_name must be given";
            return Err(ApiError::invalid(text));
        }
    };
    let is = |name: &str, kind| state.principals.named(name).is_some_and(|(_, known)| known.kind == kind);
    let known = match &grantee {
        Grantee::User(name) => is(name, PrincipalKind::User),
        Grantee::ServicePrincipal(name) => is(name, PrincipalKind::ServicePrincipal),
        Grantee::Group(name) => state.permissions.knows_group(name),
    };
    if !known {
        // The text is known, the status is not: 400 or 404.
        return Err(ApiError::missing(format!("Principal: {} does not exist", grantee.shown())));
    }
    let level = fields.required_text("permission_level")?;
    let level = PermissionLevel::from_name(level)
        .ok_or_else(|| ApiError::invalid(format!("Permission level {level} is not supported for directories")))?;
    Ok((grantee, level))
}

/// What is given on the folder, what it inherits from those above it, what its principals come with, and what nobody can
/// take: all of a home is its owner's, and all of everything the admins'.
fn answer(state: &State, folder: &str, object_id: i64) -> Reply {
    let mut rights: BTreeMap<Grantee, Vec<Right>> = BTreeMap::new();
    for (grantee, level) in state.permissions.on(object_id) {
        rights.entry(grantee).or_default().push((level.name(), None));
    }
    let mut above = path::parent(folder);
    while let Some(at) = above {
        if let Some(object) = state.tree.at(at) {
            let from = format!("/directories/{}", object.object_id);
            for (grantee, level) in state.permissions.on(object.object_id) {
                rights.entry(grantee).or_default().push((level.name(), Some(from.clone())));
            }
        }
        above = path::parent(at);
    }
    for (grantee, level) in come_with(state, folder) {
        rights.entry(grantee).or_default().push((level.name(), Some("/directories/".to_owned())));
    }
    let admins = rights.entry(Grantee::Group("admins".to_owned())).or_default();
    admins.push((PermissionLevel::Manage.name(), Some("/directories/".to_owned())));
    list(state, &format!("/directories/{object_id}"), "directory", rights)
}

/// The rights that principals come with, as the list tells them: what everybody has is the group's `users`, and the rest
/// is told of each. A home is its owner's alone, whatever its owner is.
fn come_with(state: &State, folder: &str) -> Vec<(Grantee, PermissionLevel)> {
    let level = |principal: &Principal| match principal.folder_right(folder) {
        FolderRight::None => None,
        FolderRight::Read => Some(PermissionLevel::Read),
        FolderRight::Write => Some(PermissionLevel::Manage),
    };
    let home = folder.strip_prefix("/Workspace/Users/").and_then(|rest| rest.split('/').next());
    let members = || state.principals.all().filter(|principal| principal.member && !principal.admin);
    let all = members().map(level).min().flatten().filter(|_| home.is_none());
    let users = all.map(|level| (Grantee::Group("users".to_owned()), level));
    let owner = state.principals.all().find(|principal| principal.admin && home == Some(principal.name.as_str()));
    let each = members().filter_map(|principal| {
        let level = level(principal).filter(|level| Some(*level) > all)?;
        Some((grantee(principal), level))
    });
    let owner = owner.map(|owner| (grantee(owner), PermissionLevel::Manage));
    users.into_iter().chain(owner).chain(each).collect()
}

fn grantee(principal: &Principal) -> Grantee {
    match principal.kind {
        PrincipalKind::User => Grantee::User(principal.name.clone()),
        PrincipalKind::ServicePrincipal => Grantee::ServicePrincipal(principal.name.clone()),
    }
}

fn list(state: &State, object_id: &str, object_type: &str, rights: BTreeMap<Grantee, Vec<Right>>) -> Reply {
    let entries: Vec<Value> = rights
        .into_iter()
        .map(|(grantee, rights)| {
            let all: Vec<Value> = rights
                .into_iter()
                .map(|(level, from)| match from {
                    None => json!({ "permission_level": level, "inherited": false }),
                    Some(from) => json!({
                        "permission_level": level, "inherited": true, "inherited_from_object": [from],
                    }),
                })
                .collect();
            let (field, name) = grantee.field();
            let mut entry = json!({ field: name, "all_permissions": all });
            if let Some((_, known)) = state.principals.named(name) {
                entry["display_name"] = Value::from(known.display_name.clone());
            }
            entry
        })
        .collect();
    Reply::json(&json!({ "object_id": object_id, "object_type": object_type, "access_control_list": entries }))
}
