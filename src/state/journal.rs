//! `journal.json`: what a deploy is about to write, written before its first change. What matches it is ours although no
//! state says so: a deploy that did not end leaves neither drift nor orphans, whatever commit comes next.

use super::read::Head;
use super::{DeployedBy, Intended, Owner, RelativePath, json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the journal in [`super::FOLDER`].
pub const JOURNAL: &str = "journal.json";

/// The version of `journal.json`: it goes up when an older pipe would do harm with the new form.
const SCHEMA: u32 = 1;

/// How many contents of one object are kept that deploys in a row were about to write. Whoever kills so many of them at
/// the same object has the oldest taken for an edit, and copied.
const MOST: usize = 16;

/// How many contents are kept of all objects together, where that leaves each its latest: about 7 MB of text. The service
/// gives back 10 MiB, and a journal that is larger would be lost as a whole.
const MOST_TOGETHER: usize = 30_000;

/// What deploys that did not end were about to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Journal {
    /// Whose target it is.
    pub owner: Owner,
    /// Who deploys, or did.
    pub deployed_by: DeployedBy,
    /// By path, the latest last: more than one where several deploys in a row did not end.
    pub writes: BTreeMap<RelativePath, Vec<Intended>>,
}

/// What was found in the place of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundJournal {
    /// None: the last deploy has ended.
    Nothing,
    /// That of this target.
    Ours(Box<Journal>),
    /// Another owner's, whose first deploy did not end: nothing may be touched (exit 7).
    Foreign(Box<(Owner, DeployedBy)>),
    /// Written by a newer version of the pipe, in a form that this one does not know: nothing may be touched (exit 7).
    Newer {
        /// The version of the form.
        schema: u64,
        /// The version of the pipe that wrote it, if it says so.
        by: Option<String>,
    },
    /// Damaged, or changed by hand: why, as the end of a sentence that starts with the file. It counts as none, so that
    /// what a deploy that did not end has written looks like an edit, and is copied first.
    Unreadable(String),
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    owner: &'a Owner,
    deployed_by: &'a DeployedBy,
    writes: &'a BTreeMap<RelativePath, Vec<Intended>>,
}

#[derive(Deserialize)]
struct Whole {
    owner: Owner,
    #[serde(default)]
    deployed_by: DeployedBy,
    #[serde(deserialize_with = "json::unique")]
    writes: BTreeMap<RelativePath, Vec<Intended>>,
}

impl Journal {
    /// The journal of a deploy that is about to write `next`, behind one that did not end.
    pub fn of(
        owner: &Owner,
        deployed_by: DeployedBy,
        before: &BTreeMap<RelativePath, Vec<Intended>>,
        next: impl Iterator<Item = (RelativePath, Intended)>,
    ) -> Journal {
        let mut writes = before.clone();
        for (path, intended) in next {
            let contents = writes.entry(path).or_default();
            contents.retain(|known| *known != intended);
            contents.push(intended);
            keep_latest(contents, MOST);
        }
        for most in (1..MOST).rev() {
            if writes.values().map(Vec::len).sum::<usize>() <= MOST_TOGETHER {
                break;
            }
            writes.values_mut().for_each(|contents| keep_latest(contents, most));
        }
        Journal { owner: owner.clone(), deployed_by, writes }
    }

    /// Judges the bytes that stand in the place of the journal; `me` is who deploys now.
    pub fn read(bytes: &[u8], me: &Owner) -> FoundJournal {
        let head: Head = match serde_json::from_slice(bytes) {
            Ok(head) => head,
            Err(error) => return FoundJournal::Unreadable(json::what_is_wrong(&error)),
        };
        if head.schema > u64::from(SCHEMA) {
            return FoundJournal::Newer { schema: head.schema, by: head.version() };
        }
        let whole: Whole = match serde_json::from_slice(bytes) {
            Ok(whole) => whole,
            Err(error) => return FoundJournal::Unreadable(json::what_is_wrong(&error)),
        };
        let owner = whole.owner.normalised();
        if owner != *me {
            return FoundJournal::Foreign(Box::new((owner, whole.deployed_by)));
        }
        FoundJournal::Ours(Box::new(Journal { owner, deployed_by: whole.deployed_by, writes: whole.writes }))
    }

