//! What keeps a deploy from doing harm: whose target it is, and what prune may delete.

use crate::support::{Ended, Step, assert_golden};
use databricks_sandbox::{Language, Running, Sandbox};
use std::collections::BTreeSet;

const ROOT: &str = "/Workspace/Shared/etl";
const OTHER: &str = "{5f5e8b6a-0000-4000-8000-0000000000ff}";

fn workspace() -> Running {
    Running::start(Sandbox::new()).unwrap()
}

/// Runs the step, which must end with `code` and change nothing.
fn stopped(step: &Step, running: &Running, code: i32) -> Ended {
    let (before, objects) = (running.sandbox().requests().len(), running.sandbox().objects());
    let ended = step.against(running);
    assert_eq!(ended.code, code, "{}", ended.log);
    for request in running.sandbox().requests().iter().skip(before) {
        assert_eq!(request.method, "GET", "{} in {}", request.path, ended.log);
    }
    assert_eq!(running.sandbox().objects(), objects);
    ended
}

fn deploys(step: &Step, running: &Running) -> Ended {
    let ended = step.against(running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_eq!(running.sandbox().unknown_routes(), Vec::<String>::new());
    ended
}

fn remove(step: &Step, path: &str) {
    let path = step.root().join(path);
    if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
}

/// The paths below the target, without the pipe's own.
fn below(running: &Running) -> BTreeSet<String> {
    let objects = running.sandbox().objects().into_keys();
    let below = objects.filter_map(|path| path.strip_prefix(&format!("{ROOT}/")).map(str::to_owned));
    below.filter(|path| !path.starts_with(".databricks-deploy")).collect()
}

// Where the target is.

#[test]
fn a_root_that_is_no_folder_stops_whatever_is_to_be_done() {
    let running = workspace();
    running.sandbox().put_file(ROOT, "theirs\n");
    for action in ["plan", "deploy", "destroy"] {
        let step = Step::deploying(running.sandbox()).notebook("notebooks/a.py").variable("ACTION", action);
        let ended = stopped(&step, &running, 7);
        let told = format!("{ROOT}: is a file, and the target is a folder [type-mismatch]");
        assert!(ended.log.contains(&told), "{action}: {}", ended.log);
    }
}

// Whose target it is.

#[test]
fn another_repository_stops_and_both_are_named() {
    let running = workspace();
    deploys(&Step::deploying(running.sandbox()).notebook("notebooks/a.py"), &running);
    let other = Step::deploying(running.sandbox())
        .notebook("notebooks/b.py")
        .variable("BITBUCKET_REPO_FULL_NAME", "acme/reports")
        .variable("BITBUCKET_REPO_SLUG", "reports")
        .variable("BITBUCKET_REPO_UUID", OTHER)
        .variable("BITBUCKET_BUILD_NUMBER", "7")
        .variable("PRUNE", "force")
        .variable("ON_DRIFT", "overwrite");
    assert_golden("guards/other_repository", &stopped(&other, &running, 7).log);
    // Whatever the action.
    let other = other.variable("ACTION", "plan");
    stopped(&other, &running, 7);
    let other = other.variable("ACTION", "destroy").without("PRUNE").without("ON_DRIFT");
    assert_golden("guards/other_repository_destroys", &stopped(&other, &running, 7).log);
    assert_eq!(below(&running), ["a".to_owned()].into());
}

#[test]
fn two_pipes_of_one_repository_do_not_share_a_path() {
    let running = workspace();
    let step = Step::deploying(running.sandbox()).notebook("notebooks/a.py").notebook("models/b.py");
    deploys(&step, &running);
    let step = step.variable("LOCAL_PATH", "models");
    assert_golden("guards/other_local_path", &stopped(&step, &running, 7).log);
    let step = step.variable("LOCAL_PATH", "./notebooks/").variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production");
    assert_golden("guards/other_target", &stopped(&step, &running, 7).log);
    // Spelt in another way it is the same.
    deploys(&step.without("BITBUCKET_DEPLOYMENT_ENVIRONMENT"), &running);
}

#[test]
fn a_repository_with_a_new_name_goes_on() {
    let running = workspace();
    let step = Step::deploying(running.sandbox()).notebook("notebooks/a.py").notebook("notebooks/b.py");
    deploys(&step, &running);
    remove(&step, "notebooks/b.py");
    let step = step
        .variable("BITBUCKET_REPO_FULL_NAME", "umbrella/etl-two")
        .variable("BITBUCKET_REPO_SLUG", "etl-two")
        .variable("BITBUCKET_WORKSPACE", "umbrella")
        .variable("BITBUCKET_REPO_UUID", "{5F5E8B6A-0000-4000-8000-000000000001}");
    deploys(&step, &running);
    assert_eq!(below(&running), ["a".to_owned()].into());
}

#[test]
fn outside_bitbucket_a_laptop_has_a_target_of_its_own() {
    let running = workspace();
    let laptop = |step: Step| {
        let names: Vec<String> = step.variables().into_keys().filter(|name| name.starts_with("BITBUCKET_")).collect();
        names.iter().fold(step, |step, name| step.without(name)).without("CI").variable("TARGET", "main")
    };
    let one = laptop(Step::deploying(running.sandbox()).notebook("notebooks/a.py"));
    deploys(&one, &running);
    // Two laptops cannot be told apart.
    let two = laptop(Step::deploying(running.sandbox()).notebook("notebooks/a.py").notebook("notebooks/b.py"));
    deploys(&two, &running);
    let pipeline = Step::deploying(running.sandbox()).notebook("notebooks/a.py");
    assert_golden("guards/laptop", &stopped(&pipeline, &running, 7).log);
}

// What prune may delete.

/// A target with files of ours in two folders and foreign objects in one of them.
fn pruned(prune: Option<&str>) -> (Running, Step, Ended) {
    let running = workspace();
    let step = Step::deploying(running.sandbox())
        .notebook("notebooks/kept.py")
        .notebook("notebooks/ours/deep/gone.py")
        .file("notebooks/ours/deep/gone.txt", "x")
        .notebook("notebooks/shared/gone.py");
    deploys(&step, &running);
    running.sandbox().put_notebook(
        &format!("{ROOT}/shared/theirs"),
        Language::Python,
        "# Databricks notebook source\n",
    );
    running.sandbox().put_file(&format!("{ROOT}/theirs/too.txt"), "theirs");
    remove(&step, "notebooks/ours");
    remove(&step, "notebooks/shared");
    let step = match prune {
        Some(prune) => step.variable("PRUNE", prune),
        None => step,
    };
    let ended = deploys(&step, &running);
    (running, step, ended)
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn what_an_earlier_deploy_put_there_goes_and_nothing_else() {
    for prune in [None, Some("files"), Some("all"), Some("force")] {
        let (running, _, ended) = pruned(prune);
        let left = set(&["kept", "shared", "shared/theirs", "theirs", "theirs/too.txt"]);
        assert_eq!(below(&running), left, "{prune:?}");
        if prune.is_none() {
            assert_golden("guards/prune", &ended.log);
        }
    }
}

#[test]
fn prune_none_leaves_it_and_still_knows_it() {
    let (running, step, ended) = pruned(Some("none"));
    assert_golden("guards/prune_none", &ended.log);
    for path in ["ours/deep/gone", "ours/deep/gone.txt", "shared/gone"] {
        assert!(below(&running).contains(path), "{path}");
    }
    // It is still ours, so that a later deploy may delete it.
    deploys(&step.variable("PRUNE", "files"), &running);
    assert_eq!(below(&running), set(&["kept", "shared", "shared/theirs", "theirs", "theirs/too.txt"]));
}

#[test]
fn no_local_file_is_an_error_and_not_a_wish() {
    let running = workspace();
    let step = Step::deploying(running.sandbox()).notebook("notebooks/a.py").notebook("notebooks/b.py");
    deploys(&step, &running);
    let step = step.file("notebooks/.gitignore", "*\n").variable("PRUNE", "force");
    assert_golden("guards/nothing_left", &stopped(&step, &running, 1).log);
    assert_eq!(below(&running).len(), 2);
}

/// Deploys `recorded` files, then removes `deleting` of them.
fn shrinking(recorded: usize, deleting: usize) -> (Running, Step) {
    let running = workspace();
    let mut step = Step::deploying(running.sandbox());
    for number in 0..recorded {
        step = step.file(&format!("notebooks/{number:02}.txt"), "x");
    }
    deploys(&step, &running);
    for number in 0..deleting {
        remove(&step, &format!("notebooks/{number:02}.txt"));
    }
    (running, step)
}

#[test]
fn more_than_half_of_more_than_twenty_stops_unless_it_is_forced() {
    let (running, step) = shrinking(21, 11);
    assert_golden("guards/more_than_half", &stopped(&step, &running, 7).log);
    assert_eq!(below(&running).len(), 21);
    deploys(&step.variable("PRUNE", "force"), &running);
    assert_eq!(below(&running).len(), 10);
}

#[test]
fn half_of_them_or_all_but_one_of_twenty_is_allowed() {
    for (recorded, deleting) in [(22, 11), (21, 10), (20, 19)] {
        let (running, step) = shrinking(recorded, deleting);
        deploys(&step, &running);
        assert_eq!(below(&running).len(), recorded - deleting);
    }
}

#[test]
fn what_prune_does_not_delete_needs_no_guard() {
    let (running, step) = shrinking(30, 29);
    deploys(&step.variable("PRUNE", "none"), &running);
    assert_eq!(below(&running).len(), 30);
}

// Permissions.

#[test]
fn permissions_are_given_by_a_deploy_that_changes_nothing_and_by_nothing_else() {
    let running = workspace();
    let sandbox = running.sandbox();
    let step = Step::deploying(sandbox).notebook("notebooks/a.py");
    deploys(&step, &running);
    let step = step.variable("PERMISSIONS", "users=CAN_READ").variable("ACTION", "plan");
    stopped(&step, &running, 0);
    assert!(sandbox.given(ROOT).is_empty());

    let step = step.variable("ACTION", "deploy").variable("PLAN", "databricks-deploy/plan.json");
    let step = step.file("notebooks/b.txt", "x");
    stopped(&step, &running, 7);
    assert!(sandbox.given(ROOT).is_empty());

    remove(&step, "notebooks/b.txt");
    let ended = deploys(&step, &running);
    assert_golden("guards/permissions_alone", &ended.log);
    assert_eq!(sandbox.given(ROOT).len(), 1);

    let step = step.without("PLAN").variable("ACTION", "destroy");
    let before = sandbox.requests().len();
    deploys(&step, &running);
    assert!(sandbox.requests().iter().skip(before).all(|request| !request.path.contains("permissions")));
}
