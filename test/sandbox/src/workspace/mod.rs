//! The tree of workspace objects.

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
