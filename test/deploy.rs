//! Deploying: what arrives, what it costs, and what is said when it does not arrive.

use crate::support::{BEFORE, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Canned, Fault, FolderRight, Kind, Language, Moment, On, Principal, RateLimit, Running, Sandbox, TokenState, Trouble,
};
use std::time::Duration;

const IMPORT: &str = "/api/2.0/workspace/import";

/// One of each kind, in folders.
fn tree(step: Step) -> Step {
    step.file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('orders')\n")
        .file("notebooks/ingest/customers.scala", "// Databricks notebook source\nval a = 1\n")
        .file("notebooks/reports/revenue.sql", "-- Databricks notebook source\nSELECT 1\n")
        .file("notebooks/reports/forecast.r", "# Databricks notebook source\nx <- 1\n")
        .file(
            "notebooks/reports/explore.ipynb",
            r#"{"cells":[],"metadata":{"language_info":{"name":"python"}},"nbformat":4,"nbformat_minor":5}"#,
        )
        .file("notebooks/lib/helpers.py", "def help():\n    return 1\n")
        .file("notebooks/lib/data/rates.csv", "currency,rate\n")
        .file("notebooks/board.lvdash.json", r#"{"pages":[]}"#)
        .file("notebooks/.env", "PASSWORD=x\n")
}

#[test]
fn everything_arrives_as_what_it_is() {
    let running = Running::start(Sandbox::new()).unwrap();
    let ended = tree(Step::deploying(running.sandbox())).against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("deploy/first", &ended.log);

    let objects = running.sandbox().objects();
    let at = |path: &str| objects.get(&format!("/Workspace/Shared/etl/{path}")).unwrap_or_else(|| panic!("no {path}"));
    for (path, language) in [
        ("ingest/orders", Language::Python),
        ("ingest/customers", Language::Scala),
        ("reports/revenue", Language::Sql),
        ("reports/forecast", Language::R),
        ("reports/explore", Language::Python),
    ] {
        assert_eq!((at(path).kind, at(path).language), (Kind::Notebook, Some(language)), "{path}");
    }
    assert!(at("reports/explore").jupyter);
    assert_eq!(at("lib/helpers.py").kind, Kind::File);
    assert_eq!(&at("lib/data/rates.csv").bytes[..], b"currency,rate\n");
    assert_eq!(at("board.lvdash.json").kind, Kind::Dashboard);
    assert_eq!(at("ingest/orders").bytes.as_ref(), b"# Databricks notebook source\nprint('orders')\n");
    let below: Vec<_> = objects.keys().filter(|path| path.starts_with("/Workspace/Shared/etl/")).collect();
    assert_eq!(below.len(), 8 + 4 + 2, "8 objects, 4 folders, the state and its folder: {below:?}");
    assert_eq!(running.sandbox().unknown_routes(), Vec::<String>::new());
}

#[test]
fn the_cost_is_one_request_an_object_and_one_a_deepest_folder() {
    let running = Running::start(Sandbox::new()).unwrap();
    let mut step = Step::deploying(running.sandbox());
    for folder in 0..10 {
        for notebook in 0..20 {
            step = step.notebook(&format!("notebooks/area {}/folder {folder}/notebook {notebook}.py", folder % 3));
        }
    }
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let requests = running.sandbox().requests().len();
    // Who am I; the state, the records and the root before; the records' folder, the lock, a look at records and root
    // and the journal; a look at each folder that was sent to; the state, and journal and lock deleted.
    assert_eq!(requests, 200 + 10 + 10 + 12, "200 imports, 10 folders made and looked at, and 12");
    // Connections are kept. How many there are is chance: while one is still being made, its request may take another that
    // has become free.
    let connections = running.sandbox().connections();
    assert!(connections < requests as u64 / 2, "{connections} connections for {requests} requests");
}

#[test]
fn a_second_deploy_writes_what_changed_and_keeps_every_object() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = tree(Step::deploying(running.sandbox()));
    assert_eq!(step.against(&running).code, 0);
    let first = running.sandbox().objects();
    let step = step.file("notebooks/ingest/orders.py", "# Databricks notebook source\nprint('changed')\n");
    assert_eq!(step.against(&running).code, 0);
    let second = running.sandbox().objects();
    let ids = |objects: &std::collections::BTreeMap<String, databricks_sandbox::Object>| {
        objects.iter().map(|(path, object)| (path.clone(), object.object_id)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&second));
    assert!(second["/Workspace/Shared/etl/ingest/orders"].bytes.ends_with(b"print('changed')\n"));
}

