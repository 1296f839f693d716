//! One file at a time: what it becomes, and what is wrong with it. Each is read once, in bounded memory.

use super::notebook::{self, FirstLine, Named};
use super::walk::Candidate;
use super::{Kind, LocalFile, fingerprint, jupyter};
use crate::digest::{Digest, Hasher};
use crate::disk;
use crate::problem::{Code, Problem};
use crate::secrets::scan::{Finding, Found, Scanner};
use crate::settings::SecretScan;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

/// The most that a notebook can have, whichever way it is sent. Bytes; the service says "exceeded max size (10485760
/// bytes)".
const NOTEBOOK_LIMIT: u64 = 10 * 1024 * 1024;

/// The most that a file can have. Bytes; the service says "Maximum file size of 524288000 exceeded".
const FILE_LIMIT: u64 = 500 * 1024 * 1024;

/// The first line of what Git LFS leaves in place of a file that was not fetched, and the most that such a file has.
const LFS: (&[u8], u64) = (b"version https://git-lfs.github.com/spec/v1", 1024);

/// Looks at files and gathers what is to be said about them.
pub(super) struct Inspector {
    scanner: Scanner,
    policy: SecretScan,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Inspector {
    pub(super) fn new(scanner: Scanner, policy: SecretScan) -> Inspector {
        Inspector { scanner, policy, problems: Vec::new(), warnings: Vec::new() }
    }

    /// What `candidate` becomes; `None` if it cannot be deployed, which is a problem by then.
    pub(super) fn inspect(&mut self, candidate: Candidate) -> Option<LocalFile> {
        match self.look_into(&candidate) {
            Ok(content) => Some(local_file(candidate, content?)),
            Err(e) => {
                self.problems.push(unreadable(&candidate.relative, &e));
                None
            }
        }
    }

    fn look_into(&mut self, candidate: &Candidate) -> io::Result<Option<Content>> {
        let Candidate { path, relative, size } = candidate;
        let mut file = disk::open(path)?;
        let mut head = Vec::with_capacity(notebook::HEAD);
        file.by_ref().take(notebook::HEAD as u64).read_to_end(&mut head)?;
        if head.starts_with(LFS.0) && *size < LFS.1 {
            self.problems.push(
                Problem::new(Code::LfsPointer, "the file is a Git LFS pointer, not its content")
                    .at(relative)
                    .hint("add `lfs: true` under `clone:` in bitbucket-pipelines.yml"),
            );
            return Ok(None);
        }
        let kind = match notebook::by_name(name(relative)) {
            Named::Jupyter if *size <= NOTEBOOK_LIMIT => return self.look_into_jupyter(candidate, head, file),
            Named::Jupyter => {
                self.too_large_a_notebook(relative, *size);
                return Ok(None);
            }
            Named::Source { language, header } => match notebook::first_line(&head, header) {
                FirstLine::Notebook if *size > NOTEBOOK_LIMIT => {
                    self.too_large_a_notebook(relative, *size);
                    return Ok(None);
                }
                FirstLine::Notebook => Kind::SourceNotebook(language),
                FirstLine::Nearly => {
                    self.warnings.push(nearly_a_notebook(relative, header));
                    Kind::File
                }
                FirstLine::Something => Kind::File,
            },
            Named::Dashboard => Kind::Dashboard,
            Named::Other => Kind::File,
        };
        if *size > FILE_LIMIT {
            self.problems.push(
                Problem::new(
                    Code::FileTooLarge,
                    format!("the file has {size} bytes, and a workspace file can have {FILE_LIMIT}"),
                )
                .at(relative)
                .hint("leave it out by `EXCLUDE`, and keep it in a volume"),
            );
            return Ok(None);
        }
        if kind == Kind::File || *size > NOTEBOOK_LIMIT {
            return Ok(Some(self.stream(relative, kind, head.chain(file).take(FILE_LIMIT + 1))?));
        }
        let content = whole(head, file, *size)?;
        let findings = self.scanner.scan(content.as_slice())?;
        self.report(relative, &findings);
        Ok(Some(Content::of(kind, &content)))
    }

    /// Reads what may be large, in bounded memory. A dashboard that is too large to be exported is never compared with an
    /// export, so that its bytes may stand for it. A file that somebody still writes to has an end, too.
    fn stream(&mut self, relative: &str, kind: Kind, content: impl Read) -> io::Result<Content> {
        let mut content = Hashing { inner: content, hasher: Hasher::new(), size: 0 };
        if self.scanner.looks_for_something() {
            let findings = self.scanner.scan(&mut content)?;
            self.report(relative, &findings);
        }
        // The scan stops where it has found enough.
        let mut rest = [0; 8 * 1024];
        while content.read(&mut rest)? > 0 {}
        let digest = content.hasher.finish();
        Ok(Content { kind, size: content.size, digest, fingerprint: digest })
    }

    fn look_into_jupyter(&mut self, candidate: &Candidate, head: Vec<u8>, file: File) -> io::Result<Option<Content>> {
        let Candidate { relative, size, .. } = candidate;
        let content = whole(head, file, *size)?;
        let findings = self.scanner.scan(content.as_slice())?;
        self.report(relative, &findings);
        match jupyter::language(&content) {
            Ok(language) => Ok(Some(Content::of(Kind::JupyterNotebook(language), &content))),
            Err(what) => {
                self.problems.push(
                    Problem::new(Code::InvalidNotebook, format!("the file is not a Jupyter notebook: {what}"))
                        .at(relative)
                        .hint("open it in Jupyter and save it again, or leave it out by `EXCLUDE`"),
                );
                Ok(None)
            }
        }
    }

    fn too_large_a_notebook(&mut self, relative: &str, size: u64) {
        self.problems.push(
            Problem::new(
                Code::NotebookTooLarge,
                format!("the notebook has {size} bytes, and one can have {NOTEBOOK_LIMIT}"),
            )
            .at(relative)
            .hint("clear its outputs, split it, or leave it out by `EXCLUDE`"),
        );
    }

    fn report(&mut self, relative: &str, findings: &[Finding]) {
        let mut lines: BTreeMap<Found, Vec<String>> = BTreeMap::new();
        for finding in findings {
            lines.entry(finding.kind).or_default().push(finding.line.to_string());
        }
        for (found, lines) in lines {
            let place = format!("line{} {}", if lines.len() == 1 { "" } else { "s" }, lines.join(", "));
            let problem = |message: String| Problem::new(Code::SecretInFile, message).at(relative);
            match found {
                Found::Live => {
                    self.problems.push(problem(format!("the file holds a secret of this step ({place})")).hint(
                        "remove it, revoke it because it is in Git's history too, and read it by `dbutils.secrets.get`",
                    ))
                }
                Found::Shape(shape) => {
                    let problem = problem(format!("the file holds what looks like a secret: {shape} ({place})"));
                    let problem = problem.hint(
                        "if it is one, revoke it and read it by `dbutils.secrets.get`; if not, `EXCLUDE` the file",
                    );
                    match self.policy {
                        SecretScan::Fail => self.problems.push(problem),
                        SecretScan::Warn | SecretScan::Off => self.warnings.push(problem),
                    }
                }
            }
        }
    }
}

/// What a file was found to hold.
struct Content {
    kind: Kind,
    /// What was read, in bytes: what is announced when it is sent must be what the digest is of.
    size: u64,
    digest: Digest,
    fingerprint: Digest,
}

impl Content {
    fn of(kind: Kind, content: &[u8]) -> Content {
        let digest = Digest::of(content);
        let fingerprint = fingerprint(kind, content).unwrap_or(digest);
        Content { kind, size: content.len() as u64, digest, fingerprint }
    }
}

/// A file of about this size whose start was read already, up to the limit of a notebook.
fn whole(head: Vec<u8>, file: File, size: u64) -> io::Result<Vec<u8>> {
    let mut content = head;
    // One more, so that the end is seen without asking for more memory.
    content.reserve_exact((size.min(NOTEBOOK_LIMIT) as usize + 1).saturating_sub(content.len()));
    file.take(NOTEBOOK_LIMIT).read_to_end(&mut content)?;
    Ok(content)
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }
}

