//! Notebook or file, as the workspace decides it for an import as AUTO (databricks/cli, libs/notebook/detect.go,
//! detect_jupyter.go and ext.go; that the service decides alike is what the CLI relies on).

use super::{Kind, Language};
use serde_json::Value;

/// What an import makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) kind: Kind,
    pub(crate) language: Option<Language>,
    pub(crate) jupyter: bool,
    /// The name it gets.
    pub(crate) name: String,
}

const LANGUAGES: [(&str, Language); 4] =
    [("py", Language::Python), ("r", Language::R), ("scala", Language::Scala), ("sql", Language::Sql)];

/// The first line of a source notebook.
pub(crate) fn header(language: Language) -> &'static str {
    match language {
        Language::Python | Language::R => "# Databricks notebook source",
        Language::Scala => "// Databricks notebook source",
        Language::Sql => "-- Databricks notebook source",
    }
}

/// Whether the content starts with the header as its whole first line. The line ends with LF or CRLF, for the CLI
/// strips a carriage return there; that the service does so too, and that a byte order mark in front makes it a plain
/// file, is not confirmed.
pub(crate) fn has_header(content: &[u8], language: Language) -> bool {
    let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line) == header(language).as_bytes()
}

/// Looks at name and content. `Err` is the text of the refusal.
pub(crate) fn auto(name: &str, content: &[u8]) -> Result<Detected, String> {
    let whole = |kind| Detected { kind, language: None, jupyter: false, name: name.to_owned() };
    let Some((stem, extension)) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else {
        return Ok(whole(Kind::File));
    };
    let lower = name.to_ascii_lowercase();
    // A dashboard keeps its whole name (databricks/cli, libs/testserver/dashboards.go: the path of a dashboard ends in
    // ".lvdash.json"), and so does a designer file (libs/notebook/ext.go).
    if lower.ends_with(".lvdash.json") {
        return match serde_json::from_slice::<Value>(content) {
            Ok(Value::Object(_)) => Ok(whole(Kind::Dashboard)),
            _ => Err(format!("The dashboard {name} is not a JSON object")),
        };
    }
    if extension.eq_ignore_ascii_case("ipynb") {
        let language = jupyter_language(content)?;
        if lower.ends_with(".designer.ipynb") {
            return Ok(whole(Kind::DesignerFile));
        }
        let (kind, name) = (Kind::Notebook, stem.to_owned());
        return Ok(Detected { kind, language: Some(language), jupyter: true, name });
    }
    let language = LANGUAGES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    match language {
        Some((_, language)) if has_header(content, *language) => {
            let (kind, name) = (Kind::Notebook, stem.to_owned());
            Ok(Detected { kind, language: Some(*language), jupyter: false, name })
        }
        Some(_) | None => Ok(whole(Kind::File)),
    }
}

/// The language of a Jupyter notebook. `Err` is the text of the refusal: the CLI says that importing what is not valid
/// always fails; with which text is not confirmed.
pub(crate) fn jupyter_language(content: &[u8]) -> Result<Language, String> {
    let notebook: Value =
        serde_json::from_slice(content).map_err(|_| "The notebook is not valid Jupyter: it is not JSON".to_owned())?;
    if !notebook["cells"].is_array() || !notebook["metadata"].is_object() {
        return Err("The notebook is not valid Jupyter: it has no cells or no metadata".to_owned());
    }
    let version = notebook["nbformat"].as_i64().unwrap_or(0);
    if version < 4 {
        return Err(format!("The notebook is not valid Jupyter: nbformat {version} is not supported"));
    }
    let metadata = &notebook["metadata"];
    // The first is Databricks' own; that the service falls back to the others is likely, not confirmed.
    let spoken = [
        &metadata["application/vnd.databricks.v1+notebook"]["language"],
        &metadata["language_info"]["name"],
        &metadata["kernelspec"]["language"],
    ];
    let known =
        spoken.iter().filter_map(|value| value.as_str()).find_map(|name| match name.to_ascii_lowercase().as_str() {
            "python" => Some(Language::Python),
            "r" => Some(Language::R),
            "scala" => Some(Language::Scala),
            "sql" => Some(Language::Sql),
            _ => None,
        });
    Ok(known.unwrap_or(Language::Python))
}
