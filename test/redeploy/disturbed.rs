//! Redeploys that meet trouble: nothing counts as done that was not seen to be there, what cannot be undone comes last, and
//! the next run ends where an undisturbed one would have. (Every trouble at every request: see the sweeps.)

use super::{assert_settled, changed, deployed, fresh, unchanged};
use crate::support::{BEFORE, EXPLORE, STATE, Step, TARGET, asked, assert_golden, below, changes, twin};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{Canned, Fault, Language, Moment, On, Sandbox, Trouble};
use std::time::Duration;

const JOURNAL: &str = ".databricks-deploy/journal.json";
const DELETE: &str = "/api/2.0/workspace/delete";
const IMPORT: &str = "/api/2.0/workspace/import";
const LIST: &str = "/api/2.0/workspace/list";

/// Says that it has done what it was asked for, and has done nothing.
fn lie() -> Trouble {
    Trouble::Answer(Moment::Before, Canned { status: 200, headers: Vec::new(), body: "{}".into() })
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_wrote_nothing_is_no_success() {
    for (name, file, content, place) in [
        ("new", "notebooks/ingest/new.py", "# Databricks notebook source\nprint(1)\n", "ingest/new"),
        ("file", "notebooks/lib/data/rates.csv", "currency,rate\nEUR,1\n", "lib/data/rates.csv"),
        ("file_of_the_same_size", "notebooks/lib/data/rates.csv", "currency,RATE\n", "lib/data/rates.csv"),
        ("notebook", "notebooks/ingest/orders.py", "# Databricks notebook source\nprint('o')\n", "ingest/orders"),
        ("dashboard", "notebooks/board.lvdash.json", r#"{"pages":[1]}"#, "board.lvdash.json"),
    ] {
        let sandbox = deployed().await;
        let before = below(&sandbox);
        let step = fresh(&sandbox).file(file, content);
        std::fs::remove_file(step.root().join("notebooks/reports/forecast.r")).unwrap();
        sandbox.fault(Fault::nth(On::post(IMPORT), BEFORE + 1, lie()));
        let ended = step.inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Deploy, "{name}: {}", ended.log);
        let problems = &ended.outcome.problems;
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        assert_eq!(problems[0].code, Code::NotVerified, "{name}");
        assert_eq!(problems[0].place, Some(format!("{TARGET}/{place}")), "{name}");
        assert_golden(&format!("redeploy/not_verified_{name}"), &ended.log);
        let mut now = below(&sandbox);
        assert!(now.remove(JOURNAL).is_some(), "{name}: whose it would be, is noted");
        assert_eq!(now, before, "{name}: nothing is pruned, and no state is written");

        let ended = step.inside_with(&sandbox, 9).await;
        assert_eq!(ended.exit, Exit::Done, "{name}: {}", ended.log);
        let after = below(&sandbox);
        assert!(after.contains_key(place) && !after.contains_key("reports/forecast"), "{name}");
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_a_success_only_where_the_content_proves_it() {
    // Longer than the patience with one request, shorter than that with the lock, whose lease ends meanwhile.
    const OUTAGE: Duration = Duration::from_secs(302);
    for (file, content) in [
        ("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('other')\n"),
        ("notebooks/lib/data/rates.csv", "currency,rate\nEUR,1\n"),
        ("notebooks/reports/explore.ipynb", &EXPLORE.replace("print(42)", "print(43)")),
        ("notebooks/new.py", "# Databricks notebook source\nprint('new')\n"),
    ] {
        for moment in [Moment::Before, Moment::After] {
            let sandbox = deployed().await;
            let (since, state) = (sandbox.requests().len(), below(&sandbox)[STATE].clone());
            // The first attempt has no answer, and all later ones are refused while the outage lasts.
            let error = Canned::error(500, "INTERNAL_ERROR", "The service is at fault.");
            let (first, later) = (Trouble::Drop(moment), Trouble::Answer(Moment::Before, error));
            sandbox.fault(Fault::nth(On::post(IMPORT), BEFORE + 1, first));
            sandbox.fault(Fault { on: On::post(IMPORT), skip: BEFORE + 1, times: None, trouble: later });
            let other = sandbox.clone();
            let outage = tokio::spawn(async move {
                tokio::time::sleep(OUTAGE).await;
                other.clear_faults();
            });
            let step = fresh(&sandbox).file(file, content);
            let ended = step.inside_with(&sandbox, 8).await;
            outage.await.unwrap();
            let arrived = sandbox.requests()[since..].iter().any(|request| {
                let path = request.part("path").unwrap_or_default();
                request.status == Some(200) && path.starts_with(TARGET) && !path.contains(".databricks-deploy")
            });
            assert!(!arrived, "{file}: patience ended before the outage did");
            if moment == Moment::Before {
                assert_eq!(ended.exit, Exit::Deploy, "{file}: {}", ended.log);
                assert_eq!(below(&sandbox)[STATE], state, "{file}");
                assert_eq!(step.inside_with(&sandbox, 9).await.exit, Exit::Done, "{file}");
            } else {
                assert_eq!(ended.exit, Exit::Done, "{file}: {}", ended.log);
                // When it was written nobody knows, so that the next deploy looks once more for somebody's edit.
                let since = sandbox.requests().len();
                let ended = step.inside_with(&sandbox, 9).await;
                assert_eq!(ended.exit, Exit::Done, "{file}: {}", ended.log);
                assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "{file}: {}", ended.log);
            }
            assert_settled(&sandbox, &step).await;
        }
    }
}

/// An upload over what is there may lose a race against itself, again and again.
#[tokio::test(start_paused = true)]
async fn that_an_upload_exists_already_is_a_success_only_where_the_content_proves_it() {
    for (moment, exit) in [(Moment::Before, Exit::Deploy), (Moment::After, Exit::Done)] {
        let sandbox = deployed().await;
        let exists = Canned::error(409, "ALREADY_EXISTS", "Node with name orders already exists.");
        let trouble = Trouble::Answer(moment, exists);
        // As often as it is tried.
        sandbox.fault(Fault { on: On::post(IMPORT), skip: BEFORE, times: Some(5), trouble });
        let step = fresh(&sandbox).file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('other')\n");
        let ended = step.inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, exit, "{moment:?}: {}", ended.log);
        let problems: Vec<Code> = ended.outcome.problems.iter().map(|problem| problem.code).collect();
        assert_eq!(problems, if exit == Exit::Done { vec![] } else { vec![Code::UnexpectedAnswer] }, "{}", ended.log);
        sandbox.clear_faults();
        assert_eq!(step.inside_with(&sandbox, 9).await.exit, Exit::Done);
        assert!(below(&sandbox)["ingest/orders"].bytes.ends_with(b"print('other')\n"));
        assert_settled(&sandbox, &step).await;
    }
}

/// A target in which somebody edited two objects that [`changed`] changes, one that it deletes and one that it replaces.
async fn edited() -> Sandbox {
    let sandbox = Sandbox::new();
    assert_eq!(unchanged(&sandbox).inside(&sandbox).await.exit, Exit::Done);
    let edit = |path: &str, content: &'static str| {
        sandbox.put_notebook(&format!("{TARGET}/{path}"), Language::Python, content);
    };
    edit("ingest/orders", "# Databricks notebook source\nprint('edited in the workspace')\n");
    edit("reports/gone", "# Databricks notebook source\nprint('edited, and to be pruned')\n");
    edit("lib/script", "# Databricks notebook source\nprint('edited, and to be replaced')\n");
    sandbox.put_file(&format!("{TARGET}/lib/rates.csv"), "currency,rate\nUSD,2\n");
    sandbox.put_notebook(&format!("{TARGET}/mine"), Language::Python, "# Databricks notebook source\nprint('mine')\n");
    sandbox
}

