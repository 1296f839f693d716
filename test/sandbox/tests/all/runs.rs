//! Runs: their states, their ends, and what steers them.

use crate::client::{Client, job};
use databricks_sandbox::{Block, Ending, Lasting, Match, Phase, RunEnd, Script, Start, TaskScript};
use serde_json::{Value, json};
use std::time::Duration;

/// A client whose workspace has the notebook of the jobs, and a job.
async fn with_job(tasks: &[(&str, &[&str])]) -> (Client, i64) {
    let client = Client::new();
    client.import("/Shared/nb", b"1", json!({ "language": "PYTHON" })).await;
    let job_id = client.sandbox.create_job(job("nightly", tasks));
    (client, job_id)
}

/// Life cycle, result, new state and code.
fn brief(run: &Value) -> [&str; 4] {
    let text = |value: &'static str| run.pointer(value).and_then(Value::as_str).unwrap_or("-");
    [
        text("/state/life_cycle_state"),
        text("/state/result_state"),
        text("/status/state"),
        text("/status/termination_details/code"),
    ]
}

#[tokio::test]
async fn by_default_a_run_is_pending_running_and_then_a_success() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let answer = client.post("/api/2.2/jobs/run-now", json!({ "job_id": job_id })).await;
    assert_eq!(answer.body["number_in_job"], 1);
    let run_id = answer.body["run_id"].as_i64().unwrap();
    assert_eq!(brief(&client.run(run_id).await), ["PENDING", "-", "PENDING", "-"]);
    assert_eq!(brief(&client.run(run_id).await), ["RUNNING", "-", "RUNNING", "-"]);
    let run = client.run(run_id).await;
    assert_eq!(brief(&run), ["TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS"]);
    assert_eq!(brief(&run["tasks"][0]), ["TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS"]);
    assert_eq!(run["status"]["termination_details"]["type"], "SUCCESS");

    let (workspace, task) = (client.sandbox.workspace_id(), run["tasks"][0]["run_id"].as_i64().unwrap());
    let url = |id: i64| format!("https://sandbox.test/?o={workspace}#job/{job_id}/run/{id}");
    assert_eq!(run["run_page_url"], url(run_id));
    assert_eq!(run["tasks"][0]["run_page_url"], url(task));
    assert_eq!((&run["run_name"], &run["run_type"]), (&json!("nightly"), &json!("JOB_RUN")));

    let seen = client.sandbox.runs();
    assert_eq!((seen.len(), seen[0].run_id, seen[0].job_id, seen[0].ended), (1, run_id, Some(job_id), true));
}

#[tokio::test]
async fn looking_at_a_run_in_other_ways_is_not_a_poll() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let run_id = client.run_now(job_id).await;
    for _ in 0..3 {
        client.get("/api/2.2/jobs/runs/list").await;
        assert_eq!(client.sandbox.runs().len(), 1);
    }
    assert_eq!(brief(&client.run(run_id).await)[0], "PENDING");
}

#[tokio::test]
async fn a_failed_task_makes_the_run_an_internal_error() {
    let (client, job_id) = with_job(&[("first", &[]), ("second", &["first"]), ("other", &[])]).await;
    let failing =
        TaskScript::ending(Ending::failed("ZeroDivisionError: division by zero", "Traceback …\nZeroDivisionError"));
    client.sandbox.script(Match::Job(job_id), Script::default().task("first", failing));
    let run = client.finished(client.run_now(job_id).await).await;
    assert_eq!(brief(&run), ["INTERNAL_ERROR", "FAILED", "TERMINATED", "RUN_EXECUTION_ERROR"]);
    let text = "Task first failed with message: Workload failed, see run output for details.";
    assert_eq!(run["state"]["state_message"], text);
    assert_eq!(brief(&run["tasks"][0]), ["TERMINATED", "FAILED", "TERMINATED", "RUN_EXECUTION_ERROR"]);
    assert_eq!(run["tasks"][0]["state"]["state_message"], "Workload failed, see run output for details");
    assert_eq!(brief(&run["tasks"][1])[1], "UPSTREAM_FAILED");
    assert_eq!(brief(&run["tasks"][2])[1], "SUCCESS");

    let task = run["tasks"][0]["run_id"].as_i64().unwrap();
    let output = client.get(&format!("/api/2.2/jobs/runs/get-output?run_id={task}")).await.body;
    assert_eq!(output["error"], "ZeroDivisionError: division by zero");
    assert_eq!(output["error_trace"], "Traceback …\nZeroDivisionError");
    assert_eq!(output["notebook_output"], json!({}));
    assert_eq!(output["metadata"]["run_id"], task);
}

