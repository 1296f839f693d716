//! The copies of what was edited: verified, one for each edit, without a secret where they are published.

use super::{EXPORT, ORDERS, again, assert_settled, assert_stops, deployed, fresh, jupyter_edited, write};
use crate::support::{BEFORE, Step, TARGET, assert_golden, below, changes};
use databricks_deploy::databricks::objects::Format;
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_deploy::source::Language as Spoken;
use databricks_sandbox::{Canned, Fault, Moment, Object, On, Sandbox, Trouble};
use std::collections::BTreeMap;

const IMPORT: &str = "/api/2.0/workspace/import";

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
