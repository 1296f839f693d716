//! `plan.json`: a plan for somebody to look at, and for a later deploy to be held against.

use super::render::{Counts, action_word, kind_with_article, what_was_done, why_deleted, why_uploaded};
use super::{End, OnDrift, Plan, Prune, Seen, SeenKind};
use crate::disk;
use crate::order;
use crate::problem::{Code, Problem};
use crate::state::{Digest, Owner, RelativePath, kind_word, language_word};
use crate::text;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// The version of `plan.json`: it goes up when a reader of the old form could be misled. `plan.schema.json` describes it.
const SCHEMA: u32 = 1;

/// The most that a file has, in bytes: enough for a hundred thousand changes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// How many differences a message names.
const NAMED: usize = 3;

/// A plan as it is written to `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    schema: u32,
    version: String,
    action: String,
    root: String,
    owner: Owner,
    settings: Chosen,
    counts: Counts,
    changes: Vec<Step>,
    drifted: Vec<Told>,
    left_alone: Vec<Told>,
    stops: Vec<Told>,
    digest: Digest,
}

/// The settings that a plan depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    prune: String,
    on_drift: String,
}

/// One thing that is done, and on what it rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    action: Verb,
    /// Below the root, whose own path is empty.
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Ground>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Backup,
    MakeFolder,
    Upload,
    Adopt,
    Delete,
    DeleteFolder,
    RemoveRecords,
}

/// The object that a step finds. Its content tells it apart where that is known; its time only where it is not, since a
/// notebook that is opened and saved is still what the reader of the plan has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ground {
    kind: String,
    object_id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified_at: Option<i64>,
}

/// A path and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    message: String,
}

/// Why a text is not a plan to hold a deploy against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileError {
    /// It is not JSON, or ends in the middle.
    NotJson,
    /// It is JSON of another form: what is wrong.
    NotAPlan(String),
    /// A newer version of the pipe wrote it.
    Newer {
        /// The version of the form.
        schema: u64,
        /// The version of the pipe, if it says so.
        by: Option<String>,
    },
    /// It was changed after it had been written.
    Edited,
}

impl PlanFile {
    /// The file for `plan`; `version` is the pipe's.
    pub fn of(plan: &Plan, owner: &Owner, version: &str) -> PlanFile {
        let stops = plan.may_run().err().map(|stop| stop.problems).unwrap_or_default();
        let mut file = PlanFile {
            schema: SCHEMA,
            version: version.to_owned(),
            action: action_word(plan.intent).to_owned(),
            root: plan.root.to_string(),
            owner: owner.clone(),
            settings: Chosen {
                prune: match plan.policy.prune {
                    Prune::None => "none",
                    // What `all` does to jobs is no part of this file.
                    Prune::Files | Prune::All => "files",
                    Prune::Force => "force",
                }
                .to_owned(),
                on_drift: match plan.policy.on_drift {
                    OnDrift::Backup => "backup",
                    OnDrift::Fail => "fail",
                    OnDrift::Overwrite => "overwrite",
                }
                .to_owned(),
            },
            counts: plan.counts(),
            changes: steps(plan),
            drifted: plan
                .drifted
                .iter()
                .map(|one| Told { path: Some(one.path.to_string()), message: one.in_words(&plan.root) })
                .collect(),
            left_alone: plan
                .left_alone
                .iter()
                .map(|one| Told { path: Some(one.path.to_string()), message: one.in_words() })
                .collect(),
            stops: stops.into_iter().map(|problem| Told { path: problem.place, message: problem.message }).collect(),
            digest: Digest::of(b""),
        };
        file.digest = file.fitting_digest();
        file
    }

    /// Reads the plan that somebody has seen; `shown` is its name in the log.
    pub fn open(path: &Path, shown: &str) -> Result<PlanFile, Problem> {
        let bytes = disk::read(path, LARGEST).map_err(|error| {
            Problem::new(Code::InvalidPlan, format!("`{shown}` cannot be read: {error}"))
                .at("PLAN")
                .hint("hand the file over from the step that made it, as an artifact")
        })?;
        PlanFile::read(&bytes).map_err(|error| error.problem(shown))
    }

    /// The text of the file: the same plan always has the same text.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists of them: there is nothing in it that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The same with every text as `redact` leaves it, and with the digest that fits that: a name in it may hold what
    /// must not be written, and what is written must still be the plan that it is held against.
    #[must_use]
    pub fn redacted(self, redact: impl Fn(&str) -> String) -> PlanFile {
        let text = self.to_json();
        let redacted = redact(&text);
        if redacted == text {
            return self;
        }
        match serde_json::from_str::<PlanFile>(&redacted) {
            Ok(mut file) => {
                file.digest = file.fitting_digest();
                file
            }
            Err(_) => self,
        }
    }

