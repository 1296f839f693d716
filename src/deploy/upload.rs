//! Folders first, then everything in them, many at a time.

use super::parallel::in_parallel;
use super::verify::{Arrivals, folder_of};
use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Exported, Format, Import};
use crate::event::{Emit, Event};
use crate::plan::{Local, Plan};
use crate::source::{Kind, fingerprint};
use crate::stop::Stop;
use crate::target::form;
use std::sync::Arc;
use std::time::SystemTime;

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

/// Uploads all objects of the plan, and looks at each folder when all of its objects have arrived.
pub(super) async fn objects(workspace: &Workspace, plan: &Plan, events: &dyn Emit) -> Result<Arrivals, Stop> {
    let total = plan.uploads.len();
    let arrivals = Arc::new(Arrivals::of(plan));
    let each = plan.uploads.iter().map(|upload| {
        let (workspace, to, local) = (workspace.clone(), plan.at(&upload.path).to_string(), upload.local.clone());
        let path = upload.path.clone();
        let (arrivals, folder) = (Arc::clone(&arrivals), folder_of(plan, &upload.path));
        async move {
            let sent = send(&workspace, &to, &local).await;
            if let Ok(date) = &sent {
                arrivals.arrived(&workspace, &folder, path, *date).await;
            }
            (to, sent.map(drop))
        }
    });
    in_parallel(each, 0, |done| events.emit(Event::DeployProgress { done, total })).await?;
    // All futures have ended, and with them their claims; one that is left would only cost a second look.
    Ok(Arc::try_unwrap(arrivals).unwrap_or_else(|_| Arrivals::of(plan)))
}

/// Uploads one object; a folder that vanished since it was made is made again, once. Where the workspace does not say
/// whether the upload took effect, or says that the object exists, what is there is looked at. Returns the service's date
/// of the upload, where it told one.
async fn send(workspace: &Workspace, to: &str, local: &Local) -> Result<Option<SystemTime>, Error> {
    let import = import_of(to, local);
    let sent = match workspace.import(&import).await {
        Err(error) if error.meaning() == Some(Meaning::ParentMissing) => {
            if let Some((parent, _)) = to.rsplit_once('/') {
                workspace.make_folder(parent).await?;
            }
            workspace.import(&import).await
        }
        other => other,
    };
    match sent {
        Err(error) if error.is_uncertain() || error.meaning() == Some(Meaning::AlreadyExists) => {
            if has_arrived(workspace, to, local).await { Ok(None) } else { Err(error) }
        }
        other => other,
    }
}

/// Whether the content that was sent is what is there.
pub(super) async fn has_arrived(workspace: &Workspace, to: &str, local: &Local) -> bool {
    let size = (local.kind == Kind::File).then_some(local.size);
    match workspace.export(to, form(local.kind, size)).await {
        Ok(Exported::Content(content)) => fingerprint(local.kind, &content) == Some(local.fingerprint),
        _ => false,
    }
}

fn import_of(to: &str, local: &Local) -> Import {
    Import {
        path: to.to_owned(),
        format: match local.kind {
            Kind::SourceNotebook(language) => Format::Source(language),
            Kind::JupyterNotebook(_) => Format::Jupyter,
            Kind::Dashboard | Kind::File => Format::Auto,
        },
        file: local.source.clone(),
        length: local.size,
        digest: local.digest,
    }
}
