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
                (true, true) => (rewritten(object), "ipynb"),
                (true, false) => (to_jupyter(object, language), "ipynb"),
                (false, true) => (to_source(&object.bytes, language), extension(language)),
                (false, false) => (from_cells(&source_cells(&object.bytes, language), language), extension(language)),
            })
        }
        (Kind::File | Kind::Dashboard, Format::Source | Format::Auto) => Ok((object.bytes.clone(), "file")),
        // Designer files go through Jupyter only (databricks/cli, libs/notebook/ext.go, FixedExportFormat).
        (Kind::DesignerFile, Format::Jupyter) => Ok((rewritten(object), "ipynb")),
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

/// The cells of a notebook in source form, without its header and without the blank lines around each.
fn source_cells(content: &[u8], language: Language) -> Vec<String> {
    let text = String::from_utf8_lossy(content).replace("\r\n", "\n");
    let body = if has_header(content, language) { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    let separator = format!("{}{SEPARATOR}", comment(language));
    let lines: Vec<&str> = body.split('\n').collect();
    let cells = lines.split(|line| line.trim_end() == separator);
    cells.map(|cell| cell.join("\n").trim_matches('\n').to_owned()).collect()
}

/// The header, and the cells with their separators. The service keeps cells, not text: line ends, blank lines around
/// cells and those at the end are its own (likely; that a trailing line end may differ is all that is known).
fn from_cells(cells: &[String], language: Language) -> Bytes {
    let body = cells.join(&format!("\n\n{}{SEPARATOR}\n\n", comment(language)));
    Bytes::from(format!("{}\n{body}", header(language)))
}

/// The same notebook as the service writes it: Databricks' own metadata at the notebook and each cell, no outputs, no
/// cell ids, `nbformat` 4.0. That it is not the bytes that were imported is known; the parts are those that notebooks
/// exported from real workspaces show, and that outputs are left out is not confirmed.
fn rewritten(object: &Object) -> Bytes {
    let notebook: Value = serde_json::from_slice(&object.bytes).unwrap_or_default();
    let cells = notebook["cells"].as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
    let cells = cells.map(|(number, cell)| {
        let kind = cell["cell_type"].as_str().unwrap_or("code");
        jupyter_cell(kind, &cell_text(cell), &format!("{:x}-{number}", object.object_id))
    });
    jupyter(cells.collect(), object.language.unwrap_or(Language::Python))
}

fn jupyter_cell(kind: &str, text: &str, id: &str) -> Value {
    let mut cell = json!({
        "cell_type": kind,
        "metadata": { "application/vnd.databricks.v1+cell": {
            "cellMetadata": {}, "inputWidgets": {}, "nuid": id, "showTitle": false, "title": "",
        } },
        "source": text.split_inclusive('\n').collect::<Vec<_>>(),
    });
    if kind == "code" {
        cell["execution_count"] = Value::from(0);
        cell["outputs"] = json!([]);
    }
    cell
}

fn jupyter(cells: Vec<Value>, language: Language) -> Bytes {
    let notebook = json!({
        "cells": cells,
        "metadata": { "application/vnd.databricks.v1+notebook": {
            "dashboards": [],
            "language": language.name().to_ascii_lowercase(),
            "notebookMetadata": { "pythonIndentUnit": 4 },
            "notebookName": "",
            "widgets": {},
        } },
        "nbformat": 4,
        "nbformat_minor": 0,
    });
    Bytes::from(notebook.to_string())
}

fn cell_text(cell: &Value) -> String {
    match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

fn to_source(content: &Bytes, language: Language) -> Bytes {
    let notebook: Value = serde_json::from_slice(content).unwrap_or_default();
    let mark = comment(language);
    let cells = notebook["cells"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sources = cells.iter().map(|cell| {
        let text = cell_text(cell);
        if cell["cell_type"] != "markdown" {
            return text;
        }
        let lines: Vec<String> = format!("%md\n{text}").lines().map(|line| format!("{mark} MAGIC {line}")).collect();
        lines.join("\n")
    });
    from_cells(&sources.collect::<Vec<_>>(), language)
}

fn to_jupyter(object: &Object, language: Language) -> Bytes {
    let cells = source_cells(&object.bytes, language).into_iter().enumerate();
    let cells = cells.map(|(number, text)| jupyter_cell("code", &text, &format!("{:x}-{number}", object.object_id)));
    jupyter(cells.collect(), language)
}
