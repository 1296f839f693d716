//! `doctor.json`.

use super::*;
use std::path::Path;

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
        assert_eq!(file["exit_code"], report.inside.exit.code());
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
