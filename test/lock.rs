//! One build at a time changes a target, whatever becomes of the others.

use crate::support::{Inside, Step, TARGET, assert_golden, below, twin};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Moment, On, Running, Sandbox, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const IMPORT: &str = "/api/2.0/workspace/import";
const LIST: &str = "/api/2.0/workspace/list";
const DELETE: &str = "/api/2.0/workspace/delete";

/// A commit of one notebook and one file of its own, deployed by this build.
fn commit(sandbox: &Sandbox, build: u32) -> Step {
    Step::deploying(sandbox)
        .file("notebooks/shared.py", format!("# Databricks notebook source\nprint({build})\n"))
        .file(&format!("notebooks/only {build}.txt"), "mine\n")
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

fn lock(sandbox: &Sandbox) -> (String, serde_json::Value) {
    let locks: Vec<_> = below(sandbox)
        .into_iter()
        .filter(|(path, _)| path.starts_with(".databricks-deploy/lock-"))
        .map(|(path, object)| (path, serde_json::from_slice(&object.bytes).expect("a lock is JSON")))
        .collect();
    assert_eq!(locks.len(), 1, "{locks:?}");
    locks.into_iter().next().expect("there is one")
}

#[tokio::test(start_paused = true)]
async fn two_steps_on_one_target_come_one_after_the_other() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(60));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(10)).await;
    let since = sandbox.requests().len();
    let second = commit(&sandbox, 2).inside_with(&sandbox, 2).await;
    let first = first.await.unwrap();
    assert_eq!((first.exit, second.exit), (Exit::Done, Exit::Done), "{}\n{}", first.log, second.log);
    assert_holds(&sandbox, 2);
    assert!(first.log.lines().all(|line| !line.contains("aiting")), "{}", first.log);
    assert_golden("lock/waited", &second.log);
    // A minute of waiting is looks, one every five seconds.
    let looks = sandbox.requests()[since..].iter().filter(|request| request.path == LIST).count();
    assert!((10..24).contains(&looks), "{looks}");
}

#[tokio::test(start_paused = true)]
async fn three_at_once_end_as_one_after_the_other_would() {
    for nonces in [[1, 2, 3], [999, 500, 1], [7, 7007, 14_007]] {
        let sandbox = Sandbox::new();
        sandbox.fault(Fault::always(On::any(), Trouble::Delay(Moment::Before, Duration::from_millis(50))));
        let steps = [1, 2, 3].map(|build| begin(&sandbox, commit(&sandbox, build), nonces[build as usize - 1]));
        let mut ended = Vec::new();
        for step in steps {
            ended.push(step.await.unwrap());
        }
        // Whoever comes after a newer one stops; the newest is what is there in the end.
        for inside in &ended {
            let overtaken = inside.outcome.problems.iter().all(|problem| problem.code == Code::Overtaken);
            assert!(inside.exit == Exit::Done || (inside.exit == Exit::Conflict && overtaken), "{}", inside.log);
        }
        assert_eq!(ended[2].exit, Exit::Done, "{}", ended[2].log);
        assert_holds(&sandbox, 3);
        assert_eq!(at_most_one_writer(&sandbox), Ok(()));
    }
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

#[tokio::test(start_paused = true)]
async fn a_newer_build_that_overtook_is_not_undone() {
    let sandbox = Sandbox::new();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 1).await.exit, Exit::Done);
    slow_uploads(&sandbox, Duration::from_secs(60));
    let newer = begin(&sandbox, commit(&sandbox, 3), 3);
    sleep(Duration::from_secs(5)).await;
    let older = commit(&sandbox, 2).inside_with(&sandbox, 2).await;
    assert_eq!(newer.await.unwrap().exit, Exit::Done);
    assert_eq!(older.exit, Exit::Conflict, "{}", older.log);
    assert_eq!(older.outcome.problems[0].code, Code::Overtaken);
    assert_golden("lock/overtaken", &older.log);
    assert_holds(&sandbox, 3);
    // Who asks for the older state on purpose gets it: nobody had to be waited for.
    let ended = run_again(commit(&sandbox, 2)).inside_with(&sandbox, 4).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_holds(&sandbox, 2);
}

