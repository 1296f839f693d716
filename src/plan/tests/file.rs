//! `plan.json` there and back.

use super::examples::{BACKUP, NOTEBOOK, Target, tree};
use crate::exit::Exit;
use crate::plan::*;
use crate::problem::Code;
use crate::source::Kind;
use crate::state::Owner;
use serde_json::Value;

fn owner() -> Owner {
    Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
}

/// A plan that does something of everything.
fn rich() -> (Target, Plan) {
    let mut target = Target::with(&[
        ("a/old", NOTEBOOK, 1),
        ("b", NOTEBOOK, 1),
        ("c/x", Kind::File, 1),
        ("d", Kind::File, 1),
        ("e", NOTEBOOK, 1),
    ]);
    target.edit("b", 7);
    target.edit("e", 7);
    target.world.put(&super::model::path("same"), super::model::what_of(NOTEBOOK), (1, 0));
    let local = tree(&[
        ("b", NOTEBOOK, 2),
        ("c", Kind::Dashboard, 1),
        ("d", NOTEBOOK, 1),
        ("e", NOTEBOOK, 1),
        ("f/new", Kind::JupyterNotebook(crate::source::Language::Scala), 1),
        ("same", NOTEBOOK, 1),
    ]);
    let plan = target.plan(Intent::Deploy, BACKUP, &local);
    plan.may_run().unwrap();
    (target, plan)
}

fn text() -> String {
    PlanFile::of(&rich().1, &owner(), "0.1.0").to_json()
}

/// What a JSON schema says, as far as `plan.schema.json` uses it; an unknown keyword is an error.
fn fits(schema: &Value, value: &Value, root: &Value, at: &str) {
    for (keyword, says) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => {}
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                fits(&root["$defs"][name], value, root, at);
            }
            "type" => {
                let right = match says.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    other => panic!("{other}"),
                };
                assert!(right, "{at} is {value} and not {says}");
            }
            "const" => assert_eq!(value, says, "{at}"),
            "enum" => assert!(says.as_array().unwrap().contains(value), "{at} is {value}"),
            "minimum" => assert!(value.as_i64().unwrap() >= says.as_i64().unwrap(), "{at}"),
            "pattern" => {
                assert!(regex::Regex::new(says.as_str().unwrap()).unwrap().is_match(value.as_str().unwrap()), "{at}");
            }
            "required" => {
                for name in says.as_array().unwrap() {
                    assert!(value.get(name.as_str().unwrap()).is_some(), "{at} lacks {name}");
                }
            }
            "additionalProperties" => {
                assert_eq!(says, &Value::Bool(false));
                for name in value.as_object().unwrap().keys() {
                    assert!(schema["properties"].get(name).is_some(), "{at} has {name}");
                }
            }
            "properties" => {
                for (name, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        fits(schema, value, root, &format!("{at}.{name}"));
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().unwrap().iter().enumerate() {
                    fits(says, value, root, &format!("{at}[{index}]"));
                }
            }
            other => panic!("the schema uses {other}"),
        }
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../plan.schema.json")).unwrap()
}

#[test]
fn the_file_is_what_its_schema_says() {
    let schema = schema();
    let (mut target, plan) = rich();
    fits(&schema, &serde_json::from_str(&text()).unwrap(), &schema, "plan");
    let actions: std::collections::BTreeSet<String> = PlanFile::of(&plan, &owner(), "0.1.0")
        .to_json()
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("\"action\": \"")?.trim_end_matches("\",").to_owned()))
        .collect();
    let expected = ["adopt", "backup", "delete", "delete-folder", "deploy", "make-folder", "upload"];
    assert_eq!(actions.iter().map(String::as_str).collect::<Vec<_>>(), expected);

    // One that stops, and a destroy.
    target.ours.known = true;
    for (intent, policy, local) in [
        (Intent::Deploy, Policy { on_drift: OnDrift::Fail, ..BACKUP }, tree(&[("same", NOTEBOOK, 2)])),
        (Intent::Destroy, Policy { on_drift: OnDrift::Overwrite, prune: Prune::None }, tree(&[])),
    ] {
        let file = PlanFile::of(&target.plan(intent, policy, &local), &owner(), "0.1.0");
        fits(&schema, &serde_json::from_str(&file.to_json()).unwrap(), &schema, "plan");
    }
}

#[test]
#[should_panic(expected = "plan has extra")]
fn the_schema_is_really_held_against_the_file() {
    let mut value: Value = serde_json::from_str(&text()).unwrap();
    value["extra"] = Value::Null;
    fits(&schema(), &value, &schema(), "plan");
}

