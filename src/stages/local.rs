//! The local tree.

use crate::Step;
use crate::event::Event;
use crate::exit::Exit;
use crate::plan::Local;
use crate::problem::{Code, Problem};
use crate::source::{self, LocalTree};
use crate::state::RelativePath;
use crate::stop::Stop;
use std::collections::BTreeMap;

/// Reads the local tree, on a thread of its own since it waits for the disk.
pub(crate) async fn read(step: &Step<'_>) -> Result<Option<LocalTree>, Stop> {
    let Some(files) = step.settings.files.clone() else {
        return Ok(None);
    };
    let (output_dir, secrets) = (step.settings.output_dir.clone(), step.secrets.to_vec());
    let read = tokio::task::spawn_blocking(move || source::read(&files, &output_dir, &secrets)).await;
    let tell = |ignored: &[(String, String)], warnings: &[Problem]| {
        for (path, reason) in ignored {
            step.events.emit(Event::Ignored { path: path.clone(), reason: reason.clone() });
        }
        for warning in warnings {
            step.events.emit(Event::Warned(warning.clone()));
        }
    };
    match read {
        Ok(Ok(tree)) => {
            tell(&tree.ignored, &tree.warnings);
            Ok(Some(tree))
        }
        Ok(Err(unusable)) => {
            tell(&unusable.ignored, &unusable.warnings);
            Err(Stop { exit: Exit::Settings, problems: unusable.problems })
        }
        Err(panicked) => Err(Stop::bug(&format!("reading `LOCAL_PATH` ended unexpectedly: {panicked}"))),
    }
}

/// The tree as a plan sees it.
pub(crate) fn planned(tree: &LocalTree) -> Result<BTreeMap<RelativePath, Local>, Stop> {
    let mut planned = BTreeMap::new();
    let mut problems = Vec::new();
    for file in &tree.files {
        match RelativePath::parse(&file.remote) {
            Ok(path) => {
                let local = Local {
                    kind: file.kind,
                    size: file.size,
                    digest: file.digest,
                    fingerprint: file.fingerprint,
                    source: file.path.clone(),
                };
                planned.insert(path, local);
            }
            Err(why) => problems.push(
                Problem::new(Code::InvalidName, format!("cannot be deployed: its path {why}"))
                    .at(file.relative.clone())
                    .hint("rename it, or leave it out by `EXCLUDE`"),
            ),
        }
    }
    if problems.is_empty() { Ok(planned) } else { Err(Stop { exit: Exit::Settings, problems }) }
}