    /// Reads a file back.
    pub fn read(bytes: &[u8]) -> Result<PlanFile, FileError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
            #[serde(default)]
            version: Option<serde_json::Value>,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| FileError::of(&error))?;
        if head.schema > u64::from(SCHEMA) {
            let by = head.version.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
            return Err(FileError::Newer { schema: head.schema, by });
        }
        if head.schema == 0 {
            return Err(FileError::NotAPlan("has a schema that never was".into()));
        }
        let file: PlanFile = serde_json::from_slice(bytes).map_err(|error| FileError::of(&error))?;
        if file.digest == file.fitting_digest() { Ok(file) } else { Err(FileError::Edited) }
    }

    /// The digest of everything that somebody who looked at the plan has approved: what will be done, where, for whom, by
    /// which settings, and on what it rests. What only explains or counts is no part of it, and neither is the version of
    /// the pipe.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn fitting_digest(&self) -> Digest {
        let approved = (self.schema, &self.action, &self.root, &self.owner, &self.settings, &self.changes);
        Digest::of(&serde_json::to_vec(&approved).unwrap_or_default())
    }

    fn by_path(&self) -> BTreeMap<&str, Vec<&Step>> {
        let mut paths: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
        for step in &self.changes {
            paths.entry(&step.path).or_default().push(step);
        }
        paths
    }

    /// Whether `now` is the plan that was seen; if not, what is different (exit 7).
    pub fn still_holds(&self, now: &PlanFile) -> Result<(), Problem> {
        if self.digest == now.digest {
            return Ok(());
        }
        let mut differences = Vec::new();
        let mut compare = |what: &str, then: &dyn fmt::Display, now: &dyn fmt::Display| {
            let (then, now) = (then.to_string(), now.to_string());
            if then != now {
                differences.push(format!("{what} was {then} and is {now}"));
            }
        };
        compare("the action", &self.action, &now.action);
        compare("the path", &self.root, &now.root);
        compare("the owner", &self.owner, &now.owner);
        compare("`PRUNE`", &self.settings.prune, &now.settings.prune);
        compare("`ON_DRIFT`", &self.settings.on_drift, &now.settings.on_drift);
        let (then, today) = (self.by_path(), now.by_path());
        let paths: BTreeSet<&str> = order::gathered(then.keys().chain(today.keys()).copied());
        differences.extend(paths.into_iter().filter_map(|path| {
            let (then, today) = (then.get(path), today.get(path));
            difference(path, then.map_or(&[], Vec::as_slice), today.map_or(&[], Vec::as_slice))
        }));
        let more = differences.len().saturating_sub(NAMED);
        differences.truncate(NAMED);
        let mut message = format!("the plan is no longer the one that was seen: {}", differences.join("; "));
        if more > 0 {
            message.push_str(&format!("; and {}", text::count(more, "more difference")));
        }
        Err(Problem::new(Code::PlanChanged, text::one_line(&message))
            .at("PLAN")
            .hint("look at a new plan (`ACTION: plan`), and deploy that one"))
    }
}

impl FileError {
    fn of(error: &serde_json::Error) -> FileError {
        use serde_json::error::Category;
        match error.classify() {
            // The parser's own words are about types of this program.
            Category::Data => FileError::NotAPlan(format!("line {} holds what the pipe does not write", error.line())),
            Category::Eof | Category::Syntax | Category::Io => FileError::NotJson,
        }
    }

    /// The problem (exit 1), in the file `shown`.
    pub fn problem(&self, shown: &str) -> Problem {
        let again = "make it anew with `ACTION: plan`";
        let (message, hint) = match self {
            FileError::NotJson => (format!("`{shown}` is not JSON, or ends in the middle"), again.to_owned()),
            FileError::NotAPlan(what) => (format!("`{shown}` is not a plan: {what}"), again.to_owned()),
            FileError::Newer { schema, by } => {
                let by = by
                    .as_ref()
                    .map(|by| format!(" by version {}", text::excerpt(by, text::EXCERPT)))
                    .unwrap_or_default();
                let message =
                    format!("`{shown}` was written{by} with schema {schema}, and this version knows {SCHEMA}");
                (message, "use the same tag of the pipe in both steps".to_owned())
            }
            FileError::Edited => {
                let message = format!("`{shown}` was changed after it had been written: its digest does not fit it");
                (message, again.to_owned())
            }
        };
        Problem::new(Code::InvalidPlan, message).at("PLAN").hint(hint)
    }
}

