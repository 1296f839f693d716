//! What builds of other kinds would do, and the local side.

use super::*;

fn branch(sandbox: &Sandbox) -> Step {
    by_token(sandbox).without("BITBUCKET_DEPLOYMENT_ENVIRONMENT").without("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID")
}

#[tokio::test(start_paused = true)]
async fn what_a_tag_or_a_pull_request_would_do_here_is_told() {
    let sandbox = workspace();
    let report = examine(&sandbox, &branch(&sandbox)).await;
    report.has("builds", "told", "a pull-request or tag build would stop here before any change");
    let report = examine(&sandbox, &branch(&sandbox).variable("TARGET", "eu")).await;
    report.has("builds", "told", "would deploy to the same target `eu`, since `TARGET` says so");
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    report.has("builds", "told", "would deploy to the same target `production`, since the step has a `deployment:`");
}

#[tokio::test(start_paused = true)]
async fn a_build_that_names_no_target_is_examined_all_the_same() {
    let sandbox = workspace();
    let tag = branch(&sandbox).without("BITBUCKET_BRANCH").variable("BITBUCKET_TAG", "v1");
    let pull_request = branch(&sandbox).variable("BITBUCKET_PR_ID", "7");
    for (step, build) in [(tag, "a tag"), (pull_request, "a pull request")] {
        let report = examine(&sandbox, &step).await;
        let part = format!("TARGET: a deploy of this build would stop: not set, and the build of {build} does not say");
        let found = report.has("builds", "bad", &part);
        // A deploy stops for the very same.
        let run = step.variable("ACTION", "deploy").inside(&sandbox).await;
        assert_eq!((run.exit.code(), &run.outcome.problems[0].hint), (1, &found.hint), "{}", run.log);
        assert!(found.message.ends_with(&run.outcome.problems[0].message), "{found:?}");
        report.has("target", "good", "this identity may write");
        report.has("target", "unknown", "whether it is somebody else's: this build does not say what to deploy to");
        assert_eq!(report.bad().len(), 1, "{}", report.inside.log);
    }
    // No path is said to be made that no deploy makes.
    let pull_request = branch(&sandbox).variable("BITBUCKET_PR_ID", "7").without("WORKSPACE_PATH");
    let report = examine(&sandbox, &pull_request.variable("BITBUCKET_BRANCH", "try")).await;
    let part = "/Workspace/Users/ci@example.com/etl/try is where paths in `RUN` begin; nothing says what a deploy";
    report.has("target", "told", part);
    assert!(!report.inside.log.contains("a deploy makes it"), "{}", report.inside.log);
    let step = branch(&sandbox).without("BITBUCKET_BRANCH").variable("BITBUCKET_TAG", "v1").variable("TARGET", "eu");
    let report = examine(&sandbox, &step).await;
    report.has("builds", "told", "this is the build of the tag `v1`; it deploys to the target `eu`");
    // Nobody knows what a `TARGET` that cannot be used was to say.
    examine(&sandbox, &step.variable("TARGET", "a/b")).await.lacks("builds", "told");
}

#[tokio::test(start_paused = true)]
async fn the_local_files_are_judged_as_a_deploy_judges_them() {
    let sandbox = workspace();
    let step = by_token(&sandbox)
        .file(&format!("{CANARY}/a.sql"), "-- Databricks notebook source\nSELECT 1\n")
        .file("plan.json", "{")
        .variable("PLAN", "plan.json");
    let report = examine(&sandbox, &step).await;
    assert!(report.bad().iter().any(|bad| bad.contains("[name-collision]")), "{:?}", report.bad());
    report.has("files", "bad", "PLAN: `plan.json` is not JSON, or ends in the middle");
    let step = by_token(&sandbox).variable("PLAN", "databricks-deploy/plan.json");
    let planned = step
        .file("databricks-deploy/plan.json", "{}")
        .variable("PLAN", "")
        .variable("ACTION", "plan")
        .variable("RUN", "");
    let made = planned.inside(&sandbox).await;
    assert_eq!(made.exit.code(), 0, "{}", made.log);
    let step = planned.variable("ACTION", "doctor").variable("PLAN", "databricks-deploy/plan-2.json");
    let report = examine(&sandbox, &step).await;
    report.has("files", "good", "`plan-2.json` is a plan that a deploy can be held to");
}
