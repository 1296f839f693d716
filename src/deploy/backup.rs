//! Keeps somebody's edit safe before it is overwritten or deleted: a copy in the workspace, looked at after it was made,
//! and another one beside the outputs.

use super::Copies;
use super::create::{Created, create};
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported, Format};
use crate::disk;
use crate::exit::Exit;
use crate::plan::{Backup, Plan, SeenKind};
use crate::problem::{Code, Problem};
use crate::source::{Kind, Language, fingerprint};
use crate::state::{DRIFT, FOLDER};
use crate::stop::Stop;
use crate::target::{Target, stop};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// How many copies of one object one build may make. More than one is made only where the object was edited again
/// between two attempts of a step.
const MOST_COPIES: u32 = 9;

/// Copies everything that the plan says; returns where each copy is.
pub(super) async fn all(target: &Target<'_>, plan: &Plan, copies: &Copies) -> Result<Vec<(String, String)>, Stop> {
    let mut made = Vec::new();
    let mut folders = BTreeSet::new();
    for backup in &plan.backups {
        if let Some(copy) = one(target, plan, backup, copies, &mut folders).await? {
            made.push((plan.at(&backup.path).to_string(), copy));
        }
    }
    Ok(made)
}

/// Copies one object; `None` where it went away meanwhile.
async fn one(
    target: &Target<'_>,
    plan: &Plan,
    backup: &Backup,
    copies: &Copies,
    folders: &mut BTreeSet<String>,
) -> Result<Option<String>, Stop> {
    let original = plan.at(&backup.path).to_string();
    let (export, format, kind) = forms(backup, copies.is_jupyter(&backup.path));
    let content = match target.workspace.export(&original, export).await.map_err(|error| stop(&error, &original))? {
        Exported::Content(content) => content,
        Exported::Missing => return Ok(None),
        Exported::TooLarge => return Err(unsafe_to_touch(&original, "it is larger than the workspace gives back")),
    };
    for number in 1..=MOST_COPIES {
        let build = if number == 1 { copies.build.clone() } else { format!("{}.{number}", copies.build) };
        let copy = target.root.join(FOLDER).join(DRIFT).join(&build).join(backup.path.as_str()).to_string();
        let refused = |error: &Error| stop(error, &copy);
        if let Some((folder, _)) = copy.rsplit_once('/')
            && folders.insert(folder.to_owned())
        {
            target.workspace.make_folder(folder).await.map_err(|error| refused(&error))?;
        }
        let workspace = target.workspace;
        let write = || workspace.put(&copy, content.clone(), format, false);
        let created = create(workspace, &copy, export, write).await.map_err(|error| refused(&error))?;
        // What was written is looked at too: the original is about to be touched.
        let (new, there) = match created {
            Created::Written => (true, workspace.export(&copy, export).await.map_err(|error| refused(&error))?),
            Created::Found(there) => (false, there),
        };
        if matches!(&there, Exported::Content(there) if fingerprint(kind, there) == fingerprint(kind, &content)) {
            copies.keep_locally(&backup.path, kind, &content);
            return Ok(Some(copy));
        }
        if new {
            return Err(unsafe_to_touch(&original, &format!("the copy at `{copy}` does not hold the same")));
        }
    }
    Err(unsafe_to_touch(&original, &format!("the build has made {MOST_COPIES} other copies of it already")))
}

/// How an object is exported, imported as a copy of the same kind, and compared.
fn forms(backup: &Backup, is_jupyter: bool) -> (Export, Format, Kind) {
    match &backup.seen.kind {
        SeenKind::Notebook(Some(language)) if !is_jupyter => {
            (Export::Source, Format::Source(*language), Kind::SourceNotebook(*language))
        }
        SeenKind::Notebook(language) => {
            let language = language.unwrap_or(Language::Python);
            (Export::Jupyter, Format::Jupyter, Kind::JupyterNotebook(language))
        }
        SeenKind::Dashboard => (Export::File { size: backup.seen.size }, Format::Auto, Kind::Dashboard),
        SeenKind::File | SeenKind::Folder | SeenKind::Other(_) => {
            (Export::File { size: backup.seen.size }, Format::Raw, Kind::File)
        }
    }
}

fn unsafe_to_touch(original: &str, why: &str) -> Stop {
    let message = format!("was edited in the workspace and cannot be kept safe: {why}");
    Stop::because(
        Exit::Deploy,
        Problem::new(Code::Drift, message)
            .at(original)
            .hint("keep it safe by hand, then set `ON_DRIFT: overwrite` for one deploy; nothing was overwritten"),
    )
}

/// Writes the copy beside the outputs, for whoever collects the step's artifacts.
pub(super) fn write(folder: &Path, path: &str, kind: Kind, content: &Bytes) -> std::io::Result<()> {
    let extension = match kind {
        Kind::SourceNotebook(Language::Python) => ".py",
        Kind::SourceNotebook(Language::R) => ".r",
        Kind::SourceNotebook(Language::Scala) => ".scala",
        Kind::SourceNotebook(Language::Sql) => ".sql",
        Kind::JupyterNotebook(_) => ".ipynb",
        Kind::Dashboard | Kind::File => "",
    };
    let file = folder.join(format!("{path}{extension}"));
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    disk::create(&file)?.write_all(content)
}