#[tokio::test]
async fn a_failure_that_was_made_up_for_is_a_success_with_failures() {
    let client = Client::new();
    client.import("/Shared/nb", b"1", json!({ "language": "PYTHON" })).await;
    let mut settings = job("x", &[("a", &[]), ("always", &["a"]), ("rescue", &["a"])]);
    settings["tasks"][1]["run_if"] = json!("ALL_DONE");
    settings["tasks"][2]["run_if"] = json!("AT_LEAST_ONE_FAILED");
    let job_id = client.sandbox.create_job(settings);
    client
        .sandbox
        .script(Match::Any, Script::default().task("a", TaskScript::ending(Ending::failed("e", "t"))).times(1));
    let run = client.finished(client.run_now(job_id).await).await;
    assert_eq!(brief(&run), ["TERMINATED", "SUCCESS_WITH_FAILURES", "TERMINATED", "SUCCESS_WITH_FAILURES"]);
    // The script was for one run; now nothing needs a rescue.
    let run = client.finished(client.run_now(job_id).await).await;
    assert_eq!((brief(&run)[1], brief(&run["tasks"][2])[1]), ("SUCCESS", "EXCLUDED"));
}

#[tokio::test]
async fn the_notebook_must_be_there_when_the_run_starts() {
    let client = Client::new();
    let job_id = client.sandbox.create_job(job("x", &[("a", &[])]));
    let run = client.finished(client.run_now(job_id).await).await;
    assert_eq!(brief(&run["tasks"][0]), ["INTERNAL_ERROR", "FAILED", "TERMINATED", "RESOURCE_NOT_FOUND"]);
    assert_eq!(brief(&run), ["INTERNAL_ERROR", "FAILED", "TERMINATED", "RESOURCE_NOT_FOUND"]);
    assert!(run["state"]["state_message"].as_str().unwrap().contains("/Shared/nb"));

    // A file of that name is no notebook; one that comes while the run is pending is early enough.
    client.import("/Shared/nb", b"1", json!({ "format": "RAW" })).await;
    assert_eq!(brief(&client.finished(client.run_now(job_id).await).await)[1], "FAILED");
    client.post("/api/2.0/workspace/delete", json!({ "path": "/Shared/nb" })).await;
    let run_id = client.run_now(job_id).await;
    assert_eq!(brief(&client.sandbox.runs().pop().unwrap().seen)[0], "PENDING");
    client.import("/Shared/nb", b"1", json!({ "language": "SQL" })).await;
    assert_eq!(brief(&client.finished(run_id).await)[1], "SUCCESS");
}

#[tokio::test]
async fn output_belongs_to_tasks() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let long = "é".repeat(3 * 1024 * 1024);
    client.sandbox.script(Match::Any, Script::ending(Ending::success_with(&long)));
    client.sandbox.script(Match::Any, Script::ending(Ending::success_with("42 rows")).times(1));
    let run = client.finished(client.run_now(job_id).await).await;
    let outer = run["run_id"].as_i64().unwrap();
    let answer = client.get(&format!("/api/2.2/jobs/runs/get-output?run_id={outer}")).await;
    let text = "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each \
                individual task run instead.";
    assert_eq!(answer.error(), (400, "INVALID_PARAMETER_VALUE", text));

    let output = async |run: &Value| {
        let task = run["tasks"][0]["run_id"].as_i64().unwrap();
        client.get(&format!("/api/2.2/jobs/runs/get-output?run_id={task}")).await.body
    };
    assert_eq!(output(&run).await["notebook_output"], json!({ "result": "42 rows", "truncated": false }));
    let run = client.finished(client.run_now(job_id).await).await;
    let cut = output(&run).await;
    assert_eq!(cut["notebook_output"]["truncated"], true);
    assert_eq!(cut["notebook_output"]["result"].as_str().unwrap().len(), 5 * 1024 * 1024);

    for target in ["runs/get", "runs/get-output"] {
        let answer = client.get(&format!("/api/2.2/jobs/{target}?run_id=5")).await;
        assert_eq!(answer.error(), (400, "INVALID_PARAMETER_VALUE", "Run 5 does not exist."));
    }
}

