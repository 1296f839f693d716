//! Plan and deploy: from what is here and what is there to what is done.

use super::local;
use crate::Step;
use crate::deploy::lock::{Claim, Held, RELEASE, Taken};
use crate::deploy::{self, Copies, Work};
use crate::event::{DriftTold, Event, PlanTold};
use crate::exit::Exit;
use crate::plan::{self, Inputs, Intent, Local, Plan, PlanFile, Policy};
use crate::problem::{Code, Problem};
use crate::report::claim;
use crate::settings::{Action, WorkspacePath};
use crate::source::{Kind, LocalTree};
use crate::state::{DeployedBy, RelativePath, StepId};
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
    let stage = Stage { step, target, intent, tree, local: &local, approved: approved.as_ref() };

    let seen = stage.look().await?;
    if settings.action == Action::Plan {
        stage.announce(&seen.observed, &seen.plan);
        return tell(step, &seen.plan, &seen.file);
    }
    // No work, no lock. But whoever holds it may be about to change what looks as it should be.
    let alone = seen.observed.holder.is_none();
    if alone && (!seen.has_work() || seen.obstacle.is_err()) {
        return stage.finish(seen, None).await;
    }
    let claim = Claim {
        target,
        by: by(step),
        step: StepId::of(step.pipeline),
        nonce: step.nonce,
        deadline: step.deadline,
        keeper: step.keeper,
    };
    let taken = claim.take(&seen.observed).await?;
    let ended = tokio::select! {
        biased;
        lost = taken.held.lost() => Err(lost),
        ended = stage.under_lock(&taken, seen) => match (ended, taken.held.why_lost()) {
            // What was not sent because the lock was lost failed for no other reason.
            (Err(_), Some(lost)) => Err(lost),
            (ended, _) => ended,
        },
    };
    step.keeper.release(RELEASE, step.events).await;
    ended
}

/// What all that is done to one target has in common.
#[derive(Clone, Copy)]
struct Stage<'a> {
    step: &'a Step<'a>,
    target: Target<'a>,
    intent: Intent,
    tree: Option<&'a LocalTree>,
    local: &'a BTreeMap<RelativePath, Local>,
    approved: Option<&'a PlanFile>,
}

/// What the target was like, and what is to be done about it.
struct Seen {
    observed: Observed,
    plan: Plan,
    file: PlanFile,
    /// Why nothing of it may be done.
    obstacle: Result<(), Stop>,
}

impl Seen {
    fn has_work(&self) -> bool {
        deploy::has_work(&self.plan, &self.observed)
    }
}

