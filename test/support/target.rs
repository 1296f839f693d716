//! What is in the target of a deploying step, and what it was asked for: by paths below its root.

use super::Step;
use databricks_sandbox::{Kind, Language, Object, Recorded, Sandbox};
use std::collections::BTreeMap;

/// The folder that [`Step::deploying`] deploys to.
pub(crate) const TARGET: &str = "/Workspace/Shared/etl";

/// Where its state is.
pub(crate) const STATE: &str = ".databricks-deploy/state.json";

/// A notebook that was run where it was written: with outputs, cell ids and execution counts.
pub(crate) const EXPLORE: &str = r#"{"cells":[{"cell_type":"code","execution_count":3,"id":"ab12","metadata":{},"outputs":[{"name":"stdout","output_type":"stream","text":["42\n"]}],"source":["print(42)\n"]}],"metadata":{"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}"#;

/// One of each kind, in folders.
pub(crate) fn one_of_each(step: Step) -> Step {
    step.file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('orders')\n")
        .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 1\n")
        .file("notebooks/reports/revenue.sql", "-- Databricks notebook source\nSELECT 1\n")
        .file("notebooks/reports/forecast.r", "# Databricks notebook source\nx <- 1\n")
        .file("notebooks/reports/explore.ipynb", EXPLORE)
        .file("notebooks/lib/helpers.py", "def help():\n    return 1\n")
        .file("notebooks/lib/data/rates.csv", "currency,rate\n")
        .file("notebooks/board.lvdash.json", r#"{"pages":[]}"#)
}

/// Every object below the target, by its path there.
pub(crate) fn below(sandbox: &Sandbox) -> BTreeMap<String, Object> {
    let prefix = format!("{TARGET}/");
    let all = sandbox.objects().into_iter();
    all.filter_map(|(path, object)| Some((path.strip_prefix(&prefix)?.to_owned(), object))).collect()
}

/// What an undisturbed twin must have too: everything but ids and times, which the state names.
pub(crate) type Twin = Vec<(String, Kind, Option<Language>, bool, Vec<u8>)>;

/// The target as its twin must look.
pub(crate) fn twin(sandbox: &Sandbox) -> Twin {
    let content = |path: &str, object: &Object| if path == STATE { Vec::new() } else { object.bytes.to_vec() };
    let all = below(sandbox).into_iter();
    all.map(|(path, object)| {
        let content = content(&path, &object);
        (path, object.kind, object.language, object.jupyter, content)
    })
    .collect()
}

/// The requests since the first `since`, in order: `list ingest`, `import ingest/orders`; the target itself is `.`.
pub(crate) fn asked(sandbox: &Sandbox, since: usize) -> Vec<String> {
    sandbox.requests().iter().skip(since).map(line).collect()
}

/// The same in the order of texts, for what happens side by side.
pub(crate) fn asked_sorted(sandbox: &Sandbox, since: usize) -> Vec<String> {
    let mut asked = asked(sandbox, since);
    asked.sort();
    asked
}

/// The requests since the first `since` that change something, but for those that only keep a deploy safe: lock and
/// journal, which come with every change.
pub(crate) fn changes(sandbox: &Sandbox, since: usize) -> Vec<String> {
    let requests = sandbox.requests();
    let all = requests.iter().skip(since).filter(|request| request.method == "POST").map(line);
    all.filter(|line| {
        !line.contains(" .databricks-deploy/lock-") && !line.ends_with(" .databricks-deploy/journal.json")
    })
    .collect()
}

/// How many imports come before those of a deploy that sends something: the lock's and the journal's.
pub(crate) const BEFORE: u64 = 2;

fn line(request: &Recorded) -> String {
    let what = request.path.rsplit('/').next().unwrap_or_default();
    let body = request.body.as_ref().and_then(|body| body["path"].as_str());
    let Some(path) = request.query("path").or(request.part("path")).or(body) else { return what.to_owned() };
    let path = path.strip_prefix(TARGET).unwrap_or(path).trim_start_matches('/');
    format!("{what} {}", if path.is_empty() { "." } else { path })
}