#[tokio::test(start_paused = true)]
async fn states_can_last_for_a_time() {
    let (client, job_id) = with_job(&[("a", &[]), ("b", &["a"])]).await;
    let phases = vec![
        Phase::pending(Lasting::Time(Duration::from_secs(60))),
        Phase::running(Lasting::Time(Duration::from_secs(3600))),
    ];
    let slow = TaskScript { phases, end: Ending::success() };
    client.sandbox.script(Match::Name("nightly".to_owned()), Script::playing(slow));
    let run_id = client.run_now(job_id).await;
    let mut seen = Vec::new();
    for minutes in [0, 1, 60, 1, 59, 1] {
        tokio::time::advance(Duration::from_secs(minutes * 60)).await;
        let run = client.run(run_id).await;
        let states = [&run, &run["tasks"][0], &run["tasks"][1]].map(|block| brief(block)[0].to_owned());
        seen.push(states.join(" "));
    }
    assert_eq!(
        seen,
        [
            "PENDING PENDING BLOCKED",
            "RUNNING RUNNING BLOCKED",
            "RUNNING TERMINATED PENDING",
            "RUNNING TERMINATED RUNNING",
            "RUNNING TERMINATED RUNNING",
            "TERMINATED TERMINATED TERMINATED",
        ]
    );
    let run = client.run(run_id).await;
    assert_eq!(run["end_time"].as_i64().unwrap() - run["start_time"].as_i64().unwrap(), 2 * 3_660_000);
    assert_eq!(run["tasks"][1]["start_time"], run["tasks"][0]["end_time"]);
}

#[tokio::test(start_paused = true)]
async fn time_limits_end_runs_and_tasks() {
    let client = Client::new();
    client.import("/Shared/nb", b"1", json!({ "language": "PYTHON" })).await;
    let mut whole = job("whole", &[("a", &[])]);
    whole["timeout_seconds"] = json!(120);
    let mut part = job("part", &[("a", &[])]);
    part["tasks"][0]["timeout_seconds"] = json!(120);
    client.sandbox.script(Match::Any, Script::forever());
    for (settings, life) in [(whole, "TERMINATED"), (part, "INTERNAL_ERROR")] {
        let run_id = client.run_now(client.sandbox.create_job(settings)).await;
        tokio::time::advance(Duration::from_secs(119)).await;
        assert_eq!(brief(&client.run(run_id).await)[0], "RUNNING");
        tokio::time::advance(Duration::from_secs(1)).await;
        let run = client.run(run_id).await;
        assert_eq!(brief(&run), [life, "TIMEDOUT", "TERMINATED", "CANCELED"]);
        assert_eq!(run["state"]["user_cancelled_or_timedout"], true);
    }
    let job_id = client.sandbox.create_job(job("cancelled", &[("a", &[])]));
    let script = Script::forever().run_end(RunEnd::After(Duration::from_secs(10), Ending::cancelled()));
    client.sandbox.script(Match::Job(job_id), script);
    let run_id = client.run_now(job_id).await;
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(brief(&client.run(run_id).await), ["TERMINATED", "CANCELED", "TERMINATED", "USER_CANCELED"]);
}

