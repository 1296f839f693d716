//! No secret leaves the process: canaries in every secret variable, in tokens learnt on the way and in the workspace's
//! own answers, through every exit code, looked for in every form in everything that leaves.
//!
//! The forms are made here anew, by other means than the redactor's.

use crate::support::{InMemory, Log, Step};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use databricks_deploy::http::{Wire, WireError};
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, panic_line, run};
use databricks_sandbox::{
    Bitbucket, Canned, Ending, Fault, JobRight, Match, Moment, On, Principal, Running, Sandbox, Script, StepClaims,
    TaskScript, Trouble,
};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Once};

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";

const STEP_TOKEN: &str = "kanari.oidc.schritt-77120934";

/// Secrets that this version does not use, but that a step may hold. Awkward characters on purpose; one has two lines.
const IDLE: [(&str, &str); 8] = [
    ("GIT_TOKEN", "kanari-git/+&<\"'%20 ~\nzweite-Zeile-des-Kanari"),
    ("ARM_CLIENT_SECRET", "Kanari~Arm.Q8x+/=&<>'\"\\-0042"),
    ("DATABRICKS_OIDC_TOKEN", "kanari.oidc.databricks-58213"),
    ("BITBUCKET_STEP_OIDC_TOKEN", STEP_TOKEN),
    ("PIPELINES_JWT_TOKEN", "kanari-jwt-der-pipeline-4410"),
    ("BITBUCKET_ACCESS_TOKEN", "kanari-bitbucket-zugang-9315"),
    ("ATLASSIAN_API_TOKEN", "kanari-atlassian-api-660217"),
    ("HTTPS_PROXY", "http://nutzer:kanari-proxy-passwort-31@proxy.invalid:3128"),
];

/// The secret part of each of them.
fn idle() -> Vec<String> {
    IDLE.iter()
        .map(|(name, value)| match *name {
            "HTTPS_PROXY" => "kanari-proxy-passwort-31".to_owned(),
            _ => (*value).to_owned(),
        })
        .collect()
}

/// A workspace, its tokens and secrets, and a job.
struct World {
    sandbox: Sandbox,
    client_secret: String,
    job: i64,
    step_token: String,
    /// How the step logs in; the other ways' secrets the process cannot know.
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Pat,
    OauthM2m,
    Keyless,
}

impl World {
    fn new(way: Way) -> World {
        let sandbox = Sandbox::new();
        let mut principal = Principal::service(ID, "deployer");
        principal.other_jobs = JobRight::ManageRun;
        sandbox.add_principal(principal);
        let client_secret = sandbox.add_client_secret(ID);
        let job = sandbox.create_job(json!({
            "name": "nightly",
            "tasks": [{"task_key": "main", "notebook_task": {"notebook_path": "/Workspace/Shared/etl/main"}}],
        }));
        let bitbucket = sandbox.bitbucket();
        sandbox.add_federation_policy(ID, bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY)).unwrap();
        let step_token = bitbucket.step(&StepClaims::default());
        World { sandbox, client_secret, job, step_token, way }
    }

    /// Deploys and runs, at `DEBUG`, with a canary in every secret variable.
    fn step(&self) -> Step {
        let mut step = Step::deploying(&self.sandbox)
            .notebook("notebooks/main.py")
            .variable("RUN", self.job)
            .variable("SHOW_OUTPUT", "true")
            .variable("DEBUG", "true");
        for (name, value) in IDLE {
            step = step.variable(name, value);
        }
        match self.way {
            Way::Pat => step.variable("DATABRICKS_AUTH_TYPE", "pat"),
            Way::OauthM2m => step
                .without("DATABRICKS_TOKEN")
                .variable("DATABRICKS_AUTH_TYPE", "oauth-m2m")
                .variable("DATABRICKS_CLIENT_ID", ID)
                .variable("DATABRICKS_CLIENT_SECRET", &self.client_secret),
            Way::Keyless => step
                .without("DATABRICKS_TOKEN")
                .variable("DATABRICKS_AUTH_TYPE", "bitbucket-oidc")
                .variable("DATABRICKS_CLIENT_ID", ID)
                .variable("BITBUCKET_STEP_OIDC_TOKEN", &self.step_token),
        }
    }

    fn canaries(&self) -> Vec<String> {
        let mut canaries = idle();
        match self.way {
            Way::Pat => canaries.push(self.sandbox.token()),
            Way::OauthM2m => canaries.extend([self.client_secret.clone(), format!("{ID}:{}", self.client_secret)]),
            Way::Keyless => {
                canaries.retain(|canary| canary != STEP_TOKEN);
                canaries.push(self.step_token.clone());
            }
        }
        canaries.extend(self.sandbox.access_tokens());
        canaries
    }

    /// Every canary in every form, as a careless server or notebook would echo them.
    fn echo(&self) -> String {
        self.canaries().iter().flat_map(|canary| spellings(canary)).collect::<Vec<_>>().join(" | ")
    }

    /// Looks through everything that left the process.
    fn assert_silent(&self, scene: &str, step: &Step, log: &str) {
        let mut left = vec![("the log".to_owned(), log.to_owned())];
        let outputs = std::fs::read_dir(step.root().join("databricks-deploy")).into_iter().flatten().flatten();
        for file in outputs {
            left.push((file.path().display().to_string(), std::fs::read_to_string(file.path()).unwrap()));
        }
        for request in self.sandbox.requests() {
            left.push((format!("the request {} {}", request.method, request.path), format!("{request:?}")));
        }
        for (path, object) in self.sandbox.objects() {
            left.push((path.clone(), format!("{path} {}", String::from_utf8_lossy(&object.bytes))));
        }
        for canary in self.canaries() {
            for form in traces(&canary) {
                for (place, text) in &left {
                    assert!(!text.contains(&form), "{scene}: `{form}` of a secret is in {place}:\n{text}");
                }
            }
        }
    }
}

