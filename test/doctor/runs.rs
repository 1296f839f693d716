//! What `RUN` names.

use super::*;
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Trouble};

fn task(fields: &Value) -> Value {
    let mut task = json!({ "task_key": "main" });
    task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    task
}

/// The findings on a job with this one task.
async fn with_task(sandbox: &Sandbox, fields: Value) -> Report {
    sandbox.create_job(json!({ "name": "one", "tasks": [task(&fields)], "run_as": { "user_name": "ci@example.com" } }));
    trust(sandbox);
    examine(sandbox, &keyless(sandbox).variable("RUN", "one")).await
}

fn notebook() -> Value {
    json!({ "notebook_path": "/Workspace/Shared/etl/a" })
}

#[tokio::test(start_paused = true)]
async fn what_jobs_run_on_is_there_missing_or_not_to_be_seen() {
    let missing = "0000-000000-missing0";
    for (fields, verdict, part) in [
        (
            json!({ "notebook_task": notebook(), "existing_cluster_id": "0123-456789-abcdefgh" }),
            "good",
            "the cluster `nightly`",
        ),
        (
            json!({ "notebook_task": notebook(), "existing_cluster_id": missing }),
            "bad",
            "the cluster `0000-000000-missing0`, which is not there",
        ),
        (
            json!({ "sql_task": { "warehouse_id": "abcdef0123456789" } }),
            "good",
            "the SQL warehouse `reports` (abcdef0123456789) is there",
        ),
        (json!({ "sql_task": { "warehouse_id": "gone" } }), "bad", "the SQL warehouse `gone`, which is not there"),
        (json!({ "notebook_task": notebook() }), "unknown", "whether serverless compute is on"),
        (
            json!({ "notebook_task": notebook(), "job_cluster_key": "own" }),
            "bad",
            "the job cluster `own`, which the job does not define",
        ),
    ] {
        let sandbox = workspace();
        sandbox.add_warehouse("abcdef0123456789", "reports");
        let report = with_task(&sandbox, fields).await;
        report.has("runs", verdict, part);
    }
    let sandbox = workspace();
    let answer = Canned::error(403, "PERMISSION_DENIED", "no Attach permission");
    sandbox.fault(Fault::always(On::get("/api/2.1/clusters/get"), Trouble::Answer(Moment::Before, answer)));
    trust(&sandbox);
    let report = examine(&sandbox, &keyless(&sandbox)).await;
    report.has("runs", "unknown", "whether the cluster `0123-456789-abcdefgh` is there");
}

#[tokio::test(start_paused = true)]
async fn whether_a_job_may_be_run_is_told_where_the_workspace_tells_it() {
    for (right, verdict, part) in [
        (JobRight::Manage, "good", "this identity may run and manage the job nightly-etl"),
        (JobRight::ManageRun, "unknown", "whether this identity may run the job nightly-etl"),
        (JobRight::View, "unknown", "whether this identity may run the job nightly-etl"),
        (JobRight::None, "bad", "RUN: `nightly-etl`: no job has this id or this name, or this identity may not see it"),
    ] {
        let sandbox = workspace_with(|mut principal| {
            principal.other_jobs = right;
            principal
        });
        trust(&sandbox);
        examine(&sandbox, &keyless(&sandbox)).await.has("runs", verdict, part);
    }
    // Whoever names a job that it may not see is told how it may, by name and by id.
    let sandbox = workspace_with(|mut principal| {
        principal.other_jobs = JobRight::None;
        principal
    });
    let hidden = sandbox.create_job(json!({ "name": "hidden", "tasks": [] })).to_string();
    trust(&sandbox);
    for entry in ["hidden", &hidden] {
        let report = examine(&sandbox, &keyless(&sandbox).variable("RUN", entry)).await;
        let hint = report.has("runs", "bad", &format!("RUN: `{entry}`")).hint.clone().unwrap();
        assert!(hint.contains("if the job is there, give the identity CAN_MANAGE_RUN on it"), "{hint}");
    }
    // A workspace that tells more than the real one is known to tell.
    for (level, verdict, part) in [
        ("CAN_VIEW", "bad", "this identity may not run it"),
        ("CAN_MANAGE_RUN", "good", "this identity may run the job nightly-etl"),
        ("CAN_DREAM", "unknown", "only by CAN_DREAM of the service principal"),
    ] {
        let sandbox = workspace();
        let list = json!([{ "service_principal_name": ID, "all_permissions": [{ "permission_level": level }] }]);
        let body = json!({ "access_control_list": list }).to_string();
        let answer = Canned { status: 200, headers: Vec::new(), body: body.into() };
        sandbox.fault(Fault::always(On::get("/api/2.0/permissions/jobs"), Trouble::Answer(Moment::Before, answer)));
        trust(&sandbox);
        examine(&sandbox, &keyless(&sandbox)).await.has("runs", verdict, part);
    }
}

