//! Notebooks, files and folders.

use super::Workspace;
use super::error::{self, Error, Meaning};
use crate::http::{Answer, Body, Call, Class, Method, Part, PartContent, Repeat, Verdict};
use crate::source::Language;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An object in the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its path, as the service spells it.
    pub path: String,
    /// What it is.
    pub kind: ObjectKind,
    /// A notebook's language.
    pub language: Option<Language>,
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A notebook.
    Notebook,
    /// A file.
    File,
    /// A folder; a Git folder too.
    Folder,
    /// Anything else, in the service's own word.
    Other(String),
}

/// How an upload is to be understood by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A notebook in source form, at exactly the path given.
    Source(Language),
    /// A Jupyter notebook, at exactly the path given.
    Jupyter,
    /// The service decides by extension and first line; what is no notebook keeps its path and bytes.
    Auto,
}

/// One upload.
#[derive(Clone, Debug)]
pub struct Import {
    /// Where it goes.
    pub path: String,
    /// How it is to be understood.
    pub format: Format,
    /// The local file.
    pub file: PathBuf,
    /// Its length in bytes.
    pub length: u64,
}

#[derive(Serialize)]
struct WirePath<'a> {
    path: &'a str,
}

#[derive(Deserialize)]
struct WireObject {
    path: String,
    object_type: String,
    #[serde(default)]
    language: Option<String>,
}

impl Workspace {
    /// What is at `path`; `None` where nothing is, or nothing that we may see (the service does not tell which).
    pub async fn object(&self, path: &str) -> Result<Option<Object>, Error> {
        let query = vec![("path", path.to_owned())];
        let object: WireObject = match self.get(Class::Control, "/api/2.0/workspace/get-status", query).await {
            Ok(object) => object,
            Err(error) if error.meaning() == Some(Meaning::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Object {
            path: object.path,
            kind: match object.object_type.as_str() {
                "NOTEBOOK" => ObjectKind::Notebook,
                "FILE" => ObjectKind::File,
                "DIRECTORY" | "REPO" => ObjectKind::Folder,
                other => ObjectKind::Other(other.to_owned()),
            },
            language: object.language.as_deref().and_then(language_of),
        }))
    }

    /// Makes the folder and all above it; a folder that is there already is no error.
    pub async fn make_folder(&self, path: &str) -> Result<(), Error> {
        let call = super::post(Class::Import, Repeat::Always, "/api/2.0/workspace/mkdirs", &WirePath { path });
        self.order(&call, error::classify).await
    }

    /// Uploads one object over whatever of its kind is there. Multipart, because the JSON form ends at 10 MiB.
    pub async fn import(&self, import: &Import) -> Result<(), Error> {
        let text = |name, text: &str| Part { name, content: PartContent::Text(text.to_owned()) };
        let mut parts = vec![text("path", &import.path), text("overwrite", "true")];
        match import.format {
            Format::Source(language) => {
                parts.push(text("format", "SOURCE"));
                parts.push(text("language", word_of(language)));
            }
            Format::Jupyter => parts.push(text("format", "JUPYTER")),
            Format::Auto => parts.push(text("format", "AUTO")),
        }
        let content = PartContent::File { path: import.file.clone(), length: import.length };
        parts.push(Part { name: "content", content });
        let call = Call {
            method: Method::POST,
            path: "/api/2.0/workspace/import".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Multipart(parts),
            class: Class::Import,
            repeat: Repeat::Always,
            patience: None,
        };
        self.order(&call, classify_import).await
    }
}

/// How often a lost race is run again: a rival that wins more often is no rival, but something else.
const RACES: u32 = 5;

/// Imports with `overwrite` sometimes lose a race against themselves and say that the object exists: passing trouble
/// (databricks/cli issue 3386 for the 400, a measured 409 for parallel imports).
fn classify_import(answer: &Answer) -> Verdict {
    match error::classify(answer) {
        Verdict::Fail
            if answer.attempts < RACES && error::ApiError::read(answer).meaning() == Meaning::AlreadyExists =>
        {
            Verdict::Retry
        }
        verdict => verdict,
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
