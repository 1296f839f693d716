//! Request bodies, built anew for each attempt, their length known before the first byte goes out.
//!
//! The multipart encoding (RFC 7578) is written here because reqwest ties its own to its client, and a request must be
//! complete before it meets a [`Wire`](super::Wire).

use super::call::{Body, Cause, Part, PartContent};
use crate::digest::{Digest, Hasher};
use crate::disk;
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What goes out at once: the connection sends all of what it was handed, also when the request has been given up. With
/// tokio's own buffer a streamed file takes twice that.
const CHUNK: usize = 64 * 1024;

/// A body and what the head must say of it.
pub(super) struct Built {
    pub(super) body: reqwest::Body,
    pub(super) content_type: Option<String>,
    /// In bytes.
    pub(super) length: u64,
}

/// A local file is not what it was, or cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct LocalFile(String);

/// How much memory the body takes while it is sent, in bytes.
pub(super) fn memory(body: &Body) -> u64 {
    match body {
        Body::Empty => 0,
        Body::Json(bytes) | Body::Form(bytes) => bytes.len() as u64,
        Body::Multipart(parts) => parts.iter().map(|part| part_memory(&part.content)).sum(),
    }
}

fn part_memory(content: &PartContent) -> u64 {
    match content {
        PartContent::Text(text) => text.len() as u64,
        PartContent::Bytes(bytes) => bytes.len() as u64,
        PartContent::File { length, .. } => (*length).min(2 * CHUNK as u64),
    }
}

/// Builds `body`. `boundary` must not occur in any part: it is a random number in hexadecimal.
pub(super) async fn build(body: &Body, boundary: u128) -> Result<Built, Cause> {
    match body {
        Body::Empty => Ok(Built { body: reqwest::Body::default(), content_type: None, length: 0 }),
        Body::Json(json) => Ok(whole(json, "application/json")),
        Body::Form(form) => Ok(whole(form, "application/x-www-form-urlencoded")),
        Body::Multipart(parts) => {
            let boundary = format!("part-{boundary:032x}");
            let upload = Upload::new(parts, &boundary).await.map_err(|error| Cause::LocalFile(error.to_string()))?;
            let length = upload.left;
            Ok(Built {
                body: reqwest::Body::wrap(upload),
                content_type: Some(format!("multipart/form-data; boundary={boundary}")),
                length,
            })
        }
    }
}

fn whole(bytes: &Bytes, content_type: &str) -> Built {
    Built {
        body: reqwest::Body::from(bytes.clone()),
        content_type: Some(content_type.to_owned()),
        length: bytes.len() as u64,
    }
}

/// The multipart body as it goes out.
struct Upload {
    pieces: VecDeque<Piece>,
    left: u64,
}

enum Piece {
    Bytes(Bytes),
    File(Box<Streamed>),
}

impl Upload {
    async fn new(parts: &[Part], boundary: &str) -> Result<Upload, LocalFile> {
        let mut upload = Upload { pieces: VecDeque::new(), left: 0 };
        for part in parts {
            let name = part.name;
            let field = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"");
            // The workspace takes a part as a file where it has a file name; which one does not matter.
            let file = format!("{field}; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n");
            match &part.content {
                PartContent::Text(text) => upload.push(Bytes::from(format!("{field}\r\n\r\n{text}"))),
                PartContent::Bytes(bytes) => {
                    upload.push(Bytes::from(file));
                    upload.push(bytes.clone());
                }
                PartContent::File { path, length, digest } => {
                    upload.push(Bytes::from(file));
                    upload.left += length;
                    upload.pieces.push_back(Piece::File(Box::new(Streamed::open(path, *length, *digest).await?)));
                }
            }
            upload.push(Bytes::from_static(b"\r\n"));
        }
        upload.push(Bytes::from(format!("--{boundary}--\r\n")));
        Ok(upload)
    }

    fn push(&mut self, bytes: Bytes) {
        self.left += bytes.len() as u64;
        self.pieces.push_back(Piece::Bytes(bytes));
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = LocalFile;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LocalFile>>> {
        loop {
            let bytes = match self.pieces.front_mut() {
                None => return Poll::Ready(None),
                Some(Piece::Bytes(bytes)) if bytes.len() > CHUNK => bytes.split_to(CHUNK),
                Some(Piece::Bytes(bytes)) => {
                    let bytes = std::mem::take(bytes);
                    self.pieces.pop_front();
                    bytes
                }
                Some(Piece::File(file)) => match ready!(file.poll_chunk(context)) {
                    Err(error) => return Poll::Ready(Some(Err(error))),
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => {
                        self.pieces.pop_front();
                        continue;
                    }
                },
            };
            if !bytes.is_empty() {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A file on its way out. A length or a content other than the announced one ends the request with a true reason: HTTP
/// would cut a longer file silently, a shorter one would look like a broken connection, and another content would be
/// taken for the one that was looked at. The closing boundary follows every file, so the request is never complete
/// before the file's end was seen.
struct Streamed {
    file: tokio::fs::File,
    path: PathBuf,
    length: u64,
    digest: Digest,
    read: u64,
    hasher: Hasher,
    buffer: BytesMut,
}

impl Streamed {
    async fn open(path: &Path, length: u64, digest: Digest) -> Result<Streamed, LocalFile> {
        let at = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || disk::open(&at)).await;
        let opened =
            opened.unwrap_or_else(|panicked| Err(panicked.into())).map_err(|error| unreadable(path, &error))?;
        let mut file = tokio::fs::File::from_std(opened);
        file.set_max_buf_size(CHUNK);
        let found = file.metadata().await.map_err(|error| unreadable(path, &error))?;
        let (path, hasher, buffer) = (path.to_owned(), Hasher::new(), BytesMut::new());
        let streamed = Streamed { file, path, length, digest, read: 0, hasher, buffer };
        if found.len() == length { Ok(streamed) } else { Err(streamed.resized(&found.len().to_string())) }
    }

    /// The next bytes, or nothing at the file's end.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, LocalFile>> {
        self.buffer.reserve(CHUNK);
        let read = ready!(tokio_util::io::poll_read_buf(Pin::new(&mut self.file), context, &mut self.buffer));
        Poll::Ready(match read {
            Err(error) => Err(unreadable(&self.path, &error)),
            Ok(0) if self.read < self.length => Err(self.resized(&self.read.to_string())),
            Ok(0) if std::mem::take(&mut self.hasher).finish() != self.digest => {
                Err(self.changed("it no longer holds what was looked at"))
            }
            Ok(0) => Ok(None),
            Ok(count) => {
                self.read += count as u64;
                if self.read > self.length {
                    Err(self.resized("more"))
                } else {
                    self.hasher.update(&self.buffer);
                    Ok(Some(self.buffer.split().freeze()))
                }
            }
        })
    }

    fn resized(&self, found: &str) -> LocalFile {
        self.changed(&format!("it had {} bytes, and now has {found}", self.length))
    }

    fn changed(&self, how: &str) -> LocalFile {
        LocalFile(format!("`{}` changed while it was deployed: {how}", self.path.display()))
    }
}

/// It was read before: somebody took it away since, or the right to read it.
fn unreadable(path: &Path, error: &std::io::Error) -> LocalFile {
    LocalFile(format!("`{}` can no longer be read: {error}", path.display()))
}
