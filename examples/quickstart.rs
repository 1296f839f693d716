//! A user's first minute: `cargo run --example quickstart` runs the pipe on an example repository, against a fake
//! workspace in this process, and shows what a Bitbucket log would show. `-- failing` shows a notebook that fails, and
//! `-- keyless` a log-in without any stored secret, refused at first and then let in, `-- planned` a plan that is
//! looked at before it is carried out, after somebody edited a notebook in the workspace, and `-- doctor` what `ACTION:
//! doctor` says of a step that nobody trusts, and of the same step later.
#![allow(clippy::print_stdout)] // it is there to be read

use databricks_deploy::exit::Exit;
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, edge};
use databricks_sandbox::{
    Bitbucket, Ending, JobRight, Language, Lasting, Match, Phase, Principal, Running, Sandbox, Script, StepClaims,
    TaskScript,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let scene = match std::env::args().nth(1).as_deref() {
        None => Scene::Working,
        Some("failing") => Scene::Failing,
        Some("keyless") => Scene::Keyless,
        Some("planned") => Scene::Planned,
        Some("doctor") => Scene::Doctor,
        Some(other) => {
            println!("`{other}` is not a scene of the quickstart; there are: failing, keyless, planned, doctor");
            return ExitCode::FAILURE;
        }
    };
    // The doctor compares the clocks.
    #[allow(clippy::disallowed_methods)] // as whoever tries things by hand expects it
    let sandbox = Sandbox::starting_at(std::time::SystemTime::now());
    job(&sandbox, scene == Scene::Failing);
    let running = match Running::start(sandbox.clone()) {
        Ok(running) => running,
        Err(error) => {
            println!("the fake workspace cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("A fake Databricks workspace listens at {}, in this process.", running.url());
    println!("This is what a Bitbucket log shows when the pipe runs on examples/repository:\n");

    let exit = match scene {
        Scene::Working | Scene::Failing => {
            let exit = step(&running, &[("DATABRICKS_TOKEN", &sandbox.token())]);
            how_to();
            exit
        }
        Scene::Keyless => keyless(&running),
        Scene::Planned => planned(&running),
        Scene::Doctor => doctor(&running),
    };
    // The scene was meant to end like this.
    let expected = if scene == Scene::Failing { Exit::RunFailed } else { Exit::Done };
    if exit == expected { ExitCode::SUCCESS } else { ExitCode::from(exit.code()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    Working,
    Failing,
    Keyless,
    Planned,
    Doctor,
}

/// A deploy; somebody edits a notebook; a plan, whose file the next step gets as an artifact; and the deploy that is held
/// to it, which keeps the edit safe.
fn planned(running: &Running) -> Exit {
    let token = running.sandbox().token();
    let variables = [("DATABRICKS_TOKEN", token.as_str()), ("RUN", ""), ("PARAMS", ""), ("SHOW_OUTPUT", "")];
    let exit = step(running, &variables);
    if exit != Exit::Done {
        return exit;
    }
    println!("\nSomebody edits a notebook in the workspace. A step with `ACTION: plan` says what a deploy would do:\n");
    let edited = "-- Databricks notebook source\nSELECT 'tried out on a Friday'\n";
    running.sandbox().put_notebook("/Workspace/Shared/etl/reports/revenue", Language::Sql, edited);
    let exit = later_step(running, &[&variables[..], &[("ACTION", "plan")]].concat());
    if exit != Exit::Done {
        return exit;
    }
    println!("\nThe next step has the plan's file as an artifact, and `PLAN: databricks-deploy/plan.json`:\n");
    later_step(running, &[&variables[..], &[("PLAN", "databricks-deploy/plan.json")]].concat())
}

/// The doctor examines a step whose identity nobody trusts yet; then an account admin creates the policy that it shows,
/// and it examines the step again.
fn doctor(running: &Running) -> Exit {
    let sandbox = running.sandbox();
    let id = "5f5e8b6a-0000-4000-8000-00000000a001";
    let mut principal = Principal::service(id, "deployer");
    principal.other_jobs = JobRight::ManageRun;
    sandbox.add_principal(principal);
    let token = sandbox.bitbucket().step(&StepClaims::production());
    let variables = [
        ("DATABRICKS_CLIENT_ID", id),
        ("BITBUCKET_STEP_OIDC_TOKEN", token.as_str()),
        ("ACTION", "doctor"),
        ("PARAMS", ""),
        ("SHOW_OUTPUT", ""),
    ];
    if step(running, &variables) != Exit::Identity {
        return Exit::Bug;
    }
    println!("\nAn account admin creates the recommended policy. The same step, examined again:\n");
    let policy = sandbox.bitbucket().policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
    if sandbox.add_federation_policy(id, policy).is_err() {
        return Exit::Bug;
    }
    later_step(running, &variables)
}

/// A step whose identity nobody trusts yet; then an account admin creates the policy that the log proposes, and the next
/// run of the step is let in.
fn keyless(running: &Running) -> Exit {
    let sandbox = running.sandbox();
    let id = "5f5e8b6a-0000-4000-8000-00000000a001";
    let mut principal = Principal::service(id, "deployer");
    principal.other_jobs = JobRight::ManageRun;
    sandbox.add_principal(principal);
    let token =
        |step: &str| sandbox.bitbucket().step(&StepClaims { step: step.to_owned(), ..StepClaims::production() });
    println!("The step has `oidc: true`, and DATABRICKS_CLIENT_ID is all that is set. No secret is stored anywhere.\n");
    let first = token("{5f5e8b6a-0000-4000-8000-0000000000f1}");
    let identity = |token| [("DATABRICKS_CLIENT_ID", id), ("BITBUCKET_STEP_OIDC_TOKEN", token)];
    let exit = step(running, &identity(first.as_str()));
    if exit != Exit::Identity {
        return Exit::Bug;
    }
    println!("\nNow an account admin creates that policy, once. The same step, run again:\n");
    let policy = sandbox.bitbucket().policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
    if sandbox.add_federation_policy(id, policy).is_err() {
        return Exit::Bug;
    }
    let second = token("{5f5e8b6a-0000-4000-8000-0000000000f2}");
    let exit = step(running, &identity(second.as_str()));
    println!(
        "
To do the same in your workspace: the README's \"Keyless in five minutes\" has every click. The step is then:

    - step:
        oidc: true
        deployment: production
        script:
          - pipe: docker://brickpipe/databricks-deploy:{version}
            variables:
              DATABRICKS_HOST: $DATABRICKS_HOST
              DATABRICKS_CLIENT_ID: $DATABRICKS_CLIENT_ID
              WORKSPACE_PATH: /Workspace/Shared/etl
              LOCAL_PATH: notebooks
              RUN: nightly-etl
",
        version = databricks_deploy::VERSION
    );
    exit
}

fn how_to() {
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
}

/// Runs the pipe as `main.rs` does, with the environment that a step has, and says how it ended.
fn step(running: &Running, login: &[(&str, &str)]) -> Exit {
    // A step starts from a fresh clone, without the outputs of the step before.
    let _ = std::fs::remove_dir_all(clone().join("databricks-deploy"));
    later_step(running, login)
}

/// The same where the outputs of the steps before are artifacts.
fn later_step(running: &Running, login: &[(&str, &str)]) -> Exit {
    let exit = pipe(&running.url(), login);
    println!("\nThe step ended with exit code {}: {}.", exit.code(), exit.words());
    exit
}

fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/repository")
}

fn pipe(host: &str, login: &[(&str, &str)]) -> Exit {
    let clone = clone();
    let root = clone.to_string_lossy();
    let variables = [
        ("CI", "true"),
        ("BITBUCKET_WORKSPACE", "acme"),
        ("BITBUCKET_REPO_SLUG", "etl"),
        ("BITBUCKET_REPO_FULL_NAME", "acme/etl"),
        ("BITBUCKET_BRANCH", "main"),
        ("BITBUCKET_COMMIT", "3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"),
        ("BITBUCKET_BUILD_NUMBER", "42"),
        ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production"),
        ("BITBUCKET_CLONE_DIR", &root),
        ("DATABRICKS_HOST", host),
        ("WORKSPACE_PATH", "/Workspace/Shared/etl"),
        ("LOCAL_PATH", "notebooks"),
        ("RUN", "nightly-etl"),
        ("PARAMS", "day=2026-11-22"),
        ("SHOW_OUTPUT", "true"),
    ]
    .into_iter()
    .chain(login.iter().copied())
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(variables, &clone);
    #[allow(clippy::disallowed_methods)] // as `main.rs` does
    let clock = std::time::SystemTime::now();
    let ports = Ports { output: Box::new(std::io::stdout()), redactor: Redactor::new(), wire: None, clock, nonce: 1 };
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
