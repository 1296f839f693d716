//! Notebooks, files and folders.

mod delete;
mod export;
mod import;
mod list;

pub use export::{EXPORT_LIMIT, Export, Exported};
pub use import::{Format, Import, Put};
pub use list::Listing;

use super::Workspace;
use super::error::{self, Error, Meaning};
use crate::http::{Class, Repeat};
use crate::source::Language;
use crate::text;
use serde::{Deserialize, Serialize};

/// An object in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path, as the service spells it: with `/Workspace` in front or without, whatever was asked for.
    pub path: String,
    /// What it is.
    pub kind: ObjectKind,
    /// A notebook's language.
    pub language: Option<Language>,
    /// The service's own number for it: the same when it is overwritten, another one when it is deleted and made again.
    pub object_id: i64,
    /// When it was last written, in milliseconds since 1970; folders may have none. Writing the same moves it too, so a
    /// changed time is no changed content.
    pub modified_at: Option<i64>,
    /// Its size in bytes; only files have one.
    pub size: Option<u64>,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A notebook.
    Notebook,
    /// A file.
    File,
    /// A dashboard.
    Dashboard,
    /// A folder.
    Folder,
    /// A checkout of a Git repository. Its content is the repository's, not ours to write into.
    GitFolder,
    /// Anything else, in the service's own word.
    Other(String),
}

impl ObjectKind {
    /// In words: `a notebook`.
    pub fn with_article(&self) -> String {
        match self {
            ObjectKind::Notebook => "a notebook".to_owned(),
            ObjectKind::File => "a file".to_owned(),
            ObjectKind::Dashboard => "a dashboard".to_owned(),
            ObjectKind::Folder => "a folder".to_owned(),
            ObjectKind::GitFolder => "a Git folder".to_owned(),
            ObjectKind::Other(word) => format!("an object of type {}", text::one_line(word)),
        }
    }
}

impl Object {
    /// The last segment of its path: its name, however the service spells what is above it.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

#[derive(Serialize)]
struct WirePath<'a> {
    path: &'a str,
}

/// `ObjectInfo`, as `get-status` and `list` answer it. It has neither ETag nor digest.
#[derive(Deserialize)]
struct WireObject {
    path: String,
    object_type: String,
    object_id: i64,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    modified_at: Option<i64>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    directory_info: Option<WireDirectory>,
}

/// Git folders outside of `/Repos` are listed as folders (databricks/cli, fake_workspace.go).
#[derive(Deserialize)]
struct WireDirectory {
    #[serde(default)]
    is_git_folder: bool,
}

impl From<WireObject> for Object {
    fn from(wire: WireObject) -> Object {
        Object {
            kind: match wire.object_type.as_str() {
                "NOTEBOOK" => ObjectKind::Notebook,
                "FILE" => ObjectKind::File,
                "DASHBOARD" => ObjectKind::Dashboard,
                "REPO" => ObjectKind::GitFolder,
                "DIRECTORY" if wire.directory_info.is_some_and(|info| info.is_git_folder) => ObjectKind::GitFolder,
                "DIRECTORY" => ObjectKind::Folder,
                _ => ObjectKind::Other(wire.object_type),
            },
            path: wire.path,
            language: wire.language.as_deref().and_then(language_of),
            object_id: wire.object_id,
            modified_at: wire.modified_at,
            size: wire.size,
        }
    }
}

impl Workspace {
    /// What is at `path`; `None` where nothing is, or nothing that we may see (the service does not tell which).
    pub async fn object(&self, path: &str) -> Result<Option<Object>, Error> {
        let query = vec![("path", path.to_owned())];
        match self.get::<WireObject>(Class::Control, "/api/2.0/workspace/get-status", query).await {
            Ok(object) => Ok(Some(object.into())),
            Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the folder and all above it; a folder that is there already is no error.
    pub async fn make_folder(&self, path: &str) -> Result<(), Error> {
        let call = super::post(Class::Import, Repeat::Always, "/api/2.0/workspace/mkdirs", &WirePath { path });
        self.order(&call, error::classify).await
    }
}

fn language_of(word: &str) -> Option<Language> {
    match word {
        "PYTHON" => Some(Language::Python),
        "R" => Some(Language::R),
        "SCALA" => Some(Language::Scala),
        "SQL" => Some(Language::Sql),
        _ => None,
    }
}

fn word_of(language: Language) -> &'static str {
    match language {
        Language::Python => "PYTHON",
        Language::R => "R",
        Language::Scala => "SCALA",
        Language::Sql => "SQL",
    }
}
