//! What the tests share: a clone to deploy from, the pipe run on it as a process or inside this one, and golden files.

mod golden;
mod memory;
mod process;
mod target;
mod workspace;

pub(crate) use golden::{assert_golden, assert_golden_text};
pub(crate) use memory::InMemory;
pub(crate) use target::{BEFORE, EXPLORE, STATE, TARGET, asked, asked_sorted, below, changes, one_of_each, twin};
pub(crate) use workspace::{options, workspace, workspace_of};

use databricks_deploy::exit::Exit;
use databricks_deploy::outcome::Outcome;
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, run};
use databricks_sandbox::{Running, Sandbox};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use tempfile::TempDir;

/// A clone on disk and the environment of a step; starts from what nearly every test needs. Copies of it share the clone.
#[derive(Clone)]
pub(crate) struct Step {
    clone: Arc<TempDir>,
    variables: BTreeMap<String, String>,
}

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: i32,
    /// Its log.
    pub(crate) log: String,
}

impl Step {
    /// A step of a branch build, with an empty clone and no pipe variables but `NO_COLOR`.
    pub(crate) fn new() -> Step {
        let clone = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut step = Step { clone, variables: BTreeMap::new() };
        let root = step.root().to_string_lossy().into_owned();
        for (name, value) in [
            ("CI", "true"),
            ("BITBUCKET_WORKSPACE", "acme"),
            ("BITBUCKET_REPO_SLUG", "etl"),
            ("BITBUCKET_REPO_FULL_NAME", "acme/etl"),
            ("BITBUCKET_REPO_UUID", "{5f5e8b6a-0000-4000-8000-000000000001}"),
            ("BITBUCKET_BRANCH", "main"),
            ("BITBUCKET_COMMIT", "3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d"),
            ("BITBUCKET_BUILD_NUMBER", "42"),
            ("BITBUCKET_PIPELINE_UUID", "{5f5e8b6a-0000-4000-8000-000000000002}"),
            ("BITBUCKET_STEP_UUID", "{5f5e8b6a-0000-4000-8000-000000000003}"),
            ("BITBUCKET_STEP_RUN_NUMBER", "1"),
            ("BITBUCKET_CLONE_DIR", &root),
            ("NO_COLOR", "1"),
        ] {
            step.variables.insert(name.to_owned(), value.to_owned());
        }
        step
    }

    /// A step that deploys the folder `notebooks` to `/Workspace/Shared/etl` of the sandbox.
    pub(crate) fn deploying(sandbox: &Sandbox) -> Step {
        Step::new()
            .variable("DATABRICKS_TOKEN", sandbox.token())
            .variable("WORKSPACE_PATH", "/Workspace/Shared/etl")
            .variable("LOCAL_PATH", "notebooks")
    }

    /// A step that only runs something.
    pub(crate) fn running(sandbox: &Sandbox, what: impl ToString) -> Step {
        Step::new()
            .variable("DATABRICKS_TOKEN", sandbox.token())
            .variable("ACTION", "run")
            .variable("WORKSPACE_PATH", "/Workspace/Shared/etl")
            .variable("RUN", what)
    }

    /// Sets a variable.
    pub(crate) fn variable(mut self, name: &str, value: impl ToString) -> Step {
        self.variables.insert(name.to_owned(), value.to_string());
        self
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, name: &str) -> Step {
        self.variables.remove(name);
        self
    }

    /// Writes a file of the clone.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Step {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is made");
        std::fs::write(path, content).expect("the file is written");
        self
    }

    /// A Python notebook in the clone.
    pub(crate) fn notebook(self, path: &str) -> Step {
        self.file(path, "# Databricks notebook source\nprint(1)\n")
    }

    /// The environment.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// The root of the clone.
    pub(crate) fn root(&self) -> &Path {
        self.clone.path()
    }

    /// Runs the real binary against a sandbox that is served.
    pub(crate) fn against(&self, running: &Running) -> Ended {
        self.process(&[("DATABRICKS_HOST", &running.url())])
    }

    /// Runs the real binary.
    pub(crate) fn process(&self, more: &[(&str, &str)]) -> Ended {
        let output = Command::new(binary())
            .env_clear()
            .envs(&self.variables)
            .envs(more.iter().copied())
            .current_dir(self.root())
            .stdin(Stdio::null())
            .output()
            .expect("the binary starts");
        assert!(output.stderr.is_empty(), "one stream only: {}", String::from_utf8_lossy(&output.stderr));
        Ended {
            code: output.status.code().expect("it exits"),
            log: String::from_utf8(output.stdout).expect("the log is UTF-8"),
        }
    }

    /// Runs the library in this process, over memory, in whatever time the runtime has.
    pub(crate) async fn inside(&self, sandbox: &Sandbox) -> Inside {
        self.inside_with(sandbox, 7).await
    }

    /// The same with another nonce: another process.
    pub(crate) async fn inside_with(&self, sandbox: &Sandbox, nonce: u64) -> Inside {
        self.inside_over(InMemory::new(sandbox.clone()), sandbox, nonce, std::future::pending()).await
    }

    /// The same, told to stop when `shutdown` ends; the server sees through what it was sent until then.
    pub(crate) async fn inside_until(
        &self,
        sandbox: &Sandbox,
        nonce: u64,
        shutdown: impl Future<Output = ()>,
    ) -> Inside {
        self.inside_over(InMemory::seeing_through(sandbox.clone()), sandbox, nonce, shutdown).await
    }

    async fn inside_over(
        &self,
        wire: InMemory,
        sandbox: &Sandbox,
        nonce: u64,
        shutdown: impl Future<Output = ()>,
    ) -> Inside {
        hear_everything();
        let log = Log::default();
        let mut variables = self.variables.clone();
        variables.entry("DATABRICKS_HOST".into()).or_insert_with(|| "https://sandbox.cloud.databricks.com".into());
        let ports = Ports {
            output: Box::new(log.clone()),
            redactor: Redactor::new(),
            wire: Some(Arc::new(wire)),
            clock: sandbox.time(),
            nonce,
        };
        let environment = Environment::new(variables, self.root());
        let outcome = run(environment, ports, shutdown).await;
        Inside { exit: outcome.exit, outcome, log: log.text() }
    }
}

/// What a run inside this process left behind.
#[derive(Debug)]
pub(crate) struct Inside {
    /// How it ended.
    pub(crate) exit: Exit,
    /// All that happened.
    pub(crate) outcome: Outcome,
    /// The log.
    pub(crate) log: String,
}

/// The binary under test: the one that cargo built, or the one that is going to be shipped.
pub(crate) fn binary() -> PathBuf {
    #[allow(clippy::disallowed_methods)] // which binary is judged is the caller's choice
    std::env::var_os("PIPE_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_databricks-deploy").into(), PathBuf::from)
}

/// To be called by whoever looks at what is logged, and by whoever might come to a line first.
pub(crate) fn hear_everything() {
    LazyLock::force(&LISTENERS);
}

/// Whoever listens to the logger beside a test. Where there is one listener only, tracing asks the thread that comes to a
/// line first whether anybody wants it, and remembers the answer for all: a test without `DEBUG` would silence another.
static LISTENERS: LazyLock<[tracing::Dispatch; 2]> =
    LazyLock::new(|| [0, 1].map(|_| tracing::Dispatch::new(tracing_subscriber::registry())));

/// A log in memory.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What was written so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("the log is UTF-8")
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes a named pipe, at whose other end nobody is.
pub(crate) fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("there is a mkfifo");
    assert!(made.success());
}
