//! Edits made in the workspace: found before they are touched, kept safe, and never somebody else's object at risk.

use crate::support::{
    BEFORE, EXPLORE, Inside, STATE, Step, TARGET, assert_golden, below, changes, one_of_each, workspace,
};
use databricks_deploy::databricks::objects::{Export, Exported, Format, Put};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_deploy::source::{Kind as Sent, Language as Spoken, fingerprint};
use databricks_sandbox::{Canned, Fault, Kind, Language, Moment, Object, On, Running, Sandbox, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;

const IMPORT: &str = "/api/2.0/workspace/import";
const EXPORT: &str = "/api/2.0/workspace/export";
const ORDERS: &str = "# Databricks notebook source\nprint('edited')\n";

/// A target after its first deploy, with objects in it and around it that were never deployed.
async fn deployed() -> Sandbox {
    let sandbox = Sandbox::new();
    let ended = one_of_each(Step::deploying(&sandbox)).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    add_foreign(&sandbox);
    sandbox
}

fn add_foreign(sandbox: &Sandbox) {
    sandbox.put_notebook(&format!("{TARGET}/ingest/mine"), Language::Python, "# Databricks notebook source\n# mine\n");
    sandbox.put_file(&format!("{TARGET}/lib/mine.txt"), "mine\n");
    sandbox.put_folder(&format!("{TARGET}/empty of mine"));
    sandbox.put_file("/Workspace/Shared/other/orders", "another target\n");
}

/// What was never deployed.
fn foreign(sandbox: &Sandbox) -> BTreeMap<String, Object> {
    let all = sandbox.objects().into_iter();
    all.filter(|(path, _)| path.contains("mine") || path.starts_with("/Workspace/Shared/other")).collect()
}

fn fresh(sandbox: &Sandbox, on_drift: &str) -> Step {
    one_of_each(Step::deploying(sandbox)).variable("BITBUCKET_BUILD_NUMBER", 43).variable("ON_DRIFT", on_drift)
}

async fn again(sandbox: &Sandbox, step: &Step) -> Inside {
    let before = foreign(sandbox);
    assert_eq!(before.len(), 5, "the folder of the other target too");
    let ended = step.inside_with(sandbox, 8).await;
    assert_eq!(foreign(sandbox), before, "what was never deployed is as it was");
    assert_eq!(sandbox.unknown_routes(), Vec::<String>::new());
    ended
}

/// Deploys again, and sees that nothing is sent.
async fn assert_settled(sandbox: &Sandbox, step: &Step) {
    let since = sandbox.requests().len();
    let ended = again(sandbox, step).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(changes(sandbox, since), Vec::<String>::new(), "{}", ended.log);
}

/// Deploys and sees that it stops, with these codes, before any change.
async fn assert_stops(sandbox: &Sandbox, step: &Step, codes: &[Code]) -> Inside {
    let (since, before) = (sandbox.requests().len(), sandbox.objects());
    let ended = again(sandbox, step).await;
    assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
    let told: Vec<Code> = ended.outcome.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(told, codes, "{}", ended.log);
    assert_eq!(changes(sandbox, since), Vec::<String>::new(), "{}", ended.log);
    assert_eq!(sandbox.objects(), before);
    ended
}

fn jupyter_edited() -> String {
    EXPLORE.replace("print(42)", "print('edited')")
}

/// Writes as somebody who uses the API, or the editor, does.
async fn write(sandbox: &Sandbox, path: &str, content: impl Into<Vec<u8>>, format: Format) {
    let content: Vec<u8> = content.into();
    let put = workspace(sandbox).put(&format!("{TARGET}/{path}"), content.into(), format, true).await;
    assert_eq!(put.unwrap(), Put::Written);
}

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

/// Writes the same once more, as somebody who opens a notebook and saves it.
async fn touch_all(sandbox: &Sandbox) {
    let before = below(sandbox);
    for (path, format) in [
        ("ingest/orders", Format::Source(Spoken::Python)),
        ("ingest/customers", Format::Source(Spoken::Scala)),
        ("reports/revenue", Format::Source(Spoken::Sql)),
        ("reports/forecast", Format::Source(Spoken::R)),
        ("reports/explore", Format::Jupyter),
        ("lib/helpers.py", Format::Raw),
        ("lib/data/rates.csv", Format::Raw),
        ("board.lvdash.json", Format::Auto),
    ] {
        write(sandbox, path, before[path].bytes.to_vec(), format).await;
        let (before, after) = (&before[path], &below(sandbox)[path]);
        assert!(after.modified_at > before.modified_at && after.object_id == before.object_id, "{path}");
    }
}

fn exports(sandbox: &Sandbox, since: usize) -> usize {
    sandbox.requests().iter().skip(since).filter(|request| request.path == EXPORT).count()
}

#[tokio::test(start_paused = true)]
async fn what_was_only_touched_is_no_drift_and_is_looked_at_once() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        touch_all(&sandbox).await;
        let (since, before) = (sandbox.requests().len(), below(&sandbox));
        let step = fresh(&sandbox, on_drift);
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "the times are recorded");
        assert_eq!(exports(&sandbox, since), 2 + 8, "the state, without the lock and with it");
        let mut after = below(&sandbox);
        after.insert(STATE.into(), before[STATE].clone());
        assert_eq!(after, before);

        let since = sandbox.requests().len();
        assert_settled(&sandbox, &step).await;
        assert_eq!(exports(&sandbox, since), 1, "only the state: no second look");
    }
}

