//! Digests of what is sent, and fingerprints by which it is known again when the workspace gives it back.

use super::{Clone, JUPYTER, PYTHON};
use crate::support::workspace;
use bytes::Bytes;
use databricks_deploy::databricks::objects::{Export, Exported, Format};
use databricks_deploy::digest::Digest;
use databricks_deploy::settings::SecretScan;
use databricks_deploy::source::{Kind, Language, fingerprint};
use databricks_sandbox::Sandbox;
use proptest::prelude::*;
use std::fs;

#[test]
fn every_file_has_the_digest_of_its_bytes() {
    let long: String = (0..100_000).map(|number| format!("{number}\n")).collect();
    // More findings than a scan wants to have: it stops early, and the digest goes on.
    let tokens: String = (0..50_000).map(|_| format!("dapi{}\n", "0123456789abcdef".repeat(2))).collect();
    let files = [
        ("a.py", PYTHON),
        ("b.ipynb", JUPYTER),
        ("c.lvdash.json", "{ \"pages\": [] }"),
        ("d.csv", ""),
        ("e.txt", "x"),
        ("f.txt", long.as_str()),
        ("g.txt", tokens.as_str()),
    ];
    for policy in [SecretScan::Warn, SecretScan::Off] {
        let clone = Clone::new(&files).scan(policy);
        let tree = clone.tree();
        assert_eq!(tree.files.len(), files.len());
        for (file, (name, content)) in tree.files.iter().zip(files) {
            assert_eq!((file.relative.as_str(), file.size), (name, content.len() as u64), "{policy:?}");
            assert_eq!(file.digest, Digest::of(content.as_bytes()), "{name} {policy:?}");
            assert_eq!(Some(file.fingerprint), fingerprint(file.kind, content.as_bytes()), "{name} {policy:?}");
            assert_eq!(file.fingerprint == file.digest, file.kind == Kind::File, "{name}");
        }
    }
}

#[test]
fn a_file_without_secrets_to_look_for_is_hashed_too() {
    let clone = Clone::new(&[("big.bin", "")]).scan(SecretScan::Off);
    let content: Vec<u8> = (0..3_000_001_u32).map(|number| (number % 253) as u8).collect();
    clone.write("big.bin", &content);
    let tree = databricks_deploy::source::read(&clone.files, &clone.path("out"), &[]).unwrap();
    assert_eq!((tree.files[0].digest, tree.files[0].size), (Digest::of(&content), content.len() as u64));
}

#[test]
fn a_dashboard_that_no_export_could_hold_is_known_by_its_bytes() {
    let clone = Clone::new(&[("big.lvdash.json", "")]);
    let content = vec![b' '; 10 * 1024 * 1024 + 1];
    fs::write(clone.path("big.lvdash.json"), &content).unwrap();
    let file = &clone.tree().files[0];
    assert_eq!(
        (file.kind, file.fingerprint, file.digest),
        (Kind::Dashboard, Digest::of(&content), Digest::of(&content))
    );
}

fn of_source(text: &str) -> Digest {
    fingerprint(Kind::SourceNotebook(Language::Python), text.as_bytes()).unwrap()
}

