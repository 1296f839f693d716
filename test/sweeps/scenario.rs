//! What the sweeps deploy: one commit that makes, changes, moves, retypes and removes something of every kind in a target
//! where somebody edited an object, gives rights and triggers a run; and the commit after it.

use crate::support::{EXPLORE, Step, TARGET};
use databricks_sandbox::{Ending, FolderRight, JobRight, Language, Match, Principal, Sandbox, Script, TaskScript};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";

/// The edit that somebody made in the workspace, and that must not be lost.
const EDIT: &str = "// Databricks notebook source\nval a = \"edited in the workspace\"\n";

/// A workspace, and who deploys to it.
pub(super) struct Scenario {
    pub(super) sandbox: Sandbox,
    secret: String,
    job: i64,
}

impl Scenario {
    /// A workspace to which nothing was deployed yet. Who deploys logs in with an OAuth secret, because such a credential
    /// can be renewed. `runs` is what its runs play.
    pub(super) fn empty(runs: TaskScript) -> Scenario {
        let sandbox = Sandbox::new();
        let mut principal = Principal::service(ID, "deployer").in_folder(TARGET, FolderRight::Write);
        principal.other_jobs = JobRight::ManageRun;
        sandbox.add_principal(principal);
        sandbox.add_group("analysts");
        let secret = sandbox.add_client_secret(ID);
        let job = sandbox.create_job(json!({
            "name": "nightly",
            "tasks": [{ "task_key": "main", "notebook_task": { "notebook_path": format!("{TARGET}/ingest/orders") } }],
        }));
        sandbox.script(Match::Any, Script::playing(runs));
        sandbox.put_notebook("/Shared/other/theirs", Language::Python, "print('theirs')\n");
        Scenario { sandbox, secret, job }
    }

    /// The first commit is deployed, an object was edited, and another one put beside ours.
    pub(super) async fn deployed(runs: TaskScript) -> Scenario {
        let scenario = Scenario::empty(runs);
        let ended = scenario.first().inside(&scenario.sandbox).await;
        assert_eq!(ended.exit.code(), 0, "{}", ended.log);
        scenario.sandbox.put_notebook(&format!("{TARGET}/ingest/customers"), Language::Scala, EDIT);
        scenario.sandbox.put_file(&format!("{TARGET}/area/theirs.txt"), "theirs\n");
        scenario.sandbox.let_time_pass(Duration::from_secs(3600));
        scenario
    }

    fn step(&self, build: u32) -> Step {
        Step::deploying(&self.sandbox)
            .without("DATABRICKS_TOKEN")
            .variable("DATABRICKS_CLIENT_ID", ID)
            .variable("DATABRICKS_CLIENT_SECRET", &self.secret)
            .variable("BITBUCKET_BUILD_NUMBER", build)
            .variable("BITBUCKET_PIPELINE_UUID", format!("{{5f5e8b6a-0000-4000-8000-{build:012}}}"))
            .notebook("notebooks/kept.py")
            .file("notebooks/reports/explore.ipynb", EXPLORE)
    }

    /// What was deployed before.
    fn first(&self) -> Step {
        self.step(42)
            .file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('first')\n")
            .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 1\n")
            .file("notebooks/lib/rates.csv", "currency,rate\n")
            .notebook("notebooks/lib/script.py")
            .file("notebooks/conf", "a = 1\n")
            .file("notebooks/old/x.txt", "x\n")
            .notebook("notebooks/area/moved.py")
            .notebook("notebooks/area/gone.py")
    }

    /// The commit that is disturbed.
    pub(super) fn second(&self) -> Step {
        self.running(43)
            .file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('second')\n")
            .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 2\n")
            .file("notebooks/lib/rates.csv", "currency,rate\nEUR,1\n")
            // A notebook becomes a file at the same path, a file becomes a folder, and a folder becomes a file.
            .file("notebooks/lib/script", "a file now\n")
            .file("notebooks/conf/a.txt", "a = 1\n")
            .file("notebooks/old", "a file now\n")
            .notebook("notebooks/new/deep/moved.py")
            .file("notebooks/new/deep/fresh.sql", "-- Databricks notebook source\nSELECT 1\n")
    }

    /// The next commit: what the disturbed one brought is changed once more, retyped back, or gone.
    pub(super) fn third(&self) -> Step {
        self.running(44)
            .file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('third')\n")
            .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 3\n")
            .file("notebooks/lib/rates.csv", "currency,rate\nEUR,1\nUSD,2\n")
            .notebook("notebooks/lib/script.py")
            .file("notebooks/conf", "a = 3\n")
            .file("notebooks/old/y.txt", "y\n")
            .notebook("notebooks/new/other.py")
    }

    fn running(&self, build: u32) -> Step {
        self.step(build)
            .variable("RUN", self.job)
            .variable("SHOW_OUTPUT", "true")
            .variable("TIMEOUT", "20m")
            .variable("PERMISSIONS", "analysts=CAN_READ")
    }
}

/// The same commit again, as a later attempt of the step.
pub(super) fn attempt(step: Step, number: u32) -> Step {
    step.variable("BITBUCKET_STEP_RUN_NUMBER", number)
        .variable("BITBUCKET_STEP_UUID", format!("{{5f5e8b6a-0000-4000-8000-{number:012}}}"))
}

/// The same step with an output folder of its own: in a shared one each of thousands of calls would look for a name that
/// none before it has taken.
pub(super) fn apart(step: &Step) -> Step {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    step.clone().variable("OUTPUT_DIR", format!("outputs/{}", CALLS.fetch_add(1, Relaxed)))
}

/// A run that is at work at the first look, and has ended at the second.
pub(super) fn two_looks() -> TaskScript {
    TaskScript::after(Duration::from_millis(500), Ending::success())
}

/// A run that has ended when it is looked at.
pub(super) fn no_time() -> TaskScript {
    TaskScript::after(Duration::ZERO, Ending::success())
}
