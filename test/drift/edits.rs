//! What somebody wrote into something of ours: whatever it is, and whatever becomes of the original.

use super::{ORDERS, add_foreign, again, assert_settled, assert_stops, deployed, fresh, jupyter_edited, write};
use crate::support::{STATE, Step, TARGET, asked, assert_golden, below, changes, one_of_each, workspace};
use databricks_deploy::databricks::objects::{Export, Exported, Format};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_deploy::source::{Kind as Sent, Language as Spoken, fingerprint};
use databricks_sandbox::{Fault, Kind, Language, Moment, On, Running, Sandbox, Trouble};
use std::time::Duration;

/// An edit of one of the deployed objects.
struct Edit {
    name: &'static str,
    path: &'static str,
    content: String,
    format: Format,
    /// Another object with the same name, and not the same one with another content.
    replaces: bool,
    /// As what its content is compared.
    kind: Sent,
    /// The name of the copy beside the outputs.
    beside: &'static str,
}

fn edits() -> Vec<Edit> {
    let orders = |name, replaces| Edit {
        name,
        path: "ingest/orders",
        content: ORDERS.into(),
        format: Format::Source(Spoken::Python),
        replaces,
        kind: Sent::SourceNotebook(Spoken::Python),
        beside: "ingest/orders.py",
    };
    vec![
        orders("notebook", false),
        orders("replaced", true),
        Edit {
            name: "another language",
            path: "reports/revenue",
            content: "// Databricks notebook source\nval edited = 1\n".into(),
            format: Format::Source(Spoken::Scala),
            replaces: false,
            kind: Sent::SourceNotebook(Spoken::Scala),
            beside: "reports/revenue.scala",
        },
        Edit {
            name: "jupyter",
            path: "reports/explore",
            content: jupyter_edited(),
            format: Format::Jupyter,
            replaces: false,
            kind: Sent::JupyterNotebook(Spoken::Python),
            beside: "reports/explore.ipynb",
        },
        Edit {
            name: "file",
            path: "lib/data/rates.csv",
            content: "currency,rate\nedited,1\n".into(),
            format: Format::Raw,
            replaces: false,
            kind: Sent::File,
            beside: "lib/data/rates.csv",
        },
        Edit {
            name: "file that looks like a notebook",
            path: "lib/helpers.py",
            content: ORDERS.into(),
            format: Format::Raw,
            replaces: false,
            kind: Sent::File,
            beside: "lib/helpers.py",
        },
        Edit {
            name: "dashboard",
            path: "board.lvdash.json",
            content: r#"{"pages":["edited"]}"#.into(),
            format: Format::Auto,
            replaces: false,
            kind: Sent::Dashboard,
            beside: "board.lvdash.json",
        },
    ]
}

impl Edit {
    async fn make(&self, sandbox: &Sandbox) {
        if self.replaces {
            sandbox.remove(&format!("{TARGET}/{}", self.path));
        }
        write(sandbox, self.path, self.content.as_str(), self.format).await;
    }

