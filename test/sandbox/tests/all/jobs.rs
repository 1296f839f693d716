//! Definitions of jobs.

use crate::client::{Client, job};
use serde_json::{Value, json};

#[tokio::test]
async fn what_the_server_fills_in() {
    let client = Client::new();
    let settings = json!({
        "tasks": [
            { "task_key": "c", "notebook_task": { "notebook_path": "/Shared/nb" },
              "depends_on": [{ "task_key": "b" }, { "task_key": "a" }] },
            { "task_key": "a", "notebook_task": { "notebook_path": "/Shared/nb" } },
            { "task_key": "b", "python_wheel_task": { "package_name": "p", "entry_point": "e" }, "future_field": 1 },
        ],
        "access_control_list": [{ "user_name": "x" }],
    });
    let created = client.post("/api/2.2/jobs/create", settings).await;
    let job_id = created.body["job_id"].as_i64().unwrap();
    let got = client.get(&format!("/api/2.2/jobs/get?job_id={job_id}")).await.body;
    assert_eq!((&got["job_id"], &got["creator_user_name"]), (&json!(job_id), &json!("ci@example.com")));
    let settings = &got["settings"];
    for (name, value) in [
        ("format", json!("MULTI_TASK")),
        ("name", json!("Untitled")),
        ("max_concurrent_runs", json!(1)),
        ("email_notifications", json!({})),
        ("webhook_notifications", json!({})),
        ("timeout_seconds", json!(0)),
        ("queue", json!({ "enabled": true })),
        ("access_control_list", Value::Null),
    ] {
        assert_eq!(settings[name], value, "{name}");
    }
    let first = &settings["tasks"][0];
    assert_eq!(first["depends_on"], json!([{ "task_key": "a" }, { "task_key": "b" }]));
    assert_eq!((&first["run_if"], &first["timeout_seconds"]), (&json!("ALL_SUCCESS"), &json!(0)));
    assert_eq!(first["notebook_task"]["source"], "WORKSPACE");
    assert_eq!(settings["tasks"][2]["future_field"], 1);
}

