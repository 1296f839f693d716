//! `doctor.json`.

use super::*;
use crate::support::{InMemory, Log};
use databricks_deploy::http::{Wire, WireError};
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, run};
use databricks_sandbox::{Canned, Fault, Moment, On, Running, Trouble};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doctor.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Judges a value by the part of JSON Schema that the file uses; a word that is not known here fails.
#[track_caller]
fn assert_valid(value: &Value, schema: &Value) {
    for (word, rule) in schema.as_object().unwrap() {
        let fine = match word.as_str() {
            "$schema" | "title" | "description" | "if" | "then" | "else" => true,
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
            "type" => match rule {
                Value::Array(any) => any.iter().any(|rule| is(value, rule)),
                rule => is(value, rule),
            },
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                rule == false && value.as_object().unwrap().keys().all(|name| known.contains_key(name))
            }
            "properties" => {
                for (name, schema) in rule.as_object().unwrap() {
                    value.get(name).into_iter().for_each(|value| assert_valid(value, schema));
                }
                true
            }
            "items" => {
                value.as_array().unwrap().iter().for_each(|value| assert_valid(value, rule));
                true
            }
            "allOf" => {
                // The one rule that there is: what is bad or odd has a code, and nothing else has.
                let coded = matches!(value["verdict"].as_str(), Some("bad" | "odd"));
                coded == value["code"].is_string()
            }
            other => panic!("{other} is not known here"),
        };
        assert!(fine, "{word} {rule}: {value}");
    }
}

fn is(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        other => panic!("{other} is not known here"),
    }
}

