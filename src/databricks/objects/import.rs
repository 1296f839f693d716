//! Uploads: files from disk, and small content from memory.

use super::word_of;
use crate::databricks::Workspace;
use crate::databricks::error::{self, Error, Meaning};
use crate::digest::Digest;
use crate::http::{Answer, Body, Call, Class, Method, Part, PartContent, Repeat, Verdict};
use crate::source::Language;
use bytes::Bytes;
use std::path::PathBuf;
use std::time::SystemTime;

/// How an upload is to be understood by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A notebook in source form, at exactly the path given.
    Source(Language),
    /// A Jupyter notebook, at exactly the path given.
    Jupyter,
    /// The service decides by extension and first line; what is no notebook keeps its path and bytes.
    Auto,
    /// A file with exactly these bytes at exactly the path given, also where it looks like a notebook. (The service's
    /// list of formats has it; how it treats dashboards is not confirmed.)
    Raw,
}

/// One upload from disk.
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
    /// What it held when it was looked at. A file that holds something else is not sent: a local error that says so.
    pub digest: Digest,
}

/// How a [`Workspace::put`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written.
    Written,
    /// Something of this name is there, and was left alone. It may be what an earlier attempt of the same request wrote
    /// before its answer was lost: whoever has to know puts something into the content to recognise it by.
    Exists,
}

impl Workspace {
    /// Uploads one object over whatever of its kind is there. Returns what time it was at the service when it was done,
    /// to the second, where the answer says so.
    pub async fn import(&self, import: &Import) -> Result<Option<SystemTime>, Error> {
        let content = PartContent::File { path: import.file.clone(), length: import.length, digest: import.digest };
        let call = call(Class::Import, Repeat::Always, (&import.path, import.format, true), content);
        let answer = self.client.send(&call, classify_overwriting).await?;
        error::parse_done(&answer)?;
        Ok(answer.date())
    }

    /// Writes small content from memory: records, locks, copies. It goes the way that an upload storm does not block.
    ///
    /// With `overwrite`, whatever of its kind is there is replaced, and an uncertain end is repeated. Without, "it
    /// exists" is an answer, and an uncertain end is returned ([`Error::is_uncertain`]): the caller looks whether what is
    /// there is its own.
    pub async fn put(&self, path: &str, content: Bytes, format: Format, overwrite: bool) -> Result<Put, Error> {
        let repeat = if overwrite { Repeat::Always } else { Repeat::LookFirst };
        let call = call(Class::Control, repeat, (path, format, overwrite), PartContent::Bytes(content));
        if overwrite {
            return self.order(&call, classify_overwriting).await.map(|()| Put::Written);
        }
        match self.order(&call, error::classify).await {
            Ok(()) => Ok(Put::Written),
            // 400 where it was there, 409 where another import came first; a type mismatch names what is there.
            Err(error) if matches!(error.meaning(), Some(Meaning::AlreadyExists | Meaning::TypeMismatch { .. })) => {
                Ok(Put::Exists)
            }
            Err(error) => Err(error),
        }
    }
}

/// An import. Multipart, because the JSON form ends at 10 MiB.
fn call(class: Class, repeat: Repeat, (path, format, overwrite): (&str, Format, bool), content: PartContent) -> Call {
    let text = |name, text: &str| Part { name, content: PartContent::Text(text.to_owned()) };
    let mut parts = vec![text("path", path), text("overwrite", if overwrite { "true" } else { "false" })];
    match format {
        Format::Source(language) => {
            parts.push(text("format", "SOURCE"));
            parts.push(text("language", word_of(language)));
        }
        Format::Jupyter => parts.push(text("format", "JUPYTER")),
        Format::Auto => parts.push(text("format", "AUTO")),
        Format::Raw => parts.push(text("format", "RAW")),
    }
    parts.push(Part { name: "content", content });
    Call {
        method: Method::POST,
        path: "/api/2.0/workspace/import".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Multipart(parts),
        class,
        repeat,
        patience: None,
    }
}

/// How often a lost race is run again: a rival that wins more often is no rival, but something else.
const RACES: u32 = 5;

/// Imports with `overwrite` sometimes lose a race against themselves and say that the object exists: passing trouble
/// (databricks/cli issue 3386 for the 400, a measured 409 for parallel imports).
fn classify_overwriting(answer: &Answer) -> Verdict {
    match error::classify(answer) {
        Verdict::Fail
            if answer.attempts < RACES && error::ApiError::read(answer).meaning() == Meaning::AlreadyExists =>
        {
            Verdict::Retry
        }
        verdict => verdict,
    }
}
