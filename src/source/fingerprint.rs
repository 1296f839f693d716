//! Content in a form in which it can be compared with what the workspace gives back.
//!
//! The service keeps a notebook as cells, not as bytes: an export differs from the import in line ends, blank lines
//! around cells and at the end, and a Jupyter notebook comes back with other metadata and with other outputs or none
//! (that it differs is known, in what exactly is not). So only what an author writes counts: the cells, their kind,
//! their text and the notebook's language. What is left out here is never seen as an edit; what is kept may cost a copy
//! that nobody needed. Files come back byte for byte.

use super::{Kind, Language, jupyter, notebook};
use crate::digest::{Digest, Hasher};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// The digest of `content` in its normal form; the same for what was sent and for what comes back. `None` where the
/// content is not that of such an object, so that it certainly is not what was sent. Source notebooks are compared as
/// they are exported in source form, Jupyter notebooks as Jupyter.
///
/// Needs as much memory again as the longest cell of `content`, once or twice.
pub fn fingerprint(kind: Kind, content: &[u8]) -> Option<Digest> {
    match kind {
        Kind::File => Some(Digest::of(content)),
        Kind::Dashboard => Some(without_blanks(content)),
        Kind::SourceNotebook(language) => Some(source(content, language)),
        Kind::JupyterNotebook(_) => {
            let language = jupyter::language(content).ok()?;
            let Cells(mut hasher) = serde_json::from_slice::<Notebook>(content).ok()?.cells;
            hasher.update(notebook::word(language).as_bytes());
            Some(hasher.finish())
        }
    }
}

/// A dashboard is JSON; how the service lays it out is its own affair.
fn without_blanks(json: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    let (mut in_text, mut escaped) = (false, false);
    let mut kept = |byte: &u8| {
        let blank = !in_text && byte.is_ascii_whitespace();
        match byte {
            b'"' if !escaped => in_text = !in_text,
            _ => {}
        }
        escaped = in_text && !escaped && *byte == b'\\';
        !blank
    };
    for piece in json.chunks(64 * 1024) {
        hasher.update(&piece.iter().copied().filter(&mut kept).collect::<Vec<u8>>());
    }
    hasher.finish()
}

/// A notebook in source form. The header is what the language makes it.
fn source(content: &[u8], language: Language) -> Digest {
    let header = notebook::header(language);
    // The comment mark of the header is that of every other line that steers the notebook.
    let mark = header.split(' ').next().unwrap_or_default();
    let (separator, empty_magic) = (format!("{mark} COMMAND ----------"), format!("{mark} MAGIC"));
    let mut hasher = Hasher::new();
    let mut cell: Vec<u8> = Vec::new();
    let mut lines =
        content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).peekable();
    lines.next_if_eq(&header.as_bytes());
    for line in lines {
        if line.trim_ascii_end() == separator.as_bytes() {
            add(&mut hasher, "", &cell);
            cell.clear();
            continue;
        }
        // Editors take the blank off that the service puts behind an empty line of another language.
        let line = if line.trim_ascii_end() == empty_magic.as_bytes() { empty_magic.as_bytes() } else { line };
        cell.extend_from_slice(line);
        cell.push(b'\n');
    }
    add(&mut hasher, "", &cell);
    hasher.update(notebook::word(language).as_bytes());
    hasher.finish()
}

/// Adds a cell, unless it is empty. Length before text, so that no two lists of cells look alike.
fn add(hasher: &mut Hasher, kind: &str, text: &[u8]) {
    let text = without_blank_lines(text);
    if text.is_empty() {
        return;
    }
    for part in [kind.as_bytes(), text] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
}

/// The text without blank lines in front, and without blanks at the end.
fn without_blank_lines(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_end();
    let blanks = text.len() - text.trim_ascii_start().len();
    let indented =
        text.get(..blanks).unwrap_or_default().iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    text.get(indented..).unwrap_or_default()
}

#[derive(Deserialize)]
struct Notebook {
    cells: Cells,
}

/// The cells, each forgotten as soon as it is hashed.
struct Cells(Hasher);

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cells, D::Error> {
        struct EachCell;
        impl<'de> Visitor<'de> for EachCell {
            type Value = Cells;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of cells")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<Cells, A::Error> {
                let mut hasher = Hasher::new();
                while let Some(cell) = cells.next_element::<Cell<'_>>()? {
                    cell.add_to(&mut hasher);
                }
                Ok(Cells(hasher))
            }
        }
        deserializer.deserialize_seq(EachCell)
    }
}

/// What counts of a cell. Outputs, execution counts, ids and metadata do not.
#[derive(Deserialize)]
struct Cell<'a> {
    #[serde(borrow, default)]
    cell_type: Cow<'a, str>,
    #[serde(default)]
    source: Source,
}

/// A text, or its lines, which only stand beside each other.
#[derive(Default)]
struct Source(String);

impl Cell<'_> {
    fn add_to(&self, hasher: &mut Hasher) {
        let text = self.source.0.replace("\r\n", "\n");
        // A cell of text is a code cell with a command in front, where the notebook was in source form once.
        let markdown = text.trim_start().strip_prefix("%md").filter(|rest| rest.starts_with(char::is_whitespace));
        match markdown {
            Some(rest) if self.cell_type == "code" => add(hasher, "markdown", rest.trim_start().as_bytes()),
            _ if self.cell_type == "markdown" => add(hasher, "markdown", text.trim_start().as_bytes()),
            _ => add(hasher, &self.cell_type, text.as_bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
        struct Pieces;
        impl<'de> Visitor<'de> for Pieces {
            type Value = Source;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Source, E> {
                Ok(Source(text.to_owned()))
            }

            fn visit_unit<E>(self) -> Result<Source, E> {
                Ok(Source::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut lines: A) -> Result<Source, A::Error> {
                let mut text = String::new();
                while let Some(line) = lines.next_element::<Cow<'de, str>>()? {
                    text.push_str(&line);
                }
                Ok(Source(text))
            }
        }
        deserializer.deserialize_any(Pieces)
    }
}
