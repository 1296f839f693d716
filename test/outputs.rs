//! What later lines of a step, and later steps, can read.

use crate::support::{Step, assert_golden};
use databricks_sandbox::{Ending, Language, Lasting, Match, Phase, Running, Sandbox, Script, TaskScript};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const NOTEBOOK: &str = "# Databricks notebook source\n";

fn workspace() -> (Running, i64) {
    let sandbox = Sandbox::new();
    let id = sandbox.create_job(json!({
        "name": "it's nightly",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/main"}}],
    }));
    (Running::start(sandbox).unwrap(), id)
}

fn deploying(running: &Running, id: i64) -> Step {
    Step::deploying(running.sandbox()).file("notebooks/main.py", NOTEBOOK).variable("RUN", format!("{id}\n./main"))
}

fn read(step: &Step, name: &str) -> String {
    std::fs::read_to_string(step.root().join("databricks-deploy").join(name)).unwrap_or_default()
}

fn json_of(step: &Step, name: &str) -> Value {
    serde_json::from_str(&read(step, name)).unwrap()
}

/// Every object's keys, and those of the objects in it, as `runs[].id`.
pub(crate) fn keys(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(array) => array.iter().for_each(|item| keys(item, &format!("{at}[]"), found)),
        _ => {}
    }
}