#[test]
fn without_a_path_the_target_names_it() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = Step::deploying(running.sandbox()).without("WORKSPACE_PATH").notebook("notebooks/a.py");
    assert_eq!(step.against(&running).code, 0);
    let step = step.variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production");
    assert_eq!(step.against(&running).code, 0);
    let step = step.variable("TARGET", "eu");
    assert_eq!(step.against(&running).code, 0);
    for target in ["main", "production", "eu"] {
        let path = format!("/Workspace/Users/ci@example.com/etl/{target}/a");
        assert!(running.sandbox().objects().contains_key(&path), "{path}");
    }
}

#[test]
fn every_request_names_the_build_it_belongs_to() {
    let running = Running::start(Sandbox::new()).unwrap();
    assert_eq!(tree(Step::deploying(running.sandbox())).against(&running).code, 0);
    for request in running.sandbox().requests() {
        let expected = format!(
            "databricks-deploy/{} cicd/bitbucket repository/acme.etl build/42 commit/3f1c2d4e5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(request.user_agent.as_deref(), Some(&*expected), "{}", request.path);
    }
}

#[test]
fn debug_says_why_each_ignored_file_is_ignored_and_shows_no_secret() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = tree(Step::deploying(running.sandbox()))
        .file("notebooks/.gitignore", "*.tmp\n")
        .file("notebooks/scratch.tmp", "x")
        .variable("EXCLUDE", "lib/**")
        .variable("DEBUG", "true");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    for (file, rule) in [("scratch.tmp", "*.tmp"), (".env", ".env"), ("lib/", "lib/**")] {
        let line = ended.log.lines().find(|line| line.starts_with(&format!("DEBUG: ignored {file}")));
        assert!(line.is_some_and(|line| line.contains(rule)), "{file}: {line:?} in {}", ended.log);
    }
    assert!(!ended.log.contains(&running.sandbox().token()));
}

#[test]
fn somebody_elses_object_of_another_kind_is_named_and_nothing_is_changed() {
    let running = Running::start(Sandbox::new()).unwrap();
    running.sandbox().put_file("/Shared/etl/report", "a file\n");
    let before = running.sandbox().objects();
    let ended = Step::deploying(running.sandbox())
        .notebook("notebooks/report.py")
        .notebook("notebooks/new.py")
        .against(&running);
    assert_eq!(ended.code, 7, "{}", ended.log);
    assert_golden("deploy/type_mismatch", &ended.log);
    assert_eq!(running.sandbox().objects().len(), before.len());
}

#[test]
fn a_folder_that_may_not_be_written_stops_the_deploy_at_once() {
    let running = Running::start(Sandbox::new()).unwrap();
    let mut reader = Principal::user("reader@example.com");
    reader.folders.insert("/Shared/etl".into(), FolderRight::Read);
    let token = running.sandbox().add_principal(reader);
    let ended = tree(Step::deploying(running.sandbox()).variable("DATABRICKS_TOKEN", token)).against(&running);
    assert_eq!(ended.code, 3, "{}", ended.log);
    assert_golden("deploy/not_allowed", &ended.log);
    assert!(!running.sandbox().objects().keys().any(|path| path.starts_with("/Workspace/Shared/etl/")));
}

