//! A user's first minute: `cargo run --example quickstart` runs the pipe on an example repository, against a fake
//! workspace in this process, and shows what a Bitbucket log would show. `-- failing` shows a notebook that fails.
#![allow(clippy::print_stdout)] // it is there to be read

use databricks_deploy::exit::Exit;
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, edge};
use databricks_sandbox::{Ending, Lasting, Match, Phase, Running, Sandbox, Script, TaskScript};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let failing = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("failing") => true,
        Some(other) => {
            println!("`{other}` is not a scene of the quickstart; there is: failing");
            return ExitCode::FAILURE;
        }
    };
    let sandbox = Sandbox::new();
    job(&sandbox, failing);
    let running = match Running::start(sandbox.clone()) {
        Ok(running) => running,
        Err(error) => {
            println!("the fake workspace cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("A fake Databricks workspace listens at {}, in this process.", running.url());
    println!("This is what a Bitbucket log shows when the pipe runs on examples/repository:\n");

    let exit = pipe(&running.url(), &sandbox.token());

    println!("\nThe step ended with exit code {}: {}.", exit.code(), exit.words());
    println!(
        "
To do the same in your workspace, put this into bitbucket-pipelines.yml, and define DATABRICKS_HOST and the
secured DATABRICKS_TOKEN as repository or deployment variables:

    - pipe: docker://brickpipe/databricks-deploy:{version}
      variables:
        DATABRICKS_HOST: $DATABRICKS_HOST
        DATABRICKS_TOKEN: $DATABRICKS_TOKEN
        WORKSPACE_PATH: /Workspace/Shared/etl
        LOCAL_PATH: notebooks
        RUN: nightly-etl

Or try it from here, without Bitbucket:

    DATABRICKS_HOST=https://… DATABRICKS_TOKEN=… TARGET=try LOCAL_PATH=examples/repository/notebooks \\
        WORKSPACE_PATH=/Workspace/Users/you@example.com/try cargo run
",
        version = databricks_deploy::VERSION
    );
    // The scene was meant to end like this.
    let expected = if failing { Exit::RunFailed } else { Exit::Done };
    if exit == expected { ExitCode::SUCCESS } else { ExitCode::from(exit.code()) }
}

/// Runs the pipe as `main.rs` does, with the environment that a step has.
fn pipe(host: &str, token: &str) -> Exit {
    let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/repository");
    // A step starts from a fresh clone, without the outputs of the step before.
    let _ = std::fs::remove_dir_all(clone.join("databricks-deploy"));
    let variables = [
        ("CI", "true"),
        ("BITBUCKET_WORKSPACE", "acme"),
        ("BITBUCKET_REPO_SLUG", "etl"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/etl"),
        ("BITBUCKET_BRANCH", "main"),
        ("BITBUCKET_COMMIT", "3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"),
        ("BITBUCKET_BUILD_NUMBER", "42"),
        ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production"),
        ("BITBUCKET_CLONE_DIR", &clone.to_string_lossy()),
        ("DATABRICKS_HOST", host),
        ("DATABRICKS_TOKEN", token),
        ("WORKSPACE_PATH", "/Workspace/Shared/etl"),
        ("LOCAL_PATH", "notebooks"),
        ("RUN", "nightly-etl"),
        ("PARAMS", "day=2026-11-22"),
        ("SHOW_OUTPUT", "true"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(variables, &clone);
    let ports = Ports { output: Box::new(std::io::stdout()), redactor: Redactor::new(), wire: None, nonce: 1 };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(edge(environment, ports, std::future::pending())),
        Err(_) => Exit::Bug,
    }
}

/// A job of two notebooks, as it would stand in the workspace already.
fn job(sandbox: &Sandbox, failing: bool) {
    let notebook =
        |path: &str| json!({"notebook_path": format!("/Workspace/Shared/etl/{path}"), "source": "WORKSPACE"});
    let id = sandbox.create_job(json!({
        "name": "nightly-etl",
        "parameters": [{"name": "day", "default": ""}],
        "tasks": [
            {"task_key": "orders", "notebook_task": notebook("ingest/orders")},
            {"task_key": "revenue", "notebook_task": notebook("reports/revenue"), "depends_on": [{"task_key": "orders"}]},
        ],
    }));
    let takes = |seconds: u64, end: Ending| TaskScript {
        phases: vec![
            Phase::pending(Lasting::Time(Duration::from_secs(1))),
            Phase::running(Lasting::Time(Duration::from_secs(seconds))),
        ],
        end,
    };
    let orders = if failing {
        Ending::failed(
            "AnalysisException: [PATH_NOT_FOUND] Path does not exist: /Volumes/main/raw/orders/2026-11-22.",
            "AnalysisException                         Traceback (most recent call last)\n\
             File <command-1>, line 1\n\
             ----> 1 orders = spark.read.json(f\"/Volumes/main/raw/orders/{day}\")\n      \
             2 orders.write.mode(\"append\").saveAsTable(\"main.sales.orders\")\n\n\
             AnalysisException: [PATH_NOT_FOUND] Path does not exist: /Volumes/main/raw/orders/2026-11-22.",
        )
    } else {
        Ending::success_with("1204 orders of 2026-11-22")
    };
    let script = Script::default().task("orders", takes(2, orders)).task("revenue", takes(2, Ending::success()));
    sandbox.script(Match::Job(id), script);
}