/// What is different about one path, if anything is.
fn difference(path: &str, then: &[&Step], now: &[&Step]) -> Option<String> {
    let path = if path.is_empty() { "." } else { path };
    let has = |steps: &[&Step], verb| steps.iter().any(|step| step.action == verb);
    if now.iter().any(|step| has(then, step.action) && !then.contains(step)) {
        return Some(format!("`{path}` has changed since, here or in the workspace"));
    }
    let beyond = |these: &[&Step], those: &[&Step]| {
        let verbs = these.iter().map(|step| step.action).filter(|verb| !has(those, *verb));
        verbs.map(Verb::done).collect::<Vec<_>>().join(" and ")
    };
    match (beyond(now, then), beyond(then, now)) {
        (new, _) if !new.is_empty() => Some(format!("`{path}` would be {new} now")),
        (_, old) if !old.is_empty() => Some(format!("`{path}` would no longer be {old}")),
        _ => None,
    }
}

impl Verb {
    /// As the end of a sentence on the object that it is done to.
    fn done(self) -> &'static str {
        match self {
            Verb::Backup => "copied",
            Verb::MakeFolder => "made",
            Verb::Upload => "uploaded",
            Verb::Adopt => "taken over",
            Verb::Delete | Verb::DeleteFolder => "deleted",
            Verb::RemoveRecords => "without records",
        }
    }
}

/// The steps in the order in which they are done.
fn steps(plan: &Plan) -> Vec<Step> {
    let plain =
        |action, path: String| Step { action, path, kind: None, language: None, reason: None, digest: None, on: None };
    let delete = |deletion: &super::Deletion| Step {
        reason: Some(why_deleted(deletion).to_owned()),
        on: Some(ground(&deletion.seen, deletion.content)),
        ..plain(Verb::Delete, deletion.path.to_string())
    };
    let folder = |path: &RelativePath| plain(Verb::DeleteFolder, path.to_string());
    let mut steps = Vec::new();
    for backup in &plan.backups {
        let at = plan.drifted.binary_search_by(|one| one.path.cmp(&backup.path));
        let how = at.ok().and_then(|at| plan.drifted.get(at));
        steps.push(Step {
            reason: how.map(|one| what_was_done(&one.how, &plan.root)),
            on: Some(ground(&backup.seen, backup.content)),
            ..plain(Verb::Backup, backup.path.to_string())
        });
    }
    steps.extend(plan.replaced.iter().map(delete));
    steps.extend(plan.replaced_folders.iter().map(folder));
    for made in &plan.folders {
        let shown = plan.shown_folder(made);
        let path = shown.trim_end_matches('/');
        steps.push(plain(Verb::MakeFolder, if path == "." { String::new() } else { path.to_owned() }));
    }
    for upload in &plan.uploads {
        steps.push(Step {
            kind: Some(kind_word(upload.local.kind).to_owned()),
            language: language_word(upload.local.kind).map(str::to_owned),
            reason: Some(why_uploaded(upload)),
            digest: Some(upload.local.digest),
            on: upload.over.as_ref().map(|over| ground(&over.seen, over.content)),
            ..plain(Verb::Upload, upload.path.to_string())
        });
    }
    for path in &plan.adopted {
        let record = plan.kept.get(path);
        steps.push(Step {
            kind: record.map(|record| kind_word(record.kind).to_owned()),
            language: record.and_then(|record| language_word(record.kind)).map(str::to_owned),
            digest: record.map(|record| record.digest),
            ..plain(Verb::Adopt, path.to_string())
        });
    }
    steps.extend(plan.deletions.iter().map(delete));
    steps.extend(plan.emptied.iter().map(folder));
    if let End::RemoveRecords { .. } = plan.end {
        steps.push(plain(Verb::RemoveRecords, String::new()));
    }
    steps
}

fn ground(seen: &Seen, content: Option<Digest>) -> Ground {
    Ground {
        kind: match &seen.kind {
            SeenKind::Notebook(_) => "notebook".to_owned(),
            SeenKind::File => "file".to_owned(),
            SeenKind::Dashboard => "dashboard".to_owned(),
            SeenKind::Folder | SeenKind::Other(_) => kind_with_article(&seen.kind),
        },
        object_id: seen.object_id,
        content,
        modified_at: seen.modified_at.filter(|_| content.is_none()),
    }
}
