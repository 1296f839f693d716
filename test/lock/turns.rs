//! Who wants the lock comes after whoever has it.

use super::*;

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
