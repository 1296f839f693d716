//! The process edge: environment, signals, panic hook, exit code. The only file that knows there is a process.

use anyhow::Context;
use databricks_deploy::exit::Exit;
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, VERSION, edge, panic_line};
use std::io::Write;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    // A pipe has no arguments; who calls the binary by hand asks for its version.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == "--version") {
        let _ = writeln!(std::io::stdout(), "databricks-deploy {VERSION}");
        return ExitCode::SUCCESS;
    }
    let redactor = Redactor::new();
    report_panics(redactor.clone());
    let exit = match std::panic::catch_unwind(|| start(redactor)) {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            let _ = writeln!(std::io::stdout(), "✖ {error:#}");
            Exit::Bug
        }
        // The panic hook has told all there is to tell.
        Err(_) => Exit::Bug,
    };
    ExitCode::from(exit.code())
}

fn start(redactor: Redactor) -> anyhow::Result<Exit> {
    #[allow(clippy::disallowed_methods)] // the one place that reads it
    let variables = std::env::vars_os();
    let directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
    let environment = Environment::new(variables, directory);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot be started")?;
    #[allow(clippy::disallowed_methods)] // the one place that reads it
    let clock = std::time::SystemTime::now();
    let ports = Ports { output: Box::new(std::io::stdout()), redactor, wire: None, clock, nonce: nonce() };
    let exit = runtime.block_on(edge(environment, ports, told_to_stop()));
    // A blocked read of the disk must not hold the process.
    runtime.shutdown_background();
    Ok(exit)
}

/// Ends with the first SIGTERM or SIGINT; a second one leaves at once. Process 1 of a container ignores signals that it
/// has no handler for.
async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        #[allow(clippy::exit)] // whoever asks twice does not want to wait for a report
        std::process::exit(Exit::Interrupted.code().into());
    });
}

/// Different in every process; from the system's generator.
fn nonce() -> u64 {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; 8];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        // Without the system's generator no TLS either: the run is going to fail, and says so itself.
        Err(_) => u64::from(std::process::id()),
    }
}

/// A panic's message may quote anything, so it goes through the redactor like all else.
fn report_panics(redactor: Redactor) {
    std::panic::set_hook(Box::new(move |panic| {
        let _ = std::io::stdout().write_all(panic_line(&redactor, panic).as_bytes());
    }));
}
