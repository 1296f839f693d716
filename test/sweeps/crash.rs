//! Killed at any request, right next time. The real binary deploys until the sandbox holds one of its requests, and is
//! killed; what it had sent and not been answered never arrives, or arrives late, in this order or another. Then the same
//! commit is deployed again, or the next one, or that is killed too.

use super::scenario::{Scenario, apart, attempt, no_time};
use super::twin::Twin;
use crate::support::{Ended, Step, changes};
use databricks_sandbox::{Running, Sandbox};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
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
    /// What the second commit is deployed to.
    base: Sandbox,
    second: Step,
    second_again: Step,
    second_once_more: Step,
    third: Step,
    third_again: Step,
    /// The twins after the second commit, and after the third.
    undisturbed: [Twin; 2],
    /// How many requests the second commit's deploy sends.
    requests: u64,
}

impl Stage {
    /// `edits` is how many objects of ours were edited.
    fn new(scenario: &Scenario, edits: usize) -> Stage {
        let base = scenario.sandbox.fork();
        let deployed = |step: &Step| {
            let sandbox = base.fork();
            let ended = deploy(step, &sandbox);
            assert_eq!(ended.code, 0, "{}", ended.log);
            sandbox
        };
        let (second, third) = (scenario.second(), scenario.third());
        let (same, newer) = (deployed(&second), deployed(&third));
        let requests = (same.requests().len() - base.requests().len()) as u64;
        let undisturbed = [Twin::of(&same), Twin::of(&newer)];
        assert_eq!(undisturbed.each_ref().map(Twin::copies), [edits; 2], "a copy of each edit");
        Stage {
            base,
            second,
            second_again: attempt(scenario.second(), 2),
            second_once_more: attempt(scenario.second(), 3),
            third,
            third_again: attempt(scenario.third(), 2),
            undisturbed,
            requests,
        }
    }

    /// The workspace after a deploy of the second commit that was killed when so many requests had passed.
    fn killed_after(&self, passed: u64) -> Result<Sandbox, String> {
        kill(&self.second, &self.base.fork(), passed).ok_or_else(|| "never got there".to_owned())
    }

    /// Deploys a commit to a workspace in which deploys were killed, and then once more. `killed` is how many of them may
    /// have triggered a run.
    fn recover(&self, sandbox: &Sandbox, (step, next): (&Step, Next), killed: usize) -> Result<(), String> {
        let ended = deploy(step, sandbox);
        let fail = |why: String| Err(format!("{why}\n{}", ended.log));
        if ended.code != 0 {
            return fail(format!("ended with {}", ended.code));
        }
        if let Some(differences) = Twin::of(sandbox).differs(&self.undisturbed[next as usize]) {
            return fail(format!("is not like its twin:\n{differences}"));
        }
        let mut edits = ended.log.lines().filter(|line| line.ends_with("[drift]"));
        if let Some(wrong) = edits.find(|line| !line.contains("/ingest/customers ")) {
            return fail(format!("takes our own work for an edit: {wrong}"));
        }
        // A token starts one run: so no process has started two.
        let tokens: BTreeSet<Option<String>> = sandbox.runs().into_iter().map(|run| run.idempotency_token).collect();
        let runs = sandbox.runs().len();
        if runs != tokens.len() || runs == 0 || runs > killed + 1 {
            return fail(format!("{runs} runs by {} tokens, and {killed} were killed", tokens.len()));
        }
        let since = sandbox.requests().len();
        let quiet = deploy(step, sandbox);
        let sent = changes(sandbox, since).into_iter().filter(|line| line != "token" && line != "run-now");
        let sent: Vec<String> = sent.collect();
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
    apart(step).against(&running)
}

/// Kills the real binary when so many of its requests have passed and the next one is held; `None` where it ended before.
fn kill(step: &Step, sandbox: &Sandbox, passed: u64) -> Option<Sandbox> {
    sandbox.freeze_after(passed);
    let running = Running::start(sandbox.clone()).expect("a free port");
    let mut pipe = apart(step).start(&running);
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

/// What all threads of a sweep found.
#[derive(Default)]
struct Found {
    points: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl Found {
    fn note(&self, at: impl FnOnce() -> String, judged: Result<(), String>) {
        self.points.fetch_add(1, Relaxed);
        if let Err(why) = judged {
            self.failures.lock().unwrap().push(format!("{}: {why}", at()));
        }
    }

    /// Tells the figures, and what went wrong; there must be as many points as said.
    fn tell(self, what: &str, requests: u64, least: u64, began: Instant) {
        let (points, seconds) = (self.points.into_inner(), began.elapsed().as_secs_f32());
        println!("{what} at each of {requests} requests: {points} points, {seconds:.0} s");
        let failures = self.failures.into_inner().unwrap();
        let shown = failures.iter().take(6).cloned().collect::<Vec<_>>().join("\n\n");
        let names: Vec<&str> = failures.iter().map(|failure| failure.lines().next().unwrap_or_default()).collect();
        let names = names.join("\n");
        assert!(failures.is_empty(), "{} of {points} points went wrong:\n{names}\n\n{shown}", failures.len());
        assert!(points as u64 >= least, "{points} points are fewer than {least}");
    }
}

/// Does something for each number below `end`, on two threads.
fn on_two_threads(end: u64, each: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while let Some(number) = Some(next.fetch_add(1, Relaxed)).filter(|number| *number < end) {
                    each(number);
                }
            });
        }
    });
}