#[tokio::test]
async fn scripts_can_disagree_with_themselves() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let odd = Ending::success()
        .with_state(Block::Json(json!({ "life_cycle_state": "TERMINATED", "result_state": "FAILED" })));
    let bare = Ending::success().with_status(Block::Absent);
    let unknown = Ending::new("TERMINATED", Some("PERPLEXED"), "BEWILDERED", "CLIENT_ERROR", "?");
    for (end, expected) in [
        (odd, ["TERMINATED", "FAILED", "TERMINATED", "SUCCESS"]),
        (bare, ["TERMINATED", "SUCCESS", "-", "-"]),
        (unknown, ["TERMINATED", "PERPLEXED", "TERMINATED", "BEWILDERED"]),
    ] {
        client.sandbox.script(Match::Any, Script::ending(end.clone()).run_end(RunEnd::As(end)));
        let run = client.finished(client.run_now(job_id).await).await;
        assert_eq!(brief(&run), expected);
        assert_eq!(brief(&run["tasks"][0]), expected);
    }
    let phases = vec![Phase::new("DREAMING", "ASLEEP", Lasting::Polls(1))];
    client.sandbox.script(Match::Any, Script::playing(TaskScript { phases, end: Ending::success() }));
    let run_id = client.run_now(job_id).await;
    assert_eq!(brief(&client.run(run_id).await), ["DREAMING", "-", "ASLEEP", "-"]);
}

#[tokio::test]
async fn cancelling_takes_a_poll() {
    let (client, job_id) = with_job(&[("a", &[]), ("b", &["a"])]).await;
    client.sandbox.script(Match::Any, Script::forever());
    let run_id = client.run_now(job_id).await;
    assert_eq!(brief(&client.run(run_id).await)[0], "RUNNING");
    for _ in 0..2 {
        let answer = client.post("/api/2.2/jobs/runs/cancel", json!({ "run_id": run_id })).await;
        assert_eq!((answer.status, answer.body), (200, json!({})));
    }
    assert_eq!(brief(&client.run(run_id).await), ["TERMINATING", "-", "TERMINATING", "-"]);
    let run = client.run(run_id).await;
    assert_eq!(brief(&run), ["TERMINATED", "CANCELED", "TERMINATED", "USER_CANCELED"]);
    assert!(client.sandbox.runs()[0].cancel_requested);
    assert_eq!(client.post("/api/2.2/jobs/runs/cancel", json!({ "run_id": 5 })).await.status, 400);

    let run_id = client.run_now(job_id).await;
    client.sandbox.cancel_run(run_id);
    assert_eq!(brief(&client.finished(run_id).await)[1], "CANCELED");
}

#[tokio::test]
async fn a_token_triggers_once() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let other = client.sandbox.create_job(job("other", &[("a", &[])]));
    let trigger = async |job_id: i64, token: &str| {
        client.post("/api/2.2/jobs/run-now", json!({ "job_id": job_id, "idempotency_token": token })).await
    };
    let first = trigger(job_id, "t1").await.body;
    assert_eq!(trigger(job_id, "t1").await.body, first);
    assert_eq!(trigger(other, "t1").await.body["run_id"], first["run_id"]);
    assert_ne!(trigger(job_id, "t2").await.body["run_id"], first["run_id"]);
    assert_eq!(client.sandbox.runs().len(), 2);
    assert_eq!(client.sandbox.runs()[0].idempotency_token.as_deref(), Some("t1"));
    assert_eq!(trigger(job_id, &"x".repeat(65)).await.error().1, "INVALID_PARAMETER_VALUE");

    client.finished(first["run_id"].as_i64().unwrap()).await;
    client.post("/api/2.2/jobs/runs/delete", json!({ "run_id": first["run_id"] })).await;
    assert_eq!(trigger(job_id, "t1").await.status, 400);
}

