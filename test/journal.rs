//! What a deploy that did not end has written is ours, whatever comes next; and what stands in the journal's place is not
//! believed blindly.

mod people;

use crate::support::{Inside, Step, TARGET, assert_golden, below, changes};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Sandbox, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;

const IMPORT: &str = "/api/2.0/workspace/import";
const DELETE: &str = "/api/2.0/workspace/delete";
const JOURNAL: &str = ".databricks-deploy/journal.json";
const STATE: &str = ".databricks-deploy/state.json";

/// A commit whose notebook holds this number, and which has a file that no other commit has.
fn commit(sandbox: &Sandbox, number: u32) -> Step {
    Step::deploying(sandbox)
        .file("notebooks/shared.py", format!("# Databricks notebook source\nprint({number})\n"))
        .file(&format!("notebooks/only {number}.txt"), format!("{number}\n"))
        .variable("BITBUCKET_BUILD_NUMBER", number)
}

/// A deploy that sends everything and dies before it writes the state; its lock has been released.
async fn unfinished(sandbox: &Sandbox, number: u32) {
    let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
    // Lock, journal and two objects come before the state.
    sandbox.fault(Fault::nth(On::post(IMPORT), 5, Trouble::Answer(Moment::Before, refused)));
    let ended = commit(sandbox, number).inside_with(sandbox, number.into()).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    sandbox.clear_faults();
    assert!(below(sandbox).contains_key(JOURNAL));
}

async fn finish(sandbox: &Sandbox, number: u32) -> Inside {
    let ended = commit(sandbox, number).inside_with(sandbox, number.into()).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let objects = below(sandbox);
    assert!(objects["shared"].bytes.ends_with(format!("print({number})\n").as_bytes()));
    assert!(!objects.contains_key(JOURNAL));
    ended
}

