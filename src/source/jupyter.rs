//! Jupyter notebooks: valid or not, and in which language.

use super::Language;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What is read of a Jupyter notebook; the cells are passed over.
#[derive(Deserialize)]
struct Notebook {
    nbformat: Option<Value>,
    metadata: Option<Metadata>,
    cells: Option<Cells>,
}

/// Where the language may be. Nothing of it is needed for a valid notebook, so nothing of it is taken amiss.
#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(rename = "application/vnd.databricks.v1+notebook")]
    databricks: Option<Value>,
    language_info: Option<Value>,
    kernelspec: Option<Value>,
}

struct Cells;

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cells, D::Error> {
        struct PassOver;
        impl<'de> Visitor<'de> for PassOver {
            type Value = Cells;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of cells")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut cells: A) -> Result<Cells, A::Error> {
                while cells.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Cells)
            }
        }
        deserializer.deserialize_seq(PassOver)
    }
}

/// The language of the notebook in `json`, or why it is none, as the end of a sentence. Nothing of its content is told.
///
/// Valid is what the Databricks CLI takes (`libs/notebook/detect_jupyter.go`): cells, metadata, format 4 or newer. That
/// the kernel's language counts where Databricks' own metadata are missing is unconfirmed; the service does not ask for
/// a language with Jupyter content, so it only decides what this pipe says of the notebook.
pub(super) fn language(json: &[u8]) -> Result<Language, String> {
    match json.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err("it is empty".into()),
        // serde would take a list for the fields in order.
        Some(b'[') => return Err("it is not a JSON object".into()),
        Some(_) => {}
    }
    // What is passed over is not looked at, and may be of no encoding.
    let json = std::str::from_utf8(json).map_err(|e| format!("it is not UTF-8 (byte {})", e.valid_up_to() + 1))?;
    let notebook: Notebook = serde_json::from_str(json).map_err(|e| {
        let place = format!("line {}, column {}", e.line(), e.column());
        match e.classify() {
            serde_json::error::Category::Data => format!("its parts are not those of a notebook ({place})"),
            serde_json::error::Category::Eof => format!("the JSON ends too early ({place})"),
            _ => format!("it is not JSON ({place})"),
        }
    })?;
    match notebook.nbformat.as_ref().map(Value::as_u64) {
        None => return Err("it has no `nbformat`".into()),
        Some(None) => return Err("its `nbformat` is not a whole number".into()),
        Some(Some(version)) if version < 4 => {
            return Err(format!("it is in Jupyter's format {version}, and Databricks takes 4 or newer"));
        }
        Some(Some(_)) => {}
    }
    if notebook.cells.is_none() {
        return Err("it has no `cells`".into());
    }
    let Some(metadata) = notebook.metadata else { return Err("it has no `metadata`".into()) };
    let field = |value: &Option<Value>, name: &str| -> Option<Language> { named(value.as_ref()?.get(name)?.as_str()?) };
    Ok(field(&metadata.databricks, "language")
        .or_else(|| field(&metadata.language_info, "name"))
        .or_else(|| field(&metadata.kernelspec, "language"))
        .unwrap_or(Language::Python))
}

fn named(language: &str) -> Option<Language> {
    match language.to_ascii_lowercase().as_str() {
        "python" => Some(Language::Python),
        "r" => Some(Language::R),
        "scala" => Some(Language::Scala),
        "sql" => Some(Language::Sql),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_comes_from_the_metadata() {
        for (metadata, language) in [
            ("{}", Language::Python),
            (
                r#"{"application/vnd.databricks.v1+notebook":{"language":"scala"},"language_info":{"name":"python"}}"#,
                Language::Scala,
            ),
            (r#"{"language_info":{"name":"R"}}"#, Language::R),
            (r#"{"kernelspec":{"language":"sql"}}"#, Language::Sql),
            (r#"{"language_info":{"name":"julia"},"kernelspec":{"language":"R"}}"#, Language::R),
            (r#"{"language_info":7,"kernelspec":[],"application/vnd.databricks.v1+notebook":null}"#, Language::Python),
        ] {
            let json =
                format!(r#"{{"nbformat":4,"nbformat_minor":5,"metadata":{metadata},"cells":[{{"x":[1,{{}}]}}]}}"#);
            assert_eq!(self::language(json.as_bytes()), Ok(language), "{json}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_content() {
        for (json, expected) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("{", "the JSON ends too early (line 1, column 1)"),
            ("\u{feff}{}", "it is not JSON (line 1, column 1)"),
            ("# Databricks", "it is not JSON (line 1, column 1)"),
            ("{} x", "it is not JSON (line 1, column 4)"),
            ("{}", "it has no `nbformat`"),
            (r#"{"nbformat":"4"}"#, "its `nbformat` is not a whole number"),
            (r#"{"nbformat":3,"worksheets":[]}"#, "it is in Jupyter's format 3, and Databricks takes 4 or newer"),
            (r#"{"nbformat":4,"metadata":{}}"#, "it has no `cells`"),
            (r#"{"nbformat":4,"cells":[]}"#, "it has no `metadata`"),
            (
                r#"{"nbformat":4,"cells":"hunter2","metadata":{}}"#,
                "its parts are not those of a notebook (line 1, column 31)",
            ),
            (r#"[4,{},[]]"#, "it is not a JSON object"),
        ] {
            let told = language(json.as_bytes()).unwrap_err();
            assert_eq!(told, expected, "{json}");
        }
        let latin = b"{\"cells\":[{\"source\":\"caf\xe9\"}],\"metadata\":{},\"nbformat\":4}";
        assert_eq!(language(latin).unwrap_err(), "it is not UTF-8 (byte 25)");
    }
}