#[tokio::test]
async fn a_full_job_queues_or_skips() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    client.sandbox.script(Match::Any, Script::forever().times(1));
    let first = client.run_now(job_id).await;
    let second = client.run_now(job_id).await;
    let queued = client.run(second).await;
    assert_eq!(brief(&queued), ["QUEUED", "-", "QUEUED", "-"]);
    assert_eq!(queued["status"]["queue_details"]["code"], "MAX_CONCURRENT_RUNS_REACHED");

    let answer = client.post("/api/2.2/jobs/run-now", json!({ "job_id": job_id, "queue": { "enabled": false } })).await;
    assert_eq!(answer.status, 200);
    let skipped = client.run(answer.body["run_id"].as_i64().unwrap()).await;
    let expected = ["SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED", "TERMINATED", "MAX_CONCURRENT_RUNS_EXCEEDED"];
    assert_eq!(brief(&skipped), expected);

    client.post("/api/2.2/jobs/runs/cancel", json!({ "run_id": first })).await;
    client.finished(first).await;
    assert_eq!(brief(&client.run(second).await)[0], "PENDING");
    assert_eq!(brief(&client.finished(second).await)[1], "SUCCESS");
}

#[tokio::test]
async fn scripts_for_the_start() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    client.sandbox.script(Match::Any, Script { start: Start::Queued(Lasting::Polls(2)), ..Script::default() });
    let run_id = client.run_now(job_id).await;
    let mut states = Vec::new();
    for _ in 0..5 {
        states.push(brief(&client.run(run_id).await)[0].to_owned());
    }
    assert_eq!(states, ["QUEUED", "QUEUED", "PENDING", "RUNNING", "TERMINATED"]);

    client
        .sandbox
        .script(Match::Notebook("/Workspace/Shared/nb".to_owned()), Script::never(Ending::skipped("Not today.")));
    let run = client.run(client.run_now(job_id).await).await;
    assert_eq!(brief(&run), ["SKIPPED", "-", "TERMINATED", "SKIPPED"]);
    assert_eq!(run["state"]["state_message"], "Not today.");
}

#[tokio::test]
async fn parameters_are_checked_and_shown() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let mut settings = job("with parameters", &[("a", &[])]);
    settings["parameters"] = json!([{ "name": "env", "default": "dev" }, { "name": "n", "default": "1" }]);
    let with_parameters = client.sandbox.create_job(settings);
    let trigger = async |job_id: i64, fields: Value| {
        let mut body = json!({ "job_id": job_id });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        client.post("/api/2.2/jobs/run-now", body).await
    };
    for (job_id, fields) in [
        (with_parameters, json!({ "notebook_params": { "env": "x" } })),
        (job_id, json!({ "notebook_params": { "a": "x" }, "jar_params": ["x"] })),
        (job_id, json!({ "notebook_params": { "a": "x".repeat(10_000) } })),
        (job_id, json!({ "job_parameters": { "a": 1 } })),
    ] {
        assert_eq!(trigger(job_id, fields.clone()).await.error().1, "INVALID_PARAMETER_VALUE", "{fields}");
    }
    assert!(client.sandbox.runs().is_empty());
    let run =
        trigger(with_parameters, json!({ "job_parameters": { "env": "prod" } })).await.body["run_id"].as_i64().unwrap();
    let expected = json!([{ "name": "env", "default": "dev", "value": "prod" }, { "name": "n", "default": "1" }]);
    assert_eq!(client.run(run).await["job_parameters"], expected);
    let run = trigger(job_id, json!({ "notebook_params": { "a": "x" } })).await.body["run_id"].as_i64().unwrap();
    assert_eq!(client.run(run).await["overriding_parameters"], json!({ "notebook_params": { "a": "x" } }));
    assert_eq!(client.sandbox.runs()[1].request["notebook_params"], json!({ "a": "x" }));
}

