//! Our records in the target: written when all has arrived, removed with what they are about.

use super::{Work, parallel};
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Format, Listing};
use crate::event::Event;
use crate::plan::End;
use crate::problem::{Code, Problem};
use crate::state::{DRIFT, FILE, FOLDER, FileRecord, RelativePath, State};
use crate::stop::Stop;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Makes the folder of the records where there is none: meanwhile something else is waited for anyway.
pub(super) async fn folder(work: &Work<'_>) -> Result<(), Stop> {
    if work.observed.has_records || work.plan.end != End::WriteState {
        return Ok(());
    }
    let folder = work.plan.root.join(FOLDER).to_string();
    let made = work.target.workspace.make_folder(&folder).await;
    made.map_err(|error| parallel::stop(vec![(folder, error)], 0))
}

pub(super) async fn write(work: &Work<'_>, files: BTreeMap<RelativePath, FileRecord>) -> Result<(), Stop> {
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
pub(super) async fn remove(work: &Work<'_>, then_root: bool) -> Result<(), Stop> {
    let (plan, target) = (work.plan, &work.target);
    // Without a trace of us an empty folder is somebody's, and what the workspace has by itself nobody made.
    if !work.observed.has_records {
        return Ok(());
    }
    let then_root = then_root && !plan.root.is_given();
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