#[tokio::test(start_paused = true)]
async fn it_has_every_finding_and_fits_its_schema() {
    let sandbox = workspace();
    for step in [by_token(&sandbox), keyless(&sandbox), step(&sandbox).variable("DATABRICKS_HOST", "nowhere")] {
        let report = examine(&sandbox, &step).await;
        let file = findings(&step);
        assert_valid(&file, &schema());
        let told = file["findings"].as_array().unwrap();
        assert_eq!(told.len(), report.all().len());
        for (told, finding) in told.iter().zip(report.all()) {
            assert_eq!(
                (&told["group"], &told["verdict"]),
                (&json!(finding.group.name()), &json!(finding.verdict.name()))
            );
        }
        assert_eq!((&file["complete"], &file["exit_code"]), (&json!(true), &json!(report.inside.exit.code())));
        // The outputs of the call name what is wrong, too.
        let outputs = std::fs::read_to_string(step.root().join("databricks-deploy/outputs.json")).unwrap();
        let outputs: Value = serde_json::from_str(&outputs).unwrap();
        assert_eq!(outputs["problems"].as_array().unwrap().len(), report.bad().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_call_keeps_the_first_ones() {
    let sandbox = workspace();
    let step = by_token(&sandbox);
    examine(&sandbox, &step).await;
    let first = findings(&step);
    let again = examine(&sandbox, &step).await;
    assert!(again.inside.log.contains("All findings are in databricks-deploy/doctor-2.json"), "{}", again.inside.log);
    assert_eq!(findings(&step), first);
}

#[tokio::test(start_paused = true)]
async fn where_it_cannot_be_written_the_log_says_so_and_nothing_else_changes() {
    let sandbox = workspace();
    let step = by_token(&sandbox).file("blocked", "").variable("OUTPUT_DIR", "blocked/out");
    let report = examine(&sandbox, &step).await;
    assert!(
        report.inside.log.contains("WARNING: blocked/out: the findings cannot be written"),
        "{}",
        report.inside.log
    );
    report.has("target", "good", "this identity may write");
    let outside = by_token(&sandbox).variable("OUTPUT_DIR", "../elsewhere");
    let report = examine(&sandbox, &outside).await;
    report.has("variables", "bad", "OUTPUT_DIR: `../elsewhere` is outside the clone");
    report.has("target", "good", "this identity may write");
    assert!(!report.inside.log.contains("All findings are in"), "{}", report.inside.log);
}

const ME: &str = "/api/2.0/preview/scim/v2/Me";

/// Who asks who is logged in gets no answer.
fn silent() -> Sandbox {
    let sandbox = workspace();
    sandbox.fault(Fault::always(On::get(ME), Trouble::Delay(Moment::Before, Duration::from_secs(3600))));
    sandbox
}

/// The file of an examination that was broken off during the log-in.
#[track_caller]
fn broken_off(step: &Step, exit_code: Value) -> Value {
    let file = findings(step);
    assert_valid(&file, &schema());
    assert_eq!((&file["complete"], &file["exit_code"]), (&json!(false), &exit_code));
    let groups: Vec<&str> =
        file["findings"].as_array().unwrap().iter().map(|one| one["group"].as_str().unwrap()).collect();
    assert!(["variables", "files", "step-token", "host"].iter().all(|group| groups.contains(group)), "{groups:?}");
    assert!(!groups.contains(&"identity"), "{groups:?}");
    file
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_stop_leaves_what_was_found_until_then() {
    let sandbox = silent();
    for (step, bad) in [(by_token(&sandbox), 0), (by_token(&sandbox).variable("WAIT", "perhaps"), 1)] {
        let ended = step.inside_until(&sandbox, 7, tokio::time::sleep(Duration::from_secs(5))).await;
        assert_harmless(&sandbox, &step, &ended.log);
        assert_eq!(ended.exit.code(), 8, "{}", ended.log);
        broken_off(&step, json!(8));
        assert!(ended.log.contains("The findings so far are in databricks-deploy/doctor.json"), "{}", ended.log);
        let words = format!("✖ Not all was examined: {bad} problem");
        assert!(ended.log.contains(&words) && ended.log.contains("[interrupted]"), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn time_that_is_up_is_nobodys_fault_and_what_was_found_is_kept() {
    let sandbox = silent();
    let step = by_token(&sandbox).variable("TIMEOUT", "15s");
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit.code(), 6, "{}", ended.log);
    let file = broken_off(&step, json!(6));
    let bad = file["findings"].as_array().unwrap().iter().any(|finding| finding["verdict"] == "bad");
    assert!(
        !bad && ended.log.contains("`TIMEOUT` passed before everything was examined [time-is-up]"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("✖ Not all was examined (exit code 6)"), "{}", ended.log);
    // What is wrong decides.
    let step = step.variable("WAIT", "perhaps");
    assert_eq!(step.inside(&sandbox).await.exit.code(), 2);
    let step = step.variable("OUTPUT_DIR", "again");
    assert_eq!(step.inside(&sandbox).await.exit.code(), 2);
}

/// It is no longer known what a host would have answered that asks for more time than there is.
#[tokio::test(start_paused = true)]
async fn trouble_that_there_is_no_time_to_sit_out_ends_the_examination_once() {
    let sandbox = workspace();
    let pause = Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Ordered by a test").retry_after(10);
    sandbox.fault(Fault::always(On::get("/api/2.0/workspace/get-status"), Trouble::Answer(Moment::Before, pause)));
    let step = by_token(&sandbox).variable("TIMEOUT", "8s").variable("RUN", "/Workspace/a\n/Workspace/b\nnightly-etl");
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit.code(), 6, "{}", ended.log);
    let file = findings(&step);
    assert_valid(&file, &schema());
    assert_eq!((&file["complete"], &file["exit_code"]), (&json!(false), &json!(6)));
    let told = file["findings"].as_array().unwrap();
    assert!(told.iter().all(|one| one["verdict"] != "bad" && one["group"] != "runs"), "{told:?}");
    assert_eq!(ended.log.matches("[time-is-up]").count(), 1, "{}", ended.log);
    assert!(ended.log.contains("and the time is up: status 429: REQUEST_LIMIT_EXCEEDED"), "{}", ended.log);
    assert!(ended.log.contains("✖ Not all was examined: 0 problems found so far"), "{}", ended.log);
}

/// Panics when it is asked who is logged in.
struct Cursed(InMemory);

impl Wire for Cursed {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        assert!(request.url().path() != ME, "a panic that a test asked for");
        self.0.carry(request)
    }
}

#[tokio::test(start_paused = true)]
async fn a_bug_of_ours_leaves_what_was_found_until_then() {
    let sandbox = workspace();
    let step = by_token(&sandbox).variable("DATABRICKS_HOST", "https://sandbox.cloud.databricks.com");
    let ports = Ports {
        output: Box::new(Log::default()),
        redactor: Redactor::new(),
        wire: Some(Arc::new(Cursed(InMemory::new(sandbox.clone())))),
        clock: sandbox.time(),
        nonce: 1,
    };
    let outcome = run(Environment::new(step.variables(), step.root()), ports, std::future::pending()).await;
    assert_eq!(outcome.exit.code(), 70);
    broken_off(&step, json!(70));
}

/// As Bitbucket's Stop button does it.
#[test]
fn whoever_is_killed_has_written_what_was_found_until_then() {
    let sandbox = silent();
    let running = Running::start(sandbox.clone()).unwrap();
    let step = by_token(&sandbox);
    let pipe = step.start(&running);
    while !sandbox.requests().iter().any(|request| request.path == ME) {
        std::thread::yield_now();
    }
    pipe.kill();
    broken_off(&step, Value::Null);
}
