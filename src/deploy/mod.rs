//! Brings a plan into the workspace, phase by phase.

mod backup;
mod parallel;
pub mod permissions;
mod upload;

use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Format, Listing};
use crate::event::{Counts, DriftTold, Event};
use crate::exit::Exit;
use crate::plan::{Deletion, End, Mismatch, Plan, Seen};
use crate::problem::{Code, Problem};
use crate::secrets::Redactor;
use crate::source::Kind;
use crate::state::{DRIFT, DeployedBy, FILE, FOLDER, FileRecord, RelativePath, State};
use crate::stop::Stop;
use crate::target::{Observed, Target, list_all};
use bytes::Bytes;
use parallel::in_parallel;
use std::borrow::Cow;
use std::collections::BTreeMap;
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
    /// The recorded objects that are Jupyter notebooks.
    pub jupyter: BTreeMap<RelativePath, ()>,
}

impl Copies {
    fn is_jupyter(&self, path: &RelativePath) -> bool {
        self.jupyter.contains_key(path)
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

/// Carries the plan out: a phase begins when the one before it has succeeded. What is deleted for good goes last.
pub async fn carry_out(work: &Work<'_>) -> Result<(), Stop> {
    let began = Instant::now();
    let (plan, target) = (work.plan, &work.target);
    let (workspace, events) = (target.workspace, target.events);
    let to = plan.root.to_string();
    let counts = plan.counts();
    let silent = work.silent;
    if !silent {
        events.emit(Event::ChangesBegan { from: work.from.clone(), to: to.clone(), intent: plan.intent, counts });
    }

    let copies = backup::all(target, plan, &work.copies).await?;
    tell_drift(work, &copies);

    delete(work, &plan.replaced, plan.uploads.len()).await?;
    for folder in &plan.replaced_folders {
        let at = plan.at(folder).to_string();
        workspace.delete(&at).await.map_err(|error| not_replaced(&error, &at))?;
    }
    upload::folders(workspace, plan).await?;
    upload::objects(workspace, plan, events).await?;
    let (files, ()) = tokio::try_join!(verify(work), records_folder(work))?;

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
        End::WriteState => write_state(work, files).await?,
        End::RemoveRecords { then_root } => remove_records(work, then_root).await?,
    }
    let (holds, elapsed) = (work.holds, began.elapsed());
    events.emit(Event::ChangesDone { to, intent: plan.intent, counts, holds, elapsed, silent });
    Ok(())
}

/// Says of each edit what became of it.
fn tell_drift(work: &Work<'_>, copies: &[(String, String)]) {
    let told = work.plan.drifted.iter().map(|drifted| {
        let at = work.plan.at(&drifted.path).to_string();
        let copy = copies.iter().find(|(original, _)| *original == at).map(|(_, copy)| copy.clone());
        DriftTold { path: at, words: drifted.in_words(&work.plan.root), copy }
    });
    let told: Vec<DriftTold> = told.collect();
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

/// Sees that everything that was sent is there, and returns the records of what is ours now.
async fn verify(work: &Work<'_>) -> Result<BTreeMap<RelativePath, FileRecord>, Stop> {
    let (plan, target) = (work.plan, &work.target);
    let listed = list_all(target.workspace, &plan.root, &plan.verify).await;
    let listing = listed.map_err(|(path, error)| parallel::stop(vec![(path, error)], 0))?;
    let (files, mut mismatches) = match plan.next_files(&listing) {
        Ok(files) => (files, Vec::new()),
        Err(mismatches) => (BTreeMap::new(), mismatches),
    };
    let unwritten = unwritten(work, &listing).await;
    mismatches.extend(
        unwritten.into_iter().filter(|one| !mismatches.iter().any(|known| known.path == one.path)).collect::<Vec<_>>(),
    );
    if mismatches.is_empty() { Ok(files) } else { Err(not_verified(plan, mismatches)) }
}

/// The uploads over something that looks as it did before, its time included: whether anything was written is known only
/// by its content. (Every write was seen to move the time; that it always does is not documented.) They are so few that
/// one is looked at after the other.
async fn unwritten(work: &Work<'_>, listing: &BTreeMap<RelativePath, Seen>) -> Vec<Mismatch> {
    let mut unwritten = Vec::new();
    for upload in &work.plan.uploads {
        let as_before = upload.over.as_ref().is_some_and(|over| listing.get(&upload.path) == Some(&over.seen));
        let at = work.plan.at(&upload.path);
        if as_before && !upload::has_arrived(work.target.workspace, at.as_str(), &upload.local).await {
            let what = "was sent, and does not hold what was sent".to_owned();
            unwritten.push(Mismatch { path: upload.path.clone(), what });
        }
    }
    unwritten
}

fn not_verified(plan: &Plan, mut mismatches: Vec<Mismatch>) -> Stop {
    const SHOWN: usize = 10;
    let hint = "somebody else may be changing the folder: run the step again";
    mismatches.sort_by(|a, b| a.path.cmp(&b.path));
    let mut problems: Vec<Problem> = mismatches
        .iter()
        .take(SHOWN)
        .map(|one| Problem::new(Code::NotVerified, one.what.clone()).at(plan.at(&one.path).to_string()).hint(hint))
        .collect();
    if let Some(more) = mismatches.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        problems.push(Problem::new(Code::NotVerified, format!("… and {more} more")).hint(hint));
    }
    Stop { exit: Exit::Deploy, problems }
}

/// Makes the folder of the records where there is none: meanwhile something else is waited for anyway.
async fn records_folder(work: &Work<'_>) -> Result<(), Stop> {
    if work.observed.has_records || work.plan.end != End::WriteState {
        return Ok(());
    }
    let folder = work.plan.root.join(FOLDER).to_string();
    let made = work.target.workspace.make_folder(&folder).await;
    made.map_err(|error| parallel::stop(vec![(folder, error)], 0))
}

async fn write_state(work: &Work<'_>, files: BTreeMap<RelativePath, FileRecord>) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    if plan.changes_nothing() && !plan.records_change && work.observed.state.is_some() {
        return Ok(());
    }
    let before = work.observed.state.clone().unwrap_or_else(|| State::new(target.owner.clone()));
    let state = before.succeeded_by(work.by.clone(), files);
    let file = target.state_file().to_string();
    let refused = |error: Error| parallel::stop(vec![(file.clone(), error)], 0);
    let json = Bytes::from(state.to_json());
    target.workspace.put(&file, json, Format::Auto, true).await.map_err(refused)?;
    Ok(())
}

