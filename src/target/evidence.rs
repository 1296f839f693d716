//! Looks at the content of objects that look changed.

use super::stop;
use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported};
use crate::plan::{Evidence, Suspect};
use crate::settings::WorkspacePath;
use crate::source::{Kind, fingerprint};
use crate::state::RelativePath;
use crate::stop::Stop;
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

/// How many contents are looked at together: each may be 10 MiB, and all of them are in memory.
const TOGETHER: usize = 4;

/// Exports what is suspicious and takes its digests.
pub async fn collect(
    workspace: &Workspace,
    root: &WorkspacePath,
    suspects: Vec<Suspect>,
) -> Result<BTreeMap<RelativePath, Evidence>, Stop> {
    let mut waiting = suspects.into_iter();
    let mut under_way = JoinSet::new();
    let mut evidence = BTreeMap::new();
    loop {
        while under_way.len() < TOGETHER {
            let Some(suspect) = waiting.next() else { break };
            let (workspace, at) = (workspace.clone(), root.join(suspect.path.as_str()));
            under_way.spawn(async move {
                let seen = look(&workspace, &at, &suspect).await;
                (suspect.path, at, seen)
            });
        }
        let Some(ended) = under_way.join_next().await else { return Ok(evidence) };
        // One that could not be looked at counts as such; see `plan::compute`.
        let Ok((path, at, seen)) = ended else { continue };
        evidence.insert(path, seen.map_err(|error| stop(&error, at.as_str()))?);
    }
}

async fn look(workspace: &Workspace, at: &WorkspacePath, suspect: &Suspect) -> Result<Evidence, Error> {
    let mut digests = BTreeSet::new();
    let mut exports: Vec<(Export, Vec<Kind>)> = Vec::new();
    for kind in &suspect.compare_as {
        let export = form(*kind, suspect.seen.size);
        match exports.iter_mut().find(|(known, _)| *known == export) {
            Some((_, kinds)) => kinds.push(*kind),
            None => exports.push((export, vec![*kind])),
        }
    }
    for (export, kinds) in exports {
        match workspace.export(at.as_str(), export).await {
            Ok(Exported::Content(content)) => {
                digests.extend(kinds.into_iter().filter_map(|kind| fingerprint(kind, &content)));
            }
            Ok(Exported::Missing) => return Ok(Evidence::Gone),
            Ok(Exported::TooLarge) => {
                return Ok(Evidence::Unexportable("is larger than the workspace gives back".to_owned()));
            }
            Err(error) if error.is_about_one_object() => {
                return Ok(Evidence::Unexportable(format!("cannot be read: {}", error.problem().message)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Evidence::Content(digests))
}

/// In which form the service is asked for the content of an object of this kind.
pub(crate) fn form(kind: Kind, size: Option<u64>) -> Export {
    match kind {
        Kind::SourceNotebook(_) => Export::Source,
        Kind::JupyterNotebook(_) => Export::Jupyter,
        Kind::Dashboard | Kind::File => Export::File { size },
    }
}
