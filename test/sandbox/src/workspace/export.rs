//! What comes out of the workspace: not always the bytes that went in.

use super::{Kind, Language, Object, has_header, header};
use bytes::Bytes;
use serde_json::{Value, json};

const SEPARATOR: &str = " COMMAND ----------";

/// The format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Source for notebooks, the bytes for files.
    Source,
    /// Jupyter for notebooks.
    Jupyter,
    /// What the object was imported as.
    Auto,
}

/// Content and its file type. `Err` is the text of the refusal.
pub(crate) fn export(object: &Object, format: Format) -> Result<(Bytes, &'static str), String> {
    match (object.kind, format) {
        (Kind::Notebook, _) => {
            let language = object.language.unwrap_or(Language::Python);
            let as_jupyter = format == Format::Jupyter || (format == Format::Auto && object.jupyter);
            Ok(match (as_jupyter, object.jupyter) {
                (true, true) => (rewritten(&object.bytes), "ipynb"),
                (true, false) => (to_jupyter(&object.bytes, language), "ipynb"),
                (false, true) => (to_source(&object.bytes, language), extension(language)),
                (false, false) => (with_header(&object.bytes, language), extension(language)),
            })
        }
        (Kind::File | Kind::Dashboard, Format::Source | Format::Auto) => Ok((object.bytes.clone(), "file")),
        // Designer files go through Jupyter only (databricks/cli, libs/notebook/ext.go, FixedExportFormat).
        (Kind::DesignerFile, Format::Jupyter) => Ok((rewritten(&object.bytes), "ipynb")),
        (kind, _) => Err(format!("The format is not supported for an object of type {}", kind.name())),
    }
}

fn extension(language: Language) -> &'static str {
    match language {
        Language::Python => "py",
        Language::R => "r",
        Language::Scala => "scala",
        Language::Sql => "sql",
    }
}

fn comment(language: Language) -> &'static str {
    match language {
        Language::Python | Language::R => "#",
        Language::Scala => "//",
        Language::Sql => "--",
    }
}

fn with_header(content: &Bytes, language: Language) -> Bytes {
    if has_header(content, language) {
        return content.clone();
    }
    let mut whole = format!("{}\n", header(language)).into_bytes();
    whole.extend_from_slice(content);
    Bytes::from(whole)
}

/// The same notebook, written anew: the real service does not give a Jupyter notebook back byte for byte either.
fn rewritten(content: &Bytes) -> Bytes {
    serde_json::from_slice::<Value>(content).map_or_else(|_| content.clone(), |value| Bytes::from(value.to_string()))
}

fn to_source(content: &Bytes, language: Language) -> Bytes {
    let notebook: Value = serde_json::from_slice(content).unwrap_or_default();
    let mark = comment(language);
    let cells = notebook["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sources = cells.iter().map(|cell| {
        let text = match &cell["source"] {
            Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<String>(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        if cell["cell_type"] != "markdown" {
            return text;
        }
        let lines: Vec<String> = format!("%md\n{text}").lines().map(|line| format!("{mark} MAGIC {line}")).collect();
        lines.join("\n")
    });
    let body = sources.collect::<Vec<_>>().join(&format!("\n\n{mark}{SEPARATOR}\n\n"));
    Bytes::from(format!("{}\n{body}\n", header(language)))
}

fn to_jupyter(content: &Bytes, language: Language) -> Bytes {
    let text = String::from_utf8_lossy(content);
    let mark = comment(language);
    let body = if has_header(content, language) { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    let cells: Vec<Value> = body
        .split(&format!("{mark}{SEPARATOR}"))
        .map(|cell| {
            json!({
                "cell_type": "code",
                "execution_count": null,
                "metadata": {},
                "outputs": [],
                "source": cell.trim_matches(['\r', '\n']).split_inclusive('\n').collect::<Vec<_>>(),
            })
        })
        .collect();
    let notebook = json!({
        "cells": cells,
        "metadata": { "application/vnd.databricks.v1+notebook": { "language": language.name().to_ascii_lowercase() } },
        "nbformat": 4,
        "nbformat_minor": 0,
    });
    Bytes::from(notebook.to_string())
}
