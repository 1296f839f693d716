//! The doctor: each thing that can be wrong is found, in the words of the run that would stop for it; nothing is changed,
//! nothing secret told, and what nobody can tell is called unknown.

mod build;
mod file;
mod host;
mod login;
mod policy;
mod runs;
mod scenes;
mod target;
mod token;

use crate::support::{Inside, Step};
use databricks_deploy::finding::{Finding, Verdict};
use databricks_sandbox::{Bitbucket, Flaw, JobRight, Principal, Sandbox, StepClaims};
use serde_json::{Value, json};

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const ROOT: &str = "/Workspace/Shared/etl";

/// A secret of the step that is the name of its folder, too: so it must be taken out of every scene.
const CANARY: &str = "kanari-4410-notebooks";

/// A workspace with a service principal that may do all that it needs.
fn workspace() -> Sandbox {
    workspace_with(|principal| principal)
}

fn workspace_with(change: impl Fn(Principal) -> Principal) -> Sandbox {
    furnished(Sandbox::new(), change)
}

fn furnished(sandbox: Sandbox, change: impl Fn(Principal) -> Principal) -> Sandbox {
    let mut principal = Principal::service(ID, "deployer");
    principal.other_jobs = JobRight::Manage;
    sandbox.add_principal(change(principal));
    sandbox.put_folder(ROOT);
    sandbox.create_job(json!({
        "name": "nightly-etl",
        "tasks": [{ "task_key": "main", "notebook_task": { "notebook_path": format!("{ROOT}/a") },
            "existing_cluster_id": "0123-456789-abcdefgh" }],
        "run_as": { "service_principal_name": ID },
    }));
    sandbox.add_cluster("0123-456789-abcdefgh", "nightly");
    sandbox
}

fn trust(sandbox: &Sandbox) {
    let policy = sandbox.bitbucket().policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
    sandbox.add_federation_policy(ID, policy).unwrap();
}

/// A step that would deploy to production, and run a job.
fn step(sandbox: &Sandbox) -> Step {
    Step::deploying(sandbox)
        .without("DATABRICKS_TOKEN")
        .notebook(&format!("{CANARY}/a.py"))
        .variable("LOCAL_PATH", CANARY)
        .variable("PIPELINES_JWT_TOKEN", CANARY)
        .variable("ACTION", "doctor")
        .variable("RUN", "nightly-etl")
        .variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT", "production")
        .variable("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID", Bitbucket::PRODUCTION)
        .variable("BITBUCKET_REPO_OWNER_UUID", Bitbucket::WORKSPACE)
}

fn keyless(sandbox: &Sandbox) -> Step {
    step(sandbox)
        .variable("DATABRICKS_CLIENT_ID", ID)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", sandbox.bitbucket().step(&StepClaims::production()))
}

/// The same with something wrong with the token.
fn flawed(sandbox: &Sandbox, flaw: Flaw) -> Step {
    let token = sandbox.bitbucket().flawed_step(&StepClaims::production(), &[flaw]);
    keyless(sandbox).variable("BITBUCKET_STEP_OIDC_TOKEN", token)
}

fn by_token(sandbox: &Sandbox) -> Step {
    step(sandbox).variable("DATABRICKS_TOKEN", sandbox.token())
}

fn findings(step: &Step) -> Value {
    let text = std::fs::read_to_string(step.root().join("databricks-deploy/doctor.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What was found inside this process, where the two clocks agree.
struct Report {
    inside: Inside,
}

/// Examines inside this process.
async fn examine(sandbox: &Sandbox, step: &Step) -> Report {
    let inside = step.inside(sandbox).await;
    assert_harmless(sandbox, step, &inside.log);
    let bad = inside.outcome.findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    assert_eq!(inside.exit.code(), if bad > 0 { 2 } else { 0 }, "{}", inside.log);
    Report { inside }
}

impl Report {
    fn all(&self) -> &[Finding] {
        &self.inside.outcome.findings
    }

    /// The finding of this group and verdict whose place and message have this part.
    #[track_caller]
    fn has(&self, group: &str, verdict: &str, part: &str) -> &Finding {
        let found = self.all().iter().find(|finding| {
            let place = finding.place.as_deref().unwrap_or_default();
            (finding.group.name(), finding.verdict.name()) == (group, verdict)
                && format!("{place}: {}", finding.message).contains(part)
        });
        found.unwrap_or_else(|| panic!("no {verdict} {group} with `{part}`: {}", self.inside.log))
    }

    /// What is bad, as the log shows it.
    fn bad(&self) -> Vec<String> {
        let bad = self.all().iter().filter(|finding| finding.verdict == Verdict::Bad);
        bad.map(|finding| finding.problem().unwrap().to_string()).collect()
    }

    #[track_caller]
    fn lacks(&self, group: &str, verdict: &str) {
        let found = self.all().iter().find(|one| (one.group.name(), one.verdict.name()) == (group, verdict));
        assert!(found.is_none(), "{found:?}: {}", self.inside.log);
    }
}

/// Nothing that lets somebody in has left the process, and nothing was sent but questions and requests for tokens.
#[track_caller]
fn assert_harmless(sandbox: &Sandbox, step: &Step, log: &str) {
    let mut texts = vec![log.to_owned()];
    let outputs = std::fs::read_dir(step.root().join("databricks-deploy")).into_iter().flatten().flatten();
    texts.extend(outputs.map(|file| std::fs::read_to_string(file.path()).unwrap()));
    let variables = step.variables();
    let secret = ["DATABRICKS_TOKEN", "DATABRICKS_CLIENT_SECRET", "BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN"];
    let given = secret.into_iter().filter_map(|name| variables.get(name).cloned()).filter(|value| value.len() > 8);
    let signatures = variables.get("BITBUCKET_STEP_OIDC_TOKEN").and_then(|token| token.rsplit('.').next());
    let signatures = signatures.filter(|signature| signature.len() > 8).map(str::to_owned);
    for hidden in given.chain(signatures).chain(sandbox.access_tokens()) {
        assert!(texts.iter().all(|text| !text.contains(&hidden)), "{hidden}: {texts:#?}");
    }
    for request in sandbox.requests() {
        let token = request.path.ends_with("/token");
        assert!(request.method == "GET" || (request.method == "POST" && token), "{}", request.line());
    }
    assert_eq!(sandbox.unknown_routes(), Vec::<String>::new());
    assert!(sandbox.runs().is_empty());
}
