//! What later lines of the step, and later steps, can read: `outputs.env` and `outputs.json` in `OUTPUT_DIR`, and the
//! variables of the pipeline. Written when a run has started, since a step can be killed at any moment after that, and
//! at the end.

use crate::disk;
use crate::event::{Counts, Ending};
use crate::order;
use crate::outcome::{Outcome, RunRecord};
use crate::plan;
use crate::problem::Problem;
use crate::secrets::Redactor;
use crate::state::{self, DRIFT};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The version of `outputs.json`: it goes up when a reader of the old form could be misled.
const SCHEMA: u32 = 1;

/// How many runs become variables. Bitbucket takes 50 variables a pipeline, and nobody names more runs than these.
const RUNS_AS_VARIABLES: usize = 5;

/// The prefix of every variable.
const PREFIX: &str = "DATABRICKS_DEPLOY_";

/// The files of one call of the pipe.
pub struct Outputs {
    redactor: Redactor,
    json: PathBuf,
    env: PathBuf,
}

impl Outputs {
    /// Claims the files in `folder`: those of an earlier call, in this step or before it, are never overwritten, so that
    /// a second call gets `outputs-2.env`, and so on.
    pub fn claim(folder: &Path, redactor: Redactor) -> io::Result<Outputs> {
        let (_, json) = claim(folder, "outputs")?;
        Ok(Outputs { redactor, env: json.with_extension("env"), json })
    }

    /// Where the variables are, for the log.
    pub fn env_file(&self) -> &Path {
        &self.env
    }

    /// Writes both files; a reader finds the old or the new ones, whole.
    pub fn write(&self, outcome: &Outcome) -> io::Result<()> {
        let mut json = serde_json::to_string_pretty(&Document::of(outcome))?;
        json.push('\n');
        replace(&self.json, &self.redactor.redact(&json))?;
        let mut env = String::new();
        for (name, value) in variables(outcome) {
            env.push_str(&format!("{name}={}\n", quoted(&value)));
        }
        replace(&self.env, &self.redactor.redact(&env))
    }

    /// Appends the variables to the file that Bitbucket reads the step's `output-variables` from; where there is no such
    /// file and no folder for it, nothing happens: whether a pipe sees it is not documented.
    pub fn append_to_pipeline(&self, path: &Path, outcome: &Outcome) -> io::Result<()> {
        if !path.exists() && !path.parent().is_some_and(Path::is_dir) {
            return Ok(());
        }
        let mut lines = String::new();
        for (name, value) in variables(outcome) {
            // The form is one `KEY=value` a line, without quoting.
            lines.push_str(&format!("{name}={}\n", crate::text::one_line(&value)));
        }
        let mut file = disk::append(path)?;
        file.write_all(self.redactor.redact(&lines).as_bytes())
    }
}

/// Writes a file anew; a reader finds the old one or the new one, whole.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    disk::create(&new)?.write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}

/// Makes `<name>.json` in `folder`, or `<name>-2.json`, and so on, where an earlier call has made it: its files are never
/// overwritten.
pub(crate) fn claim(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    std::fs::create_dir_all(folder)?;
    for call in 1_u32.. {
        let path = folder.join(if call == 1 { format!("{name}.json") } else { format!("{name}-{call}.json") });
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("every name is taken"))
}

/// The variables and their values. Names are a contract: they are listed in the README.
fn variables(outcome: &Outcome) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut set = |name: &str, value: Option<String>| {
        variables.extend(value.filter(|value| !value.is_empty()).map(|value| (format!("{PREFIX}{name}"), value)));
    };
    set("TARGET", outcome.target.clone());
    set("WORKSPACE_PATH", outcome.workspace_path.clone());
    if let Some(Counts { notebooks, files, dashboards, folders, .. }) = outcome.deployed {
        for (name, count) in
            [("NOTEBOOKS", notebooks), ("FILES", files), ("DASHBOARDS", dashboards), ("FOLDERS", folders)]
        {
            set(name, Some(count.to_string()));
        }
    }
    if let Some(plan::Counts { created, changed, deleted, untouched, drifted, .. }) = outcome.changes {
        for (name, count) in [
            ("CREATED", created),
            ("CHANGED", changed),
            ("DELETED", deleted),
            ("UNTOUCHED", untouched),
            ("DRIFTED", drifted),
        ] {
            set(name, Some(count.to_string()));
        }
    }
    set("DRIFT_FOLDER", drift_folder(outcome));
    set("PLAN_FILE", outcome.plan_file.clone());
    set("RUN_COUNT", Some(outcome.runs.len().to_string()));
    for (index, record) in outcome.runs.iter().take(RUNS_AS_VARIABLES).enumerate() {
        set(&format!("RUN_{index}_ID"), Some(record.run.id.to_string()));
        set(&format!("RUN_{index}_JOB_ID"), record.job_id.map(|id| id.to_string()));
        set(&format!("RUN_{index}_URL"), record.link.clone());
        set(&format!("RUN_{index}_STATE"), Some(state_of(record).to_owned()));
        set(&format!("RUN_{index}_SECONDS"), record.end.as_ref().map(|end| end.elapsed.as_secs().to_string()));
    }
    set("EXIT_CODE", outcome.ended.then(|| outcome.exit.code().to_string()));
    variables
}