fn local_file(candidate: Candidate, content: Content) -> LocalFile {
    let Candidate { path, relative, size: _ } = candidate;
    let Content { kind, size, digest, fingerprint } = content;
    let remote = match kind {
        Kind::SourceNotebook(_) | Kind::JupyterNotebook(_) => {
            relative.strip_suffix(notebook::extension(name(&relative))).unwrap_or(&relative).to_owned()
        }
        Kind::Dashboard | Kind::File => relative.clone(),
    };
    LocalFile { path, relative, remote, kind, size, digest, fingerprint }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn nearly_a_notebook(relative: &str, header: &str) -> Problem {
    Problem::new(
        Code::InvalidNotebook,
        format!("the file stays a file, because its first line is not exactly `{header}`"),
    )
    .at(relative)
    .hint("make it so, in UTF-8 without byte order mark and without blanks at the end, if it is meant to be a notebook")
}

/// The problem of a file or folder that cannot be read.
pub(super) fn unreadable(place: &str, error: &io::Error) -> Problem {
    let problem = Problem::new(Code::Unreadable, format!("it cannot be read: {error}")).at(place);
    if error.kind() == ErrorKind::PermissionDenied {
        // The pipe's root user is not the build image's: Bitbucket maps it to 165536.
        problem.hint(
            "it belongs to another user than the pipe's: end the step's script before the pipe by \
             `chown -R 165536:165536 $BITBUCKET_CLONE_DIR`, or by `chmod -R a+rX` on the folder",
        )
    } else {
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_owner_is_explained() {
        let problem = unreadable("a.py", &io::Error::from(ErrorKind::PermissionDenied));
        assert_eq!(problem.to_string(), "a.py: it cannot be read: permission denied [unreadable]");
        assert!(problem.hint.unwrap().contains("chown -R 165536:165536 $BITBUCKET_CLONE_DIR"));
        assert_eq!(unreadable("a.py", &io::Error::from(ErrorKind::InvalidData)).hint, None);
    }
}
