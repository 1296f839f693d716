//! Every trouble at every request, in paused time: one that passes changes nothing, and one that stays ends the process
//! with its own code and a true word, after which an undisturbed run ends where it should have.

use super::scenario::{Scenario, apart, attempt, two_looks};
use super::tally::{Tally, on_two_threads};
use super::troubles::{self, Kind};
use super::twin::Twin;
use crate::support::{Inside, Step};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Fault, On, Sandbox};
use std::collections::BTreeSet;
use std::sync::Mutex;

const ME: &str = "/api/2.0/preview/scim/v2/Me";
const TOKEN: &str = "/oidc/v1/token";

/// One trouble at one request, or at all of its kind.
struct Point<'a> {
    kind: &'a Kind,
    on: On,
    /// Which of them, from 1; `None` means all.
    nth: Option<u64>,
}

impl Point<'_> {
    fn name(&self) -> String {
        let method = self.on.method.as_ref().map(ToString::to_string).unwrap_or_default();
        let which = self.nth.map_or_else(|| "always".to_owned(), |nth| format!("the {nth}. time"));
        format!("{} at {method} {}, {which}", self.kind.name, self.on.path)
    }
}

/// An undisturbed deploy, and what it takes to disturb it over and over.
struct Stage {
    scenario: Scenario,
    second: Step,
    again: Step,
    undisturbed: Twin,
    drifted: usize,
    /// The requests of the undisturbed deploy by method and path, and how many there are of each.
    asked: Vec<(On, u64)>,
}

impl Stage {
    async fn new() -> Stage {
        let scenario = Scenario::deployed(two_looks()).await;
        let (second, again) = (scenario.second(), attempt(scenario.second(), 2));
        let sandbox = scenario.sandbox.fork();
        let since = sandbox.requests().len();
        let ended = second.inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        let mut asked: Vec<(On, u64)> = Vec::new();
        for request in sandbox.requests().into_iter().skip(since) {
            let on = On { method: Some(request.method), path: request.path };
            match asked.iter_mut().find(|(known, _)| *known == on) {
                Some((_, count)) => *count += 1,
                None => asked.push((on, 1)),
            }
        }
        let undisturbed = Twin::of(&sandbox);
        undisturbed.assert_settled(1);
        assert_eq!(sandbox.runs().len(), 1);
        Stage { scenario, second, again, undisturbed, drifted: ended.outcome.drifted.len(), asked }
    }

    fn requests(&self) -> u64 {
        self.asked.iter().map(|(_, count)| count).sum()
    }

    /// A workspace in which the point's trouble is going to strike.
    fn troubled(&self, point: &Point<'_>) -> Sandbox {
        let sandbox = self.scenario.sandbox.fork();
        let trouble = point.kind.trouble.clone();
        sandbox.fault(match point.nth {
            Some(nth) => Fault::nth(point.on.clone(), nth, trouble),
            None => Fault::always(point.on.clone(), trouble),
        });
        sandbox
    }

    /// Whether all is as in the undisturbed twin; each of the processes that triggered something did so once.
    fn judge(&self, sandbox: &Sandbox, processes: usize) -> Result<(), String> {
        if let Some(differences) = Twin::of(sandbox).differs(&self.undisturbed) {
            return Err(format!("is not like its twin:\n{differences}"));
        }
        let tokens: BTreeSet<Option<String>> = sandbox.runs().into_iter().map(|run| run.idempotency_token).collect();
        let runs = sandbox.runs().len();
        if runs != tokens.len() || runs == 0 || runs > processes {
            return Err(format!("{runs} runs, {} tokens, {processes} processes", tokens.len()));
        }
        match sandbox.unknown_routes().as_slice() {
            [] => Ok(()),
            unknown => Err(format!("asked for {unknown:?}")),
        }
    }

    /// A trouble that passes.
    async fn passing(&self, point: &Point<'_>) -> Result<(), String> {
        let sandbox = self.troubled(point);
        let ended = apart(&self.second).inside_with(&sandbox, 8).await;
        if !sandbox.requests().iter().any(|request| request.fault) {
            return Err("did not strike".to_owned());
        }
        if point.kind.foreign && is_first_word(&point.on) {
            return self.stopped(point, &sandbox, &ended).await;
        }
        let told = ended.outcome.drifted.len();
        let judged = match ended.exit {
            Exit::Done if told == self.drifted => self.judge(&sandbox, 1),
            Exit::Done => Err(format!("{told} edits told")),
            other => Err(format!("ended as {other:?}")),
        };
        judged.map_err(|why| format!("{why}\n{}", ended.log))
    }

    /// A trouble that stays.
    async fn lasting(&self, point: &Point<'_>) -> Result<(), String> {
        let sandbox = self.troubled(point);
        let ended = apart(&self.second).inside_with(&sandbox, 8).await;
        self.stopped(point, &sandbox, &ended).await
    }

