//! One build at a time changes a target, whatever becomes of the others.

mod creation;
mod dead;
mod lease;
mod release;
mod turns;

use crate::support::{Inside, Step, TARGET, assert_golden, below, twin};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Moment, On, Running, Sandbox, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

const IMPORT: &str = "/api/2.0/workspace/import";
const LIST: &str = "/api/2.0/workspace/list";
const MKDIRS: &str = "/api/2.0/workspace/mkdirs";
const DELETE: &str = "/api/2.0/workspace/delete";

/// A commit of one notebook and one file of its own, deployed by this build.
fn commit(sandbox: &Sandbox, build: u32) -> Step {
    empty_commit(sandbox, build)
        .file("notebooks/shared.py", format!("# Databricks notebook source\nprint({build})\n"))
        .file(&format!("notebooks/only {build}.txt"), "mine\n")
}

/// A commit of one file whose answer is awaited longer than any lease, since it is that large.
fn large_commit(sandbox: &Sandbox, build: u32) -> Step {
    empty_commit(sandbox, build).file(&format!("notebooks/only {build}.txt"), vec![b'm'; 10_000_000])
}

fn empty_commit(sandbox: &Sandbox, build: u32) -> Step {
    Step::deploying(sandbox)
        .variable("BITBUCKET_BUILD_NUMBER", build)
        .variable("BITBUCKET_PIPELINE_UUID", format!("{{pipeline {build}}}"))
        .variable("BITBUCKET_STEP_UUID", format!("{{step {build}}}"))
}

/// The step once more.
fn run_again(step: Step) -> Step {
    step.variable("BITBUCKET_STEP_RUN_NUMBER", 2).variable("BITBUCKET_STEP_UUID", "{another}")
}

/// Runs a step beside others; aborting it is what `kill -9` is to a process.
fn begin(sandbox: &Sandbox, step: Step, nonce: u64) -> JoinHandle<Inside> {
    let sandbox = sandbox.clone();
    tokio::spawn(async move { step.inside_with(&sandbox, nonce).await })
}

/// Holds the first upload of a notebook or file up, so that a deploy takes its time: no longer than an answer is awaited.
fn slow_uploads(sandbox: &Sandbox, pause: Duration) {
    sandbox.fault(Fault {
        on: On::post(IMPORT),
        skip: 2,
        times: Some(1),
        trouble: Trouble::Delay(Moment::Before, pause),
    });
}

/// What only one build may have left.
fn assert_holds(sandbox: &Sandbox, build: u32) {
    let objects = below(sandbox);
    let names: Vec<&str> = objects.keys().map(String::as_str).filter(|path| !path.starts_with(".databricks")).collect();
    assert_eq!(names, [format!("only {build}.txt").as_str(), "shared"]);
    assert!(objects["shared"].bytes.ends_with(format!("print({build})\n").as_bytes()));
    assert_eq!(records(sandbox), ["state.json"]);
}

fn records(sandbox: &Sandbox) -> Vec<String> {
    let objects = below(sandbox).into_keys();
    objects.filter_map(|path| path.strip_prefix(".databricks-deploy/").map(str::to_owned)).collect()
}

/// Waits for a record to be there, so many seconds at most.
async fn made(sandbox: &Sandbox, name: &str, seconds: u64) {
    let there = async {
        while !records(sandbox).iter().any(|record| record == name) {
            sleep(Duration::from_secs(1)).await;
        }
    };
    timeout(Duration::from_secs(seconds), there).await.unwrap_or_else(|_| panic!("{name} is never made"));
}

/// The lock that is there, as a step of another pipeline would have written it.
fn lock_of_somebody_else(sandbox: &Sandbox) -> (String, serde_json::Value) {
    let (file, mut lock) = lock(sandbox);
    lock["nonce"] = "somebody else".into();
    lock["step"] = serde_json::json!({});
    (file, lock)
}

fn lock(sandbox: &Sandbox) -> (String, serde_json::Value) {
    let locks: Vec<_> = below(sandbox)
        .into_iter()
        .filter(|(path, _)| path.starts_with(".databricks-deploy/lock-"))
        .map(|(path, object)| (path, serde_json::from_slice(&object.bytes).expect("a lock is JSON")))
        .collect();
    assert_eq!(locks.len(), 1, "{locks:?}");
    locks.into_iter().next().expect("there is one")
}

/// Whether every change was made by who held the lock: between the creation of a lock and its deletion, all changes are of
/// one build.
fn at_most_one_writer(sandbox: &Sandbox) -> Result<(), String> {
    let mut holder: Option<String> = None;
    for request in sandbox.requests().iter().filter(|request| request.method == "POST") {
        let body = request.body.as_ref().and_then(|body| body["path"].as_str().map(str::to_owned));
        let path = request.part("path").map(str::to_owned).or(body).unwrap_or_default();
        let build = request.header("user-agent").and_then(|agent| agent.split("build/").nth(1)).unwrap_or_default();
        let build = build.split(' ').next().unwrap_or_default().to_owned();
        if path.contains("/lock-") {
            match (request.path.ends_with("import"), request.status) {
                (true, Some(200)) => holder = Some(build),
                (false, Some(200)) if holder.as_deref() == Some(build.as_str()) => holder = None,
                _ => {}
            }
        } else if !path.ends_with("/.databricks-deploy") && holder.as_deref() != Some(build.as_str()) {
            return Err(format!("build {build} changed {path} while {holder:?} held the lock"));
        }
    }
    Ok(())
}

/// A holder that is stopped: everything that it sends is held up for so long, and nothing of it has an effect before.
async fn stalled(sandbox: &Sandbox, pause: Duration) -> JoinHandle<Inside> {
    // The first upload is under way when the workspace stops answering this build.
    slow_uploads(sandbox, pause);
    let first = begin(sandbox, commit(sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    // Neither renewals nor looks get through.
    sandbox.fault(Fault { on: On::any(), skip: 0, times: None, trouble: Trouble::Drop(Moment::Before) });
    first
}
