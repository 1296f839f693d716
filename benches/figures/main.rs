//! The figures that the pipe is measured by, each beside its goal:
//!
//! ```sh
//! cargo bench --bench figures               # all rows
//! cargo bench --bench figures -- 1 7        # some
//! PIPE_BINARY=… cargo bench --bench figures # of a binary that is there already
//! ```
//!
//! What is measured is built for it as the image builds it: cargo gives the binary that it makes for tests the features
//! that only tests ask for, and links it otherwise.
//!
//! The pipe is a process of its own, and so is the sandbox, which is this program started once more. They speak TLS
//! over loopback, and every answer takes 50 ms longer than the sandbox needs. `floor` is the same work done by this
//! program without thinking: as many connections, the same requests, and nothing else; what the pipe takes beyond it
//! is the pipe's own.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]
#![allow(
    clippy::disallowed_methods,
    reason = "it measures, so it needs the real clock, and it is configured by the environment"
)]

mod floor;
mod pipe;
mod sandbox;

use anyhow::{Context, ensure};
use pipe::{Ended, Tree};
use sandbox::{Figures, Limit, Options, Process};
use std::process::Command;
use std::time::Duration;

const NOTEBOOKS: usize = 1000;
const FOLDERS: usize = 50;

/// What each answer takes longer in the rows that measure time.
const DELAY: Duration = Duration::from_millis(50);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some(options) = arguments.first().and_then(|first| first.strip_prefix("--sandbox=")) {
        return sandbox::serve(options);
    }
    let rows: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let wanted = |row: &str| rows.is_empty() || rows.contains(&row);
    pipe::build()?;
    println!("binary: {}", pipe::binary().display());
    println!("\n| row | what | goal | figure |\n| --- | --- | --- | --- |");
    if wanted("1") {
        first_deploy()?;
    }
    if wanted("2") {
        rate_limited()?;
    }
    if wanted("3") {
        redeploy("3", "nothing changed", 0, &format!("≤ {}", FOLDERS + 6))?;
    }
    if wanted("4") {
        // What changed; the lock and three looks under it, the journal, the state, and both deleted. The goal does not
        // count the look at each folder that something went to.
        let goal = format!("≤ {}, and 10 lists to verify", FOLDERS + 6 + 10 + 8);
        redeploy("4", "10 of 1,000 changed, in 10 folders", 10, &goal)?;
    }
    if wanted("5") {
        large_tree()?;
    }
    if wanted("6") {
        size()?;
    }
    if wanted("7") {
        start_up()?;
    }
    Ok(())
}

fn row(row: &str, what: &str, goal: &str, figure: &str) {
    println!("| {row} | {what} | {goal} | {figure} |");
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Deploys `tree` to a fresh sandbox.
fn deploy(tree: &Tree, options: Options) -> anyhow::Result<(Ended, Figures)> {
    let mut sandbox = Process::start(options)?;
    deploy_to(&mut sandbox, tree)
}

/// Deploys `tree` to a sandbox; the figures are those of all that happened in it.
fn deploy_to(sandbox: &mut Process, tree: &Tree) -> anyhow::Result<(Ended, Figures)> {
    let ended = pipe::run(tree, &sandbox.ready)?;
    let figures = sandbox.figures()?;
    ensure!(ended.code == Some(0), "the pipe ended with {:?}:\n{}", ended.code, ended.log);
    ensure!(figures.unknown.is_empty(), "the sandbox does not know {:?}", figures.unknown);
    ensure!(figures.objects >= tree.files as u64, "only {} objects arrived", figures.objects);
    Ok((ended, figures))
}

/// Rows 1 and 5: wall time, requests, connections and memory of a first deploy.
fn first_deploy() -> anyhow::Result<()> {
    let tree = Tree::notebooks(NOTEBOOKS, FOLDERS)?;
    let options = Options { delay: DELAY, limit: None };
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(deploy(&tree, options)?);
    }
    let floor = floor::measure(&Process::start(options)?.ready, NOTEBOOKS, FOLDERS)?;
    runs.sort_by_key(|(ended, _)| ended.wall);
    let (ended, figures) = &runs[runs.len() / 2];
    let most = NOTEBOOKS + 2 * FOLDERS + 12;
    let wall = format!("{} (floor {})", seconds(ended.wall), seconds(floor));
    row("1", "first deploy: wall time, median of 3", "≤ 2.70 s", &wall);
    row("1", "requests", &format!("≤ {most}"), &figures.requests.to_string());
    row("1", "wasted requests (429)", "0", &figures.throttled.to_string());
    row("1", "connections", "-", &figures.connections.to_string());
    let memory = runs.iter().map(|(ended, _)| ended.memory).max().unwrap_or_default();
    row("5", "1,000 notebooks: peak memory (VmHWM)", "≤ 16.0 MB", &megabytes(memory));
    Ok(())
}

