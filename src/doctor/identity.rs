//! Who we are, and which of a service principal's two ids is for what.

use super::Case;
use super::chart::Chart;
use super::login::Guest;
use crate::access::Principal;
use crate::databricks::identity::Me;
use crate::finding::{Finding, Group};
use crate::problem::{Code, Problem};
use crate::text;

const GROUP: Group = Group::Identity;

pub(super) fn examine(case: &Case<'_>, guest: &Guest, chart: &mut Chart<'_>) {
    let me = &guest.me;
    let name = text::one_line(me.display_name.as_deref().unwrap_or(&me.user_name));
    match principal(me) {
        Principal::ServicePrincipal(id) => {
            let mut ids = vec![format!("application id {id}: what `DATABRICKS_CLIENT_ID` and `PERMISSIONS` take")];
            if let Some(number) = &me.id {
                ids.push(format!(
                    "numeric id {number}, as this workspace numbers it: what a command takes that creates a policy or a \
                     secret"
                ));
            }
            chart.add(Finding::good(GROUP, format!("the service principal `{name}`")).exhibit(ids));
        }
        _ => {
            let message = format!("the user `{}`: what it deploys hangs on one person", me.user_name);
            chart.add(Finding::good(GROUP, message));
        }
    }
    let groups: Vec<String> = me.groups.iter().map(|group| format!("`{}`", text::one_line(group))).collect();
    if groups.is_empty() {
        chart.unknown(GROUP, "which groups it is in: the workspace names none");
    } else {
        chart.told(GROUP, format!("in the groups {}", groups.join(", ")));
    }
    let meant = case.patient.route.as_ref().and_then(|route| route.workspace_id.as_ref());
    match (&me.workspace_id, meant) {
        (Some(told), Some(meant)) if told != meant => {
            let message = format!("`{meant}`, but it was the workspace `{}` that answered", text::one_line(told));
            let problem = Problem::new(Code::ConflictingVariables, message).at("DATABRICKS_WORKSPACE_ID");
            chart.odd(GROUP, problem.hint("check which of the two is meant"));
        }
        _ => {}
    }
}

/// What the workspace calls it: service principals have a UUID for a user name.
pub(super) fn principal(me: &Me) -> Principal {
    if me.user_name.contains('@') {
        Principal::User(me.user_name.clone())
    } else {
        Principal::ServicePrincipal(me.user_name.clone())
    }
}
