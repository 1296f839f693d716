//! From `RawVariables` to [`Settings`](super::Settings): each variable by itself, then what they must be to one another.

use super::authorities::authorities;
use super::custody::{secrets, too_short};
use super::destination::destination;
use super::folder::{self, Place};
use super::host::{Address, account_console, host, is_workspace_id};
use super::login::{Sources, login, step_token, ways};
use super::near_miss;
use super::parts::{Parts, TIMEOUT};
use super::patient::{OtherBuilds, Patient, StepToken, Way};
use super::permissions::permissions;
use super::proxy::{proxy, useless_proxies};
use super::raw;
use super::reach::Reach;
use super::reader::{Broken, Read, Reader};
use super::target;
use super::token::is_uuid;
use super::trust::{self, TrustedHosts};
use super::variables::{Given, RawVariables, VARIABLES};
use super::{Action, OnTimeout, Reading};
use crate::pipeline::{Environment, Pipeline};
use crate::problem::{Code, Problem};
use std::path::PathBuf;

/// Reads and validates all variables.
pub(super) fn read(environment: &Environment, pipeline: &Pipeline) -> Reading {
    let secrets = secrets(environment);
    let mut raw = raw::read(environment);
    let mut reader = Reader::new(&mut raw, &secrets);
    reader.warnings.extend(near_miss::warnings(environment));
    reader.warnings.extend(too_short(environment));
    let place = Place::find(environment, pipeline);
    reader.warnings.extend(useless_proxies(environment));
    let sight = examine(&mut reader, &raw.variables, environment, pipeline, place);
    let Reader { mut problems, mut warnings, .. } = reader;
    problems.sort_by_key(in_order_of_the_table);
    warnings.sort_by_key(in_order_of_the_table);
    let patient = (sight.parts.action == Ok(Action::Doctor)).then(|| {
        let filled = sight.parts.clone().filled();
        Patient {
            problems: problems.clone(),
            stops: sight.stops,
            target: filled.target.clone().unwrap_or_default(),
            other_builds: sight.other_builds,
            client_id: sight.client_id,
            files: filled.files().unwrap_or_default(),
            plan: filled.plan.clone().unwrap_or_default(),
            output_dir: sight.parts.output_dir.clone().ok(),
            timeout: sight.parts.timeout.unwrap_or(TIMEOUT),
            debug: sight.parts.debug.unwrap_or(false),
            step_token: sight.step_token,
            route: filled.route().ok(),
            ways: sight.ways,
            settings: filled.settings().ok(),
        }
    });
    let settings = match sight.parts.settings() {
        Ok(settings) if problems.is_empty() => Ok(settings),
        Ok(_) => Err(problems),
        Err(Broken) => {
            if problems.is_empty() {
                problems.push(Problem::new(Code::Bug, "the settings are not valid, and nobody said why"));
            }
            Err(problems)
        }
    };
    Reading { settings, patient, warnings, secrets }
}

/// All that was seen of the variables.
struct Sight {
    parts: Parts,
    /// What only the doctor asks for.
    step_token: StepToken,
    ways: Vec<Way>,
    stops: Option<Problem>,
    other_builds: OtherBuilds,
    client_id: Option<String>,
}

/// The reader of the log finds the variables in the order of the README; names that it does not list come last.
fn in_order_of_the_table(problem: &Problem) -> usize {
    let place = problem.place.as_deref();
    VARIABLES.iter().position(|variable| Some(variable.name) == place).unwrap_or(VARIABLES.len())
}