/// How a text can be spelled on its way through other people's programs.
fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![
        text.to_owned(),
        serde_json::to_string(text).unwrap().trim_matches('"').to_owned(),
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&apos;"),
    ];
    for lower in [false, true] {
        let encode = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            _ if lower => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
        let encoded: String = text.bytes().map(encode).collect();
        spellings.push(encoded.replace("%20", "+"));
        spellings.push(encoded);
    }
    for before in ["", "u", "us"] {
        let pair = format!("{before}{text}");
        spellings.extend([STANDARD.encode(&pair), URL_SAFE.encode(&pair), STANDARD.encode(format!("{pair}\n"))]);
    }
    spellings
}

/// What gives a text away: each of its lines in each spelling, as far as that does not depend on what stands around it.
fn traces(text: &str) -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    for line in text.lines().filter(|line| line.len() >= 8) {
        traces.extend(spellings(line).into_iter().take(7));
    }
    for before in 0..3 {
        let padded = [vec![b'x'; before], text.as_bytes().to_vec()].concat();
        for encoded in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
            // What the bytes before and behind decide with it.
            let from = [0, 2, 3][before];
            let to = padded.len() * 8 / 6;
            traces.insert(encoded[from..to].to_owned());
        }
    }
    traces
}

fn refusal(status: u16, echo: &str) -> Trouble {
    Trouble::Answer(Moment::Before, Canned::error(status, "PERMISSION_DENIED", echo))
}

fn in_paused_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

#[test]
fn no_secret_leaves_through_any_exit_code() {
    for way in [Way::Pat, Way::OauthM2m, Way::Keyless] {
        // What the workspace, a proxy or a notebook echoes, and where; and how that ends.
        type Prepare = fn(&World, Step) -> Step;
        let scenes: [(&str, i32, Prepare); 9] = [
            ("success", 0, |world, step| {
                let ending = Ending::success_with(&world.echo());
                world.sandbox.script(Match::Job(world.job), Script::ending(ending));
                step
            }),
            ("wrong settings", 1, |world, step| {
                let token = match world.way {
                    Way::Pat => world.sandbox.token(),
                    Way::OauthM2m => world.client_secret.clone(),
                    Way::Keyless => world.step_token.clone(),
                };
                step.variable("TIMEOUT", &token)
                    .variable("WAIT", format!("x{token}"))
                    .variable("ACTION", IDLE[0].1)
                    .variable("WORKSPACE_PATH", format!("relative/{token}"))
                    .variable("DATABRICKS_HOST", format!("ftp://user:{token}@host"))
            }),
            ("a secret in a file", 1, |world, step| step.file("notebooks/leak.txt", world.echo())),
            ("nobody", 2, |world, step| {
                world.sandbox.fault(Fault::always(On::path("/api/2.0/preview/scim"), refusal(403, &world.echo())));
                step
            }),
            ("what the doctor found", 2, |world, step| {
                // Every way whose variables are set is tried, and the workspace echoes in each of its answers.
                for path in ["/api/2.0/workspace/get-status", "/api/2.0/permissions", "/api/2.0/workspace/export"] {
                    world.sandbox.fault(Fault::always(On::path(path), refusal(403, &world.echo())));
                }
                step.variable("ACTION", "doctor")
                    .variable("DATABRICKS_TOKEN", world.sandbox.token())
                    .variable("DATABRICKS_CLIENT_ID", ID)
                    .variable("DATABRICKS_CLIENT_SECRET", &world.client_secret)
            }),
            ("no deploy", 3, |world, step| {
                world.sandbox.fault(Fault::always(On::post("/api/2.0/workspace/import"), refusal(400, &world.echo())));
                step
            }),
            ("a failed run", 4, |world, step| {
                let ending = Ending { message: world.echo(), ..Ending::failed(&world.echo(), &world.echo()) };
                world.sandbox.script(Match::Job(world.job), Script::ending(ending));
                step
            }),
            ("no run", 5, |world, step| {
                world.sandbox.fault(Fault::always(On::post("/api/2.2/jobs/run-now"), refusal(403, &world.echo())));
                step
            }),
            ("no time", 6, |world, step| {
                world.sandbox.script(Match::Job(world.job), Script::playing(TaskScript::forever()));
                world.sandbox.fault(Fault::always(On::post("/api/2.2/jobs/runs/cancel"), refusal(400, &world.echo())));
                step.variable("TIMEOUT", "5s").variable("ON_TIMEOUT", "cancel")
            }),
        ];
        for (scene, code, prepare) in scenes {
            let world = World::new(way);
            let running = Running::start(world.sandbox.clone()).unwrap();
            let step = prepare(&world, world.step());
            // One scene sets the host itself.
            let host = step.variables().get("DATABRICKS_HOST").cloned().unwrap_or_else(|| running.url());
            let (ended, log) = if scene == "no time" {
                // In paused time: on a slow machine it would be over before anything runs.
                let ended = in_paused_time(step.inside(&world.sandbox));
                (i32::from(ended.exit.code()), ended.log)
            } else {
                let ended = step.process(&[("DATABRICKS_HOST", &host)]);
                (ended.code, ended.log)
            };
            assert_eq!(ended, code, "{scene}: {log}");
            world.assert_silent(scene, &step, &log);
        }
    }
}

