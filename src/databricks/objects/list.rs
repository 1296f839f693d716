//! What is in a folder.

use super::{Object, ObjectKind, WireObject};
use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use serde::Deserialize;

/// What a path holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It is a folder, and this is right in it, in the service's order. What the identity may not see is missing.
    Folder(Vec<Object>),
    /// It is no folder, but this.
    Single(Object),
}

/// An empty folder is `{}`.
#[derive(Deserialize)]
struct WireListing {
    #[serde(default)]
    objects: Vec<WireObject>,
}

impl Workspace {
    /// What `path` holds, one level deep; the service sends all of it at once. `None` where nothing is, or nothing that
    /// we may see (the service does not tell which).
    pub async fn list(&self, path: &str) -> Result<Option<Listing>, Error> {
        let query = vec![("path", path.to_owned())];
        let listing = self.get::<WireListing>(self.looks, "/api/2.0/workspace/list", query).await;
        let mut objects: Vec<Object> = match listing {
            Ok(listing) => listing.objects.into_iter().map(Object::from).collect(),
            Err(error) if error.meaning() == Some(Meaning::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        // What is no folder lists itself. In a folder everything lies deeper than what was asked for.
        let itself = |object: &Object| object.kind != ObjectKind::Folder && same(&object.path, path);
        Ok(Some(match objects.pop() {
            Some(object) if objects.is_empty() && itself(&object) => Listing::Single(object),
            last => {
                objects.extend(last);
                Listing::Folder(objects)
            }
        }))
    }
}

/// Whether two spellings name one path: `/Workspace` in front may be left out, and slashes may be doubled.
fn same(one: &str, other: &str) -> bool {
    fn segments(path: &str) -> impl Iterator<Item = &str> {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
        segments.next_if_eq(&"Workspace");
        segments
    }
    segments(one).eq(segments(other))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_path_has_several_spellings() {
        for other in ["/Workspace/Shared/a", "/Shared/a", "//Workspace/Shared//a", "/Shared/a/"] {
            assert!(same("/Workspace/Shared/a", other), "{other}");
        }
        for other in ["/Workspace/Shared/a/a", "/Shared/A", "/Shared", "/Workspace/Workspace/Shared/a"] {
            assert!(!same("/Workspace/Shared/a", other), "{other}");
        }
    }
}