#[test]
fn a_source_notebook_is_its_cells() {
    let sent =
        of_source("# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n");
    for same in [
        "# Databricks notebook source\nx = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC \n# MAGIC hi",
        "# Databricks notebook source\r\nx = 1\r\n# COMMAND ----------\r\n# MAGIC %md\r\n# MAGIC\r\n# MAGIC hi\r\n\r\n",
        "# Databricks notebook source\n\n\nx = 1\n# COMMAND ---------- \n# COMMAND ----------\n# MAGIC %md\n# MAGIC\n# MAGIC hi",
        "x = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi",
    ] {
        assert_eq!(of_source(same), sent, "{same:?}");
    }
    for other in [
        "# Databricks notebook source\nx = 2\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n",
        "# Databricks notebook source\nx = 1\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n",
        "# Databricks notebook source\n x = 1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n",
        "# Databricks notebook source\nx = 1 \n1\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n",
        "# Databricks notebook source\n# MAGIC %md\n# MAGIC\n# MAGIC hi\n\n# COMMAND ----------\n\nx = 1\n",
        "# Databricks notebook source\nx = 1\n# COMMAND ----------x\n# MAGIC %md\n# MAGIC\n# MAGIC hi",
        "# Databricks notebook source\n",
    ] {
        assert_ne!(of_source(other), sent, "{other:?}");
    }
    // Blanks inside of a cell are an author's: two at the end of a line of Markdown are a line break.
    assert_ne!(of_source("a  \nb"), of_source("a\nb"));
    let as_r = fingerprint(Kind::SourceNotebook(Language::R), b"# Databricks notebook source\nx");
    assert_ne!(as_r, Some(of_source("# Databricks notebook source\nx")), "the language counts");
}

