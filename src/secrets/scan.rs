//! Looks for secrets in files: the live ones of this step, and what has the shape of a token.
//!
//! A file is read once, in bounded memory. What is found is told by kind and line, never by value.

use super::search::BulkSearch;
use super::shapes::{self, Where};
use super::{Secret, forms};
use crate::order;
use std::collections::BTreeSet;
use std::io::{self, Read};

/// How much is read at a time. Bytes.
const CHUNK: usize = 256 * 1024;

/// How much of the last chunk is looked at again with the next: a token is found across chunks up to this length.
const OVERLAP: usize = 16 * 1024;

/// A file with a zero byte in its first bytes is binary: git's rule.
const BINARY_HEAD: usize = 8000;

/// More findings of one file tell nothing new.
const MAX_FINDINGS: usize = 20;

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    /// The line, counted from 1; of a binary file it means little.
    pub line: u64,
    /// What it is.
    pub kind: Found,
}

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Found {
    /// A secret that this step holds: certain.
    Live,
    /// Something with the shape of the token of this name: likely.
    Shape(&'static str),
}

/// Prepared for the secrets of this step; scans any number of files.
#[derive(Clone)]
pub struct Scanner {
    live: Option<BulkSearch>,
    shapes: bool,
    chunk: usize,
    overlap: usize,
}

impl Scanner {
    /// Looks for `secrets` of 8 bytes or more, as they are and encoded; and for the shapes of tokens if `shapes`.
    ///
    /// Binary files (a zero byte in the first 8000 bytes) are searched for `secrets` only: a compressed or compiled
    /// file holds any short text sooner or later.
    pub fn new(secrets: &[Secret], shapes: bool) -> Scanner {
        let forms: BTreeSet<_> = order::gathered(secrets.iter().flat_map(|secret| forms::telling(secret.expose())));
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        let live = if forms.is_empty() { None } else { BulkSearch::new(forms) };
        let overlap = OVERLAP.max(longest);
        Scanner { live, shapes, chunk: CHUNK.max(overlap), overlap }
    }

    /// `false` if it would find nothing in any file, so that none needs to be read for it.
    pub fn looks_for_something(&self) -> bool {
        self.live.is_some() || self.shapes
    }

    /// Reads all of `reader` and tells what is in it, by line; at most one finding of a kind for each line, and at
    /// most 20. Fails only where `reader` does.
    pub fn scan(&self, mut reader: impl Read) -> io::Result<Vec<Finding>> {
        let mut found = BTreeSet::new();
        // The buffer starts small: most files are, and they are many.
        let mut buffer = Vec::new();
        let (mut from, mut line, mut shapes) = (0, 1, None);
        loop {
            let wanted = (self.chunk + self.overlap - buffer.len()) as u64;
            let last = reader.by_ref().take(wanted).read_to_end(&mut buffer)? < usize::try_from(wanted).unwrap_or(0);
            let shapes =
                *shapes.get_or_insert_with(|| self.shapes && !buffer.iter().take(BINARY_HEAD).any(|byte| *byte == 0));
            // What starts in the rest is looked for when there is more behind it.
            let until = if last { buffer.len() } else { buffer.len().saturating_sub(self.overlap) };
            let mut note = |start: usize, kind| {
                if (from..until).contains(&start) {
                    let line = line + buffer.get(from..start).map_or(0, newlines);
                    found.insert(Finding { line, kind });
                }
                found.len() <= 2 * MAX_FINDINGS
            };
            if let Some(live) = &self.live {
                for start in live.find(&buffer) {
                    if !note(start, Found::Live) {
                        break;
                    }
                }
            }
            if shapes {
                for (shape, range) in shapes::find(&buffer, from, Where::Files) {
                    if !note(range.start, Found::Shape(shape.name)) {
                        break;
                    }
                }
            }
            if last || found.len() > MAX_FINDINGS {
                break;
            }
            line += buffer.get(from..until).map_or(0, newlines);
            // One byte stays in front: whether a token is a word of its own depends on it.
            buffer.drain(..until.saturating_sub(1));
            from = 1;
        }
        let live: BTreeSet<u64> =
            order::gathered(found.iter().filter(|finding| finding.kind == Found::Live).map(|finding| finding.line));
        let certain = |finding: &Finding| finding.kind == Found::Live || !live.contains(&finding.line);
        Ok(found.into_iter().filter(certain).take(MAX_FINDINGS).collect())
    }
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scanner(…)")
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    const SECRET: &str = "correct-horse";

    fn scanner() -> Scanner {
        Scanner::new(&[Secret::new(SECRET), Secret::new("short")], true)
    }

    fn token() -> String {
        format!("dapi{}", "0123456789abcdef".repeat(2))
    }

    fn lines(found: &[Finding]) -> Vec<(u64, Found)> {
        found.iter().map(|finding| (finding.line, finding.kind)).collect()
    }

    #[test]
    fn live_secrets_and_tokens_are_told_by_line() {
        let encoded = STANDARD.encode(format!("user:{SECRET}:x"));
        let text = format!("{SECRET}\nshort\nx = '{}'\n\n{encoded} {SECRET}\n{SECRET} {}", token(), token());
        assert_eq!(
            lines(&scanner().scan(text.as_bytes()).unwrap()),
            [
                (1, Found::Live),
                (3, Found::Shape("Databricks access token")),
                (5, Found::Live),
                // On a line with a certain finding the likely one says nothing new.
                (6, Found::Live),
            ]
        );
    }

    #[test]
    fn binary_files_are_searched_for_live_secrets_only() {
        let binary = format!("\0{} {SECRET}", token());
        assert_eq!(lines(&scanner().scan(binary.as_bytes()).unwrap()), [(1, Found::Live)]);
    }

    #[test]
    fn shapes_can_be_left_out() {
        let scanner = Scanner::new(&[Secret::new(SECRET)], false);
        assert_eq!(scanner.scan(token().as_bytes()).unwrap(), []);
        assert!(scanner.looks_for_something());
        assert!(!Scanner::new(&[Secret::new("short")], false).looks_for_something());
    }

    #[test]
    fn findings_are_not_endless() {
        let text = format!("{}\n", token()).repeat(50_000);
        assert_eq!(scanner().scan(text.as_bytes()).unwrap().len(), MAX_FINDINGS);
    }

    #[test]
    fn a_reader_that_fails_is_told() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::InvalidData))
            }
        }
        assert_eq!(scanner().scan(Broken).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    /// Gives its bytes in pieces of the given sizes, over and over.
    struct Pieces<'a>(&'a [u8], std::iter::Cycle<std::slice::Iter<'a, usize>>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.next().copied().unwrap_or(1).min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(size);
            buffer[..size].copy_from_slice(now);
            self.0 = later;
            Ok(size)
        }
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            parts in prop::collection::vec(prop_oneof![
                Just(SECRET.to_owned()), Just(token()), Just("\n".to_owned()), "[ -~\n]{0,40}",
                // A boundary on the left decides here.
                "x?ATBB[a-z]{28}",
            ], 0..40),
            pieces in prop::collection::vec(1..70_usize, 1..6),
            chunk in 64..200_usize,
        ) {
            // Apart: a token of any length is found across chunks only up to the overlap.
            let text = parts.join(" ");
            let whole = scanner().scan(text.as_bytes()).unwrap();
            let small = Scanner { chunk, overlap: 64, ..scanner() };
            let found = small.scan(Pieces(text.as_bytes(), pieces.iter().cycle())).unwrap();
            prop_assert_eq!(&found, &whole);
            let expected: BTreeSet<u64> = text.lines().zip(1..).filter(|(l, _)| l.contains(SECRET)).map(|(_, n)| n).collect();
            let live: BTreeSet<u64> = whole.iter().filter(|f| f.kind == Found::Live).map(|f| f.line).collect();
            prop_assert_eq!(live.iter().take(10).collect::<Vec<_>>(), expected.iter().take(10).collect::<Vec<_>>());
        }
    }
}
