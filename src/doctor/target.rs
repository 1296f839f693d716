//! The target: whether its folder is there, whose it is, and whether we may write there.

use super::Case;
use super::chart::Chart;
use super::login::Guest;
use super::rights::{Standing, Who, standing};
use crate::access::Level;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::Object;
use crate::event::Event;
use crate::finding::{Finding, Group};
use crate::problem::Problem;
use crate::settings::WorkspacePath;
use crate::state::{Accepted, DeployedBy, Lock};
use crate::target::{HOMES, Target, home_of, may_not_write, no_home, owner};
use crate::text;

const GROUP: Group = Group::Target;

/// The target's folder, as far as it is known.
pub(super) struct Root {
    /// Its path.
    pub(super) path: WorkspacePath,
    /// The folder whose rights it has, or will have when it is made: itself, or the nearest one above it.
    pub(super) nearest: Option<(WorkspacePath, i64)>,
}

pub(super) async fn examine(case: &Case<'_>, guest: &Guest, chart: &mut Chart<'_>) -> Option<Root> {
    let (patient, settings) = (case.patient, case.patient.settings.as_ref()?);
    let named =
        patient.is_broken("WORKSPACE_PATH") || (settings.workspace_path.is_none() && patient.is_broken("TARGET"));
    if named {
        chart.unknown(GROUP, "not examined: what names it cannot be used");
        return None;
    }
    let path = match settings.root(case.pipeline.slug.as_deref(), &guest.me.user_name) {
        Ok(Some(path)) => path,
        Ok(None) => {
            chart.told(GROUP, "nothing names one: `WORKSPACE_PATH` and `TARGET` are not set");
            return None;
        }
        Err(problem) => {
            chart.bad(GROUP, problem);
            return None;
        }
    };
    let owner = owner(case.pipeline, settings);
    let target = Target { workspace: &guest.workspace, root: &path, owner: &owner, events: case.events };
    let folder = match target.folder().await {
        Ok(folder) => folder,
        Err(stop) => {
            stop.problems.into_iter().for_each(|problem| chart.bad(GROUP, problem));
            return Some(Root { path, nearest: None });
        }
    };
    case.events.emit(Event::TargetKnown { target: settings.target.clone(), path: Some(path.to_string()) });
    let mut nearest = folder.as_ref().map(|folder| (path.clone(), folder.object_id));
    if patient.stops.is_some() && settings.workspace_path.is_none() {
        let message =
            format!("{path} is where paths in `RUN` begin; nothing says what a deploy of this build would go to");
        chart.told(GROUP, message);
        return Some(Root { path, nearest });
    }
    let nothing_to_deploy = settings.local_path.is_none() && !patient.is_broken("LOCAL_PATH");
    if nothing_to_deploy {
        let is = if folder.is_some() { "is there" } else { "is not there, or this identity may not see it" };
        chart.told(GROUP, format!("{path} {is}; nothing is deployed to it, since `LOCAL_PATH` is not set"));
        return Some(Root { path, nearest });
    }
    match &folder {
        Some(_) => chart.good(GROUP, format!("{path} is there")),
        None => nearest = missing(guest, &path, chart).await,
    }
    if let Some((at, object_id)) = &nearest {
        write(guest, *object_id, at, chart).await;
    }
    match unnamed(case) {
        Some(why) => chart.unknown(GROUP, format!("whether it is somebody else's: {why}")),
        None => whose(&target, folder.as_ref(), chart).await,
    }
    lock(&target, folder.as_ref(), chart).await;
    Some(Root { path, nearest })
}

/// Why nobody knows as whom this step would deploy.
fn unnamed(case: &Case<'_>) -> Option<&'static str> {
    if case.patient.is_broken("LOCAL_PATH") {
        Some("a target is known by `LOCAL_PATH`, too, which cannot be used")
    } else if case.patient.is_broken("TARGET") {
        Some("a target is known by its name, too, and `TARGET` cannot be used")
    } else {
        case.patient.stops.as_ref().map(|_| "this build does not say what to deploy to")
    }
}

/// The folder is made by the first deploy: in the nearest one above it that is there.
async fn missing(guest: &Guest, path: &WorkspacePath, chart: &mut Chart<'_>) -> Option<(WorkspacePath, i64)> {
    let mut above = path.as_str();
    while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        above = parent;
        match guest.workspace.object(above).await {
            Ok(Some(_)) if above == HOMES => {
                home(guest, path, chart);
                return None;
            }
            Ok(Some(folder)) => {
                let message =
                    format!("{path} is not there yet (or not for this identity): a deploy makes it in {above}");
                chart.told(GROUP, message);
                return Some((WorkspacePath::parse(above).ok()?, folder.object_id));
            }
            Ok(None) => {}
            Err(error) => {
                failed(&error, above, chart);
                return None;
            }
        }
    }
    chart.unknown(GROUP, format!("whether {path} can be made: no folder above it can be seen"));
    None
}

