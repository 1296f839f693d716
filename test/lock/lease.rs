//! A lock is held as long as the work lasts; where its lease has ended it is regained, or lost.

use super::*;

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
                // The first look is at the lock that we had.
                Fault::nth(On::get("/api/2.0/workspace/export"), 2, refused()),
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
    made(&sandbox, "lock-2.json", 60).await;
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
    let (_, other) = lock_of_somebody_else(&sandbox);
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

/// A deploy of one file in a folder, whose upload is under way from 100 s on, and would arrive `seconds` later. The lock cannot be
/// renewed, so that its lease ends at 120 s.
async fn outlasting(sandbox: &Sandbox, seconds: u64) -> JoinHandle<Inside> {
    for (on, skip, seconds) in [(On::post(IMPORT), 1, 50), (On::post(MKDIRS), 1, 50), (On::post(IMPORT), 2, seconds)] {
        let trouble = Trouble::Delay(Moment::Before, Duration::from_secs(seconds));
        sandbox.fault(Fault { on, skip, times: Some(1), trouble });
    }
    let first = begin(sandbox, Step::deploying(sandbox).file("notebooks/a/one.txt", "mine\n"), 1);
    sleep(Duration::from_secs(1)).await;
    sandbox.fault(Fault::always(On::get(LIST), Trouble::Drop(Moment::Before)));
    first
}

