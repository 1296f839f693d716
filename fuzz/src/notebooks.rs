//! Local files: what one becomes, and by what it is known again. A line with the file's name, then its content.

use super::assert_can_be_told;
use databricks_deploy::digest::Digest;
use databricks_deploy::secrets::{Redactor, Secret};
use databricks_deploy::settings::{Files, SecretScan};
use databricks_deploy::source::{Kind, Language, LocalFile, fingerprint, read};
use serde_json::Value;
use std::path::PathBuf;

/// A live secret of the step that deploys.
const CANARY: &str = "c4n4ry-of-the-fuzzer-7";

const LANGUAGES: [(Language, &str, &str); 4] = [
    (Language::Python, ".py", "# Databricks notebook source"),
    (Language::R, ".r", "# Databricks notebook source"),
    (Language::Scala, ".scala", "// Databricks notebook source"),
    (Language::Sql, ".sql", "-- Databricks notebook source"),
];

pub(crate) fn holds(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (name, content) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    for (language, _, header) in LANGUAGES {
        source(language, header, content);
    }
    dashboard(content);
    jupyter(content);
    on_disk(&String::from_utf8_lossy(name), content);
}

/// What an export may differ in is no difference.
fn source(language: Language, header: &str, content: &[u8]) {
    let of = |content: &[u8]| fingerprint(Kind::SourceNotebook(language), content);
    let sent = of(content);
    assert!(sent.is_some(), "any text is a notebook's source");
    assert_eq!(of(&[content, b"\n"].concat()), sent, "a line end at the end");
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.strip_suffix(b"\r").unwrap_or(first) != header.as_bytes() {
        assert_eq!(of(&[header.as_bytes(), b"\n", content].concat()), sent, "the header");
    }
    if !content.contains(&b'\r') {
        let windows: Vec<u8> =
            content.iter().flat_map(|byte| [b'\r', *byte].into_iter().skip(usize::from(*byte != b'\n'))).collect();
        assert_eq!(of(&windows), sent, "the line ends");
    }
    let more = [header.as_bytes(), b"\n", content, b"\nanother line of code"].concat();
    assert_ne!(of(&more), sent, "another line is another notebook");
}

/// A dashboard is its JSON, however it is laid out.
fn dashboard(content: &[u8]) {
    let of = |content: &[u8]| fingerprint(Kind::Dashboard, content);
    let sent = of(content);
    if serde_json::from_slice::<&serde_json::value::RawValue>(content).is_err() {
        return;
    }
    let (mut spread, mut in_text, mut escaped) = (Vec::new(), false, false);
    for byte in content {
        in_text ^= *byte == b'"' && !escaped;
        escaped = in_text && !escaped && *byte == b'\\';
        spread.push(*byte);
        if !in_text && b"{}[],:".contains(byte) {
            spread.extend(b"\n\t ");
        }
    }
    assert_eq!(of(&spread), sent, "{}", String::from_utf8_lossy(&spread));
}

/// A Jupyter notebook is its cells and its language.
fn jupyter(content: &[u8]) {
    let of = |content: &[u8]| fingerprint(Kind::JupyterNotebook(Language::Python), content);
    let Some(sent) = of(content) else { return };
    assert_eq!(fingerprint(Kind::JupyterNotebook(Language::Sql), content), Some(sent), "it says its language itself");
    // What the parser passes over may be more than a `Value` can hold.
    let Ok(mut notebook) = serde_json::from_slice::<Value>(content) else { return };
    assert_eq!(of(notebook.to_string().as_bytes()), Some(sent), "written by another program: {notebook}");
    if let Some(cells) = notebook["cells"].as_array_mut() {
        for cell in cells.iter_mut().filter_map(Value::as_object_mut) {
            cell.retain(|name, _| matches!(name.as_str(), "cell_type" | "source"));
            cell.insert("outputs".into(), Value::Array(vec![]));
            cell.insert("execution_count".into(), 7.into());
        }
        cells.push(serde_json::json!({ "cell_type": "code", "source": [" \n", "\r\n"] }));
    }
    assert_eq!(of(notebook.to_string().as_bytes()), Some(sent), "run once more: {notebook}");
    if let Some(cells) = notebook["cells"].as_array_mut() {
        cells.push(serde_json::json!({ "cell_type": "code", "source": "x = 1" }));
    }
    assert_ne!(of(notebook.to_string().as_bytes()), Some(sent), "with one cell more: {notebook}");
}

