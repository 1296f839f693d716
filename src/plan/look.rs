//! Whether an object is as it was recorded, and what its content says where it is not.

use super::{Evidence, How, Intended, Local, Seen, SeenKind};
use crate::source::Kind;
use crate::state::{Digest, FileRecord};
use std::collections::BTreeSet;

/// What an object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// What an earlier deploy sent.
    Ours(Digest),
    /// What this deploy would send.
    AsLocal,
    /// Something else.
    Other(Digest),
    /// Nothing: the object went away meanwhile.
    Gone,
    /// Nobody knows: why.
    Unreadable(String),
}

impl Content {
    /// What was done to an object whose content is not as it should be, and what its content is.
    pub(super) fn into_drift(self, record: Option<&FileRecord>, seen: &Seen) -> (How, Option<Digest>) {
        let how = match record {
            None => How::OwnerUnknown,
            Some(record) if record.object_id == seen.object_id => How::Edited,
            Some(_) => How::Replaced,
        };
        match self {
            Content::Unreadable(why) => (How::Unreadable(why), None),
            Content::Ours(content) | Content::Other(content) => (how, Some(content)),
            Content::AsLocal | Content::Gone => (how, None),
        }
    }
}

/// Whether an object looks as it was recorded. A changed time alone is a suspicion, and so is no time at all where the
/// object is to be touched (`touch`): the service documents one for every object.
pub(super) fn as_recorded(record: &FileRecord, seen: &Seen, touch: bool) -> bool {
    record.object_id == seen.object_id
        && takes_over(record.kind, seen, Some(record))
        && language_fits(record.kind, seen)
        && (record.kind != Kind::File || seen.size.is_none_or(|size| size == record.size))
        && record.modified_at == seen.modified_at
        && (seen.modified_at.is_some() || !touch)
}

/// Whether an import of `kind` overwrites what is there, instead of being refused. `record` is that of the very object
/// that is there: what the service made of something that we sent, it will take again, whatever it calls it. (It may
/// have words of its own for a few: a designer file is sent as a file, and how a dashboard is listed is not certain.)
pub(super) fn takes_over(kind: Kind, seen: &Seen, record: Option<&FileRecord>) -> bool {
    match (kind, &seen.kind) {
        (Kind::SourceNotebook(_) | Kind::JupyterNotebook(_), SeenKind::Notebook(_))
        | (Kind::File, SeenKind::File)
        | (Kind::Dashboard, SeenKind::Dashboard) => true,
        (Kind::File, SeenKind::Other(_)) | (Kind::Dashboard, SeenKind::File | SeenKind::Other(_)) => {
            record.is_some_and(|record| record.kind == kind)
        }
        _ => false,
    }
}

/// Whether a notebook has the language that it is sent with. A Jupyter notebook is sent without: the service finds it in
/// the content.
pub(super) fn language_fits(kind: Kind, seen: &Seen) -> bool {
    match (kind, &seen.kind) {
        (Kind::SourceNotebook(wanted), SeenKind::Notebook(Some(language))) => wanted == *language,
        _ => true,
    }
}

/// In which forms the content of a suspect is compared.
pub(super) fn compare_as(
    record: Option<&FileRecord>,
    local: Option<&Local>,
    accepted: &[Intended],
    seen: &Seen,
) -> Vec<Kind> {
    let recorded = record.map(|record| record.kind).into_iter();
    let here = local.map(|local| local.kind).into_iter();
    // The outputs of a notebook are nobody's work; in a file that somebody put in its place they are what was written.
    let as_it_is = |kind| match (kind, &seen.kind) {
        (Kind::JupyterNotebook(_), SeenKind::File) => Kind::File,
        (kind, _) => kind,
    };
    let accepted = accepted.iter().map(|intended| intended.kind);
    let mut kinds: Vec<Kind> = recorded.chain(here).chain(accepted).map(as_it_is).collect();
    // The language is part of what a source notebook is compared by; a Jupyter notebook has it in its content.
    let mut forms = BTreeSet::new();
    kinds.retain(|kind| {
        let language = matches!(kind, Kind::SourceNotebook(_)).then(|| crate::state::language_word(*kind));
        forms.insert((crate::state::kind_word(*kind), language))
    });
    kinds
}

/// What the evidence says.
pub(super) fn judge(
    evidence: Option<&Evidence>,
    record: Option<&FileRecord>,
    accepted: &[Intended],
    local: Option<&Local>,
) -> Content {
    let digests = match evidence {
        None => return Content::Unreadable("was not looked at".into()),
        Some(Evidence::Gone) => return Content::Gone,
        Some(Evidence::Unexportable(why)) => return Content::Unreadable(why.clone()),
        Some(Evidence::Content(digests)) => digests,
    };
    if local.is_some_and(|local| digests.contains(&local.fingerprint)) {
        return Content::AsLocal;
    }
    if let Some(record) = record.filter(|record| digests.contains(&record.fingerprint)) {
        return Content::Ours(record.fingerprint);
    }
    if let Some(intended) = accepted.iter().find(|intended| digests.contains(&intended.fingerprint)) {
        return Content::Ours(intended.fingerprint);
    }
    match digests.first() {
        Some(content) => Content::Other(*content),
        None => Content::Unreadable("is in no form in which it could be compared".into()),
    }
}