#[test]
fn a_token_that_was_learnt_on_the_way_is_as_secret_and_so_it_is_when_told_to_stop() {
    let endings = [("a strange answer", 6), ("a signal", 8)];
    for (way, (scene, code)) in [Way::OauthM2m, Way::Keyless].into_iter().flat_map(|way| endings.map(|end| (way, end)))
    {
        let world = World::new(way);
        let running = Running::start(world.sandbox.clone()).unwrap();
        world.sandbox.script(Match::Job(world.job), Script::playing(TaskScript::forever()));
        let step = world.step();
        let mut pipe = step.start(&running);
        pipe.wait_for("main: running");
        assert_eq!(world.sandbox.access_tokens().len(), 1);
        let path = if code == 6 { "/api/2.2/jobs/runs/get" } else { "/api/2.2/jobs/runs/cancel" };
        world.sandbox.fault(Fault::always(On::path(path), refusal(403, &world.echo())));
        if code == 8 {
            pipe.signal("TERM");
        }
        let ended = pipe.end();
        assert_eq!(ended.code, code, "{scene}: {}", ended.log);
        assert!(ended.log.contains("[secret]"), "{scene}: the echo arrived: {}", ended.log);
        world.assert_silent(scene, &step, &ended.log);
    }
}

/// Panics with everything it knows when it is asked for the state of a run.
struct Cursed {
    wire: InMemory,
    echo: String,
}

impl Wire for Cursed {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        assert!(!request.url().path().ends_with("/runs/get"), "{}", self.echo);
        self.wire.carry(request)
    }
}

thread_local! {
    /// What the hook of this thread's test writes, and the redactor that it writes through.
    static HOOK: RefCell<Option<(Redactor, String)>> = const { RefCell::new(None) };
}

/// The process has one hook; the other tests' panics go where they always went.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let mine = HOOK.with_borrow_mut(|hook| match hook {
                Some((redactor, log)) => {
                    log.push_str(&panic_line(redactor, panic));
                    true
                }
                None => false,
            });
            if !mine {
                before(panic);
            }
        }));
    });
}

#[tokio::test(start_paused = true)]
async fn not_even_a_panic_tells() {
    hook_panics();
    let world = World::new(Way::Pat);
    let step = world.step().variable("DATABRICKS_HOST", "https://sandbox.cloud.databricks.com");
    let (log, redactor) = (Log::default(), Redactor::new());
    HOOK.set(Some((redactor.clone(), String::new())));
    let wire = Cursed { wire: InMemory::new(world.sandbox.clone()), echo: world.echo() };
    let ports = Ports {
        output: Box::new(log.clone()),
        redactor,
        wire: Some(Arc::new(wire)),
        clock: world.sandbox.time(),
        nonce: 1,
    };
    let outcome = run(Environment::new(step.variables(), step.root()), ports, std::future::pending()).await;
    let (_, hooked) = HOOK.take().unwrap();
    assert_eq!(outcome.exit.code(), 70);
    assert!(hooked.contains("this is a bug") && hooked.contains("[secret]"), "{hooked}");
    world.assert_silent("a panic", &step, &format!("{}{hooked}", log.text()));
}

#[test]
fn a_secret_too_short_to_be_kept_out_is_warned_of() {
    let world = World::new(Way::Pat);
    let running = Running::start(world.sandbox.clone()).unwrap();
    let ended = world.step().variable("GIT_TOKEN", "short").against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(ended.log.contains("WARNING: GIT_TOKEN: too short to be kept out of the log"), "{}", ended.log);
    assert!(!ended.log.contains("`short`"), "{}", ended.log);
}
