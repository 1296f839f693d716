//! What the entries of `RUN` stand for: found before anything is changed, so that a typing error costs nothing.

use super::parameters::{self, Parameters};
use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::jobs::Job;
use crate::databricks::objects::ObjectKind;
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::problem::{Code, Problem};
use crate::settings::{Settings, WorkspacePath};
use crate::source::{Kind, Language, LocalTree};
use crate::stop::Stop;

/// What to do where a job is there, and only not to be seen.
const SEEN: &str =
    "if the job is there, give the identity CAN_MANAGE_RUN on it: in the workspace, the job's page, Permissions";

/// An entry of `RUN`, found.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// As the user wrote it.
    pub(super) entry: String,
    /// What it is.
    pub(super) what: What,
}

/// What an entry stands for.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A job.
    Job {
        /// Its id.
        id: i64,
        /// Its name.
        name: String,
        /// `PARAMS` in the form that it takes.
        parameters: Parameters,
    },
    /// A notebook, run once.
    Notebook {
        /// Where it is, or will be once it is deployed.
        path: WorkspacePath,
    },
}

impl Resolved {
    /// The job's id, where it is a job.
    pub fn job_id(&self) -> Option<i64> {
        match self.what {
            What::Job { id, .. } => Some(id),
            What::Notebook { .. } => None,
        }
    }

    /// What runs, for people.
    pub fn name(&self) -> String {
        match &self.what {
            What::Job { id, name, .. } => format!("job {name} ({id})"),
            What::Notebook { path } => format!("notebook {path}"),
        }
    }
}

/// Finds what every entry of `RUN` stands for. `tree` is what this run deploys to `root`, if it deploys.
pub async fn resolve(
    workspace: &Workspace,
    settings: &Settings,
    root: Option<&WorkspacePath>,
    tree: Option<&LocalTree>,
    events: &dyn Emit,
) -> Result<Vec<Resolved>, Stop> {
    let finder = Finder { workspace, settings, root, tree, events };
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for entry in &settings.run {
        match finder.resolve(entry).await {
            Ok(resolved) => found.push(resolved),
            Err(Miss::Problems(more)) => problems.extend(more),
            Err(Miss::Stop(stop)) => return Err(stop),
        }
    }
    if !problems.is_empty() {
        return Err(Miss::Problems(problems).into());
    }
    let notebooks = found.iter().any(|resolved| matches!(resolved.what, What::Notebook { .. }));
    // Where no entry looks like a path, the settings have said so already.
    let like_paths = settings.run.iter().any(|entry| is_path(entry));
    if settings.run_cluster_id.is_some() && like_paths && !notebooks {
        events.emit(Event::Warned(
            Problem::new(Code::NoEffect, "has no effect: every entry of `RUN` is a job")
                .at("RUN_CLUSTER_ID")
                .hint("a job names its own compute"),
        ));
    }
    Ok(found)
}

/// What each entry stands for, one by one: for whoever wants to know of all of them.
pub async fn resolve_each(
    workspace: &Workspace,
    settings: &Settings,
    root: Option<&WorkspacePath>,
    tree: Option<&LocalTree>,
    events: &dyn Emit,
) -> Vec<(String, Result<Resolved, Stop>)> {
    let finder = Finder { workspace, settings, root, tree, events };
    let mut found = Vec::new();
    for entry in &settings.run {
        found.push((entry.clone(), finder.resolve(entry).await.map_err(Stop::from)));
    }
    found
}

/// Why an entry was not found.
enum Miss {
    /// It is wrong; the other entries are looked at all the same.
    Problems(Vec<Problem>),
    /// There is no use in looking on.
    Stop(Stop),
}

impl From<Miss> for Stop {
    fn from(miss: Miss) -> Stop {
        match miss {
            Miss::Problems(problems) => Stop { exit: Exit::Settings, problems },
            Miss::Stop(stop) => stop,
        }
    }
}

impl Miss {
    fn problem(problem: Problem) -> Miss {
        Miss::Problems(vec![problem])
    }

