//! A writer that lets no secret through.

use super::Redactor;
use std::io::{self, Write};

/// Redacts line by line what is written to it, so that a secret that comes in several pieces is still found. A line is
/// passed on when it ends, on [`flush`](Write::flush), and on drop; until then it is held in memory.
///
/// A secret of several lines is found line by line.
pub struct RedactingWriter<W: Write> {
    inner: W,
    redactor: Redactor,
    line: Vec<u8>,
}

impl<W: Write> RedactingWriter<W> {
    /// Writes to `inner` what `redactor` leaves.
    pub fn new(inner: W, redactor: Redactor) -> RedactingWriter<W> {
        RedactingWriter { inner, redactor, line: Vec::new() }
    }

    /// The writer below; what is not flushed yet is not in it.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    fn pass_on(&mut self, end: usize) -> io::Result<()> {
        let done: Vec<u8> = self.line.drain(..end).collect();
        // One line at a time: what a line is taken for must not depend on how many came in one write.
        for line in done.split_inclusive(|byte| *byte == b'\n') {
            self.inner.write_all(&self.redactor.redact_bytes(line))?;
        }
        Ok(())
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = self.line.len();
        self.line.extend_from_slice(bytes);
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            self.pass_on(held + newline + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on(self.line.len())?;
        self.inner.flush()
    }
}

impl<W: Write> Drop for RedactingWriter<W> {
    fn drop(&mut self) {
        // Who wants to know of a failure flushes before.
        let _ = self.flush();
    }
}

impl<W: Write> std::fmt::Debug for RedactingWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedactingWriter(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::{MARKER, Secret};
    use proptest::prelude::*;

    fn redactor() -> Redactor {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new("correct-horse"));
        redactor.learn(&Secret::new("first-line-of-it\nsecond-line-of-it"));
        redactor
    }

    #[test]
    fn a_line_waits_for_its_end() {
        let mut writer = RedactingWriter::new(Vec::new(), redactor());
        writer.write_all(b"a correct").unwrap();
        assert_eq!(writer.get_ref().as_slice(), b"");
        writer.write_all(b"-horse\nand first-line-of-it\nsecond-").unwrap();
        assert_eq!(writer.get_ref().as_slice(), b"a [secret]\nand [secret]\n");
        writer.write_all(b"line-of-it").unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.get_ref().as_slice(), b"a [secret]\nand [secret]\n[secret]");
    }

    #[test]
    fn the_last_line_is_not_lost() {
        let mut sink = Vec::new();
        RedactingWriter::new(&mut sink, redactor()).write_all(b"no newline, \xff correct-horse").unwrap();
        assert_eq!(sink, b"no newline, \xff [secret]");
    }

    #[test]
    fn a_failing_sink_is_told() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = RedactingWriter::new(Full, redactor());
        assert_eq!(writer.write_all(b"x\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    proptest! {
        #[test]
        fn any_split_of_the_writes_gives_the_same(
            parts in prop::collection::vec(
                prop_oneof![Just("correct-horse".to_owned()), Just("\n".to_owned()), "[ -~é]{0,12}"], 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let text = parts.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut sink, mut at) = (Vec::new(), 0);
            let mut writer = RedactingWriter::new(&mut sink, redactor());
            for cut in cuts {
                writer.write_all(&text.as_bytes()[at..cut]).unwrap();
                at = cut;
            }
            drop(writer);
            let expected: String =
                text.split_inclusive('\n').map(|line| redactor().redact(line).into_owned()).collect();
            prop_assert_eq!(String::from_utf8(sink).unwrap(), expected.clone());
            prop_assert!(!expected.contains("correct-horse"));
            prop_assert_eq!(expected.contains(MARKER), text.contains("correct-horse"));
        }
    }
}
