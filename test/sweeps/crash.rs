//! Killed at any request, right next time. The real binary deploys until the sandbox holds one of its requests, and is
//! killed; what it had sent and not been answered never arrives, or arrives late, in this order or another. Then the same
//! commit is deployed again, or the next one, or that is killed too.

use super::scenario::{Scenario, apart, attempt, no_time};
use super::tally::{Tally, on_two_threads};
use super::twin::Twin;
use crate::support::{Ended, Step};
use databricks_sandbox::{Recorded, Running, Sandbox};
use std::collections::BTreeSet;
use std::time::Duration;

/// Longer than a lease: whoever comes later than that does not wait for a lock that nobody renews.
const LATER: Duration = Duration::from_secs(180);

/// What a deploy without work sends beside questions: it logs in, and runs what it was told to run.
const NO_CHANGE: [&str; 2] = ["POST /oidc/v1/token", "POST /api/2.2/jobs/run-now"];

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
    requests: usize,
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
        let requests = same.requests().len() - base.requests().len();
        let undisturbed = [Twin::of(&same), Twin::of(&newer)];
        undisturbed.iter().for_each(|twin| twin.assert_settled(edits));
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
    fn killed_after(&self, passed: usize) -> Result<Sandbox, String> {
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
        let sent: Vec<String> = sandbox.requests().iter().skip(since).map(Recorded::line).collect();
        let asks = |line: &String| line.starts_with("GET ") || NO_CHANGE.contains(&line.as_str());
        let sent: Vec<String> = sent.into_iter().filter(|line| !asks(line)).collect();
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
fn kill(step: &Step, sandbox: &Sandbox, passed: usize) -> Option<Sandbox> {
    sandbox.freeze_after(passed as u64);
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

/// Everything that may become of the requests that are held: nothing, where they only ask; and one alone has no order.
fn variants(held: &[String]) -> Vec<Late> {
    match held.iter().filter(|line| !line.starts_with("GET ")).count() {
        0 => vec![Late::Never],
        1 => vec![Late::Never, Late::InOrder],
        _ => vec![Late::Never, Late::InOrder, Late::Reversed, Late::Some],
    }
}

fn deployed() -> Stage {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    Stage::new(&runtime.block_on(Scenario::deployed(no_time())), 1)
}

/// Kills the second commit's deploy at every request, and tries all that may come next.
fn sweep(what: &str, stage: &Stage, variants: impl Fn(&[String]) -> Vec<Late> + Sync) {
    let tally = Tally::new();
    on_two_threads(|next| {
        while let Some(passed) = Some(next()).filter(|passed| *passed < stage.requests) {
            let killed = match stage.killed_after(passed) {
                Ok(killed) => killed,
                Err(why) => {
                    tally.note(|| format!("{passed} requests"), Err(why));
                    continue;
                }
            };
            let held = killed.frozen();
            for late in variants(&held) {
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
                    tally.note(at, stage.recover(&sandbox, (step, next), 1));
                }
            }
        }
    });
    // At least the two commits that may come next.
    tally.tell(&format!("{what} at each of {} requests", stage.requests), 2 * stage.requests);
}

#[test]
fn killed_at_any_request_the_same_commit_or_the_next_one_is_right() {
    sweep("killed", &deployed(), variants);
}

#[test]
fn killed_in_the_very_first_deploy_the_same_commit_or_the_next_one_is_right() {
    let stage = Stage::new(&Scenario::empty(no_time()), 0);
    sweep("killed in the first deploy", &stage, |held| variants(held).into_iter().take(2).collect());
}

/// At every third request; the second kill comes at another one each time.
#[test]
fn killed_twice_in_a_row_the_next_commit_is_right() {
    let (stage, tally) = (deployed(), Tally::new());
    let kills = stage.requests.div_ceil(3);
    on_two_threads(|next| {
        while let Some(number) = Some(next()).filter(|number| *number < kills) {
            let (passed, again) = (number * 3, number * 11 % 40 + 4);
            let killed = match stage.killed_after(passed) {
                Ok(killed) => killed,
                Err(why) => {
                    tally.note(|| format!("{passed} requests"), Err(why));
                    continue;
                }
            };
            let late = if number % 2 == 0 { Late::InOrder } else { Late::Never };
            for (then, last, next) in [
                (&stage.second_again, &stage.second_once_more, Next::Same),
                (&stage.second_again, &stage.third, Next::Newer),
                (&stage.third, &stage.third_again, Next::Newer),
            ] {
                let time_passes = |sandbox: &Sandbox| {
                    if next == Next::Newer {
                        sandbox.let_time_pass(LATER)
                    }
                };
                let sandbox = arrive(&killed, late);
                time_passes(&sandbox);
                // Where little was left to do, it had ended by then.
                let _ = kill(then, &sandbox, again);
                let sandbox = arrive(&sandbox, late);
                time_passes(&sandbox);
                let at =
                    || format!("killed after {passed} and then {again} requests, which arrive {late:?}, then {next:?}");
                tally.note(at, stage.recover(&sandbox, (last, next), 2));
            }
        }
    });
    tally.tell(&format!("killed twice, first at each of {kills} requests"), 3 * kills);
}