#[tokio::test(start_paused = true)]
async fn a_step_without_work_waits_for_whoever_is_about_to_change_something() {
    let sandbox = Sandbox::new();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 1).await.exit, Exit::Done);
    slow_uploads(&sandbox, Duration::from_secs(60));
    let other = begin(&sandbox, commit(&sandbox, 2), 2);
    sleep(Duration::from_secs(5)).await;
    // The third build brings the first one's content back: it looks as if there were nothing to do.
    let third = commit(&sandbox, 1).variable("BITBUCKET_BUILD_NUMBER", 3).inside_with(&sandbox, 3).await;
    assert_eq!(other.await.unwrap().exit, Exit::Done);
    assert_eq!(third.exit, Exit::Done, "{}", third.log);
    assert_holds(&sandbox, 1);
}

#[tokio::test(start_paused = true)]
async fn without_work_there_is_no_lock() {
    let sandbox = Sandbox::new();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 1).await.exit, Exit::Done);
    let since = sandbox.requests().len();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 2).await.exit, Exit::Done);
    let plan = commit(&sandbox, 2).variable("ACTION", "plan").inside_with(&sandbox, 3).await;
    assert_eq!(plan.exit, Exit::Done, "{}", plan.log);
    assert!(sandbox.requests()[since..].iter().all(|request| request.method == "GET"));
}

#[tokio::test(start_paused = true)]
async fn different_targets_do_not_disturb_each_other() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(60));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    let other =
        commit(&sandbox, 2).variable("WORKSPACE_PATH", "/Workspace/Shared/other").inside_with(&sandbox, 2).await;
    assert_eq!((other.exit, began.elapsed()), (Exit::Done, Duration::ZERO), "{}", other.log);
    assert_eq!(first.await.unwrap().exit, Exit::Done);
    assert_holds(&sandbox, 1);
}

#[tokio::test(start_paused = true)]
async fn the_wait_ends_at_the_deadline_and_names_the_holder() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(60));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(5)).await;
    let before = below(&sandbox);
    let began = Instant::now();
    let second = commit(&sandbox, 2).variable("TIMEOUT", "40s").inside_with(&sandbox, 2).await;
    assert_eq!(began.elapsed().as_secs(), 40);
    assert_eq!((second.exit, second.outcome.problems[0].code), (Exit::Conflict, Code::Locked), "{}", second.log);
    assert_golden("lock/locked", &second.log);
    let without_lock = |objects: BTreeMap<String, _>| -> Vec<String> { objects.into_keys().collect() };
    assert_eq!(without_lock(below(&sandbox)), without_lock(before));
    assert_eq!(first.await.unwrap().exit, Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn a_killed_holders_own_re_run_takes_over_at_once_and_others_wait_for_the_lease() {
    for (own, wait) in [(true, 0..1), (false, 110..130)] {
        let sandbox = Sandbox::new();
        // No upload has arrived when it is killed.
        let never = Trouble::Delay(Moment::Before, Duration::from_secs(600));
        sandbox.fault(Fault { on: On::post(IMPORT), skip: 2, times: None, trouble: never });
        let first = begin(&sandbox, commit(&sandbox, 1), 1);
        sleep(Duration::from_secs(1)).await;
        first.abort();
        assert!(first.await.is_err());
        sandbox.clear_faults();
        assert_eq!(records(&sandbox), ["journal.json", "lock-1.json"]);
        let (began, build) = (Instant::now(), if own { 1 } else { 2 });
        let step = commit(&sandbox, build);
        let step = if own { run_again(step) } else { step };
        let ended = step.inside_with(&sandbox, 2).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert!(wait.contains(&began.elapsed().as_secs()), "own: {own}: {:?}", began.elapsed());
        assert_golden(if own { "lock/own" } else { "lock/passed_over" }, &ended.log);
        assert_holds(&sandbox, build);
    }
}

#[tokio::test(start_paused = true)]
async fn steps_side_by_side_in_one_pipeline_do_not_take_each_others_lock() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(60));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(5)).await;
    let began = Instant::now();
    let beside = commit(&sandbox, 1).variable("BITBUCKET_STEP_UUID", "{beside}").inside_with(&sandbox, 2).await;
    assert_eq!(beside.exit, Exit::Done, "{}", beside.log);
    assert!(began.elapsed().as_secs() >= 55, "{:?}", began.elapsed());
    assert_eq!(first.await.unwrap().exit, Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_as_long_as_the_work_lasts() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(58));
    sandbox.fault(Fault {
        on: On::post(IMPORT),
        skip: 2,
        times: None,
        trouble: Trouble::Delay(Moment::Before, Duration::from_secs(20)),
    });
    let mut step = commit(&sandbox, 1);
    for number in 0..600 {
        step = step.file(&format!("notebooks/n{number}.txt"), "n");
    }
    let first = begin(&sandbox, step, 1);
    sleep(Duration::from_secs(5)).await;
    let began = lock(&sandbox).1["expires_at"].as_u64().unwrap();
    sleep(Duration::from_secs(240)).await;
    let (file, later) = lock(&sandbox);
    assert_eq!(file, ".databricks-deploy/lock-1.json");
    assert!(later["expires_at"].as_u64().unwrap() >= began + 180, "{later}");
    assert_eq!(first.await.unwrap().exit, Exit::Done);
    assert!(records(&sandbox) == ["state.json"]);
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

