//! Runs the sandbox workspace alone, for trying the pipe, or any other client, against it by hand:
//!
//! ```sh
//! cargo run --example sandbox            # a free port of 127.0.0.1
//! cargo run --example sandbox -- 127.0.0.1:8080
//! cargo run --example sandbox -- --tls ca.pem # over TLS; the certificate of its authority is written to ca.pem
//! cargo run --example sandbox -- --delay 50   # each answer comes so many milliseconds later
//! ```
//!
//! It prints its address, its tokens, and the lines to paste into a shell, and serves until ctrl-c. Meanwhile it takes
//! orders on its standard input: for troubles, by how many requests, their path, the status and the code that they get;
//! for the identity token of a Bitbucket step, which it prints; and for another kind of host.
//!
//! ```text
//! fault 2 /api/2.0/workspace/import 429 REQUEST_LIMIT_EXCEEDED
//! step production             # its deployment is trusted by a federation policy of the service principals
//! step branch                 # it has no deployment
//! step expired|forged|foreign # to production, but too old, signed by somebody else, for another audience
//! host unified                # the host serves an account and all its workspaces from now on; `host workspace` ends it
//! ```
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use anyhow::{Context, bail};
use databricks_sandbox::{
    Bitbucket, Canned, Ending, Fault, Flaw, HostKind, Match, Moment, On, Principal, Sandbox, Script, StepClaims,
    TaskScript, Tls, TokenState, Trouble,
};
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options { address, ca_file, delay } = Options::read(std::env::args().skip(1))?;
    let listener = TcpListener::bind(&address).await.with_context(|| format!("cannot listen on `{address}`"))?;
    let address = listener.local_addr()?;

    #[allow(clippy::disallowed_methods, reason = "who tries things by hand expects today's date")]
    let sandbox = Sandbox::starting_at(std::time::SystemTime::now());
    let viewer = sandbox.add_principal(Principal::user("viewer@example.com"));
    let expired = sandbox.add_principal(Principal::user("late@example.com").with_token(TokenState::Expired));
    let nightly = sandbox.create_job(json!({
        "name": "nightly-etl",
        "parameters": [{ "name": "env", "default": "dev" }],
        "tasks": [
            { "task_key": "ingest", "notebook_task": { "notebook_path": "/Workspace/Shared/etl/ingest" } },
            {
                "task_key": "report",
                "depends_on": [{ "task_key": "ingest" }],
                "notebook_task": { "notebook_path": "/Workspace/Shared/etl/report" },
            },
        ],
    }));
    let done = Ending::success_with("1204 orders");
    sandbox.script(Match::Job(nightly), Script::default().task("ingest", TaskScript::ending(done)));
    let failing = sandbox.create_job(json!({
        "name": "always-failing",
        "tasks": [{ "task_key": "divide", "spark_python_task": { "python_file": "/Workspace/Shared/etl/divide.py" } }],
    }));
    let error = "ZeroDivisionError: division by zero";
    let trace = format!("Traceback (most recent call last):\n  File \"divide.py\", line 3, in <module>\n{error}");
    sandbox.script(Match::Job(failing), Script::ending(Ending::failed(error, &trace)));

    let endless = sandbox.create_job(json!({
        "name": "never-ending",
        "tasks": [{ "task_key": "wait", "spark_python_task": { "python_file": "/Workspace/Shared/etl/wait.py" } }],
    }));
    sandbox.script(Match::Job(endless), Script::forever());

    let (cluster, warehouse) = ("0123-456789-abcdefgh", "abcdef0123456789");
    sandbox.add_cluster(cluster, "shared");
    sandbox.add_warehouse(warehouse, "reports");
    let [service, stranger] = ["5f5e8b6a-0000-4000-8000-00000000a001", "5f5e8b6a-0000-4000-8000-00000000a002"];
    let bitbucket = sandbox.bitbucket();
    for (id, name, member) in [(service, "deployer", true), (stranger, "stranger", false)] {
        sandbox.add_principal(Principal { member, ..Principal::service(id, name) });
        let policy = bitbucket.policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
        sandbox.add_federation_policy(id, policy)?;
    }
    let [secret, strangers, old] = [service, stranger, service].map(|id| sandbox.add_client_secret(id));
    sandbox.send_account_id_as_placeholder(true);
    sandbox.set_client_secret_state(&old, TokenState::Expired);
    if !delay.is_zero() {
        sandbox.fault(Fault::always(On::any(), Trouble::Delay(Moment::Before, delay)));
    }
    let tls = ca_file.as_ref().map(|_| Tls::new(&[])).transpose()?;
    let (url, trust) = match (&tls, &ca_file) {
        (Some(tls), Some(file)) => {
            std::fs::write(file, tls.ca_pem()).with_context(|| format!("cannot write `{}`", file.display()))?;
            (format!("https://localhost:{}", address.port()), format!(" CA_BUNDLE={}", file.display()))
        }
        _ => (format!("http://{address}"), String::new()),
    };

    println!("A sandbox workspace listens on {url}; ctrl-c ends it.\n");
    println!("jobs:");
    println!("  nightly-etl     {nightly}  (runs the notebooks ingest and report in /Workspace/Shared/etl)");
    println!("  always-failing  {failing}  (its task fails)");
    println!("  never-ending    {endless}  (runs until it is cancelled)\n");
    println!("compute:");
    println!("  {cluster}  the cluster shared");
    println!("  {warehouse}      the SQL warehouse reports\n");
    println!("tokens:");
    println!("  {}  ci@example.com, workspace admin", sandbox.token());
    println!("  {viewer}  viewer@example.com, may write to its home and /Shared, and to no job");
    println!("  {expired}  late@example.com, expired\n");
    println!("service principals, which the steps that deploy to production may speak for:");
    println!("  {service}  deployer, may write to its home and /Shared; OAuth secret {secret}");
    println!("  {service}  the same with a secret that has expired; OAuth secret {old}");
    println!("  {stranger}  stranger, was not let into this workspace; OAuth secret {strangers}\n");
    println!("workspace:");
    println!("  {}  its id, which a call at a unified host must name\n", sandbox.workspace_id());
    println!("to paste:");
    println!("  export DATABRICKS_HOST={url} DATABRICKS_TOKEN={}{trust}", sandbox.token());
    std::io::stdout().flush()?;

    let orders = sandbox.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            match (fault(&line), step(&bitbucket, &line), host(&line)) {
                (Some(fault), _, _) => orders.fault(fault),
                (_, Some(token), _) => println!("{token}"),
                (_, _, Some(kind)) => orders.set_host_kind(kind),
                (None, None, None) => println!("not understood: {line}"),
            }
            println!("ready");
        }
    });

    let serve = async {
        match &tls {
            Some(tls) => sandbox.serve_tls(listener, tls).await,
            None => sandbox.serve(listener).await,
        }
    };
    tokio::select! {
        () = serve => {}
        ended = tokio::signal::ctrl_c() => ended.context("cannot wait for ctrl-c")?,
    }

    let (requests, unknown) = (sandbox.requests().len(), sandbox.unknown_routes());
    println!("\n{requests} requests over {} connections", sandbox.connections());
    for route in unknown {
        println!("not known here: {route}");
    }
    Ok(())
}