/// Removes our records; copies of edited objects are somebody's work and stay.
async fn remove_records(work: &Work<'_>, then_root: bool) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    if !work.observed.has_records && !then_root {
        return Ok(());
    }
    let folder = plan.root.join(FOLDER);
    let mut steps = vec![folder.join(FILE).to_string(), folder.to_string()];
    if then_root {
        steps.push(plan.root.to_string());
    }
    for at in steps {
        match target.workspace.delete(&at).await {
            Ok(()) => {}
            Err(error) if error.meaning() == Some(Meaning::NotEmpty) => return stays(work, at).await,
            Err(error) => return Err(parallel::stop(vec![(at, error)], 0)),
        }
    }
    Ok(())
}

/// Says why a folder stays: the copies in it, by the builds that made them, or what others put there.
async fn stays(work: &Work<'_>, at: String) -> Result<(), Stop> {
    let target = &work.target;
    let drift = work.plan.root.join(FOLDER).join(DRIFT);
    let listed = target.workspace.list(drift.as_str()).await;
    let builds = match listed.map_err(|error| parallel::stop(vec![(drift.to_string(), error)], 0))? {
        Some(Listing::Folder(builds)) => builds,
        Some(Listing::Single(_)) | None => Vec::new(),
    };
    let mut copies: Vec<String> = builds.iter().map(|build| format!("`{DRIFT}/{}`", build.name())).collect();
    copies.sort();
    let (message, hint) = if copies.is_empty() {
        ("is not empty, and stays".to_owned(), "what others put there is not ours to delete; move it away")
    } else {
        let message = format!("stays, with the copies of edited objects in {}", copies.join(", "));
        (message, "they are somebody's work: delete the folder when they are not needed any more")
    };
    target.events.emit(Event::Warned(Problem::new(Code::NoEffect, message).at(at).hint(hint)));
    Ok(())
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
