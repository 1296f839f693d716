//! The library of the databricks-deploy pipe: the workflow, stage by stage.
//!
//! [`edge`] is all that a program needs: pairs, an output and a shutdown signal in, an exit code out.

pub mod access;
pub mod databricks;
pub mod deploy;
pub mod digest;
mod disk;
pub mod doctor;
pub mod event;
pub mod exit;
pub mod finding;
pub mod http;
pub mod identity;
mod order;
pub mod outcome;
pub mod pipeline;
pub mod plan;
pub mod problem;
pub mod report;
pub mod runs;
pub mod secrets;
pub mod settings;
pub mod source;
mod stages;
pub mod state;
pub mod stop;
pub mod target;
pub mod text;
mod unwind;

use databricks::Workspace;
use databricks::identity::Me;
use deploy::lock::{Keeper, QUICK_RELEASE, RELEASE};
use doctor::Clock;
use event::{Emit, Event};
use exit::Exit;
use identity::Identity;
use outcome::Outcome;
use pipeline::{Environment, Pipeline};
use problem::{Code, Problem};
use report::{Journalist, Output};
use runs::InFlight;
use secrets::{Redactor, Secret};
use settings::{Action, Patient, Settings, WorkspacePath};
use std::future::Future;
use std::io::Write;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;
use stop::Stop;
use tokio::time::Instant;

/// This version, as the image's tag has it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the program is connected to.
pub struct Ports {
    /// Where the log goes.
    pub output: Box<dyn Write + Send>,
    /// Takes every secret out of what is written; the panic hook has a clone.
    pub redactor: Redactor,
    /// What requests go over: the network, where it is `None`.
    pub wire: Option<Arc<dyn http::Wire>>,
    /// What time it was by this machine's clock when the process started.
    pub clock: SystemTime,
    /// Different in every process: makes tokens unique and seeds the jitter.
    pub nonce: u64,
}

/// What the log says of a panic, for the hook that the process installs: redacted, since a panic may quote anything.
pub fn panic_line(redactor: &Redactor, panic: &std::panic::PanicHookInfo<'_>) -> String {
    let text = format!("this is a bug in databricks-deploy {VERSION}, please report it: {panic}");
    format!("✖ {}\n", text::one_line(&redactor.redact(&text)))
}

/// Runs the whole program on an environment; never fails, and never panics for a reason that comes from outside.
pub async fn edge(environment: Environment, ports: Ports, shutdown: impl Future<Output = ()>) -> Exit {
    run(environment, ports, shutdown).await.exit
}

/// Runs the whole program and tells what happened. The walk may end early; the report comes always.
pub async fn run(environment: Environment, ports: Ports, shutdown: impl Future<Output = ()>) -> Outcome {
    let began = Instant::now();
    let Ports { output, redactor, wire, clock, nonce } = ports;
    let pipeline = Pipeline::read(&environment);
    let settings::Reading { settings, patient, warnings, secrets } = settings::read(&environment, &pipeline);
    // Before the first line of output: nothing is written that has not gone through the redactor.
    for secret in &secrets {
        redactor.learn(secret);
    }

    let output = Output::new(output, redactor.clone());
    let journalist = Journalist::new(output, redactor.clone(), environment.get("NO_COLOR").is_none())
        .with_pipeline_variables(pipeline.variables_file.clone());
    let debug = matches!(&settings, Ok(settings) if settings.debug) || matches!(&patient, Some(ill) if ill.debug);
    let _log = debug.then(|| tracing::subscriber::set_default(journalist.debug_log()));

    journalist.emit(Event::Began { version: VERSION });
    let start = Start {
        here: &environment.working_directory,
        pipeline: &pipeline,
        secrets: &secrets,
        redactor: &redactor,
        journalist: &journalist,
        wire,
        clock: Clock { wall: clock, at: began },
        nonce,
    };
    let (walked, sent) = match patient {
        Some(patient) => examine(&start, &patient, &warnings, shutdown).await,
        None => {
            for warning in warnings {
                journalist.emit(Event::Warned(warning));
            }
            carry_out(&start, settings, shutdown).await
        }
    };
    if let Err(Stop { exit, problems }) = walked {
        journalist.emit(Event::Stopped { problems, exit });
    }
    let outcome = journalist.outcome();
    journalist.emit(Event::Ended {
        exit: outcome.exit,
        words: words(&outcome),
        elapsed: began.elapsed(),
        requests: sent.requests,
        repetitions: sent.repetitions,
    });
    journalist.outcome()
}