    /// The content at `path` as the workspace gives it, in the form in which it is compared.
    async fn seen_at(&self, sandbox: &Sandbox, path: &str) -> Option<databricks_deploy::digest::Digest> {
        let export = match self.kind {
            Sent::SourceNotebook(_) => Export::Source,
            Sent::JupyterNotebook(_) => Export::Jupyter,
            Sent::Dashboard | Sent::File => Export::File { size: None },
        };
        match workspace(sandbox).export(&format!("{TARGET}/{path}"), export).await.unwrap() {
            Exported::Content(content) => fingerprint(self.kind, &content),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_copied_and_then_overwritten() {
    for edit in edits() {
        let sandbox = deployed().await;
        let original = below(&sandbox)[edit.path].clone();
        edit.make(&sandbox).await;
        let edited = below(&sandbox)[edit.path].clone();
        assert_eq!(edited.object_id != original.object_id, edit.replaces, "{}", edit.name);
        let step = fresh(&sandbox, "backup");
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{}: {}", edit.name, ended.log);

        let copy = format!(".databricks-deploy/drift/43/{}", edit.path);
        let after = below(&sandbox);
        let kept = &after[&copy];
        assert_eq!(
            (kept.kind, kept.language, kept.jupyter),
            (edited.kind, edited.language, edited.jupyter),
            "{}: the copy is of the same kind",
            edit.name
        );
        let expected = fingerprint(edit.kind, edit.content.as_bytes());
        assert!(expected.is_some());
        assert_eq!(edit.seen_at(&sandbox, &copy).await, expected, "{}: the copy holds the edit", edit.name);
        if edit.kind == Sent::File {
            assert_eq!(&kept.bytes[..], edit.content.as_bytes());
        }
        let restored = &after[edit.path];
        assert_eq!(restored.object_id, edited.object_id, "{}: an import keeps the id", edit.name);
        assert_eq!(
            (&restored.bytes, restored.language, restored.jupyter),
            (&original.bytes, original.language, original.jupyter),
            "{}",
            edit.name
        );

        let told = &ended.outcome.drifted;
        assert_eq!(told.len(), 1, "{}", edit.name);
        assert_eq!(told[0].path, format!("{TARGET}/{}", edit.path));
        assert_eq!(told[0].copy, Some(format!("{TARGET}/{copy}")));
        assert!(ended.log.contains(&format!("copy: {TARGET}/{copy}")), "{}", ended.log);
        let beside = step.root().join("databricks-deploy/drift").join(edit.beside);
        let beside = std::fs::read(&beside).unwrap_or_else(|error| panic!("{}: {error}", beside.display()));
        assert_eq!(fingerprint(edit.kind, &beside), expected, "{}", edit.name);
        let folder = copy.rsplit_once('/').unwrap().0;
        assert_eq!(
            changes(&sandbox, since),
            [
                format!("mkdirs {folder}"),
                format!("import {copy}"),
                format!("import {}", edit.path),
                format!("import {STATE}"),
            ],
            "{}: nothing else is touched",
            edit.name
        );
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_stops_a_deploy_that_is_to_fail() {
    for edit in edits() {
        let sandbox = deployed().await;
        edit.make(&sandbox).await;
        let step = fresh(&sandbox, "fail");
        let ended = assert_stops(&sandbox, &step, &[Code::Drift]).await;
        assert_eq!(ended.outcome.problems[0].place, Some(format!("{TARGET}/{}", edit.path)), "{}", edit.name);
        assert!(!step.root().join("databricks-deploy/drift").exists());
        // It stays drift until somebody decides.
        assert_stops(&sandbox, &step, &[Code::Drift]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_overwritten_where_that_is_said() {
    for edit in edits() {
        let sandbox = deployed().await;
        let original = below(&sandbox)[edit.path].clone();
        edit.make(&sandbox).await;
        let step = fresh(&sandbox, "overwrite");
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{}: {}", edit.name, ended.log);
        assert_eq!(changes(&sandbox, since), [format!("import {}", edit.path), format!("import {STATE}")]);
        assert_eq!(below(&sandbox)[edit.path].bytes, original.bytes, "{}", edit.name);
        let line = ended.log.lines().find(|line| line.contains("[drift]")).unwrap_or_default();
        assert!(line.contains(edit.path) && line.contains("`ON_DRIFT: overwrite`"), "{}", ended.log);
        assert_eq!((ended.outcome.drifted.len(), &ended.outcome.drifted[0].copy), (1, &None));
        assert!(!step.root().join("databricks-deploy/drift").exists());
        assert_settled(&sandbox, &step).await;
    }
}

#[test]
fn the_log_names_what_was_edited_and_what_became_of_it() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let running = Running::start(Sandbox::new()).unwrap();
        let sandbox = running.sandbox();
        assert_eq!(one_of_each(Step::deploying(sandbox)).against(&running).code, 0);
        sandbox.put_notebook(&format!("{TARGET}/ingest/orders"), Language::Python, ORDERS);
        sandbox.put_file(&format!("{TARGET}/lib/helpers.py"), "def help():\n    return 2\n");
        sandbox.put_notebook(
            &format!("{TARGET}/reports/revenue"),
            Language::Sql,
            "-- Databricks notebook source\nSELECT 2\n",
        );
        let step = fresh(sandbox, on_drift)
            .file("notebooks/lib/helpers.py", "def help():\n    return 3\n")
            .file("notebooks/reports/costs.sql", "-- Databricks notebook source\nSELECT 3\n");
        std::fs::remove_file(step.root().join("notebooks/reports/revenue.sql")).unwrap();
        let ended = step.against(&running);
        assert_eq!(ended.code, if on_drift == "fail" { 7 } else { 0 }, "{}", ended.log);
        assert_golden(&format!("drift/{on_drift}"), &ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_before_the_look_at_what_was_sent_is_kept_like_a_later_one() {
    let sandbox = Sandbox::new();
    let late = Trouble::Delay(Moment::Before, Duration::from_secs(40));
    sandbox.fault(Fault::always(On::path("/api/2.0/workspace/list"), late));
    let step = one_of_each(Step::deploying(&sandbox));
    // What was sent is looked at 40 seconds after the upload.
    let edit = async {
        while !asked(&sandbox, 0).contains(&"import ingest/orders".to_owned()) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!(!asked(&sandbox, 0).contains(&format!("import {STATE}")), "the deploy has not ended");
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
    };
    let (ended, ()) = tokio::join!(step.inside_with(&sandbox, 7), edit);
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(below(&sandbox)["ingest/orders"].bytes.windows(6).any(|bytes| bytes == b"edited"), "after the upload");
    sandbox.clear_faults();
    add_foreign(&sandbox);

    let anew = "# Databricks notebook source\nprint('anew')\n";
    let ended = again(&sandbox, &fresh(&sandbox, "backup").file("notebooks/ingest/orders.py", anew)).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let drifted: Vec<_> = ended.outcome.drifted.iter().map(|drifted| drifted.path.as_str()).collect();
    assert_eq!(drifted, [format!("{TARGET}/ingest/orders")], "{}", ended.log);
    let copy = &below(&sandbox)[".databricks-deploy/drift/43/ingest/orders"];
    assert!(copy.bytes.windows(6).any(|bytes| bytes == b"edited"), "the edit is kept");
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_what_is_to_be_pruned_counts() {
    let copy = ".databricks-deploy/drift/43/ingest/orders";
    for (on_drift, changes_expected) in [
        (
            "backup",
            vec!["mkdirs .databricks-deploy/drift/43/ingest", "import .databricks-deploy/drift/43/ingest/orders"],
        ),
        ("overwrite", vec![]),
    ] {
        let sandbox = deployed().await;
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        let step = fresh(&sandbox, on_drift);
        std::fs::remove_file(step.root().join("notebooks/ingest/orders.py")).unwrap();
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        let mut expected: Vec<String> = changes_expected.iter().map(|line| (*line).to_owned()).collect();
        expected.extend(["delete ingest/orders".to_owned(), format!("import {STATE}")]);
        assert_eq!(changes(&sandbox, since), expected, "{on_drift}");
        let after = below(&sandbox);
        assert!(!after.contains_key("ingest/orders"));
        assert_eq!(after.get(copy).map(|copy| copy.bytes.as_ref()).is_some(), on_drift == "backup");
        if let Some(copy) = after.get(copy) {
            assert!(copy.bytes.windows(6).any(|bytes| bytes == b"edited"));
        }
        assert_eq!(ended.outcome.drifted.len(), 1);
        assert_settled(&sandbox, &step).await;
    }
    let sandbox = deployed().await;
    write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
    let step = fresh(&sandbox, "fail");
    std::fs::remove_file(step.root().join("notebooks/ingest/orders.py")).unwrap();
    assert_stops(&sandbox, &step, &[Code::Drift]).await;
}

#[tokio::test(start_paused = true)]
async fn an_edit_in_the_way_of_another_kind_is_copied_before_it_is_deleted() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        write(&sandbox, "lib/data/rates.csv", "currency,rate\nedited,1\n", Format::Raw).await;
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        let step = fresh(&sandbox, on_drift)
            // A file takes the place of a folder, and a folder that of a notebook.
            .file("notebooks/ingest/orders/today.txt", "today\n");
        for gone in ["lib/data/rates.csv", "ingest/orders.py"] {
            std::fs::remove_file(step.root().join("notebooks").join(gone)).unwrap();
        }
        std::fs::remove_dir(step.root().join("notebooks/lib/data")).unwrap();
        let step = step.file("notebooks/lib/data", "a file now\n");
        if on_drift == "fail" {
            assert_stops(&sandbox, &step, &[Code::Drift, Code::Drift]).await;
            continue;
        }
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        let after = below(&sandbox);
        assert_eq!((after["lib/data"].kind, after["ingest/orders"].kind), (Kind::File, Kind::Directory));
        for path in ["lib/data/rates.csv", "ingest/orders"] {
            let copy = after.get(&format!(".databricks-deploy/drift/43/{path}"));
            assert_eq!(copy.is_some(), on_drift == "backup", "{path}");
            assert!(copy.is_none_or(|copy| copy.bytes.windows(6).any(|bytes| bytes == b"edited")), "{path}");
        }
        assert_settled(&sandbox, &step).await;
    }
}