#[tokio::test]
async fn a_one_time_run_is_no_job() {
    let (client, _) = with_job(&[]).await;
    let tasks = json!([{ "task_key": "main", "notebook_task": { "notebook_path": "/Shared/nb" } }]);
    let body = json!({ "run_name": "once", "tasks": tasks, "idempotency_token": "t" });
    let first = client.post("/api/2.2/jobs/runs/submit", body.clone()).await;
    assert_eq!(client.post("/api/2.2/jobs/runs/submit", body).await.body, first.body);
    let run = client.finished(first.body["run_id"].as_i64().unwrap()).await;
    assert_eq!((brief(&run)[1], &run["run_name"], &run["run_type"]), ("SUCCESS", &json!("once"), &json!("SUBMIT_RUN")));
    let named: Vec<_> = client.sandbox.runs().into_iter().map(|run| (run.job_id, run.name)).collect();
    assert_eq!(named, [(None, "once".to_owned())]);
    assert_eq!(client.get("/api/2.2/jobs/list?name=once").await.body, json!({ "has_more": false }));
    let answer = client.post("/api/2.2/jobs/runs/submit", json!({ "run_name": "empty" })).await;
    assert_eq!(answer.error(), (400, "INVALID_PARAMETER_VALUE", "Missing required field: tasks"));
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let (client, job_id) = with_job(&[("a", &[])]).await;
    let other = client.sandbox.create_job(job("other", &[("a", &[])]));
    let ids: Vec<i64> = {
        let mut ids = Vec::new();
        for _ in 0..30 {
            let run_id = client.run_now(job_id).await;
            client.finished(run_id).await;
            ids.push(run_id);
        }
        ids
    };
    let active = client.run_now(other).await;
    let list = async |query: &str| {
        let answer = client.get(&format!("/api/2.2/jobs/runs/list?{query}")).await;
        let runs = answer.body["runs"].as_array().cloned().unwrap_or_default();
        let ids: Vec<i64> = runs.iter().map(|run| run["run_id"].as_i64().unwrap()).collect();
        (ids, answer)
    };
    assert_eq!(list("active_only=true").await.0, [active]);
    let (page, answer) = list(&format!("job_id={job_id}&limit=24")).await;
    assert!(page.iter().eq(ids.iter().rev().take(24)));
    let next = answer.body["next_page_token"].as_str().unwrap();
    let (page, answer) = list(&format!("job_id={job_id}&limit=24&page_token={next}")).await;
    assert!(page.iter().eq(ids.iter().rev().skip(24)) && answer.body["has_more"] == false);
    assert_eq!(list("limit=25").await.1.status, 400);
    assert_eq!(list("run_type=PARTY").await.1.status, 400);
    assert_eq!(list("run_type=SUBMIT_RUN").await.1.body, json!({ "has_more": false }));
}

#[tokio::test]
async fn a_repair_runs_what_failed_again() {
    let (client, job_id) = with_job(&[("a", &[]), ("b", &["a"]), ("c", &[])]).await;
    let failing = Script::default().task("a", TaskScript::ending(Ending::failed("E", "T"))).times(1);
    client.sandbox.script(Match::Any, failing);
    let run_id = client.run_now(job_id).await;
    let repair = async |fields: Value| {
        let mut body = json!({ "run_id": run_id });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        client.post("/api/2.2/jobs/runs/repair", body).await
    };
    assert_eq!(repair(json!({ "rerun_all_failed_tasks": true })).await.error().1, "INVALID_STATE");
    let before = client.finished(run_id).await;
    assert_eq!(repair(json!({})).await.error().1, "INVALID_PARAMETER_VALUE");

    let answer = repair(json!({ "rerun_all_failed_tasks": true })).await;
    let repair_id = answer.body["repair_id"].as_i64().unwrap();
    let after = client.finished(run_id).await;
    assert_eq!(brief(&after), ["TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS"]);
    let changed: Vec<bool> = (0..3).map(|n| before["tasks"][n]["run_id"] != after["tasks"][n]["run_id"]).collect();
    assert_eq!(changed, [true, true, false]);
    assert_eq!(after["tasks"][0]["attempt_number"], 1);
    let old = before["tasks"][0]["run_id"].as_i64().unwrap();
    assert_eq!(client.get(&format!("/api/2.2/jobs/runs/get-output?run_id={old}")).await.body["error"], "E");

    assert_eq!(repair(json!({ "rerun_tasks": ["c"] })).await.error().1, "INVALID_PARAMETER_VALUE");
    let fields = json!({ "rerun_tasks": ["a"], "rerun_dependent_tasks": true, "latest_repair_id": repair_id });
    assert_eq!(repair(fields).await.status, 200);
    assert_eq!(client.sandbox.runs().len(), 1);
}
