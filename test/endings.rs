//! Endings that nobody planned: signals and panics. The report comes all the same.

use crate::support::{BEFORE, Log, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_deploy::http::{Wire, WireError};
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, run};
use databricks_sandbox::{Fault, Language, Match, Moment, On, Running, Sandbox, Script, Trouble};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A workspace whose job never ends by itself.
fn endless() -> (Running, i64) {
    let sandbox = Sandbox::new();
    sandbox.put_notebook("/Shared/etl/main", Language::Python, "# Databricks notebook source\n");
    let id = sandbox.create_job(json!({
        "name": "endless",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/main"}}],
    }));
    sandbox.script(Match::Any, Script::forever());
    (Running::start(sandbox).unwrap(), id)
}

fn outputs(step: &Step) -> Value {
    let text = std::fs::read_to_string(step.root().join("databricks-deploy/outputs.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_signal_cancels_the_run_and_sees_it_end() {
    for signal in ["TERM", "INT"] {
        let (running, id) = endless();
        let step = Step::running(running.sandbox(), id);
        let mut pipe = step.start(&running);
        pipe.wait_for("main: running");
        pipe.signal(signal);
        let ended = pipe.end();
        assert_eq!(ended.code, 8, "{}", ended.log);
        let runs = running.sandbox().runs();
        assert!(runs[0].cancel_requested && runs[0].ended, "{}", ended.log);
        assert_golden("endings/signal", &ended.log.replace(&id.to_string(), "<id>"));
        let outputs = outputs(&step);
        assert_eq!((&outputs["exit_code"], &outputs["runs"][0]["state"]), (&json!(8), &json!("cancelled")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_is_done_with_before_docker_kills() {
    // Whatever is asked for then has no answer for a minute.
    for path in ["/api/2.2/jobs/run-now", "/api/2.2/jobs/runs/cancel", "/api/2.2/jobs/runs/get"] {
        let (running, id) = endless();
        let sandbox = running.sandbox().clone();
        sandbox.fault(Fault::always(On::path(path), Trouble::Delay(Moment::Before, Duration::from_secs(60))));
        let step = Step::running(&sandbox, id).notebook("notebooks/a.py");
        let began = Instant::now();
        let told = Duration::from_secs(3);
        let ended = step.inside_until(&sandbox, 1, tokio::time::sleep(told)).await;
        assert_eq!(ended.exit, Exit::Interrupted, "{path}: {}", ended.log);
        assert!(began.elapsed() >= told, "{path}: {}", ended.log);
        let took = began.elapsed() - told;
        assert!(took < Duration::from_secs(9), "docker waits 10 s, and we took {took:?}: {}", ended.log);
    }
}

#[test]
fn a_signal_does_not_lose_the_run_that_is_just_being_started() {
    let (running, id) = endless();
    let slow = Trouble::Delay(Moment::After, Duration::from_millis(1_500));
    running.sandbox().fault(Fault::once(On::post("/api/2.2/jobs/run-now"), slow));
    let step = Step::running(running.sandbox(), id);
    let mut pipe = step.start(&running);
    while running.sandbox().runs().is_empty() {
        assert!(!pipe.has_ended(), "the run is never started");
        std::thread::yield_now();
    }
    pipe.signal("TERM");
    let ended = pipe.end();
    assert_eq!(ended.code, 8, "{}", ended.log);
    let runs = running.sandbox().runs();
    assert_eq!(runs.len(), 1);
    assert!(runs[0].cancel_requested, "{}", ended.log);
    assert_eq!(outputs(&step)["runs"][0]["id"], json!(runs[0].run_id), "{}", ended.log);
}

#[test]
fn a_signal_ends_a_deploy_at_once() {
    let running = Running::start(Sandbox::new()).unwrap();
    let slow = Trouble::Delay(Moment::Before, Duration::from_secs(60));
    let on = On::post("/api/2.0/workspace/import");
    running.sandbox().fault(Fault { on, skip: BEFORE, times: None, trouble: slow });
    let step = Step::deploying(running.sandbox()).notebook("notebooks/a.py");
    let mut pipe = step.start(&running);
    pipe.wait_for("Deploying from notebooks");
    pipe.signal("TERM");
    let ended = pipe.end();
    assert_eq!(ended.code, 8, "{}", ended.log);
    assert!(ended.log.contains("[interrupted]"), "{}", ended.log);
    assert_eq!(outputs(&step)["exit_code"], 8);
}

#[test]
fn a_second_signal_leaves_at_once() {
    let (running, id) = endless();
    running.sandbox().fault(Fault::always(
        On::post("/api/2.2/jobs/runs/cancel"),
        Trouble::Delay(Moment::Before, Duration::from_secs(60)),
    ));
    let mut pipe = Step::running(running.sandbox(), id).start(&running);
    pipe.wait_for("main: running");
    pipe.signal("TERM");
    let cancelling = || running.sandbox().requests().iter().any(|request| request.path.ends_with("/runs/cancel"));
    while !cancelling() {
        assert!(!pipe.has_ended(), "the run is never cancelled");
        std::thread::yield_now();
    }
    pipe.signal("TERM");
    let ended = pipe.end();
    assert_eq!(ended.code, 8, "{}", ended.log);
    assert!(!ended.log.contains("Told to stop"), "it has waited, and reported: {}", ended.log);
}

#[test]
fn runs_that_nobody_waits_for_are_left_alone_by_a_signal() {
    let (running, id) = endless();
    let second = running.sandbox().create_job(json!({
        "name": "second",
        "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/main"}}],
    }));
    let slow = Trouble::Delay(Moment::Before, Duration::from_secs(60));
    running.sandbox().fault(Fault::nth(On::post("/api/2.2/jobs/run-now"), 2, slow));
    let step = Step::running(running.sandbox(), format!("{id}\n{second}")).variable("WAIT", "false");
    let mut pipe = step.start(&running);
    pipe.wait_for("was triggered");
    pipe.signal("TERM");
    let ended = pipe.end();
    assert_eq!(ended.code, 8, "{}", ended.log);
    assert!(!running.sandbox().runs()[0].cancel_requested, "{}", ended.log);
    assert!(ended.log.contains("whether it was is not known"), "{}", ended.log);
}

/// Panics when it is asked for the state of a run.
struct Cursed(crate::support::InMemory);

impl Wire for Cursed {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        assert!(!request.url().path().ends_with("/runs/get"), "a cursed path");
        self.0.carry(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_in_the_same_report() {
    let (running, id) = endless();
    let sandbox = running.sandbox().clone();
    let step = Step::running(&sandbox, id).variable("DATABRICKS_HOST", "https://sandbox.cloud.databricks.com");
    let log = Log::default();
    let ports = Ports {
        output: Box::new(log.clone()),
        redactor: Redactor::new(),
        clock: sandbox.time(),
        wire: Some(Arc::new(Cursed(crate::support::InMemory::new(sandbox)))),
        nonce: 1,
    };
    let environment = Environment::new(step.variables(), step.root());
    let outcome = run(environment, ports, std::future::pending()).await;
    assert_eq!(outcome.exit, Exit::Bug);
    assert_golden("endings/panic", &log.text().replace(&id.to_string(), "<id>"));
    let outputs = outputs(&step);
    assert_eq!((&outputs["exit_code"], &outputs["runs"][0]["state"]), (&json!(70), &json!("running")));
}
