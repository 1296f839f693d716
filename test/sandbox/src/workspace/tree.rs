//! The tree itself: what may stand where.

use super::path::{self, ROOT, WorkspacePath};
use super::{Detected, Kind, Object};
use crate::errors::ApiError;
use crate::ids::Ids;
use crate::principals::{FolderRight, Principal};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Bound;

/// All objects, by normal path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    objects: BTreeMap<String, Object>,
}

impl Tree {
    pub(crate) fn all(&self) -> &BTreeMap<String, Object> {
        &self.objects
    }

    /// The object at a normal path.
    pub(crate) fn at(&self, normal: &str) -> Option<&Object> {
        self.objects.get(normal)
    }

    /// The object that a caller may see: what may not be read looks as if it were not there.
    pub(crate) fn visible(&self, at: &WorkspacePath, caller: &Principal) -> Result<&Object, ApiError> {
        let readable = caller.folder_right(&at.normal).may_read();
        let found = self.objects.get(&at.normal).filter(|_| readable);
        found.ok_or_else(|| ApiError::missing(format!("Path ({}) doesn't exist.", at.raw)))
    }

    /// The names right below a folder, in order.
    pub(crate) fn children<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let prefix = format!("{folder}/");
        let mut from = Bound::Excluded(prefix.clone());
        std::iter::from_fn(move || {
            loop {
                let (key, object) = self.objects.range((from.clone(), Bound::Unbounded)).next()?;
                let name = key.strip_prefix(&prefix)?;
                match name.split_once('/') {
                    None => {
                        from = Bound::Excluded(key.clone());
                        return Some((name, object));
                    }
                    // Jump over what lies deeper: '0' is the character after '/'.
                    Some((child, _)) => from = Bound::Included(format!("{prefix}{child}0")),
                }
            }
        })
    }

    fn has_children(&self, folder: &str) -> bool {
        self.children(folder).next().is_some()
    }

    /// Makes a folder, and those above it, without asking anybody.
    pub(crate) fn plant(&mut self, normal: &str, ids: &mut Ids, now: i64) {
        for folder in with_ancestors(normal) {
            self.objects.entry(folder.to_owned()).or_insert_with(|| Object {
                kind: Kind::Directory,
                language: None,
                jupyter: false,
                bytes: Bytes::new(),
                object_id: ids.next(),
                size: 0,
                created_at: now,
                modified_at: now,
            });
        }
    }

    /// Puts a notebook or file somewhere, without asking anybody; an object of the same kind keeps its id.
    pub(crate) fn put(&mut self, normal: &str, made: Detected, content: Bytes, ids: &mut Ids, now: i64) {
        if let Some(parent) = path::parent(normal) {
            self.plant(parent, ids, now);
        }
        let Detected { kind, language, jupyter, name: _ } = made;
        let (object_id, created_at, modified_at) = match self.objects.get(normal) {
            Some(existing) if existing.kind == kind => {
                (existing.object_id, existing.created_at, moved(existing.modified_at, now))
            }
            Some(_) | None => (ids.next(), now, now),
        };
        let size = content.len() as u64;
        let object = Object { kind, language, jupyter, bytes: content, object_id, size, created_at, modified_at };
        self.objects.insert(normal.to_owned(), object);
    }

    /// Takes an object away, with what lies below it, without asking anybody.
    pub(crate) fn uproot(&mut self, normal: &str) {
        let (first, after) = (format!("{normal}/"), format!("{normal}0"));
        let below: Vec<String> = self.objects.range(first..after).map(|(key, _)| key.clone()).collect();
        for key in below.iter().map(String::as_str).chain([normal]) {
            self.objects.remove(key);
        }
    }

    /// Moves an object, with what lies below it, without asking anybody. That its time stays is not confirmed.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let moved: Vec<String> =
            self.objects.keys().filter(|key| *key == from || key.starts_with(&below)).cloned().collect();
        for key in moved {
            if let Some(object) = self.objects.remove(&key) {
                self.objects.insert(format!("{to}{}", &key[from.len()..]), object);
            }
        }
    }

    /// Makes a folder and those above it.
    pub(crate) fn make_folders(
        &mut self,
        at: &WorkspacePath,
        caller: &Principal,
        ids: &mut Ids,
        now: i64,
    ) -> Result<(), ApiError> {
        for folder in with_ancestors(&at.normal) {
            match self.objects.get(folder) {
                Some(object) if object.kind == Kind::Directory => {}
                Some(_) => {
                    return Err(ApiError::exists(format!("{folder} already exists and it is not a folder")));
                }
                None => {
                    may_write(folder, caller)?;
                    may_stand_here(folder)?;
                    self.plant(folder, ids, now);
                }
            }
        }
        Ok(())
    }

    /// Writes a notebook or file.
    pub(crate) fn write(
        &mut self,
        asked: &WorkspacePath,
        made: Detected,
        content: Bytes,
        overwrite: bool,
        caller: &Principal,
        (ids, now): (&mut Ids, i64),
    ) -> Result<(), ApiError> {
        let at = asked.renamed(&made.name);
        self.parent_is_there(&at, caller)?;
        may_write(&at.normal, caller)?;
        may_stand_here(&at.normal)?;
        let size = content.len() as u64;
        let Some(existing) = self.objects.get_mut(&at.normal) else {
            let (kind, language, jupyter) = (made.kind, made.language, made.jupyter);
            let (object_id, created_at, modified_at) = (ids.next(), now, now);
            let object = Object { kind, language, jupyter, bytes: content, object_id, size, created_at, modified_at };
            self.objects.insert(at.normal, object);
            return Ok(());
        };
        if !overwrite {
            let text = format!("{} already exists. Please pass overwrite=true to overwrite it.", at.shown);
            return Err(ApiError::exists(text));
        }
        if existing.kind != made.kind {
            return Err(type_mismatch(&at.shown, made.kind, existing.kind));
        }
        // The id stays, and with it the permissions. That a notebook may change its language this way is not confirmed.
        existing.language = made.language;
        existing.jupyter = made.jupyter;
        existing.bytes = content;
        existing.size = size;
        existing.modified_at = moved(existing.modified_at, now);
        Ok(())
    }

    fn parent_is_there(&self, at: &WorkspacePath, caller: &Principal) -> Result<(), ApiError> {
        let parent = path::parent(&at.normal).unwrap_or(ROOT);
        let there = self.objects.get(parent).is_some_and(|object| object.kind == Kind::Directory);
        if there && caller.folder_right(parent).may_read() {
            return Ok(());
        }
        let shown = path::parent(&at.shown).unwrap_or("/");
        Err(ApiError::missing(format!("The parent folder ({shown}) does not exist.")))
    }

    /// Deletes an object, and what lies below it where that is asked for.
    pub(crate) fn delete(&mut self, at: &WorkspacePath, recursive: bool, caller: &Principal) -> Result<(), ApiError> {
        let object = self.visible(at, caller)?;
        if is_protected(&at.normal) {
            let text = format!("Folder {} is protected", path::name(&at.normal));
            return Err(ApiError::new(400, "DIRECTORY_PROTECTED", text));
        }
        may_write(&at.normal, caller)?;
        if object.kind == Kind::Directory && !recursive && self.has_children(&at.normal) {
            let text = format!("Folder ({}) is not empty", at.raw);
            return Err(ApiError::new(400, "DIRECTORY_NOT_EMPTY", text));
        }
        self.uproot(&at.normal);
        Ok(())
    }
}

