//! Rights on folders, and on jobs as far as they are read.

use super::{Workspace, post};
use crate::access::{Grant, JobLevel, Level, Principal};
use crate::databricks::error::Error;
use crate::http::{Call, Class, Method, Repeat};
use serde::{Deserialize, Serialize};

/// A right that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding<L = Level> {
    /// Who.
    pub principal: Principal,
    /// What.
    pub level: HeldLevel<L>,
    /// Whether it comes from a folder above, so that a change of this one's rights does not touch it.
    pub inherited: bool,
}

/// A level, as the service tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldLevel<L = Level> {
    /// One that this version knows.
    Known(L),
    /// Another one, in the service's own word.
    Other(String),
}

#[derive(Deserialize)]
struct WirePermissions {
    #[serde(default)]
    access_control_list: Vec<WireHolder>,
}

/// Exactly one of the three names is there.
#[derive(Deserialize)]
struct WireHolder {
    user_name: Option<String>,
    group_name: Option<String>,
    service_principal_name: Option<String>,
    #[serde(default)]
    all_permissions: Vec<WireRight>,
}

#[derive(Deserialize)]
struct WireRight {
    permission_level: String,
    #[serde(default)]
    inherited: bool,
}

/// What is asked for; it is not shaped like what is answered.
#[derive(Serialize)]
struct WireRequest<'a> {
    access_control_list: Vec<WireGrant<'a>>,
}

#[derive(Serialize)]
struct WireGrant<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_principal_name: Option<&'a str>,
    permission_level: &'static str,
}

impl Workspace {
    /// Who may do what with the folder of this object id: what was given on it, and what it inherits.
    pub async fn folder_permissions(&self, object_id: i64) -> Result<Vec<Holding>, Error> {
        let permissions: WirePermissions = self.get(Class::Control, &path(object_id), Vec::new()).await?;
        Ok(holdings(permissions, folder_level))
    }

    /// Who may do what with a job. Whoever may not manage it is refused.
    pub async fn job_permissions(&self, job_id: i64) -> Result<Vec<Holding<JobLevel>>, Error> {
        let path = format!("/api/2.0/permissions/jobs/{job_id}");
        let permissions: WirePermissions = self.get(Class::Control, &path, Vec::new()).await?;
        Ok(holdings(permissions, |word| JobLevel::ALL.into_iter().find(|level| level.as_str() == word)))
    }

    /// Gives rights on the folder and leaves those of everybody else alone; answers like
    /// [`folder_permissions`](Workspace::folder_permissions). Whoever was given something on this folder before has the
    /// new level instead, also where it is a lower one: the caller looks first.
    pub async fn give_on_folder(&self, object_id: i64, grants: &[&Grant]) -> Result<Vec<Holding>, Error> {
        let body = WireRequest { access_control_list: grants.iter().map(|grant| wire(grant)).collect() };
        // To give the same twice changes nothing.
        let call = Call { method: Method::PATCH, ..post(Class::Control, Repeat::Always, &path(object_id), &body) };
        Ok(holdings(self.send::<WirePermissions>(&call).await?, folder_level))
    }
}

fn path(object_id: i64) -> String {
    format!("/api/2.0/permissions/directories/{object_id}")
}

fn folder_level(word: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.as_str() == word)
}

fn holdings<L>(permissions: WirePermissions, known: impl Fn(&str) -> Option<L>) -> Vec<Holding<L>> {
    let mut holdings = Vec::new();
    for holder in permissions.access_control_list {
        let principal = match (holder.user_name, holder.service_principal_name, holder.group_name) {
            (Some(name), ..) => Principal::User(name),
            (None, Some(id), _) => Principal::ServicePrincipal(id),
            (None, None, Some(name)) => Principal::Group(name),
            // Nobody that one could name, so nobody that one could ask for.
            (None, None, None) => continue,
        };
        for right in holder.all_permissions {
            let level =
                known(&right.permission_level).map_or(HeldLevel::Other(right.permission_level), HeldLevel::Known);
            holdings.push(Holding { principal: principal.clone(), level, inherited: right.inherited });
        }
    }
    holdings
}

fn wire(grant: &Grant) -> WireGrant<'_> {
    let (mut user_name, mut group_name, mut service_principal_name) = (None, None, None);
    match &grant.principal {
        Principal::User(name) => user_name = Some(name.as_str()),
        Principal::Group(name) => group_name = Some(name.as_str()),
        Principal::ServicePrincipal(id) => service_principal_name = Some(id.as_str()),
    }
    WireGrant { user_name, group_name, service_principal_name, permission_level: grant.level.as_str() }
}
