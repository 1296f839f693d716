//! What is recorded of one object.

use super::Digest;
use crate::source::{Kind, Language};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One object that was deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRecord {
    /// What it was sent as.
    pub kind: Kind,
    /// The digest of the content as it was sent.
    pub digest: Digest,
    /// The digest of the content in the form in which the service gives it back; a plain file's is `digest`.
    pub fingerprint: Digest,
    /// The size of what was sent, in bytes.
    pub size: u64,
    /// The object's id, which an overwriting import keeps, and a deletion ends.
    pub object_id: i64,
    /// When the service last saw it change, in milliseconds since 1970; `None` where it did not say.
    pub modified_at: Option<i64>,
}

/// What a deploy is about to write somewhere: all of a record that is known before it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intended {
    /// What it is sent as.
    pub kind: Kind,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The digest of its content in the form in which the service will give it back.
    pub fingerprint: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// More than any workspace file can have, whatever the limit (500 MB today) will be: 1 TiB.
const ABSURD_SIZE: u64 = 1 << 40;

#[derive(Serialize, Deserialize)]
struct Wire {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Digest>,
    size: u64,
    object_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified_at: Option<i64>,
}

impl Serialize for FileRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire {
            kind: kind_word(self.kind).to_owned(),
            language: language_word(self.kind).map(str::to_owned),
            digest: self.digest,
            fingerprint: (self.fingerprint != self.digest).then_some(self.fingerprint),
            size: self.size,
            object_id: self.object_id,
            modified_at: self.modified_at,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for FileRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileRecord, D::Error> {
        use serde::de::Error;
        let wire = Wire::deserialize(deserializer)?;
        if wire.object_id <= 0 || wire.modified_at.is_some_and(|at| at < 0) {
            return Err(D::Error::custom("an object id or a time is negative or zero"));
        }
        Ok(FileRecord {
            kind: kind(&wire.kind, wire.language.as_deref())?,
            digest: wire.digest,
            fingerprint: wire.fingerprint.unwrap_or(wire.digest),
            size: size(wire.size)?,
            object_id: wire.object_id,
            modified_at: wire.modified_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct WireIntended {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Digest>,
    size: u64,
}

impl Serialize for Intended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WireIntended {
            kind: kind_word(self.kind).to_owned(),
            language: language_word(self.kind).map(str::to_owned),
            digest: self.digest,
            fingerprint: (self.fingerprint != self.digest).then_some(self.fingerprint),
            size: self.size,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Intended {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Intended, D::Error> {
        let wire = WireIntended::deserialize(deserializer)?;
        Ok(Intended {
            kind: kind(&wire.kind, wire.language.as_deref())?,
            digest: wire.digest,
            fingerprint: wire.fingerprint.unwrap_or(wire.digest),
            size: size(wire.size)?,
        })
    }
}

fn kind<E: serde::de::Error>(word: &str, language: Option<&str>) -> Result<Kind, E> {
    kind_of(word, language).ok_or_else(|| E::custom("the kind or the language of a file is none that can be deployed"))
}

fn size<E: serde::de::Error>(size: u64) -> Result<u64, E> {
    if size > ABSURD_SIZE { Err(E::custom("a size is beyond that of any workspace file")) } else { Ok(size) }
}

/// The word for a kind in the files that the pipe writes.
pub(crate) fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::SourceNotebook(_) => "notebook",
        Kind::JupyterNotebook(_) => "jupyter",
        Kind::Dashboard => "dashboard",
        Kind::File => "file",
    }
}

/// The word for a notebook's language in the files that the pipe writes.
pub(crate) fn language_word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::SourceNotebook(language) | Kind::JupyterNotebook(language) => Some(match language {
            Language::Python => "python",
            Language::R => "r",
            Language::Scala => "scala",
            Language::Sql => "sql",
        }),
        Kind::Dashboard | Kind::File => None,
    }
}

fn kind_of(kind: &str, language: Option<&str>) -> Option<Kind> {
    let language = match language {
        None => None,
        Some("python") => Some(Language::Python),
        Some("r") => Some(Language::R),
        Some("scala") => Some(Language::Scala),
        Some("sql") => Some(Language::Sql),
        Some(_) => return None,
    };
    match (kind, language) {
        ("notebook", Some(language)) => Some(Kind::SourceNotebook(language)),
        ("jupyter", Some(language)) => Some(Kind::JupyterNotebook(language)),
        ("dashboard", None) => Some(Kind::Dashboard),
        ("file", None) => Some(Kind::File),
        _ => None,
    }
}