/// The keys that a schema describes, in the same form.
pub(crate) fn described(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return described(root.pointer(reference.trim_start_matches('#')).unwrap(), root, at, found);
    }
    for alternative in schema["oneOf"].as_array().into_iter().flatten() {
        described(alternative, root, at, found);
    }
    if schema["items"].is_object() {
        described(&schema["items"], root, &format!("{at}[]"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        described(property, root, &path, found);
        found.insert(path);
    }
}

#[test]
fn the_outputs_tell_target_counts_and_runs() {
    let (running, id) = workspace();
    let step = deploying(&running, id).variable("TARGET", "eu");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let hide = |text: String| {
        let runs = running.sandbox().runs();
        let text = text.replace(&id.to_string(), "<job>").replace(env!("CARGO_PKG_VERSION"), "<version>");
        let text =
            regex::Regex::new(r#"(SECONDS=|"seconds": )[0-9]+"#).unwrap().replace_all(&text, "$1<n>").into_owned();
        text.replace(&runs[0].run_id.to_string(), "<first>").replace(&runs[1].run_id.to_string(), "<second>")
    };
    assert_golden("outputs/env", &hide(read(&step, "outputs.env")));
    assert_golden("outputs/json", &hide(read(&step, "outputs.json")));
}

#[test]
fn a_shell_can_source_them() {
    let (running, id) = workspace();
    let step = deploying(&running, id).variable("WORKSPACE_PATH", "/Workspace/Shared/it's a $HOME");
    assert_eq!(step.against(&running).code, 4, "the job's notebook is elsewhere");
    let script = ". databricks-deploy/outputs.env; printf '%s|%s' \"$DATABRICKS_DEPLOY_WORKSPACE_PATH\" \"$DATABRICKS_DEPLOY_RUN_0_URL\"";
    let shell = Command::new("sh").args(["-euc", script]).current_dir(step.root()).output().unwrap();
    let text = String::from_utf8(shell.stdout).unwrap();
    let url = json_of(&step, "outputs.json")["runs"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(text, format!("/Workspace/Shared/it's a $HOME|{url}"));
}

#[test]
fn the_schema_describes_every_key_and_the_readme_lists_every_variable() {
    let (running, id) = workspace();
    running.sandbox().script(Match::Job(id), Script::ending(Ending::failed("no", "")));
    let step = deploying(&running, id).variable("TARGETS", "x");
    assert_eq!(step.against(&running).code, 4);
    let step = step.variable("RUN", "no such job");
    assert_eq!(step.against(&running).code, 1);
    let edited = format!("{NOTEBOOK}print('mine')\n");
    running.sandbox().put_notebook("/Shared/etl/main", Language::Python, edited);
    let step = step.without("RUN").variable("ACTION", "plan");
    assert_eq!(step.against(&running).code, 0);
    let step = step.variable("ACTION", "deploy");
    assert_eq!(step.against(&running).code, 0);
    let mut seen = BTreeSet::new();
    for name in ["outputs.json", "outputs-2.json", "outputs-3.json", "outputs-4.json"] {
        keys(&json_of(&step, name), "", &mut seen);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(root.join("outputs.schema.json")).unwrap()).unwrap();
    let mut known = BTreeSet::new();
    described(&schema, &schema, "", &mut known);
    let unseen: Vec<_> = known.difference(&seen).collect();
    assert!(seen.is_subset(&known) && unseen.is_empty(), "unseen {unseen:?}, unknown {:?}", seen.difference(&known));

    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let files = ["outputs.env", "outputs-3.env", "outputs-4.env"].map(|name| read(&step, name)).concat();
    assert!(files.contains("_DRIFT_FOLDER=") && files.contains("_PLAN_FILE="), "{files}");
    for line in files.lines() {
        let name = line.split('=').next().unwrap().replace("RUN_0", "RUN_<i>").replace("RUN_1", "RUN_<i>");
        assert!(readme.contains(&format!("| `{name}` |")), "the README does not list {name}");
    }
}

#[test]
fn they_are_there_before_the_wait() {
    let (running, id) = workspace();
    let slow =
        TaskScript { phases: vec![Phase::running(Lasting::Time(Duration::from_secs(600)))], end: Ending::success() };
    running.sandbox().script(Match::Any, Script::playing(slow));
    let step = deploying(&running, id);
    let mut pipe = step.start(&running);
    pipe.wait_for("main: running");
    pipe.signal("KILL");
    let outputs = json_of(&step, "outputs.json");
    let run = &running.sandbox().runs()[0];
    assert_eq!(outputs["exit_code"], Value::Null);
    assert_eq!((&outputs["runs"][0]["id"], &outputs["runs"][0]["state"]), (&json!(run.run_id), &json!("running")));
    assert!(read(&step, "outputs.env").contains("DATABRICKS_DEPLOY_RUN_0_URL="));
}

#[test]
fn a_second_call_does_not_overwrite_the_first() {
    let (running, id) = workspace();
    let step = deploying(&running, id);
    assert_eq!(step.against(&running).code, 0);
    let first = read(&step, "outputs.json");
    assert_eq!(step.against(&running).code, 0);
    assert_eq!(read(&step, "outputs.json"), first);
    assert_ne!(json_of(&step, "outputs-2.json")["runs"][0]["id"], json_of(&step, "outputs.json")["runs"][0]["id"]);
    assert!(!read(&step, "outputs-2.env").is_empty());
    // And neither was deployed.
    assert!(running.sandbox().objects().keys().all(|path| !path.contains("outputs")));
}

#[test]
fn the_pipeline_s_variables_are_appended_to_where_there_is_a_place_for_them() {
    let (running, id) = workspace();
    let step = deploying(&running, id);
    let path = step.root().join("variables.env");
    std::fs::write(&path, "OTHER=1\n").unwrap();
    let step = step.variable("BITBUCKET_PIPELINES_VARIABLES_PATH", path.display());
    assert_eq!(step.against(&running).code, 0);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("OTHER=1\n") && text.contains("\nDATABRICKS_DEPLOY_EXIT_CODE=0\n"), "{text}");
    assert!(text.lines().count() < 50, "Bitbucket takes 50");

    let step = step.variable("BITBUCKET_PIPELINES_VARIABLES_PATH", "/nowhere/at/all/variables.env");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("WARNING"), "{}", ended.log);
}

#[test]
fn outputs_that_cannot_be_written_are_a_warning() {
    let (running, id) = workspace();
    let step = deploying(&running, id).file("databricks-deploy/outputs.json/in/the/way", "");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "the name is taken, so the next one is: {}", ended.log);
    let step =
        deploying(&running, id).variable("OUTPUT_DIR", "out/\u{7f}".trim_end_matches('\u{7f}')).file("out", "a file");
    let ended = step.against(&running);
    assert!(ended.code == 1 || ended.log.contains("[outputs-not-written]"), "{}", ended.log);
}

