//! Our records in a target, as they are: which are there, and what state, journal and lock say.

use super::{Target, in_the_way, stop};
use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported, Listing, ObjectKind};
use crate::digest::Digest;
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{FILE, FOLDER, Found, FoundJournal, JOURNAL, Journal, Lock, State};
use crate::stop::Stop;
use crate::text;
use std::collections::BTreeSet;

/// Which records are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Whether their folder is.
    pub folder: bool,
    /// Whether there is a state.
    pub state: bool,
    /// Whether there is a journal.
    pub journal: bool,
    /// The generations of the locks. One that is no file counts too: its name cannot be taken.
    pub locks: BTreeSet<u64>,
}

impl Records {
    /// The generation that holds the lock, if one does.
    pub fn highest(&self) -> Option<u64> {
        self.locks.last().copied()
    }

    fn of(objects: &[crate::databricks::objects::Object]) -> Records {
        let has = |name: &str| objects.iter().any(|object| object.name() == name);
        let locks = objects.iter().filter_map(|object| Lock::generation(object.name()));
        Records { folder: true, state: has(FILE), journal: has(JOURNAL), locks: locks.collect() }
    }
}

/// Lists the records in `folder`; the error beside it is what stands in its place.
pub(crate) async fn records(
    workspace: &Workspace,
    folder: &WorkspacePath,
) -> Result<Result<Records, ObjectKind>, Error> {
    Ok(match workspace.list(folder.as_str()).await? {
        Some(Listing::Folder(objects)) => Ok(Records::of(&objects)),
        Some(Listing::Single(object)) => Err(object.kind),
        None => Ok(Records::default()),
    })
}

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq)]
pub struct Holder {
    /// The generation.
    pub generation: u64,
    /// What the file says; why it cannot be read, as the end of a sentence that starts with the file.
    pub lock: Result<Lock, String>,
}

impl Holder {
    /// The page of the build that holds the lock, where it is one that can be shown.
    pub fn link(&self) -> Option<String> {
        self.lock.as_ref().ok().and_then(|lock| lock.held_by.page())
    }
}

/// What the state said, and in which bytes: whether it is still the same is asked once the lock is held.
pub(super) struct ReadState {
    pub(super) found: Found,
    pub(super) digest: Option<Digest>,
}

