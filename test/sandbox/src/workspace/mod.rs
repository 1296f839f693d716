//! The tree of workspace objects.

mod detect;
pub(crate) mod export;
pub(crate) mod path;
mod tree;

pub(crate) use detect::{Detected, auto, has_header, header, jupyter_language};
pub(crate) use path::WorkspacePath;
pub(crate) use tree::Tree;

use bytes::Bytes;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A notebook.
    Notebook,
    /// A file.
    File,
    /// A dashboard (`.lvdash.json`).
    Dashboard,
    /// A Lakeflow Designer file (`.designer.ipynb`).
    DesignerFile,
}

impl Kind {
    /// The name on the wire, such as `NOTEBOOK`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Directory => "DIRECTORY",
            Kind::Notebook => "NOTEBOOK",
            Kind::File => "FILE",
            Kind::Dashboard => "DASHBOARD",
            Kind::DesignerFile => "DESIGNER_FILE",
        }
    }
}

/// The language of a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Python.
    Python,
    /// R.
    R,
    /// Scala.
    Scala,
    /// SQL.
    Sql,
}

impl Language {
    /// The name on the wire, such as `PYTHON`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Language::Python => "PYTHON",
            Language::R => "R",
            Language::Scala => "SCALA",
            Language::Sql => "SQL",
        }
    }

    /// Reads the name on the wire. Case counts.
    pub(crate) fn from_name(name: &str) -> Option<Language> {
        [Language::Python, Language::R, Language::Scala, Language::Sql].into_iter().find(|known| known.name() == name)
    }
}

/// An object, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// The language, of a notebook.
    pub language: Option<Language>,
    /// Whether a notebook was imported as Jupyter.
    pub jupyter: bool,
    /// The bytes as they were sent; empty for a folder.
    pub bytes: Bytes,
    /// The id: kept when it is overwritten, another one when it is deleted and made again.
    pub object_id: i64,
    /// How many bytes it has.
    pub size: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_at: i64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_at: i64,
}