#[tokio::test]
async fn settings_that_are_refused() {
    let client = Client::new();
    let notebook = |path: &str| json!({ "task_key": "a", "notebook_task": { "notebook_path": path } });
    let task = |task: Value| json!({ "tasks": [task] });
    for (settings, text) in [
        (task(json!({ "task_key": "a" })), "exactly one kind"),
        (task(json!({ "notebook_task": { "notebook_path": "/x" } })), "Missing required field: task_key"),
        (task(notebook("x")), "absolute paths"),
        (json!({ "tasks": [notebook("/x"), notebook("/x")] }), "Duplicate task key"),
        (json!({ "max_concurrent_runs": 1001 }), "max_concurrent_runs"),
        (json!({ "name": "x".repeat(4097) }), "4096"),
        (json!({ "name": 7 }), "'name' must be a string"),
        (
            json!({ "git_source": { "git_url": "https://x", "git_branch": "main" } }),
            "git_source.git_provider must be one of: github,gitlab,bitbucketcloud,",
        ),
        (
            task(json!({ "task_key": "a", "run_if": "SOMETIMES", "notebook_task": { "notebook_path": "/x" } })),
            "'run_if': SOMETIMES",
        ),
        (job("x", &[("a", &["b"]), ("b", &["a"])]), "circle"),
        (job("x", &[("a", &["z"])]), "unknown task z"),
    ] {
        let answer = client.post("/api/2.2/jobs/create", settings.clone()).await;
        let (status, code, message) = answer.error();
        assert_eq!((status, code), (400, "INVALID_PARAMETER_VALUE"), "{settings}");
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_missing_job_is_400() {
    let client = Client::new();
    let expected = (400, "INVALID_PARAMETER_VALUE", "Job 123 does not exist.");
    assert_eq!(client.get("/api/2.2/jobs/get?job_id=123").await.error(), expected);
    assert_eq!(client.get("/api/2.1/jobs/get?job_id=123").await.error(), expected);
    assert_eq!(client.post("/api/2.2/jobs/run-now", json!({ "job_id": 123 })).await.error(), expected);
    assert_eq!(client.post("/api/2.2/jobs/delete", json!({ "job_id": 123 })).await.error(), expected);
    let job_id = client.sandbox.create_job(job("x", &[]));
    assert_eq!(client.post("/api/2.2/jobs/delete", json!({ "job_id": job_id })).await.body, json!({}));
    assert_eq!(client.get(&format!("/api/2.2/jobs/get?job_id={job_id}")).await.status, 400);
}

#[tokio::test]
async fn lists_are_paged_newest_first_and_filtered_by_the_exact_name_in_any_case() {
    let client = Client::new();
    assert_eq!(client.get("/api/2.2/jobs/list").await.body, json!({ "has_more": false }));
    let ids: Vec<i64> =
        (0..45).map(|n| client.sandbox.create_job(job(&format!("job {}", n % 2), &[("a", &[])]))).collect();

    let mut seen = Vec::new();
    let mut pages = Vec::new();
    let mut token = String::new();
    loop {
        let page = client.get(&format!("/api/2.2/jobs/list?page_token={token}")).await.body;
        let jobs = page["jobs"].as_array().unwrap();
        assert!(jobs[0]["settings"].get("tasks").is_none());
        pages.push(jobs.len());
        seen.extend(jobs.iter().map(|job| job["job_id"].as_i64().unwrap()));
        let Some(next) = page["next_page_token"].as_str() else {
            assert_eq!(page["has_more"], false);
            break;
        };
        assert_eq!(page["has_more"], true);
        token = next.to_owned();
    }
    assert_eq!(pages, [20, 20, 5]);
    assert!(seen.iter().eq(ids.iter().rev()));

    let named = client.get("/api/2.2/jobs/list?name=JOB%201&limit=100&expand_tasks=true").await.body;
    assert_eq!(named["jobs"].as_array().unwrap().len(), 22);
    assert_eq!(named["jobs"][0]["settings"]["tasks"][0]["task_key"], "a");
    assert_eq!(client.get("/api/2.2/jobs/list?name=job").await.body, json!({ "has_more": false }));
    for bad in ["limit=0", "limit=101", "page_token=rubbish", "expand_tasks=1"] {
        let answer = client.get(&format!("/api/2.2/jobs/list?{bad}")).await;
        assert_eq!(answer.error().1, "INVALID_PARAMETER_VALUE", "{bad}");
    }
}

#[tokio::test]
async fn tasks_beyond_100_come_on_further_pages() {
    let client = Client::new();
    let keys: Vec<String> = (0..250).map(|n| format!("t{n:03}")).collect();
    let tasks: Vec<(&str, &[&str])> = keys.iter().map(|key| (key.as_str(), [].as_slice())).collect();
    let job_id = client.sandbox.create_job(job("many", &tasks));
    let run_id = client.run_now(job_id).await;
    for target in [format!("jobs/get?job_id={job_id}"), format!("jobs/runs/get?run_id={run_id}")] {
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = client.get(&format!("/api/2.2/{target}&page_token={token}")).await.body;
            // All pages of a run show one moment: together they are one poll.
            assert!(page["state"].is_null() || page["state"]["life_cycle_state"] == "PENDING", "{}", page["state"]);
            let tasks = if page["settings"].is_object() { &page["settings"]["tasks"] } else { &page["tasks"] };
            assert!(tasks.as_array().unwrap().len() <= 100);
            seen.extend(tasks.as_array().unwrap().iter().map(|task| task["task_key"].as_str().unwrap().to_owned()));
            match page["next_page_token"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, keys, "{target}");
    }
    let old = client.get(&format!("/api/2.1/jobs/get?job_id={job_id}")).await.body;
    assert_eq!(old["settings"]["tasks"].as_array().unwrap().len(), 250);
}