    /// The text of `journal.json`: the same journal always has the same text.
    pub fn to_json(&self) -> String {
        let written =
            Written { schema: SCHEMA, owner: &self.owner, deployed_by: &self.deployed_by, writes: &self.writes };
        // Strings, numbers and maps of strings: there is nothing in it that JSON cannot hold.
        let mut text = serde_json::to_string(&written).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn keep_latest(contents: &mut Vec<Intended>, most: usize) {
    let surplus = contents.len().saturating_sub(most);
    contents.drain(..surplus);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Kind, Language};
    use crate::state::Digest;

    fn me() -> Owner {
        Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
    }

    fn intended(text: &str) -> Intended {
        let (kind, digest) = (Kind::SourceNotebook(Language::Sql), Digest::of(text.as_bytes()));
        Intended { kind, digest, fingerprint: Digest::of(b"normal"), size: text.len() as u64 }
    }

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).unwrap()
    }

    #[test]
    fn deploys_in_a_row_that_do_not_end_are_all_remembered() {
        let by = DeployedBy { build: Some("7".into()), ..DeployedBy::default() };
        let first = Journal::of(&me(), by.clone(), &BTreeMap::new(), [(path("a"), intended("1"))].into_iter());
        let next = [(path("a"), intended("2")), (path("b/c"), intended("3"))];
        let second = Journal::of(&me(), by.clone(), &first.writes, next.into_iter());
        assert_eq!(second.writes[&path("a")], [intended("1"), intended("2")]);
        assert_eq!(Journal::read(second.to_json().as_bytes(), &me()), FoundJournal::Ours(Box::new(second.clone())));
        // The same again is the latest.
        let third = Journal::of(&me(), by, &second.writes, [(path("a"), intended("1"))].into_iter());
        assert_eq!(third.writes[&path("a")], [intended("2"), intended("1")]);
        // The same bytes as something else are another content: the first may be what is there.
        let file = Intended { kind: Kind::File, fingerprint: intended("1").digest, ..intended("1") };
        let retyped = Journal::of(&me(), DeployedBy::default(), &first.writes, [(path("a"), file)].into_iter());
        assert_eq!(retyped.writes[&path("a")], [intended("1"), file]);
        let many = (0..40).map(|number| (path("a"), intended(&number.to_string())));
        let many = Journal::of(&me(), DeployedBy::default(), &BTreeMap::new(), many);
        assert_eq!((many.writes[&path("a")].len(), many.writes[&path("a")][15]), (MOST, intended("39")));
    }

    #[test]
    fn a_journal_never_grows_beyond_what_the_service_gives_back() {
        let (mut writes, mut length) = (BTreeMap::new(), 0);
        for deploy in 0..MOST {
            let next = (0..10_000).map(|number| {
                let at = path(&format!("some/folder/with a name/and another one/notebook {number:05}"));
                (at, intended(&format!("{deploy}")))
            });
            let journal = Journal::of(&me(), DeployedBy::default(), &writes, next);
            (length, writes) = (journal.to_json().len(), journal.writes);
            assert!(length < 10 * 1024 * 1024, "{deploy}: {length}");
            assert!(writes.values().all(|contents| contents.last() == Some(&intended(&format!("{deploy}")))));
        }
        assert!(length > 6_000_000 && writes.values().all(|contents| contents.len() == 3), "{length}");
    }

    #[test]
    fn what_is_no_journal_of_ours_is_not_believed() {
        let journal =
            Journal::of(&me(), DeployedBy::default(), &BTreeMap::new(), [(path("a"), intended("1"))].into_iter());
        let text = journal.to_json();
        let other = Owner::new(Some("acme/other"), Some("{cd}"), "notebooks", "production");
        assert!(matches!(Journal::read(text.as_bytes(), &other), FoundJournal::Foreign(whose) if whose.0 == me()));
        // Written by hand, or by a version that took the id as it came.
        let spelled = text.replace("\"repository_uuid\":\"ab\"", "\"repository_uuid\":\"{AB}\"");
        assert!(spelled != text && Journal::read(spelled.as_bytes(), &me()) == FoundJournal::Ours(Box::new(journal)));
        for wrong in [
            text[..text.len() / 2].to_owned(),
            text.replace("\"a\":", "\"../a\":"),
            text.replace("\"a\":", "\"/a\":"),
            text.replace("\"sql\"", "\"cobol\""),
            text.replace("\"size\":1", "\"size\":99999999999999"),
            text.replace("\"writes\":{", "\"writes\":{\"a\":[],"),
            "[]".to_owned(),
            String::new(),
        ] {
            assert!(matches!(Journal::read(wrong.as_bytes(), &me()), FoundJournal::Unreadable(_)), "{wrong}");
        }
    }
}
