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