#[tokio::test(start_paused = true)]
async fn what_holds_the_new_content_already_is_no_drift() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        write(&sandbox, "reports/explore", jupyter_edited(), Format::Jupyter).await;
        write(&sandbox, "lib/helpers.py", "# the same\n", Format::Raw).await;
        write(&sandbox, "ingest/new", ORDERS, Format::Source(Spoken::Python)).await;
        let step = fresh(&sandbox, on_drift)
            .file("notebooks/ingest/orders.py", ORDERS)
            .file("notebooks/ingest/new.py", ORDERS)
            .file("notebooks/reports/explore.ipynb", jupyter_edited())
            .file("notebooks/lib/helpers.py", "# the same\n");
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "{on_drift}");
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_eq!(ended.outcome.changes.unwrap().adopted, 1, "nobody deployed `ingest/new`");
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_before_the_look_at_what_was_sent_is_kept_like_a_later_one() {
    let sandbox = Sandbox::new();
    let late = Trouble::Delay(Moment::Before, Duration::from_secs(40));
    sandbox.fault(Fault::always(On::path("/api/2.0/workspace/list"), late));
    let step = one_of_each(Step::deploying(&sandbox));
    // Our records are known after 40 seconds and the target after 80; the lock is ours after 120, the upload follows at
    // once, and what was sent is looked at after 160.
    let edit = async {
        tokio::time::sleep(Duration::from_secs(140)).await;
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
async fn what_was_never_deployed_and_is_in_the_way_is_not_touched() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let step = fresh(&sandbox, on_drift)
            // Another content than what is there, and another kind.
            .notebook("notebooks/ingest/mine.py")
            .notebook("notebooks/lib/mine.txt.py");
        let ended = assert_stops(&sandbox, &step, &[Code::ForeignObject, Code::TypeMismatch]).await;
        let places: Vec<_> = ended.outcome.problems.iter().filter_map(|problem| problem.place.clone()).collect();
        assert_eq!(places, [format!("{TARGET}/ingest/mine"), format!("{TARGET}/lib/mine.txt")]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_state_on_drift_decides_about_what_differs() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let original = below(&sandbox);
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        write(&sandbox, "reports/explore", jupyter_edited(), Format::Jupyter).await;
        sandbox.remove(&format!("{TARGET}/{STATE}"));
        let step = fresh(&sandbox, on_drift);
        if on_drift == "fail" {
            assert_stops(&sandbox, &step, &[Code::Drift, Code::Drift]).await;
            continue;
        }
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        let after = below(&sandbox);
        for path in ["ingest/orders", "reports/explore"] {
            assert_eq!(after[path].bytes, original[path].bytes, "{on_drift}: {path}");
            assert_eq!(after[path].object_id, original[path].object_id, "{on_drift}: {path}");
            let copy = after.get(&format!(".databricks-deploy/drift/43/{path}"));
            assert_eq!(copy.is_some(), on_drift == "backup", "{path}");
            if let Some(copy) = copy {
                assert_eq!((copy.kind, copy.jupyter), (Kind::Notebook, path == "reports/explore"));
                assert!(copy.bytes.windows(6).any(|bytes| bytes == b"edited"));
            }
        }
        let uploads = changes(&sandbox, since).into_iter().filter(|line| !line.contains(".databricks-deploy"));
        assert_eq!(uploads.count(), 2, "{on_drift}: what is equal is not sent");
        assert_eq!(ended.outcome.drifted.len(), 2);
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_moved_stays_where_it_was_moved_to() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let moved = below(&sandbox)["ingest/orders"].clone();
        sandbox.rename(&format!("{TARGET}/ingest/orders"), &format!("{TARGET}/reports/orders of mine"));
        let foreign_before = foreign(&sandbox);
        let step = fresh(&sandbox, on_drift);
        let since = sandbox.requests().len();
        let ended = step.inside_with(&sandbox, 8).await;
        assert_eq!(foreign(&sandbox), foreign_before, "{on_drift}");
        assert_eq!(below(&sandbox)["reports/orders of mine"], moved, "{on_drift}");
        if on_drift == "fail" {
            assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
            assert_eq!(changes(&sandbox, since), Vec::<String>::new());
            continue;
        }
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(changes(&sandbox, since), ["import ingest/orders".to_owned(), format!("import {STATE}")]);
        let anew = below(&sandbox)["ingest/orders"].clone();
        assert_eq!(anew.bytes, moved.bytes);
        assert_ne!(anew.object_id, moved.object_id);
        assert!(ended.log.contains(&format!("to `{TARGET}/reports/orders of mine`")), "{}", ended.log);
        let since = sandbox.requests().len();
        assert_eq!(step.inside_with(&sandbox, 9).await.exit, Exit::Done);
        assert_eq!(changes(&sandbox, since), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_kind_in_the_place_of_ours_is_not_deleted() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        sandbox.remove(&format!("{TARGET}/ingest/orders"));
        sandbox.put_file(&format!("{TARGET}/ingest/orders"), "a file of somebody\n");
        assert_stops(&sandbox, &fresh(&sandbox, on_drift), &[Code::TypeMismatch]).await;
        // Nor where the local file is gone: it is left, and named.
        let step = fresh(&sandbox, on_drift);
        std::fs::remove_file(step.root().join("notebooks/ingest/orders.py")).unwrap();
        let before = below(&sandbox)["ingest/orders"].clone();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(below(&sandbox)["ingest/orders"], before);
        assert!(ended.log.contains(&format!("Left alone: {TARGET}/ingest/orders ")), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_edit_in_one_build_gets_a_copy_of_its_own() {
    let sandbox = deployed().await;
    let step = fresh(&sandbox, "backup");
    for number in 1..=3 {
        let edit = format!("# Databricks notebook source\nprint('edit {number}')\n");
        write(&sandbox, "ingest/orders", edit, Format::Source(Spoken::Python)).await;
        let step = step_of_attempt(&sandbox, number);
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{number}: {}", ended.log);
    }
    let after = below(&sandbox);
    for (build, edit) in [("43", "edit 1"), ("43.2", "edit 2"), ("43.3", "edit 3")] {
        let copy = &after[&format!(".databricks-deploy/drift/{build}/ingest/orders")];
        assert!(String::from_utf8_lossy(&copy.bytes).contains(edit), "{build}");
    }
    assert_settled(&sandbox, &step).await;
}

fn step_of_attempt(sandbox: &Sandbox, attempt: u32) -> Step {
    fresh(sandbox, "backup").variable("BITBUCKET_STEP_RUN_NUMBER", attempt)
}

#[tokio::test(start_paused = true)]
async fn another_attempt_finds_the_copy_of_the_first() {
    let sandbox = deployed().await;
    write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
    write(&sandbox, "reports/explore", jupyter_edited(), Format::Jupyter).await;
    // The two copies are made, and the uploads fail.
    let refused = Canned::error(400, "INVALID_PARAMETER_VALUE", "The content is not acceptable.");
    sandbox.fault(Fault {
        on: On::post(IMPORT),
        skip: BEFORE + 2,
        times: None,
        trouble: Trouble::Answer(Moment::Before, refused),
    });
    let ended = again(&sandbox, &step_of_attempt(&sandbox, 1)).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    sandbox.clear_faults();
    let copies = |sandbox: &Sandbox| -> BTreeMap<String, Object> {
        below(sandbox).into_iter().filter(|(path, _)| path.starts_with(".databricks-deploy/drift")).collect()
    };
    let first = copies(&sandbox);
    let ended = again(&sandbox, &step_of_attempt(&sandbox, 2)).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(copies(&sandbox), first, "the same copies, not written again");
    let told: Vec<_> = ended.outcome.drifted.iter().filter_map(|drifted| drifted.copy.clone()).collect();
    let copy = |path: &str| format!("{TARGET}/.databricks-deploy/drift/43/{path}");
    assert_eq!(told, [copy("ingest/orders"), copy("reports/explore")]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_cannot_be_verified_stops_before_the_original_is_touched() {
    for (name, answer) in [
        (
            "another content",
            Canned { status: 200, headers: Vec::new(), body: "# Databricks notebook source\n1\n".into() },
        ),
        ("none", Canned::error(404, "RESOURCE_DOES_NOT_EXIST", "Path does not exist.")),
        ("not allowed", Canned::error(403, "PERMISSION_DENIED", "No.")),
    ] {
        let sandbox = deployed().await;
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        let before = below(&sandbox);
        // The state, the look at what is suspicious, the state under the lock, the original; the fifth export is that of
        // the copy.
        sandbox.fault(Fault::nth(On::get(EXPORT), 5, Trouble::Answer(Moment::Before, answer)));
        let since = sandbox.requests().len();
        let step = fresh(&sandbox, "backup").file("notebooks/new.py", ORDERS);
        std::fs::remove_file(step.root().join("notebooks/reports/forecast.r")).unwrap();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Deploy, "{name}: {}", ended.log);
        let copy = ".databricks-deploy/drift/43/ingest";
        assert_eq!(changes(&sandbox, since), [format!("mkdirs {copy}"), format!("import {copy}/orders")], "{name}");
        for (path, object) in before {
            assert_eq!(below(&sandbox)[&path], object, "{name}: {path}");
        }
        if name == "another content" {
            assert_golden("drift/copy_not_verified", &ended.log);
        }
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{name}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn the_copy_beside_the_outputs_holds_no_secret_of_the_step() {
    let sandbox = deployed().await;
    let secret = sandbox.token();
    let edit = format!("# Databricks notebook source\ntoken = '{secret}'\n");
    write(&sandbox, "ingest/orders", edit.clone(), Format::Source(Spoken::Python)).await;
    let mut binary = vec![0xff, 0xfe, 0x00];
    binary.extend_from_slice(secret.as_bytes());
    write(&sandbox, "lib/helpers.py", binary.clone(), Format::Raw).await;
    write(&sandbox, "lib/data/rates.csv", vec![0xff, 0x00, 0x80], Format::Raw).await;
    let step = fresh(&sandbox, "backup").variable("DEBUG", "true");
    let ended = again(&sandbox, &step).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(!ended.log.contains(&secret), "{}", ended.log);
    // What is in the workspace is kept as it was.
    let after = below(&sandbox);
    assert_eq!(after[".databricks-deploy/drift/43/lib/helpers.py"].bytes, binary);
    assert!(String::from_utf8_lossy(&after[".databricks-deploy/drift/43/ingest/orders"].bytes).contains(&secret));

    let beside = step.root().join("databricks-deploy/drift");
    let orders = std::fs::read_to_string(beside.join("ingest/orders.py")).unwrap();
    assert!(orders.contains("token = '") && !orders.contains(&secret), "{orders}");
    assert!(!beside.join("lib/helpers.py").exists(), "what is no text is not published with a secret in it");
    assert_eq!(std::fs::read(beside.join("lib/data/rates.csv")).unwrap(), [0xff, 0x00, 0x80]);
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

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_be_copied_is_overwritten_only_where_that_is_said() {
    // The service gives back 10 MiB.
    let large = |byte: u8| vec![byte; 10 * 1024 * 1024 + 1];
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let first = fresh(&sandbox, on_drift).file("notebooks/lib/large.bin", large(1));
        assert_eq!(again(&sandbox, &first).await.exit, Exit::Done);
        assert_settled(&sandbox, &first).await;
        sandbox.put_file(&format!("{TARGET}/lib/large.bin"), large(2));
        if on_drift != "overwrite" {
            let ended = assert_stops(&sandbox, &first, &[Code::Drift]).await;
            if on_drift == "backup" {
                assert_golden("drift/too_large", &ended.log);
            }
            continue;
        }
        let ended = again(&sandbox, &first).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert_eq!(below(&sandbox)["lib/large.bin"].bytes, large(1));
        assert_eq!(ended.outcome.drifted.len(), 1);
        assert_settled(&sandbox, &first).await;
    }
}
