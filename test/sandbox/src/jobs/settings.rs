//! Settings of jobs: what is refused, and what the server fills in (databricks/cli, libs/testserver/jobs.go, jobFixUps
//! and validateJobGitSource; the limits are the SDK's documentation).

use crate::errors::ApiError;
use crate::request::{Fields, missing};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const GIT_PROVIDERS: [&str; 8] = [
    "github",
    "gitlab",
    "bitbucketcloud",
    "gitlabenterpriseedition",
    "bitbucketserver",
    "azuredevopsservices",
    "githubenterprise",
    "awscodecommit",
];

const RUN_IFS: [&str; 6] =
    ["ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"];

/// Every kind of task that the sandbox can play; for all but notebooks nothing but the script decides.
const TASK_KINDS: [&str; 18] = [
    "notebook_task",
    "spark_python_task",
    "python_wheel_task",
    "spark_jar_task",
    "spark_submit_task",
    "pipeline_task",
    "sql_task",
    "dbt_task",
    "dbt_cloud_task",
    "dbt_platform_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
    "clean_rooms_notebook_task",
    "dashboard_task",
    "power_bi_task",
    "gen_ai_compute_task",
    "alert_task",
];

/// Refuses settings that the service would refuse.
pub(crate) fn check(settings: Fields<'_>) -> Result<(), ApiError> {
    if settings.text("name")?.is_some_and(|name| name.len() > 4096) {
        return Err(ApiError::invalid("The job name must have at most 4096 bytes"));
    }
    if settings.integer("max_concurrent_runs")?.is_some_and(|count| !(0..=1000).contains(&count)) {
        return Err(ApiError::invalid("max_concurrent_runs must lie between 0 and 1000"));
    }
    settings.integer("timeout_seconds")?;
    if let Some(queue) = settings.object("queue")? {
        queue.flag("enabled")?;
    }
    if let Some(tags) = settings.text_map("tags")?
        && tags.0.len() > 25
    {
        return Err(ApiError::invalid("A job must have at most 25 tags"));
    }
    for parameter in settings.list("parameters")?.unwrap_or_default() {
        let parameter =
            parameter.as_object().map(Fields).ok_or_else(|| ApiError::invalid("parameters[] must hold objects"))?;
        parameter.required_text("name")?;
        parameter.required_text("default")?;
    }
    checked_tasks(settings)?;
    Ok(())
}

/// The tasks of job settings or of a one-time run, if they are what they should be.
pub(crate) fn checked_tasks(settings: Fields<'_>) -> Result<&[Value], ApiError> {
    if let Some(git) = settings.object("git_source")? {
        git.required_text("git_url")?;
        let known = |provider: &str| GIT_PROVIDERS.iter().any(|known| known.eq_ignore_ascii_case(provider));
        if !git.text("git_provider")?.is_some_and(known) {
            let text = format!("git_source.git_provider must be one of: {}", GIT_PROVIDERS.join(","));
            return Err(ApiError::invalid(text));
        }
        let refs = ["git_branch", "git_tag", "git_commit"].into_iter().filter(|name| git.get(name).is_some()).count();
        if refs != 1 {
            return Err(ApiError::invalid("git_source must have exactly one of git_branch, git_tag and git_commit"));
        }
    }
    let tasks = settings.list("tasks")?.unwrap_or_default();
    if tasks.len() > 1000 {
        return Err(ApiError::invalid("A job must have at most 1000 tasks"));
    }
    let mut keys = BTreeSet::new();
    for task in tasks {
        let task = task.as_object().map(Fields).ok_or_else(|| ApiError::invalid("tasks[] must hold objects"))?;
        let key = check_task(task, settings.get("git_source").is_some())?;
        if !keys.insert(key) {
            return Err(ApiError::invalid(format!("Duplicate task key: {key}")));
        }
    }
    for task in tasks {
        if let Some(unknown) = upstream(task).find(|key| !keys.contains(key)) {
            return Err(ApiError::invalid(format!("A task depends on the unknown task {unknown}")));
        }
    }
    check_order(tasks)?;
    Ok(tasks)
}

