//! Notebook or file, as Databricks decides it.
//!
//! The rules are those of the Databricks CLI (`libs/notebook/detect.go`), which the service follows as far as is known:
//! the extension in any case, and as the first line exactly the header; one carriage return before the line's end is
//! no part of it, but a byte order mark or a blank is.

use super::Language;

/// What a file's name says that it could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A notebook, if its first line is `header`.
    Source { language: Language, header: &'static str },
    /// A Jupyter notebook.
    Jupyter,
    /// A dashboard.
    Dashboard,
    /// Just a file.
    Other,
}

/// What the first line says of a file that could be a notebook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstLine {
    /// It is a notebook.
    Notebook,
    /// It is not, but its author seems to think so.
    Nearly,
    /// It is not.
    Something,
}

/// How many bytes of a file are enough for [`first_line`].
pub(super) const HEAD: usize = 128;

/// Judges a file by its name, the last part of its path.
pub(super) fn by_name(name: &str) -> Named {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".lvdash.json") {
        return Named::Dashboard;
    }
    // A designer file is Jupyter inside, but an object of its own kind, and keeps its name.
    if name.ends_with(".designer.ipynb") {
        return Named::Other;
    }
    let source = |language| Named::Source { language, header: header(language) };
    match extension(&name) {
        ".py" => source(Language::Python),
        ".r" => source(Language::R),
        ".scala" => source(Language::Scala),
        ".sql" => source(Language::Sql),
        ".ipynb" => Named::Jupyter,
        _ => Named::Other,
    }
}

/// The first line of a source notebook, without its end.
pub(super) fn header(language: Language) -> &'static str {
    match language {
        Language::Python | Language::R => "# Databricks notebook source",
        Language::Scala => "// Databricks notebook source",
        Language::Sql => "-- Databricks notebook source",
    }
}

/// The language in Jupyter's word.
pub(super) fn word(language: Language) -> &'static str {
    match language {
        Language::Python => "python",
        Language::R => "r",
        Language::Scala => "scala",
        Language::Sql => "sql",
    }
}

/// The extension with its dot. A name that is nothing but an extension has one, too: `.py` would become a notebook
/// without a name.
pub(super) fn extension(name: &str) -> &str {
    name.rfind('.').and_then(|dot| name.get(dot..)).unwrap_or_default()
}

/// Judges a file by its first bytes.
pub(super) fn first_line(head: &[u8], header: &str) -> FirstLine {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line == header.as_bytes() {
        return FirstLine::Notebook;
    }
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches('\u{feff}').trim().trim_start_matches(['#', '/', '-']).trim();
    if text.eq_ignore_ascii_case("Databricks notebook source") { FirstLine::Nearly } else { FirstLine::Something }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_what_a_file_could_be() {
        for (name, language) in [
            ("a.py", Language::Python),
            ("a.PY", Language::Python),
            ("a.b.py", Language::Python),
            ("a.r", Language::R),
            ("a.R", Language::R),
            ("a.scala", Language::Scala),
            ("a.sql", Language::Sql),
            (".py", Language::Python),
        ] {
            assert!(matches!(by_name(name), Named::Source { language: l, .. } if l == language), "{name}");
        }
        assert_eq!(by_name("a.ipynb"), Named::Jupyter);
        assert_eq!(by_name("a.lvdash.json"), Named::Dashboard);
        for name in ["a.designer.ipynb", "a.json", "a", "py", "a.pyc", "a.python", ".hidden", "a.", "é"] {
            assert_eq!(by_name(name), Named::Other, "{name}");
        }
    }

    #[test]
    fn the_first_line_is_exact() {
        const HEADER: &str = "# Databricks notebook source";
        for head in [
            HEADER,
            "# Databricks notebook source\nx",
            "# Databricks notebook source\r\nx",
            "# Databricks notebook source\n",
        ] {
            assert_eq!(first_line(head.as_bytes(), HEADER), FirstLine::Notebook, "{head:?}");
        }
        for head in [
            "\u{feff}# Databricks notebook source\n",
            "# Databricks notebook source \n",
            " # Databricks notebook source\n",
            "#Databricks notebook source\n",
            "# databricks notebook source\n",
            "// Databricks notebook source\n",
            "# Databricks notebook source\r\r\n",
        ] {
            assert_eq!(first_line(head.as_bytes(), HEADER), FirstLine::Nearly, "{head:?}");
        }
        for head in ["", "\n# Databricks notebook source", "# Databricks notebook sources", "import x", "\u{0}\u{1}"] {
            assert_eq!(first_line(head.as_bytes(), HEADER), FirstLine::Something, "{head:?}");
        }
    }
}
