//! What stands in the place of the state: damaged, made up, newer, of another kind, out of reach. No harm comes of it.

use crate::support::{Ended, Step, assert_golden};
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Running, Sandbox, Trouble};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ROOT: &str = "/Workspace/Shared/etl";
const STATE: &str = "/Workspace/Shared/etl/.databricks-deploy/state.json";
const HEADER: &str = "# Databricks notebook source\n";

/// A deployed target beside somebody's work, and a step that has one file less.
fn deployed() -> (Running, Step) {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = Step::deploying(running.sandbox())
        .notebook("notebooks/a.py")
        .notebook("notebooks/b.py")
        .file("notebooks/data/c.txt", "c");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    running.sandbox().put_notebook(&format!("{ROOT}/theirs"), Language::Python, format!("{HEADER}theirs()\n"));
    running.sandbox().put_file("/Workspace/Shared/elsewhere.txt", "theirs");
    std::fs::remove_file(step.root().join("notebooks/b.py")).unwrap();
    (running, step)
}

fn state(running: &Running) -> Value {
    serde_json::from_slice(&running.sandbox().objects()[STATE].bytes).unwrap()
}

fn id(running: &Running, path: &str) -> i64 {
    running.sandbox().objects()[path].object_id
}

/// All but what the pipe keeps for itself.
fn objects(running: &Running) -> BTreeMap<String, (i64, Vec<u8>)> {
    let objects = running.sandbox().objects().into_iter();
    let objects = objects.filter(|(path, _)| !path.contains("/.databricks-deploy"));
    objects.map(|(path, object)| (path, (object.object_id, object.bytes.to_vec()))).collect()
}

