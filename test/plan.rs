//! `ACTION: plan` and a deploy that is held to a plan: what is told, that nothing is changed, and what stops it.

use crate::outputs::{described, keys};
use crate::support::{Ended, Step, assert_golden};
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Running, Sandbox, Trouble};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = "/Workspace/Shared/etl";
const HEADER: &str = "# Databricks notebook source\n";

/// Something to change in every way.
fn tree(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .notebook("notebooks/changed.py")
        .notebook("notebooks/deleted_there.py")
        .notebook("notebooks/edited.py")
        .notebook("notebooks/same.py")
        .notebook("notebooks/gone/for_good.py")
        .notebook("notebooks/gone/replaced_there.py")
        .file("notebooks/report", "a file\n")
        .file("notebooks/area/one.txt", "1\n")
}

fn deployed() -> (Running, Step) {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = tree(running.sandbox());
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    (running, step)
}

fn remove(step: &Step, path: &str) {
    let path = step.root().join(path);
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
}

/// Changes, here and there, of every kind that a plan knows.
fn changed(running: &Running, step: Step) -> Step {
    let sandbox = running.sandbox();
    for path in ["notebooks/report", "notebooks/area", "notebooks/gone"] {
        remove(&step, path);
    }
    sandbox.remove(&format!("{ROOT}/deleted_there"));
    sandbox.put_notebook(&format!("{ROOT}/edited"), Language::Python, format!("{HEADER}print('mine')\n"));
    sandbox.remove(&format!("{ROOT}/gone/replaced_there"));
    sandbox.put_notebook(&format!("{ROOT}/gone/replaced_there"), Language::Python, format!("{HEADER}other()\n"));
    sandbox.put_file(&format!("{ROOT}/there_already.txt"), "there\n");
    step.file("notebooks/changed.py", format!("{HEADER}print(2)\n"))
        .notebook("notebooks/new/one.py")
        .notebook("notebooks/report.py")
        .file("notebooks/area", "a file now\n")
        .file("notebooks/there_already.txt", "there\n")
}

/// Runs the step, and sees that nothing was changed in the workspace.
fn changes_nothing(step: &Step, running: &Running) -> Ended {
    let before = running.sandbox().requests().len();
    let objects = running.sandbox().objects();
    let ended = step.against(running);
    for request in running.sandbox().requests().iter().skip(before) {
        assert_eq!(request.method, "GET", "{} in {}", request.path, ended.log);
    }
    assert_eq!(running.sandbox().objects(), objects);
    assert_eq!(running.sandbox().unknown_routes(), Vec::<String>::new());
    ended
}

fn planning(step: Step) -> Step {
    step.variable("ACTION", "plan")
}

fn json(step: &Step, name: &str) -> Value {
    let path = step.root().join("databricks-deploy").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_first_deploy_is_planned() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = planning(tree(running.sandbox())).variable("RUN", "./same").variable("PERMISSIONS", "users=CAN_READ");
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("plan/first", &ended.log);
    assert!(running.sandbox().runs().is_empty());

    let outputs = json(&step, "outputs.json");
    assert_eq!((&outputs["plan"], &outputs["deployed"]), (&"databricks-deploy/plan.json".into(), &Value::Null));
    assert_eq!((&outputs["changes"]["created"], &outputs["changes"]["folders_made"]), (&8.into(), &2.into()));
    // A second call leaves the first one's plan as it is.
    let first = json(&step, "plan.json");
    let again = changes_nothing(&step, &running);
    assert!(again.log.contains("The whole plan is in databricks-deploy/plan-2.json"), "{}", again.log);
    assert_eq!((json(&step, "plan.json"), json(&step, "plan-2.json")), (first.clone(), first));
}

#[test]
fn changes_of_every_kind_are_told_and_then_done() {
    let (running, step) = deployed();
    let step = planning(changed(&running, step));
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("plan/changes", &ended.log);

    let step = step.variable("ACTION", "deploy").variable("PLAN", "databricks-deploy/plan.json");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("plan/carried_out", &ended.log);
    let step = planning(step.without("PLAN"));
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("plan/nothing", &ended.log);
    let counts = json(&step, "plan-2.json")["counts"].clone();
    let done: Vec<_> = counts.as_object().unwrap().iter().filter(|(_, count)| **count != 0).collect();
    assert_eq!(done, [(&"untouched".to_owned(), &Value::from(8))], "{}", ended.log);
}

