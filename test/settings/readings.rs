//! Whole readings: what a user typed, and all that is said about it.

use super::{CONNECTION, Clone, rendered};
use crate::support::assert_golden_text;
use databricks_deploy::access::{Grant, Level, Principal};
use databricks_deploy::settings::{Action, OnDrift, OnPartialSuccess, OnTimeout, Prune, SecretScan, Settings};
use std::time::Duration;

/// Reads these variables beside those of the connection.
fn with(variables: &[(&str, &str)]) -> String {
    rendered(&Clone::new().read(CONNECTION.into_iter().chain(variables.iter().copied())))
}

fn valid(clone: &Clone, variables: &[(&str, &str)]) -> Settings {
    let reading = clone.read(CONNECTION.into_iter().chain(variables.iter().copied()));
    match reading.settings {
        Ok(settings) => settings,
        Err(problems) => panic!("{problems:#?}"),
    }
}

#[test]
fn little_is_needed_and_the_rest_has_defaults() {
    let clone = Clone::new();
    let settings =
        valid(&clone, &[("LOCAL_PATH", "./notebooks"), ("BITBUCKET_BRANCH", "main"), ("RUN", " "), ("WAIT", "")]);
    assert_eq!(settings.action, Action::Deploy);
    assert_eq!(settings.route.host.as_str(), "https://dbc-1234.cloud.databricks.com/");
    assert_eq!(settings.target.as_deref(), Some("main"));
    assert_eq!(settings.workspace_path, None);
    let files = settings.files.unwrap();
    assert_eq!((files.local, files.shown.as_str()), (clone.path().join("notebooks"), "./notebooks"));
    assert_eq!(files.clone_root, clone.path());
    assert_eq!((files.include.len(), files.exclude.len(), files.secret_scan), (0, 0, SecretScan::Warn));
    assert_eq!((settings.prune, settings.on_drift), (Prune::Files, OnDrift::Backup));
    assert_eq!((settings.local_path.as_deref(), settings.plan), (Some("notebooks"), None));
    assert!(settings.permissions.is_empty());
    assert!(settings.run.is_empty() && settings.params.is_empty() && settings.run_cluster_id.is_none());
    assert_eq!((settings.wait, settings.timeout), (true, Duration::from_secs(6600)));
    assert_eq!((settings.on_timeout, settings.on_partial_success), (OnTimeout::Leave, OnPartialSuccess::Fail));
    assert_eq!((settings.show_output, settings.debug), (false, false));
    assert_eq!(settings.output_dir, clone.path().join("databricks-deploy"));
}

