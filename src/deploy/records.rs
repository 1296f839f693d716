//! Our records in the target: written when all has arrived, removed with what they are about.

use super::lock::Held;
use super::{Work, lock, parallel};
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Format, Listing};
use crate::event::Event;
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{DRIFT, FOLDER, FileRecord, Journal, RelativePath, State};
use crate::stop::Stop;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Notes what is about to be written, before the first change: whatever becomes of this process, the next deploy knows
/// its own. What earlier ones noted that did not end stays noted. A plan that only deletes has nothing to note but that it was
/// begun: whoever has observed the target before that has to look again.
pub(super) async fn begin(work: &Work<'_>) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    if plan.touches_nothing() {
        return Ok(());
    }
    let writes = plan.uploads.iter().map(|upload| (upload.path.clone(), upload.local.intended()));
    let journal = Journal::of(target.owner, work.by.clone(), &work.observed.ours.accepted, writes);
    let file = target.journal_file().to_string();
    let put = target.workspace.put(&file, Bytes::from(journal.to_json()), Format::Auto, true).await;
    put.map_err(|error| parallel::stop(vec![(file, error)], 0))?;
    Ok(())
}

pub(super) async fn write(work: &Work<'_>, files: BTreeMap<RelativePath, FileRecord>) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    let before = work.observed.state.clone().unwrap_or_else(|| State::new(target.owner.clone()));
    let state = before.succeeded_by(work.by.clone(), files, work.held.map(Held::generation).unwrap_or_default());
    let file = target.state_file().to_string();
    let refused = |error: Error| parallel::stop(vec![(file.clone(), error)], 0);
    let json = Bytes::from(state.to_json());
    target.workspace.put(&file, json, Format::Auto, true).await.map_err(refused)?;
    if work.observed.records.journal || !plan.touches_nothing() {
        delete(work, &target.journal_file()).await?;
    }
    Ok(())
}

async fn delete(work: &Work<'_>, at: &WorkspacePath) -> Result<(), Stop> {
    let deleted = work.target.workspace.delete_record(at.as_str()).await;
    deleted.map_err(|error| parallel::stop(vec![(at.to_string(), error)], 0))
}

/// Removes our records; copies of edited objects are somebody's work and stay.
pub(super) async fn remove(work: &Work<'_>, then_root: bool) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    // The journal last: as long as it is there, everybody sees that something was begun.
    for record in [target.state_file(), target.journal_file()] {
        delete(work, &record).await?;
    }
    // The folder is not empty before that; whoever takes the lock now keeps it from being deleted.
    work.keeper.release(lock::RELEASE, target.events).await;
    let root = plan.root.clone();
    // What the workspace has by itself nobody made.
    let then_root = (then_root && !root.is_given()).then_some(root);
    for at in [target.records_folder()].into_iter().chain(then_root) {
        match target.workspace.delete(at.as_str()).await {
            Ok(()) => {}
            Err(error) if error.meaning() == Some(Meaning::NotEmpty) => return stays(work, at.to_string()).await,
            Err(error) => return Err(parallel::stop(vec![(at.to_string(), error)], 0)),
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