fn examine(
    reader: &mut Reader<'_>,
    raw: &RawVariables,
    environment: &Environment,
    pipeline: &Pipeline,
    place: Place,
) -> Sight {
    // Nothing here returns early: every problem is told at once.
    let Connection { host, trusted, workspace_id, account_id } = connection(reader, raw);
    let sources = Sources { raw, environment, place: &place, host: host.as_ref().ok() };
    let login = login(reader, sources);
    let authorities = reader.parsed(raw.ca_bundle(), |text, echo| authorities(text, &place.working_directory, echo));
    let proxy = proxy(reader, raw);
    let action = reader.choice::<Action>(raw.action());
    let doctor = action == Ok(Action::Doctor);
    let chosen = reader.parsed(raw.target(), target::explicit);
    let workspace_path = reader.parsed(raw.workspace_path(), destination);
    let local = local(reader, raw.local_path(), action, &place);
    let include = reader.patterns(raw.include());
    let exclude = reader.patterns(raw.exclude());
    let secret_scan = reader.choice(raw.secret_scan());
    let (prune, on_drift) = (reader.choice(raw.prune()), reader.choice(raw.on_drift()));
    let permissions = reader.parsed(raw.permissions(), permissions);
    let plan = plan(reader, raw.plan(), action, local.as_ref().is_ok_and(Option::is_some), &place);
    let run = reader.names(raw.run());
    let params = reader.map(raw.params());
    let run_cluster_id = reader.parsed(raw.run_cluster_id(), cluster_id);
    let wait = reader.boolean(raw.wait());
    let timeout = reader.duration(raw.timeout());
    let on_timeout = reader.choice(raw.on_timeout());
    let on_partial_success = reader.choice(raw.on_partial_success());
    let show_output = reader.boolean(raw.show_output());
    let deployed = local.as_ref().ok().and_then(|local| local.as_ref().map(|(path, _)| path.clone()));
    let local_path = deployed.as_deref().map(|path| folder::from_root(path, &place));
    // What is destroyed may hold the pipe's own files, since nothing of it is read.
    let deployed = deployed.filter(|_| action != Ok(Action::Destroy));
    let output_dir =
        reader.or_default(raw.output_dir(), |text, echo| folder::output(text, &place, deployed.as_deref(), echo));
    let debug = reader.boolean(raw.debug());

    let target = match &chosen {
        Ok(Some(chosen)) => Ok(Some(chosen.clone())),
        Ok(None) => Ok(target::derived(pipeline)),
        Err(Broken) => Err(Broken),
    };
    let other_builds = match (&local, &chosen, &pipeline.deployment) {
        (Ok(Some(_)), Ok(None), None) => OtherBuilds::Stop,
        (Ok(Some(_)), Ok(None), Some(_)) => OtherBuilds::SameTarget { because: "the step has a `deployment:`" },
        (Ok(Some(_)), Ok(Some(_)), _) => OtherBuilds::SameTarget { because: "`TARGET` says so" },
        _ => OtherBuilds::Nothing,
    };
    let client_id = raw.databricks_client_id().value.filter(|id| is_uuid(id)).map(str::to_ascii_lowercase);
    let mut stops = None;
    if let (Ok(target), Ok(local), Ok(None)) = (&target, &local, &chosen)
        && local.is_some()
    {
        stops = target::nameless(target.as_deref(), pipeline).map(|problem| problem.at(raw.target().variable.name));
        // The doctor says what would stop, and is not stopped by it.
        reader.problems.extend(stops.clone().filter(|_| !doctor));
    }
    if let (Ok(action), Ok(run), Ok(local)) = (action, &run, &local) {
        something_to_do(reader, raw, action, !run.is_empty(), local.is_some());
        let (deploys, runs) = (local.is_some(), matches!(action, Action::Deploy | Action::Run | Action::Doctor));
        if runs && (action == Action::Run || !deploys) {
            relative_notebooks(reader, raw, run, matches!((&target, &workspace_path), (Ok(None), Ok(None))));
        }
        if let (Ok(prune), Ok(on_drift)) = (prune, on_drift) {
            Reach { action, has_files: deploys, prune, on_drift }.judge(reader, raw);
        }
    }
    if let Ok(run) = &run {
        runs_only(reader, raw, run, matches!(&params, Ok(params) if !params.is_empty()));
    }
    if let (Ok(false), Ok(on_timeout), Ok(show_output)) = (wait, on_timeout, show_output) {
        waiting_only(reader, raw, on_timeout, show_output);
    }

    let ways = if doctor { ways(reader, sources, login.as_ref().ok()) } else { Vec::new() };
    let step_token = step_token(sources);
    let parts = Parts {
        action,
        host,
        login,
        trusted,
        workspace_id,
        account_id,
        authorities,
        proxy,
        target,
        workspace_path,
        local,
        local_path,
        clone_root: place.clone_root,
        include,
        exclude,
        secret_scan,
        prune,
        on_drift,
        permissions,
        plan,
        run,
        params,
        run_cluster_id,
        wait,
        timeout,
        on_timeout,
        on_partial_success,
        show_output,
        output_dir,
        debug,
    };
    Sight { parts, step_token, ways, stops, other_builds, client_id }
}

/// What is connected to.
struct Connection {
    host: Read<url::Url>,
    trusted: Read<TrustedHosts>,
    workspace_id: Read<Option<String>>,
    account_id: Read<Option<String>>,
}

