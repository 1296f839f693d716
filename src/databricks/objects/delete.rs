//! Deleting one object.

use crate::databricks::error::{self, Error, Meaning};
use crate::databricks::{Workspace, post};
use crate::http::{Class, Repeat};
use serde::Serialize;

#[derive(Serialize)]
struct WireDelete<'a> {
    path: &'a str,
    recursive: bool,
}

impl Workspace {
    /// Deletes the notebook, the file or the empty folder at `path`. What is not there (any more) is no error, so an
    /// uncertain end is simply repeated; what the identity may not see looks as if it were not there. A folder with
    /// something in it is left as it is: [`Meaning::NotEmpty`]. Never recursive, because that would take what others put
    /// there, and may end half done.
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.remove(Class::Import, Repeat::Always, path).await
    }

    /// The same for one of our own records: it goes the way that an upload storm does not block.
    pub async fn delete_record(&self, path: &str) -> Result<(), Error> {
        self.remove(Class::Control, Repeat::Always, path).await
    }

    /// The same, where somebody else's may come in its place at once: an uncertain end is returned
    /// ([`Error::is_uncertain`]), and the caller looks whose it is that is there.
    pub async fn delete_record_once(&self, path: &str) -> Result<(), Error> {
        self.remove(Class::Control, Repeat::LookFirst, path).await
    }

    async fn remove(&self, class: Class, repeat: Repeat, path: &str) -> Result<(), Error> {
        let body = WireDelete { path, recursive: false };
        let call = post(class, repeat, "/api/2.0/workspace/delete", &body);
        match self.order(&call, error::classify).await {
            Err(error) if matches!(error.meaning(), Some(Meaning::NotFound | Meaning::ParentMissing)) => Ok(()),
            other => other,
        }
    }
}