fn deployed() -> Stage {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    Stage::new(&runtime.block_on(Scenario::deployed(no_time())), 1)
}

/// Kills the second commit's deploy at every request, and tries all that may come next.
fn sweep(what: &str, stage: &Stage, variants: impl Fn(usize) -> Vec<Late> + Sync) {
    let (began, found) = (Instant::now(), Found::default());
    on_two_threads(stage.requests, |passed| {
        let killed = match stage.killed_after(passed) {
            Ok(killed) => killed,
            Err(why) => return found.note(|| format!("{passed} requests"), Err(why)),
        };
        let held = killed.frozen();
        for late in variants(held.len()) {
            for next in [Next::Same, Next::Newer] {
                let sandbox = arrive(&killed, late);
                let step = match next {
                    Next::Same => &stage.second_again,
                    Next::Newer => {
                        sandbox.let_time_pass(LATER);
                        &stage.third
                    }
                };
                let at = || format!("killed after {passed} requests, {held:?} arrive {late:?}, then {next:?}");
                found.note(at, stage.recover(&sandbox, (step, next), 1));
            }
        }
    });
    found.tell(what, stage.requests, 4 * stage.requests, began);
}

#[test]
fn killed_at_any_request_the_same_commit_or_the_next_one_is_right() {
    sweep("killed", &deployed(), variants);
}

#[test]
fn killed_in_the_very_first_deploy_the_same_commit_or_the_next_one_is_right() {
    let stage = Stage::new(&Scenario::empty(no_time()), 0);
    sweep("killed in the first deploy", &stage, |_| vec![Late::Never, Late::InOrder]);
}

#[test]
fn killed_twice_in_a_row_the_next_commit_is_right() {
    let (stage, began, found) = (deployed(), Instant::now(), Found::default());
    // Every third request; the second kill comes at another one each time.
    let kills = stage.requests.div_ceil(3);
    on_two_threads(kills, |number| {
        let passed = number * 3;
        let killed = match stage.killed_after(passed) {
            Ok(killed) => killed,
            Err(why) => return found.note(|| format!("{passed} requests"), Err(why)),
        };
        let late = if number % 2 == 0 { Late::InOrder } else { Late::Never };
        for (then, last, next) in [
            (&stage.second_again, &stage.second_once_more, Next::Same),
            (&stage.second_again, &stage.third, Next::Newer),
            (&stage.third, &stage.third_again, Next::Newer),
        ] {
            let sandbox = arrive(&killed, late);
            if next == Next::Newer {
                sandbox.let_time_pass(LATER);
            }
            let again = number * 11 % 40 + 4;
            // Where little was left to do, it had ended by then.
            let _ = kill(then, &sandbox, again);
            let sandbox = arrive(&sandbox, late);
            if next == Next::Newer {
                sandbox.let_time_pass(LATER);
            }
            let at =
                || format!("killed after {passed} and then {again} requests, all else arrives {late:?}, then {next:?}");
            found.note(at, stage.recover(&sandbox, (last, next), 2));
        }
    });
    found.tell("killed twice", kills, 3 * kills, began);
}
