//! Observes a target: what is in its folder, and what earlier deploys say that they put there. Plan, deploy and destroy
//! look through it; nothing is changed here.

mod evidence;
mod listing;
mod records;
mod rights;

pub use evidence::collect;
pub(crate) use evidence::form;
use listing::Folder;
pub(crate) use listing::all as list_all;
use records::ReadState;
pub(crate) use records::records as list_records;
pub use records::{Holder, Records};
pub use rights::{HOMES, home_of, may_not_read, may_not_write, no_home};

use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::objects::{Listing, Object, ObjectKind};
use crate::digest::Digest;
use crate::event::Emit;
use crate::exit::Exit;
use crate::pipeline::Pipeline;
use crate::plan::{Local, Ours, Remote, Seen, folders_to_list};
use crate::problem::{Code, Problem};
use crate::settings::{Settings, WorkspacePath};
use crate::state::{Accepted, Found, Journal, Owner, RelativePath, State};
use crate::stop::Stop;
use std::collections::BTreeMap;

/// A target's folder in a workspace, and who we are to it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The workspace.
    pub workspace: &'a Workspace,
    /// The folder.
    pub root: &'a WorkspacePath,
    /// Who deploys.
    pub owner: &'a Owner,
    /// Where to tell what is odd.
    pub events: &'a dyn Emit,
}

/// What was observed.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What is in the folder.
    pub remote: Remote,
    /// Which of our records are there.
    pub records: Records,
    /// Who holds the lock, if somebody does.
    pub holder: Option<Holder>,
    /// What earlier deploys say; `None` where there is nothing that can be believed.
    pub state: Option<State>,
    /// The digest of the state's bytes, whatever they say.
    pub state_digest: Option<Digest>,
    /// The same, as a plan sees it.
    pub ours: Ours,
    /// What deploys that did not end were about to write.
    pub journal: Option<Journal>,
    /// Why a state that is there is not believed.
    pub damaged: Option<Problem>,
    /// Why a journal that is there is not believed.
    pub damaged_journal: Option<Problem>,
}

impl Target<'_> {
    /// The folder itself; `None` where it is not there, or not for us.
    pub async fn folder(&self) -> Result<Option<Object>, Stop> {
        let found = self.workspace.object(self.root.as_str()).await;
        match found.map_err(|error| stop(&error, self.root.as_str()))? {
            Some(object) if !matches!(object.kind, ObjectKind::Folder | ObjectKind::GitFolder) => {
                Err(no_folder(self.root, &object.kind))
            }
            found => Ok(found),
        }
    }

    /// Whose the target is, by its records alone; `folder` is what [`folder`](Target::folder) has found.
    pub async fn whose(&self, folder: Option<&Object>) -> Result<Accepted, Stop> {
        let found = self.read_state().await?.found;
        if folder.is_none() && !matches!(found, Found::Nothing) {
            return Err(self.invisible());
        }
        found.accept(self.state_file().as_str(), self.owner)
    }

    /// Looks at our records, and at every folder that holds, held or will hold something of ours: one request each.
    ///
    /// The state is read before anything but the root is listed. So whoever takes the lock later, and finds the same state,
    /// the same root and nobody else's journal, knows that what was listed is as it was.
    pub async fn observe(&self, local: &BTreeMap<RelativePath, Local>) -> Result<Observed, Stop> {
        let (records, state, root) =
            tokio::join!(self.records(), self.read_state(), self.workspace.list(self.root.as_str()));
        let (records, ReadState { found, digest }) = (records?, state?);
        let (journal, holder) = tokio::join!(self.read_journal(&records), self.holder(&records));
        let (journal, holder) = (journal?, holder?);
        let root = match root {
            Ok(Some(Listing::Folder(objects))) => Some(Folder::of(objects)),
            Ok(Some(Listing::Single(object))) => return Err(no_folder(self.root, &object.kind)),
            Ok(None) => None,
            Err(error) => return Err(stop(&error, self.root.as_str())),
        };
        let Some(root) = root else {
            // Whoever may read a file may see the folder that it is in.
            if !matches!(found, Found::Nothing) {
                return Err(self.invisible());
            }
            return Ok(Observed::default());
        };
        if let Some(kind) = root.records.as_ref().filter(|kind| **kind != ObjectKind::Folder) {
            return Err(in_the_way(&self.records_folder(), kind, "a folder"));
        }
        let file = self.state_file();
        if matches!(found, Found::Unreadable(_)) {
            self.is_a_file(&file).await?;
        }
        let accepted = found.accept(file.as_str(), self.owner)?;
        let (journal, damaged_journal) = self.unfinished(journal).await?;
        let ours = Ours::of(accepted.state.as_ref(), journal.as_ref());
        let wanted = folders_to_list(local, &ours);
        let remote = listing::below(self.workspace, self.root, root, &wanted)
            .await
            .map_err(|(path, error)| stop(&error, &path))?;
        Ok(Observed {
            remote,
            records,
            holder,
            state: accepted.state,
            state_digest: digest,
            ours,
            journal,
            damaged: accepted.warning,
            damaged_journal,
        })
    }

    /// What lies right in the root now.
    pub(crate) async fn top(&self) -> Result<BTreeMap<RelativePath, Seen>, Stop> {
        let listed = listing::all(self.workspace, self.root, std::slice::from_ref(self.root)).await;
        listed.map_err(|(path, error)| stop(&error, &path))
    }

    fn invisible(&self) -> Stop {
        let message =
            "was deployed to before, and cannot be listed by this identity (the workspace says that it does not exist)";
        Stop::because(
            Exit::Deploy,
            Problem::new(Code::PermissionDenied, message).at(self.root.to_string()).hint(
                "give the identity the permission CAN_MANAGE on the folder, or log in as the one that deployed it",
            ),
        )
    }
}

/// Who deploys, by the repository and the settings.
pub fn owner(pipeline: &Pipeline, settings: &Settings) -> Owner {
    Owner::new(
        pipeline.repository.as_deref(),
        pipeline.repository_uuid.as_deref(),
        settings.local_path.as_deref().unwrap_or("."),
        settings.target.as_deref().unwrap_or_default(),
    )
}

/// Something of another kind stands where our records go.
fn in_the_way(path: &WorkspacePath, kind: &ObjectKind, wanted: &str) -> Stop {
    let kind = kind.with_article();
    let message = format!("is {kind}, and the pipe keeps its records in {wanted} of this name");
    let problem = Problem::new(Code::TypeMismatch, message).at(path.to_string());
    Stop::because(Exit::Conflict, problem.hint("move it away or delete it; nothing was touched"))
}

/// Something that can hold nothing stands where the target's folder goes.
fn no_folder(root: &WorkspacePath, kind: &ObjectKind) -> Stop {
    let message = format!("is {}, and the target is a folder", kind.with_article());
    let problem = Problem::new(Code::TypeMismatch, message).at(root.to_string());
    let hint = "choose another `WORKSPACE_PATH`, or move away what is there; nothing was touched";
    Stop::because(Exit::Conflict, problem.hint(hint))
}

/// The end of looking around: nothing has been changed.
pub(crate) fn stop(error: &Error, path: &str) -> Stop {
    let exit = if error.is_about_identity() { Exit::Identity } else { Exit::Deploy };
    let problem = error.problem();
    let problem = match error.meaning() {
        Some(Meaning::PermissionDenied) => may_not_read(Some(&problem.message)),
        _ => problem,
    };
    Stop::because(exit, problem.at(path))
}