/// Where a home folder cannot be seen.
fn home(guest: &Guest, path: &WorkspacePath, chart: &mut Chart<'_>) {
    let home = home_of(path.as_str()).unwrap_or(HOMES);
    // Whether a home of our own is made when it is first needed, nobody has told.
    if home.rsplit('/').next() == Some(&guest.me.user_name) {
        let message =
            format!("whether {home} can be made: only Databricks makes a home folder, and this one is not there");
        let hint = "if the deploy fails, name a folder below `/Workspace/Shared` in `WORKSPACE_PATH`";
        return chart.add(Finding::unknown(GROUP, message).hint(hint));
    }
    chart.bad(GROUP, no_home(home, None));
}

/// Whether we may write into a folder that is there.
async fn write(guest: &Guest, object_id: i64, path: &WorkspacePath, chart: &mut Chart<'_>) {
    let held = match guest.workspace.folder_permissions(object_id).await {
        Ok(held) => held,
        Err(error) if hides(&error) => {
            let message = format!("whether this identity may write to {path}: it may not see the folder's permissions");
            return chart.add(Finding::unknown(GROUP, message).hint("CAN_MANAGE on the folder would be enough"));
        }
        Err(error) => return failed(&error, path.as_str(), chart),
    };
    let who = Who::Me(&guest.me);
    match standing(&held, &who, Level::Manage) {
        Standing::Enough { by } => {
            let by = by.map(|by| format!(", as a member of the {by}")).unwrap_or_default();
            chart.good(GROUP, format!("this identity may write to {path} (CAN_MANAGE{by})"));
        }
        // That CAN_EDIT is enough to make and delete objects is not documented; seen were both.
        Standing::Less(Some(Level::Edit)) => {
            let message = format!("whether this identity may make and delete objects in {path}: it has CAN_EDIT");
            chart.add(Finding::unknown(GROUP, message).hint("CAN_MANAGE on the folder would be enough"));
        }
        Standing::Less(level) => {
            let mut problem = may_not_write(None).at(path.to_string());
            if let Some(level) = level {
                problem.message.push_str(&format!(": it has {level}, and nothing gives it more"));
            }
            chart.bad(GROUP, problem);
        }
        Standing::Perhaps(ways) => {
            let message = format!("whether this identity may write to {path}: only by {}", ways.join(", "));
            let hint =
                "the workspace does not say whether it is in that group; CAN_MANAGE for it by name would be certain";
            chart.add(Finding::unknown(GROUP, message).hint(hint));
        }
    }
}

/// Whether an error says no more than that we may not look.
pub(super) fn hides(error: &Error) -> bool {
    matches!(error.meaning(), Some(Meaning::PermissionDenied | Meaning::NotFound | Meaning::Other))
}

/// A question that has no answer, for a reason of its own.
pub(super) fn failed(error: &Error, place: &str, chart: &mut Chart<'_>) {
    chart.bad(GROUP, error.problem().at(place));
}

async fn whose(target: &Target<'_>, folder: Option<&Object>, chart: &mut Chart<'_>) {
    match target.whose(folder).await {
        // What may be there all the same, and only not to be seen, is nobody's by no word of the workspace.
        Ok(Accepted { state: None, warning: None }) if folder.is_none() => {}
        Ok(Accepted { state: None, warning: None }) => {
            chart.good(GROUP, "it is nobody's yet: no deploy has left its record there");
        }
        Ok(Accepted { state: Some(state), .. }) => {
            let finding = Finding::good(GROUP, format!("it is this repository's own{}", last(&state.deployed_by)));
            chart.add(match state.deployed_by.page() {
                Some(link) => finding.link(link),
                None => finding,
            });
        }
        Ok(Accepted { state: None, warning: Some(warning) }) => chart.odd(GROUP, warning),
        Err(stop) => stop.problems.into_iter().for_each(|problem: Problem| chart.bad(GROUP, problem)),
    }
}

/// Who may change the target now. A lease that is over stops nobody: whoever comes next passes over it.
async fn lock(target: &Target<'_>, folder: Option<&Object>, chart: &mut Chart<'_>) {
    let held = match target.records().await {
        Ok(records) => target.holder(&records).await,
        Err(stop) => Err(stop),
    };
    let holder = match held {
        Ok(None) if folder.is_none() => return,
        Ok(None) => return chart.good(GROUP, "its lock is free"),
        Ok(Some(holder)) => holder,
        Err(stop) => return stop.problems.into_iter().for_each(|problem| chart.bad(GROUP, problem)),
    };
    let whom = target.whom(&holder);
    let ends = holder.lock.as_ref().ok().and_then(Lock::expires);
    let now = target.workspace.time();
    let finding = match (&holder.lock, ends, now) {
        (Ok(_), Some(ends), Some(now)) if ends <= now => {
            let message = format!("its lock is free: {whom} left it, and its lease ended at {}", text::clock(ends));
            Finding::good(GROUP, message)
        }
        (Ok(_), Some(ends), _) => {
            let message = format!(
                "its lock is held by {whom} until {}, if it is not renewed: a deploy would wait for its end",
                text::clock(ends)
            );
            Finding::told(GROUP, message)
        }
        _ => {
            let message = format!("until when its lock is held, by {whom}: a deploy would watch it for a while");
            Finding::unknown(GROUP, message)
        }
    };
    chart.add(match holder.link() {
        Some(link) => finding.link(link),
        None => finding,
    });
}

fn last(by: &DeployedBy) -> String {
    let build = by.build.as_ref().map(|build| format!(", last by build {}", text::one_line(build)));
    build.unwrap_or_default()
}