/// Every write moves the time, also where a test's paused clock stands still: on the real service no two writes of one
/// object share a millisecond.
fn moved(before: i64, now: i64) -> i64 {
    now.max(before + 1)
}

/// The folders above a normal path, from the top down, and the path itself.
fn with_ancestors(normal: &str) -> impl Iterator<Item = &str> {
    let ends = normal.match_indices('/').map(|(end, _)| end).skip(1).chain([normal.len()]);
    ends.map(|end| &normal[..end])
}

fn may_write(normal: &str, caller: &Principal) -> Result<(), ApiError> {
    if caller.folder_right(normal) == FolderRight::Write {
        return Ok(());
    }
    let text = format!("{} does not have Edit or Manage permissions on {normal}.", caller.name);
    Err(ApiError::denied(text))
}

/// `/Users` holds the homes of the users, and nothing else; only the platform makes those (status and text: likely).
fn may_stand_here(normal: &str) -> Result<(), ApiError> {
    if path::parent(normal) == Some("/Workspace/Users") {
        return Err(ApiError::new(400, "DIRECTORY_PROTECTED", "Folder Users is protected"));
    }
    Ok(())
}

fn is_protected(normal: &str) -> bool {
    matches!(normal, ROOT | "/Workspace/Users" | "/Workspace/Shared")
        || path::parent(normal) == Some("/Workspace/Users")
}

fn type_mismatch(shown: &str, asked: Kind, actual: Kind) -> ApiError {
    let (asked, actual) = (asked.name(), actual.name());
    let text =
        format!("Cannot overwrite the asset at {shown} due to type mismatch (asked: {asked}, actual: {actual}).");
    let metadata = json!({ "existing_type": actual });
    ApiError::invalid(text).with_info("WORKSPACE_OBJECT_TYPE_MISMATCH", "workspace.databricks.com", metadata)
}