#[test]
fn a_plan_that_may_not_be_carried_out_ends_as_the_deploy_would() {
    let (running, step) = deployed();
    let sandbox = running.sandbox();
    let compare = |name: &str, step: Step| {
        let step = planning(step);
        let planned = changes_nothing(&step, &running);
        assert_eq!(planned.code, 7, "{}", planned.log);
        assert_golden(&format!("plan/{name}"), &planned.log);
        let step = step.variable("ACTION", "deploy");
        let stopped = changes_nothing(&step, &running);
        let errors = |log: &str| {
            let from = log.lines().skip_while(|line| !line.starts_with('✖'));
            from.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!((stopped.code, errors(&stopped.log)), (7, errors(&planned.log)));
        step
    };
    sandbox.put_notebook(&format!("{ROOT}/foreign"), Language::Python, format!("{HEADER}theirs()\n"));
    let step = compare("conflict", step.notebook("notebooks/foreign.py"));
    remove(&step, "notebooks/foreign.py");
    sandbox.put_notebook(&format!("{ROOT}/edited"), Language::Python, format!("{HEADER}print('mine')\n"));
    let step = compare("drift", step.variable("ON_DRIFT", "fail"));
    let drift = json(&step, "outputs-5.json")["drift"].clone();
    assert_eq!((&drift[0]["path"], &drift[0]["copy"]), (&format!("{ROOT}/edited").into(), &Value::Null));
    sandbox.put_notebook(&format!("{ROOT}/edited"), Language::Python, format!("{HEADER}print(1)\n"));
    let mut step = step.without("ON_DRIFT");
    for number in 0..30 {
        step = step.file(&format!("notebooks/many/{number}.txt"), "x");
    }
    assert_eq!(step.against(&running).code, 0);
    remove(&step, "notebooks/many");
    compare("guard", step);
}

#[test]
fn long_plans_are_folded() {
    let running = Running::start(Sandbox::new()).unwrap();
    let mut step = Step::deploying(running.sandbox());
    for number in 0..60 {
        step = step.file(&format!("notebooks/{number:02}.txt"), "x");
    }
    let step = planning(step);
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let lines: Vec<&str> = ended.log.lines().collect();
    let shown = lines.iter().filter(|line| line.starts_with("    + ")).count();
    // 60 files and the root.
    assert_eq!((shown, lines.contains(&"    … and 11 more")), (50, true), "{}", ended.log);
    let counts = lines.iter().position(|line| line.contains("Plan for")).unwrap();
    assert!(lines[counts].contains("60 new") && lines[counts + 1].starts_with("    + ./"), "{}", ended.log);
    assert_eq!(json(&step, "plan.json")["changes"].as_array().unwrap().len(), 61);
}

#[test]
fn the_schema_describes_every_key_of_the_file() {
    let (running, step) = deployed();
    let step = planning(changed(&running, step)).variable("ON_DRIFT", "overwrite");
    assert_eq!(changes_nothing(&step, &running).code, 0);
    // The first export is that of the state.
    let refused = Trouble::Answer(Moment::Before, Canned::error(400, "INVALID_PARAMETER_VALUE", "No export of this."));
    for number in 2..9 {
        running.sandbox().fault(Fault::nth(On::get("/api/2.0/workspace/export"), number, refused.clone()));
    }
    let step = step.notebook("notebooks/there_already.txt");
    changes_nothing(&step, &running);
    let mut seen = BTreeSet::new();
    keys(&json(&step, "plan.json"), "", &mut seen);
    keys(&json(&step, "plan-2.json"), "", &mut seen);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plan.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut known = BTreeSet::new();
    described(&schema, &schema, "", &mut known);
    let unseen: Vec<_> = known.difference(&seen).collect();
    assert!(seen.is_subset(&known) && unseen.is_empty(), "unseen {unseen:?}, unknown {:?}", seen.difference(&known));
}

#[test]
fn a_deploy_is_held_to_what_was_seen() {
    let (running, step) = deployed();
    let sandbox = running.sandbox();
    let step = planning(step.file("notebooks/changed.py", format!("{HEADER}print(2)\n")));
    assert_eq!(changes_nothing(&step, &running).code, 0);
    let held = |step: Step| step.variable("ACTION", "deploy").variable("PLAN", "databricks-deploy/plan.json");
    let stopped = |name: &str, step: &Step| {
        let ended = changes_nothing(step, &running);
        assert_eq!(ended.code, 7, "{name}: {}", ended.log);
        assert_golden(&format!("plan/held/{name}"), &ended.log);
    };
    let step = held(step).variable("PERMISSIONS", "users=CAN_READ").variable("RUN", "./same");

    let step = step.file("notebooks/changed.py", format!("{HEADER}print(3)\n"));
    stopped("other_content", &step);
    let step = step.file("notebooks/changed.py", format!("{HEADER}print(2)\n")).notebook("notebooks/added.py");
    stopped("other_file", &step);
    remove(&step, "notebooks/added.py");
    let step = step.variable("PRUNE", "none").variable("ON_DRIFT", "overwrite");
    stopped("other_settings", &step);
    let step = step.without("PRUNE").without("ON_DRIFT");
    sandbox.put_notebook(&format!("{ROOT}/same"), Language::Python, format!("{HEADER}print('mine')\n"));
    stopped("edit", &step);
    sandbox.put_notebook(&format!("{ROOT}/same"), Language::Python, format!("{HEADER}print(1)\n"));
    sandbox.put_notebook(&format!("{ROOT}/changed"), Language::Python, format!("{HEADER}print('mine')\n"));
    stopped("edit_of_the_changed", &step);
    // Opened and saved: what the reader of the plan has seen.
    sandbox.put_notebook(&format!("{ROOT}/changed"), Language::Python, format!("{HEADER}print(1)\n"));
    assert!(sandbox.runs().is_empty() && sandbox.given(ROOT).is_empty());

    let step = step.variable("BITBUCKET_COMMIT", "0".repeat(40)).variable("BITBUCKET_BUILD_NUMBER", "43");
    let ended = step.without("RUN").against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(sandbox.objects()[&format!("{ROOT}/changed")].bytes.ends_with(b"print(2)\n"));
    assert_eq!(sandbox.given(ROOT).len(), 1);
}

#[test]
fn what_is_no_plan_is_told_before_anything_is_contacted_or_changed() {
    let (running, step) = deployed();
    let step = planning(step);
    assert_eq!(changes_nothing(&step, &running).code, 0);
    let good = std::fs::read_to_string(step.root().join("databricks-deploy/plan.json")).unwrap();
    let edited = good.replace("\"prune\": \"files\"", "\"prune\": \"none\"");
    let newer = good.replace("\"schema\": 1", "\"schema\": 2").replace(env!("CARGO_PKG_VERSION"), "9.0.0");
    let half = &good[..good.len() / 2];
    let more = good.replacen('{', "{\n  \"more\": 1,", 1);
    let mut step = step.variable("ACTION", "deploy").file("artifacts/folder/plan.json", &good);
    for (name, content) in [
        ("missing", None),
        ("folder", None),
        ("empty", Some("")),
        ("not_json", Some("the plan\n")),
        ("truncated", Some(half)),
        ("another", Some("{\"schema\": 1, \"plan\": []}")),
        ("no_object", Some("[]")),
        ("newer", Some(&newer)),
        ("edited", Some(&edited)),
        ("unknown_key", Some(&more)),
    ] {
        step = match content {
            Some(content) => step.file(&format!("artifacts/{name}"), content),
            None => step,
        };
        step = step.variable("PLAN", format!("artifacts/{name}"));
        let ended = changes_nothing(&step, &running);
        assert_eq!(ended.code, 1, "{name}: {}", ended.log);
        assert_golden(&format!("plan/wrong/{name}"), &ended.log);
    }
}

#[test]
fn a_secret_in_a_name_is_not_written_and_the_plan_still_fits() {
    let running = Running::start(Sandbox::new()).unwrap();
    let secret = "correct-horse-battery-staple";
    let step = Step::deploying(running.sandbox())
        .variable("GIT_TOKEN", secret)
        .variable("DATABRICKS_CLIENT_SECRET", secret)
        .variable("DATABRICKS_AUTH_TYPE", "pat")
        .notebook(&format!("notebooks/{secret}.py"));
    let step = planning(step);
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    for name in ["plan.json", "outputs.json", "outputs.env"] {
        let text = std::fs::read_to_string(step.root().join("databricks-deploy").join(name)).unwrap();
        assert!(!text.contains(secret), "{text}");
    }
    let step = step.variable("ACTION", "deploy").variable("PLAN", "databricks-deploy/plan.json");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains(secret));
}

#[test]
fn a_plan_that_cannot_be_written_is_a_warning() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = planning(tree(running.sandbox()).file("out/plan.json", "an older one").variable("OUTPUT_DIR", "out"));
    let ended = changes_nothing(&step, &running);
    assert!(ended.code == 0 && ended.log.contains("out/plan-2.json"), "{}", ended.log);
    let step = step.variable("OUTPUT_DIR", "out/plan.json/below/a/file");
    let ended = changes_nothing(&step, &running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("WARNING: out/plan.json/below/a/file: the plan cannot be written: "), "{}", ended.log);
    assert!(!ended.log.contains("The whole plan"), "{}", ended.log);
}
