//! Brings a plan into the workspace, phase by phase.

mod backup;
mod create;
pub mod lock;
mod parallel;
pub mod permissions;
mod records;
mod upload;
mod verify;

use crate::databricks::error::{Error, Meaning};
use crate::event::{Counts, DriftTold, Event};
use crate::exit::Exit;
use crate::plan::{Deletion, End, Plan};
use crate::problem::Code;
use crate::secrets::Redactor;
use crate::source::Kind;
use crate::state::{DeployedBy, RelativePath};
use crate::stop::Stop;
use crate::target::{Observed, Target};
use bytes::Bytes;
use lock::{Held, Keeper};
use parallel::in_parallel;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use tokio::time::Instant;

/// A plan and all that carrying it out takes.
pub struct Work<'a> {
    /// The target.
    pub target: Target<'a>,
    /// What the plan was made from.
    pub observed: &'a Observed,
    /// What to do.
    pub plan: &'a Plan,
    /// The lock under which it is done; `None` where there is nothing to do.
    pub held: Option<&'a Held>,
    /// Who releases it.
    pub keeper: &'a Keeper,
    /// Who does it, for the state.
    pub by: DeployedBy,
    /// Where copies of edited objects go.
    pub copies: Copies,
    /// `LOCAL_PATH` as the user wrote it.
    pub from: String,
    /// What the target holds when all of it has arrived.
    pub holds: Counts,
    /// Whether it has been said that there is nothing to do: the records may still be brought up to date.
    pub silent: bool,
}

/// Where copies of edited objects go.
pub struct Copies {
    /// The name of the folder that this build's copies go to.
    pub build: String,
    /// The folder beside the outputs.
    pub local: PathBuf,
    /// Takes secrets out of the copies beside the outputs: what is published must hold none.
    pub redactor: Redactor,
    /// What is a Jupyter notebook, by its record or by the local file in its place.
    pub jupyter: BTreeSet<RelativePath>,
}

impl Copies {
    fn is_jupyter(&self, path: &RelativePath) -> bool {
        self.jupyter.contains(path)
    }

    /// A copy that cannot be written is no reason to stop: the one in the workspace counts.
    fn keep_locally(&self, path: &RelativePath, kind: Kind, content: &Bytes) {
        let text = String::from_utf8_lossy(content);
        let redacted = match self.redactor.redact(&text) {
            Cow::Borrowed(_) => content.clone(),
            // What is no text cannot be told from its surroundings well enough to take a secret out.
            Cow::Owned(_) if matches!(text, Cow::Owned(_)) => {
                return tracing::debug!(
                    "the copy of {path} is not written beside the outputs: there is a secret in it"
                );
            }
            Cow::Owned(redacted) => Bytes::from(redacted),
        };
        if let Err(error) = backup::write(&self.local, path.as_str(), kind, &redacted) {
            tracing::debug!("the copy of {path} is not written to {}: {error}", self.local.display());
        }
    }
}

/// Whether carrying out the plan changes anything in the workspace, our records included.
pub fn has_work(plan: &Plan, observed: &Observed) -> bool {
    let records = match plan.end {
        End::WriteState => plan.records_change || observed.state.is_none() || observed.records.journal,
        // Without a trace of us an empty folder is somebody's.
        End::RemoveRecords { .. } => observed.records.folder,
    };
    records || !plan.touches_nothing()
}

/// Carries the plan out, under the lock: a phase begins when the one before it has succeeded. What is deleted for good goes last.
pub async fn carry_out(work: &Work<'_>) -> Result<(), Stop> {
    let began = Instant::now();
    let (plan, target) = (work.plan, &work.target);
    let (workspace, events) = (target.workspace, target.events);
    let to = plan.root.to_string();
    let counts = plan.counts();
    let silent = work.silent;
    if !has_work(plan, work.observed) {
        let (holds, elapsed) = (work.holds, began.elapsed());
        events.emit(Event::ChangesDone { to, intent: plan.intent, counts, holds, elapsed, silent });
        return Ok(());
    }
    if !silent {
        events.emit(Event::ChangesBegan { from: work.from.clone(), to: to.clone(), intent: plan.intent, counts });
    }

    records::begin(work).await?;
    let copies = backup::all(target, plan, &work.copies).await?;
    tell_drift(work, &copies);

    delete(work, &plan.replaced, plan.uploads.len()).await?;
    for folder in &plan.replaced_folders {
        let at = plan.at(folder).to_string();
        workspace.delete(&at).await.map_err(|error| not_replaced(&error, &at))?;
    }
    upload::folders(workspace, plan).await?;
    let arrivals = upload::objects(workspace, plan, events).await?;
    let files = verify::all(work, arrivals).await?;

    delete(work, &plan.deletions, 0).await?;
    for folder in &plan.emptied {
        let at = plan.at(folder).to_string();
        match workspace.delete(&at).await {
            Ok(()) => {}
            // Somebody put something there: it is theirs.
            Err(error) if error.meaning() == Some(Meaning::NotEmpty) => tracing::debug!("{at} is not empty, and stays"),
            Err(error) => return Err(parallel::stop(vec![(at, error)], 0)),
        }
    }
    match plan.end {
        End::WriteState => records::write(work, files).await?,
        End::RemoveRecords { then_root } => records::remove(work, then_root).await?,
    }
    let (holds, elapsed) = (work.holds, began.elapsed());
    events.emit(Event::ChangesDone { to, intent: plan.intent, counts, holds, elapsed, silent });
    Ok(())
}

/// Says of each edit what became of it.
fn tell_drift(work: &Work<'_>, copies: &[(String, String)]) {
    let copy = |at: &str| copies.iter().find(|(original, _)| original == at).map(|(_, copy)| copy.clone());
    let told = DriftTold::all(work.plan, copy);
    if !told.is_empty() {
        work.target.events.emit(Event::Drifted(told));
    }
}

async fn delete(work: &Work<'_>, deletions: &[Deletion], behind: usize) -> Result<(), Stop> {
    let each = deletions.iter().map(|deletion| {
        let (workspace, at) = (work.target.workspace.clone(), work.plan.at(&deletion.path).to_string());
        async move {
            let deleted = workspace.delete(&at).await;
            (at, deleted)
        }
    });
    in_parallel(each, behind, |_| {}).await
}

fn not_replaced(error: &Error, at: &str) -> Stop {
    let mut problem = error.problem().at(at);
    if error.meaning() == Some(Meaning::NotEmpty) {
        problem.code = Code::TypeMismatch;
        problem.hint =
            Some("somebody put something into the folder whose place a local file takes: move it away".into());
    }
    Stop::because(Exit::Deploy, problem)
}
