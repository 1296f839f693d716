//! The sandbox as a process of its own: this program, started once more. It says on its output where it is, and, for
//! each line on its input, what happened so far.

use anyhow::Context;
use databricks_sandbox::{Conditions, Fault, Moment, On, RateLimit, Rival, Sandbox, Tls, Trouble};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// How the sandbox behaves.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// What each answer takes longer.
    pub(crate) delay: Duration,
    /// A limit on imports.
    pub(crate) limit: Option<Limit>,
}

/// A bucket.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) burst: u32,
    pub(crate) per_second: f64,
    pub(crate) retry_after: bool,
    /// From which second on it regains how many a second.
    pub(crate) change: Option<(u64, f64)>,
    /// How many requests somebody else sends every so many milliseconds.
    pub(crate) rival: Option<(u32, u64)>,
}

/// Where a sandbox is.
pub(crate) struct Ready {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) ca_pem: String,
}

/// What happened in it.
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) imports: u64,
    pub(crate) throttled: u64,
    pub(crate) connections: u64,
    /// Notebooks, files and folders.
    pub(crate) objects: u64,
    pub(crate) unknown: Vec<Value>,
}

/// A sandbox that runs; it ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) ready: Ready,
}

impl Process {
    pub(crate) fn start(options: Options) -> anyhow::Result<Process> {
        let limit = options.limit.map(|limit| {
            json!({
                "burst": limit.burst,
                "per_second": limit.per_second,
                "retry_after": limit.retry_after,
                "change": limit.change,
                "rival": limit.rival,
            })
        });
        let options = json!({ "delay": options.delay.as_millis() as u64, "limit": limit });
        let mut child = Command::new(std::env::current_exe()?)
            .arg(format!("--sandbox={options}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the sandbox does not start")?;
        let mut output = BufReader::new(child.stdout.take().context("it has an output")?);
        let ready = read(&mut output)?;
        let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
        let ready = Ready { url: text("url"), token: text("token"), ca_pem: text("ca_pem") };
        Ok(Process { child, output, ready })
    }

    pub(crate) fn figures(&mut self) -> anyhow::Result<Figures> {
        self.child.stdin.as_mut().context("it has an input")?.write_all(b"\n")?;
        let figures = read(&mut self.output)?;
        let number = |name: &str| figures[name].as_u64().unwrap_or_default();
        Ok(Figures {
            requests: number("requests"),
            imports: number("imports"),
            throttled: number("throttled"),
            connections: number("connections"),
            objects: number("objects"),
            unknown: figures["unknown"].as_array().cloned().unwrap_or_default(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut impl BufRead) -> anyhow::Result<Value> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    serde_json::from_str(&line).context("the sandbox has ended")
}

/// Is the sandbox, until its input ends.
pub(crate) fn serve(options: &str) -> anyhow::Result<()> {
    let options: Value = serde_json::from_str(options)?;
    let sandbox = Sandbox::new();
    let delay = Duration::from_millis(options["delay"].as_u64().unwrap_or_default());
    if !delay.is_zero() {
        sandbox.fault(Fault::always(On::any(), Trouble::Delay(Moment::Before, delay)));
    }
    if let Some(per_second) = options["limit"]["per_second"].as_f64() {
        let limit = RateLimit {
            on: On::post("/api/2.0/workspace/import"),
            burst: u32::try_from(options["limit"]["burst"].as_u64().unwrap_or(1))?,
            per_second,
            retry_after: options["limit"]["retry_after"] == true,
        };
        let change: Option<(u64, f64)> = serde_json::from_value(options["limit"]["change"].clone())?;
        let rival: Option<(u32, u64)> = serde_json::from_value(options["limit"]["rival"].clone())?;
        let conditions = Conditions {
            changes: change.map(|(after, per_second)| (Duration::from_secs(after), per_second)).into_iter().collect(),
            rival: rival.map(|(requests, every)| Rival { requests, every: Duration::from_millis(every) }),
        };
        sandbox.rate_limit_under(limit, conditions);
    }
    let tls = Tls::new(&[])?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    let (served, secured) = (sandbox.clone(), tls.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            served.serve_tls(listener, &secured).await;
            anyhow::Ok(())
        })
    });
    println!("{}", json!({ "url": url, "token": sandbox.token(), "ca_pem": tls.ca_pem() }));
    for line in std::io::stdin().lines() {
        line?;
        let requests = sandbox.requests();
        let figures = json!({
            "requests": requests.len(),
            "imports": requests.iter().filter(|request| request.path == "/api/2.0/workspace/import").count(),
            "throttled": requests.iter().filter(|request| request.status == Some(429)).count(),
            "connections": sandbox.connections(),
            "objects": sandbox.objects().len(),
            "unknown": sandbox.unknown_routes(),
        });
        println!("{figures}");
    }
    Ok(())
}
