//! What a build has seen of a target grows old while it looks on: nothing is decided by it that is not true any longer.

use crate::support::{Inside, Step, TARGET, below};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Moment, On, Sandbox, Trouble};
use serde_json::json;
use std::time::{Duration, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const IMPORT: &str = "/api/2.0/workspace/import";
const LIST: &str = "/api/2.0/workspace/list";
const DELETE: &str = "/api/2.0/workspace/delete";

/// What a build deploys: these files, each with this text.
fn build(sandbox: &Sandbox, number: u32, files: &[(&str, &str)]) -> Step {
    let step = Step::deploying(sandbox)
        .variable("BITBUCKET_BUILD_NUMBER", number)
        .variable("BITBUCKET_PIPELINE_UUID", format!("{{pipeline {number}}}"))
        .variable("BITBUCKET_STEP_UUID", format!("{{step {number}}}"));
    files.iter().fold(step, |step, (path, text)| step.file(&format!("notebooks/{path}"), format!("{text}\n")))
}

fn begin(sandbox: &Sandbox, step: Step, nonce: u64) -> JoinHandle<Inside> {
    let sandbox = sandbox.clone();
    tokio::spawn(async move { step.inside_with(&sandbox, nonce).await })
}

async fn deploy(sandbox: &Sandbox, number: u32, files: &[(&str, &str)]) {
    let ended = build(sandbox, number, files).inside_with(sandbox, number.into()).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
}

/// The listings to come, from the `skip`th on, are answered so late; what they show is what was there when they were asked for.
fn slow_lists(sandbox: &Sandbox, skip: u64, times: u64, pause: Duration) {
    let trouble = Trouble::Delay(Moment::After, pause);
    sandbox.fault(Fault { on: On::get(LIST), skip, times: Some(times), trouble });
}

fn record(name: &str) -> String {
    format!("{TARGET}/.databricks-deploy/{name}")
}

fn locks(sandbox: &Sandbox) -> Vec<String> {
    let objects = below(sandbox).into_keys();
    objects.filter_map(|path| Some(path.strip_prefix(".databricks-deploy/lock-")?.to_owned())).collect()
}

/// The paths that requests changed, and when each came: by its place among all.
fn changes(sandbox: &Sandbox, number: u32) -> Vec<(usize, String)> {
    let by = format!("build/{number}");
    let all = sandbox.requests().into_iter().enumerate();
    all.filter(|(_, request)| request.method == "POST" && request.status == Some(200))
        .filter(|(_, request)| request.header("user-agent").is_some_and(|agent| agent.split(' ').any(|one| one == by)))
        .filter_map(|(at, request)| {
            let body = request.body.as_ref().and_then(|body| body["path"].as_str().map(str::to_owned));
            Some((at, request.part("path").map(str::to_owned).or(body)?))
        })
        .collect()
}

/// A lock of another build, which ends so many seconds from now.
fn other_lock(sandbox: &Sandbox, name: &str, seconds: u64) {
    let now = sandbox.time().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lock = json!({
        "schema": 1, "owner": {"local_path": "notebooks", "target": "main"}, "held_by": {"build": "1"},
        "nonce": "somebody else", "expires_at": now + seconds,
    });
    sandbox.put_file(&record(name), lock.to_string());
}

/// Renews the lock of another build so many times, and releases it then.
fn renewed(sandbox: &Sandbox, times: u32, every: Duration) -> JoinHandle<()> {
    let sandbox = sandbox.clone();
    tokio::spawn(async move {
        for _ in 0..times {
            sleep(every).await;
            other_lock(&sandbox, "lock-7.json", 120);
        }
        sandbox.remove(&record("lock-7.json"));
    })
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_has_renewed_its_lock_since_it_was_seen_is_not_passed_over() {
    let sandbox = Sandbox::new();
    deploy(&sandbox, 1, &[("a/b/c/d.txt", "1")]).await;
    other_lock(&sandbox, "lock-7.json", 120);
    let renewing = renewed(&sandbox, 10, Duration::from_secs(30));
    // Looking takes longer than a lease: each of three folders is listed when the one above it is.
    slow_lists(&sandbox, 2, 3, Duration::from_secs(50));
    let began = Instant::now();
    let ended = build(&sandbox, 2, &[("a/b/c/d.txt", "2")]).inside_with(&sandbox, 2).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(ended.log.contains("aiting") && began.elapsed().as_secs() >= 300, "{:?} {}", began.elapsed(), ended.log);
    renewing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_renewed_since_it_was_asked_for_is_not_passed_over() {
    let sandbox = Sandbox::new();
    other_lock(&sandbox, "lock-7.json", 40);
    let renewing = renewed(&sandbox, 8, Duration::from_secs(25));
    // What the lock said is on its way for so long that its lease has ended when it comes: state, lock, and the lock again.
    let late = Trouble::Delay(Moment::After, Duration::from_secs(50));
    sandbox.fault(Fault::nth(On::get("/api/2.0/workspace/export"), 3, late));
    let began = Instant::now();
    let ended = build(&sandbox, 2, &[("a.txt", "2")]).inside_with(&sandbox, 2).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(began.elapsed().as_secs() >= 200, "{:?} {}", began.elapsed(), ended.log);
    renewing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_renewed_since_it_was_asked_for_is_seen_to_live_where_the_service_tells_no_time() {
    let sandbox = Sandbox::new();
    sandbox.tell_date(false);
    other_lock(&sandbox, "lock-7.json", 120);
    let renewing = renewed(&sandbox, 2, Duration::from_secs(105));
    let began = Instant::now();
    let late = begin(&sandbox, build(&sandbox, 2, &[("a.txt", "2")]), 2);
    sleep(Duration::from_secs(100)).await;
    // It is asked for before it is renewed, and the answer comes when it has looked the same for longer than a lease.
    let trouble = Trouble::Delay(Moment::After, Duration::from_secs(50));
    sandbox.fault(Fault::once(On::get("/api/2.0/workspace/export"), trouble));
    let late = late.await.unwrap();
    assert_eq!(late.exit, Exit::Done, "{}", late.log);
    assert!(began.elapsed().as_secs() >= 210, "{:?} {}", began.elapsed(), late.log);
    renewing.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_others_changed_while_a_build_looked_on_is_looked_at_again() {
    let refused = || Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
    let before = [("a/kept.txt", "1"), ("b/two.txt", "1"), ("a/one.txt", "1"), ("a/three.txt", "1")];
    for ends in [true, false] {
        let sandbox = Sandbox::new();
        deploy(&sandbox, 1, &before).await;
        // One build has seen all, and the answer that it waits for is on its way.
        slow_lists(&sandbox, 2, 2, Duration::from_secs(50));
        let late = begin(&sandbox, build(&sandbox, 3, &[before[0], ("b/two.txt", "3"), before[2], before[3]]), 3);
        sleep(Duration::from_secs(10)).await;
        // Another one deletes below folders that stay, so that the root looks as it did; and ends, or does not.
        if !ends {
            sandbox.fault(Fault { on: On::post(DELETE), skip: 1, times: Some(1), trouble: refused() });
        }
        let other = build(&sandbox, 2, &before[..2]).inside_with(&sandbox, 2).await;
        assert_eq!(other.exit, if ends { Exit::Done } else { Exit::Deploy }, "{}", other.log);
        let gone = |path: &&str| !below(&sandbox).contains_key(*path);
        let deleted = ["a/one.txt", "a/three.txt"].iter().filter(|path| gone(path)).count();
        assert_eq!((deleted, locks(&sandbox).len()), (if ends { 2 } else { 1 }, 0), "{}", other.log);
        let late = late.await.unwrap();
        assert_eq!(late.exit, Exit::Done, "{}", late.log);
        assert_eq!(["a/one.txt", "a/three.txt"].iter().find(|path| gone(path)), None, "ends: {ends}: {}", late.log);
        assert_eq!(&below(&sandbox)["b/two.txt"].bytes[..], b"3\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_that_is_older_than_the_state_beside_it_is_looked_at_again() {
    let sandbox = Sandbox::new();
    deploy(&sandbox, 1, &[("a.txt", "1")]).await;
    // What lies in the root is asked for before another build comes, and what the state says after it has ended.
    slow_lists(&sandbox, 1, 1, Duration::from_secs(50));
    let late = Trouble::Delay(Moment::Before, Duration::from_secs(40));
    sandbox.fault(Fault::once(On::get("/api/2.0/workspace/export"), late));
    let late = begin(&sandbox, build(&sandbox, 3, &[("a.txt", "3")]), 3);
    sleep(Duration::from_secs(10)).await;
    deploy(&sandbox, 2, &[("a.txt", "1"), ("b.txt", "2")]).await;
    let late = late.await.unwrap();
    assert_eq!(late.exit, Exit::Done, "{}", late.log);
    let names: Vec<String> = below(&sandbox).into_keys().filter(|path| !path.starts_with('.')).collect();
    assert_eq!(names, ["a.txt"], "{}", late.log);
}

#[tokio::test(start_paused = true)]
async fn a_first_deploy_that_was_not_seen_is_looked_at_again() {
    let sandbox = Sandbox::new();
    // The root looks the same before and after it.
    sandbox.put_file(&format!("{TARGET}/a/theirs.txt"), "theirs\n");
    slow_lists(&sandbox, 2, 1, Duration::from_secs(50));
    let late = begin(&sandbox, build(&sandbox, 3, &[("a/one.txt", "3")]), 3);
    sleep(Duration::from_secs(10)).await;
    deploy(&sandbox, 2, &[("a/two.txt", "2")]).await;
    let late = late.await.unwrap();
    assert_eq!(late.exit, Exit::Done, "{}", late.log);
    let names: Vec<String> = below(&sandbox).into_keys().filter(|path| !path.starts_with('.')).collect();
    assert_eq!(names, ["a", "a/one.txt", "a/theirs.txt"], "{}", late.log);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_did_not_end_is_seen_by_who_looked_on() {
    let sandbox = Sandbox::new();
    deploy(&sandbox, 1, &[("a/one.txt", "1"), ("b.txt", "1")]).await;
    sandbox.put_file(&format!("{TARGET}/a/theirs.txt"), "theirs\n");
    slow_lists(&sandbox, 2, 1, Duration::from_secs(50));
    let late = begin(&sandbox, build(&sandbox, 3, &[("a/one.txt", "1"), ("b.txt", "3")]), 3);
    sleep(Duration::from_secs(10)).await;
    let refused = Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
    sandbox.fault(Fault { on: On::post(DELETE), skip: 1, times: Some(1), trouble: refused });
    let destroy = build(&sandbox, 2, &[]).variable("ACTION", "destroy").inside_with(&sandbox, 2).await;
    assert_eq!(destroy.exit, Exit::Deploy, "{}", destroy.log);
    let late = late.await.unwrap();
    assert_eq!(late.exit, Exit::Done, "{}", late.log);
    assert!(below(&sandbox).contains_key("a/one.txt"), "{}\n{}", destroy.log, late.log);
}

#[tokio::test(start_paused = true)]
async fn a_lock_below_one_that_was_taken_meanwhile_does_not_hold() {
    let sandbox = Sandbox::new();
    deploy(&sandbox, 1, &[("a/one.txt", "1")]).await;
    slow_lists(&sandbox, 2, 1, Duration::from_secs(50));
    let late = begin(&sandbox, build(&sandbox, 4, &[("a/one.txt", "4")]), 4);
    sleep(Duration::from_secs(10)).await;
    // A whole deploy, and one that is under way when the first build has looked on: the number that it takes is free.
    deploy(&sandbox, 2, &[("a/one.txt", "2")]).await;
    sleep(Duration::from_secs(30)).await;
    let pause = Trouble::Delay(Moment::Before, Duration::from_secs(55));
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 2, times: Some(1), trouble: pause });
    let under_way = begin(&sandbox, build(&sandbox, 3, &[("a/one.txt", "3")]), 3);
    let (under_way, late) = (under_way.await.unwrap(), late.await.unwrap());
    assert_eq!((under_way.exit, late.exit), (Exit::Done, Exit::Done), "{}\n{}", under_way.log, late.log);
    assert_eq!(&below(&sandbox)["a/one.txt"].bytes[..], b"4\n");
    let last = changes(&sandbox, 3).into_iter().next_back().unwrap();
    let (late, own) = (changes(&sandbox, 4), |path: &str| path.contains("/lock-"));
    assert!(own(&last.1) && late.iter().any(|(at, path)| *at < last.0 && own(path)), "{last:?} {late:?}");
    assert!(late.iter().all(|(at, path)| *at > last.0 || own(path)), "{last:?} {late:?}");
    assert_eq!(locks(&sandbox), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_waited_takes_a_number_that_nobody_had() {
    let sandbox = Sandbox::new();
    other_lock(&sandbox, "lock-7.json", 120);
    let waiting = begin(&sandbox, build(&sandbox, 2, &[("a.txt", "2")]), 2);
    sleep(Duration::from_secs(20)).await;
    sandbox.remove(&record("lock-7.json"));
    assert_eq!(waiting.await.unwrap().exit, Exit::Done);
    // So a deletion of the other one's that arrives late deletes nothing of ours.
    let taken: Vec<String> = changes(&sandbox, 2).into_iter().map(|(_, path)| path).collect();
    assert!(taken.contains(&record("lock-8.json")) && !taken.contains(&record("lock-7.json")), "{taken:?}");
    // And whoever comes next takes a higher one again, although no lock is there.
    deploy(&sandbox, 3, &[("a.txt", "3")]).await;
    let taken: Vec<String> = changes(&sandbox, 3).into_iter().map(|(_, path)| path).collect();
    assert!(taken.contains(&record("lock-9.json")), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn a_number_that_no_deploy_makes_is_named_where_it_stops_everybody() {
    let sandbox = Sandbox::new();
    other_lock(&sandbox, "lock-999999999999999.json", 120);
    let ended = build(&sandbox, 1, &[("a.txt", "1")]).inside_with(&sandbox, 1).await;
    let problem = &ended.outcome.problems[0];
    assert_eq!((ended.exit, problem.code), (Exit::Conflict, Code::Locked), "{}", ended.log);
    assert_eq!(problem.place.as_deref(), Some(record("lock-999999999999999.json").as_str()), "{}", ended.log);
    sandbox.remove(&record("lock-999999999999999.json"));
    deploy(&sandbox, 2, &[("a.txt", "2")]).await;
    // In the state it stops nobody.
    let state = String::from_utf8(below(&sandbox)[".databricks-deploy/state.json"].bytes.to_vec()).unwrap();
    for serial in [u64::MAX, 999_999_999_999_999] {
        let absurd: String = state.replace("\"serial\": 1,", &format!("\"serial\": {serial},"));
        assert_ne!(absurd, state);
        sandbox.put_file(&record("state.json"), absurd);
        deploy(&sandbox, 3, &[("a.txt", &serial.to_string())]).await;
        assert_eq!(locks(&sandbox), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_comes_during_a_look_names_the_holder_too() {
    let sandbox = Sandbox::new();
    other_lock(&sandbox, "lock-7.json", 120);
    slow_lists(&sandbox, 4, 1, Duration::from_secs(55));
    let ended = build(&sandbox, 2, &[("a.txt", "2")]).variable("TIMEOUT", "20s").inside_with(&sandbox, 2).await;
    assert_eq!((ended.exit, ended.outcome.problems[0].code), (Exit::Conflict, Code::Locked), "{}", ended.log);
    assert!(ended.log.contains("build 1"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_the_place_of_a_lock_is_named_and_stays() {
    let sandbox = Sandbox::new();
    sandbox.put_file(&record("lock-7.json/theirs.txt"), "theirs\n");
    let before = below(&sandbox);
    let ended = build(&sandbox, 1, &[("a.txt", "1")]).inside_with(&sandbox, 1).await;
    let problem = &ended.outcome.problems[0];
    assert_eq!((ended.exit, problem.code), (Exit::Conflict, Code::TypeMismatch), "{}", ended.log);
    assert_eq!(problem.place.as_deref(), Some(record("lock-7.json").as_str()), "{}", ended.log);
    assert_eq!(below(&sandbox), before);
}