fn connection(reader: &mut Reader<'_>, raw: &RawVariables) -> Connection {
    let trusted = reader.list(raw.allowed_hosts(), trust::item).map(|items| TrustedHosts::with(&items));
    let address = address(reader, raw.databricks_host());
    let id = |what, hint, good: fn(&str) -> bool| {
        move |text: &str, echo: super::echo::Echo<'_>| match good(text) {
            true => Ok(text.to_owned()),
            false => Err(Problem::new(Code::InvalidValue, format!("{} is not {what}", echo.show(text))).hint(hint)),
        }
    };
    let hint = "copy the number after `?o=` in the address that the browser shows";
    let workspace_id = reader.parsed(raw.databricks_workspace_id(), id("the id of a workspace", hint, is_workspace_id));
    let hint = "copy the account id, a UUID, from the account console";
    let account_id = reader.parsed(raw.databricks_account_id(), id("the id of an account", hint, is_uuid));
    let Ok(address) = address else { return Connection { host: Err(Broken), trusted, workspace_id, account_id } };
    let workspace_id = one_id(reader, raw.databricks_workspace_id(), workspace_id, address.workspace_id);
    let account_id = one_id(reader, raw.databricks_account_id(), account_id, address.account_id);
    let mut host = Ok(address.url);
    if let (Ok(url), Ok(None)) = (&host, &workspace_id)
        && let Some(problem) = account_console(url)
    {
        host = reader.fail(raw.databricks_host(), problem);
    }
    if let (Ok(url), Ok(trusted)) = (&host, &trusted)
        && !trusted.allow(url)
    {
        let name = url.host_str().unwrap_or_default();
        let message = format!("`{name}` is under none of Databricks' domains, so no credential is sent there");
        let hint = format!(
            "check it for a typing error; if your workspace has this address all the same, vouch for it by `ALLOWED_HOSTS: {name}`"
        );
        host = reader.fail(raw.databricks_host(), Problem::new(Code::HostNotAllowed, message).hint(hint));
    }
    Connection { host, trusted, workspace_id, account_id }
}

/// The id in the variable, else the one in the address.
fn one_id(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    chosen: Read<Option<String>>,
    in_address: Option<String>,
) -> Read<Option<String>> {
    let (chosen, in_address) = match (chosen?, in_address) {
        (Some(chosen), Some(in_address)) if chosen != in_address => (chosen, in_address),
        (chosen, in_address) => return Ok(chosen.or(in_address)),
    };
    let message = format!("`{chosen}`, but `DATABRICKS_HOST` says `{in_address}` after its `?`");
    reader.fail(given, Problem::new(Code::ConflictingVariables, message).hint("leave one of the two out"))
}

fn address(reader: &mut Reader<'_>, given: Given<'_>) -> Read<Address> {
    let Some(address) = reader.parsed(given, host)? else { return missing(reader, given) };
    if address.shortened {
        let mut used = address.url.clone();
        for (name, id) in [("o", &address.workspace_id), ("account_id", &address.account_id)] {
            if let Some(id) = id {
                used.query_pairs_mut().append_pair(name, id);
            }
        }
        let message = format!("only `{}` of it is used", used.as_str().trim_end_matches('/'));
        // To leave out all that follows the host would be to leave out which workspace is meant.
        let hint =
            if used.query().is_some() { "leave out the rest" } else { "leave out what follows the name of the host" };
        reader.warn(given, Problem::new(Code::NoEffect, message).hint(hint));
    }
    Ok(address)
}

pub(super) fn missing<T>(reader: &mut Reader<'_>, given: Given<'_>) -> Read<T> {
    let name = given.variable.name;
    let problem = Problem::new(Code::MissingVariable, "not set, or blank").hint(format!(
        "define it as a repository, workspace or deployment variable and hand it over by `{name}: ${name}`; a \
         deployment variable is there only in a step with that `deployment:`"
    ));
    reader.fail(given, problem)
}

/// The folder to deploy and how the user wrote it. Only a deploy and its plan look for it: the step that runs what another
/// one has deployed may have no clone, and what is destroyed may be gone from it.
fn local(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    action: Read<Action>,
    place: &Place,
) -> Read<Option<(PathBuf, String)>> {
    let Some(text) = reader.text(given)? else { return Ok(None) };
    if action == Ok(Action::Run) {
        return Ok(None);
    }
    let path = reader.parsed(given, |text, echo| match action {
        Ok(Action::Destroy) => folder::named(text, place, echo),
        _ => folder::local(text, place, echo),
    })?;
    Ok(path.map(|path| (path, text.to_owned())))
}

