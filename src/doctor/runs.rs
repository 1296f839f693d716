//! What `RUN` names: whether it is there, whether we may run it, as whom it runs, and on what.

use super::Case;
use super::chart::Chart;
use super::login::Guest;
use super::rights::{Standing, Who, standing};
use super::target::{Root, hides};
use crate::access::{JobLevel, Level, Principal};
use crate::databricks::error::{Error, Meaning};
use crate::databricks::jobs::{Compute, Job};
use crate::databricks::permissions::Holding;
use crate::event::{Emit, Event};
use crate::finding::{Finding, Group};
use crate::problem::{Code, Problem};
use crate::runs::{Resolved, may_not_run, resolve_each};
use crate::settings::Settings;
use crate::source::LocalTree;
use std::sync::{Mutex, PoisonError};

const GROUP: Group = Group::Runs;

pub(super) async fn examine(
    case: &Case<'_>,
    guest: &Guest,
    root: Option<&Root>,
    tree: Option<&LocalTree>,
    chart: &mut Chart<'_>,
) {
    let Some(settings) = case.patient.settings.as_ref() else { return };
    if let Some(name) = ["RUN", "PARAMS", "RUN_CLUSTER_ID"].into_iter().find(|name| case.patient.is_broken(name)) {
        return chart.unknown(GROUP, format!("not examined: `{name}` cannot be used"));
    }
    if settings.run.is_empty() {
        return chart.told(GROUP, "`RUN` names nothing to run");
    }
    let path = root.map(|root| &root.path);
    let heard = Heard::default();
    let found = resolve_each(&guest.workspace, settings, path, tree, &heard).await;
    heard.0.into_inner().unwrap_or_default().into_iter().for_each(|warning| chart.odd(GROUP, warning));
    let (mut needs, mut run_as) = (Users::new(), Users::new());
    for (entry, resolved) in found {
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(stop) => {
                stop.problems.into_iter().for_each(|problem| chart.bad(GROUP, problem));
                continue;
            }
        };
        let Some(id) = resolved.job_id() else {
            notebook(settings, &entry, &resolved, &mut needs, chart);
            continue;
        };
        match guest.workspace.job(id).await {
            Ok(Some(job)) => {
                chart.good(GROUP, format!("`{entry}` is the {}, and this identity may see it", resolved.name()));
                may_run(guest, &job, &resolved, chart).await;
                own_compute(&job, &mut needs, chart);
                if let Some(principal) = job.run_as {
                    used(&mut run_as, principal, resolved.name());
                }
            }
            // It was there a moment ago.
            Ok(None) => chart.unknown(GROUP, format!("`{entry}`: it was deleted in this very moment")),
            Err(error) => chart.bad(GROUP, error.problem().at(resolved.name())),
        }
    }
    readers(guest, root, run_as, chart).await;
    for (compute, users) in needs {
        on(guest, &compute, &users, chart).await;
    }
}

/// Something, and the names of all that use it.
type Users<T> = Vec<(T, Vec<String>)>;

fn used<T: PartialEq>(all: &mut Users<T>, what: T, by: String) {
    match all.iter_mut().find(|(known, _)| *known == what) {
        Some((_, users)) if users.contains(&by) => {}
        Some((_, users)) => users.push(by),
        None => all.push((what, vec![by])),
    }
}

/// Takes down what would be warned of.
#[derive(Default)]
struct Heard(Mutex<Vec<Problem>>);

impl Emit for Heard {
    fn emit(&self, event: Event) {
        if let Event::Warned(problem) = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
        }
    }
}

fn notebook(settings: &Settings, entry: &str, resolved: &Resolved, needs: &mut Users<Compute>, chart: &mut Chart<'_>) {
    chart.good(GROUP, format!("`{entry}` is the {}", resolved.name()));
    let compute = settings.run_cluster_id.clone().map_or(Compute::Serverless, Compute::Cluster);
    used(needs, compute, resolved.name());
}

async fn may_run(guest: &Guest, job: &Job, resolved: &Resolved, chart: &mut Chart<'_>) {
    let name = resolved.name();
    let held: Vec<Holding<JobLevel>> = match guest.workspace.job_permissions(job.id).await {
        Ok(held) => held,
        Err(error) if hides(&error) => {
            let message = format!(
                "whether this identity may run the {name}: it may not manage it, and only to those who may does the workspace \
                 show a job's permissions"
            );
            return chart.add(Finding::unknown(GROUP, message).hint("CAN_MANAGE_RUN on the job is enough"));
        }
        Err(error) => return chart.bad(GROUP, error.problem().at(name)),
    };
    let who = Who::Me(&guest.me);
    match (standing(&held, &who, JobLevel::ManageRun), standing(&held, &who, JobLevel::Manage)) {
        (_, Standing::Enough { .. }) => chart.good(GROUP, format!("this identity may run and manage the {name}")),
        (Standing::Enough { .. }, _) => {
            chart.good(GROUP, format!("this identity may run the {name}, and not change it: that is enough"));
        }
        (Standing::Less(_), _) => chart.bad(GROUP, may_not_run(None).at(name)),
        (Standing::Perhaps(ways), _) => {
            let message = format!("whether this identity may run the {name}: only by {}", ways.join(", "));
            chart.add(Finding::unknown(GROUP, message).hint("CAN_MANAGE_RUN for it by name would be certain"));
        }
    }
}