/// The trouble that a line orders.
fn fault(line: &str) -> Option<Fault> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &["fault", times, path, status, code] = words.as_slice() else { return None };
    let mut answer = Canned::error(status.parse().ok()?, code, "Ordered by hand");
    if status == "429" {
        answer = answer.retry_after(1);
    }
    Some(Fault::times(On::path(path), times.parse().ok()?, Trouble::Answer(Moment::Before, answer)))
}

/// The token of the step that a line orders.
fn step(bitbucket: &Bitbucket, line: &str) -> Option<String> {
    let production = StepClaims::production();
    let token = match line.strip_prefix("step ")?.trim() {
        "production" => bitbucket.step(&production),
        "branch" => bitbucket.step(&StepClaims::default()),
        "expired" => bitbucket.flawed_step(&production, &[Flaw::Expired]),
        "forged" => bitbucket.flawed_step(&production, &[Flaw::ForgedSignature]),
        "foreign" => bitbucket.flawed_step(&production, &[Flaw::Claim("aud".to_owned(), json!("https://elsewhere"))]),
        _ => return None,
    };
    Some(token)
}

/// The kind of host that a line orders.
fn host(line: &str) -> Option<HostKind> {
    match line.strip_prefix("host ")?.trim() {
        "workspace" => Some(HostKind::Workspace),
        "unified" => Some(HostKind::Unified),
        _ => None,
    }
}

/// What is asked for on the command line.
struct Options {
    address: String,
    ca_file: Option<PathBuf>,
    delay: Duration,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
        let mut options = Options { address: "127.0.0.1:0".to_owned(), ca_file: None, delay: Duration::ZERO };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--tls" => options.ca_file = Some(arguments.next().context("`--tls` takes the name of a file")?.into()),
                "--delay" => {
                    let milliseconds = arguments.next().context("`--delay` takes a number of milliseconds")?;
                    options.delay = Duration::from_millis(milliseconds.parse().context("`--delay` takes a number")?);
                }
                other if other.starts_with('-') => bail!("there is no option `{other}`"),
                address => options.address = address.to_owned(),
            }
        }
        Ok(options)
    }
}