/// What there is before anything is contacted.
struct Start<'a> {
    /// The working directory, for the names of files in the log.
    here: &'a Path,
    pipeline: &'a Pipeline,
    secrets: &'a [Secret],
    redactor: &'a Redactor,
    journalist: &'a Journalist,
    wire: Option<Arc<dyn http::Wire>>,
    /// From when the process started.
    clock: Clock,
    nonce: u64,
}

/// How everything ended, and what was sent.
type End = (Result<(), Stop>, http::Stats);

/// `ACTION: doctor`.
async fn examine(
    start: &Start<'_>,
    patient: &Patient,
    warnings: &[Problem],
    shutdown: impl Future<Output = ()>,
) -> End {
    if let Some(folder) = &patient.output_dir {
        start.journalist.write_outputs_to(folder, start.redactor);
    }
    stages::doctor::run(start, patient, warnings, shutdown).await
}

/// Every other action.
async fn carry_out(
    start: &Start<'_>,
    settings: Result<Settings, Vec<Problem>>,
    shutdown: impl Future<Output = ()>,
) -> End {
    let journalist = start.journalist;
    let connected = settings.and_then(|settings| Ok((stages::connect::connect(start, &settings)?, settings)));
    let ((workspace, identity), settings) = match connected {
        Ok(connected) => connected,
        Err(problems) => return (Err(Stop { exit: Exit::Settings, problems }), http::Stats::default()),
    };
    journalist.write_outputs_to(&settings.output_dir, start.redactor);
    let (in_flight, keeper) = (InFlight::default(), Keeper::default());
    let step = Step {
        deadline: start.clock.at + settings.timeout,
        here: start.here,
        settings: &settings,
        pipeline: start.pipeline,
        workspace: &workspace,
        identity: &identity,
        secrets: start.secrets,
        redactor: start.redactor,
        events: journalist,
        nonce: start.nonce,
        in_flight: &in_flight,
        keeper: &keeper,
    };
    let mut shutdown = pin!(shutdown);
    let walked = tokio::select! {
        // A walk that ends in the very moment of the signal has ended.
        biased;
        walked = unwind::caught(walk(&step)) => walked.unwrap_or_else(|_| Err(panicked(&journalist.outcome()))),
        () = &mut shutdown => {
            runs::shutdown(&workspace, &in_flight, &journalist.outcome(), journalist).await;
            keeper.release(QUICK_RELEASE, journalist).await;
            Err(told_to_stop())
        }
    };
    // A deploy has released its lock, and so has whoever was told to stop; one that could not begin has not.
    tokio::select! {
        biased;
        () = keeper.release(RELEASE, journalist) => {}
        () = shutdown => keeper.release(QUICK_RELEASE, journalist).await,
    }
    (walked, workspace.stats())
}

/// What the end means. The doctor's codes are those of an identity that does not work, whatever it has found, and of a
/// wait that ended.
fn words(outcome: &Outcome) -> &'static str {
    match outcome.exit {
        Exit::Identity if !outcome.findings.is_empty() => "Not all is well",
        Exit::WaitEnded if !outcome.findings.is_empty() => "Not all was examined",
        exit => exit.words(),
    }
}

fn told_to_stop() -> Stop {
    let problem = Problem::new(Code::Interrupted, "the process was told to stop by a signal");
    Stop::because(Exit::Interrupted, problem)
}

/// What every stage of one walk has in common.
struct Step<'a> {
    /// The working directory, for the names of files in the log.
    here: &'a Path,
    settings: &'a Settings,
    pipeline: &'a Pipeline,
    workspace: &'a Workspace,
    identity: &'a Identity,
    secrets: &'a [Secret],
    redactor: &'a Redactor,
    deadline: Instant,
    events: &'a dyn Emit,
    nonce: u64,
    in_flight: &'a InFlight,
    keeper: &'a Keeper,
}