/// How the uploads of the file ended.
fn uploads(sandbox: &Sandbox) -> Vec<Option<u16>> {
    let of_it = |path: Option<&str>| path.is_some_and(|path| path.ends_with(".txt"));
    sandbox.requests().iter().filter(|one| of_it(one.part("path"))).map(|one| one.status).collect()
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_outlasts_the_lease_does_not_arrive_after_somebody_else_has_the_lock() {
    let sandbox = Sandbox::new();
    let first = outlasting(&sandbox, 55).await;
    sleep(Duration::from_secs(119)).await;
    assert_eq!(uploads(&sandbox), [None]);
    // Another build takes the lock, and deploys.
    let (_, mut other) = lock(&sandbox);
    other["nonce"] = "somebody else".into();
    sandbox.put_file(&format!("{TARGET}/.databricks-deploy/lock-2.json"), other.to_string());
    sandbox.put_file(&format!("{TARGET}/a/one.txt"), "theirs\n");
    sleep(Duration::from_secs(60)).await;
    assert_eq!(&below(&sandbox)["a/one.txt"].bytes[..], b"theirs\n");
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert_eq!(uploads(&sandbox), [None]);
    assert_eq!(&below(&sandbox)["a/one.txt"].bytes[..], b"theirs\n");
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_outlasts_the_lease_is_sent_again_under_a_lock_that_is_regained() {
    let sandbox = Sandbox::new();
    let first = outlasting(&sandbox, 55).await;
    sleep(Duration::from_secs(130)).await;
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_eq!(uploads(&sandbox), [None, Some(200)]);
    assert_eq!(&below(&sandbox)["a/one.txt"].bytes[..], b"mine\n");
    assert_eq!(records(&sandbox), ["state.json"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_under_way_in_the_last_seconds_of_a_lease() {
    let sandbox = Sandbox::new();
    // It would arrive a few seconds before the end.
    let first = outlasting(&sandbox, 14).await;
    sleep(Duration::from_secs(117)).await;
    assert_eq!(uploads(&sandbox), [None]);
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_eq!(uploads(&sandbox), [None, Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_not_disturbed_by_renewals() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(150));
    let ended = begin(&sandbox, large_commit(&sandbox, 1), 1).await.unwrap();
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(uploads(&sandbox), [Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_our_number_that_is_somebody_elses_is_left_alone() {
    let sandbox = Sandbox::new();
    let first = stalled(&sandbox, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(200)).await;
    // Everything was taken away meanwhile, and numbers have begun anew.
    let (file, mut other) = lock(&sandbox);
    other["nonce"] = "somebody else".into();
    sandbox.put_file(&format!("{TARGET}/{file}"), other.to_string());
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert_eq!(lock(&sandbox), (file, other));
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_in_time_by_a_workspace_that_is_slow() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(150));
    let first = begin(&sandbox, large_commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    // Of the lease of each renewal half is over when it is answered.
    for on in [On::get(LIST), On::post(IMPORT)] {
        sandbox.fault(Fault::always(on, Trouble::Delay(Moment::Before, Duration::from_secs(30))));
    }
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    let next = |path: &str| path.ends_with("lock-2.json");
    assert!(!sandbox.requests().iter().any(|request| request.part("path").is_some_and(next)), "{}", first.log);
    assert_eq!(uploads(&sandbox), [Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_is_renewed_while_all_other_looks_have_to_wait() {
    let sandbox = Sandbox::new();
    let first = begin(&sandbox, Step::deploying(&sandbox).file("notebooks/a/one.txt", "mine\n"), 1);
    // The look whether it has arrived is told to come back when the lease would be over.
    let busy = Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.").retry_after(200);
    sandbox.fault(Fault::nth(On::get(LIST), 5, Trouble::Answer(Moment::Before, busy)));
    let began = Instant::now();
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert!(began.elapsed() >= Duration::from_secs(200), "{:?}", began.elapsed());
    let next = |path: &str| path.ends_with("lock-2.json");
    assert!(!sandbox.requests().iter().any(|request| request.part("path").is_some_and(next)), "{}", first.log);
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_told_in_full_where_every_answer_comes_late() {
    let sandbox = Sandbox::new();
    // All that is known of the service's time is so old when it comes.
    for path in ["/api/2.0/preview/scim/v2/Me", "/api/2.0/workspace/export", LIST, IMPORT, MKDIRS] {
        let trouble = Trouble::Slow { piece: 100_000, pause: Duration::from_secs(25) };
        sandbox.fault(Fault::always(On::path(path), trouble));
    }
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    while !records(&sandbox).iter().any(|record| record.starts_with("lock-")) {
        sleep(Duration::from_millis(100)).await;
    }
    let now = sandbox.time().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let expires_at = lock(&sandbox).1["expires_at"].as_u64().unwrap();
    assert!(expires_at >= now + 119, "{now} {expires_at}");
    sandbox.clear_faults();
    assert_eq!(first.await.unwrap().exit, Exit::Done);
}

#[tokio::test(start_paused = true)]
async fn a_lease_begins_when_its_renewal_is_sent_however_late_the_answer_comes() {
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, Duration::from_secs(150));
    // The renewal is sent at 30 s.
    let late = Trouble::Delay(Moment::After, Duration::from_secs(25));
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 3, times: Some(1), trouble: late });
    let first = begin(&sandbox, large_commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(35)).await;
    assert_eq!(lock(&sandbox).1["writes"], 2);
    // There is no other one.
    sandbox.fault(Fault::always(On::get(LIST), Trouble::Drop(Moment::Before)));
    sleep(Duration::from_secs(125)).await;
    assert_eq!(uploads(&sandbox), [None], "the lease ended at 150 s");
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_eq!(uploads(&sandbox), [None, Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_regained_begins_when_the_new_lock_is_sent_however_late_the_answer_comes() {
    let seconds = Duration::from_secs;
    let sandbox = Sandbox::new();
    slow_uploads(&sandbox, seconds(150));
    let first = begin(&sandbox, large_commit(&sandbox, 1), 1);
    sleep(seconds(1)).await;
    let no_renewal = || Fault::always(On::get(LIST), Trouble::Drop(Moment::Before));
    sandbox.fault(no_renewal());
    sleep(seconds(125)).await;
    assert_eq!(uploads(&sandbox), [None], "the lease has ended");
    sandbox.clear_faults();
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Delay(Moment::After, seconds(25))));
    let late = Trouble::Delay(Moment::Before, seconds(100));
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 1, times: Some(1), trouble: late });
    made(&sandbox, "lock-2.json", 60).await;
    sleep(seconds(27)).await;
    assert_eq!(uploads(&sandbox), [None, None], "it is regained, and the upload goes on");
    sandbox.fault(no_renewal());
    // The upload would arrive 125 s after the lock was sent, and less than 110 s after its answer.
    sleep(seconds(100)).await;
    assert_eq!(uploads(&sandbox), [None, None]);
    sandbox.clear_faults();
    let first = timeout(seconds(600), first).await.expect("it ends").unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_eq!(uploads(&sandbox), [None, None, Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_passed_over_is_not_deleted_when_the_one_above_it_does_not_hold_any_longer() {
    let sandbox = Sandbox::new();
    let first = stalled(&sandbox, Duration::from_secs(1)).await;
    sleep(Duration::from_secs(200)).await;
    let (file, other) = lock_of_somebody_else(&sandbox);
    sandbox.clear_faults();
    // The lock is regained, and the one that we had before stays as yet.
    sandbox.fault(Fault::always(On::post(DELETE), Trouble::Drop(Moment::Before)));
    made(&sandbox, "lock-2.json", 60).await;
    sleep(Duration::from_secs(1)).await;
    sandbox.fault(Fault::always(On::get(LIST), Trouble::Drop(Moment::Before)));
    sleep(Duration::from_secs(130)).await;
    // Its lease has ended, too. Everything was taken away, and numbers have begun anew.
    sandbox.remove(&format!("{TARGET}/.databricks-deploy/lock-2.json"));
    sandbox.put_file(&format!("{TARGET}/{file}"), other.to_string());
    sandbox.clear_faults();
    let first = first.await.unwrap();
    assert_eq!((first.exit, first.outcome.problems[0].code), (Exit::Conflict, Code::LockLost), "{}", first.log);
    assert_eq!(lock(&sandbox), (file, other));
}
