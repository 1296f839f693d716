//! The oracle: all that an undisturbed twin of a workspace has in common with a disturbed one.

use crate::support::{STATE, TARGET, below};
use databricks_sandbox::{Kind, Language, PermissionLevel, Sandbox};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const RECORDS: &str = ".databricks-deploy";

/// What must be the same; ids, times and the number of copies of the same edit may differ.
#[derive(Debug, PartialEq)]
pub(super) struct Twin {
    /// All objects but our records.
    objects: BTreeMap<String, (Kind, Option<Language>, bool, String)>,
    /// The rights on the target.
    given: BTreeMap<String, PermissionLevel>,
    jobs: BTreeMap<i64, Value>,
    /// What the records hold beside copies, such as the state: no lock, no journal.
    records: BTreeSet<String>,
    /// What the state says of each file.
    state: BTreeMap<String, Value>,
    /// The copies of edits: of what, and what they hold. Each build has a folder of its own for them.
    copies: BTreeSet<(String, String)>,
}

impl Twin {
    pub(super) fn of(sandbox: &Sandbox) -> Twin {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ours = format!("{TARGET}/{RECORDS}");
        let objects = sandbox.objects().into_iter().filter(|(path, _)| !path.starts_with(&ours));
        let objects = objects
            .map(|(path, object)| (path, (object.kind, object.language, object.jupyter, text(&object.bytes))))
            .collect();
        let mut twin = Twin {
            objects,
            given: sandbox.given(TARGET),
            jobs: sandbox.jobs(),
            records: BTreeSet::new(),
            state: BTreeMap::new(),
            copies: BTreeSet::new(),
        };
        for (path, object) in below(sandbox) {
            let Some(record) = path.strip_prefix(&format!("{RECORDS}/")) else { continue };
            match record.strip_prefix("drift/").and_then(|copy| copy.split_once('/')) {
                Some((_build, copied)) if object.kind != Kind::Directory => {
                    twin.copies.insert((copied.to_owned(), text(&object.bytes)));
                }
                _ if object.kind == Kind::Directory => {}
                _ => {
                    twin.records.insert(record.to_owned());
                }
            }
            if path == STATE {
                twin.state = files(&object.bytes);
            }
        }
        twin
    }

    /// Whether it is one to compare with: so many edits are kept, and of the records there is the state alone.
    pub(super) fn assert_settled(&self, edits: usize) {
        assert_eq!(self.copies.len(), edits, "{:?}", self.copies);
        assert_eq!(self.records, BTreeSet::from(["state.json".to_owned()]));
        assert!(!self.state.is_empty() && !self.given.is_empty());
    }

    /// What differs from the twin that was never disturbed, in words.
    pub(super) fn differs(&self, undisturbed: &Twin) -> Option<String> {
        (self != undisturbed).then(|| diff(&format!("{undisturbed:#?}"), &format!("{self:#?}")))
    }
}

/// The lines that only one of two texts has.
fn diff(right: &str, now: &str) -> String {
    let lines = |text: &str| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let (right, now) = (lines(right), lines(now));
    let missing = right.difference(&now).map(|line| format!("- {line}\n"));
    missing.chain(now.difference(&right).map(|line| format!("+ {line}\n"))).collect()
}

/// The files in a state: what was written, not as which object or when.
fn files(state: &[u8]) -> BTreeMap<String, Value> {
    let state: Value = serde_json::from_slice(state).unwrap_or_default();
    let files = state["files"].as_object().cloned().unwrap_or_default().into_iter();
    files
        .map(|(path, mut record)| {
            for of_the_object in ["object_id", "modified_at"] {
                record.as_object_mut().map(|record| record.remove(of_the_object));
            }
            (path, record)
        })
        .collect()
}
