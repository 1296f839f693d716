//! `/api/2.0/workspace/…`.

use crate::errors::ApiError;
use crate::multipart::{MAX_PART, Part};
use crate::reply::Reply;
use crate::request::{Ask, Fields, Payload, missing};
use crate::state::State;
use crate::workspace::export::{self, Format};
use crate::workspace::{self, Detected, Kind, Language, Object, WorkspacePath};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

/// What an import in JSON may weigh when decoded, what a notebook may weigh by any way, and what an export may weigh.
const MAX_SMALL: u64 = 10_485_760;

/// `GET get-status`.
pub(crate) fn get_status(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let at = WorkspacePath::parse(ask.required_query("path")?)?;
    let object = state.tree.visible(&at, &ask.caller)?;
    let mut info = info(&at.shown, object);
    if ask.query_flag("return_export_info")? && object.kind == Kind::Notebook {
        info["repos_export_format"] = Value::from(if object.jupyter { "JUPYTER" } else { "SOURCE" });
    }
    Ok(Reply::json(&info))
}

/// `GET list`: one level, all of it.
pub(crate) fn list(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let at = WorkspacePath::parse(ask.required_query("path")?)?;
    let after = ask.query_integer("notebooks_modified_after")?.unwrap_or(i64::MIN);
    let object = state.tree.visible(&at, &ask.caller)?;
    if object.kind != Kind::Directory {
        return Ok(Reply::json(&json!({ "objects": [info(&at.shown, object)] })));
    }
    let base = at.shown.trim_end_matches('/');
    let objects: Vec<Value> = state
        .tree
        .children(&at.normal)
        .filter(|(_, object)| object.kind != Kind::Notebook || object.modified_at > after)
        .filter(|(name, _)| ask.caller.folder_right(&format!("{}/{name}", at.normal)).may_read())
        .map(|(name, object)| info(&format!("{base}/{name}"), object))
        .collect();
    Ok(if objects.is_empty() { Reply::empty() } else { Reply::json(&json!({ "objects": objects })) })
}

/// `POST mkdirs`.
pub(crate) fn mkdirs(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let at = WorkspacePath::parse(ask.json()?.required_text("path")?)?;
    let now = state.clock.millis();
    state.tree.make_folders(&at, &ask.caller, &mut state.ids, now)?;
    Ok(Reply::empty())
}

/// `POST delete`.
pub(crate) fn delete(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let fields = ask.json()?;
    let at = WorkspacePath::parse(fields.required_text("path")?)?;
    state.tree.delete(&at, fields.flag("recursive")?, &ask.caller)?;
    Ok(Reply::empty())
}

/// `POST import`, in JSON or multipart.
pub(crate) fn import(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let import = match &ask.payload {
        Payload::Parts(parts) => Import::from_parts(parts)?,
        _ => Import::from_json(ask.json()?)?,
    };
    let Import { at, content, overwrite, .. } = &import;
    let made = import.made()?;
    if matches!(made.kind, Kind::Notebook | Kind::DesignerFile) {
        check_size(content.len() as u64)?;
    }
    let now = state.clock.millis();
    state.tree.write(at, made, content.clone(), *overwrite, &ask.caller, (&mut state.ids, now))?;
    Ok(Reply::empty())
}

/// `GET export`.
pub(crate) fn export(state: &mut State, ask: &Ask) -> Result<Reply, ApiError> {
    let at = WorkspacePath::parse(ask.required_query("path")?)?;
    let direct = ask.query_flag("direct_download")?;
    let format = match ask.query("format").unwrap_or("SOURCE") {
        "SOURCE" => Format::Source,
        "JUPYTER" => Format::Jupyter,
        "AUTO" => Format::Auto,
        other @ ("HTML" | "DBC" | "R_MARKDOWN" | "RAW") => {
            return Err(ApiError::not_in_sandbox(&format!("export as {other}")));
        }
        other => return Err(unknown("format", other)),
    };
    let object = state.tree.visible(&at, &ask.caller)?;
    if object.kind == Kind::Directory {
        return Err(ApiError::not_in_sandbox("export of a folder, which the real service answers with a DBC archive"));
    }
    let (content, kind) = export::export(object, format).map_err(ApiError::invalid)?;
    check_export(object.kind, content.len() as u64)?;
    Ok(if direct {
        Reply::bytes(content)
    } else {
        Reply::json(&json!({ "content": STANDARD.encode(&content), "file_type": kind }))
    })
}