#[tokio::test(start_paused = true)]
async fn backups_come_first_and_deletions_last() {
    let sandbox = edited().await;
    let since = sandbox.requests().len();
    let ended = changed(&sandbox).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let asked = asked(&sandbox, since);
    let of = |what: &dyn Fn(&str) -> bool| -> (usize, usize) {
        let mut at = asked.iter().enumerate().filter(|(_, line)| what(line)).map(|(index, _)| index);
        let first = at.next().unwrap_or_else(|| panic!("none in {asked:#?}"));
        (first, at.last().unwrap_or(first))
    };
    let is_copy = |line: &str| line.contains(".databricks-deploy/drift/");
    let replaced = ["delete lib/tool", "delete lib/script", "delete conf", "delete old/x.txt", "delete old"];
    let is_upload = |line: &str| line.starts_with("import ") && !line.contains(".databricks-deploy");
    let pruned =
        ["delete lib/helpers.py", "delete lib/report", "delete reports/gone", "delete area/only", "delete area"];
    let copies = of(&is_copy);
    let replacing = of(&|line| replaced.contains(&line));
    let uploads = of(&is_upload);
    let pruning = of(&|line| pruned.contains(&line));
    let verifying = asked.iter().rposition(|line| line.starts_with("list ")).unwrap();
    assert!(copies.1 < replacing.0, "{asked:#?}");
    assert!(replacing.1 < uploads.0, "{asked:#?}");
    assert!(uploads.1 < verifying && verifying < pruning.0, "{asked:#?}");
    let end =
        [format!("import {STATE}"), format!("delete {JOURNAL}"), "delete .databricks-deploy/lock-2.json".to_owned()];
    assert_eq!(asked[asked.len() - 3..], end, "{asked:#?}");
    assert_eq!(pruning.1, asked.len() - 4, "{asked:#?}");
}