fn of_jupyter(cells: &str, metadata: &str) -> Option<Digest> {
    let json = format!(r#"{{"nbformat":4,"nbformat_minor":5,"metadata":{metadata},"cells":{cells}}}"#);
    fingerprint(Kind::JupyterNotebook(Language::Python), json.as_bytes())
}

#[test]
fn a_jupyter_notebook_is_its_cells_and_its_language() {
    let sent =
        of_jupyter(r##"[{"cell_type":"code","source":["a\n","b"]},{"cell_type":"markdown","source":"# hi"}]"##, "{}");
    assert!(sent.is_some());
    for (cells, metadata) in [
        (r##"[{"source":"a\nb\n","cell_type":"code"},{"cell_type":"markdown","source":["# hi"]}]"##, "{}"),
        (
            r##"[{"cell_type":"code","id":"1","execution_count":7,"outputs":[{"text":["x"]}],"metadata":{"a":{}},"source":"a\r\nb"},
            {"cell_type":"code","source":[]},{"cell_type":"code","source":"%md\n# hi"}]"##,
            r#"{"language_info":{"name":"python","version":"3.12"},"widgets":{}}"#,
        ),
    ] {
        assert_eq!(of_jupyter(cells, metadata), sent, "{cells}");
    }
    for (cells, metadata) in [
        (r##"[{"cell_type":"code","source":["a\n","c"]},{"cell_type":"markdown","source":"# hi"}]"##, "{}"),
        (r##"[{"cell_type":"raw","source":["a\n","b"]},{"cell_type":"markdown","source":"# hi"}]"##, "{}"),
        (r##"[{"cell_type":"markdown","source":"# hi"},{"cell_type":"code","source":["a\n","b"]}]"##, "{}"),
        (r##"[{"cell_type":"code","source":"a\nb\n# hi"}]"##, "{}"),
        (
            r##"[{"cell_type":"code","source":["a\n","b"]},{"cell_type":"markdown","source":"# hi"}]"##,
            r#"{"language_info":{"name":"R"}}"#,
        ),
        ("[]", "{}"),
    ] {
        assert_ne!(of_jupyter(cells, metadata), sent, "{cells}");
    }
    // What is no notebook is none, whatever it holds.
    for other in ["", "{}", "# Databricks notebook source\n", "[]", "<html></html>"] {
        assert_eq!(fingerprint(Kind::JupyterNotebook(Language::Python), other.as_bytes()), None, "{other}");
    }
    assert_eq!(of_jupyter(r#"[{"cell_type":"code","source":7}]"#, "{}"), None);
}

#[test]
fn a_dashboard_is_its_json_however_it_is_laid_out() {
    let of = |json: &str| fingerprint(Kind::Dashboard, json.as_bytes()).unwrap();
    let sent = of(r#"{"pages":[{"name":"a b \"c\" \\"}],"x":1}"#);
    assert_eq!(of("{\n  \"pages\" : [\r\n\t{ \"name\": \"a b \\\"c\\\" \\\\\" } ],\n  \"x\": 1 }\n"), sent);
    assert_ne!(of(r#"{"pages":[{"name":"ab \"c\" \\"}],"x":1}"#), sent);
    assert_ne!(of(r#"{"pages":[{"name":"a b \"c\"\\"}],"x":1}"#), sent);
}

/// Sends content to a sandbox, and gives what comes back.
fn there_and_back(content: &str, format: Format, export: Export) -> Bytes {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let workspace = workspace(&Sandbox::new());
        workspace.put("/Shared/n", content.to_owned().into(), format, true).await.unwrap();
        match workspace.export("/Shared/n", export).await.unwrap() {
            Exported::Content(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    })
}

const LANGUAGES: [Language; 4] = [Language::Python, Language::R, Language::Scala, Language::Sql];

fn language() -> impl Strategy<Value = Language> {
    prop::sample::select(LANGUAGES.to_vec())
}

/// Lines as authors write them, and as only a test does.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("# COMMAND ----------".to_owned()),
        Just("-- COMMAND ---------- ".to_owned()),
        Just("// MAGIC ".to_owned()),
        Just("%md".to_owned()),
        "[ \t]{1,3}",
        "[ -~é]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_source_notebook_is_known_again(
        language in language(), lines in prop::collection::vec(line(), 0..12), crlf in any::<bool>(), end in "\n{0,3}",
    ) {
        let mark = match language { Language::Python | Language::R => "#", Language::Scala => "//", Language::Sql => "--" };
        let text = format!("{mark} Databricks notebook source\n{}{end}", lines.join("\n"));
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let kind = Kind::SourceNotebook(language);
        let back = there_and_back(&text, Format::Source(language), Export::Source);
        prop_assert_eq!(fingerprint(kind, &back), fingerprint(kind, text.as_bytes()), "{:?} → {:?}", text, back);
    }

    #[test]
    fn a_jupyter_notebook_is_known_again_though_its_bytes_are_others(
        language in language(), cells in prop::collection::vec(
            (prop::sample::select(vec!["code", "markdown", "raw"]), prop::collection::vec(line(), 0..5), any::<bool>()), 0..6,
        ),
    ) {
        let name = ["python", "r", "scala", "sql"][LANGUAGES.iter().position(|known| *known == language).unwrap()];
        let cells: Vec<_> = cells.iter().enumerate().map(|(number, (kind, lines, as_list))| {
            let text = lines.join("\n");
            let source = if *as_list { serde_json::json!(text.split_inclusive('\n').collect::<Vec<_>>()) } else { text.into() };
            serde_json::json!({ "cell_type": kind, "id": number.to_string(), "metadata": {}, "source": source,
                "execution_count": number, "outputs": [{ "output_type": "stream", "text": ["x"] }] })
        }).collect();
        let text = serde_json::json!({ "nbformat": 4, "nbformat_minor": 5, "cells": cells,
            "metadata": { "language_info": { "name": name } } }).to_string();
        let kind = Kind::JupyterNotebook(language);
        let back = there_and_back(&text, Format::Jupyter, Export::Jupyter);
        prop_assert_ne!(Digest::of(&back), Digest::of(text.as_bytes()));
        prop_assert!(fingerprint(kind, &back).is_some());
        prop_assert_eq!(fingerprint(kind, &back), fingerprint(kind, text.as_bytes()), "{} → {:?}", text, back);
    }

    #[test]
    fn any_bytes_have_a_fingerprint_that_takes_nobody_down(content in prop::collection::vec(any::<u8>(), 0..200)) {
        for language in LANGUAGES {
            prop_assert!(fingerprint(Kind::SourceNotebook(language), &content).is_some());
        }
        prop_assert_eq!(fingerprint(Kind::File, &content), Some(Digest::of(&content)));
        prop_assert!(fingerprint(Kind::Dashboard, &content).is_some());
        let _ = fingerprint(Kind::JupyterNotebook(Language::R), &content);
    }
}
