//! Every end that the process sees leaves no lock.

use super::*;

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
