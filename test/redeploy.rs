//! Deploying again: only what changed is sent, what somebody deleted is put back, everything is verified, and whatever
//! goes wrong on the way, the next run ends where an undisturbed one would have.

use crate::support::{
    BEFORE, EXPLORE, STATE, Step, TARGET, Twin, asked, asked_sorted, assert_golden, below, changes, one_of_each, twin,
};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{
    Canned, Fault, FolderRight, Kind, Language, Moment, On, Principal, Running, Sandbox, Trouble,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const JOURNAL: &str = ".databricks-deploy/journal.json";
const DELETE: &str = "/api/2.0/workspace/delete";
const IMPORT: &str = "/api/2.0/workspace/import";
const LIST: &str = "/api/2.0/workspace/list";

/// What a look at the tree of [`one_of_each`] takes.
const LOOK: [&str; 8] = [
    "Me",
    "list .databricks-deploy",
    "export .databricks-deploy/state.json",
    "list .",
    "list ingest",
    "list lib",
    "list lib/data",
    "list reports",
];

/// A fresh clone of the same repository, in a later build.
fn fresh(sandbox: &Sandbox) -> Step {
    one_of_each(Step::deploying(sandbox)).variable("BITBUCKET_BUILD_NUMBER", 43)
}

async fn deployed() -> Sandbox {
    let sandbox = Sandbox::new();
    let ended = one_of_each(Step::deploying(&sandbox)).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    sandbox
}

/// Deploys again without a change, and sees that nothing is sent.
async fn assert_settled(sandbox: &Sandbox, step: &Step) {
    let (since, before) = (sandbox.requests().len(), below(sandbox));
    let ended = step.inside_with(sandbox, 99).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(changes(sandbox, since), Vec::<String>::new(), "{}", ended.log);
    assert_eq!(below(sandbox), before);
}

fn sorted<const N: usize>(mut lines: [&str; N]) -> Vec<String> {
    lines.sort_unstable();
    lines.map(str::to_owned).to_vec()
}

#[tokio::test(start_paused = true)]
async fn a_redeploy_from_a_fresh_clone_sends_no_change() {
    let sandbox = deployed().await;
    let (since, before) = (sandbox.requests().len(), below(&sandbox));
    let ended = fresh(&sandbox).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(asked_sorted(&sandbox, since), sorted(LOOK));
    assert_eq!(below(&sandbox), before, "not even a time moved");
    assert_eq!(ended.outcome.changes.unwrap().untouched, 8);
}

#[test]
fn a_redeploy_says_in_one_line_that_there_is_nothing_to_do() {
    let running = Running::start(Sandbox::new()).unwrap();
    assert_eq!(one_of_each(Step::deploying(running.sandbox())).against(&running).code, 0);
    let ended = fresh(running.sandbox()).against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("redeploy/nothing", &ended.log);
}

/// What is there before the changes of [`changed`].
fn unchanged(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('orders')\n")
        .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 1\n")
        .file("notebooks/ingest/spoken.py", "# Databricks notebook source\nprint(1)\n")
        .file("notebooks/lib/helpers.py", "def help():\n    return 1\n")
        .file("notebooks/lib/rates.csv", "currency,rate\n")
        .notebook("notebooks/lib/report.py")
        .file("notebooks/lib/tool", "a file\n")
        .notebook("notebooks/lib/script.py")
        .file("notebooks/conf", "a = 1\n")
        .file("notebooks/old/x.txt", "x\n")
        .file("notebooks/reports/explore.ipynb", EXPLORE)
        .notebook("notebooks/reports/plain.py")
        .notebook("notebooks/reports/gone.py")
        .notebook("notebooks/area/only.py")
}

/// Something of everything that can change.
fn changed(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .variable("BITBUCKET_BUILD_NUMBER", 43)
        // As it was.
        .file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('orders')\n")
        // Another content, another language.
        .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 2\n")
        .file("notebooks/ingest/spoken.sql", "-- Databricks notebook source\nSELECT 1\n")
        .file("notebooks/lib/rates.csv", "currency,rate\nEUR,1\n")
        // A file becomes a notebook, and the other way round: at another path, and at the same.
        .notebook("notebooks/lib/helpers.py")
        .file("notebooks/lib/report.py", "print('a file now')\n")
        .notebook("notebooks/lib/tool.py")
        .file("notebooks/lib/script", "a file now\n")
        // A file becomes a folder, and the other way round.
        .file("notebooks/conf/a.txt", "a = 1\n")
        .file("notebooks/old", "a file now\n")
        // Jupyter and source.
        .notebook("notebooks/reports/explore.py")
        .file("notebooks/reports/plain.ipynb", EXPLORE)
        // `reports/gone` and `area/only` are not here any more.
        .notebook("notebooks/new/deep/fresh.py")
}

#[tokio::test(start_paused = true)]
async fn a_redeploy_with_changes_sends_exactly_these() {
    let sandbox = Sandbox::new();
    let ended = unchanged(&sandbox).inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let (since, before) = (sandbox.requests().len(), below(&sandbox));
    let step = changed(&sandbox);
    let ended = step.inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    assert_eq!(
        asked_sorted(&sandbox, since),
        sorted([
            "Me",
            "export .databricks-deploy/state.json",
            "list .databricks-deploy",
            "list .",
            "list area",
            "list ingest",
            "list lib",
            "list old",
            "list reports",
            // Nobody else deploys, or has done so meanwhile; and what is ours is noted.
            "import .databricks-deploy/lock-2.json",
            "list .databricks-deploy",
            "export .databricks-deploy/state.json",
            "import .databricks-deploy/journal.json",
            // What another kind takes the place of.
            "delete lib/tool",
            "delete lib/script",
            "delete conf",
            "delete old/x.txt",
            "delete old",
            "mkdirs conf",
            "mkdirs new/deep",
            "import conf/a.txt",
            "import ingest/customers",
            "import ingest/spoken",
            "import lib/helpers",
            "import lib/rates.csv",
            "import lib/report.py",
            "import lib/script",
            "import lib/tool",
            "import new/deep/fresh",
            "import old",
            "import reports/explore",
            "import reports/plain",
            // Verified where something was sent.
            "list .",
            "list conf",
            "list ingest",
            "list lib",
            "list new/deep",
            "list reports",
            // Pruned.
            "delete lib/helpers.py",
            "delete lib/report",
            "delete reports/gone",
            "delete area/only",
            "delete area",
            "import .databricks-deploy/state.json",
            "delete .databricks-deploy/journal.json",
            "delete .databricks-deploy/lock-2.json",
        ])
    );

    let after = below(&sandbox);
    let at = |path: &str| after.get(path).unwrap_or_else(|| panic!("no {path}"));
    assert_eq!((at("ingest/spoken").kind, at("ingest/spoken").language), (Kind::Notebook, Some(Language::Sql)));
    assert!(!at("reports/explore").jupyter && at("reports/plain").jupyter);
    assert_eq!((at("lib/tool").kind, at("lib/script").kind), (Kind::Notebook, Kind::File));
    assert_eq!((at("conf").kind, at("old").kind), (Kind::Directory, Kind::File));
    let kept: Vec<&str> = before
        .iter()
        .filter(|(path, object)| after.get(*path).is_some_and(|now| now.object_id == object.object_id))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(
        kept,
        [
            ".databricks-deploy",
            STATE,
            "ingest",
            "ingest/customers",
            "ingest/orders",
            "ingest/spoken",
            "lib",
            "lib/rates.csv",
            "reports",
            "reports/explore",
            "reports/plain",
        ],
        "what is not replaced by another kind keeps its id"
    );
    // It is what a first deploy of the same makes.
    let first = Sandbox::new();
    assert_eq!(changed(&first).inside(&first).await.exit, Exit::Done);
    assert_eq!(twin(&sandbox), twin(&first));
    assert_settled(&sandbox, &step).await;
}

#[test]
fn a_redeploy_with_changes_says_what_it_changes() {
    let running = Running::start(Sandbox::new()).unwrap();
    assert_eq!(unchanged(running.sandbox()).against(&running).code, 0);
    let ended = changed(running.sandbox()).against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("redeploy/changes", &ended.log);
}

/// A thousand notebooks in fifty folders; in the first ten of these one is as `version` says.
fn thousand(sandbox: &Sandbox, version: u32) -> Step {
    let mut step = Step::deploying(sandbox);
    for folder in 0..50 {
        for notebook in 0..20 {
            let version = if folder < 10 && notebook == 7 { version } else { 1 };
            let content = format!("# Databricks notebook source\nprint({folder}, {notebook}, {version})\n");
            step = step.file(&format!("notebooks/area {folder}/notebook {notebook}.py"), content);
        }
    }
    step
}

#[tokio::test(start_paused = true)]
async fn the_cost_follows_the_change_and_not_the_tree() {
    const FOLDERS: usize = 50 + 1;
    let sandbox = Sandbox::new();
    assert_eq!(thousand(&sandbox, 1).inside(&sandbox).await.exit, Exit::Done);

    let since = sandbox.requests().len();
    assert_eq!(thousand(&sandbox, 1).inside_with(&sandbox, 8).await.exit, Exit::Done);
    let nothing = sandbox.requests().len() - since;
    println!("1,000 notebooks in 50 folders, nothing changed: {nothing} requests");
    assert!(nothing <= 6 + FOLDERS, "{nothing}");
    assert_eq!(nothing, FOLDERS + 3, "who am I, the state, the records, a list a folder");
    assert_eq!(changes(&sandbox, since), Vec::<String>::new());

    let since = sandbox.requests().len();
    assert_eq!(thousand(&sandbox, 2).inside_with(&sandbox, 9).await.exit, Exit::Done);
    let ten = sandbox.requests().len() - since;
    println!("1,000 notebooks in 50 folders, 10 changed: {ten} requests");
    let safe = ["import lock", "list records", "export state", "import journal", "delete journal", "delete lock"].len();
    assert_eq!(ten, nothing + 10 + 10 + 1 + safe, "10 uploads, 10 folders verified, the state, and what keeps it safe");
    assert_eq!(changes(&sandbox, since).len(), 10 + 1);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deleted_is_put_back() {
    type Lost = &'static [&'static str];
    // What is deleted, what is sent because of it, and how many exports it costs beside those of the state.
    let cases: [(Lost, Lost, usize); 7] = [
        (&["/ingest/orders"], &["import ingest/orders"], 0),
        (&["/board.lvdash.json"], &["import board.lvdash.json"], 0),
        (&["/lib"], &["mkdirs lib/data", "import lib/data/rates.csv", "import lib/helpers.py"], 0),
        (&["/.databricks-deploy/state.json"], &[], 8),
        (&["/.databricks-deploy"], &["mkdirs .databricks-deploy"], 8),
        (&["/.databricks-deploy/state.json", "/lib/helpers.py"], &["import lib/helpers.py"], 7),
        (
            &[""],
            &[
                "mkdirs ingest",
                "mkdirs lib/data",
                "mkdirs reports",
                "import ingest/orders",
                "import ingest/customers",
                "import reports/revenue",
                "import reports/forecast",
                "import reports/explore",
                "import lib/helpers.py",
                "import lib/data/rates.csv",
                "import board.lvdash.json",
                "mkdirs .databricks-deploy",
            ],
            0,
        ),
    ];
    let whole = twin(&deployed().await);
    for (lost, sent, exports) in cases {
        let sandbox = deployed().await;
        let before = below(&sandbox);
        for path in lost {
            sandbox.remove(&format!("{TARGET}{path}"));
        }
        let since = sandbox.requests().len();
        let ended = fresh(&sandbox).inside_with(&sandbox, 8).await;
        assert_eq!(ended.exit, Exit::Done, "{lost:?}: {}", ended.log);
        let mut expected: Vec<String> = sent.iter().map(|line| (*line).to_owned()).collect();
        expected.push(format!("import {STATE}"));
        expected.sort();
        let mut changes = changes(&sandbox, since);
        changes.sort();
        assert_eq!(changes, expected, "{lost:?}");
        let asked = asked(&sandbox, since);
        let exported = asked.iter().filter(|line| line.starts_with("export ")).count();
        // One that is there is read once more under the lock.
        let states = if lost.iter().any(|path| path.is_empty() || path.contains(".databricks-deploy")) { 1 } else { 2 };
        assert_eq!(exported, states + exports, "{lost:?}: {asked:?}");
        assert_eq!(twin(&sandbox), whole, "{lost:?}");
        for (path, object) in below(&sandbox) {
            let is_lost = |path: &str| lost.iter().any(|lost| format!("/{path}/").starts_with(&format!("{lost}/")));
            if before.contains_key(&path) && !is_lost(&path) && path != STATE {
                assert_eq!(Some(&object), before.get(&path), "{lost:?}: not touched");
            }
        }
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_settled(&sandbox, &fresh(&sandbox)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_root_that_cannot_be_listed_is_a_matter_of_rights() {
    let sandbox = deployed().await;
    let blind = Principal::user("blind@example.com")
        .in_folder("/Shared/etl", FolderRight::None)
        .in_folder("/Shared/etl/.databricks-deploy", FolderRight::Read);
    let token = sandbox.add_principal(blind);
    let (since, before) = (sandbox.requests().len(), below(&sandbox));
    let ended = fresh(&sandbox).variable("DATABRICKS_TOKEN", token).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_eq!(ended.outcome.problems.first().unwrap().code, Code::PermissionDenied);
    assert_golden("redeploy/invisible", &ended.log);
    assert_eq!(changes(&sandbox, since), Vec::<String>::new());
    assert_eq!(below(&sandbox), before);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_nothing_of_can_be_seen_is_a_matter_of_rights_too() {
    let sandbox = deployed().await;
    let token = sandbox.add_principal(Principal::user("blind@example.com").in_folder("/Shared/etl", FolderRight::None));
    let before = below(&sandbox);
    let ended = fresh(&sandbox).variable("DATABRICKS_TOKEN", token).inside_with(&sandbox, 8).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert!(ended.log.contains("rights on the folder"), "{}", ended.log);
    assert_eq!(below(&sandbox), before);
}

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
        let step = changed(&sandbox).variable("BITBUCKET_STEP_RUN_NUMBER", 2);
        let ended = step.inside_with(&sandbox, 9).await;
        assert_eq!(ended.exit, Exit::Done, "{failing}: {}", ended.log);
        assert_eq!(twin(&sandbox), twin(&undisturbed), "{failing}");
        assert_settled(&sandbox, &step).await;
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
        let step = changed(&sandbox).variable("BITBUCKET_STEP_RUN_NUMBER", 2);
        let ended = step.inside_with(&sandbox, 9).await;
        assert_eq!(ended.exit, Exit::Done, "{failing}: {}", ended.log);
        assert_eq!(twin(&sandbox), twin(&undisturbed), "{failing}");
        assert_settled(&sandbox, &step).await;
    }
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
    let plain = worn().await;
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
            let sandbox = worn().await;
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
async fn one_passing_trouble_at_any_request_of_a_redeploy_changes_nothing() {
    let plain = edited().await;
    let since = plain.requests().len();
    let ended = changed(&plain).inside_with(&plain, 8).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let total = (plain.requests().len() - since) as u64;
    let (expected, drifted): (Twin, _) = (twin(&plain), ended.outcome.drifted);
    assert_eq!(drifted.len(), 4);
    let state: Value = serde_json::from_slice(&below(&plain)[STATE].bytes).unwrap();
    let recorded = |state: &Value| -> BTreeMap<String, Value> {
        let files = state["files"].as_object().unwrap().iter();
        files.map(|(path, record)| (path.clone(), record["digest"].clone())).collect()
    };
    let error = |status, code| Canned::error(status, code, "Something passing.");
    let troubles = [
        Trouble::Answer(Moment::Before, error(429, "REQUEST_LIMIT_EXCEEDED")),
        Trouble::Answer(Moment::Before, error(503, "TEMPORARILY_UNAVAILABLE")),
        Trouble::Answer(Moment::After, error(503, "TEMPORARILY_UNAVAILABLE")),
        Trouble::Answer(Moment::After, error(500, "INTERNAL_ERROR")),
        Trouble::Drop(Moment::Before),
        Trouble::Drop(Moment::After),
    ];
    println!("a redeploy of {total} requests, under {} troubles at each", troubles.len());
    for trouble in troubles {
        for request in 1..=total {
            let sandbox = edited().await;
            sandbox.fault(Fault::nth(On::any(), request, trouble.clone()));
            let step = changed(&sandbox);
            let ended = step.inside_with(&sandbox, 8).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?} at request {request}: {}", ended.log);
            assert_eq!(twin(&sandbox), expected, "{trouble:?} at request {request}");
            let now: Value = serde_json::from_slice(&below(&sandbox)[STATE].bytes).unwrap();
            assert_eq!(recorded(&now), recorded(&state), "{trouble:?} at request {request}");
            assert_eq!(ended.outcome.drifted, drifted, "{trouble:?} at request {request}");
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
    // Our records, the target, our records under the lock; the fourth listing is the one after the uploads.
    let nothing = Canned { status: 200, headers: Vec::new(), body: "{}".into() };
    sandbox.put_folder(TARGET);
    sandbox.fault(Fault::nth(On::get(LIST), 4, Trouble::Answer(Moment::Before, nothing)));
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_golden("redeploy/not_verified_many", &ended.log);
    assert!(!below(&sandbox).contains_key(STATE));
}