/// The fixed workflow. A stage without work says nothing.
async fn walk(step: &Step<'_>) -> Result<(), Stop> {
    // Identity, and the local tree meanwhile.
    let (me, tree) = tokio::join!(log_in(step), stages::local::read(step));
    let (me, tree) = both(me, tree)?;

    // Plan: everything that can be wrong is found before anything is changed.
    let root = step.settings.root(step.pipeline.slug.as_deref(), &me.user_name);
    let root = root.map_err(|problem| Stop::because(Exit::Settings, problem))?;
    step.events.emit(Event::TargetKnown {
        target: step.settings.target.clone(),
        path: root.as_ref().map(WorkspacePath::to_string),
    });
    let resolved = runs::resolve(step.workspace, step.settings, root.as_ref(), tree.as_ref(), step.events).await?;

    // Deploy, or tell what a deploy would do, or take away what was deployed.
    if let Some(root) = root.as_ref().filter(|_| step.settings.local_path.is_some()) {
        stages::files::run(step, root, tree.as_ref()).await?;
        if step.settings.action == Action::Deploy {
            give_permissions(step, root).await?;
        }
    }

    // Run.
    let context = runs::Context {
        workspace: step.workspace,
        settings: step.settings,
        pipeline: step.pipeline,
        deadline: step.deadline,
        nonce: step.nonce,
        events: step.events,
        in_flight: step.in_flight,
        identity: step.identity,
    };
    runs::run(&context, &resolved).await
}

/// Gives the rights on the deployed folder, which is there by now.
async fn give_permissions(step: &Step<'_>, root: &WorkspacePath) -> Result<(), Stop> {
    if step.settings.permissions.is_empty() {
        return Ok(());
    }
    let lost = |problem: Problem, exit| Stop::because(exit, problem.at("PERMISSIONS"));
    match step.workspace.object(root.as_str()).await {
        Ok(Some(folder)) => {
            deploy::permissions::apply(step.workspace, folder.object_id, &step.settings.permissions, step.events).await
        }
        Ok(None) => {
            let message = format!("`{root}` is not there any longer, or this identity may not see it");
            Err(lost(Problem::new(Code::NotFound, message).hint("run the step again"), Exit::Deploy))
        }
        Err(error) => {
            let exit = if error.is_about_identity() { Exit::Identity } else { Exit::Deploy };
            Err(lost(error.problem(), exit))
        }
    }
}

async fn log_in(step: &Step<'_>) -> Result<Me, Stop> {
    match step.workspace.me().await {
        Ok(me) => {
            step.events.emit(Event::LoggedIn {
                host: step.settings.route.host.as_str().trim_end_matches('/').to_owned(),
                user: me.user_name.clone(),
                how: step.identity.how.clone(),
            });
            Ok(me)
        }
        Err(error) => Err(Stop::because(
            Exit::Identity,
            identity::not_logged_in(&error, &step.settings.login, &step.settings.route),
        )),
    }
}

/// Both results, or everything that is wrong with either.
fn both<A, B>(a: Result<A, Stop>, b: Result<B, Stop>) -> Result<(A, B), Stop> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(stop), Ok(_)) | (Ok(_), Err(stop)) => Err(stop),
        (Err(mut first), Err(second)) => {
            first.exit = first.exit.or_worse(second.exit);
            first.problems.extend(second.problems);
            Err(first)
        }
    }
}

/// The end of a walk that panicked: its message has been told where it happened. Runs are not our bug's to cancel.
fn panicked(outcome: &Outcome) -> Stop {
    let mut stop = Stop::bug("the pipe failed in the middle of its work");
    for record in outcome.running() {
        let problem = Problem::new(Code::Bug, format!("run {} goes on, and is not watched any longer", record.run.id));
        let problem = problem.at(record.run.name.clone());
        stop.problems.push(match &record.link {
            Some(link) => problem.link(link),
            None => problem,
        });
    }
    stop
}
