//! Who holds the lock and is dead is passed over, and nobody else is.

use super::*;

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
async fn a_holder_is_seen_to_live_where_the_service_tells_no_time() {
    let sandbox = Sandbox::new();
    sandbox.tell_date(false);
    slow_uploads(&sandbox, Duration::from_secs(160));
    let first = begin(&sandbox, large_commit(&sandbox, 1), 1);
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let second = commit(&sandbox, 2).inside_with(&sandbox, 2).await;
    let first = first.await.unwrap();
    assert_eq!((first.exit, second.exit), (Exit::Done, Exit::Done), "{}\n{}", first.log, second.log);
    assert!(began.elapsed().as_secs() >= 159, "{:?}", began.elapsed());
    assert_eq!(at_most_one_writer(&sandbox), Ok(()));
    assert_holds(&sandbox, 2);
}