/// The next attempt of the step ends where an undisturbed deploy did.
async fn assert_another_attempt_finishes(sandbox: &Sandbox, undisturbed: &Sandbox, failing: u64) {
    let step = changed(sandbox).variable("BITBUCKET_STEP_RUN_NUMBER", 2);
    let ended = step.inside_with(sandbox, 9).await;
    assert_eq!(ended.exit, Exit::Done, "{failing}: {}", ended.log);
    assert_eq!(twin(sandbox), twin(undisturbed), "{failing}");
    assert_settled(sandbox, &step).await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_upload_prunes_nothing_and_the_next_run_finishes() {
    let undisturbed = edited().await;
    let ended = changed(&undisturbed).inside_with(&undisturbed, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let uploads = changes(&undisturbed, 0).iter().filter(|line| line.starts_with("import ")).count();
    assert!(uploads > 20);

    let refused = Canned::error(400, "INVALID_PARAMETER_VALUE", "The content is not acceptable.");
    // The first four imports are copies.
    for failing in 5..=17 {
        let sandbox = edited().await;
        let before = below(&sandbox);
        let trouble = Trouble::Answer(Moment::Before, refused.clone());
        sandbox.fault(Fault::nth(On::post(IMPORT), BEFORE + failing, trouble));
        let ended = changed(&sandbox).inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Deploy, "{failing}: {}", ended.log);
        let after = below(&sandbox);
        for kept in ["lib/helpers.py", "lib/report", "reports/gone", "area/only", "area", STATE, "mine"] {
            assert_eq!(after.get(kept), before.get(kept), "{failing}: {kept}");
        }
        assert_another_attempt_finishes(&sandbox, &undisturbed, failing).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_deletion_writes_no_state_and_the_next_run_finishes() {
    let undisturbed = edited().await;
    let ended = changed(&undisturbed).inside_with(&undisturbed, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let deletions = changes(&undisturbed, 0).iter().filter(|line| line.starts_with("delete ")).count() as u64;
    assert_eq!(deletions, 10);
    for failing in 1..=deletions {
        let sandbox = edited().await;
        let state = below(&sandbox)[STATE].clone();
        let refused = Trouble::Answer(Moment::Before, Canned::error(403, "PERMISSION_DENIED", "Not this one."));
        sandbox.fault(Fault::nth(On::post(DELETE), failing, refused));
        let ended = changed(&sandbox).inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Deploy, "{failing}: {}", ended.log);
        assert_eq!(below(&sandbox)[STATE], state, "{failing}");
        assert_another_attempt_finishes(&sandbox, &undisturbed, failing).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_somebody_fills_while_it_is_emptied_stays() {
    let sandbox = deployed().await;
    let step = fresh(&sandbox);
    std::fs::remove_dir_all(step.root().join("notebooks/reports")).unwrap();
    // Its objects go first, all at once, and 40 seconds later the folder.
    let late = Trouble::Delay(Moment::Before, Duration::from_secs(40));
    sandbox.fault(Fault::always(On::post(DELETE), late));
    let theirs = async {
        while below(&sandbox).contains_key("reports/explore") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        sandbox.put_file(&format!("{TARGET}/reports/theirs.txt"), "theirs\n");
    };
    let (ended, ()) = tokio::join!(step.inside_with(&sandbox, 8), theirs);
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let left: Vec<String> = below(&sandbox).into_keys().filter(|path| path.starts_with("reports")).collect();
    assert_eq!(left, ["reports", "reports/theirs.txt"], "{}", ended.log);
    sandbox.clear_faults();
    assert_settled(&sandbox, &step).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_that_could_not_be_written_costs_a_comparison_and_no_copy() {
    let undisturbed = edited().await;
    let since = undisturbed.requests().len();
    assert_eq!(changed(&undisturbed).inside_with(&undisturbed, 8).await.exit, Exit::Done);
    let imports = changes(&undisturbed, since).iter().filter(|line| line.starts_with("import ")).count() as u64;

    let sandbox = edited().await;
    let refused = Canned::error(403, "PERMISSION_DENIED", "Not this one.");
    sandbox.fault(Fault::nth(On::post(IMPORT), BEFORE + imports, Trouble::Answer(Moment::Before, refused)));
    let ended = changed(&sandbox).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_eq!(ended.outcome.problems[0].place, Some(format!("{TARGET}/{STATE}")));
    let mut now = twin(&sandbox);
    now.retain(|(path, ..)| path != JOURNAL);
    assert_eq!(now, twin(&undisturbed), "all but the state is done");
    assert!(below(&sandbox).contains_key(JOURNAL), "and whose it is, is noted");

    let since = sandbox.requests().len();
    let step = changed(&sandbox).variable("BITBUCKET_STEP_RUN_NUMBER", 2);
    let ended = step.inside_with(&sandbox, 9).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(changes(&sandbox, since), [format!("import {STATE}")]);
    assert!(ended.outcome.drifted.is_empty(), "what was sent is no drift: {}", ended.log);
    assert_settled(&sandbox, &step).await;
}

/// A target that lost its state, a folder and an object, and in which somebody edited two others.
async fn worn() -> Sandbox {
    let sandbox = deployed().await;
    for lost in ["/.databricks-deploy/state.json", "/lib/data", "/ingest/customers"] {
        sandbox.remove(&format!("{TARGET}{lost}"));
    }
    let edited = "# Databricks notebook source\nprint('edited')\n";
    sandbox.put_notebook(&format!("{TARGET}/ingest/orders"), Language::Python, edited);
    sandbox.put_file(&format!("{TARGET}/lib/helpers.py"), "edited\n");
    sandbox
}

#[tokio::test(start_paused = true)]
async fn one_passing_trouble_at_any_request_of_a_repair_changes_nothing() {
    let worn = worn().await;
    let plain = worn.fork();
    let since = plain.requests().len();
    let ended = fresh(&plain).inside_with(&plain, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let total = (plain.requests().len() - since) as u64;
    for trouble in [
        Trouble::Answer(Moment::Before, Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Something passing.")),
        Trouble::Answer(Moment::After, Canned::error(504, "DEADLINE_EXCEEDED", "Something passing.")),
        Trouble::Drop(Moment::Before),
        Trouble::Drop(Moment::After),
        Trouble::Truncate(3),
    ] {
        for request in 1..=total {
            let sandbox = worn.fork();
            sandbox.fault(Fault::nth(On::any(), request, trouble.clone()));
            let step = fresh(&sandbox);
            let ended = step.inside_with(&sandbox, 8).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?} at request {request}: {}", ended.log);
            assert_eq!(twin(&sandbox), twin(&plain), "{trouble:?} at request {request}");
            assert_settled(&sandbox, &step).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_does_not_show_what_was_sent_names_the_first_of_many() {
    let sandbox = Sandbox::new();
    let mut step = Step::deploying(&sandbox);
    for number in 0..15 {
        step = step.notebook(&format!("notebooks/n{number:02}.py"));
    }
    // Our records and the root, without the lock and with it; the fifth listing is the one after the uploads.
    let nothing = Canned { status: 200, headers: Vec::new(), body: "{}".into() };
    sandbox.put_folder(TARGET);
    sandbox.fault(Fault::nth(On::get(LIST), 5, Trouble::Answer(Moment::Before, nothing)));
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_golden("redeploy/not_verified_many", &ended.log);
    assert!(!below(&sandbox).contains_key(STATE));
}