#[test]
fn every_variable_arrives() {
    let clone = Clone::new();
    let settings = valid(
        &clone,
        &[
            ("TARGET", "staging"),
            ("WORKSPACE_PATH", "/Shared/etl/"),
            ("LOCAL_PATH", "."),
            ("INCLUDE", "dist/*.whl, conf/{a,b}.json"),
            ("EXCLUDE_COUNT", "2"),
            ("EXCLUDE_0", "*_test.py"),
            ("EXCLUDE_1", "docs/"),
            ("PRUNE", "Force"),
            ("ON_DRIFT", "fail"),
            ("SECRET_SCAN", "OFF"),
            ("PERMISSIONS_COUNT", "2"),
            ("PERMISSIONS_0", "team=CAN_RUN"),
            ("PERMISSIONS_1", "me@example.com=can_manage"),
            ("PLAN", "README.md"),
            ("RUN", "load, then transform\n./notebooks/check\n"),
            ("PARAMS", r#"{"date": "2026-11-22", "full": true, "rate": 1.50}"#),
            ("RUN_CLUSTER_ID", "0123-456789-abcdefgh"),
            ("WAIT", "Yes"),
            ("TIMEOUT", "1h30m"),
            ("ON_TIMEOUT", "cancel"),
            ("ON_PARTIAL_SUCCESS", "accept"),
            ("SHOW_OUTPUT", "on"),
            ("OUTPUT_DIR", "out"),
            ("ACTION", "deploy"),
            ("DEBUG", "1"),
        ],
    );
    assert_eq!(settings.target.as_deref(), Some("staging"));
    assert_eq!(settings.workspace_path.unwrap().as_str(), "/Workspace/Shared/etl");
    let files = settings.files.unwrap();
    assert_eq!(files.include, ["dist/*.whl", "conf/{a,b}.json"]);
    assert_eq!(files.exclude, ["*_test.py", "docs/"]);
    assert_eq!(files.secret_scan, SecretScan::Off);
    assert_eq!((settings.prune, settings.on_drift), (Prune::Force, OnDrift::Fail));
    assert_eq!((settings.local_path.as_deref(), settings.plan), (Some("."), Some(clone.path().join("README.md"))));
    let grant = |principal, level| Grant { principal, level };
    let expected = [
        grant(Principal::Group("team".into()), Level::Run),
        grant(Principal::User("me@example.com".into()), Level::Manage),
    ];
    assert_eq!(settings.permissions, expected);
    assert_eq!(settings.run, ["load, then transform", "./notebooks/check"]);
    let params: Vec<(&str, &str)> =
        settings.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(params, [("date", "2026-11-22"), ("full", "true"), ("rate", "1.50")]);
    assert_eq!(settings.run_cluster_id.as_deref(), Some("0123-456789-abcdefgh"));
    assert_eq!((settings.wait, settings.timeout), (true, Duration::from_secs(5400)));
    assert_eq!((settings.on_timeout, settings.on_partial_success), (OnTimeout::Cancel, OnPartialSuccess::Accept));
    assert!(settings.show_output && settings.debug);
    assert_eq!(settings.output_dir, clone.path().join("out"));
}

#[test]
fn a_run_needs_no_files_and_no_target() {
    let settings = valid(&Clone::new(), &[("ACTION", "run"), ("RUN", "nightly"), ("LOCAL_PATH", "not/there")]);
    assert_eq!((settings.action, settings.target.is_none(), settings.files.is_none()), (Action::Run, true, true));
}

#[test]
fn a_plan_reads_the_files_and_runs_nothing() {
    let clone = Clone::new();
    let settings = valid(&clone, &[("ACTION", "plan"), ("LOCAL_PATH", "notebooks/etl"), ("TARGET", "x"), ("RUN", "a")]);
    assert_eq!((settings.action, settings.local_path.as_deref()), (Action::Plan, Some("notebooks/etl")));
    assert!(settings.files.is_some() && settings.run.is_empty());
}

#[test]
fn what_is_destroyed_need_not_be_there() {
    let clone = Clone::new();
    let settings = valid(&clone, &[("ACTION", "destroy"), ("LOCAL_PATH", "./gone/"), ("TARGET", "x"), ("RUN", "a")]);
    assert_eq!((settings.action, settings.local_path.as_deref()), (Action::Destroy, Some("gone")));
    assert!(settings.files.is_none() && settings.run.is_empty());
}

#[test]
fn nothing_is_set() {
    assert_golden_text("settings/nothing-is-set", &rendered(&Clone::new().read([])));
}

#[test]
fn everything_is_wrong() {
    assert_golden_text(
        "settings/everything-is-wrong",
        &rendered(&Clone::new().read([
            ("DATABRICKS_HOST", "http://dbc-1234.cloud.databricks.com"),
            ("DATABRICKS_TOKEN", "\"dapi00112233445566778899aabbccddeeff\""),
            ("TARGET", "prod/eu"),
            ("WORKSPACE_PATH", "Shared/etl"),
            ("LOCAL_PATH", "notebook"),
            ("INCLUDE", "conf/[a"),
            ("EXCLUDE_COUNT", "2"),
            ("EXCLUDE_0", "x"),
            ("SECRET_SCAN", "wran"),
            ("RUN", "nightly\n$JOB\nnightly"),
            ("PARAMS", "date"),
            ("RUN_CLUSTER_ID", "my cluster"),
            ("WAIT", "maybe"),
            ("TIMEOUT", "0"),
            ("ON_TIMEOUT", "stop"),
            ("ON_PARTIAL_SUCCESS", "acept"),
            ("SHOW_OUTPUT", "2"),
            ("OUTPUT_DIR", "/tmp/out"),
            ("PRUNE", "file"),
            ("ON_DRIFT", "ignore"),
            ("PERMISSIONS", "me@example.com=owner\n$TEAM=CAN_READ"),
            ("ACTION", "distroy"),
            ("PLAN", "$PLAN"),
            ("DEBUG", "tRUE"),
        ])),
    );
}

#[test]
fn references_that_nobody_resolved() {
    assert_golden_text(
        "settings/unresolved",
        &rendered(&Clone::new().read([
            ("DATABRICKS_HOST", "${DATABRICKS_HOST}"),
            ("DATABRICKS_TOKEN", "$DATABRICKS_TOKEN"),
            ("LOCAL_PATH", "$FOLDER"),
            ("RUN_COUNT", "2"),
            ("RUN_0", "nightly"),
            ("RUN_1", "${SECOND_JOB}"),
            ("PARAMS", "date=$DATE"),
            ("WAIT", "$WAIT"),
        ])),
    );
}

#[test]
fn slips_and_names_of_later_versions() {
    assert_golden_text(
        "settings/unknown-variables",
        &with(&[
            ("RUN", "nightly"),
            ("TARGETS", "production"),
            ("local-path", "notebooks"),
            ("RUNS_COUNT", "1"),
            ("RUNS_0", "nightly"),
            ("EXCLUDE_0", "*.md"),
            ("DATABRICKS_CLIENT_ID", "01234567-89ab-cdef-0123-456789abcdef"),
            ("DATABRICKS_CLIENT_SECRET", " "),
            ("PARAMS", "date=today\nkey=dapi00112233445566778899aabbccddeefe"),
            ("JOBS_COUNT", "1"),
            ("JOBS_0", "jobs/*.yml"),
            ("RELEASES", "3"),
            ("https_proxy", "http://proxy:3128"),
        ]),
    );
}

#[test]
fn tokens_in_the_wrong_place() {
    let token = "dapi00112233445566778899aabbccddeeff";
    let text = rendered(&Clone::new().read([
        ("DATABRICKS_HOST", token),
        ("DATABRICKS_TOKEN", "ATCTT3xFfGN00112233445566778899aabbccddeeff"),
        ("TARGET", token),
        ("WORKSPACE_PATH", token),
        ("LOCAL_PATH", token),
        ("EXCLUDE", "[dapi00112233445566778899aabbccddeeff"),
        ("RUN", "dapi00112233445566778899aabbccddeeff\ndapi00112233445566778899aabbccddeeff"),
        ("PERMISSIONS", "dapi00112233445566778899aabbccddeeff=CAN_READ\nteam=dapi00112233445566778899aabbccddeeff"),
        ("PARAMS", token),
        ("TIMEOUT", token),
        ("PLAN", token),
        ("ACTION", token),
    ]));
    assert!(!text.contains("00112233"), "{text}");
    assert_golden_text("settings/tokens-in-the-wrong-place", &text);
}

#[test]
fn variables_that_contradict_each_other() {
    let mut text = String::new();
    for (title, variables) in [
        ("nothing to do", vec![("TARGET", "x")]),
        ("a run of nothing", vec![("ACTION", "run"), ("LOCAL_PATH", "notebooks")]),
        ("parameters of nothing", vec![("LOCAL_PATH", "notebooks"), ("TARGET", "x"), ("PARAMS", "a=1")]),
        ("a tag", vec![("LOCAL_PATH", "notebooks"), ("BITBUCKET_TAG", "v1")]),
        ("a tag that runs only", vec![("RUN", "nightly"), ("BITBUCKET_TAG", "v1")]),
        (
            "a tag with an environment",
            vec![
                ("LOCAL_PATH", "notebooks"),
                ("BITBUCKET_TAG", "v1"),
                ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production"),
            ],
        ),
        ("a pull request", vec![("LOCAL_PATH", "notebooks"), ("BITBUCKET_PR_ID", "7"), ("BITBUCKET_BRANCH", "fix")]),
        ("a laptop", vec![("LOCAL_PATH", "notebooks"), ("WORKSPACE_PATH", "/Shared/etl")]),
        ("a notebook below nothing", vec![("ACTION", "run"), ("RUN", "./check")]),
        ("output over input", vec![("LOCAL_PATH", "notebooks"), ("TARGET", "x"), ("OUTPUT_DIR", "./notebooks")]),
        (
            "without effect",
            vec![
                ("RUN", "nightly"),
                ("RUN_CLUSTER_ID", "0123-456789-abcdefgh"),
                ("INCLUDE", "*.md"),
                ("WAIT", "false"),
                ("ON_TIMEOUT", "cancel"),
                ("SHOW_OUTPUT", "true"),
            ],
        ),
        (
            "a deploy of no files",
            vec![
                ("RUN", "nightly"),
                ("PRUNE", "none"),
                ("ON_DRIFT", "fail"),
                ("PERMISSIONS", "team=CAN_RUN"),
                ("PLAN", "plan.json"),
            ],
        ),
        (
            "a run beside a deploy",
            vec![("RUN", "nightly"), ("ACTION", "run"), ("PRUNE", "none"), ("PLAN", "plan.json")],
        ),
        ("a plan of nothing", vec![("ACTION", "plan"), ("RUN", "nightly"), ("TARGET", "x")]),
        (
            "a plan for a pull request",
            vec![
                ("ACTION", "plan"),
                ("LOCAL_PATH", "notebooks"),
                ("BITBUCKET_PR_ID", "7"),
                ("BITBUCKET_BRANCH", "fix"),
            ],
        ),
        (
            "a plan with the variables of a deploy",
            vec![
                ("ACTION", "plan"),
                ("LOCAL_PATH", "notebooks"),
                ("TARGET", "x"),
                ("RUN", "./nightly"),
                ("PARAMS", "a=1"),
                ("PLAN", "plan.json"),
            ],
        ),
        ("a plan that is not there", vec![("LOCAL_PATH", "notebooks"), ("TARGET", "x"), ("PLAN", "out/plan.json")]),
        ("a destroy of nothing", vec![("ACTION", "destroy"), ("TARGET", "x")]),
        ("a destroy of whose target", vec![("ACTION", "destroy"), ("LOCAL_PATH", "gone"), ("BITBUCKET_TAG", "v1")]),
        (
            "a destroy with the variables of a deploy",
            vec![
                ("ACTION", "destroy"),
                ("LOCAL_PATH", "notebooks"),
                ("TARGET", "x"),
                ("RUN", "nightly"),
                ("PRUNE", "none"),
                ("ON_DRIFT", "fail"),
                ("PLAN", "plan.json"),
            ],
        ),
        (
            "the defaults of pipe.yml",
            vec![
                ("RUN", "nightly"),
                ("WAIT", "false"),
                ("ON_TIMEOUT", "leave"),
                ("SHOW_OUTPUT", "false"),
                ("SECRET_SCAN", "warn"),
                ("PRUNE", "files"),
                ("ON_DRIFT", "backup"),
                ("PERMISSIONS", ""),
                ("PLAN", ""),
                ("INCLUDE", ""),
            ],
        ),
    ] {
        text.push_str(&format!("# {title}\n{}\n", with(&variables)));
    }
    assert_golden_text("settings/contradictions", &text);
}

#[test]
fn an_address_from_the_browser_and_a_token_with_a_line_break() {
    let text = rendered(&Clone::new().read([
        ("DATABRICKS_HOST", "https://adb-12.3.azuredatabricks.net/jobs/77?o=12#tasks"),
        ("DATABRICKS_TOKEN", "dapi00112233445566778899aabbccddeeff\n"),
        ("RUN", "nightly"),
    ]));
    assert_golden_text("settings/pasted", &text);
}

#[test]
fn ways_to_log_in() {
    let (id, secret) = ("01234567-89ab-cdef-0123-456789abcdef", "dose00112233445566778899aabbccddeeff");
    let token = "dapi00112233445566778899aabbccddeeff";
    let mut text = String::new();
    for (title, variables) in [
        ("oauth", vec![("DATABRICKS_CLIENT_ID", id), ("DATABRICKS_CLIENT_SECRET", secret)]),
        (
            "oauth and a token",
            vec![("DATABRICKS_CLIENT_ID", id), ("DATABRICKS_CLIENT_SECRET", secret), ("DATABRICKS_TOKEN", token)],
        ),
        ("an id alone", vec![("DATABRICKS_CLIENT_ID", id)]),
        ("a secret alone", vec![("DATABRICKS_CLIENT_SECRET", secret)]),
        ("an id and a token", vec![("DATABRICKS_CLIENT_ID", id), ("DATABRICKS_TOKEN", token)]),
        ("a secret and a token", vec![("DATABRICKS_CLIENT_SECRET", secret), ("DATABRICKS_TOKEN", token)]),
        ("the numeric id", vec![("DATABRICKS_CLIENT_ID", "1234567890"), ("DATABRICKS_CLIENT_SECRET", secret)]),
        ("swapped", vec![("DATABRICKS_CLIENT_ID", secret), ("DATABRICKS_CLIENT_SECRET", id)]),
        ("a token as secret", vec![("DATABRICKS_CLIENT_ID", id), ("DATABRICKS_CLIENT_SECRET", token)]),
        ("a secret as token", vec![("DATABRICKS_TOKEN", secret)]),
        (
            "nobody resolved them",
            vec![
                ("DATABRICKS_CLIENT_ID", "$DATABRICKS_CLIENT_ID"),
                ("DATABRICKS_CLIENT_SECRET", "$DATABRICKS_CLIENT_SECRET"),
            ],
        ),
        ("a line break", vec![("DATABRICKS_CLIENT_ID", id), ("DATABRICKS_CLIENT_SECRET", "dose0011223344556677\n")]),
    ] {
        let all = [("DATABRICKS_HOST", "https://dbc-1234.cloud.databricks.com"), ("RUN", "nightly")];
        let reading = Clone::new().read(all.into_iter().chain(variables));
        text.push_str(&format!("# {title}\n{}\n", rendered(&reading)));
    }
    assert!(!text.contains("00112233"), "{text}");
    assert_golden_text("settings/log-in", &text);
}

#[test]
fn authorities_and_proxies() {
    let clone = Clone::new();
    let write = |name: &str, content: &str| std::fs::write(clone.path().join(name), content).unwrap();
    let tls = databricks_sandbox::Tls::new(&[]).unwrap();
    write("good.pem", &format!("some words\n{0}{0}", tls.ca_pem()));
    write("empty.pem", "");
    write("words.pem", "no certificate at all\n");
    write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    write("cut.pem", tls.ca_pem().split_once("-----END").unwrap().0);
    write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let mut text = String::new();
    for (title, variables) in [
        ("a good bundle", vec![("CA_BUNDLE", "good.pem")]),
        ("the text itself", vec![("CA_BUNDLE", tls.ca_pem())]),
        ("no such file", vec![("CA_BUNDLE", "bad.pem")]),
        ("a folder", vec![("CA_BUNDLE", "notebooks")]),
        ("an empty file", vec![("CA_BUNDLE", "empty.pem")]),
        ("no PEM", vec![("CA_BUNDLE", "words.pem")]),
        ("a key", vec![("CA_BUNDLE", "key.pem")]),
        ("cut off", vec![("CA_BUNDLE", "cut.pem")]),
        ("no certificate", vec![("CA_BUNDLE", "broken.pem")]),
        ("lines without a frame", vec![("CA_BUNDLE", "MIIB\nAAAA")]),
        ("a proxy", vec![("HTTPS_PROXY", "http://me:pass@proxy:3128"), ("NO_PROXY", "example.com")]),
        ("both spellings", vec![("HTTPS_PROXY", "http://proxy:3128"), ("https_proxy", "http://other:3128")]),
        ("the same in both", vec![("HTTPS_PROXY", "http://proxy:3128"), ("https_proxy", "http://proxy:3128")]),
        ("no proxy at all", vec![("https_proxy", "socks5://proxy:1080")]),
        ("a password in a wrong one", vec![("HTTPS_PROXY", "http://me:hunter2hunter2@proxy:port")]),
        ("the other proxy", vec![("HTTP_PROXY", "http://proxy:3128")]),
        ("the other proxy beside ours", vec![("http_proxy", "http://proxy:3128"), ("HTTPS_PROXY", "proxy:3128")]),
    ] {
        let reading = clone.read(CONNECTION.into_iter().chain([("RUN", "nightly")]).chain(variables));
        text.push_str(&format!("# {title}\n{}\n", rendered(&reading)));
    }
    assert!(!text.contains("hunter2"), "{text}");
    assert_golden_text("settings/network", &text);
}

/// A token as Bitbucket signs it, but for its signature, which nobody checks here.
const STEP_TOKEN: &str =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FwaS5iaXRidWNrZXQub3JnIiwic3ViIjoieCJ9.c2lnbmF0dXJl";

#[test]
fn ways_to_log_in_without_a_databricks_secret() {
    let clone = Clone::new();
    std::fs::write(clone.path().join("token.jwt"), STEP_TOKEN).unwrap();
    let id = ("DATABRICKS_CLIENT_ID", "01234567-89ab-cdef-0123-456789abcdef");
    let step = ("BITBUCKET_STEP_OIDC_TOKEN", STEP_TOKEN);
    let secret = ("DATABRICKS_CLIENT_SECRET", "dose00112233445566778899aabbccddeeff");
    let token = ("DATABRICKS_TOKEN", "dapi00112233445566778899aabbccddeeff");
    let azure = ("DATABRICKS_HOST", "https://adb-12.3.azuredatabricks.net");
    let tenant = ("ARM_TENANT_ID", "01234567-0000-cdef-0123-456789abcdef");
    let application = ("ARM_CLIENT_ID", "01234567-1111-cdef-0123-456789abcdef");
    let entra = ("ARM_CLIENT_SECRET", "abc8Q~00112233445566778899aabbccddeeffgg");
    let resource = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/ws";
    let mut text = String::new();
    for (title, variables) in [
        ("the step's identity", vec![id, step]),
        ("an identity, but whose", vec![step]),
        ("the numeric id beside it", vec![("DATABRICKS_CLIENT_ID", "1234567890"), step]),
        ("a token beside a step without `oidc: true`", vec![id, token]),
        ("a token beside it, but no id", vec![step, token]),
        ("everything at once", vec![id, step, secret, token, tenant, application, entra, azure]),
        ("everything, and the token is meant", vec![id, step, secret, token, ("DATABRICKS_AUTH_TYPE", "PAT")]),
        ("forced, but not there", vec![id, secret, ("DATABRICKS_AUTH_TYPE", "bitbucket-oidc")]),
        ("forced, and nothing is there", vec![("DATABRICKS_AUTH_TYPE", "oauth-m2m")]),
        ("forced, and nothing is there for azure", vec![azure, ("DATABRICKS_AUTH_TYPE", "azure-client-secret")]),
        ("forced, and no token", vec![("DATABRICKS_AUTH_TYPE", "env-oidc")]),
        ("forced, and no file", vec![("DATABRICKS_AUTH_TYPE", "file-oidc")]),
        ("a way of the SDKs that is not ours", vec![id, step, ("DATABRICKS_AUTH_TYPE", "azure-cli")]),
        ("a way misspelt", vec![id, step, ("DATABRICKS_AUTH_TYPE", "bitbucket-odic")]),
        ("a token of another issuer", vec![id, ("DATABRICKS_OIDC_TOKEN", STEP_TOKEN)]),
        ("one for the whole account", vec![("DATABRICKS_OIDC_TOKEN", STEP_TOKEN)]),
        ("a variable that names it", vec![id, ("DATABRICKS_OIDC_TOKEN_ENV", "MINE"), ("MINE", STEP_TOKEN)]),
        ("a variable that is not handed over", vec![id, ("DATABRICKS_OIDC_TOKEN_ENV", "MINE")]),
        ("the step's, but no `oidc: true`", vec![id, ("DATABRICKS_OIDC_TOKEN_ENV", "BITBUCKET_STEP_OIDC_TOKEN")]),
        ("the token where its name belongs", vec![id, ("DATABRICKS_OIDC_TOKEN_ENV", STEP_TOKEN)]),
        ("no token at all", vec![id, ("DATABRICKS_OIDC_TOKEN", "hunter2hunter2")]),
        (
            "both",
            vec![
                id,
                ("DATABRICKS_OIDC_TOKEN", STEP_TOKEN),
                ("DATABRICKS_OIDC_TOKEN_ENV", "MINE"),
                ("MINE", STEP_TOKEN),
            ],
        ),
        (
            "one, by two names",
            vec![id, ("DATABRICKS_OIDC_TOKEN", STEP_TOKEN), ("DATABRICKS_OIDC_TOKEN_ENV", "DATABRICKS_OIDC_TOKEN")],
        ),
        ("a file", vec![id, ("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt")]),
        ("no such file", vec![id, ("DATABRICKS_OIDC_TOKEN_FILEPATH", "other.jwt")]),
        ("a folder", vec![id, ("DATABRICKS_OIDC_TOKEN_FILEPATH", "notebooks")]),
        ("azure", vec![azure, tenant, application, entra, ("DATABRICKS_AZURE_RESOURCE_ID", resource)]),
        ("azure in part", vec![azure, application, entra]),
        ("azure beside a token", vec![azure, tenant, entra, token]),
        ("azure on another cloud", vec![tenant, application, entra]),
        ("azure in another country", vec![azure, tenant, application, entra, ("ARM_ENVIRONMENT", "china")]),
        ("a cloud that nobody has", vec![azure, tenant, application, entra, ("ARM_ENVIRONMENT", "german")]),
        ("secrets of the other kind", vec![azure, tenant, application, ("ARM_CLIENT_SECRET", secret.1)]),
        ("and the other way round", vec![id, ("DATABRICKS_CLIENT_SECRET", entra.1)]),
        (
            "azure, all of it wrong",
            vec![
                azure,
                ("ARM_TENANT_ID", "my tenant"),
                ("ARM_CLIENT_ID", "me"),
                ("ARM_CLIENT_SECRET", token.1),
                ("DATABRICKS_AZURE_RESOURCE_ID", "/subscriptions/0/resourceGroups/rg"),
            ],
        ),
        ("a resource without azure", vec![id, step, ("DATABRICKS_AZURE_RESOURCE_ID", resource)]),
    ] {
        let all = [("DATABRICKS_HOST", "https://dbc-1234.cloud.databricks.com"), ("RUN", "nightly")];
        let reading = clone.read(all.into_iter().chain([("BITBUCKET_BUILD_NUMBER", "1")]).chain(variables));
        let chosen = reading
            .settings
            .as_ref()
            .map(|settings| format!("{}: because {}\n", settings.login.way.name(), settings.login.because));
        text.push_str(&format!("# {title}\n{}{}\n", chosen.unwrap_or_default(), rendered(&reading)));
    }
    assert!(!text.contains("00112233") && !text.contains("eyJ") && !text.contains("hunter2"), "{text}");
    assert_golden_text("settings/keyless", &text);
}

#[test]
fn where_a_credential_may_go() {
    let account = "7a3f0c51-0000-4000-8000-00000000acc1";
    let console = "https://accounts.cloud.databricks.com";
    let mut text = String::new();
    for (title, variables) in [
        ("a typing error", vec![("DATABRICKS_HOST", "https://dbc-1234.cloud.databrics.com")]),
        ("a look-alike", vec![("DATABRICKS_HOST", "https://dbc-1234.cloud.databricks.com.example.com")]),
        ("an app", vec![("DATABRICKS_HOST", "https://mine-123.aws.databricksapps.com")]),
        ("vouched for", vec![("DATABRICKS_HOST", "https://db.example.com"), ("ALLOWED_HOSTS", "a.b, db.example.com")]),
        ("by its domain", vec![("DATABRICKS_HOST", "https://db.example.com"), ("ALLOWED_HOSTS", "*.example.com")]),
        (
            "vouched for in vain",
            vec![("ALLOWED_HOSTS", "https://db.example.com, *, com, .de, db.example.com:8443, $HOSTS")],
        ),
        (
            "a vanity host",
            vec![("DATABRICKS_HOST", "https://acme.databricks.com/?o=123&a=7a3f0c51-0000-4000-8000-00000000acc1")],
        ),
        ("an account console", vec![("DATABRICKS_HOST", console)]),
        (
            "one that serves workspaces too",
            vec![("DATABRICKS_HOST", console), ("DATABRICKS_WORKSPACE_ID", "12"), ("DATABRICKS_ACCOUNT_ID", account)],
        ),
        ("ids that are none", vec![("DATABRICKS_WORKSPACE_ID", "my workspace"), ("DATABRICKS_ACCOUNT_ID", "1234")]),
        (
            "two ids",
            vec![("DATABRICKS_HOST", "https://adb-1.2.azuredatabricks.net?o=12"), ("DATABRICKS_WORKSPACE_ID", "13")],
        ),
    ] {
        let reading = Clone::new().read(CONNECTION.into_iter().chain([("RUN", "nightly")]).chain(variables));
        text.push_str(&format!("# {title}\n{}\n", rendered(&reading)));
    }
    assert_golden_text("settings/hosts", &text);
}