fn check_task(task: Fields<'_>, from_git: bool) -> Result<&str, ApiError> {
    let key = task.required_text("task_key")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.is_empty() || key.len() > 100 || !key.chars().all(legal) {
        return Err(ApiError::invalid(format!("Invalid task key: {key}")));
    }
    for dependency in task.list("depends_on")?.unwrap_or_default() {
        let fields = dependency.as_object().map(Fields).ok_or_else(|| missing("depends_on[].task_key"))?;
        fields.required_text("task_key")?;
    }
    if let Some(run_if) = task.text("run_if")?.filter(|value| !RUN_IFS.contains(value)) {
        return Err(ApiError::invalid(format!("Invalid value for field 'run_if': {run_if}")));
    }
    task.integer("timeout_seconds")?;
    let kinds: Vec<&str> = task.0.keys().filter(|name| name.ends_with("_task")).map(String::as_str).collect();
    let [kind] = kinds.as_slice() else {
        return Err(ApiError::invalid(format!("Task {key} must have exactly one kind of task, not {}", kinds.len())));
    };
    if !TASK_KINDS.contains(kind) {
        return Err(ApiError::not_in_sandbox(&format!("tasks of the kind {kind}")));
    }
    let Some(notebook) = task.object("notebook_task")? else { return Ok(key) };
    let path = notebook.required_text("notebook_path")?;
    notebook.text_map("base_parameters")?;
    let source = notebook.text("source")?.unwrap_or(if from_git { "GIT" } else { "WORKSPACE" });
    match source {
        "WORKSPACE" if path.starts_with('/') => Ok(key),
        "WORKSPACE" => Err(ApiError::invalid(format!("Only absolute paths are supported for notebook_path: {path}"))),
        "GIT" if !from_git => Err(ApiError::invalid(format!("Task {key} has source GIT, but there is no git_source"))),
        "GIT" if !path.starts_with('/') => Ok(key),
        "GIT" => Err(ApiError::invalid(format!("notebook_path must be relative to the repository: {path}"))),
        other => Err(ApiError::invalid(format!("Invalid value for field 'source': {other}"))),
    }
}

/// The tasks that a task waits for.
fn upstream(task: &Value) -> impl Iterator<Item = &str> {
    task["depends_on"].as_array().into_iter().flatten().filter_map(|dependency| dependency["task_key"].as_str())
}

/// Refuses circles: their tasks would wait for each other for ever.
fn check_order(tasks: &[Value]) -> Result<(), ApiError> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = done.len();
        for task in tasks {
            if upstream(task).all(|key| done.contains(key)) {
                done.extend(task["task_key"].as_str());
            }
        }
        if done.len() == tasks.len() {
            return Ok(());
        }
        if done.len() == before {
            return Err(ApiError::invalid("The tasks depend on each other in a circle"));
        }
    }
}

/// Fills in what the server fills in.
pub(crate) fn with_defaults(settings: Value) -> Value {
    let Value::Object(mut settings) = settings else { return json!({}) };
    // Rights are no part of the settings when they are read.
    settings.remove("access_control_list");
    settings.insert("format".to_owned(), Value::from("MULTI_TASK"));
    let defaults = json!({
        "name": "Untitled",
        "max_concurrent_runs": 1,
        "email_notifications": {},
        "webhook_notifications": {},
        "timeout_seconds": 0,
        // The documented default since 2024; not confirmed for jobs made through the API.
        "queue": { "enabled": true },
    });
    fill(&mut settings, defaults);
    let from_git = settings.get("git_source").is_some_and(|git| !git.is_null());
    for task in settings.get_mut("tasks").and_then(Value::as_array_mut).into_iter().flatten() {
        fill_task(task, from_git);
    }
    Value::Object(settings)
}

fn fill_task(task: &mut Value, from_git: bool) {
    let Value::Object(task) = task else { return };
    fill(task, json!({ "run_if": "ALL_SUCCESS", "timeout_seconds": 0, "email_notifications": {} }));
    if let Some(Value::Object(notebook)) = task.get_mut("notebook_task") {
        fill(notebook, json!({ "source": if from_git { "GIT" } else { "WORKSPACE" } }));
    }
    if let Some(Value::Array(dependencies)) = task.get_mut("depends_on") {
        dependencies.sort_by(|a, b| a["task_key"].as_str().cmp(&b["task_key"].as_str()));
    }
}

fn fill(object: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else { return };
    for (name, value) in defaults {
        if object.get(&name).is_none_or(Value::is_null) {
            object.insert(name, value);
        }
    }
}