/// The file as it is found in a clone.
fn on_disk(name: &str, content: &[u8]) {
    let name: String = name.chars().filter(|char| !matches!(char, '/' | '\0')).take(40).collect();
    if matches!(name.as_str(), "" | "." | "..") || content.len() > 64 * 1024 {
        return;
    }
    let folder = Folder::with(&name, content);
    let files = Files {
        local: folder.0.clone(),
        shown: ".".into(),
        clone_root: folder.0.clone(),
        include: Vec::new(),
        exclude: Vec::new(),
        secret_scan: SecretScan::Warn,
    };
    // To look for a secret costs more than all else; where there is no trace of it, there is nothing to look for.
    let traced = content.windows(6).any(|window| CANARY.as_bytes().starts_with(window));
    let secrets: &[Secret] = if traced { &[Secret::new(CANARY)] } else { &[] };
    let read = read(&files, &folder.0.join("databricks-deploy"), secrets);
    let found = match &read {
        Ok(tree) => {
            tree.warnings.iter().for_each(assert_can_be_told);
            &tree.files
        }
        Err(unusable) => {
            assert!(!unusable.problems.is_empty());
            unusable.problems.iter().chain(&unusable.warnings).for_each(assert_can_be_told);
            &Vec::new()
        }
    };
    // A rule that does not count is quoted, whatever it holds; each sink has the redactor before it.
    let shown = format!("{:?}", read.as_ref().err());
    if shown.contains(CANARY) && !name.contains(CANARY) {
        let redactor = Redactor::new();
        redactor.learn(&Secret::new(CANARY));
        assert!(!redactor.redact(&shown).contains(CANARY), "{shown}");
    }
    for file in found {
        assert_eq!(file.relative, name);
        assert!(!content.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "a live secret goes out");
        as_the_service_sees_it(file, &name, content);
    }
}

/// The rules of the Databricks CLI, written once more.
fn as_the_service_sees_it(file: &LocalFile, name: &str, content: &[u8]) {
    assert_eq!((file.size, file.digest), (content.len() as u64, Digest::of(content)));
    // What cannot be read for a comparison is compared by its bytes.
    assert_eq!(file.fingerprint, fingerprint(file.kind, content).unwrap_or(file.digest));
    let lower = name.to_ascii_lowercase();
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = first.strip_suffix(b"\r").unwrap_or(first);
    let source =
        LANGUAGES.iter().find(|(_, extension, header)| lower.ends_with(extension) && first == header.as_bytes());
    match (file.kind, source) {
        (Kind::SourceNotebook(language), Some((expected, extension, _))) => {
            assert_eq!(language, *expected);
            assert_eq!(file.remote, name[..name.len() - extension.len()]);
        }
        (Kind::JupyterNotebook(_), None) => assert!(lower.ends_with(".ipynb") && !lower.ends_with(".designer.ipynb")),
        (Kind::Dashboard, None) => assert!(lower.ends_with(".lvdash.json") && file.remote == name),
        (Kind::File, None) => {
            assert!(file.remote == name && (!lower.ends_with(".ipynb") || lower.ends_with(".designer.ipynb")))
        }
        (kind, expected) => panic!("{name} became {kind:?}, and should be {expected:?}"),
    }
}

/// A folder that is gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, content: &[u8]) -> Folder {
        let folder = std::env::temp_dir().join(format!(
            "databricks-deploy-{:010}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&folder).expect("a folder for the file");
        std::fs::write(folder.join(name), content).expect("the file");
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
