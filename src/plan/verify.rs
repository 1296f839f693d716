//! After the uploads: is everything there that was sent, and what is recorded of it?

use super::look::{language_fits, takes_over};
use super::render::kind_with_article;
use super::{Plan, Seen};
use crate::source::Kind;
use crate::state::{FileRecord, RelativePath};
use std::collections::BTreeMap;

/// Something that was sent and is not there as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where.
    pub path: RelativePath,
    /// What is wrong, as the end of a sentence that starts with the path.
    pub what: String,
}

impl Plan {
    /// Holds a listing of [`Plan::verify`] against what was sent: path, kind, language and a file's size. If all of it is
    /// there, these are the records of the next state. Deletions are taken as done, so call it, or use what it says, when
    /// they are.
    ///
    /// Who edits an object between its upload and this listing would have the edit's time recorded as ours, and would not be
    /// noticed: the caller passes `modified_at: None` where the time is later than the service's own date in the upload's
    /// answer, and the next deploy looks at the content.
    pub fn next_files(
        &self,
        listing: &BTreeMap<RelativePath, Seen>,
    ) -> Result<BTreeMap<RelativePath, FileRecord>, Vec<Mismatch>> {
        let mut mismatches = Vec::new();
        let mut files = self.kept.clone();
        for upload in &self.uploads {
            let mismatch = |what: String| Mismatch { path: upload.path.clone(), what };
            let Some(seen) = listing.get(&upload.path) else {
                mismatches.push(mismatch("was sent, and is not there".into()));
                continue;
            };
            let record = upload.local.intended().recorded(seen);
            // The service may have words of its own for what it made of a file.
            if !takes_over(upload.local.kind, seen, Some(&record)) {
                mismatches.push(mismatch(format!("is {} now", kind_with_article(&seen.kind))));
            } else if !language_fits(upload.local.kind, seen) {
                mismatches.push(mismatch("has another language than it was sent with".into()));
            } else if let Some(size) = seen.size.filter(|size| *size != record.size && record.kind == Kind::File) {
                mismatches.push(mismatch(format!("has {size} bytes, and {} were sent", record.size)));
            } else {
                files.insert(upload.path.clone(), record);
            }
        }
        if mismatches.is_empty() { Ok(files) } else { Err(mismatches) }
    }
}