fn changes(running: &Running, from: usize) -> Vec<String> {
    let requests = running.sandbox().requests();
    let changes = requests.iter().skip(from).filter(|request| request.method != "GET");
    changes.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Runs the step, which must end with `code` and change nothing.
fn stopped(step: &Step, running: &Running, code: i32) -> Ended {
    let (before, objects) = (running.sandbox().requests().len(), running.sandbox().objects());
    let ended = step.against(running);
    assert_eq!(ended.code, code, "{}", ended.log);
    assert_eq!(changes(running, before), Vec::<String>::new(), "{}", ended.log);
    assert_eq!(running.sandbox().objects(), objects);
    ended
}

/// The ways in which a state cannot be believed.
fn damaged(running: &Running) -> Vec<(&'static str, Vec<u8>)> {
    let good = state(running);
    let text = serde_json::to_string_pretty(&good).unwrap();
    let record = good["files"]["b"].clone();
    let with = |path: &str, record: &Value| {
        let mut state = good.clone();
        state["files"][path] = record.clone();
        state.to_string().into_bytes()
    };
    let changed = |pointer: &str, value: Value| {
        let mut state = good.clone();
        *state.pointer_mut(pointer).unwrap() = value;
        state.to_string().into_bytes()
    };
    let mut elsewhere = record.clone();
    elsewhere["object_id"] = json!(id(running, "/Workspace/Shared/elsewhere.txt"));
    let twice = text.replacen("\"files\": {", &format!("\"files\": {{\n\"b\": {record},"), 1);
    vec![
        ("empty", Vec::new()),
        ("not_json", b"gone fishing\n".to_vec()),
        ("binary", vec![0xff, 0xfe, 0x00, 0x01]),
        ("truncated", text.as_bytes()[..text.len() / 2].to_vec()),
        ("parent", with("../elsewhere.txt", &elsewhere)),
        ("absolute", with("/Workspace/Shared/elsewhere.txt", &elsewhere)),
        ("twice", twice.into_bytes()),
        ("one_id", with("theirs", &record)),
        ("own_folder", with(".databricks-deploy/state.json", &elsewhere)),
        ("no_digest", changed("/files/b/digest", json!("x"))),
        ("no_id", changed("/files/b/object_id", json!(-1))),
        ("odd_kind", changed("/files/b/kind", json!("library"))),
        ("old_schema", changed("/schema", json!(0))),
        ("no_files", changed("/files", json!([]))),
        ("deep", "[".repeat(100_000).into_bytes()),
        ("huge", vec![b' '; 13 * 1024 * 1024]),
    ]
}

#[test]
fn a_state_that_cannot_be_believed_costs_a_comparison_and_nothing_else() {
    let (running, step) = deployed();
    let good = running.sandbox().objects()[STATE].bytes.clone();
    for (name, content) in damaged(&running) {
        running.sandbox().put_file(STATE, content);
        let before = objects(&running);
        let ended = step.against(&running);
        assert_eq!(ended.code, 0, "{name}: {}", ended.log);
        assert_golden(&format!("state/{name}"), &ended.log);
        // What is not known to be ours is not deleted either.
        assert_eq!(objects(&running), before, "{name}");
        assert_eq!(state(&running)["files"].as_object().unwrap().len(), 2, "{name}");
        running.sandbox().put_file(STATE, good.clone());
    }
}

#[test]
fn a_destroy_does_not_go_by_a_state_that_cannot_be_believed() {
    let (running, step) = deployed();
    let step = step.variable("ACTION", "destroy");
    for (name, content) in damaged(&running) {
        running.sandbox().put_file(STATE, content);
        let ended = stopped(&step, &running, 7);
        if name == "truncated" {
            assert_golden("state/destroy", &ended.log);
        }
    }
}

#[test]
fn ids_that_are_not_those_of_our_objects_delete_nothing() {
    let (running, step) = deployed();
    let (theirs, elsewhere) =
        (id(&running, &format!("{ROOT}/theirs")), id(&running, "/Workspace/Shared/elsewhere.txt"));
    let mut state = state(&running);
    let record = state["files"]["b"].clone();
    // Somebody else's object at a path that we never had, and with an id that is not its own; one that lies elsewhere.
    state["files"]["b"]["object_id"] = json!(elsewhere);
    state["files"]["theirs"] = record.clone();
    state["files"]["theirs"]["object_id"] = json!(elsewhere + 1_000);
    running.sandbox().put_file(STATE, state.to_string());
    let before = objects(&running);
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("state/foreign_ids", &ended.log);
    assert_eq!(objects(&running), before);

    // With the right id it is a claim that the content does not bear out: kept safe first.
    state["files"]["b"] = record;
    state["files"]["theirs"]["object_id"] = json!(theirs);
    running.sandbox().put_file(STATE, state.to_string());
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("state/foreign_object", &ended.log);
    let copy = &running.sandbox().objects()[&format!("{ROOT}/.databricks-deploy/drift/42/theirs")];
    assert!(copy.bytes.ends_with(b"theirs()") || copy.bytes.ends_with(b"theirs()\n"), "{copy:?}");
}

#[test]
fn a_newer_state_stops_everything() {
    let (running, step) = deployed();
    let mut state = state(&running);
    state["schema"] = json!(2);
    state["files"] = json!("in a form of a later day");
    state["deployed_by"]["version"] = json!("9.0.0");
    running.sandbox().put_file(STATE, state.to_string());
    assert_golden("state/newer", &stopped(&step, &running, 7).log);
    let step = step.variable("ACTION", "plan");
    stopped(&step, &running, 7);
    stopped(&step.variable("ACTION", "destroy"), &running, 7);
}

#[test]
fn what_is_no_file_is_named_before_anything_is_changed() {
    for (name, path) in [("folder", STATE), ("notebook", STATE), ("records_are_a_file", &STATE[..STATE.len() - 11])] {
        let (running, step) = deployed();
        running.sandbox().remove(path);
        match name {
            "folder" => running.sandbox().put_folder(path),
            "notebook" => running.sandbox().put_notebook(path, Language::Python, format!("{HEADER}print(1)\n")),
            _ => running.sandbox().put_file(path, "mine"),
        }
        let ended = stopped(&step, &running, 7);
        assert_golden(&format!("state/{name}"), &ended.log);
        stopped(&step.variable("ACTION", "destroy"), &running, 7);
    }
}

#[test]
fn a_state_that_may_not_be_read_stops_everything() {
    let (running, step) = deployed();
    let refused = Canned::error(403, "PERMISSION_DENIED", "ci@example.com does not have Read permissions on 42.");
    running
        .sandbox()
        .fault(Fault::always(On::get("/api/2.0/workspace/export"), Trouble::Answer(Moment::Before, refused)));
    assert_golden("state/unreadable", &stopped(&step, &running, 3).log);
    stopped(&step.variable("ACTION", "destroy"), &running, 3);
}

#[test]
fn a_lost_state_is_written_again_by_a_comparison() {
    let (running, step) = deployed();
    running.sandbox().remove(STATE);
    let before = objects(&running);
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("state/lost", &ended.log);
    assert_eq!(objects(&running), before);
    let again = step.against(&running);
    assert!(again.log.contains("Nothing to deploy: 2 objects"), "{}", again.log);
}
