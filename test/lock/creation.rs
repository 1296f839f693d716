//! A lock is created once, whatever becomes of the answers.

use super::*;

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
async fn a_target_that_is_destroyed_before_the_lock_is_created_is_deployed_anew() {
    let sandbox = Sandbox::new();
    assert_eq!(commit(&sandbox, 1).inside_with(&sandbox, 1).await.exit, Exit::Done);
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Delay(Moment::Before, Duration::from_secs(20))));
    let second = begin(&sandbox, commit(&sandbox, 2), 2);
    sleep(Duration::from_secs(5)).await;
    let ended = commit(&sandbox, 3).variable("ACTION", "destroy").inside_with(&sandbox, 3).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(below(&sandbox), BTreeMap::new());
    let second = second.await.unwrap();
    assert_eq!(second.exit, Exit::Done, "{}", second.log);
    assert_holds(&sandbox, 2);
}

#[tokio::test(start_paused = true)]
async fn a_lock_of_our_number_that_came_while_its_creation_took_too_long_is_not_written_over() {
    let sandbox = Sandbox::new();
    let busy = Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.").retry_after(50);
    sandbox.fault(Fault::times(On::post(IMPORT), 2, Trouble::Answer(Moment::Before, busy)));
    // It is there in time, and the answer that says so comes when its lease is over.
    let late = Trouble::Delay(Moment::After, Duration::from_secs(30));
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 2, times: Some(1), trouble: late });
    let first = begin(&sandbox, commit(&sandbox, 1), 1);
    made(&sandbox, "lock-1.json", 200).await;
    // Meanwhile everything was taken away, numbers have begun anew, and somebody else has this one.
    let (file, mut other) = lock_of_somebody_else(&sandbox);
    other["expires_at"] = (other["expires_at"].as_u64().unwrap() + 600).into();
    sandbox.put_file(&format!("{TARGET}/{file}"), other.to_string());
    sleep(Duration::from_secs(40)).await;
    assert_eq!(lock(&sandbox), (file.clone(), other));
    sandbox.remove(&format!("{TARGET}/{file}"));
    let first = first.await.unwrap();
    assert_eq!(first.exit, Exit::Done, "{}", first.log);
    assert_holds(&sandbox, 1);
}