    /// `deploys` tells what does not happen now: a deploy, or only a run.
    fn error(entry: &str, error: &Error, deploys: bool) -> Miss {
        let problem = error.problem();
        if error.is_about_identity() {
            Miss::Stop(Stop::because(Exit::Identity, problem))
        } else if error.is_about_one_object() || error.meaning() == Some(Meaning::PermissionDenied) {
            Miss::problem(problem.at(format!("RUN: `{entry}`")))
        } else {
            // The workspace does not answer: nothing is wrong with the entry.
            let exit = if deploys { Exit::Deploy } else { Exit::RunCancelled };
            Miss::Stop(Stop::because(exit, problem))
        }
    }
}

struct Finder<'a> {
    workspace: &'a Workspace,
    settings: &'a Settings,
    root: Option<&'a WorkspacePath>,
    tree: Option<&'a LocalTree>,
    events: &'a dyn Emit,
}

impl Finder<'_> {
    async fn resolve(&self, entry: &str) -> Result<Resolved, Miss> {
        let what = self.find(entry).await?;
        Ok(Resolved { entry: entry.to_owned(), what })
    }

    /// The order of the search is a promise: id, name, path. (Keys of deployed jobs will come before them.)
    async fn find(&self, entry: &str) -> Result<What, Miss> {
        let mut forbidden = None;
        if let Some(id) = entry.parse::<i64>().ok().filter(|_| entry.bytes().all(|byte| byte.is_ascii_digit())) {
            match self.workspace.job(id).await {
                Ok(Some(job)) => return self.job(job),
                Ok(None) => {}
                // Rights are checked before existence: a job that is gone looks like this too, and so would a number
                // that is really a job's name.
                Err(error) if error.meaning() == Some(Meaning::PermissionDenied) => forbidden = Some(error),
                Err(error) => return Err(self.miss(entry, &error)),
            }
        }
        if let Some(job) = self.by_name(entry).await? {
            return self.job(job);
        }
        if is_path(entry) {
            return self.notebook(entry).await;
        }
        if let Some(error) = forbidden {
            return Err(Miss::problem(
                Problem::new(Code::JobNotFound, "there is no such job, or this identity may not see it")
                    .at(format!("RUN: `{entry}`"))
                    .hint(format!("{SEEN}; the workspace says: {}", error.said().unwrap_or_default())),
            ));
        }
        Err(Miss::problem(
            Problem::new(Code::JobNotFound, "no job has this id or this name, or this identity may not see it")
                .at(format!("RUN: `{entry}`"))
                .hint(format!(
                    "give a job's id or its exact name, or a notebook's path that starts with `/` or `./`; {SEEN}"
                )),
        ))
    }

    fn miss(&self, entry: &str, error: &Error) -> Miss {
        Miss::error(entry, error, self.tree.is_some())
    }

    async fn by_name(&self, entry: &str) -> Result<Option<Job>, Miss> {
        let all = self.workspace.jobs_named(entry).await.map_err(|error| self.miss(entry, &error))?;
        let exact: Vec<_> = all.iter().filter(|job| job.name == entry).collect();
        match exact.as_slice() {
            [] => match all.first() {
                // A path is still looked for as one.
                Some(other) if !is_path(entry) => Err(Miss::problem(
                    Problem::new(Code::JobNotFound, "no job has exactly this name")
                        .at(format!("RUN: `{entry}`"))
                        .hint(format!("there is `{}` ({}): the case of letters counts", other.name, other.id)),
                )),
                _ => Ok(None),
            },
            // Listed a moment ago: if it is gone now, that is the answer.
            [one] => self.workspace.job(one.id).await.map_err(|error| self.miss(entry, &error)),
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|job| match &job.creator {
                        Some(creator) => format!("{} (made by {creator})", job.id),
                        None => job.id.to_string(),
                    })
                    .collect();
                Err(Miss::problem(
                    Problem::new(
                        Code::AmbiguousJob,
                        format!("{} jobs have this name: {}", list.len(), list.join(", ")),
                    )
                    .at(format!("RUN: `{entry}`"))
                    .hint("give the id of the one that you mean"),
                ))
            }
        }
    }

    fn job(&self, job: Job) -> Result<What, Miss> {
        let parameters = parameters::map(&job, &self.settings.params).map_err(Miss::Problems)?;
        Ok(What::Job { id: job.id, name: job.name, parameters })
    }

    async fn notebook(&self, entry: &str) -> Result<What, Miss> {
        let wrong = |message: String| Problem::new(Code::InvalidValue, message).at(format!("RUN: `{entry}`"));
        let path = match (entry.strip_prefix("./"), self.root) {
            (Some(below), Some(root)) => WorkspacePath::parse(&format!("{root}/{below}")),
            (Some(_), None) => {
                let problem =
                    wrong("a path that starts with `./` is meant below `WORKSPACE_PATH`, which is unknown".into());
                return Err(Miss::problem(problem.hint("set `WORKSPACE_PATH`, or `TARGET`")));
            }
            (None, _) => WorkspacePath::parse(entry),
        };
        let path = path.map_err(|why| Miss::problem(wrong(format!("the path {why}"))))?;
        let (path, language) = match self.in_tree(entry, &path) {
            Some(found) => found.map_err(Miss::problem)?,
            None => self.in_workspace(entry, path).await?,
        };
        if self.settings.run_cluster_id.is_none() {
            self.judge_serverless(entry, language).map_err(Miss::problem)?;
        }
        Ok(What::Notebook { path })
    }

    /// Looks in what is going to be deployed. `None` where the path is not below the target, or nothing is deployed.
    fn in_tree(&self, entry: &str, path: &WorkspacePath) -> Option<Result<(WorkspacePath, Option<Language>), Problem>> {
        let (root, tree) = (self.root?, self.tree?);
        let below = path.as_str().strip_prefix(root.as_str())?.strip_prefix('/')?;
        let wrong = |message: &str| Problem::new(Code::NotFound, message).at(format!("RUN: `{entry}`"));
        let Some(file) = tree.files.iter().find(|file| file.remote == below || file.relative == below) else {
            let problem = wrong("no notebook of this path is deployed");
            let name = below.rsplit('/').next().unwrap_or(below);
            let namesake = tree.files.iter().find(|file| {
                is_notebook(file.kind)
                    && file.remote.rsplit('/').next().is_some_and(|other| other.eq_ignore_ascii_case(name))
            });
            return Some(Err(match namesake {
                Some(file) => problem.hint(format!("did you mean `./{}`?", file.remote)),
                None => problem.hint("the path is the one in the workspace, without the file's extension"),
            }));
        };
        Some(match file.kind {
            Kind::SourceNotebook(language) | Kind::JupyterNotebook(language) => {
                Ok((root.join(&file.remote), Some(language)))
            }
            Kind::Dashboard | Kind::File => Err(wrong("this is a file, not a notebook").hint(
                "a source notebook starts with the line `# Databricks notebook source` (`//` in Scala, `--` in SQL)",
            )),
        })
    }

    async fn in_workspace(&self, entry: &str, path: WorkspacePath) -> Result<(WorkspacePath, Option<Language>), Miss> {
        let wrong = |message: String| Problem::new(Code::NotFound, message).at(format!("RUN: `{entry}`"));
        let object = self.workspace.object(path.as_str()).await.map_err(|error| self.miss(entry, &error))?;
        match object {
            Some(object) if object.kind == ObjectKind::Notebook => Ok((path, object.language)),
            Some(object) => {
                let kind = object.kind.with_article();
                Err(Miss::problem(wrong(format!("`{path}` is {kind}, not a notebook"))))
            }
            None => Err(Miss::problem(
                wrong(format!("there is no `{path}`, or this identity may not see it"))
                    .hint("the path is the one in the workspace, without the file's extension"),
            )),
        }
    }

    fn judge_serverless(&self, entry: &str, language: Option<Language>) -> Result<(), Problem> {
        let place = format!("RUN: `{entry}`");
        match language {
            Some(Language::R) => {
                Err(Problem::new(Code::LanguageNotSupported, "an R notebook cannot run on serverless compute")
                    .at(place)
                    .hint("set `RUN_CLUSTER_ID` to a cluster that runs R"))
            }
            Some(Language::Scala) => {
                self.events.emit(Event::Warned(
                    Problem::new(
                        Code::LanguageNotSupported,
                        "a Scala notebook runs on serverless compute only where the workspace offers that",
                    )
                    .at(place)
                    .hint("set `RUN_CLUSTER_ID` if the run is refused"),
                ));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn is_path(entry: &str) -> bool {
    entry.starts_with('/') || entry.starts_with("./")
}

fn is_notebook(kind: Kind) -> bool {
    matches!(kind, Kind::SourceNotebook(_) | Kind::JupyterNotebook(_))
}
