//! Every end that the process sees leaves no lock.

use super::*;
use databricks_sandbox::Recorded;
use tokio::sync::oneshot;

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
        // There is a second for it. Where that is not enough, on a machine that hangs, it is told.
        let is_told = ended.log.contains("the target's lock could not be released");
        assert!(is_told || records(sandbox) == ["journal.json"], "{signal}: {}", ended.log);
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

/// Runs a step that is told to stop in the moment of `when`, and lets everything arrive that was on its way then.
async fn told_to_stop(sandbox: &Sandbox, step: Step, when: impl AsyncFn()) -> Inside {
    let (tell, told) = oneshot::channel();
    let server = sandbox.clone();
    let running = tokio::spawn(async move { step.inside_until(&server, 1, async { told.await.unwrap() }).await });
    when().await;
    let told = tell.send(());
    let ended = running.await.unwrap();
    assert!(told.is_ok(), "it has ended before: {}", ended.log);
    sleep(Duration::from_secs(60)).await;
    ended
}

/// Waits until the sandbox has been sent this lock.
async fn until_sent(sandbox: &Sandbox, lock: &str) {
    let sent = || sandbox.requests().iter().any(|one| one.part("path").is_some_and(|path| path.ends_with(lock)));
    while !sent() {
        sleep(Duration::from_millis(10)).await;
    }
}

fn delayed(moment: Moment, milliseconds: u64) -> Trouble {
    Trouble::Delay(moment, Duration::from_millis(milliseconds))
}

