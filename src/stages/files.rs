//! Plan and deploy: from what is here and what is there to what is done.

use super::local;
use crate::Step;
use crate::deploy::{self, Copies, Work};
use crate::event::{DriftTold, Event, PlanTold};
use crate::exit::Exit;
use crate::plan::{self, Inputs, Intent, Local, Plan, PlanFile, Policy};
use crate::problem::{Code, Problem};
use crate::report::claim;
use crate::settings::{Action, WorkspacePath};
use crate::source::{Kind, LocalTree};
use crate::state::{DeployedBy, RelativePath};
use crate::stop::Stop;
use crate::target::{Observed, Target, collect, owner};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Brings the target to what the settings ask for, or tells what that would take.
pub(crate) async fn run(step: &Step<'_>, root: &WorkspacePath, tree: Option<&LocalTree>) -> Result<(), Stop> {
    let settings = step.settings;
    let owner = owner(step.pipeline, settings);
    let target = Target { workspace: step.workspace, root, owner: &owner, events: step.events };
    let approved = settings.plan.as_deref().map(|path| approved(step, path)).transpose()?;
    let local = tree.map(local::planned).transpose()?.unwrap_or_default();
    let intent = if settings.action == Action::Destroy { Intent::Destroy } else { Intent::Deploy };

    let observed = target.observe(&local).await?;
    if let Some(damaged) = &observed.damaged {
        believe_nothing(step, intent, damaged)?;
    }
    let plan = plan_of(step, &target, &observed, intent, &local).await?;
    step.events.emit(Event::PlanMade(plan.counts()));
    let file = PlanFile::of(&plan, &owner, crate::VERSION).redacted(|text| step.redactor.redact(text).into_owned());
    if settings.action == Action::Plan {
        return tell(step, &plan, &file);
    }
    if let Some(approved) = approved {
        approved.still_holds(&file).map_err(|problem| Stop::because(Exit::Conflict, problem))?;
    }
    if let Err(stop) = plan.may_run() {
        step.events.emit(Event::DriftStops(drifted(&plan)));
        return Err(stop);
    }
    left_alone(step, &plan);
    // A state that holds nothing any more is something to remove.
    let silent = plan.says_nothing() && (intent == Intent::Deploy || observed.state.is_none());
    if silent {
        step.events.emit(Event::NothingToDo { to: root.to_string(), intent, untouched: plan.untouched });
    }
    let work = Work {
        target,
        observed: &observed,
        plan: &plan,
        by: by(step),
        copies: Copies {
            build: build(step),
            local: settings.output_dir.join("drift"),
            redactor: step.redactor.clone(),
            jupyter: jupyter(&observed, &local),
        },
        from: settings.files.as_ref().map(|files| files.shown.clone()).unwrap_or_default(),
        holds: tree.map(holds).unwrap_or_default(),
        silent,
    };
    deploy::carry_out(&work).await
}

/// Computes the plan; what looks changed is looked at first.
async fn plan_of(
    step: &Step<'_>,
    target: &Target<'_>,
    observed: &Observed,
    intent: Intent,
    local: &BTreeMap<RelativePath, Local>,
) -> Result<Plan, Stop> {
    let policy = Policy { prune: step.settings.prune, on_drift: step.settings.on_drift };
    let inputs = Inputs { root: target.root, intent, policy, local, remote: &observed.remote, ours: &observed.ours };
    let evidence = collect(target.workspace, target.root, plan::suspects(&inputs)).await?;
    Ok(plan::compute(&inputs, &evidence))
}

/// A deploy goes on where the state cannot be believed, and compares; what to remove nobody knows then.
fn believe_nothing(step: &Step<'_>, intent: Intent, damaged: &Problem) -> Result<(), Stop> {
    let mut problem = damaged.clone();
    if intent == Intent::Deploy {
        step.events.emit(Event::Warned(problem));
        return Ok(());
    }
    problem.message.push_str(", so that nothing can be proved to be ours: nothing was deleted");
    let hint = "deploy once more, which writes a new state, and destroy then; or delete the folder by hand";
    Err(Stop::because(Exit::Conflict, problem.hint(hint)))
}

/// What was found, and not copied.
fn drifted(plan: &Plan) -> Vec<DriftTold> {
    DriftTold::all(plan, |_| None)
}