#[tokio::test(start_paused = true)]
async fn those_as_whom_jobs_run_may_have_to_read_the_folder() {
    const ROBOT: &str = "01234567-89ab-cdef-0123-456789abcdef";
    // By a group of everybody; by name; not as far as anybody can tell.
    let with = |own: Option<databricks_sandbox::FolderRight>, everybody: bool| {
        let sandbox = workspace();
        let robot = Principal::service(ROBOT, "robot");
        sandbox.add_principal(match own {
            Some(right) => robot.in_folder(ROOT, right),
            None => robot,
        });
        if !everybody {
            let stranger = Principal::user("d@example.com");
            sandbox.add_principal(stranger.in_folder(ROOT, databricks_sandbox::FolderRight::None));
        }
        sandbox.create_job(json!({
            "name": "robots", "tasks": [task(&json!({ "spark_python_task": {}, "new_cluster": {} }))],
            "run_as": { "service_principal_name": ROBOT },
        }));
        trust(&sandbox);
        sandbox
    };
    use databricks_sandbox::FolderRight::{None as Nothing, Read};
    for (sandbox, verdict) in
        [(with(None, true), "good"), (with(Some(Read), false), "good"), (with(Some(Nothing), false), "unknown")]
    {
        let report = examine(&sandbox, &keyless(&sandbox).variable("RUN", "robots")).await;
        let found = report.has("runs", verdict, &format!("service principal `{ROBOT}`, as whom job robots"));
        if verdict == "unknown" {
            assert_eq!(found.hint.as_deref(), Some(&*format!("`PERMISSIONS: {ROBOT}=CAN_RUN` gives it the right")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_entry_is_looked_at_and_nothing_is_run() {
    let sandbox = workspace();
    sandbox.put_notebook("/Shared/other/b", Language::Scala, "// Databricks notebook source\n");
    sandbox.create_job(json!({ "name": "twice", "tasks": [] }));
    sandbox.create_job(json!({ "name": "twice", "tasks": [] }));
    trust(&sandbox);
    let step =
        keyless(&sandbox).variable("RUN", "nightly-etl\nmissing\ntwice\n./a\n./nothing\n/Workspace/Shared/other/b");
    let report = examine(&sandbox, &step).await;
    // It is not deployed yet, and will be.
    report.has("runs", "good", "`./a` is the notebook /Workspace/Shared/etl/a");
    report.has("runs", "good", "`/Workspace/Shared/other/b` is the notebook");
    report.has("runs", "odd", "a Scala notebook runs on serverless compute only where");
    report.has("runs", "unknown", "whether serverless compute is on, which notebook /Workspace/Shared/etl/a");
    let bad = report.bad().join("\n");
    for part in
        ["RUN: `missing`: no job has this id", "RUN: `twice`: 2 jobs have this name", "RUN: `./nothing`: no notebook"]
    {
        assert!(bad.contains(part), "{part}: {bad}");
    }
    let report =
        examine(&sandbox, &keyless(&sandbox).variable("RUN", "./a").variable("RUN_CLUSTER_ID", "0123-456789-abcdefgh"))
            .await;
    report.has(
        "runs",
        "good",
        "the cluster `nightly` (0123-456789-abcdefgh) is there, for notebook /Workspace/Shared/etl/a",
    );
    let report = examine(&sandbox, &keyless(&sandbox).without("RUN")).await;
    report.has("runs", "told", "`RUN` names nothing to run");
}

#[tokio::test(start_paused = true)]
async fn our_own_groups_count_where_a_job_runs_as_us() {
    let sandbox = workspace();
    sandbox.create_job(json!({ "name": "ours", "tasks": [], "run_as": { "user_name": "ci@example.com" } }));
    let admins = json!([{ "group_name": "admins", "all_permissions": [{ "permission_level": "CAN_MANAGE" }] }]);
    let body = json!({ "access_control_list": admins }).to_string();
    let answer = Canned { status: 200, headers: Vec::new(), body: body.into() };
    sandbox.fault(Fault::always(On::get("/api/2.0/permissions/directories"), Trouble::Answer(Moment::Before, answer)));
    let report = examine(&sandbox, &by_token(&sandbox).variable("RUN", "ours\nnightly-etl")).await;
    report.has("runs", "good", "the user `ci@example.com`, as whom job ours");
    // Whether another one is in that group, nobody tells.
    report.has("runs", "unknown", &format!("whether the service principal `{ID}`, as whom job nightly-etl"));
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_thing_twice_is_named_once() {
    let sandbox = workspace();
    let on = |key: &str| json!({ "task_key": key, "notebook_task": notebook(), "existing_cluster_id": "0123-456789-abcdefgh" });
    sandbox.create_job(json!({ "name": "two tasks", "tasks": [on("a"), on("b")] }));
    let report = examine(&sandbox, &by_token(&sandbox).variable("RUN", "two tasks")).await;
    let found = report.has("runs", "good", "the cluster `nightly`");
    assert_eq!(found.message.matches("job two tasks").count(), 1, "{found:?}");
    for name in ["first", "second"] {
        sandbox.create_job(json!({ "name": name, "tasks": [{ "task_key": "a", "notebook_task": notebook() }] }));
    }
    for (run, needs, runs) in
        [("first", ") needs: ", ") runs, may read"), ("first\nsecond", ") need: ", ") run, may read")]
    {
        let report = examine(&sandbox, &by_token(&sandbox).variable("RUN", run)).await;
        let unknown = report.has("runs", "unknown", "whether serverless compute is on, which job first");
        assert!(unknown.message.contains(needs), "{unknown:?}");
        let good = report.has("runs", "good", "the user `ci@example.com`, as whom job first");
        assert!(good.message.contains(runs), "{good:?}");
    }
}
