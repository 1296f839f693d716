//! What holds for any environment.

use super::{CONNECTION, Clone, rendered};
use databricks_deploy::pipeline::{Environment, Pipeline};
use databricks_deploy::settings::{Kind, VARIABLES, read};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// What Bitbucket hands to a pipe beside the pipe's own variables, in a deployment step with `oidc: true`.
const BITBUCKET: &[(&str, &str)] = &[
    ("BITBUCKET_BOOKMARK", ""),
    ("BITBUCKET_BRANCH", "main"),
    ("BITBUCKET_BUILD_NUMBER", "42"),
    ("BITBUCKET_CLONE_DIR", "/opt/atlassian/pipelines/agent/build"),
    ("BITBUCKET_COMMIT", "0123456789abcdef0123456789abcdef01234567"),
    ("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production"),
    ("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID", "{c1d2e3f4-0000-4000-8000-000000000001}"),
    ("BITBUCKET_DOCKER_HOST_INTERNAL", "10.39.145.17"),
    ("BITBUCKET_EXIT_CODE", "0"),
    ("BITBUCKET_GIT_HTTP_ORIGIN", "http://bitbucket.org/acme/etl"),
    ("BITBUCKET_GIT_SSH_ORIGIN", "git@bitbucket.org:acme/etl.git"),
    ("BITBUCKET_PARALLEL_STEP", "0"),
    ("BITBUCKET_PARALLEL_STEP_COUNT", "2"),
    ("BITBUCKET_PIPELINES_VARIABLES_PATH", "/opt/atlassian/pipelines/agent/variables"),
    ("BITBUCKET_PIPELINE_UUID", "{c1d2e3f4-0000-4000-8000-000000000002}"),
    (
        "BITBUCKET_PIPE_SHARED_STORAGE_DIR",
        "/opt/atlassian/pipelines/agent/build/.bitbucket/pipelines/generated/pipeline/pipes",
    ),
    (
        "BITBUCKET_PIPE_STORAGE_DIR",
        "/opt/atlassian/pipelines/agent/build/.bitbucket/pipelines/generated/pipeline/pipes/a/b",
    ),
    ("BITBUCKET_PROJECT_KEY", "ETL"),
    ("BITBUCKET_PROJECT_UUID", "{c1d2e3f4-0000-4000-8000-000000000003}"),
    ("BITBUCKET_REPO_FULL_NAME", "acme/etl"),
    ("BITBUCKET_REPO_IS_PRIVATE", "true"),
    ("BITBUCKET_REPO_OWNER", "acme"),
    ("BITBUCKET_REPO_OWNER_UUID", "{c1d2e3f4-0000-4000-8000-000000000004}"),
    ("BITBUCKET_REPO_SLUG", "etl"),
    ("BITBUCKET_REPO_UUID", "{c1d2e3f4-0000-4000-8000-000000000005}"),
    ("BITBUCKET_SSH_KEY_FILE", "/opt/atlassian/pipelines/agent/ssh/id_rsa"),
    ("BITBUCKET_STEP_OIDC_TOKEN", "eyJhbGciOiJSUzI1NiJ9AAAA.eyJzdWIiOiJ7YX06e2J9In0AAAA.c2lnbmF0dXJlc2ln"),
    ("BITBUCKET_STEP_RUN_NUMBER", "1"),
    ("BITBUCKET_STEP_TRIGGERER_UUID", "{c1d2e3f4-0000-4000-8000-000000000006}"),
    ("BITBUCKET_STEP_UUID", "{c1d2e3f4-0000-4000-8000-000000000007}"),
    (
        "BITBUCKET_TEST_METADATA_FILE_PATH",
        "/opt/atlassian/pipelines/agent/build/.bitbucket/pipelines/generated/test.json",
    ),
    ("BITBUCKET_WORKSPACE", "acme"),
    ("CI", "true"),
    ("DOCKER_HOST", "tcp://host.docker.internal:2375"),
    ("HOME", "/root"),
    ("HOSTNAME", "0123456789ab"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("PIPELINES_JWT_TOKEN", "internal-token-of-the-platform"),
];

/// A developer's shell.
const LINUX: &[(&str, &str)] = &[
    ("_", "/usr/bin/env"),
    ("CARGO_HOME", "/home/me/.cargo"),
    ("COLORTERM", "truecolor"),
    ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
    ("DESKTOP_SESSION", "gnome"),
    ("DISPLAY", ":0"),
    ("EDITOR", "vim"),
    ("GDMSESSION", "gnome"),
    ("GIT_AUTHOR_NAME", "Me"),
    ("GIT_EDITOR", "vim"),
    ("GPG_TTY", "/dev/pts/0"),
    ("GTK_MODULES", "gail:atk-bridge"),
    ("HISTCONTROL", "ignoredups"),
    ("HOME", "/home/me"),
    ("HOST", "laptop"),
    ("HOSTNAME", "laptop"),
    ("INVOCATION_ID", "0123456789abcdef0123456789abcdef"),
    ("JAVA_HOME", "/usr/lib/jvm/default"),
    ("JOURNAL_STREAM", "8:12345"),
    ("LANG", "en_GB.UTF-8"),
    ("LC_ALL", "C.UTF-8"),
    ("LD_LIBRARY_PATH", "/usr/local/lib"),
    ("LESS", "-R"),
    ("LOGNAME", "me"),
    ("LS_COLORS", "rs=0:di=01;34"),
    ("MAIL", "/var/mail/me"),
    ("MANPATH", "/usr/share/man"),
    ("OLDPWD", "/home"),
    ("OUTPUT", "x"),
    ("PAGER", "less"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("PROMPT", "$ "),
    ("PS1", "$ "),
    ("PWD", "/home/me/etl"),
    ("PYTHONPATH", "/home/me/lib"),
    ("RUSTUP_HOME", "/home/me/.rustup"),
    ("RUST_BACKTRACE", "1"),
    ("RUST_LOG", "debug"),
    ("SHELL", "/bin/bash"),
    ("SHLVL", "1"),
    ("SSH_AUTH_SOCK", "/run/user/1000/keyring/ssh"),
    ("TERM", "xterm-256color"),
    ("TMPDIR", "/tmp"),
    ("TZ", "Europe/Berlin"),
    ("USER", "me"),
    ("VIRTUAL_ENV", "/home/me/venv"),
    ("VISUAL", "vim"),
    ("WAYLAND_DISPLAY", "wayland-0"),
    ("WINDOWID", "1"),
    ("XDG_CURRENT_DESKTOP", "GNOME"),
    ("XDG_RUNTIME_DIR", "/run/user/1000"),
    ("XDG_SESSION_TYPE", "wayland"),
    ("container", "docker"),
    ("debian_chroot", "x"),
];

#[test]
fn an_ordinary_environment_raises_no_warning() {
    let clone = Clone::new();
    let ours = CONNECTION.into_iter().chain([("LOCAL_PATH", "notebooks"), ("TARGET", "production")]);
    let in_bitbucket = clone.read(ours.clone().chain(BITBUCKET.iter().copied()));
    assert_eq!(rendered(&in_bitbucket), "valid\n");
    let on_a_laptop = clone.read(ours.chain(LINUX.iter().copied()));
    assert_eq!(rendered(&on_a_laptop), "valid\n");
}

#[test]
fn a_value_that_is_not_utf_8_is_told_of_only_where_it_is_ours() {
    let clone = Clone::new();
    let broken = || OsString::from_vec(vec![b'a', 0xff]);
    let mut pairs: Vec<(OsString, OsString)> =
        CONNECTION.iter().map(|(name, value)| (OsString::from(*name), OsString::from(*value))).collect();
    pairs.push(("RUN".into(), "nightly".into()));
    pairs.push(("SOMEBODY_ELSES".into(), broken()));
    pairs.push((OsString::from_vec(vec![0xff]), "x".into()));
    assert_eq!(rendered(&clone.read_environment(&Environment::new(pairs.clone(), clone.path()))), "valid\n");
    pairs.push(("EXCLUDE".into(), broken()));
    pairs.push(("INCLUDE_1".into(), broken()));
    assert_eq!(
        rendered(&clone.read_environment(&Environment::new(pairs, clone.path()))),
        "error INCLUDE: the value of `INCLUDE_1` is not UTF-8 [not-unicode]\n  \
         hint: save the variable again as plain text\n\
         error EXCLUDE: the value of `EXCLUDE` is not UTF-8 [not-unicode]\n  \
         hint: save the variable again as plain text\n"
    );
}

/// Names that are ours, nearly ours, parts of lists, or somebody else's.
fn name() -> impl Strategy<Value = String> {
    let ours = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect::<Vec<_>>();
    let lists = VARIABLES
        .iter()
        .filter(|variable| matches!(variable.kind, Kind::List(_) | Kind::Map))
        .flat_map(|variable| ["COUNT", "0", "1", "2"].map(|part| format!("{}_{part}", variable.name)))
        .collect::<Vec<_>>();
    let foreign =
        ["BITBUCKET_TAG", "BITBUCKET_BRANCH", "BITBUCKET_CLONE_DIR", "HTTPS_PROXY", "JOBS", "TARGETS", "RUNS_COUNT"];
    prop_oneof![
        6 => prop::sample::select(ours),
        3 => prop::sample::select(lists),
        1 => prop::sample::select(foreign.to_vec()).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|name| name.replace(['=', '\0'], "_")),
    ]
}

/// Values around a secret: alone, wrapped, inside other spellings; and values of any kind.
fn value(secret: String) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(secret.clone()),
        1 => Just(format!(" \"{secret}\" ")),
        1 => Just(format!("Bearer {secret}")),
        1 => Just(format!("https://me:{secret}@example.com/x")),
        1 => Just(format!("https://{secret}/path?o=1")),
        1 => Just(format!("https://example.com/{secret}")),
        1 => Just(format!("[\"a\", \"{secret}\", {{\"{secret}\": 1}}]")),
        1 => Just(format!("{{\"{secret}\": null}}")),
        1 => Just(format!("{{\"a\": \"{secret}\"")),
        1 => Just(format!("{secret}\n{secret}")),
        1 => Just(format!("{secret}={secret}\n{secret}={secret}")),
        1 => Just(format!("${secret}")),
        1 => Just(format!("${{{secret}}}")),
        1 => Just(format!("/Workspace/{secret}/..")),
        1 => Just(format!("../{secret}")),
        1 => Just(format!("{{{secret}")),
        1 => Just("2".to_owned()),
        1 => Just("run".to_owned()),
        1 => any::<String>().prop_map(|value| value.replace('\0', "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_environment_breaks_it_and_no_secret_is_shown(
        (secret, pairs) in "[a-zA-Z][a-zA-Z0-9_]{11,40}".prop_flat_map(|secret| {
            (Just(secret.clone()), prop::collection::btree_map(name(), value(secret), 0..12))
        })
    ) {
        let mut pairs: BTreeMap<String, String> = pairs;
        // Its being here is what makes the value a secret.
        pairs.insert("PIPELINES_JWT_TOKEN".into(), secret.clone());
        let environment = Environment::new(pairs, "/nowhere");
        let reading = read(&environment, &Pipeline::read(&environment));
        let shown = format!("{}{:?}{:?}", rendered(&reading), reading.warnings, reading.settings.as_ref().err());
        prop_assert!(!shown.contains(&secret), "{shown}");
        prop_assert!(reading.secrets.iter().any(|known| known.expose() == secret));
        if let Err(problems) = &reading.settings {
            prop_assert!(!problems.is_empty());
            prop_assert!(!rendered(&reading).contains("[bug]"));
        }
    }
}