#[test]
fn tokens_that_are_not_good_end_with_the_identity_code() {
    let running = Running::start(Sandbox::new()).unwrap();
    let mut expired = Principal::user("gone@example.com");
    expired.token = TokenState::Expired;
    let mut stranger = Principal::user("stranger@example.com");
    stranger.member = false;
    for (name, token) in [
        ("unknown", "dapi00000000000000000000000000000000".to_owned()),
        ("expired", running.sandbox().add_principal(expired)),
        ("not_a_member", running.sandbox().add_principal(stranger)),
    ] {
        let ended = Step::deploying(running.sandbox())
            .variable("DATABRICKS_TOKEN", &token)
            .notebook("notebooks/a.py")
            .against(&running);
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert!(!ended.log.contains(&token), "{}", ended.log);
        assert_golden(&format!("identity/{name}"), &ended.log);
    }
}

#[test]
fn hosts_that_are_no_workspace_are_told_apart() {
    let sandbox = Sandbox::new();
    let running = Running::start(sandbox.clone()).unwrap();
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py");
    let me = || On::path("/api/2.0/preview/scim");
    for (name, canned) in [
        ("login_page", Canned::html(200, "<html><title>Sign in</title><body>Sign in to Databricks</body></html>")),
        ("redirect", Canned::redirect(302, "https://accounts.example.com/login?next=%2F")),
        (
            "private_link",
            Canned::redirect(302, "https://x.cloud.databricks.com/login.html?error=private-link-validation-error"),
        ),
        ("not_found", Canned::html(404, "<html><body><pre>Not Found</pre></body></html>")),
        (
            "ip_list",
            Canned::error(
                403,
                "PERMISSION_DENIED",
                "Source IP address: 192.0.2.7 is blocked by Databricks IP ACL for workspace: 1",
            ),
        ),
    ] {
        sandbox.fault(Fault::always(me(), Trouble::Answer(Moment::Before, canned)));
        let ended = step.against(&running);
        sandbox.clear_faults();
        assert_eq!(ended.code, 2, "{name}: {}", ended.log);
        assert_golden(&format!("host/{name}"), &ended.log);
    }
    let ended = step.process(&[("DATABRICKS_HOST", "https://nowhere.invalid"), ("ALLOWED_HOSTS", "nowhere.invalid")]);
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("[host-not-found]"), "{}", ended.log);
}