#[tokio::test(start_paused = true)]
async fn a_signal_takes_a_lock_away_that_is_just_being_created() {
    for trouble in [delayed(Moment::Before, 300), delayed(Moment::After, 300)] {
        let sandbox = Sandbox::new();
        sandbox.fault(Fault::once(On::post(IMPORT), trouble.clone()));
        let ended =
            told_to_stop(&sandbox, commit(&sandbox, 1), async || until_sent(&sandbox, "lock-1.json").await).await;
        assert_eq!(ended.exit, Exit::Interrupted, "{}", ended.log);
        assert_eq!(records(&sandbox), Vec::<String>::new(), "{trouble:?}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_takes_every_lock_away_while_one_is_being_regained() {
    let late = |on, moment, milliseconds| Fault::always(on, delayed(moment, milliseconds));
    for (name, creation, then) in [
        ("the creation is on its way", delayed(Moment::Before, 700), None),
        ("its answer is on its way", delayed(Moment::After, 5_000), None),
        (
            "whether it holds is being looked up",
            delayed(Moment::After, 50),
            Some(late(On::get(LIST), Moment::After, 5_000)),
        ),
        (
            "the one before it is being deleted",
            delayed(Moment::After, 50),
            Some(late(On::post(DELETE), Moment::Before, 300)),
        ),
    ] {
        let sandbox = Sandbox::new();
        slow_uploads(&sandbox, Duration::from_secs(50));
        let ended = told_to_stop(&sandbox, commit(&sandbox, 1), async || {
            until_sent(&sandbox, "only 1.txt").await;
            sandbox.fault(Fault::always(On::any(), Trouble::Drop(Moment::Before)));
            sleep(Duration::from_secs(200)).await;
            sandbox.clear_faults();
            sandbox.fault(Fault::once(On::post(IMPORT), creation.clone()));
            until_sent(&sandbox, "lock-2.json").await;
            then.iter().for_each(|fault| sandbox.fault(fault.clone()));
            sleep(Duration::from_millis(100)).await;
        });
        let ended = ended.await;
        assert_eq!(ended.exit, Exit::Interrupted, "{name}: {}", ended.log);
        let locks = records(&sandbox).into_iter().filter(|record| record.starts_with("lock-"));
        assert_eq!(locks.collect::<Vec<_>>(), Vec::<String>::new(), "{name}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_takes_a_lock_away_that_is_just_being_created() {
    for moment in [Moment::Before, Moment::After] {
        let sandbox = Sandbox::new();
        sandbox.fault(Fault::once(On::post(IMPORT), delayed(moment, 3_500)));
        let step = commit(&sandbox, 1).variable("TIMEOUT", "2s");
        let ended = step.inside_until(&sandbox, 1, std::future::pending()).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
        assert_eq!(records(&sandbox), Vec::<String>::new(), "{moment:?}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_a_release_that_takes_long() {
    let sandbox = Sandbox::new();
    // The lock is created, but no answer says so, and what is there is not to be seen.
    sandbox.fault(Fault::once(On::post(IMPORT), delayed(Moment::After, 50)));
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Drop(Moment::After)));
    let ended = told_to_stop(&sandbox, commit(&sandbox, 1), async || {
        until_sent(&sandbox, "lock-1.json").await;
        sandbox.fault(Fault::always(On::get("/api/2.0/workspace/export"), Trouble::Drop(Moment::Before)));
        sleep(Duration::from_secs(320)).await;
    });
    let began = Instant::now();
    let ended = ended.await;
    assert!(began.elapsed().as_secs() < 320 + 60 + 2, "{:?}", began.elapsed());
    // It had ended, but for that.
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert!(ended.log.contains("could not be released"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_takes_a_lock_away_that_is_being_looked_at() {
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::nth(On::get(LIST), 3, delayed(Moment::After, 50_000)));
    let ended = commit(&sandbox, 1).variable("TIMEOUT", "20s").inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_eq!(records(&sandbox), Vec::<String>::new(), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_release_whose_answer_was_lost_takes_no_lock_of_somebody_elses_away() {
    let sandbox = Sandbox::new();
    // Without a state numbers begin anew: the lock of the next build may have the number of the one before.
    slow_uploads(&sandbox, Duration::from_secs(5));
    let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
    sandbox.fault(Fault::nth(On::post(IMPORT), 3, Trouble::Answer(Moment::Before, refused)));
    sandbox.fault(Fault::once(On::post(DELETE), Trouble::Drop(Moment::After)));
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(2)).await;
    let (file, mut other) = lock(&sandbox);
    other["nonce"] = "somebody else".into();
    while records(&sandbox) != ["journal.json"] {
        assert!(!first.is_finished());
        sleep(Duration::from_millis(1)).await;
    }
    sandbox.put_file(&format!("{TARGET}/{file}"), other.to_string());
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Deploy, "{}", first.log);
    assert!(!first.log.contains("released"), "{}", first.log);
    assert_eq!(lock(&sandbox), (file, other), "{}", first.log);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_of_the_lock_that_did_not_arrive_is_sent_again() {
    let sandbox = Sandbox::new();
    // The journal's deletion is the first one, the lock's those after it.
    let trouble = Trouble::Drop(Moment::Before);
    sandbox.fault(Fault { on: On::post(DELETE), skip: 1, times: Some(3), trouble });
    let began = Instant::now();
    let ended = commit(&sandbox, 1).inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(!ended.log.contains("released") && began.elapsed().as_secs() < 10, "{}", ended.log);
    assert_eq!(records(&sandbox), ["state.json"], "{}", ended.log);
}

/// All that was sent to write the first lock.
fn writes(sandbox: &Sandbox) -> Vec<Recorded> {
    let is_lock = |one: &Recorded| one.part("path").is_some_and(|path| path.ends_with("lock-1.json"));
    sandbox.requests().into_iter().filter(is_lock).collect()
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_arrives_after_the_release_leaves_no_lock() {
    let sandbox = Sandbox::new();
    // It is sent at 30 s, and the work ends while it is on its way.
    slow_uploads(&sandbox, Duration::from_millis(30_100));
    let late = delayed(Moment::Before, 2_500);
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 3, times: Some(1), trouble: late });
    let step = empty_commit(&sandbox, 1).file("notebooks/only 1.txt", "mine\n");
    let ended = step.inside_until(&sandbox, 1, std::future::pending()).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    sleep(Duration::from_secs(60)).await;
    let arrived = writes(&sandbox).iter().filter(|one| one.status == Some(200)).count();
    assert_eq!(arrived, 2, "the renewal has arrived");
    assert_eq!(records(&sandbox), ["state.json"], "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_renewal_was_refused_is_released_all_the_same() {
    let sandbox = Sandbox::new();
    // The renewal is sent at 30 s, and the work ends before another one is tried.
    slow_uploads(&sandbox, Duration::from_secs(31));
    let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
    sandbox.fault(Fault::nth(On::post(IMPORT), 4, Trouble::Answer(Moment::Before, refused)));
    let step = empty_commit(&sandbox, 1).file("notebooks/only 1.txt", "mine\n");
    let ended = step.inside_with(&sandbox, 1).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(writes(&sandbox).iter().any(|one| one.fault));
    assert_eq!(records(&sandbox), ["state.json"], "{}", ended.log);
}
