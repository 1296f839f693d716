//! Folders first, then everything in them, many at a time.

use super::stop;
use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Format, Import};
use crate::event::{Emit, Event};
use crate::plan::{Plan, Upload};
use crate::source::Kind;
use crate::stop::Stop;
use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// How many uploads are begun at once. The client's own limit decides how many are on the wire; a few more stand ready,
/// so that its slots are never empty, and no more, so that memory does not grow with the tree.
const IN_FLIGHT: usize = 32;

/// How often the log tells how far an upload is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// How long the log may stay silent while nothing moves.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Makes the folders of the plan, and thereby all above them.
pub(super) async fn folders(workspace: &Workspace, plan: &Plan) -> Result<(), Stop> {
    let each = plan.folders.iter().map(|folder| {
        let (workspace, folder) = (workspace.clone(), folder.to_string());
        async move {
            let made = workspace.make_folder(&folder).await;
            (folder, made)
        }
    });
    in_parallel(each, plan.uploads.len(), |_| {}).await
}

/// Uploads all objects of the plan.
pub(super) async fn objects(workspace: &Workspace, plan: &Plan, events: &dyn Emit) -> Result<(), Stop> {
    let total = plan.uploads.len();
    let each = plan.uploads.iter().map(|upload| {
        let (workspace, import) = (workspace.clone(), import_of(upload));
        async move {
            let sent = send(&workspace, &import).await;
            (import.path, sent)
        }
    });
    in_parallel(each, 0, |done| events.emit(Event::DeployProgress { done, total })).await
}

/// Uploads one object; a folder that vanished since it was made is made again, once.
async fn send(workspace: &Workspace, import: &Import) -> Result<(), Error> {
    match workspace.import(import).await {
        Err(error) if error.meaning() == Some(Meaning::ParentMissing) => {
            if let Some((parent, _)) = import.path.rsplit_once('/') {
                workspace.make_folder(parent).await?;
            }
            workspace.import(import).await
        }
        other => other,
    }
}

/// Runs all of `each`, a bounded number at a time. What concerns one object alone does not stop the others, so that one
/// run of the step tells everything that is wrong; what will hit every other object too stops the rest. `behind` counts
/// what is not sent at all unless each of these succeeds.
async fn in_parallel<F>(each: impl Iterator<Item = F>, behind: usize, progress: impl Fn(usize)) -> Result<(), Stop>
where
    F: Future<Output = (String, Result<(), Error>)> + Send + 'static,
{
    let mut waiting = each.fuse();
    let mut running = JoinSet::new();
    let mut failures = Vec::new();
    let mut done = 0;
    let mut give_up = false;
    let (mut told, mut told_at) = (0, Instant::now());
    let mut tick = interval_at(told_at + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while !give_up && running.len() < IN_FLIGHT {
            let Some(next) = waiting.next() else { break };
            running.spawn(next);
        }
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            _ = tick.tick() => {
                if done > told || told_at.elapsed() >= HEARTBEAT {
                    (told, told_at) = (done, Instant::now());
                    progress(done);
                }
                continue;
            }
        };
        let Some(ended) = ended else { break };
        match ended {
            Ok((_, Ok(()))) => done += 1,
            Ok((path, Err(error))) => {
                give_up |= !error.is_about_one_object();
                failures.push((path, error));
            }
            Err(panicked) => return Err(Stop::bug(&format!("an upload ended unexpectedly: {panicked}"))),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(stop(failures, waiting.count() + behind)) }
}

fn import_of(upload: &Upload) -> Import {
    Import {
        path: upload.to.to_string(),
        format: match upload.file.kind {
            Kind::SourceNotebook(language) => Format::Source(language),
            Kind::JupyterNotebook(_) => Format::Jupyter,
            Kind::Dashboard | Kind::File => Format::Auto,
        },
        file: upload.file.path.clone(),
        length: upload.file.size,
        digest: upload.file.digest,
    }
}