/// The folder in the workspace that holds every copy of this call: that of the build, where there is only one.
fn drift_folder(outcome: &Outcome) -> Option<String> {
    let all = format!("{}/{}/{DRIFT}", outcome.workspace_path.as_ref()?, state::FOLDER);
    let copies = outcome.drifted.iter().filter_map(|one| one.copy.as_deref());
    let builds = copies.filter_map(|copy| copy.strip_prefix(&all)?.strip_prefix('/')?.split('/').next());
    let builds: BTreeSet<&str> = order::gathered(builds);
    match (builds.first(), builds.len()) {
        (Some(build), 1) => Some(format!("{all}/{build}")),
        (Some(_), _) => Some(all),
        (None, _) => None,
    }
}

fn state_of(record: &RunRecord) -> &'static str {
    match record.end.as_ref().map(|end| end.ending) {
        None => "running",
        Some(Ending::Triggered) => "triggered",
        Some(Ending::Succeeded) => "succeeded",
        Some(Ending::Failed) => "failed",
        Some(Ending::Cancelled) => "cancelled",
        Some(Ending::WaitEnded) => "wait-ended",
    }
}

/// A value as a shell reads it, whatever is in it.
fn quoted(value: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "/._-:@%+=,".contains(char);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// `outputs.json`; described by `outputs.schema.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'static str,
    exit_code: Option<u8>,
    host: Option<&'a str>,
    target: Option<&'a str>,
    workspace_path: Option<&'a str>,
    deployed: Option<Deployed>,
    changes: Option<plan::Counts>,
    drift: Vec<Drift<'a>>,
    plan: Option<&'a str>,
    runs: Vec<Run<'a>>,
    problems: Vec<Told<'a>>,
    warnings: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Deployed {
    notebooks: usize,
    files: usize,
    dashboards: usize,
    folders: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Drift<'a> {
    path: &'a str,
    what: &'a str,
    copy: Option<&'a str>,
}

#[derive(Serialize)]
struct Run<'a> {
    name: &'a str,
    id: i64,
    job_id: Option<i64>,
    url: Option<&'a str>,
    state: &'static str,
    message: Option<&'a str>,
    seconds: Option<u64>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'static str,
    place: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(outcome: &'a Outcome) -> Document<'a> {
        Document {
            schema: SCHEMA,
            version: crate::VERSION,
            exit_code: outcome.ended.then(|| outcome.exit.code()),
            host: outcome.host.as_deref(),
            target: outcome.target.as_deref(),
            workspace_path: outcome.workspace_path.as_deref(),
            deployed: outcome.deployed.map(|Counts { notebooks, files, dashboards, folders, bytes }| Deployed {
                notebooks,
                files,
                dashboards,
                folders,
                bytes,
            }),
            changes: outcome.changes,
            drift: outcome
                .drifted
                .iter()
                .map(|one| Drift { path: &one.path, what: &one.words, copy: one.copy.as_deref() })
                .collect(),
            plan: outcome.plan_file.as_deref(),
            runs: outcome
                .runs
                .iter()
                .map(|record| Run {
                    name: &record.run.name,
                    id: record.run.id,
                    job_id: record.job_id,
                    url: record.link.as_deref(),
                    state: state_of(record),
                    message: record.end.as_ref().map(|end| end.message.as_str()),
                    seconds: record.end.as_ref().map(|end| end.elapsed.as_secs()),
                })
                .collect(),
            problems: outcome.problems.iter().map(told).collect(),
            warnings: outcome.warnings.iter().map(told).collect(),
        }
    }
}

fn told(problem: &Problem) -> Told<'_> {
    Told {
        code: problem.code.as_str(),
        place: problem.place.as_deref(),
        message: &problem.message,
        hint: problem.hint.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        assert_eq!(quoted("/Workspace/Shared/etl"), "/Workspace/Shared/etl");
        assert_eq!(quoted("https://x/?o=1#job/2/run/3"), "'https://x/?o=1#job/2/run/3'");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