impl Stage<'_> {
    /// Observes the target and computes the plan; what looks changed is looked at first.
    async fn look(&self) -> Result<Seen, Stop> {
        let Stage { step, target, intent, local, .. } = *self;
        let observed = target.observe(local).await?;
        let policy = Policy { prune: step.settings.prune, on_drift: step.settings.on_drift };
        let (remote, ours) = (&observed.remote, &observed.ours);
        let inputs = Inputs { root: target.root, intent, policy, local, remote, ours };
        let evidence = collect(target.workspace, target.root, plan::suspects(&inputs)).await?;
        let plan = plan::compute(&inputs, &evidence);
        let file = PlanFile::of(&plan, target.owner, crate::VERSION);
        let file = file.redacted(|text| step.redactor.redact(text).into_owned());
        let obstacle = self.obstacle(&observed, &plan, &file);
        Ok(Seen { observed, plan, file, obstacle })
    }

    /// Does what is to be done, once nobody else does anything to the target.
    async fn under_lock(&self, taken: &Taken, first: Seen) -> Result<(), Stop> {
        let stage = Stage { target: Target { workspace: taken.held.workspace(), ..self.target }, ..*self };
        let seen = if taken.unchanged {
            first
        } else {
            let now = stage.look().await?;
            self.overtaken(&first.observed, &now.observed)?;
            now
        };
        stage.finish(seen, Some(&taken.held)).await
    }

    /// A newer build's work is not undone by an older one that had to wait for it.
    fn overtaken(&self, first: &Observed, now: &Observed) -> Result<(), Stop> {
        let number = |build: &Option<String>| build.as_ref().and_then(|build| build.trim().parse::<u64>().ok());
        let serial = |observed: &Observed| observed.state.as_ref().map(|state| state.serial);
        let Some(state) = now.state.as_ref().filter(|_| serial(first) != serial(now)) else { return Ok(()) };
        match (number(&state.deployed_by.build), number(&self.step.pipeline.build)) {
            (Some(theirs), Some(mine)) if theirs > mine => {
                let message = format!("build {theirs} has deployed to the target while build {mine} waited for it");
                let problem = Problem::new(Code::Overtaken, message).at(self.target.root.to_string()).hint(
                    "nothing needs to be done: the newer state is there; to go back to this one, run the step again",
                );
                Err(Stop::because(Exit::Conflict, Problem { link: state.deployed_by.page(), ..problem }))
            }
            _ => Ok(()),
        }
    }

    /// Why nothing of it may be done.
    fn obstacle(&self, observed: &Observed, plan: &Plan, file: &PlanFile) -> Result<(), Stop> {
        if let Some(damaged) = self.unproved(observed) {
            let mut problem = damaged.clone();
            problem.message.push_str(", so that nothing can be proved to be ours: nothing was deleted");
            let hint = "deploy once more, which writes a new state, and destroy then; or delete the folder by hand";
            return Err(Stop::because(Exit::Conflict, problem.hint(hint)));
        }
        if let Some(approved) = self.approved {
            approved.still_holds(file).map_err(|problem| Stop::because(Exit::Conflict, problem))?;
        }
        plan.may_run()
    }

    /// What is wrong with the state of a target that is to be removed: what to remove nobody knows then. A deploy goes on
    /// where the state cannot be believed, and compares.
    fn unproved<'a>(&self, observed: &'a Observed) -> Option<&'a Problem> {
        observed.damaged.as_ref().filter(|_| self.intent == Intent::Destroy)
    }

    /// Says what is odd, and that there is a plan.
    fn announce(&self, observed: &Observed, plan: &Plan) {
        let Observed { damaged, damaged_journal, .. } = observed;
        for odd in damaged.iter().chain(damaged_journal) {
            self.step.events.emit(Event::Warned(odd.clone()));
        }
        self.step.events.emit(Event::PlanMade(plan.counts()));
    }

    /// Carries the plan out, under a lock where it changes anything.
    async fn finish(&self, seen: Seen, held: Option<&Held>) -> Result<(), Stop> {
        let Stage { step, target, intent, .. } = *self;
        let Seen { observed, plan, obstacle, .. } = seen;
        let (observed, plan) = (&observed, &plan);
        if self.unproved(observed).is_none() {
            self.announce(observed, plan);
            if !plan.obstacles.is_empty() {
                step.events.emit(Event::DriftStops(drifted(plan)));
            }
        }
        obstacle?;
        left_alone(step, plan);
        // A state that holds nothing any more is something to remove.
        let silent = plan.says_nothing() && (intent == Intent::Deploy || observed.state.is_none());
        if silent {
            let untouched = plan.untouched;
            step.events.emit(Event::NothingToDo { to: target.root.to_string(), intent, untouched });
        }
        let work = Work {
            target,
            observed,
            plan,
            held,
            keeper: step.keeper,
            by: by(step),
            copies: Copies {
                build: build(step),
                local: step.settings.output_dir.join("drift"),
                redactor: step.redactor.clone(),
                jupyter: jupyter(observed, self.local),
            },
            from: step.settings.files.as_ref().map(|files| files.shown.clone()).unwrap_or_default(),
            holds: self.tree.map(holds).unwrap_or_default(),
            silent,
        };
        deploy::carry_out(&work).await
    }
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
    PlanFile::open(path, &shown).map_err(|problem| Stop::because(Exit::Settings, problem))
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