/// The plan that a deploy is held to. Only a deploy of files looks for it.
fn plan(
    reader: &mut Reader<'_>,
    given: Given<'_>,
    action: Read<Action>,
    has_files: bool,
    place: &Place,
) -> Read<Option<PathBuf>> {
    if !matches!(action, Ok(Action::Deploy | Action::Doctor)) || !has_files {
        return reader.text(given).map(|_| None);
    }
    reader.parsed(given, |text, echo| folder::plan(text, place, echo))
}

/// The shape is that of every cluster id in the documentation: `MMDD-HHMMSS-` and letters or digits.
fn cluster_id(text: &str, echo: super::echo::Echo<'_>) -> Result<String, Problem> {
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [date, time, rest]
            if digits(date, 4)
                && digits(time, 6)
                && !rest.is_empty()
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Problem::new(Code::InvalidValue, format!("{} is not the id of a cluster", echo.show(text))).hint(
            "open the cluster in Databricks: its id, like `0123-456789-abcdefgh`, is in the address of the page",
        )),
    }
}

fn something_to_do(reader: &mut Reader<'_>, raw: &RawVariables, action: Action, runs: bool, deploys: bool) {
    let problem = |message: &str, hint: &str| Problem::new(Code::MissingVariable, message).hint(hint);
    let _: Read<()> = match action {
        Action::Run if !runs => reader.fail(
            raw.run(),
            problem("not set, and `ACTION` is `run`", "name the jobs or notebooks to run in `RUN`, one a line"),
        ),
        Action::Deploy if !runs && !deploys => reader.fail(
            raw.local_path(),
            problem(
                "not set, and neither is `RUN`: there is nothing to do",
                "set `LOCAL_PATH` to deploy files, `RUN` to run jobs or notebooks, or both",
            ),
        ),
        Action::Plan if !deploys => reader.fail(
            raw.local_path(),
            problem("not set, and `ACTION` is `plan`", "name the folder whose deploy is to be planned"),
        ),
        Action::Destroy if !deploys => reader.fail(
            raw.local_path(),
            problem(
                "not set, and `ACTION` is `destroy`: a target is known by what was deployed to it",
                "set it as in the step that deployed; the folder need not be there any longer",
            ),
        ),
        _ => Ok(()),
    };
}

/// `./…` means below the target's path, so something must name that path.
fn relative_notebooks(reader: &mut Reader<'_>, raw: &RawVariables, run: &[String], nameless: bool) {
    if nameless && run.iter().any(|entry| entry.starts_with("./")) {
        let message = "not set, but `RUN` names a notebook relative to the target's folder";
        let hint = "set `TARGET`, or `WORKSPACE_PATH`, as in the step that deploys";
        let _: Read<()> = reader.fail(raw.target(), Problem::new(Code::MissingVariable, message).hint(hint));
    }
}

fn runs_only(reader: &mut Reader<'_>, raw: &RawVariables, run: &[String], has_params: bool) {
    if run.is_empty() && has_params {
        let message = "set, but `RUN` is not";
        let hint = "name in `RUN` what the parameters are for, or leave them out";
        let _: Read<()> = reader.fail(raw.params(), Problem::new(Code::ConflictingVariables, message).hint(hint));
    }
    if !run.iter().any(|entry| entry.starts_with('/') || entry.starts_with("./"))
        && raw.run_cluster_id().value.is_some()
    {
        let message = "has no effect: `RUN` names no notebook by its path, and a job has a cluster of its own";
        reader.warn(raw.run_cluster_id(), Problem::new(Code::NoEffect, message).hint("leave it out"));
    }
}

/// Values that differ from the default were chosen: `pipe.yml` hands the defaults over too.
fn waiting_only(reader: &mut Reader<'_>, raw: &RawVariables, on_timeout: OnTimeout, show_output: bool) {
    let chosen = [(raw.on_timeout(), on_timeout == OnTimeout::Cancel), (raw.show_output(), show_output)];
    for (given, _) in chosen.into_iter().filter(|(_, chosen)| *chosen) {
        let message = "has no effect, because `WAIT` is `false`";
        let hint = "let the pipe wait, or leave it out";
        reader.warn(given, Problem::new(Code::NoEffect, message).hint(hint));
    }
}
