//! What the sweeps found, each in a test of its own.

use crate::support::{Step, TARGET, assert_golden, below};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Sandbox, Trouble};
use serde_json::json;
use std::time::Duration;

const IMPORT: &str = "/api/2.0/workspace/import";
const DELETE: &str = "/api/2.0/workspace/delete";

/// One answer that does not come took longer than the whole release was given.
#[tokio::test(start_paused = true)]
async fn one_lost_answer_leaves_no_lock_behind() {
    for moment in [Moment::Before, Moment::After] {
        let sandbox = Sandbox::new();
        // The journal is deleted first, then the lock.
        let silence = Trouble::Delay(moment, Duration::from_secs(600));
        sandbox.fault(Fault::nth(On::post(DELETE), 2, silence));
        let ended = Step::deploying(&sandbox).notebook("notebooks/a.py").inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert!(ended.outcome.warnings.is_empty(), "{}", ended.log);
        let left: Vec<String> = below(&sandbox).into_keys().filter(|path| path.contains("lock-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// It was tried again without a pause, hundreds of times a second, until `TIMEOUT`.
#[tokio::test(start_paused = true)]
async fn a_lock_that_exists_and_is_not_to_be_seen_is_tried_for_patiently() {
    let sandbox = Sandbox::new();
    let exists = Canned::error(409, "RESOURCE_ALREADY_EXISTS", "The path already exists.");
    sandbox.fault(Fault::always(On::post(IMPORT), Trouble::Answer(Moment::Before, exists)));
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py").variable("TIMEOUT", "10m");
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
    assert_eq!(ended.outcome.problems[0].code, Code::Locked);
    assert_golden("lock/not_to_be_seen", &ended.log);
    let tried = sandbox.requests().iter().filter(|request| request.path == IMPORT).count();
    assert!((100..=125).contains(&tried), "{tried} attempts in ten minutes");
}

/// `SHOW_OUTPUT` was asked for, and nothing was said of an output that could not be had.
#[tokio::test(start_paused = true)]
async fn an_output_that_cannot_be_had_is_told() {
    let sandbox = Sandbox::new();
    sandbox.put_notebook(&format!("{TARGET}/a"), Language::Python, "");
    let task = json!({ "task_key": "main", "notebook_task": { "notebook_path": format!("{TARGET}/a") } });
    let job = sandbox.create_job(json!({ "name": "nightly", "tasks": [task] }));
    let down = Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Not now.");
    let output = On::get("/api/2.2/jobs/runs/get-output");
    sandbox.fault(Fault::always(output, Trouble::Answer(Moment::Before, down)));
    let ended = Step::running(&sandbox, job).variable("SHOW_OUTPUT", "true").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let told = &ended.outcome.warnings[0];
    assert_eq!(told.code, Code::ServerError);
    assert!(told.message.starts_with("the output of its task main cannot be read: "), "{told:?}");
}

/// A page in the middle was taken for the sign of a wrong address. At the first request it still is.
#[tokio::test(start_paused = true)]
async fn a_page_in_the_middle_passes_and_a_first_one_does_not() {
    let page = Trouble::Answer(Moment::Before, Canned::html(200, "<html><title>Sign in</title></html>"));
    for (request, exit, asked) in [(1, Exit::Identity, 1), (2, Exit::Done, 0), (5, Exit::Done, 0)] {
        let sandbox = Sandbox::new();
        sandbox.fault(Fault::nth(On::any(), request, page.clone()));
        let ended = Step::deploying(&sandbox).notebook("notebooks/a.py").inside(&sandbox).await;
        assert_eq!(ended.exit, exit, "{request}: {}", ended.log);
        assert!(asked == 0 || sandbox.requests().len() == asked, "nothing is asked of a wrong host again");
    }
}
