//! The target's folder, its owner, and the rights on it.

use super::*;
use databricks_sandbox::{Canned, Fault, FolderRight, Moment, On, PermissionLevel, Trouble};

const ACL: &str = "/api/2.0/permissions/directories";

/// Who may do what with the folder, by the workspace's word.
fn acl(sandbox: &Sandbox, entries: &Value) {
    let body = json!({ "access_control_list": entries }).to_string();
    let answer = Canned { status: 200, headers: Vec::new(), body: body.into() };
    sandbox.fault(Fault::always(On::get(ACL), Trouble::Answer(Moment::Before, answer)));
}

fn entry(field: &str, name: &str, level: &str) -> Value {
    json!({ field: name, "all_permissions": [{ "permission_level": level, "inherited": false }] })
}

async fn trusted(sandbox: &Sandbox) -> Report {
    trust(sandbox);
    examine(sandbox, &keyless(sandbox)).await
}

#[tokio::test(start_paused = true)]
async fn a_right_is_certain_missing_or_not_known() {
    let own = |level: &str| json!([entry("service_principal_name", ID, level)]);
    let group = |name: &str, level: &str| json!([entry("group_name", name, level)]);
    for (entries, verdict, part) in [
        (own("CAN_MANAGE"), "good", "this identity may write to /Workspace/Shared/etl (CAN_MANAGE)"),
        (group("users", "CAN_MANAGE"), "good", "(CAN_MANAGE, as a member of the group `users`)"),
        (own("CAN_EDIT"), "unknown", "whether this identity may make and delete objects in /Workspace/Shared/etl"),
        (own("CAN_RUN"), "bad", "/Workspace/Shared/etl: this identity may not write here: it has CAN_RUN"),
        (json!([]), "bad", "/Workspace/Shared/etl: this identity may not write here"),
        (group("team", "CAN_MANAGE"), "unknown", "only by the group `team`"),
        (own("CAN_REIGN"), "unknown", "only by CAN_REIGN of the service principal"),
        // It is none of them: the workspace names the groups it is in.
        (group("admins", "CAN_MANAGE"), "bad", "this identity may not write here"),
    ] {
        let sandbox = workspace();
        acl(&sandbox, &entries);
        trusted(&sandbox).await.has("target", verdict, part);
    }
    // Whoever may not see the list may still be on it.
    let sandbox = workspace();
    let answer = Canned::error(403, "PERMISSION_DENIED", "no");
    sandbox.fault(Fault::always(On::get(ACL), Trouble::Answer(Moment::Before, answer)));
    let report = trusted(&sandbox).await;
    report.has("target", "unknown", "it may not see the folder's permissions");
    report.has("runs", "unknown", "this identity may not see the folder's permissions");
    // What is wrong with the question is no answer.
    let sandbox = workspace();
    let answer = Canned::error(400, "INVALID_PARAMETER_VALUE", "odd");
    sandbox.fault(Fault::always(On::get(ACL), Trouble::Answer(Moment::Before, answer)));
    trusted(&sandbox).await.has("target", "bad", "INVALID_PARAMETER_VALUE: odd");
}