#[test]
fn nothing_is_changed_when_anything_is_wrong() {
    let running = Running::start(Sandbox::new()).unwrap();
    let sandbox = running.sandbox();
    let secret = sandbox.token();
    let deploying = || tree(Step::deploying(sandbox));
    for (name, step) in [
        ("unknown_job", deploying().variable("RUN", "nightly-etl")),
        ("secret_in_file", deploying().file("notebooks/leak.py", format!("token = '{secret}'\n"))),
        (
            "collision",
            deploying()
                .notebook("notebooks/ingest/orders.sql.py")
                .file("notebooks/ingest/orders.sql", "-- Databricks notebook source\n"),
        ),
        ("empty", Step::deploying(sandbox).file("notebooks/.gitignore", "*\n").file("notebooks/a.txt", "a")),
    ] {
        let ended = step.against(&running);
        assert_eq!(ended.code, 1, "{name}: {}", ended.log);
        assert!(!ended.log.contains(&secret), "{}", ended.log);
        assert_golden(&format!("deploy/{name}"), &ended.log);
        let changes = sandbox.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(changes, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_hit_every_object_stops_the_rest_and_what_concerns_one_does_not() {
    let refused = |status, code| Trouble::Answer(Moment::Before, Canned::error(status, code, "Not this one."));
    for (name, trouble, sent) in [
        // As many as are begun at once.
        ("refused_to_all", refused(403, "PERMISSION_DENIED"), 32),
        ("refused_one_by_one", refused(400, "INVALID_PARAMETER_VALUE"), 100),
    ] {
        let sandbox = Sandbox::new();
        let files = 0..100;
        let step = files.fold(Step::deploying(&sandbox), |step, number| {
            step.file(&format!("notebooks/data/{number:02}.txt"), "a\n")
        });
        sandbox.fault(Fault { on: On::post(IMPORT), skip: BEFORE, times: None, trouble });
        let ended = step.inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Deploy, "{name}: {}", ended.log);
        let imports = sandbox.requests().iter().filter(|request| request.path == IMPORT).count() as u64;
        assert_eq!(imports, BEFORE + sent, "{name}");
        assert_golden(&format!("deploy/{name}"), &ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn one_passing_trouble_at_any_request_changes_nothing() {
    let plain = Sandbox::new();
    assert_eq!(tree(Step::deploying(&plain)).inside(&plain).await.exit, Exit::Done);
    let total = plain.requests().len() as u64;
    let error = |status, code| Canned::error(status, code, "Something passing.");
    let troubles = [
        Trouble::Answer(Moment::Before, error(429, "REQUEST_LIMIT_EXCEEDED")),
        Trouble::Answer(Moment::Before, error(429, "REQUEST_LIMIT_EXCEEDED").retry_after(7)),
        Trouble::Answer(Moment::Before, error(503, "TEMPORARILY_UNAVAILABLE")),
        Trouble::Answer(Moment::After, error(500, "INTERNAL_ERROR")),
        Trouble::Answer(Moment::After, error(504, "DEADLINE_EXCEEDED")),
        Trouble::Answer(Moment::Before, Canned::html(502, "<html>bad gateway</html>")),
        Trouble::Drop(Moment::Before),
        Trouble::Drop(Moment::After),
    ];
    for trouble in troubles {
        for request in 1..=total {
            let sandbox = Sandbox::new();
            sandbox.fault(Fault::nth(On::any(), request, trouble.clone()));
            let ended = tree(Step::deploying(&sandbox)).inside(&sandbox).await;
            assert_eq!(ended.exit, Exit::Done, "{trouble:?} at request {request}: {}", ended.log);
            let seen = |sandbox: &Sandbox| {
                let objects = sandbox.objects().into_iter().map(|(path, mut object)| {
                    // The state holds ids and times.
                    if path.ends_with("/state.json") {
                        object.bytes = "".into();
                    }
                    (path, object)
                });
                objects.map(|(path, object)| (path, object.kind, object.language, object.bytes)).collect::<Vec<_>>()
            };
            assert_eq!(seen(&sandbox), seen(&plain), "{trouble:?} at request {request}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_trouble_that_lasts_stops_the_deploy_with_its_own_code() {
    for (name, trouble) in [
        (
            "lasting_429",
            Trouble::Answer(Moment::Before, Canned::error(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.")),
        ),
        (
            "lasting_500",
            Trouble::Answer(Moment::Before, Canned::error(500, "INTERNAL_ERROR", "The service is at fault.")),
        ),
        ("lasting_drop", Trouble::Drop(Moment::Before)),
    ] {
        let sandbox = Sandbox::new();
        // The lock and the journal come first.
        sandbox.fault(Fault { on: On::post(IMPORT), skip: 2, times: None, trouble });
        let ended = Step::deploying(&sandbox).notebook("notebooks/a.py").inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Deploy, "{name}: {}", ended.log);
        assert_golden(&format!("deploy/{name}"), &ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_slows_the_deploy_down_and_loses_nothing() {
    for retry_after in [true, false] {
        let sandbox = Sandbox::new();
        sandbox.rate_limit(RateLimit { on: On::post(IMPORT), burst: 30, per_second: 30.0, retry_after });
        let mut step = Step::deploying(&sandbox);
        for index in 0..300 {
            step = step.notebook(&format!("notebooks/n{index}.py"));
        }
        let ended = step.inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert_eq!(sandbox.objects().values().filter(|object| object.kind == Kind::Notebook).count(), 300);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_object_where_a_folder_must_be_is_a_mismatch() {
    let sandbox = Sandbox::new();
    sandbox.put_notebook("/Shared/etl/a", Language::Python, "");
    let ended = Step::deploying(&sandbox).file("notebooks/a/b.txt", "b").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
    assert_golden("deploy/folder_mismatch", &ended.log);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_into_a_git_folder() {
    for git_folder in [
        r#"{"object_type":"REPO","object_id":7,"path":"/Shared/etl/lib"}"#,
        r#"{"object_type":"DIRECTORY","object_id":7,"path":"/Shared/etl/lib","directory_info":{"is_git_folder":true}}"#,
    ] {
        let sandbox = Sandbox::new();
        sandbox.put_file("/Shared/etl/lib/a.txt", "theirs");
        let body = format!("{{\"objects\":[{git_folder}]}}");
        let listing = Canned { status: 200, headers: Vec::new(), body: body.into() };
        // The first listing is of our records.
        sandbox.fault(Fault::nth(On::path("/api/2.0/workspace/list"), 2, Trouble::Answer(Moment::Before, listing)));
        let ended = Step::deploying(&sandbox).file("notebooks/lib/a.txt", "ours").inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
        assert!(ended.log.contains("/Workspace/Shared/etl/lib: is an object of type Git folder"), "{}", ended.log);
        assert_eq!(&sandbox.objects()["/Workspace/Shared/etl/lib/a.txt"].bytes[..], b"theirs");
    }
}

#[test]
fn debug_says_why_files_are_left_out_and_warnings_are_given_though_the_tree_is_wrong() {
    let running = Running::start(Sandbox::new()).unwrap();
    let step = Step::deploying(running.sandbox()).variable("DEBUG", "true").variable("EXCLUDE", "*.md");
    let ended = step.file("notebooks/a.md", "a").file("notebooks/b.md", "b").against(&running);
    assert_eq!(ended.code, 1, "{}", ended.log);
    assert!(ended.log.contains("[empty-tree]") && ended.log.contains("`DEBUG: true` says why"), "{}", ended.log);
    assert!(ended.log.contains("DEBUG: ignored b.md: `EXCLUDE`: `*.md`"), "{}", ended.log);

    let step = Step::deploying(running.sandbox()).file("notebooks/bad.ipynb", "{}");
    let ended = step.file("notebooks/nearly.py", "# Databricks notebook source \n").against(&running);
    assert_eq!(ended.code, 1, "{}", ended.log);
    assert!(ended.log.contains("✖ notebooks/bad.ipynb: "), "{}", ended.log);
    assert!(ended.log.contains("WARNING: notebooks/nearly.py: "), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_deploy_and_says_so() {
    let sandbox = Sandbox::new();
    // The lock and the journal come first.
    let trouble = Trouble::Delay(Moment::Before, Duration::from_secs(50));
    sandbox.fault(Fault { on: On::post(IMPORT), skip: 2, times: None, trouble });
    let began = tokio::time::Instant::now();
    let ended = Step::deploying(&sandbox).variable("TIMEOUT", "25s").notebook("notebooks/a.py").inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Deploy, "{}", ended.log);
    assert_eq!(began.elapsed().as_secs(), 25);
    assert_golden("deploy/deadline", &ended.log);
}

#[tokio::test(start_paused = true)]
async fn a_long_upload_tells_how_far_it_is() {
    let sandbox = Sandbox::new();
    sandbox.fault(Fault::always(On::post(IMPORT), Trouble::Delay(Moment::Before, Duration::from_secs(2))));
    let mut step = Step::deploying(&sandbox);
    for index in 0..200 {
        step = step.notebook(&format!("notebooks/n{index}.py"));
    }
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let told: Vec<_> = ended.log.lines().filter(|line| line.contains(" of 200 uploaded")).collect();
    assert!((1..=5).contains(&told.len()), "{told:?}");
}

#[test]
fn large_files_are_streamed() {
    let running = Running::start(Sandbox::new()).unwrap();
    let large: Vec<u8> = (0..20_000_000_u32).map(|index| (index % 251) as u8).collect();
    let ended = Step::deploying(running.sandbox()).file("notebooks/model.bin", &large).against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(running.sandbox().objects()["/Workspace/Shared/etl/model.bin"].bytes == large, "the same bytes");
}