#[tokio::test(start_paused = true)]
async fn a_holder_that_nobody_passed_over_goes_on() {
    let sandbox = Sandbox::new();
    let first = stalled(&sandbox, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(200)).await;
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_holds(&sandbox, 1);
    assert!(
        sandbox.requests().iter().any(|request| request.part("path").is_some_and(|path| path.ends_with("lock-2.json")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_own_next_lock_is_there_is_not_taken_for_another_build() {
    let refused = || Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
    for (name, faults) in [
        // The next lock is created, and whether it holds is not to be seen.
        ("the look after the creation", vec![Fault::nth(On::get(LIST), 2, refused())]),
        // It is created, and the answer is lost; what is there is not to be seen either.
        (
            "the answer to the creation",
            vec![
                Fault::once(On::post(IMPORT), Trouble::Drop(Moment::After)),
                Fault::once(On::get("/api/2.0/workspace/export"), refused()),
            ],
        ),
    ] {
        let sandbox = Sandbox::new();
        let first = stalled(&sandbox, Duration::from_secs(1)).await;
        sleep(Duration::from_secs(200)).await;
        sandbox.clear_faults();
        faults.into_iter().for_each(|fault| sandbox.fault(fault));
        let first = first.await.unwrap();
        assert_eq!(first.exit, Exit::Done, "{name}: {}", first.log);
        assert_holds(&sandbox, 1);
        let next = |path: &str| path.ends_with("lock-3.json");
        assert!(sandbox.requests().iter().any(|request| request.part("path").is_some_and(next)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_regained_does_not_hold_where_another_came_meanwhile() {
    let sandbox = Sandbox::new();
    let first = stalled(&sandbox, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(200)).await;
    let (_, mut other) = lock(&sandbox);
    other["nonce"] = "somebody else".into();
    sandbox.clear_faults();
    // The next lock is created, and before its holder sees whether it holds there is a higher one.
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Delay(Moment::After, Duration::from_secs(20))));
    while !records(&sandbox).contains(&"lock-2.json".to_owned()) {
        sleep(Duration::from_secs(1)).await;
    }
    sandbox.put_file(&format!("{TARGET}/.databricks-deploy/lock-9.json"), other.to_string());
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert!(records(&sandbox).contains(&"lock-9.json".to_owned()));
    assert!(!records(&sandbox).contains(&"state.json".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_was_passed_over_sends_nothing_more_and_says_so() {
    let sandbox = Sandbox::new();
    let first = stalled(&sandbox, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(150)).await;
    let since = sandbox.requests().len();
    // Somebody else gets through: he takes the lock, as the file of the next generation.
    let (_, mut other) = lock(&sandbox);
    other["nonce"] = "somebody else".into();
    other["step"] = serde_json::json!({});
    sandbox.put_file(&format!("{TARGET}/.databricks-deploy/lock-2.json"), other.to_string());
    let before = twin(&sandbox);
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert_golden("lock/lost", &first.log);
    let own = format!("{TARGET}/.databricks-deploy/lock-1.json");
    for request in sandbox.requests()[since..].iter().filter(|request| request.method == "POST") {
        let body = request.body.as_ref().and_then(|body| body["path"].as_str());
        assert!(request.status.is_none() || body == Some(&own), "{} {body:?}", request.path);
    }
    let mut after = twin(&sandbox);
    after.retain(|one| before.contains(one));
    assert_eq!(before.len() - after.len(), 1, "but for its own lock");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_somebody_deletes_is_lost() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(59));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(5)).await;
    sandbox.remove(&format!("{TARGET}/.databricks-deploy/lock-1.json"));
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert!(!records(&sandbox).contains(&"state.json".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_the_creation_is_looked_up() {
    for moment in [Moment::Before, Moment::After] {
        for trouble in [
            Trouble::Drop(moment),
            Trouble::Answer(moment, Canned::error(500, "INTERNAL_ERROR", "Something passing.")),
            Trouble::Answer(moment, Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Something passing.")),
        ] {
            let sandbox = Sandbox::new();
            sandbox.fault(Fault::once(On::post(IMPORT), trouble.clone()));
            let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?}: {}", ended.log);
            assert_holds(&sandbox, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_creation_took_longer_than_its_lease_is_created_anew() {
    let sandbox = Sandbox::new();
    // The answer that came in the end may be of a lock that has been passed over since.
    let busy = Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.").retry_after(50);
    sandbox.fault(Fault::times(On::post(IMPORT), 3, Trouble::Answer(Moment::Before, busy)));
    let began = Instant::now();
    let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(began.elapsed().as_secs() >= 150, "{:?}", began.elapsed());
    assert_holds(&sandbox, 1);
    let creations = sandbox.requests().into_iter().filter(|request| {
        request.status == Some(200) && request.part("path").is_some_and(|path| path.contains("/lock-"))
    });
    assert_eq!(creations.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_while_another_one_was_quicker_is_no_lock() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(30));
    // Both have seen no lock; the second one's creation meets the first one's, and its answer is lost.
    sandbox.fault(Fault::nth(On::get(LIST), 3, Trouble::Delay(Moment::After, Duration::from_secs(10))));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    let second = begin(&sandbox, commit(&sandbox, 2), 2);
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    // Which of them has read its own files first, and so creates the lock first, is chance: the older build may have been
    // overtaken.
    let overtaken = first.outcome.problems.first().is_some_and(|problem| problem.code == Code::Overtaken);
    assert!(first.exit == Exit::Done || overtaken, "{}", first.log);
    assert_eq!(second.exit, Exit::Done, "{}", second.log);
    assert_eq!(at_most_one_writer(&sandbox), Ok(()));
    assert_holds(&sandbox, 2);
}

#[tokio::test(start_paused = true)]
async fn clocks_that_differ_make_no_difference() {
    // The service's clock is years away from everybody's; or it tells none at all.
    for told in [true, false] {
        let sandbox = Sandbox::starting_at(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000));
        sandbox.tell_date(told);
        slow_uploads(&sandbox, Duration::from_secs(600));
        let first = begin(&sandbox, commit(&sandbox, 1), 1);
        sleep(Duration::from_secs(1)).await;
        first.abort();
        let _ = first.await;
        let (_, held) = lock(&sandbox);
        assert_eq!(held["expires_at"].is_u64(), told, "{held}");
        let began = Instant::now();
        let ended = commit(&sandbox, 2).inside_with(&sandbox, 2).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert!((110..145).contains(&began.elapsed().as_secs()), "told: {told}: {:?}", began.elapsed());
        assert_holds(&sandbox, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_lock_of_ours_blocks_for_a_lease_and_no_longer() {
    let foreign = r#"{"schema":1,"owner":{"repository":"acme/other","local_path":".","target":"x"},"held_by":{"build":"7","link":"javascript:alert(1)"},"nonce":"1","expires_at":99999999999}"#;
    for (name, content) in
        [("damaged", "{"), ("empty", ""), ("foreign_for_ever", foreign), ("newer", r#"{"schema":2}"#)]
    {
        let sandbox = Sandbox::new();
        sandbox.put_file(&format!("{TARGET}/.databricks-deploy/lock-7.json"), content);
        let began = Instant::now();
        let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
        assert_eq!(ended.exit, Exit::Done, "{name}: {}", ended.log);
        assert!((125..145).contains(&began.elapsed().as_secs()), "{name}: {:?}", began.elapsed());
        assert!(!ended.log.contains("javascript"), "{name}: {}", ended.log);
        assert_golden(&format!("lock/unreadable_{name}"), &ended.log);
        assert_holds(&sandbox, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn two_owners_first_deploys_at_once_end_with_one_owner() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(30));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    let other = commit(&sandbox, 2)
        .variable("BITBUCKET_REPO_UUID", "{other}")
        .variable("BITBUCKET_REPO_FULL_NAME", "acme/other");
    let other = other.inside_with(&sandbox, 2).await;
    assert_eq!((other.exit, other.outcome.problems[0].code), (Exit::Conflict, Code::ForeignOwner), "{}", other.log);
    assert_eq!(first.await.unwrap().exit, Exit::Done);
    assert_holds(&sandbox, 1);
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_first_deploy_was_killed_is_an_owner() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(600));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    first.abort();
    let _ = first.await;
    let other = commit(&sandbox, 2).variable("BITBUCKET_REPO_UUID", "{other}");
    let other = other.inside_with(&sandbox, 2).await;
    assert_eq!((other.exit, other.outcome.problems[0].code), (Exit::Conflict, Code::ForeignOwner), "{}", other.log);
}

/// Every end that the process sees leaves no lock.
#[tokio::test(start_paused = true)]
async fn the_lock_is_released_on_every_exit() {
    // Each fault ends the deploy at another place under the lock.
    let refused = || Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
    for (name, fault) in [
        ("the journal", Fault::nth(On::post(IMPORT), 2, refused())),
        ("an upload", Fault::nth(On::post(IMPORT), 3, refused())),
        ("the state", Fault::nth(On::post(IMPORT), 5, refused())),
        ("the look at our records", Fault::nth(On::get(LIST), 3, refused())),
        ("the look at the root", Fault::nth(On::get(LIST), 4, refused())),
        ("the verification", Fault { on: On::get(LIST), skip: 4, times: None, trouble: refused() }),
        ("a deletion", Fault::nth(On::post(DELETE), 1, refused())),
        ("the creation", Fault::nth(On::post(IMPORT), 1, refused())),
    ] {
        let sandbox = Sandbox::new();
        assert_eq!(commit(&sandbox, 9).inside_with(&sandbox, 9).await.exit, Exit::Done);
        sandbox.fault(fault);
        let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
        assert_eq!(ended.exit, Exit::Deploy, "{name}: {}", ended.log);
        let locks = records(&sandbox).into_iter().filter(|record| record.starts_with("lock-")).count();
        assert_eq!(locks, 0, "{name}: {}", ended.log);
        sandbox.clear_faults();
        assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 2).await.exit, Exit::Done, "{name}");
        assert_holds(&sandbox, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_middle_releases_the_lock() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(50));
    let ended = commit(&sandbox, 1).variable("TIMEOUT", "20s").inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_eq!(records(&sandbox), ["journal.json"], "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_fails_is_a_warning_and_no_more() {
    let sandbox = Sandbox::new();
    // The journal's deletion is the first one, the lock's the second.
    sandbox.fault(Fault { on: On::post(DELETE), skip: 1, times: None, trouble: Trouble::Drop(Moment::Before) });
    let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_golden("lock/not_released", &ended.log);
    assert_eq!(records(&sandbox), ["lock-1.json", "state.json"]);
}

#[test]
fn a_signal_releases_the_lock_whatever_the_deploy_is_doing() {
    let running = Running::start(Sandbox::new()).unwrap();
    let sandbox = running.sandbox();
    // The uploads never end by themselves.
    sandbox.fault(Fault {
        on: On::post(IMPORT),
        skip: 2,
        times: None,
        trouble: Trouble::Delay(Moment::Before, Duration::from_secs(3600)),
    });
    for signal in ["TERM", "INT"] {
        let step = commit(sandbox, 1);
        let mut pipe = step.start(&running);
        pipe.wait_for("Deploying from");
        while !records(sandbox).contains(&"journal.json".to_owned()) {
            std::thread::yield_now();
        }
        pipe.signal(signal);
        let ended = pipe.end();
        assert_eq!(ended.code, 8, "{}", ended.log);
        assert_eq!(records(sandbox), ["journal.json"], "{signal}: {}", ended.log);
        sandbox.clear_faults();
        sandbox.fault(Fault {
            on: On::post(IMPORT),
            skip: 2,
            times: None,
            trouble: Trouble::Delay(Moment::Before, Duration::from_secs(3600)),
        });
    }
    sandbox.clear_faults();
    assert_eq!(commit(sandbox, 1).against(&running).code, 0);
    assert_holds(sandbox, 1);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_seen_is_judged_again_under_the_lock() {
    let sandbox = Sandbox::new();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 1).await.exit, Exit::Done);
    let step = commit(&sandbox, 3).variable("ACTION", "plan");
    assert_eq!(step.inside_with(&sandbox, 3).await.exit, Exit::Done);
    let step = step.without("ACTION").variable("PLAN", "databricks-deploy/plan.json");
    slow_uploads(&sandbox, Duration::from_secs(30));
    let other = begin(&sandbox, commit(&sandbox, 2), 2);
    sleep(Duration::from_secs(1)).await;
    let ended = step.inside_with(&sandbox, 4).await;
    assert_eq!((ended.exit, ended.outcome.problems[0].code), (Exit::Conflict, Code::PlanChanged), "{}", ended.log);
    assert_eq!(other.await.unwrap().exit, Exit::Done);
    assert_holds(&sandbox, 2);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_waits_for_a_deploy_and_takes_what_it_brought() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(30));
    let deploy = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    let ended = commit(&sandbox, 2).variable("ACTION", "destroy").inside_with(&sandbox, 2).await;
    assert_eq!(deploy.await.unwrap().exit, Exit::Done);
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(below(&sandbox), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_renewed_is_waited_for_and_a_log_of_waiting_is_short() {
    let sandbox = Sandbox::new();
    let holder = sandbox.clone();
    let renewing = tokio::spawn(async move {
        for renewal in 1_000.. {
            let text = format!(
                r#"{{"schema":1,"owner":{{"local_path":"notebooks","target":"main"}},"held_by":{{"build":"1"}},
                "nonce":"1","expires_at":{renewal}99999999}}"#
            );
            holder.put_file(&format!("{TARGET}/.databricks-deploy/lock-1.json"), text);
            sleep(Duration::from_secs(30)).await;
        }
    });
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let ended = commit(&sandbox, 2).variable("TIMEOUT", "30m").inside_with(&sandbox, 2).await;
    assert_eq!((ended.exit, began.elapsed().as_secs()), (Exit::Conflict, 1_800), "{}", ended.log);
    assert!((28..36).contains(&ended.log.lines().count()), "one line a minute: {}", ended.log);
    renewing.abort();
}