#[test]
fn a_file_that_is_no_plan_says_why() {
    let text = text();
    let read = |text: &str| PlanFile::read(text.as_bytes()).unwrap_err();
    assert_eq!(read(""), FileError::NotJson);
    assert_eq!(read(&text[..text.len() / 2]), FileError::NotJson);
    assert!(matches!(read("{}"), FileError::NotAPlan(_)));
    assert!(matches!(read(r#"{"schema": 0}"#), FileError::NotAPlan(_)));
    assert!(matches!(read(r#"{"schema": 1, "runs": []}"#), FileError::NotAPlan(_)));
    assert!(matches!(read(&text.replacen("\"action\"", "\"x\": 1, \"action\"", 1)), FileError::NotAPlan(_)));
    assert!(matches!(read(&text.replacen("\"root\"", "\"root\": \"/x\", \"root\"", 1)), FileError::NotAPlan(_)));
    assert_eq!(
        read(&text.replacen("\"schema\": 1", "\"schema\": 2", 1)),
        FileError::Newer { schema: 2, by: Some("0.1.0".into()) }
    );
    let told: Vec<String> = [
        FileError::NotJson,
        FileError::NotAPlan("missing field `root`".into()),
        FileError::Newer { schema: 2, by: Some("3.0.0".into()) },
        FileError::Edited,
    ]
    .iter()
    .map(|error| error.problem("out/plan.json").to_string())
    .collect();
    assert_eq!(
        told,
        [
            "PLAN: `out/plan.json` is not JSON, or ends in the middle [invalid-plan]",
            "PLAN: `out/plan.json` is not a plan: missing field `root` [invalid-plan]",
            "PLAN: `out/plan.json` was written by version 3.0.0 with schema 2, and this version knows 1 [invalid-plan]",
            "PLAN: `out/plan.json` was changed after it had been written: its digest does not fit it [invalid-plan]"
        ]
    );
}

#[test]
fn a_change_by_hand_to_what_was_approved_is_found() {
    let text = text();
    for (from, to) in [
        ("\"action\": \"deploy\"", "\"action\": \"destroy\""),
        ("/Workspace/Shared/etl", "/Workspace/Shared/other"),
        ("\"target\": \"production\"", "\"target\": \"test\""),
        ("\"prune\": \"files\"", "\"prune\": \"force\""),
        ("\"on_drift\": \"backup\"", "\"on_drift\": \"overwrite\""),
        ("\"path\": \"a/old\"", "\"path\": \"a/older\""),
        ("\"action\": \"adopt\"", "\"action\": \"delete\""),
        ("\"kind\": \"jupyter\"", "\"kind\": \"notebook\""),
        ("\"object_id\": ", "\"object_id\": 1"),
        ("\"digest\": \"0", "\"digest\": \"1"),
        ("\"digest\": \"b", "\"digest\": \"c"),
    ] {
        let edited = text.replacen(from, to, 1);
        if edited != text {
            assert_eq!(PlanFile::read(edited.as_bytes()), Err(FileError::Edited), "{from}");
        } else {
            assert!(from.starts_with("\"digest\""), "{from} is not in the file");
        }
    }
}

#[test]
fn a_plan_holds_while_what_it_rests_on_does() {
    let local = tree(&[("a", NOTEBOOK, 2), ("b", NOTEBOOK, 2)]);
    let mut target = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), ("c", NOTEBOOK, 1)]);
    let now = |target: &Target, policy| PlanFile::of(&target.plan(Intent::Deploy, policy, &local), &owner(), "0.1.0");
    let seen = PlanFile::read(now(&target, BACKUP).to_json().as_bytes()).unwrap();
    assert_eq!(seen.still_holds(&now(&target, BACKUP)), Ok(()));
    // Opened and saved: the content is what was seen.
    target.edit("a", 1);
    assert_eq!(seen.still_holds(&now(&target, BACKUP)), Ok(()));
    assert_eq!(seen.digest(), now(&target, BACKUP).digest());

    target.edit("b", 7);
    let problem = seen.still_holds(&now(&target, BACKUP)).unwrap_err();
    assert_eq!(problem.code, Code::PlanChanged);
    assert_eq!(
        problem.message,
        "the plan is no longer the one that was seen: `b` has changed since, here or in the workspace"
    );
    let problem = seen.still_holds(&now(&target, Policy { on_drift: OnDrift::Overwrite, ..BACKUP })).unwrap_err();
    assert!(problem.message.contains("`ON_DRIFT` was backup and is overwrite"), "{}", problem.message);
    let mut gone = Target::with(&[("a", NOTEBOOK, 1), ("b", NOTEBOOK, 1), ("c", NOTEBOOK, 1)]);
    gone.world.delete(&super::model::path("c")).unwrap();
    let problem = seen.still_holds(&now(&gone, BACKUP)).unwrap_err();
    assert!(problem.message.contains("`c` would no longer be deleted"), "{}", problem.message);
}

#[test]
fn a_plan_that_stops_says_so_in_its_file() {
    let mut target = Target::with(&[("a", NOTEBOOK, 1)]);
    target.edit("a", 7);
    let plan = target.plan(Intent::Deploy, Policy { on_drift: OnDrift::Fail, ..BACKUP }, &tree(&[("a", NOTEBOOK, 1)]));
    assert_eq!(plan.may_run().unwrap_err().exit, Exit::Conflict);
    let value: Value = serde_json::from_str(&PlanFile::of(&plan, &owner(), "0.1.0").to_json()).unwrap();
    assert_eq!(value["stops"][0]["path"], "/Workspace/Shared/etl/a");
    assert_eq!(value["drifted"][0]["path"], "a");
}