fn info(shown: &str, object: &Object) -> Value {
    let mut info = json!({
        "object_type": object.kind.name(),
        "path": shown,
        "object_id": object.object_id,
        "resource_id": object.object_id.to_string(),
    });
    // The real service may leave a folder's times out; so nobody may count on them.
    if object.kind != Kind::Directory {
        info["created_at"] = Value::from(object.created_at);
        info["modified_at"] = Value::from(object.modified_at);
    }
    if let Some(language) = object.language {
        info["language"] = Value::from(language.name());
    }
    if object.kind == Kind::File {
        info["size"] = Value::from(object.size);
    }
    info
}

fn unknown(field: &str, value: &str) -> ApiError {
    ApiError::invalid(format!("Invalid value for field '{field}': {value}"))
}

fn check_size(size: u64) -> Result<(), ApiError> {
    if size <= MAX_SMALL {
        return Ok(());
    }
    let text = format!("File size imported is ({size} bytes), exceeded max size ({MAX_SMALL} bytes)");
    Err(ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", text))
}

/// A notebook that is too large is refused by its code, anything else by a reason in the details only: both forms occur
/// (databricks/cli, libs/filer); which one when is not confirmed.
fn check_export(kind: Kind, size: u64) -> Result<(), ApiError> {
    if size <= MAX_SMALL {
        return Ok(());
    }
    let text = format!("The exported content has {size} bytes, which is over the limit of {MAX_SMALL}");
    Err(match kind {
        Kind::Notebook => ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", text),
        _ => ApiError::new(400, "BAD_REQUEST", text).with_info(
            "MAX_READ_SIZE_EXCEEDED",
            "workspace.databricks.com",
            json!({}),
        ),
    })
}

/// An import, however it was sent.
struct Import {
    at: WorkspacePath,
    content: Bytes,
    format: String,
    language: Option<Language>,
    overwrite: bool,
}

impl Import {
    fn from_json(fields: Fields<'_>) -> Result<Import, ApiError> {
        let at = WorkspacePath::parse(fields.required_text("path")?)?;
        let encoded = fields.text("content")?.unwrap_or_default();
        let content =
            STANDARD.decode(encoded).map_err(|_| ApiError::invalid("Field 'content' must be encoded in base64"))?;
        check_size(content.len() as u64)?;
        let format = fields.text("format")?.unwrap_or("SOURCE").to_owned();
        let language = fields.text("language")?.map(language).transpose()?;
        Ok(Import { at, content: Bytes::from(content), format, language, overwrite: fields.flag("overwrite")? })
    }

    fn from_parts(parts: &[Part]) -> Result<Import, ApiError> {
        let find = |name: &str| parts.iter().find(|part| part.name == name);
        let text = |name: &str| {
            find(name)
                .map(|part| part.text().ok_or_else(|| ApiError::invalid(format!("Field '{name}' must be text"))))
                .transpose()
        };
        let at = WorkspacePath::parse(text("path")?.ok_or_else(|| missing("path"))?)?;
        let content = find("content").ok_or_else(|| missing("content"))?;
        if content.length > MAX_PART {
            let text = format!("Maximum file size of {MAX_PART} exceeded");
            return Err(ApiError::new(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", text));
        }
        let overwrite = match text("overwrite")? {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(unknown("overwrite", other)),
        };
        let format = text("format")?.unwrap_or("SOURCE").to_owned();
        let language = text("language")?.map(language).transpose()?;
        Ok(Import { at, content: content.content.clone(), format, language, overwrite })
    }

    /// What comes of it.
    fn made(&self) -> Result<Detected, ApiError> {
        let name = self.at.name().to_owned();
        let notebook =
            |language, jupyter, name| Detected { kind: Kind::Notebook, language: Some(language), jupyter, name };
        match self.format.as_str() {
            "SOURCE" => match self.language {
                Some(language) => Ok(notebook(language, false, name)),
                // Without a language the content is taken for an archive of a folder.
                None => Err(ApiError::invalid("The zip archive contains no items")),
            },
            "AUTO" => workspace::auto(&name, &self.content).map_err(ApiError::invalid),
            "RAW" => Ok(Detected { kind: Kind::File, language: None, jupyter: false, name }),
            "JUPYTER" => {
                let language = workspace::jupyter_language(&self.content).map_err(ApiError::invalid)?;
                Ok(notebook(language, true, name))
            }
            other @ ("HTML" | "R_MARKDOWN" | "DBC") => Err(ApiError::not_in_sandbox(&format!("import as {other}"))),
            other => Err(unknown("format", other)),
        }
    }
}

fn language(name: &str) -> Result<Language, ApiError> {
    Language::from_name(name).ok_or_else(|| unknown("language", name))
}
