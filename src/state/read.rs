//! `state.json` as text, and what to make of one that was found.

use super::{DeployedBy, FileRecord, Owner, RelativePath, SCHEMA, State, json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was found in the place of the state.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// None: nothing was ever deployed, or the state was lost. One full comparison follows.
    Nothing,
    /// The state of this target.
    Ours(Box<State>),
    /// Another owner's: nothing may be touched (exit 7).
    Foreign(Box<(Owner, DeployedBy)>),
    /// Damaged, or changed by hand. A warning; it counts as lost, and says why as the end of a sentence that starts with
    /// the file.
    Unreadable(String),
    /// Written by a newer version of the pipe, in a form that this one does not know: nothing may be touched (exit 7).
    Newer {
        /// The version of the form.
        schema: u64,
        /// The version of the pipe that wrote it, if it says so.
        by: Option<String>,
    },
}

/// What every version of the form has.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) schema: u64,
    #[serde(default)]
    deployed_by: Option<Value>,
}

impl Head {
    /// The version of the pipe that wrote it, if it says so.
    pub(super) fn version(self) -> Option<String> {
        deployed_by(self.deployed_by).version
    }
}

/// Whose it is: looked at before anything that may be wrong with the rest.
#[derive(Deserialize)]
struct Whose {
    owner: Owner,
    #[serde(default)]
    deployed_by: Option<Value>,
}

#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    owner: &'a Owner,
    serial: u64,
    deployed_by: &'a DeployedBy,
    files: &'a BTreeMap<RelativePath, FileRecord>,
    #[serde(flatten)]
    others: &'a BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Whole {
    // Known by then; named here so that it does not count among the others.
    #[serde(rename = "schema")]
    _schema: u64,
    owner: Owner,
    serial: u64,
    #[serde(default)]
    deployed_by: DeployedBy,
    #[serde(deserialize_with = "json::unique")]
    files: BTreeMap<RelativePath, FileRecord>,
    #[serde(flatten, deserialize_with = "json::unique")]
    others: BTreeMap<String, Value>,
}

impl State {
    /// Judges the bytes that stand in the place of the state; `me` is who deploys now.
    pub fn read(bytes: &[u8], me: &Owner) -> Found {
        let head: Head = match serde_json::from_slice(bytes) {
            Ok(head) => head,
            Err(error) => return Found::Unreadable(json::what_is_wrong(&error)),
        };
        match head.schema {
            0 => return Found::Unreadable("has a schema that never was".into()),
            schema if schema > u64::from(SCHEMA) => {
                return Found::Newer { schema, by: head.version() };
            }
            _ => {}
        }
        if let Ok(Whose { owner, deployed_by: by }) = serde_json::from_slice(bytes) {
            let owner = owner.normalised();
            if owner != *me {
                return Found::Foreign(Box::new((owner, deployed_by(by))));
            }
        }
        match serde_json::from_slice::<Whole>(bytes) {
            Ok(whole) => judge(State {
                owner: whole.owner.normalised(),
                serial: whole.serial,
                deployed_by: whole.deployed_by,
                files: whole.files,
                others: whole.others,
            }),
            Err(error) => Found::Unreadable(json::what_is_wrong(&error)),
        }
    }

    /// The text of `state.json`: the same state always has the same text.
    pub fn to_json(&self) -> String {
        let written = Written {
            schema: SCHEMA,
            owner: &self.owner,
            serial: self.serial,
            deployed_by: &self.deployed_by,
            files: &self.files,
            others: &self.others,
        };
        // Strings, numbers and maps of strings: there is nothing in it that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&written).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// What no deploy could have written, though each record could stand alone.
fn judge(state: State) -> Found {
    let mut ids = BTreeMap::new();
    for (path, record) in &state.files {
        if let Some(folder) = path.ancestors().find(|folder| state.files.contains_key(*folder)) {
            return Found::Unreadable(format!("names `{folder}` as a file and `{path}` in it"));
        }
        if let Some(other) = ids.insert(record.object_id, path) {
            return Found::Unreadable(format!("gives `{other}` and `{path}` one object id"));
        }
    }
    Found::Ours(Box::new(state))
}

fn deployed_by(value: Option<Value>) -> DeployedBy {
    value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