/// The names of what is deployed.
fn names(sandbox: &Sandbox) -> Vec<String> {
    below(sandbox).into_keys().filter(|path| !path.starts_with(".databricks-deploy")).collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_commit_comes_next_what_was_sent_is_neither_an_edit_nor_somebody_elses() {
    for deployed_before in [true, false] {
        // Several in a row, each killed.
        let sandbox = Sandbox::new();
        if deployed_before {
            finish(&sandbox, 1).await;
        }
        for number in [2, 3, 4] {
            unfinished(&sandbox, number).await;
        }
        let ended = finish(&sandbox, 5).await;
        assert!(ended.outcome.drifted.is_empty() && ended.outcome.warnings.is_empty(), "{}", ended.log);
        assert_eq!(names(&sandbox), ["only 5.txt", "shared"], "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_sends_nothing_forgets_nothing_of_those_before_it() {
    for deployed_before in [true, false] {
        let sandbox = Sandbox::new();
        if deployed_before {
            finish(&sandbox, 1).await;
        }
        unfinished(&sandbox, 2).await;
        // Lock and journal are written, and nothing else.
        let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
        sandbox.fault(Fault {
            on: On::post(IMPORT),
            skip: 2,
            times: None,
            trouble: Trouble::Answer(Moment::Before, refused),
        });
        let ended = commit(&sandbox, 3).inside_with(&sandbox, 3).await;
        assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
        assert!(below(&sandbox)["shared"].bytes.ends_with(b"print(2)\n"));
        sandbox.clear_faults();
        let ended = finish(&sandbox, 4).await;
        assert!(ended.outcome.drifted.is_empty() && ended.outcome.warnings.is_empty(), "{}", ended.log);
        assert_eq!(names(&sandbox), ["only 4.txt", "shared"], "{}", ended.log);
    }
}

/// The state was written, and the journal is all that is left to do.
#[tokio::test(start_paused = true)]
async fn a_journal_that_was_not_deleted_is_deleted_by_the_next_deploy() {
    let sandbox = Sandbox::new();
    let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
    sandbox.fault(Fault::once(On::post(DELETE), Trouble::Answer(Moment::Before, refused)));
    let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert!(below(&sandbox).contains_key(JOURNAL) && below(&sandbox).contains_key(STATE));
    let since = sandbox.requests().len();
    finish(&sandbox, 1).await;
    assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "nothing else was left to do");
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_what_was_sent_is_an_edit() {
    for deployed_before in [true, false] {
        let sandbox = Sandbox::new();
        if deployed_before {
            finish(&sandbox, 1).await;
        }
        unfinished(&sandbox, 2).await;
        sandbox.put_notebook(&format!("{TARGET}/shared"), Language::Python, "# Databricks notebook source\nedited\n");
        let ended = finish(&sandbox, 3).await;
        let drifted: Vec<_> = ended.outcome.drifted.iter().map(|drifted| drifted.path.as_str()).collect();
        assert_eq!(drifted, [format!("{TARGET}/shared")], "{}", ended.log);
        let copy = &below(&sandbox)[".databricks-deploy/drift/3/shared"];
        assert!(copy.bytes.windows(6).any(|bytes| bytes == b"edited"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_to_a_place_of_somebody_elses_is_not_taken_for_theirs() {
    let sandbox = Sandbox::new();
    finish(&sandbox, 1).await;
    unfinished(&sandbox, 2).await;
    // Somebody puts something of his own where the journal names a file of ours.
    sandbox.remove(&format!("{TARGET}/only 2.txt"));
    sandbox.put_file(&format!("{TARGET}/only 2.txt"), "theirs\n");
    finish(&sandbox, 3).await;
    assert_eq!(&below(&sandbox)["only 2.txt"].bytes[..], b"theirs\n");
}

#[tokio::test(start_paused = true)]
async fn a_destroy_takes_what_an_unfinished_deploy_has_sent() {
    for deployed_before in [true, false] {
        let sandbox = Sandbox::new();
        if deployed_before {
            finish(&sandbox, 1).await;
        }
        unfinished(&sandbox, 2).await;
        let ended = commit(&sandbox, 2).variable("ACTION", "destroy").inside_with(&sandbox, 9).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert_eq!(below(&sandbox), BTreeMap::new(), "{}", ended.log);
    }
}

/// Whoever has looked at the target before must see that something was begun, whatever is left of it.
#[tokio::test(start_paused = true)]
async fn a_destroy_that_does_not_end_leaves_a_journal() {
    let deployed = Sandbox::new();
    finish(&deployed, 1).await;
    let mut stopped = 0;
    for nth in 1.. {
        let sandbox = deployed.fork();
        let refused = Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
        sandbox.fault(Fault { on: On::post(DELETE), skip: nth - 1, times: None, trouble: refused });
        let ended = commit(&sandbox, 2).variable("ACTION", "destroy").inside_with(&sandbox, 2).await;
        if ended.exit == Exit::Done {
            break;
        }
        stopped += 1;
        assert_eq!(ended.exit, Exit::Deploy, "{nth}: {}", ended.log);
        let now = below(&sandbox);
        let is_left = now.contains_key(STATE) || !names(&sandbox).is_empty();
        assert!(now.contains_key(JOURNAL) || !is_left, "{nth}: {:?}", now.keys());
        // Another one makes up for it.
        sandbox.clear_faults();
        sandbox.let_time_pass(Duration::from_secs(180));
        let ended = commit(&sandbox, 3).variable("ACTION", "destroy").inside_with(&sandbox, 3).await;
        assert_eq!((ended.exit, below(&sandbox)), (Exit::Done, BTreeMap::new()), "{nth}: {}", ended.log);
    }
    assert!(stopped >= 4, "two objects, the state and the journal: {stopped}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_after_an_unfinished_deploy_tells_what_is_left_to_do() {
    let sandbox = Sandbox::new();
    finish(&sandbox, 1).await;
    unfinished(&sandbox, 2).await;
    let (before, since) = (below(&sandbox), sandbox.requests().len());
    let ended = commit(&sandbox, 2).variable("ACTION", "plan").inside_with(&sandbox, 9).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    // All was sent and deleted; only the state says nothing of it.
    let changes = ended.outcome.changes.unwrap();
    assert_eq!((changes.created, changes.changed, changes.deleted), (0, 0, 0), "{}", ended.log);
    assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
    assert_eq!(below(&sandbox), before);
    assert!(sandbox.requests()[since..].iter().all(|request| request.method == "GET"));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_journal_of_ours_is_told_and_not_believed() {
    let written = async || {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1).await;
        unfinished(&sandbox, 2).await;
        let text = String::from_utf8(below(&sandbox)[JOURNAL].bytes.to_vec()).unwrap();
        (sandbox, text)
    };
    let (_, text) = written().await;
    for (name, damaged) in [
        ("cut", text[..text.len() / 2].to_owned()),
        ("empty", String::new()),
        ("leaves_the_target", text.replace("\"shared\"", "\"../shared\"")),
        ("twice", text.replace("\"writes\":{", "\"writes\":{\"shared\":[],")),
    ] {
        let (sandbox, _) = written().await;
        sandbox.put_file(&format!("{TARGET}/{JOURNAL}"), damaged);
        let ended = commit(&sandbox, 2).inside_with(&sandbox, 8).await;
        // The notebook looks edited and holds what is sent; the new file holds it too.
        assert_eq!(ended.exit, Exit::Done, "{name}: {}", ended.log);
        let codes: Vec<Code> = ended.outcome.warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, [Code::DamagedState], "{name}: {}", ended.log);
        assert_golden(&format!("journal/{name}"), &ended.log);
        assert!(!below(&sandbox).contains_key(JOURNAL), "{name}");

        let (sandbox, _) = written().await;
        sandbox.put_file(&format!("{TARGET}/{JOURNAL}"), "{");
        let ended = commit(&sandbox, 3).inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Done, "{name}: {}", ended.log);
        assert_eq!(ended.outcome.drifted.len(), 1, "what cannot be proved to be ours is copied: {}", ended.log);
        assert_eq!(&below(&sandbox)["only 2.txt"].bytes[..], b"2\n", "and what nobody knows of stays");
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_another_owner_stops_before_any_change() {
    let sandbox = Sandbox::new();
    unfinished(&sandbox, 1).await;
    let before = below(&sandbox);
    let other =
        commit(&sandbox, 2).variable("BITBUCKET_REPO_UUID", "{other}").variable("BITBUCKET_REPO_FULL_NAME", "acme/x");
    let ended = other.inside_with(&sandbox, 2).await;
    assert_eq!((ended.exit, ended.outcome.problems[0].code), (Exit::Conflict, Code::ForeignOwner), "{}", ended.log);
    assert_golden("journal/another_owner", &ended.log);
    assert_eq!(below(&sandbox), before);
}

#[tokio::test(start_paused = true)]
async fn a_journal_of_a_newer_pipe_stops_before_any_change() {
    let sandbox = Sandbox::new();
    finish(&sandbox, 1).await;
    unfinished(&sandbox, 2).await;
    let text = String::from_utf8(below(&sandbox)[JOURNAL].bytes.to_vec()).unwrap();
    sandbox.put_file(&format!("{TARGET}/{JOURNAL}"), text.replace("\"schema\":1", "\"schema\":2"));
    let before = below(&sandbox);
    let ended = commit(&sandbox, 2).inside_with(&sandbox, 8).await;
    assert_eq!((ended.exit, ended.outcome.problems[0].code), (Exit::Conflict, Code::NewerState), "{}", ended.log);
    assert_eq!(below(&sandbox), before);
}

#[tokio::test(start_paused = true)]
async fn something_else_in_the_place_of_the_journal_stops_before_any_change() {
    let sandbox = Sandbox::new();
    finish(&sandbox, 1).await;
    sandbox.put_notebook(&format!("{TARGET}/{JOURNAL}"), Language::Python, "# Databricks notebook source\n1\n");
    let before = below(&sandbox);
    let ended = commit(&sandbox, 2).inside_with(&sandbox, 2).await;
    assert_eq!((ended.exit, ended.outcome.problems[0].code), (Exit::Conflict, Code::TypeMismatch), "{}", ended.log);
    assert_golden("journal/no_file", &ended.log);
    assert_eq!(below(&sandbox), before);
    assert!(before.contains_key(STATE));
}