/// What the tasks name of the job itself is judged at once; the rest is looked for once, whoever needs it.
fn own_compute(job: &Job, needs: &mut Users<Compute>, chart: &mut Chart<'_>) {
    for task in &job.tasks {
        for compute in &task.compute {
            match compute {
                Compute::JobCluster(key) if job.job_clusters.contains(key) => {}
                Compute::JobCluster(key) => {
                    let message =
                        format!("task `{}` runs on the job cluster `{key}`, which the job does not define", task.key);
                    chart
                        .bad(GROUP, Problem::new(Code::NotFound, message).at(format!("job {} ({})", job.name, job.id)));
                }
                shared => used(needs, shared.clone(), format!("job {} ({})", job.name, job.id)),
            }
        }
    }
}

/// Whether those as whom the jobs run may read what is deployed.
async fn readers(guest: &Guest, root: Option<&Root>, run_as: Users<Principal>, chart: &mut Chart<'_>) {
    // A folder that is not there yet will have the rights of the one that it is made in.
    let Some((path, object_id)) = root.and_then(|root| root.nearest.as_ref()) else { return };
    if run_as.is_empty() {
        return;
    }
    let held = guest.workspace.folder_permissions(*object_id).await;
    for (principal, jobs) in run_as {
        let runs = if jobs.len() == 1 { "runs" } else { "run" };
        let runs = format!("the {principal}, as whom {} {runs}", jobs.join(", "));
        let held = match &held {
            Ok(held) => held,
            Err(error) if hides(error) => {
                let message =
                    format!("whether {runs}, may read {path}: this identity may not see the folder's permissions");
                chart.unknown(GROUP, message);
                continue;
            }
            Err(error) => return chart.bad(GROUP, error.problem().at(path.to_string())),
        };
        let itself = super::identity::principal(&guest.me).is(&principal);
        let who = if itself { Who::Me(&guest.me) } else { Who::Other(&principal) };
        let hint = format!("`PERMISSIONS: {}=CAN_RUN` gives it the right", principal.name());
        match standing(held, &who, Level::Read) {
            Standing::Enough { .. } => chart.good(GROUP, format!("{runs}, may read {path}")),
            Standing::Less(_) => {
                let problem = Problem::new(Code::PermissionDenied, format!("{runs}, may not read the target's folder"));
                chart.bad(GROUP, problem.at(path.to_string()).hint(hint));
            }
            Standing::Perhaps(ways) => {
                let message = format!(
                    "whether {runs}, may read {path}: only by {}, and the workspace does not tell whether it is in there",
                    ways.join(", ")
                );
                chart.add(Finding::unknown(GROUP, message).hint(hint));
            }
        }
    }
}

/// Whether there is what is run on.
async fn on(guest: &Guest, compute: &Compute, users: &[String], chart: &mut Chart<'_>) {
    let need = if users.len() == 1 { "needs" } else { "need" };
    let users = users.join(", ");
    let (what, id, found) = match compute {
        Compute::Cluster(id) => ("cluster", id, guest.workspace.cluster(id).await),
        Compute::Warehouse(id) => ("SQL warehouse", id, guest.workspace.warehouse(id).await),
        Compute::JobCluster(_) => return,
        Compute::Serverless => {
            let message = format!(
                "whether serverless compute is on, which {users} {need}: the workspace does not tell before something runs"
            );
            return chart.unknown(GROUP, message);
        }
    };
    match found {
        Ok(Some(name)) => {
            chart.good(GROUP, format!("the {what} `{}` ({id}) is there, for {users}", crate::text::one_line(&name)))
        }
        Ok(None) => {
            let problem = Problem::new(Code::NotFound, format!("runs on the {what} `{id}`, which is not there"));
            let hint = format!("give it a {what} that is there; what the identity may not see may look so, too");
            chart.bad(GROUP, problem.at(users).hint(hint));
        }
        Err(error) if is_forbidden(&error) => {
            let message =
                format!("whether the {what} `{id}` is there, which {users} {need}: this identity may not see it");
            chart.unknown(GROUP, message);
        }
        Err(error) => chart.bad(GROUP, error.problem().at(users)),
    }
}

fn is_forbidden(error: &Error) -> bool {
    matches!(error.meaning(), Some(Meaning::PermissionDenied | Meaning::Malformed | Meaning::Other))
}