    /// What was stopped says why, with its own exit code; and an undisturbed second attempt ends as the twin.
    async fn stopped(&self, point: &Point<'_>, sandbox: &Sandbox, ended: &Inside) -> Result<(), String> {
        told(point, ended).map_err(|why| format!("{why}\n{}", ended.log))?;
        sandbox.clear_faults();
        let next = apart(&self.again).inside_with(sandbox, 9).await;
        if next.exit != Exit::Done {
            return Err(format!("the next run ended as {:?}\n{}{}", next.exit, ended.log, next.log));
        }
        self.judge(sandbox, 2).map_err(|why| format!("after the next run: {why}\n{}{}", ended.log, next.log))
    }
}

/// Whether the end of a process is the one that a trouble at these requests must have, and the log says what it was.
fn told(point: &Point<'_>, ended: &Inside) -> Result<(), String> {
    let kind = point.kind;
    let problem = ended.outcome.problems.first();
    let code = problem.map(|problem| problem.code);
    let (exit, codes): (Exit, Vec<Option<Code>>) = match point.on.path.as_str() {
        // Nothing depends on them.
        "/.well-known/databricks-config" | "/oidc/.well-known/oauth-authorization-server" => (Exit::Done, vec![None]),
        "/api/2.2/jobs/runs/get-output" => (Exit::Done, vec![None]),
        _ if kind.words.is_empty() => (Exit::Done, vec![None]),
        // Whoever gives an answer that is none is not who was meant.
        ME | TOKEN if kind.foreign => (Exit::Identity, vec![Some(Code::NotDatabricks)]),
        ME | TOKEN => (Exit::Identity, vec![Some(kind.code)]),
        "/api/2.2/jobs/runs/get" => (Exit::WaitEnded, vec![None, Some(Code::IdentityLost)]),
        _ if kind.refuses => (Exit::Identity, vec![Some(Code::InvalidToken), Some(Code::IdentityLost)]),
        "/api/2.2/jobs/run-now" => (Exit::RunCancelled, vec![Some(Code::TriggerFailed)]),
        // What is refused because it exists is the lock, to begin with.
        _ if kind.exists => (Exit::Conflict, vec![Some(Code::Locked)]),
        // Deleted in an earlier attempt, it is not there any more, which is said as incompletely.
        "/api/2.0/workspace/delete" if kind.foreign => (Exit::Deploy, vec![Some(kind.code), Some(Code::NotDatabricks)]),
        _ => (Exit::Deploy, vec![Some(kind.code)]),
    };
    if ended.exit != exit || !codes.contains(&code) {
        return Err(format!("ended as {:?} with {code:?}, not as {exit:?} with {codes:?}", ended.exit));
    }
    let words = match point.on.path.as_str() {
        // Of what should have been a token nothing is shown.
        TOKEN if kind.foreign => "the log-in was not answered with an access token",
        "/.well-known/databricks-config" | "/oidc/.well-known/oauth-authorization-server" => "",
        _ => kind.words,
    };
    if ended.log.contains(words) { Ok(()) } else { Err(format!("does not say \"{words}\"")) }
}

/// Whether an answer to these requests is the first one that a client gets.
fn is_first_word(on: &On) -> bool {
    on.path == ME || on.path == TOKEN
}

/// How long a trouble lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// It strikes one request.
    Once,
    /// It strikes every request of a method and a path, each time it is sent.
    ForEver,
}

/// Every trouble at everything that it can strike, and how many points those make that can strike all requests.
fn points<'a>(stage: &Stage, kinds: &'a [Kind], lasts: Lasts) -> (Vec<Point<'a>>, usize) {
    let (mut points, mut least) = (Vec::new(), 0);
    let requests: Vec<(&On, Option<u64>)> = match lasts {
        Lasts::Once => {
            stage.asked.iter().flat_map(|(on, count)| (1..=*count).map(move |nth| (on, Some(nth)))).collect()
        }
        Lasts::ForEver => stage.asked.iter().map(|(on, _)| (on, None)).collect(),
    };
    for kind in kinds {
        least += if kind.strikes_every() { requests.len() } else { 0 };
        let struck = requests.iter().filter(|(on, _)| kind.strikes(on));
        points.extend(struck.map(|(on, nth)| Point { kind, on: (*on).clone(), nth: *nth }));
    }
    (points, least)
}

/// Plays all points, each thread in a paused time of its own.
fn sweep(what: &str, lasts: Lasts) {
    let (tally, kinds, figures) = (Tally::new(), troubles::all(), Mutex::new((0, 0)));
    on_two_threads(|next| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let stage = Stage::new().await;
            let (points, least) = points(&stage, &kinds, lasts);
            *figures.lock().unwrap() = (stage.requests(), least);
            while let Some(point) = points.get(next()) {
                let judged = match lasts {
                    Lasts::Once => stage.passing(point).await,
                    Lasts::ForEver => stage.lasting(point).await,
                };
                tally.note(|| point.name(), judged);
            }
        });
    });
    let (requests, least) = figures.into_inner().unwrap();
    tally.tell(&format!("{what}: {} of them at {requests} requests", kinds.len()), least);
}

#[test]
fn one_passing_trouble_at_any_request_changes_nothing() {
    sweep("troubles that pass", Lasts::Once);
}

#[test]
fn a_trouble_that_stays_ends_the_process_truly_and_is_made_up_for() {
    sweep("troubles that stay", Lasts::ForEver);
}
