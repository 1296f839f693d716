//! Edits made in the workspace: found before they are touched, kept safe, and never somebody else's object at risk.

mod copies;
mod edits;
mod judged;

use crate::support::{EXPLORE, Inside, Step, TARGET, changes, one_of_each, workspace};
use databricks_deploy::databricks::objects::{Format, Put};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Language, Object, Sandbox};
use std::collections::BTreeMap;

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
