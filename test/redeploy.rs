//! Deploying again: only what changed is sent, what somebody deleted is put back, and it costs no more than that.

mod disturbed;

use crate::support::{
    EXPLORE, STATE, Step, TARGET, asked, asked_sorted, assert_golden, below, changes, one_of_each, twin,
};
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_sandbox::{FolderRight, Kind, Language, Principal, Running, Sandbox};

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
            "list .",
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
    let looks = ["list records", "list root", "export state"].len();
    let safe = looks + ["import lock", "import journal", "delete journal", "delete lock"].len();
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