#[test]
fn they_name_what_somebody_edited_and_where_the_copies_are() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = Step::deploying(running.sandbox())
        .file("notebooks/main.py", NOTEBOOK)
        .file("notebooks/lib/rates.csv", "currency,rate\n")
        .file("notebooks/old.py", NOTEBOOK);
    assert_eq!(step.against(&running).code, 0);
    running.sandbox().put_notebook("/Shared/etl/main", Language::Python, format!("{NOTEBOOK}print('mine')\n"));
    running.sandbox().put_file("/Shared/etl/lib/rates.csv", "currency,rate\nEUR,1\n");
    std::fs::remove_file(step.root().join("notebooks/old.py")).unwrap();
    let step = step.file("notebooks/new.py", NOTEBOOK);
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let hide = |text: String| {
        let port = regex::Regex::new(r"127\.0\.0\.1:[0-9]+").unwrap();
        port.replace_all(&text.replace(env!("CARGO_PKG_VERSION"), "<version>"), "127.0.0.1:<port>").into_owned()
    };
    assert_golden("outputs/drift_env", &hide(read(&step, "outputs-2.env")));
    assert_golden("outputs/drift_json", &hide(read(&step, "outputs-2.json")));
    // A copy beside the outputs, for whoever collects the artifacts.
    assert_eq!(read(&step, "drift/lib/rates.csv"), "currency,rate\nEUR,1\n");
}

#[test]
fn a_secret_in_a_path_is_in_none_of_them() {
    let running = Running::start(Sandbox::new()).unwrap();
    let secret = "correct-horse-battery-staple";
    let step = Step::deploying(running.sandbox())
        .variable("DATABRICKS_CLIENT_SECRET", secret)
        .variable("DATABRICKS_AUTH_TYPE", "pat")
        .file(&format!("notebooks/{secret}.py"), NOTEBOOK);
    assert_eq!(step.against(&running).code, 0);
    let edited = format!("{NOTEBOOK}print('mine')\n");
    running.sandbox().put_notebook(&format!("/Shared/etl/{secret}"), Language::Python, edited);
    assert_eq!(step.against(&running).code, 0);
    for name in ["outputs-2.env", "outputs-2.json"] {
        let text = read(&step, name);
        assert!(text.contains("drift") && !text.contains(secret), "{text}");
    }
}

#[test]
fn a_secret_in_the_name_of_the_target_is_in_none_of_them() {
    let running = Running::start(Sandbox::new()).unwrap();
    // A shell's apostrophes are written in a way of their own.
    let secret = "it's-correct-horse-battery-staple";
    let folder = tempfile::tempdir().unwrap();
    let variables = folder.path().join("variables.env");
    let step = Step::deploying(running.sandbox())
        .variable("DATABRICKS_CLIENT_SECRET", secret)
        .variable("DATABRICKS_AUTH_TYPE", "pat")
        .variable("WORKSPACE_PATH", format!("/Workspace/Shared/{secret}"))
        .variable("BITBUCKET_PIPELINES_VARIABLES_PATH", variables.display())
        .file("notebooks/main.py", NOTEBOOK);
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let pipeline = std::fs::read_to_string(&variables).unwrap();
    for text in [read(&step, "outputs.env"), read(&step, "outputs.json"), pipeline, ended.log] {
        assert!(text.contains("/Workspace/Shared/[secret]") && !text.contains("correct-horse"), "{text}");
    }
}