/// Row 2: the same where the workspace takes 30 imports a second, or another number, or others use them up. Nobody
/// could be faster than `possible`; beside others it is their share that tells: what is left if they get all that they ask
/// for.
fn rate_limited() -> anyhow::Result<()> {
    let tree = Tree::notebooks(NOTEBOOKS, FOLDERS)?;
    let files = NOTEBOOKS as f64;
    let limit = Limit { burst: 30, per_second: 30.0, retry_after: false, change: None, rival: None };
    let sinks = 15.0 + (files - 30.0 - 15.0 * 30.0) / 10.0;
    let rises = 15.0 + (files - 30.0 - 15.0 * 10.0) / 30.0;
    let steadily = Limit { rival: Some((1, 100)), ..limit };
    let in_bursts = Limit { rival: Some((30, 5000)), ..limit };
    // How many times the possible it may take, as the design has it for the first two.
    for (what, limit, possible, goal) in [
        ("30 imports/s, with Retry-After", Limit { retry_after: true, ..limit }, (files - 30.0) / 30.0, Some(1.05)),
        ("30 imports/s, without Retry-After", limit, (files - 30.0) / 30.0, Some(1.05)),
        ("30 imports/s, after 15 s 10/s", Limit { change: Some((15, 10.0)), ..limit }, sinks, None),
        ("10 imports/s, after 15 s 30/s", Limit { per_second: 10.0, change: Some((15, 30.0)), ..limit }, rises, None),
        ("30 imports/s, others send 10/s", steadily, (files - 30.0) / 20.0, None),
        ("30 imports/s, others send 30 at once every 5 s", in_bursts, (files - 30.0) / 24.0, None),
    ] {
        let (ended, figures) = deploy(&tree, Options { delay: DELAY, limit: Some(limit) })?;
        let bound = goal.map_or_else(|| "-".to_owned(), |times| format!("≤ {:.2} s", possible * times));
        let floor = if limit.rival.is_some() { "if the others got all" } else { "possible" };
        let figure = format!("{} ({floor}: {possible:.2} s)", seconds(ended.wall));
        row("2", &format!("{what}: wall time"), &bound, &figure);
        let most = goal.map_or_else(|| "-".to_owned(), |_| format!("≤ {}", 24 + NOTEBOOKS / 100));
        let wasted = format!("{} of {}", figures.throttled, figures.requests);
        row("2", "wasted requests (429)", &most, &wasted);
    }
    Ok(())
}

/// Rows 3 and 4: wall time and requests of a deploy from a fresh clone to where all but `changed` notebooks are already.
fn redeploy(number: &str, what: &str, changed: usize, goal: &str) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let mut sandbox = Process::start(Options { delay: DELAY, limit: None })?;
        let (_, before) = deploy_to(&mut sandbox, &Tree::notebooks(NOTEBOOKS, FOLDERS)?)?;
        let clone = Tree::notebooks(NOTEBOOKS, FOLDERS)?;
        clone.change(changed, FOLDERS)?;
        let (ended, after) = deploy_to(&mut sandbox, &clone)?;
        // Beside what changed: the lock, the journal and the state.
        let imports = after.imports - before.imports;
        ensure!(imports <= changed as u64 + if changed == 0 { 0 } else { 3 }, "{imports} imports");
        runs.push((ended.wall, after.requests - before.requests));
    }
    runs.sort();
    let (wall, requests) = runs[runs.len() / 2];
    row(number, &format!("redeploy, {what}: wall time, median of 3"), "≤ 0.50 s", &seconds(wall));
    row(number, "requests", goal, &requests.to_string());
    Ok(())
}

/// Row 5: memory does not grow with the tree, nor with a file.
fn large_tree() -> anyhow::Result<()> {
    let tree = Tree::large(10_000, 400_000_000)?;
    let (ended, figures) = deploy(&tree, Options { delay: Duration::ZERO, limit: None })?;
    row("5", "10,000 files and one of 400 MB: peak memory (VmHWM)", "≤ 48.0 MB", &megabytes(ended.memory));
    row("5", "the same: wall time, connections", "-", &format!("{}, {}", seconds(ended.wall), figures.connections));
    Ok(())
}

/// Row 6: the binary is all but the whole of the image; `.ci/image` tells the image's own size.
fn size() -> anyhow::Result<()> {
    let output =
        Command::new("gzip").arg("-9").arg("-c").arg(pipe::binary()).output().context("gzip does not start")?;
    ensure!(output.status.success(), "gzip failed");
    row(
        "6",
        "binary after gzip -9",
        "≤ 3.00 MB (image: and its papers)",
        &format!("{:.2} MB", output.stdout.len() as f64 / 1e6),
    );
    Ok(())
}

/// Row 7: from just before the process is made to the first byte of its first request, read from a plain socket of this
/// program. All of start-up is in it, the certificates of TLS too; the handshake is not.
fn start_up() -> anyhow::Result<()> {
    let mut times = Vec::new();
    for _ in 0..21 {
        times.push(pipe::first_byte()?);
    }
    times.sort();
    let figure = |index: usize| format!("{:.2} ms", times[index].as_secs_f64() * 1e3);
    let figures = format!("{} (fastest {}, slowest {})", figure(times.len() / 2), figure(0), figure(times.len() - 1));
    row("7", "process start to first request, median of 21", "≤ 5.00 ms", &figures);
    Ok(())
}