/// `ACTION: plan`: shows the plan, writes it, and ends as the deploy would where that could not begin.
fn tell(step: &Step<'_>, plan: &Plan, file: &PlanFile) -> Result<(), Stop> {
    let stop = plan.may_run();
    let drifted = drifted(plan);
    let silent = plan.says_nothing();
    let written = write(&step.settings.output_dir, &step.redactor.redact(&file.to_json()));
    let written = match written {
        Ok(written) => Some(shown(step, &written)),
        Err(error) => {
            let message = format!("the plan cannot be written: {error}");
            let problem = Problem::new(Code::OutputsNotWritten, message).at(shown(step, &step.settings.output_dir));
            let hint = "set `OUTPUT_DIR` to a folder of the clone that the pipe may write to";
            step.events.emit(Event::Warned(problem.hint(hint)));
            None
        }
    };
    if silent {
        let (to, intent, untouched) = (plan.root.to_string(), plan.intent, plan.untouched);
        step.events.emit(Event::NothingToDo { to, intent, untouched });
    }
    step.events.emit(Event::Planned(PlanTold {
        to: plan.root.to_string(),
        counts: plan.counts(),
        changes: plan.changes().collect(),
        file: written,
        silent,
    }));
    left_alone(step, plan);
    if stop.is_err() {
        step.events.emit(Event::DriftStops(drifted));
    } else if !drifted.is_empty() {
        step.events.emit(Event::Drifted(drifted));
    }
    stop
}

/// A file as it is named from the working directory.
fn shown(step: &Step<'_>, path: &Path) -> String {
    path.strip_prefix(step.here).unwrap_or(path).to_string_lossy().into_owned()
}

/// Writes the plan beside the outputs of this call: the plan of an earlier one is never overwritten.
fn write(folder: &Path, json: &str) -> std::io::Result<PathBuf> {
    let (mut file, path) = claim(folder, "plan")?;
    file.write_all(json.as_bytes())?;
    Ok(path)
}

/// The plan that somebody has seen.
fn approved(step: &Step<'_>, path: &Path) -> Result<PlanFile, Stop> {
    let shown = shown(step, path);
    let bytes = std::fs::read(path).map_err(|error| {
        let problem = Problem::new(Code::InvalidPlan, format!("`{shown}` cannot be read: {error}")).at("PLAN");
        Stop::because(Exit::Settings, problem.hint("hand the file over from the step that made it, as an artifact"))
    })?;
    PlanFile::read(&bytes).map_err(|error| Stop::because(Exit::Settings, error.problem(&shown)))
}

fn left_alone(step: &Step<'_>, plan: &Plan) {
    let told = plan.left_alone.iter().map(|one| (plan.at(&one.path).to_string(), one.in_words())).collect::<Vec<_>>();
    if !told.is_empty() {
        step.events.emit(Event::LeftAlone(told));
    }
}

fn by(step: &Step<'_>) -> DeployedBy {
    DeployedBy {
        version: Some(crate::VERSION.to_owned()),
        commit: step.pipeline.commit.clone(),
        build: step.pipeline.build.clone(),
        link: step.pipeline.link(),
    }
}

/// A name for this build's copies: the number of the pipeline. Attempts of one step share it, so that the second finds
/// the copies that the first has made.
fn build(step: &Step<'_>) -> String {
    let safe = |build: &&String| build.chars().all(|next| next.is_ascii_alphanumeric());
    step.pipeline.build.as_ref().filter(safe).cloned().unwrap_or_else(|| format!("local-{:016x}", step.nonce))
}

/// What is a Jupyter notebook as far as anybody knows: by its record, or else by the local file in its place.
fn jupyter(observed: &Observed, local: &BTreeMap<RelativePath, Local>) -> BTreeSet<RelativePath> {
    let records = &observed.ours.records;
    let recorded = records.iter().map(|(path, record)| (path, record.kind));
    let here = local.iter().map(|(path, local)| (path, local.kind)).filter(|(path, _)| !records.contains_key(*path));
    let jupyter = recorded.chain(here).filter(|(_, kind)| matches!(kind, Kind::JupyterNotebook(_)));
    jupyter.map(|(path, _)| path.clone()).collect()
}

/// What the target holds when all of a tree has arrived.
fn holds(tree: &LocalTree) -> crate::event::Counts {
    let mut counts = crate::event::Counts::default();
    let mut folders = BTreeSet::new();
    for file in &tree.files {
        counts.bytes += file.size;
        match file.kind {
            Kind::SourceNotebook(_) | Kind::JupyterNotebook(_) => counts.notebooks += 1,
            Kind::Dashboard => counts.dashboards += 1,
            Kind::File => counts.files += 1,
        }
        let mut rest = file.remote.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            folders.insert(parent);
            rest = parent;
        }
    }
    counts.folders = folders.len();
    counts
}
