//! Reading `multipart/form-data`.

use crate::record::PartRecord;
use axum::body::Body;
use bytes::{Bytes, BytesMut};

/// What a multipart import may weigh: 500 MiB (measured: "Maximum file size of 524288000 exceeded").
pub(crate) const MAX_PART: u64 = 524_288_000;

const RECORDED_TEXT: usize = 4096;

/// One part.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    file_name: Option<String>,
    /// The content; cut where it is longer than any import may be.
    pub(crate) content: Bytes,
    /// The true length.
    pub(crate) length: u64,
}

impl Part {
    /// The content as text, if it is.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.content).ok()
    }

    pub(crate) fn record(&self) -> PartRecord {
        let short = self.file_name.is_none() && self.content.len() <= RECORDED_TEXT;
        PartRecord {
            name: self.name.clone(),
            file_name: self.file_name.clone(),
            text: self.text().filter(|_| short).map(str::to_owned),
            length: self.length,
        }
    }
}

/// Why there are no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartsError {
    /// The sender went away.
    Broken,
    /// It is not what it says it is.
    Malformed,
}

impl From<multer::Error> for PartsError {
    fn from(error: multer::Error) -> PartsError {
        match error {
            multer::Error::StreamReadFailed(_) => PartsError::Broken,
            _ => PartsError::Malformed,
        }
    }
}

/// Reads all parts. No more than a import may weigh is kept of each.
pub(crate) async fn read(body: Body, content_type: &str) -> Result<Vec<Part>, PartsError> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| PartsError::Malformed)?;
    let mut form = multer::Multipart::new(body.into_data_stream(), boundary);
    let mut parts = Vec::new();
    while let Some(mut field) = form.next_field().await? {
        let name = field.name().ok_or(PartsError::Malformed)?.to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let mut length = 0;
        let mut content = BytesMut::new();
        while let Some(chunk) = field.chunk().await? {
            length += chunk.len() as u64;
            if length <= MAX_PART {
                content.extend_from_slice(&chunk);
            }
        }
        parts.push(Part { name, file_name, content: content.freeze(), length });
    }
    Ok(parts)
}