#[tokio::test(start_paused = true)]
async fn the_sandbox_and_the_doctor_agree_on_who_may_write() {
    for (right, verdict) in [(FolderRight::Read, "bad"), (FolderRight::Write, "good")] {
        let sandbox = workspace_with(|principal| principal.in_folder(ROOT, right));
        trust(&sandbox);
        let report = examine(&sandbox, &keyless(&sandbox)).await;
        report.has("target", verdict, "this identity may");
        let deployed = keyless(&sandbox).variable("ACTION", "deploy").variable("RUN", "").inside(&sandbox).await;
        assert_eq!(deployed.exit.code() == 0, verdict == "good", "{}", deployed.log);
        if verdict == "bad" {
            // The same finding, with what the workspace said when it was asked.
            let of_run = &deployed.outcome.problems[0];
            let found = report.has("target", "bad", "this identity may not write here");
            assert!(of_run.message.starts_with("this identity may not write here: "), "{of_run:?}");
            assert_eq!((found.code, &found.hint), (Some(of_run.code), &of_run.hint));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_not_there_is_made_in_the_nearest_one_that_is() {
    let sandbox = workspace();
    trust(&sandbox);
    let step = keyless(&sandbox).variable("WORKSPACE_PATH", "/Workspace/Shared/new/deep/etl");
    let report = examine(&sandbox, &step).await;
    report.has("target", "told", "/Workspace/Shared/new/deep/etl is not there yet");
    report.has("target", "good", "this identity may write to /Workspace/Shared (CAN_MANAGE");
    // A folder that cannot be seen may be somebody's, and locked, all the same.
    assert!(
        !report.inside.log.contains("nobody's") && !report.inside.log.contains("its lock"),
        "{}",
        report.inside.log
    );
    // So may those read it as whom the jobs run.
    report.has("runs", "good", "as whom job nightly-etl");
    assert_eq!(report.inside.outcome.workspace_path.as_deref(), Some("/Workspace/Shared/new/deep/etl"));
    assert!(report.bad().is_empty(), "{}", report.inside.log);
    let sandbox = workspace_with(|principal| principal.in_folder("/Shared", FolderRight::Read));
    trust(&sandbox);
    let report = examine(&sandbox, &step).await;
    report.has("target", "bad", "/Workspace/Shared: this identity may not write here");
    // By default it goes to one's own home.
    let sandbox = workspace();
    trust(&sandbox);
    let report = examine(&sandbox, &keyless(&sandbox).without("WORKSPACE_PATH")).await;
    report.has("target", "good", &format!("this identity may write to /Workspace/Users/{ID} (CAN_MANAGE)"));
}

#[tokio::test(start_paused = true)]
async fn whose_it_is_is_told_as_a_deploy_tells_it() {
    let sandbox = workspace();
    trust(&sandbox);
    let step = keyless(&sandbox);
    examine(&sandbox, &step).await.has("target", "good", "it is nobody's yet");
    let step = step.variable("ACTION", "deploy").variable("RUN", "");
    let deployed = step.inside(&sandbox).await;
    assert_eq!(deployed.exit.code(), 0, "{}", deployed.log);
    let before = sandbox.requests().len();
    let again = step.variable("ACTION", "doctor").inside(&sandbox).await;
    let asked: Vec<String> = sandbox.requests().iter().skip(before).map(|request| request.method.to_string()).collect();
    assert!(asked.iter().filter(|method| *method != "GET").count() == 1, "one token: {asked:?}");
    let report = Report { inside: again };
    let own = report.has("target", "good", "it is this repository's own, last by build 42");
    assert_eq!(own.link.as_deref(), Some("https://bitbucket.org/acme/etl/pipelines/results/42"));

    for (state, verdict, part) in [
        ("{", "odd", "the target's state ends in the middle; it counts as lost"),
        (r#"{"schema":99}"#, "bad", "the target's state was written with schema 99"),
    ] {
        let sandbox = workspace();
        sandbox.put_file(&format!("{ROOT}/.databricks-deploy/state.json"), state);
        trusted(&sandbox).await.has("target", verdict, part);
    }
    let sandbox = workspace();
    sandbox.remove(ROOT);
    sandbox.put_file(ROOT, "a file");
    trusted(&sandbox).await.has("target", "bad", "/Workspace/Shared/etl: is a file, and the target is a folder");
}

#[tokio::test(start_paused = true)]
async fn without_files_nothing_is_asked_of_the_folder() {
    let sandbox = workspace();
    sandbox.give(ROOT, "users", PermissionLevel::Read);
    let report = examine(&sandbox, &by_token(&sandbox).without("LOCAL_PATH").variable("PIPELINES_JWT_TOKEN", "")).await;
    report.has("target", "told", "nothing is deployed to it, since `LOCAL_PATH` is not set");
    report.lacks("files", "good");
    assert!(report.bad().is_empty(), "{}", report.inside.log);
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_lock_is_told_and_until_when() {
    let lock = |expires: Option<u64>, name: &str| {
        let mut lock = json!({
            "schema": 1, "nonce": "0123", "step": {},
            "owner": { "repository": name, "repository_uuid": name, "local_path": CANARY, "target": "production" },
            "held_by": { "build": "41", "link": "https://bitbucket.org/acme/etl/pipelines/results/41" },
        });
        lock["expires_at"] = json!(expires);
        lock.to_string()
    };
    // 2026-03-02 09:00:00 UTC.
    let now = 1_772_442_000;
    let ours = "5f5e8b6a-0000-4000-8000-000000000001";
    for (text, verdict, part) in [
        (
            lock(Some(now + 100), ours),
            "told",
            "its lock is held by build 41 until 2026-03-02 09:01:40 UTC, if it is not renewed",
        ),
        (
            lock(Some(now - 100), ours),
            "good",
            "its lock is free: build 41 left it, and its lease ended at 2026-03-02 08:58:20 UTC",
        ),
        (lock(Some(now + 100), "other"), "told", "its lock is held by build 41 of `other` ("),
        (lock(None, ours), "unknown", "until when its lock is held, by build 41"),
        (
            "{".to_owned(),
            "unknown",
            "by somebody unknown (/Workspace/Shared/etl/.databricks-deploy/lock-7.json ends in the middle)",
        ),
    ] {
        let sandbox = workspace();
        sandbox.put_file(&format!("{ROOT}/.databricks-deploy/lock-7.json"), text);
        let report = trusted(&sandbox).await;
        let found = report.has("target", verdict, part);
        let link = (!part.contains("unknown")).then_some("https://bitbucket.org/acme/etl/pipelines/results/41");
        assert_eq!(found.link.as_deref(), link);
        assert!(report.bad().is_empty(), "{}", report.inside.log);
    }
    trusted(&workspace()).await.has("target", "good", "its lock is free");
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_there_and_cannot_be_seen_is_told_as_a_deploy_tells_it() {
    let sandbox = workspace();
    trust(&sandbox);
    let step = keyless(&sandbox).variable("RUN", "").variable("ACTION", "deploy");
    let deployed = step.inside(&sandbox).await;
    assert_eq!(deployed.exit.code(), 0, "{}", deployed.log);
    // The folder cannot be seen any longer, and by its path the state can.
    let gone = Canned::error(404, "RESOURCE_DOES_NOT_EXIST", "Path doesn't exist.");
    sandbox
        .fault(Fault::always(On::get("/api/2.0/workspace/get-status"), Trouble::Answer(Moment::Before, gone.clone())));
    sandbox.fault(Fault::always(On::get("/api/2.0/workspace/list"), Trouble::Answer(Moment::Before, gone)));
    let deployed = step.inside(&sandbox).await;
    let step = step.variable("ACTION", "doctor");
    let report = Report { inside: step.inside(&sandbox).await };
    let found = report.has("target", "bad", "was deployed to before, and cannot be listed by this identity");
    let of_run = &deployed.outcome.problems[0];
    assert_eq!((&found.message, &found.hint), (&of_run.message, &of_run.hint));
}

#[tokio::test(start_paused = true)]
async fn no_deploy_makes_somebodys_home_folder() {
    // An admin may write into the folder of all homes, and not make one there; others do not see those of others.
    let [nobodys, anothers] = ["nobody@example.com", "ci@example.com"].map(|name| format!("/Workspace/Users/{name}"));
    for (admin, home) in [(true, &nobodys), (false, &anothers), (false, &nobodys)] {
        let sandbox = workspace();
        trust(&sandbox);
        let step = if admin { by_token(&sandbox) } else { keyless(&sandbox) };
        let step = step.variable("WORKSPACE_PATH", format!("{home}/deep/etl"));
        let report = examine(&sandbox, &step).await;
        let part = format!("{home}: this home folder is not there, or this identity may not see it");
        let found = report.has("target", "bad", &part);
        // To give rights on all homes is no remedy.
        assert!(!found.hint.as_deref().unwrap().contains("one above it"), "{found:?}");
        assert_eq!(report.bad().len(), 1, "{}", report.inside.log);
        assert!(!report.inside.log.contains("this identity may write to"), "{}", report.inside.log);
        let deployed = step.variable("ACTION", "deploy").variable("RUN", "").inside(&sandbox).await;
        assert_eq!(deployed.exit.code(), 3, "{}", deployed.log);
        if admin {
            let of_run = &deployed.outcome.problems[0];
            assert!(of_run.message.starts_with(&format!("{}: ", found.message)), "{of_run:?}");
            assert_eq!((of_run.place.as_deref(), &of_run.hint), (Some(home.as_str()), &found.hint));
        }
    }
    // One's own may come when it is needed: nobody has told.
    let sandbox = workspace();
    trust(&sandbox);
    let gone = Canned::error(404, "RESOURCE_DOES_NOT_EXIST", "Path doesn't exist.");
    sandbox.fault(Fault::times(On::get("/api/2.0/workspace/get-status"), 3, Trouble::Answer(Moment::Before, gone)));
    let step = keyless(&sandbox).variable("WORKSPACE_PATH", format!("/Workspace/Users/{ID}/etl/new"));
    let report = examine(&sandbox, &step).await;
    report.has("target", "unknown", &format!("whether /Workspace/Users/{ID} can be made"));
    assert!(report.bad().is_empty(), "{}", report.inside.log);
}
