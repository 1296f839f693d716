//! Settings: everything that is wrong is told at once, nothing secret is ever shown, and the documents say what the
//! table says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

mod documents;
mod invariants;
mod readings;

use databricks_deploy::pipeline::{Environment, Pipeline};
use databricks_deploy::problem::Problem;
use databricks_deploy::settings::{Reading, read};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A clone with a folder of notebooks and a file.
struct Clone {
    folder: tempfile::TempDir,
}

impl Clone {
    fn new() -> Clone {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("notebooks/etl")).unwrap();
        std::fs::write(folder.path().join("README.md"), "# etl\n").unwrap();
        Clone { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What is read where exactly these variables are set and the step is in the clone's root.
    fn read<'v>(&self, variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Reading {
        self.read_environment(&Environment::new(variables, self.path()))
    }

    fn read_environment(&self, environment: &Environment) -> Reading {
        read(environment, &Pipeline::read(environment))
    }
}

/// The variables that every use needs.
const CONNECTION: [(&str, &str); 2] = [
    ("DATABRICKS_HOST", "https://dbc-1234.cloud.databricks.com"),
    ("DATABRICKS_TOKEN", "dapi00112233445566778899aabbccddeeff"),
];

/// A reading as the log shows it: the errors, then the warnings.
fn rendered(reading: &Reading) -> String {
    let mut text = String::new();
    let mut write = |mark: &str, problem: &Problem| {
        writeln!(text, "{mark} {problem}").unwrap();
        if let Some(hint) = &problem.hint {
            writeln!(text, "  hint: {hint}").unwrap();
        }
    };
    if let Err(problems) = &reading.settings {
        problems.iter().for_each(|problem| write("error", problem));
    }
    reading.warnings.iter().for_each(|problem| write("warning", problem));
    if text.is_empty() { "valid\n".into() } else { text }
}

/// The root of this repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