impl Target<'_> {
    /// Where the records are.
    pub fn records_folder(&self) -> WorkspacePath {
        self.root.join(FOLDER)
    }

    /// Where the state is.
    pub fn state_file(&self) -> WorkspacePath {
        self.records_folder().join(FILE)
    }

    /// Where the journal is.
    pub fn journal_file(&self) -> WorkspacePath {
        self.records_folder().join(JOURNAL)
    }

    /// Where the lock of a generation is.
    pub fn lock_file(&self, generation: u64) -> WorkspacePath {
        self.records_folder().join(&Lock::file(generation))
    }

    /// Which records are there.
    pub async fn records(&self) -> Result<Records, Stop> {
        let folder = self.records_folder();
        match records(self.workspace, &folder).await {
            Ok(Ok(records)) => Ok(records),
            Ok(Err(kind)) => Err(in_the_way(&folder, &kind, "a folder")),
            Err(error) => Err(stop(&error, folder.as_str())),
        }
    }

    /// Who holds the lock, where one is there.
    pub async fn holder(&self, records: &Records) -> Result<Option<Holder>, Stop> {
        let Some(generation) = records.highest() else { return Ok(None) };
        let file = self.lock_file(generation);
        let lock = match self.workspace.export(file.as_str(), Export::File { size: None }).await {
            Ok(Exported::Content(bytes)) => Lock::read(&bytes),
            Ok(Exported::TooLarge) => Err("is far too large for one".to_owned()),
            // It was released meanwhile.
            Ok(Exported::Missing) => return Ok(None),
            Err(error) if error.is_about_one_object() => Err("cannot be read".to_owned()),
            Err(error) => return Err(stop(&error, file.as_str())),
        };
        Ok(Some(Holder { generation, lock }))
    }

    /// Whoever holds the lock, in words: `build 42 of acme/etl`; our own repository is not named.
    pub fn whom(&self, holder: &Holder) -> String {
        let lock = match &holder.lock {
            Ok(lock) => lock,
            Err(why) => {
                return format!("somebody unknown ({} {})", self.lock_file(holder.generation), text::one_line(why));
            }
        };
        let build = lock.held_by.build.as_ref();
        let build = build.map_or_else(|| "another process".to_owned(), |build| format!("build {build}"));
        let whom = if lock.owner == *self.owner { build } else { format!("{build} of {}", lock.owner) };
        text::excerpt(&whom, text::EXCERPT)
    }

    pub(super) async fn read_state(&self) -> Result<ReadState, Stop> {
        Ok(match self.export_record(&self.state_file()).await? {
            Exported::Content(bytes) => {
                ReadState { found: State::read(&bytes, self.owner), digest: Some(Digest::of(&bytes)) }
            }
            Exported::TooLarge => {
                ReadState { found: Found::Unreadable("is far too large for one".into()), digest: None }
            }
            Exported::Missing => ReadState { found: Found::Nothing, digest: None },
        })
    }

    /// The digest of the state as it is now; `None` where there is none, or none that can be read.
    pub(crate) async fn state_digest(&self) -> Result<Option<Digest>, Stop> {
        Ok(match self.export_record(&self.state_file()).await? {
            Exported::Content(bytes) => Some(Digest::of(&bytes)),
            Exported::TooLarge | Exported::Missing => None,
        })
    }

    pub(super) async fn read_journal(&self, records: &Records) -> Result<FoundJournal, Stop> {
        if !records.journal {
            return Ok(FoundJournal::Nothing);
        }
        Ok(match self.export_record(&self.journal_file()).await? {
            Exported::Content(bytes) => Journal::read(&bytes, self.owner),
            Exported::TooLarge => FoundJournal::Unreadable("is far too large for one".into()),
            Exported::Missing => FoundJournal::Nothing,
        })
    }

    /// What a record holds. What is no file stops everything.
    async fn export_record(&self, file: &WorkspacePath) -> Result<Exported, Stop> {
        match self.workspace.export(file.as_str(), Export::File { size: None }).await {
            // Which objects the service does not give back as they are is not documented: see what it is.
            Err(error) if error.is_about_one_object() => {
                self.is_a_file(file).await?;
                Err(stop(&error, file.as_str()))
            }
            exported => exported.map_err(|error| stop(&error, file.as_str())),
        }
    }

    /// What deploys that did not end were about to write, if somebody of ours left it, or why it is not believed.
    pub(super) async fn unfinished(&self, found: FoundJournal) -> Result<(Option<Journal>, Option<Problem>), Stop> {
        let file = self.journal_file();
        match found {
            FoundJournal::Nothing => Ok((None, None)),
            FoundJournal::Ours(journal) => Ok((Some(*journal), None)),
            FoundJournal::Foreign(whose) => {
                Found::Foreign(whose).accept(file.as_str(), self.owner).map(|_| (None, None))
            }
            FoundJournal::Newer { schema, by } => {
                Found::Newer { schema, by }.accept(file.as_str(), self.owner).map(|_| (None, None))
            }
            FoundJournal::Unreadable(why) => {
                self.is_a_file(&file).await?;
                let message = format!("the journal of a deploy that did not end {why}; it counts as lost");
                let hint = "what that deploy changed looks like an edit, about which `ON_DRIFT` decides; what it made \
                            anew looks like somebody else's: where that stops the deploy, delete it";
                Ok((None, Some(Problem::new(Code::DamagedState, message).at(file.to_string()).hint(hint))))
            }
        }
    }

    /// What is no file cannot be written over: better to know before everything else is done.
    pub(super) async fn is_a_file(&self, path: &WorkspacePath) -> Result<(), Stop> {
        match self.workspace.object(path.as_str()).await.map_err(|error| stop(&error, path.as_str()))? {
            Some(object) if object.kind != ObjectKind::File => Err(in_the_way(path, &object.kind, "a file")),
            Some(_) | None => Ok(()),
        }
    }
}
