//! Runs: what an entry of `RUN` stands for, how it is watched, what its end means.

use crate::support::{Inside, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Block, Canned, Ending, Fault, JobRight, Lasting, Match, Moment, On, Phase, Principal, RunEnd, Running, Sandbox,
    Script, TaskScript, TokenState, Trouble,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

const NOTEBOOK: &str = "# Databricks notebook source\nprint(1)\n";

/// Two notebooks in the workspace, and a job of both.
async fn workspace() -> (Sandbox, i64) {
    let sandbox = Sandbox::new();
    let ended = Step::deploying(&sandbox)
        .file("notebooks/extract.py", NOTEBOOK)
        .file("notebooks/load.py", NOTEBOOK)
        .file("notebooks/plain.py", "print(1)\n")
        .file("notebooks/forecast.r", "# Databricks notebook source\n")
        .file("notebooks/old.scala", "// Databricks notebook source\n")
        .inside(&sandbox)
        .await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let job = job(&sandbox, "nightly-etl");
    (sandbox, job)
}

fn job(sandbox: &Sandbox, name: &str) -> i64 {
    sandbox.create_job(json!({
        "name": name,
        "tasks": [
            {"task_key": "extract", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/extract"}},
            {"task_key": "load", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/load"},
             "depends_on": [{"task_key": "extract"}]},
        ],
    }))
}

fn triggers(sandbox: &Sandbox) -> usize {
    let triggering = ["/api/2.2/jobs/run-now", "/api/2.2/jobs/runs/submit"];
    sandbox.requests().iter().filter(|request| triggering.contains(&&*request.path)).count()
}

#[tokio::test(start_paused = true)]
async fn a_job_is_found_by_id_and_by_name_and_run_to_its_end() {
    let (sandbox, id) = workspace().await;
    let ended = Step::running(&sandbox, "nightly-etl").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_golden("runs/success", &ended.log);
    let report = &ended.outcome.runs[0];
    assert_eq!((report.job_id, report.link.is_some(), ended.outcome.running().count()), (Some(id), true, 0));
    let ended = Step::running(&sandbox, id).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(sandbox.runs().len(), 2);
    assert!(sandbox.runs().iter().all(|run| run.job_id == Some(id) && run.ended));
}

#[tokio::test(start_paused = true)]
async fn entries_that_stand_for_nothing_are_told_together_and_nothing_is_started() {
    let (sandbox, _) = workspace().await;
    let (one, two) = (job(&sandbox, "twins"), job(&sandbox, "twins"));
    let run = format!(
        "nightly-etl\ntwins\nNIGHTLY-ETL\nno such job\n{}\n./nowhere\n./plain.py\n/Shared\n./forecast",
        i64::MAX
    );
    let ended = Step::running(&sandbox, run).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Settings, "{}", ended.log);
    assert_golden("runs/unresolved", &ended.log.replace(&one.to_string(), "<one>").replace(&two.to_string(), "<two>"));
    assert_eq!(triggers(&sandbox), 0);
}

#[tokio::test(start_paused = true)]
async fn a_typing_error_in_run_is_found_before_anything_is_deployed() {
    let sandbox = Sandbox::new();
    let ended = Step::deploying(&sandbox)
        .file("notebooks/etl/Load.py", NOTEBOOK)
        .file("notebooks/etl/helpers.py", "x = 1\n")
        .variable("RUN", "./load\n./etl/helpers.py")
        .inside(&sandbox)
        .await;
    assert_eq!(ended.exit, Exit::Settings, "{}", ended.log);
    assert_golden("runs/not_deployed", &ended.log);
    assert!(sandbox.objects().keys().all(|path| !path.contains("/etl")));
}

#[tokio::test(start_paused = true)]
async fn a_notebook_runs_once_serverless_or_on_a_cluster() {
    let (sandbox, _) = workspace().await;
    for (run, cluster) in
        [("./extract", None), ("/Shared/etl/extract", None), ("./forecast", Some("0123-456789-abcdefgh"))]
    {
        let mut step = Step::running(&sandbox, run).variable("PARAMS", "day=2026-11-22");
        if let Some(cluster) = cluster {
            step = step.variable("RUN_CLUSTER_ID", cluster);
        }
        let ended = step.inside_with(&sandbox, triggers(&sandbox) as u64).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        let runs = sandbox.runs();
        let task = &runs.last().unwrap().request["tasks"][0];
        assert_eq!(task["existing_cluster_id"].as_str(), cluster);
        assert_eq!(task["notebook_task"]["base_parameters"], json!({"day": "2026-11-22"}));
        assert_eq!(task["notebook_task"]["source"], "WORKSPACE");
    }
    assert_eq!(
        sandbox.runs()[0].request["tasks"][0]["notebook_task"]["notebook_path"],
        "/Workspace/Shared/etl/extract"
    );
    let scala = Step::running(&sandbox, "./old").inside_with(&sandbox, 99).await;
    assert!(scala.log.contains("WARNING: RUN: `./old`: a Scala notebook"), "{}", scala.log);
}

#[tokio::test(start_paused = true)]
async fn a_deployed_notebook_runs_in_the_same_step() {
    let sandbox = Sandbox::new();
    let ended = Step::deploying(&sandbox)
        .file("notebooks/etl/main.py", NOTEBOOK)
        .variable("RUN", "./etl/main.py")
        .inside(&sandbox)
        .await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_golden("runs/deployed_notebook", &ended.log);
}

#[tokio::test(start_paused = true)]
async fn params_reach_a_job_as_it_takes_them() {
    let (sandbox, plain) = workspace().await;
    let defining = sandbox.create_job(json!({
        "name": "defining",
        "parameters": [{"name": "day", "default": ""}],
        "tasks": [{"task_key": "extract", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/extract"}}],
    }));
    let sql = sandbox.create_job(json!({
        "name": "sql",
        "tasks": [{"task_key": "query", "sql_task": {"warehouse_id": "w", "query": {"query_id": "q"}}}],
    }));
    for (job, field) in [(plain, "notebook_params"), (defining, "job_parameters")] {
        let ended = Step::running(&sandbox, job).variable("PARAMS", "day=2026-11-22").inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        let request = sandbox.runs().last().unwrap().request.clone();
        assert_eq!(request[field], json!({"day": "2026-11-22"}), "{request}");
        let other = if field == "job_parameters" { "notebook_params" } else { "job_parameters" };
        assert!(request.get(other).is_none(), "{request}");
    }
    let before = triggers(&sandbox);
    let ended =
        Step::running(&sandbox, format!("{defining}\n{sql}")).variable("PARAMS", "dya=1").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Settings, "{}", ended.log);
    let log = ended.log.replace(&defining.to_string(), "<defining>").replace(&sql.to_string(), "<sql>");
    assert_golden("runs/params", &log);
    assert_eq!(triggers(&sandbox), before);
}

#[tokio::test(start_paused = true)]
async fn several_run_in_order_and_the_first_that_fails_ends_the_row() {
    let (sandbox, first) = workspace().await;
    let second = job(&sandbox, "second");
    let third = job(&sandbox, "third");
    sandbox.script(Match::Job(second), Script::ending(Ending::failed("ValueError: no", "")));
    let ended = Step::running(&sandbox, format!("{first}\nsecond\n{third}")).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::RunFailed, "{}", ended.log);
    let jobs: Vec<_> = sandbox.runs().iter().map(|run| run.job_id).collect();
    assert_eq!(jobs, [Some(first), Some(second)]);
    assert!(
        ended.log.contains(&format!("Not started, because the run before did not succeed: `{third}`")),
        "{}",
        ended.log
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_what_where_and_why() {
    let (sandbox, id) = workspace().await;
    let trace: String = (0..40).map(|line| format!("\u{1b}[0;31mline {line}\u{1b}[0m of the trace\n")).collect();
    sandbox.script(
        Match::Job(id),
        Script::default().task(
            "extract",
            TaskScript::ending(Ending::failed(
                "ZeroDivisionError: division by zero",
                &format!("{trace}ZeroDivisionError: division by zero"),
            )),
        ),
    );
    let ended = Step::running(&sandbox, "nightly-etl").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::RunFailed, "{}", ended.log);
    assert_golden("runs/failure", &ended.log);
}

/// Plays one ending of the whole run.
async fn ending(end: RunEnd, step: impl Fn(Step) -> Step) -> Inside {
    let (sandbox, id) = workspace().await;
    sandbox.script(Match::Job(id), Script::default().run_end(end));
    step(Step::running(&sandbox, id)).inside(&sandbox).await
}

#[tokio::test(start_paused = true)]
async fn the_whole_truth_table_through_the_whole_program() {
    let terminated = |result: &str, code: &str| Ending::new("TERMINATED", Some(result), code, "CLIENT_ERROR", "Why.");
    let mut seen = String::new();
    for (name, end, expected) in [
        ("success", Ending::success(), Exit::Done),
        ("failed", terminated("FAILED", "RUN_EXECUTION_ERROR"), Exit::RunFailed),
        ("its own time limit", Ending::timed_out(), Exit::RunFailed),
        ("upstream failed", terminated("UPSTREAM_FAILED", "RUN_EXECUTION_ERROR"), Exit::RunFailed),
        ("internal error", Ending::internal_error("CLUSTER_ERROR", "No nodes."), Exit::RunFailed),
        ("success with failures", Ending::success_with_failures(), Exit::RunFailed),
        ("unknown result", terminated("GONE_FISHING", "GONE_FISHING"), Exit::RunFailed),
        ("cancelled", Ending::cancelled(), Exit::RunCancelled),
        ("upstream cancelled", terminated("UPSTREAM_CANCELED", "CANCELED"), Exit::RunCancelled),
        ("skipped", Ending::skipped("Skipped."), Exit::RunCancelled),
        ("excluded", terminated("EXCLUDED", "SKIPPED"), Exit::RunCancelled),
        ("disabled", terminated("DISABLED", "DISABLED"), Exit::RunCancelled),
        ("too many runs", Ending::too_many_runs(), Exit::RunCancelled),
        ("only the old form", Ending::success().with_status(Block::Absent), Exit::Done),
        ("only the new form", Ending::success().with_state(Block::Absent), Exit::Done),
        ("neither form", Ending::success().with_state(Block::Absent).with_status(Block::Absent), Exit::RunFailed),
        (
            "they disagree on the result",
            Ending::success().with_status(Block::Json(json!({
                "state": "TERMINATED",
                "termination_details": {"code": "DRIVER_ERROR", "type": "CLOUD_FAILURE", "message": "The driver died."},
            }))),
            Exit::RunFailed,
        ),
        (
            "they disagree on whether it has ended",
            Ending::success().with_status(Block::Json(json!({"state": "RUNNING"}))),
            Exit::RunFailed,
        ),
    ] {
        let ended = ending(RunEnd::As(end), |step| step).await;
        assert_eq!(ended.exit, expected, "{name}: {}", ended.log);
        let line = ended
            .log
            .lines()
            .find(|line| line.contains("Job nightly-etl"))
            .unwrap_or_else(|| panic!("{name}: {}", ended.log));
        seen.push_str(&format!("{name}: exit {}: {line}\n", ended.exit.code()));
    }
    assert_golden("runs/truth_table", &seen);
    let accepted =
        ending(RunEnd::As(Ending::success_with_failures()), |step| step.variable("ON_PARTIAL_SUCCESS", "accept")).await;
    assert_eq!(accepted.exit, Exit::Done, "{}", accepted.log);
}

#[tokio::test(start_paused = true)]
async fn what_a_notebook_returned_is_shown_on_request() {
    let (sandbox, id) = workspace().await;
    let script = || Script::default().task("extract", TaskScript::ending(Ending::success_with("1204 rows\nof orders")));
    sandbox.script(Match::Job(id), script());
    let silent = Step::running(&sandbox, id).inside(&sandbox).await;
    assert!(!silent.log.contains("1204 rows"), "{}", silent.log);
    let shown = Step::running(&sandbox, id).variable("SHOW_OUTPUT", "yes").inside_with(&sandbox, 8).await;
    assert!(shown.log.contains("    | 1204 rows\n    | of orders\n"), "{}", shown.log);
    let long = format!("{}secret {} end", "x".repeat(9_985), sandbox.token());
    sandbox.script(Match::Job(id), Script::default().task("extract", TaskScript::ending(Ending::success_with(&long))));
    let cut = Step::running(&sandbox, id).variable("SHOW_OUTPUT", "yes").inside_with(&sandbox, 9).await;
    assert!(cut.log.contains("cut here"), "{}", cut.log);
    assert!(!cut.log.contains(&sandbox.token()[..12]), "no half of a secret is left");
}

#[tokio::test(start_paused = true)]
async fn six_hours_are_watched_with_a_line_a_minute_and_little_traffic() {
    let (sandbox, id) = workspace().await;
    let six_hours = Duration::from_secs(6 * 3600);
    sandbox.script(Match::Job(id), Script::default().task("extract", TaskScript::after(six_hours, Ending::success())));
    let began = Instant::now();
    let ended = Step::running(&sandbox, id).variable("TIMEOUT", "7h").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert!(began.elapsed() >= six_hours && began.elapsed() < six_hours + Duration::from_secs(60));
    let heartbeats = ended.log.lines().filter(|line| line.contains("still waiting")).count();
    assert!((300..=360).contains(&heartbeats), "{heartbeats} heartbeats in 360 minutes");
    let looks = sandbox.requests().iter().filter(|request| request.path.ends_with("/runs/get")).count();
    assert!(looks < 2_250, "{looks} looks");
}

#[tokio::test(start_paused = true)]
async fn the_watch_survives_what_passes() {
    let (sandbox, id) = workspace().await;
    sandbox.script(Match::Job(id), Script::playing(TaskScript::after(Duration::from_secs(900), Ending::success())));
    // Eleven minutes of nothing but 503, far longer than a single request is borne.
    let down =
        Trouble::Answer(Moment::Before, Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Please try again later."));
    sandbox.fault(Fault { skip: 3, ..Fault::times(On::get("/api/2.2/jobs/runs/get"), 100, down) });
    let ended = Step::running(&sandbox, id).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(ended.log.matches("the watch goes on").count(), 1, "{}", ended.log);
    assert_eq!(ended.log.matches("can be read again").count(), 1, "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_strange_answer_or_two_do_not_end_a_watch() {
    for strange in [
        Canned { status: 200, headers: Vec::new(), body: "[1, 2]".into() },
        Canned::error(400, "BAD_REQUEST", "A proxy's own idea."),
        Canned::html(200, "<html>Please log in</html>"),
    ] {
        let (sandbox, id) = workspace().await;
        sandbox.script(Match::Job(id), Script::playing(TaskScript::after(Duration::from_secs(60), Ending::success())));
        let trouble = Trouble::Answer(Moment::Before, strange);
        sandbox.fault(Fault { skip: 2, ..Fault::times(On::get("/api/2.2/jobs/runs/get"), 2, trouble.clone()) });
        let ended = Step::running(&sandbox, id).inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{trouble:?}: {}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn our_own_deadline_leaves_or_cancels_the_run() {
    for (policy, cancelled) in [(None, false), (Some("leave"), false), (Some("cancel"), true)] {
        let (sandbox, id) = workspace().await;
        let next = job(&sandbox, "next");
        sandbox.script(Match::Job(id), Script::forever());
        let mut step = Step::running(&sandbox, format!("{id}\n{next}")).variable("TIMEOUT", "15m");
        if let Some(policy) = policy {
            step = step.variable("ON_TIMEOUT", policy);
        }
        let began = Instant::now();
        let ended = step.inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
        assert!(began.elapsed() < Duration::from_secs(15 * 60 + 6), "{:?}", began.elapsed());
        let runs = sandbox.runs();
        assert_eq!((runs.len(), runs[0].cancel_requested), (1, cancelled), "{}", ended.log);
        assert!(ended.log.contains("Open the run: https://"), "{}", ended.log);
        assert!(ended.log.contains("Not started"), "{}", ended.log);
        assert_golden(
            &format!("runs/timeout_{}", if cancelled { "cancel" } else { "leave" }),
            &ended.log.replace(&next.to_string(), "<next>").replace(&id.to_string(), "<id>"),
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_trigger_never_starts_a_second_run() {
    for path in ["/api/2.2/jobs/run-now", "/api/2.2/jobs/runs/submit"] {
        for trouble in [
            Trouble::Drop(Moment::After),
            Trouble::Drop(Moment::Before),
            Trouble::Answer(Moment::After, Canned::error(504, "DEADLINE_EXCEEDED", "Too slow.")),
            Trouble::Answer(Moment::After, Canned::html(502, "<html>Bad gateway</html>")),
            Trouble::Truncate(3),
        ] {
            let (sandbox, id) = workspace().await;
            sandbox.fault(Fault::times(On::post(path), 2, trouble.clone()));
            let what = if path.ends_with("run-now") { id.to_string() } else { "./extract".to_owned() };
            let ended = Step::running(&sandbox, what).inside(&sandbox).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?}: {}", ended.log);
            assert_eq!(sandbox.runs().len(), 1, "{trouble:?}");
            assert_eq!(triggers(&sandbox), 3, "{trouble:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_cannot_know_whether_a_run_was_started_says_so() {
    let late = || Canned::error(504, "DEADLINE_EXCEEDED", "Too slow.");
    let limited = || Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.");
    for (trouble, known, runs) in [
        (Trouble::Answer(Moment::After, late()), false, 1),
        (Trouble::Answer(Moment::After, Canned::html(200, "<html>Sign in</html>")), false, 1),
        (Trouble::Drop(Moment::After), false, 1),
        (Trouble::Answer(Moment::Before, limited()), true, 0),
    ] {
        let (sandbox, id) = workspace().await;
        sandbox.fault(Fault::always(On::post("/api/2.2/jobs/run-now"), trouble.clone()));
        let ended = Step::running(&sandbox, id).inside(&sandbox).await;
        assert_eq!((ended.exit, sandbox.runs().len()), (Exit::RunCancelled, runs), "{trouble:?}: {}", ended.log);
        assert_eq!(ended.log.contains("the run could not be started: "), known, "{trouble:?}: {}", ended.log);
        assert_eq!(ended.log.contains("whether the run was started is not known: "), !known, "{}", ended.log);
        assert_eq!(ended.log.contains("or it may run twice"), !known, "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_does_not_answer_for_run_is_no_unfinished_deploy_where_nothing_is_deployed() {
    let down = || {
        let answer = Canned::error(500, "INTERNAL_ERROR", "The service is at fault.");
        Fault::always(On::get("/api/2.2/jobs/list"), Trouble::Answer(Moment::Before, answer))
    };
    let (sandbox, _) = workspace().await;
    sandbox.fault(down());
    let ended = Step::running(&sandbox, "nightly-etl").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::RunCancelled, "{}", ended.log);
    let deploying = Step::deploying(&sandbox).notebook("notebooks/a.py").variable("RUN", "nightly-etl");
    let ended = deploying.inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_effect_is_warned_of_once() {
    let (sandbox, id) = workspace().await;
    job(&sandbox, "/named/like/a/path");
    for entry in [id.to_string(), "/named/like/a/path".to_owned()] {
        let step = Step::running(&sandbox, entry).variable("RUN_CLUSTER_ID", "0123-456789-abcdefgh");
        let ended = step.inside_with(&sandbox, triggers(&sandbox) as u64).await;
        assert_eq!(ended.log.matches("RUN_CLUSTER_ID: has no effect").count(), 1, "{}", ended.log);
        assert!(ended.log.contains("[no-effect]"), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_named_nearly_like_a_notebook_does_not_hide_it() {
    let (sandbox, _) = workspace().await;
    job(&sandbox, "./EXTRACT");
    let ended = Step::running(&sandbox, "./extract").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn of_many_failed_tasks_the_first_are_explained_and_the_others_counted() {
    let (sandbox, _) = workspace().await;
    let tasks: Vec<_> = (0..13)
        .map(|index| {
            json!({"task_key": format!("t{index:02}"), "notebook_task": {"notebook_path": "/Workspace/Shared/etl/no"}})
        })
        .collect();
    let wide = sandbox.create_job(json!({"name": "wide", "tasks": tasks}));
    let ended = Step::running(&sandbox, wide).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::RunFailed, "{}", ended.log);
    assert_eq!(ended.log.matches("✖ Task t").count(), 10, "{}", ended.log);
    assert!(ended.log.contains("3 tasks more failed"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn two_calls_of_the_pipe_in_one_step_both_mean_their_run() {
    let (sandbox, id) = workspace().await;
    for nonce in [1, 2] {
        assert_eq!(Step::running(&sandbox, id).inside_with(&sandbox, nonce).await.exit, Exit::Done);
    }
    assert_eq!(sandbox.runs().len(), 2);
    for run in sandbox.runs() {
        assert_eq!(run.idempotency_token.map(|token| token.len()), Some(64));
    }
}

#[tokio::test(start_paused = true)]
async fn without_waiting_the_runs_are_started_and_left() {
    let (sandbox, id) = workspace().await;
    sandbox.script(Match::Any, Script::forever());
    let ended = Step::running(&sandbox, format!("{id}\n./extract")).variable("WAIT", "no").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(sandbox.runs().len(), 2);
    assert_golden("runs/no_wait", &ended.log.replace(&id.to_string(), "<id>"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_not_be_started_did_not_happen() {
    let (sandbox, id) = workspace().await;
    let mut viewer = Principal::user("viewer@example.com");
    viewer.jobs = BTreeMap::from([(id, JobRight::View)]);
    let token = sandbox.add_principal(viewer);
    let ended = Step::running(&sandbox, id).variable("DATABRICKS_TOKEN", token).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::RunCancelled, "{}", ended.log);
    assert_golden("runs/not_allowed", &ended.log.replace(&id.to_string(), "<id>"));
    assert!(sandbox.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_dies_during_the_watch_ends_the_wait_and_says_so() {
    let (sandbox, id) = workspace().await;
    sandbox.script(Match::Job(id), Script::playing(TaskScript::after(Duration::from_secs(600), Ending::success())));
    let killer = sandbox.clone();
    let kill = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(120)).await;
        killer.set_token_state("ci@example.com", TokenState::Revoked);
    });
    let ended = Step::running(&sandbox, id).inside(&sandbox).await;
    kill.await.unwrap();
    assert_eq!(ended.exit, Exit::WaitEnded, "{}", ended.log);
    assert_golden("runs/identity_lost", &ended.log.replace(&id.to_string(), "<id>"));
}

#[tokio::test(start_paused = true)]
async fn queueing_and_retries_are_told_as_they_come() {
    let (sandbox, id) = workspace().await;
    let slow = TaskScript {
        phases: vec![
            Phase::pending(Lasting::Polls(2)),
            Phase::running(Lasting::Polls(1)),
            Phase::waiting_for_retry(Lasting::Polls(1)),
            Phase::running(Lasting::Polls(1)),
        ],
        end: Ending::success(),
    };
    let script = Script { start: databricks_sandbox::Start::Queued(Lasting::Polls(2)), ..Script::default() };
    sandbox.script(Match::Job(id), script.task("extract", slow));
    let ended = Step::running(&sandbox, id).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_golden("runs/queued", &ended.log.replace(&id.to_string(), "<id>"));
}

#[test]
fn the_real_binary_runs_a_job_and_tells_its_failure() {
    let sandbox = Sandbox::new();
    let running = Running::start(sandbox.clone()).unwrap();
    let id = sandbox.create_job(json!({
        "name": "nightly-etl",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/main"}}],
    }));
    let deploy = Step::deploying(&sandbox).file("notebooks/main.py", NOTEBOOK).variable("RUN", "nightly-etl");
    let ended = deploy.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    sandbox.script(Match::Job(id), Script::ending(Ending::failed("NameError: name 'x' is not defined", "")));
    let ended = deploy.against(&running);
    assert_eq!(ended.code, 4, "{}", ended.log);
    assert!(ended.log.contains("NameError: name 'x' is not defined"), "{}", ended.log);
}
