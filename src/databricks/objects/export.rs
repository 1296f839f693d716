//! What an object holds.

use crate::databricks::error::{self, Error, Meaning};
use crate::databricks::{Workspace, get};
use crate::http::{Answer, Verdict};
use bytes::Bytes;

/// The longest export that is taken, in bytes. The service's own limit is 10 MiB; a little more is room for what it
/// counts otherwise.
pub const EXPORT_LIMIT: usize = 12 * 1024 * 1024;

/// As what an object is exported. The caller must know its kind: a folder would come as an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// A notebook in source form, whatever it was imported as.
    Source,
    /// A notebook as Jupyter.
    Jupyter,
    /// A file or a dashboard, byte for byte. `size` is what the listing said, if it did: a web page of that very length
    /// is the file, and any other may be a log-in page.
    File {
        /// In bytes.
        size: Option<u64>,
    },
}

/// What came of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exported {
    /// The content. A notebook's is not byte for byte what was imported.
    Content(Bytes),
    /// It is over the service's limit for exports, or over [`EXPORT_LIMIT`].
    TooLarge,
    /// There is nothing at the path, or nothing that we may see.
    Missing,
}

impl Workspace {
    /// The content of the object at `path`, all of it in memory: whoever asks for several at once bounds their number.
    pub async fn export(&self, path: &str, export: Export) -> Result<Exported, Error> {
        let format = match export {
            Export::Source => "SOURCE",
            Export::Jupyter => "JUPYTER",
            Export::File { .. } => "AUTO",
        };
        let query = vec![
            ("path", path.to_owned()),
            ("format", format.to_owned()),
            // Without it the content comes in base64, inside of JSON.
            ("direct_download", "true".to_owned()),
        ];
        let call = get(self.looks, "/api/2.0/workspace/export", query);
        let client = self.client.reading_at_most(EXPORT_LIMIT);
        match client.send(&call, |answer| classify(answer, export)).await.map_err(Error::from) {
            Ok(answer) => Ok(Exported::Content(answer.body)),
            Err(error) if error.is_too_long() || error.meaning() == Some(Meaning::TooLarge) => Ok(Exported::TooLarge),
            Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(Exported::Missing),
            Err(error) => Err(error),
        }
    }
}

/// A success is the content, whatever it looks like, unless it is a page that somebody else put in its place.
fn classify(answer: &Answer, export: Export) -> Verdict {
    match answer.status {
        200 if is_page(answer, export) && !is_the_file(answer, export) => Verdict::Foreign,
        200 => Verdict::Accept,
        _ => error::classify(answer),
    }
}

/// Log-in pages of a wrong host or of a proxy say what they are, and are shown by a browser, not saved. Neither the type
/// nor the disposition of an export is confirmed; `application/octet-stream` or an attachment is what a download has. A
/// notebook starts with its header or as JSON, never as a page.
fn is_page(answer: &Answer, export: Export) -> bool {
    let field = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let starts = |field: &str, word: &str| field.trim_start().to_ascii_lowercase().starts_with(word);
    let kind = field("content-type");
    let shown = (starts(kind, "text/html") || starts(kind, "application/xhtml"))
        && !starts(field("content-disposition"), "attachment");
    shown || (!matches!(export, Export::File { .. }) && answer.body.trim_ascii_start().starts_with(b"<"))
}

/// Only a file can be a page itself; if the service should send it as one, its length tells it from a page that is
/// nobody's file.
fn is_the_file(answer: &Answer, export: Export) -> bool {
    matches!(export, Export::File { size: Some(size) } if size == answer.body.len() as u64)
}
