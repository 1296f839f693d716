//! Killed at any request, right next time. The real binary deploys until the sandbox holds one of its requests, and is
//! killed; what it had sent and not been answered never arrives, or arrives late, in this order or another. Then the same
//! commit is deployed again, or the next one, or that is killed too.

use super::scenario::{Scenario, no_time};
use super::twin::Twin;
use crate::support::{Ended, Step, changes};
use databricks_sandbox::{Running, Sandbox};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Longer than a lease: whoever comes later than that does not wait for a lock that nobody renews.
const LATER: Duration = Duration::from_secs(180);

/// What becomes of the requests that were on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Late {
    /// They never arrive.
    Never,
    /// They arrive after all.
    InOrder,
    /// They arrive in the opposite order.
    Reversed,
    /// Every other one arrives.
    Some,
}

/// Which commit comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Same,
    Newer,
}

/// The clones and the twins.
struct Stage {
    scenario: Scenario,
    second: Step,
    again: Step,
    third: Step,
    /// The twins after the second commit, and after the third.
    undisturbed: [Twin; 2],
    /// How many requests the second commit's deploy sends.
    requests: u64,
}

impl Stage {
    fn new() -> Stage {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let scenario = runtime.block_on(Scenario::new(no_time()));
        let (second, again, third) = (scenario.second(), scenario.again(), scenario.third());
        let deployed = |step: &Step| {
            let sandbox = scenario.sandbox.fork();
            let ended = deploy(step, &sandbox);
            assert_eq!(ended.code, 0, "{}", ended.log);
            sandbox
        };
        let (same, newer) = (deployed(&second), deployed(&third));
        let requests = (same.requests().len() - scenario.sandbox.requests().len()) as u64;
        let undisturbed = [Twin::of(&same), Twin::of(&newer)];
        assert_eq!((undisturbed[0].copies(), undisturbed[1].copies()), (1, 1), "one edit, one copy");
        Stage { scenario, second, again, third, undisturbed, requests }
    }

    /// The workspace after a deploy of the second commit that was killed when so many requests had passed.
    fn killed_after(&self, passed: u64) -> Option<Sandbox> {
        kill(&self.second, &self.scenario.sandbox.fork(), passed)
    }

    /// What comes after the kill.
    fn next(&self, next: Next) -> (&Step, &Twin) {
        match next {
            Next::Same => (&self.again, &self.undisturbed[0]),
            Next::Newer => (&self.third, &self.undisturbed[1]),
        }
    }

    /// Deploys the next commit to a workspace in which deploys were killed, and then once more.
    fn recover(&self, sandbox: &Sandbox, next: Next, processes: usize) -> Result<(), String> {
        let (step, undisturbed) = self.next(next);
        if next == Next::Newer {
            sandbox.let_time_pass(LATER);
        }
        let ended = deploy(step, sandbox);
        let fail = |why: String| Err(format!("{why}\n{}", ended.log));
        if ended.code != 0 {
            return fail(format!("ended with {}", ended.code));
        }
        if let Some(differences) = Twin::of(sandbox).differs(undisturbed) {
            return fail(format!("is not like its twin:\n{differences}"));
        }
        let edits = ended.log.lines().filter(|line| line.ends_with("[drift]"));
        if let Some(wrong) = edits.into_iter().find(|line| !line.contains("/ingest/customers ")) {
            return fail(format!("takes our own work for an edit: {wrong}"));
        }
        let tokens: BTreeSet<Option<String>> = sandbox.runs().into_iter().map(|run| run.idempotency_token).collect();
        let runs = sandbox.runs().len();
        if runs != tokens.len() || runs == 0 || runs > processes {
            return fail(format!("{runs} runs, {} tokens, {processes} processes", tokens.len()));
        }
        let since = sandbox.requests().len();
        let quiet = deploy(step, sandbox);
        let sent: Vec<String> =
            changes(sandbox, since).into_iter().filter(|line| line != "token" && line != "run-now").collect();
        if quiet.code != 0 || !sent.is_empty() {
            return fail(format!("the third run ended with {} and sent {sent:?}\n{}", quiet.code, quiet.log));
        }
        match sandbox.unknown_routes().as_slice() {
            [] => Ok(()),
            unknown => fail(format!("asked for {unknown:?}")),
        }
    }
}

/// Runs the real binary to its end.
fn deploy(step: &Step, sandbox: &Sandbox) -> Ended {
    let running = Running::start(sandbox.clone()).expect("a free port");
    step.against(&running)
}

/// Kills the real binary when so many of its requests have passed and the next one is held; `None` where it ended before.
fn kill(step: &Step, sandbox: &Sandbox, passed: u64) -> Option<Sandbox> {
    sandbox.freeze_after(passed);
    let running = Running::start(sandbox.clone()).expect("a free port");
    let mut pipe = step.start(&running);
    let frozen = sandbox.wait_until_frozen(|| pipe.has_ended());
    pipe.kill();
    // What it had sent is on its way all the same.
    sandbox.wait_until_disconnected();
    frozen.then(|| sandbox.clone())
}

/// Lets what was held arrive, or not.
fn arrive(sandbox: &Sandbox, late: Late) -> Sandbox {
    let sandbox = sandbox.fork();
    let all: Vec<usize> = (0..sandbox.frozen().len()).collect();
    match late {
        Late::Never => {}
        Late::InOrder => sandbox.apply_frozen(&all),
        Late::Reversed => sandbox.apply_frozen(&all.into_iter().rev().collect::<Vec<_>>()),
        Late::Some => sandbox.apply_frozen(&all.into_iter().step_by(2).collect::<Vec<_>>()),
    }
    sandbox.thaw();
    sandbox
}

/// Everything that is tried after a kill. What is in one order only has no other.
fn variants(held: usize) -> Vec<Late> {
    let mut variants = vec![Late::Never, Late::InOrder];
    if held > 1 {
        variants.extend([Late::Reversed, Late::Some]);
    }
    variants
}

#[test]
fn killed_at_any_request_the_same_commit_or_the_next_one_is_right() {
    let began = Instant::now();
    let stage = Stage::new();
    let (next, points, failures) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let judge = |at: String, judged: Result<(), String>| {
        points.fetch_add(1, Relaxed);
        if let Err(why) = judged {
            failures.lock().unwrap().push(format!("{at}: {why}"));
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                loop {
                    let passed = next.fetch_add(1, Relaxed) as u64;
                    if passed >= stage.requests {
                        return;
                    }
                    let Some(killed) = stage.killed_after(passed) else {
                        judge(format!("after {passed}"), Err("never got there".to_owned()));
                        continue;
                    };
                    let held = killed.frozen();
                    for late in variants(held.len()) {
                        for next in [Next::Same, Next::Newer] {
                            let at = format!("killed after {passed} requests, {held:?} arrive {late:?}, then {next:?}");
                            judge(at, stage.recover(&arrive(&killed, late), next, 2));
                        }
                    }
                }
            });
        }
    });
    let (requests, points, seconds) = (stage.requests, points.into_inner(), began.elapsed().as_secs_f32());
    println!("killed at each of {requests} requests: {points} points, {seconds:.0} s");
    let failures = failures.into_inner().unwrap();
    let shown = failures.iter().take(6).cloned().collect::<Vec<_>>().join("\n\n");
    let names: Vec<&str> = failures.iter().map(|failure| failure.lines().next().unwrap_or_default()).collect();
    assert!(failures.is_empty(), "{} of {points} points went wrong:\n{}\n\n{shown}", failures.len(), names.join("\n"));
    assert!(points as u64 >= 4 * requests, "{points}");
}
