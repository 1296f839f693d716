//! The environment: `NAME=value`, one a line, where a line that starts with a tab goes on with the value before.

use super::{assert_can_be_told, folded};
use databricks_deploy::pipeline::{Environment, Pipeline};
use databricks_deploy::problem::Code;
use databricks_deploy::settings::{Reading, Settings, WorkspacePath, read};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

/// The secret of every step.
const CANARY: &str = "c4n4ryOfTheFuzzer7";

/// Where the step is: a folder of notebooks, and a few files that variables can name.
static CLONE: LazyLock<PathBuf> = LazyLock::new(|| {
    let clone = std::env::temp_dir().join("databricks-deploy-fuzzed-clone");
    std::fs::create_dir_all(clone.join("notebooks/etl")).expect("a folder");
    for (name, content) in
        [("plan.json", "{}"), ("ca.pem", "-----BEGIN CERTIFICATE-----\n"), ("token", "e30.e30.c2ln\n")]
    {
        std::fs::write(clone.join(name), content).expect("a file");
    }
    clone
});

pub(crate) fn holds(input: &[u8]) {
    let mut pairs = vec![(OsString::from("PIPELINES_JWT_TOKEN"), OsString::from(CANARY))];
    for pair in folded(input) {
        // The system can give neither a name with `=` nor anything with a zero in it.
        let Some(end) = pair.iter().position(|byte| *byte == b'=').filter(|end| *end > 0) else { continue };
        if !pair.contains(&0) {
            let (name, value) = (pair[..end].to_vec(), pair[end + 1..].to_vec());
            pairs.push((OsString::from_vec(name), OsString::from_vec(value)));
        }
    }
    let environment = Environment::new(pairs, &*CLONE);
    let pipeline = Pipeline::read(&environment);
    let reading = read(&environment, &pipeline);
    // Half of the time would go into this.
    if input.len().is_multiple_of(8) {
        assert_eq!(shown(&reading), shown(&read(&environment, &pipeline)), "one environment has one meaning");
    }

    let problems = reading.settings.as_ref().err().into_iter().flatten();
    for problem in problems.chain(&reading.warnings) {
        assert_can_be_told(problem);
        assert_ne!(problem.code, Code::Bug, "{problem:?}");
    }
    no_secret_is_told(&environment, &reading);
    match &reading.settings {
        Ok(settings) => valid_by_construction(settings),
        Err(problems) => assert!(!problems.is_empty()),
    }
}

/// All that a reading says; what is secret of it by its length alone.
fn shown(reading: &Reading) -> String {
    let secrets: Vec<&str> = reading.secrets.iter().map(|secret| secret.expose()).collect();
    format!("{:?} {:?} {secrets:?}", reading.settings, reading.warnings)
}

fn no_secret_is_told(environment: &Environment, reading: &Reading) {
    let canary = environment.get("PIPELINES_JWT_TOKEN").map(str::trim) == Some(CANARY);
    assert!(!canary || reading.secrets.iter().any(|secret| secret.expose() == CANARY), "is not known as a secret");
    let told = format!("{:?}{:?}", reading.settings.as_ref().err(), reading.warnings);
    assert!(!canary || !told.contains(CANARY), "{told}");
}

/// What the rest of the program relies on.
fn valid_by_construction(settings: &Settings) {
    let host = &settings.route.host;
    let loopback = matches!(host.host_str(), Some("localhost" | "[::1]"))
        || host.host_str().is_some_and(|host| host.starts_with("127."));
    assert!(host.scheme() == "https" || (host.scheme() == "http" && loopback), "{host}");
    assert!(
        host.username().is_empty() && host.password().is_none() && host.query().is_none() && host.path() == "/",
        "{host}"
    );
    assert!((Duration::from_secs(1)..=Duration::from_secs(12 * 60 * 60)).contains(&settings.timeout));
    if let Some(target) = &settings.target {
        assert!(!matches!(target.as_str(), "" | "." | "..") && !target.contains('/'), "{target:?}");
        assert!(!target.chars().any(char::is_control), "{target:?}");
    }
    if let Some(path) = &settings.workspace_path {
        assert_eq!(WorkspacePath::parse(path.as_str()).as_ref(), Ok(path));
    }
    let inside = |path: &PathBuf| path.starts_with(&*CLONE) && !path.components().any(|part| part.as_os_str() == "..");
    assert!(inside(&settings.output_dir), "{:?}", settings.output_dir);
    assert!(settings.files.as_ref().is_none_or(|files| inside(&files.local) && files.local.is_dir()));
    assert!(settings.plan.as_ref().is_none_or(|plan| inside(plan) && plan.is_file()));
    assert!(names(&settings.run), "{:?}", settings.run);
    assert!(names(settings.params.iter().map(|(name, _)| name)), "{:?}", settings.params);
}

/// Whether each is one that can be shown, and stands there once.
fn names<'n>(names: impl IntoIterator<Item = &'n String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| !name.trim().is_empty() && !name.chars().any(char::is_control) && seen.insert(name))
}
