//! `ACTION: destroy`: what this target put there goes, and nothing else does.

use crate::support::{Ended, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{Fault, Language, Moment, On, Running, Sandbox, Trouble};
use serde_json::Value;
use std::collections::BTreeSet;

const ROOT: &str = "/Workspace/Shared/etl";
const HEADER: &str = "# Databricks notebook source\n";

fn tree(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .notebook("notebooks/a.py")
        .notebook("notebooks/ingest/orders.py")
        .file("notebooks/ingest/data/rates.csv", "currency,rate\n")
        .file("notebooks/board.lvdash.json", r#"{"pages":[]}"#)
}

fn deployed() -> (Running, Step) {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = tree(running.sandbox());
    assert_eq!(step.against(&running).code, 0);
    (running, step.variable("ACTION", "destroy"))
}

/// Everything in `/Workspace/Shared`, by its path below that.
fn left(sandbox: &Sandbox) -> BTreeSet<String> {
    let objects = sandbox.objects().into_keys();
    objects.filter_map(|path| path.strip_prefix("/Workspace/Shared/").map(str::to_owned)).collect()
}

fn destroys(step: &Step, running: &Running) -> Ended {
    let ended = step.against(running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(running.sandbox().unknown_routes(), Vec::<String>::new());
    ended
}

fn edit(sandbox: &Sandbox, path: &str, text: &str) {
    sandbox.put_notebook(&format!("{ROOT}/{path}"), Language::Python, format!("{HEADER}{text}\n"));
}

fn outputs(step: &Step, name: &str) -> Value {
    let path = step.root().join("databricks-deploy").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn everything_goes_and_a_second_destroy_has_nothing_to_do() {
    let (running, step) = deployed();
    // What is destroyed may be gone from the clone.
    std::fs::remove_dir_all(step.root().join("notebooks")).unwrap();
    assert_golden("destroy/all", &destroys(&step, &running).log);
    assert_eq!(left(running.sandbox()), BTreeSet::new());
    let told = outputs(&step, "outputs-2.json");
    assert_eq!((&told["changes"]["deleted"], &told["deployed"]), (&4.into(), &Value::Null));

    let before = running.sandbox().requests().len();
    assert_golden("destroy/again", &destroys(&step, &running).log);
    assert!(running.sandbox().requests().iter().skip(before).all(|request| request.method == "GET"));
    assert_eq!(outputs(&step, "outputs-3.json")["changes"]["deleted"], 0);
}

#[test]
fn an_empty_folder_that_nobody_deployed_to_is_left() {
    let running = Running::start(Sandbox::new()).unwrap();
    running.sandbox().put_folder("/Workspace/Shared/etl");
    let before = running.sandbox().objects();
    let ended = destroys(&tree(running.sandbox()).variable("ACTION", "destroy"), &running);
    assert!(ended.log.contains("Nothing to remove"), "{}", ended.log);
    assert_eq!(running.sandbox().objects(), before);
}

#[test]
fn a_folder_that_the_workspace_has_by_itself_is_left() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = tree(running.sandbox()).variable("WORKSPACE_PATH", "/Workspace/Users/ci@example.com");
    let before = running.sandbox().objects();
    assert_eq!(step.against(&running).code, 0);
    assert_ne!(running.sandbox().objects(), before);
    destroys(&step.variable("ACTION", "destroy"), &running);
    assert_eq!(running.sandbox().objects(), before);
}

#[test]
fn what_others_put_there_is_left_and_named() {
    let (running, step) = deployed();
    let sandbox = running.sandbox();
    edit(sandbox, "theirs", "theirs()");
    sandbox.put_file(&format!("{ROOT}/ingest/data/theirs.csv"), "theirs");
    sandbox.put_file(&format!("{ROOT}/models/one/two.txt"), "theirs");
    // In the place of ours, and not ours.
    sandbox.remove(&format!("{ROOT}/a"));
    edit(sandbox, "a", "another()");
    let ended = destroys(&step, &running);
    assert_golden("destroy/foreign", &ended.log);
    let expected = [
        "etl",
        "etl/a",
        "etl/ingest",
        "etl/ingest/data",
        "etl/ingest/data/theirs.csv",
        "etl/models",
        "etl/models/one",
        "etl/models/one/two.txt",
        "etl/theirs",
    ];
    assert_eq!(left(sandbox), expected.map(str::to_owned).into());
    assert_golden("destroy/foreign_again", &destroys(&step, &running).log);
    assert_eq!(left(sandbox), expected.map(str::to_owned).into());
}

#[test]
fn edits_are_kept_safe_and_the_copies_survive() {
    let (running, step) = deployed();
    let sandbox = running.sandbox();
    // A deploy of an earlier build has left a copy already.
    edit(sandbox, "a", "earlier()");
    let step = step.variable("ACTION", "deploy").variable("BITBUCKET_BUILD_NUMBER", "41");
    assert_eq!(step.against(&running).code, 0);
    edit(sandbox, "ingest/orders", "mine()");
    let step = step.variable("ACTION", "destroy").variable("BITBUCKET_BUILD_NUMBER", "42");

    let step = step.variable("ON_DRIFT", "fail");
    let objects = sandbox.objects();
    let ended = step.against(&running);
    assert_eq!(ended.code, 7, "{}", ended.log);
    assert_golden("destroy/drift_fail", &ended.log);
    assert_eq!(sandbox.objects(), objects);

    let step = step.without("ON_DRIFT");
    assert_golden("destroy/drift", &destroys(&step, &running).log);
    let copies = [
        "etl",
        "etl/.databricks-deploy",
        "etl/.databricks-deploy/drift",
        "etl/.databricks-deploy/drift/41",
        "etl/.databricks-deploy/drift/41/a",
        "etl/.databricks-deploy/drift/42",
        "etl/.databricks-deploy/drift/42/ingest",
        "etl/.databricks-deploy/drift/42/ingest/orders",
    ];
    assert_eq!(left(sandbox), copies.map(str::to_owned).into());
    assert_golden("destroy/drift_again", &destroys(&step, &running).log);
    assert_eq!(left(sandbox), copies.map(str::to_owned).into());
}

#[test]
fn overwrite_deletes_edits_without_a_copy_and_says_so() {
    let (running, step) = deployed();
    edit(running.sandbox(), "a", "mine()");
    let ended = destroys(&step.variable("ON_DRIFT", "overwrite"), &running);
    assert_golden("destroy/drift_overwrite", &ended.log);
    assert_eq!(left(running.sandbox()), BTreeSet::new());
}

#[test]
fn without_a_state_nothing_can_be_proved_to_be_ours() {
    let (running, step) = deployed();
    running.sandbox().remove(&format!("{ROOT}/.databricks-deploy/state.json"));
    let ended = destroys(&step, &running);
    assert_golden("destroy/lost_state", &ended.log);
    let left = left(running.sandbox());
    for path in ["etl/a", "etl/ingest/orders", "etl/ingest/data/rates.csv", "etl/board.lvdash.json"] {
        assert!(left.contains(path), "{path} in {left:?}");
    }
    // A deploy takes them over, and then they are known again.
    let step = step.variable("ACTION", "deploy");
    assert_eq!(step.against(&running).code, 0);
    destroys(&step.variable("ACTION", "destroy"), &running);
    assert_eq!(self::left(running.sandbox()), BTreeSet::new());
}

#[test]
fn only_the_records_may_be_left() {
    let (running, step) = deployed();
    for path in ["a", "ingest", "board.lvdash.json"] {
        running.sandbox().remove(&format!("{ROOT}/{path}"));
    }
    assert_golden("destroy/records_only", &destroys(&step, &running).log);
    assert_eq!(left(running.sandbox()), BTreeSet::new());
}

/// The process dies after any request, with the effect of those that were under way or without; the next one ends it.
#[tokio::test(start_paused = true)]
async fn killed_anywhere_the_next_one_finishes() {
    for foreign in [false, true] {
        let prepared = async || {
            let sandbox = Sandbox::new();
            assert_eq!(tree(&sandbox).inside(&sandbox).await.exit, Exit::Done);
            if foreign {
                edit(&sandbox, "ingest/theirs", "theirs()");
            }
            let before = sandbox.requests().len();
            (sandbox, before)
        };
        let (plain, before) = prepared().await;
        let ended = tree(&plain).variable("ACTION", "destroy").inside(&plain).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        let total = (plain.requests().len() - before) as u64;
        let expected = left(&plain);
        assert_eq!(expected.len(), if foreign { 3 } else { 0 }, "{expected:?}");
        for moment in [Moment::Before, Moment::After] {
            for last in 0..total {
                let (sandbox, _) = prepared().await;
                sandbox.fault(Fault { on: On::any(), skip: last, times: None, trouble: Trouble::Drop(moment) });
                let step = tree(&sandbox).variable("ACTION", "destroy");
                let broken = step.inside(&sandbox).await;
                assert_ne!(broken.exit, Exit::Done, "{moment:?} {last}: {}", broken.log);
                sandbox.clear_faults();
                let ended = step.inside(&sandbox).await;
                assert_eq!(ended.exit, Exit::Done, "{moment:?} {last}: {}", ended.log);
                let mut left = left(&sandbox);
                // Nothing tells whose the folder is when the records are gone, so that it stays, empty.
                if last + 3 >= total && left.len() == 1 {
                    assert!(left.remove("etl"), "{left:?}");
                }
                assert_eq!(left, expected, "{moment:?} {last}: {}", ended.log);
            }
        }
    }
}
