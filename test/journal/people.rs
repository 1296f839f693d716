//! What people do in the workspace between a deploy that did not end and the next one.

use super::{DELETE, IMPORT, JOURNAL, names};
use crate::support::{Inside, Step, TARGET, below};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Sandbox, Trouble};
use std::time::Duration;

/// A commit that holds these files; each build deploys one.
fn commit(sandbox: &Sandbox, build: u32, files: &[&str]) -> Step {
    let step = Step::deploying(sandbox).variable("BITBUCKET_BUILD_NUMBER", build).notebook("notebooks/kept.py");
    files.iter().fold(step, |step, file| match file.ends_with(".py") {
        true => step.file(&format!("notebooks/{file}"), "# Databricks notebook source\nprint('ours')\n"),
        false => step.file(&format!("notebooks/{file}"), "ours\n"),
    })
}

async fn deploy(sandbox: &Sandbox, build: u32, files: &[&str]) -> Inside {
    commit(sandbox, build, files).inside_with(sandbox, build.into()).await
}

/// Deploys, takes nothing of its own for an edit, and ends everything that was begun.
async fn finish(sandbox: &Sandbox, build: u32, files: &[&str]) -> Inside {
    let ended = deploy(sandbox, build, files).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(!below(sandbox).contains_key(JOURNAL), "{}", ended.log);
    ended
}

/// Deploys until its `nth` request to `path`: that one and all after it are refused.
async fn unfinished(sandbox: &Sandbox, build: u32, files: &[&str], path: &str, nth: u64) {
    let refused = Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
    sandbox.fault(Fault { on: On::post(path), skip: nth - 1, times: None, trouble: refused });
    let ended = deploy(sandbox, build, files).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    sandbox.clear_faults();
    assert!(below(sandbox).contains_key(JOURNAL), "{}", ended.log);
    // Where its deletions were refused, its lock is still there.
    sandbox.let_time_pass(Duration::from_secs(180));
}

/// Moved by one commit, which does not end, and moved back by the next.
#[tokio::test(start_paused = true)]
async fn what_was_half_moved_is_moved_back() {
    // Before its upload, before its old place is cleared, and before the state is written.
    for (path, nth) in [(IMPORT, 3), (DELETE, 1), (IMPORT, 4)] {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1, &["a.py"]).await;
        unfinished(&sandbox, 2, &["area/deep/a.py"], path, nth).await;
        let ended = finish(&sandbox, 3, &["a.py"]).await;
        assert!(ended.outcome.drifted.is_empty() && !ended.log.contains("WARNING"), "{}", ended.log);
        assert_eq!(names(&sandbox), ["a", "kept"], "nor are the new folders left: {}", ended.log);
    }
}

/// A notebook becomes a folder, and the deploy ends when the notebook is gone.
#[tokio::test(start_paused = true)]
async fn what_somebody_put_into_a_half_made_folder_is_not_lost() {
    for next in ["a.py", "a"] {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1, &["a.py"]).await;
        unfinished(&sandbox, 2, &["a/b.py"], IMPORT, 3).await;
        assert_eq!(names(&sandbox), ["a", "kept"]);
        sandbox.put_file(&format!("{TARGET}/a/theirs.txt"), "theirs\n");
        let before = below(&sandbox);
        let ended = deploy(&sandbox, 3, &[next]).await;
        assert_eq!(
            (ended.exit, ended.outcome.problems[0].code),
            (Exit::Conflict, Code::ForeignObject),
            "{}",
            ended.log
        );
        assert_eq!(ended.outcome.problems[0].place, Some(format!("{TARGET}/a/theirs.txt")));
        assert_eq!(below(&sandbox), before, "{}", ended.log);
        // The same commit again has no need to take anything away.
        let same = sandbox.fork();
        finish(&same, 4, &["a/b.py"]).await;
        assert_eq!(names(&same), ["a", "a/b", "a/theirs.txt", "kept"]);
        // Nor has any, once they have moved it.
        sandbox.rename(&format!("{TARGET}/a/theirs.txt"), "/Workspace/Shared/theirs.txt");
        let ended = finish(&sandbox, 4, &[next]).await;
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_eq!(names(&sandbox), ["a", "kept"]);
    }
}

/// Everything in a folder was pruned, and the deploy ends before the folder is.
#[tokio::test(start_paused = true)]
async fn what_somebody_put_into_a_half_pruned_folder_stays() {
    for theirs in [true, false] {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1, &["area/deep/x.txt"]).await;
        unfinished(&sandbox, 2, &[], DELETE, 2).await;
        assert_eq!(names(&sandbox), ["area", "area/deep", "kept"]);
        if theirs {
            sandbox.put_file(&format!("{TARGET}/area/deep/theirs.txt"), "theirs\n");
        }
        let ended = finish(&sandbox, 3, &[]).await;
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        let left: &[&str] = if theirs { &["area", "area/deep", "area/deep/theirs.txt", "kept"] } else { &["kept"] };
        assert_eq!(names(&sandbox), left, "{}", ended.log);
    }
}

/// A notebook became a file, no state says so, and somebody has written into the file.
#[tokio::test(start_paused = true)]
async fn an_edit_of_what_was_half_retyped_is_kept_whatever_comes_next() {
    for (next, exit) in [(Some("a"), Exit::Done), (Some("a.py"), Exit::Conflict), (None, Exit::Done)] {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1, &["a.py"]).await;
        unfinished(&sandbox, 2, &["a"], IMPORT, 4).await;
        sandbox.put_file(&format!("{TARGET}/a"), "theirs\n");
        let ended = deploy(&sandbox, 3, next.as_slice()).await;
        assert_eq!(ended.exit, exit, "{}", ended.log);
        let kept = below(&sandbox).into_iter().filter(|(_, object)| &object.bytes[..] == b"theirs\n");
        let kept: Vec<String> = kept.map(|(path, _)| path).collect();
        let copy = ".databricks-deploy/drift/3/a";
        assert_eq!(kept, [if next == Some("a") { copy } else { "a" }], "{}", ended.log);
    }
}

/// What a deploy that did not end has sent, and somebody deleted, replaced or moved since.
#[tokio::test(start_paused = true)]
async fn what_somebody_did_to_what_was_half_deployed_is_respected() {
    let half = async || {
        let sandbox = Sandbox::new();
        finish(&sandbox, 1, &["a.py"]).await;
        unfinished(&sandbox, 2, &["a.py", "b.py"], IMPORT, 4).await;
        assert_eq!(names(&sandbox), ["a", "b", "kept"]);
        sandbox
    };
    let (b, elsewhere) = (format!("{TARGET}/b"), format!("{TARGET}/mine"));
    for next in [&["a.py", "b.py"][..], &["a.py"], &["a.py", "b/c.py"]] {
        let sandbox = half().await;
        sandbox.remove(&b);
        finish(&sandbox, 3, next).await;

        // Nobody can tell that it is ours where it is now.
        let sandbox = half().await;
        sandbox.rename(&b, &elsewhere);
        finish(&sandbox, 3, next).await;
        assert!(names(&sandbox).contains(&"mine".to_owned()));

        let sandbox = half().await;
        sandbox.remove(&b);
        sandbox.put_notebook(&b, Language::Sql, "-- Databricks notebook source\nSELECT 'theirs'\n");
        let ended = deploy(&sandbox, 3, next).await;
        let theirs = below(&sandbox).into_values().filter(|object| object.bytes.windows(6).any(|six| six == b"theirs"));
        assert_eq!(theirs.count(), 1, "{}", ended.log);
    }
}
