//! The federation policy to create, ready to paste but for the numeric id.

use super::Case;
use super::chart::Chart;
use super::host::Asked;
use super::login::{Keyless, Known, presented};
use crate::finding::{Finding, Group};
use crate::identity::{Policy, is_not_genuine, is_taken_for_bitbucket};
use crate::pipeline::{Pipeline, STEP_TOKEN};
use crate::problem::Problem;
use crate::secrets::Claims;
use crate::settings::{AuthType, AzureCloud, Cloud, StepToken, Way};

const GROUP: Group = Group::Policy;

/// What stands where the numeric id goes.
const NUMBER: &str = "<numeric id>";

/// Shows what to create, unless an identity token is taken already: then there is nothing to create.
pub(super) fn examine(case: &Case<'_>, asked: &Asked, known: &Known, chart: &mut Chart<'_>) {
    if known.keyless == Keyless::Fits {
        return chart.good(GROUP, "there is one that fits the identity token");
    }
    let shown = shown(case);
    if let Shown::Token { claims, of_bitbucket } = &shown
        && is_not_genuine(claims, *of_bitbucket).is_some()
    {
        // To trust it would be to trust whoever has made it.
        return chart.unknown(GROUP, "which one fits: the identity token is not what it is taken for");
    }
    let (claims, from_token) = match shown {
        Shown::Token { claims, .. } => (claims, true),
        Shown::Expected(claims) => (claims, false),
        Shown::Nothing => (Claims::expected([]), false),
    };
    let policies = Policy::all_for(&claims);
    if matches!(known.keyless, Keyless::NotSeen | Keyless::Untold) {
        return untold(case, asked, known, policies.first(), chart);
    }
    if policies.is_empty() {
        return;
    }
    let cloud = asked.cloud(case.patient.route.as_ref());
    let id = case.patient.client_id.as_ref();
    let number = known.numbers.iter().find(|(name, _)| Some(name) == id).map(|(_, number)| number.as_str());
    let whose = whose(case);
    let mut lines = vec![match number {
        Some(number) => format!("its numeric id is {number}, as this workspace numbers it"),
        None => format!(
            "{NUMBER}: in the account console ({}), User management, Service principals, its page, Principal information: \
             the number, not the application id (a UUID)",
            console(cloud).unwrap_or(
                "the cloud is not known: https://accounts.cloud.databricks.com on AWS, \
                https://accounts.azuredatabricks.net on Azure, https://accounts.gcp.databricks.com on GCP"
            )
        ),
    }];
    if !from_token {
        lines.push(
            "the step has no token yet: this is what its claims will be by Bitbucket's own variables; add `oidc: true` and \
             run the doctor again, to see them"
                .to_owned(),
        );
    }
    // Where nobody has asked, there may be one already.
    let unless = if known.keyless == Keyless::NotTried { "Unless it has one already, an" } else { "An" };
    let message =
        format!("{unless} account admin gives one of these policies to {whose}, once; it works a minute or two later");
    chart.add(Finding::told(GROUP, message).exhibit(lines));
    let login = login_of_cli(case, asked, cloud);
    if !policies.iter().any(|policy| policy.subject_claim == "deploymentEnvironmentUuid") && is_bitbucket(&policies) {
        let message = "Recommended: a policy for a deployment environment, which this step has not";
        let how = "give the step a `deployment:` in bitbucket-pipelines.yml, beside `script:`, and run the doctor in it: it \
                   shows that policy then";
        chart.add(Finding::told(GROUP, message).exhibit([how.to_owned()]));
    }
    for policy in &policies {
        chart.add(Finding::told(GROUP, grade(policy)).exhibit(to_paste(policy, number.unwrap_or(NUMBER), &login)));
    }
    if is_bitbucket(&policies) {
        chart.add(Finding::told(GROUP, "Mind:").exhibit(minds(cloud).map(str::to_owned)));
    }
}

/// Whether they name a claim of Bitbucket's.
fn is_bitbucket(policies: &[Policy]) -> bool {
    policies.iter().any(|policy| policy.subject_claim != "sub")
}

/// Whether there is one nobody could say: the one that there should be is shown to compare with, unless somebody comes in
/// by another way, or something else must be put right first.
fn untold(case: &Case<'_>, asked: &Asked, known: &Known, policy: Option<&Policy>, chart: &mut Chart<'_>) {
    let message = "whether there is one that fits the identity token: the log-in ended for another reason";
    let Some(policy) = policy.filter(|_| known.taken.is_none() && known.keyless == Keyless::Untold) else {
        return chart.unknown(GROUP, message);
    };
    let console = console(asked.cloud(case.patient.route.as_ref()));
    let hint = format!(
        "put the log-in right, and run the doctor again; or compare the policies of {} with the one that is shown: in the account \
         console{}, User management, Service principals, its page, Credentials & secrets, Federation policies",
        whose(case),
        console.map(|console| format!(" ({console})")).unwrap_or_default()
    );
    let json = policy.json();
    let json = json.lines().map(|line| format!("  {line}"));
    let lines = std::iter::once("the one that fits it, and goes on fitting:".to_owned())
        .chain(json)
        .chain([policy.lets_in().to_owned()]);
    chart.add(Finding::unknown(GROUP, message).hint(hint).exhibit(lines));
}

fn whose(case: &Case<'_>) -> String {
    match &case.patient.client_id {
        Some(id) => format!("the service principal `{id}`"),
        None => "the service principal".to_owned(),
    }
}

/// What a policy has to fit.
enum Shown {
    /// The token that a run shows to Databricks, or could show.
    Token { claims: Claims, of_bitbucket: bool },
    /// What the step's token would say.
    Expected(Claims),
    /// A token that cannot be read.
    Nothing,
}

fn shown(case: &Case<'_>) -> Shown {
    let keyless = |way: &&Way| way.way.is_keyless();
    let (taken, others): (Vec<&Way>, Vec<&Way>) = case.patient.ways.iter().filter(keyless).partition(|way| way.taken);
    for way in taken.into_iter().chain(others) {
        let Ok(chosen) = &way.login else { continue };
        match presented(&chosen.login, case.redactor) {
            Some((token, claims)) => {
                return Shown::Token { of_bitbucket: is_taken_for_bitbucket(token, &claims), claims };
            }
            None if way.taken => return Shown::Nothing,
            None => {}
        }
    }
    match &case.patient.step_token {
        StepToken::Missing | StepToken::Unreadable if case.patient.ways.iter().any(is_of_another_issuer) => {
            Shown::Nothing
        }
        StepToken::Claims(claims) => Shown::Token { claims: claims.clone(), of_bitbucket: true },
        StepToken::Missing | StepToken::Unreadable => Shown::Expected(expected(case.pipeline)),
    }
}

/// Whether the token of another issuer is meant, which is not there or cannot be read: nobody knows its claims.
fn is_of_another_issuer(way: &Way) -> bool {
    let names_the_step = |problems: &Vec<Problem>| problems.iter().any(|one| one.place.as_deref() == Some(STEP_TOKEN));
    matches!(way.way, AuthType::EnvOidc | AuthType::FileOidc)
        && way.login.as_ref().is_err_and(|problems| !names_the_step(problems))
}

/// What the step's token would say, by the variables that Bitbucket sets in every step. The forms of issuer and audience
/// are those of its documentation.
fn expected(pipeline: &Pipeline) -> Claims {
    let bare = |uuid: &str| uuid.trim_matches(['{', '}']).to_owned();
    let issuer = pipeline
        .workspace
        .as_ref()
        .map(|slug| format!("https://api.bitbucket.org/2.0/workspaces/{slug}/pipelines-config/identity/oidc"));
    let audience =
        pipeline.workspace_uuid.as_ref().map(|uuid| format!("ari:cloud:bitbucket::workspace/{}", bare(uuid)));
    // Without one of the two there is no policy to show.
    let both = issuer.as_deref().zip(audience.as_deref());
    let claims = both.into_iter().flat_map(|(issuer, audience)| {
        [
            Some(("iss", issuer)),
            Some(("aud", audience)),
            pipeline.repository_uuid.as_deref().map(|uuid| ("repositoryUuid", uuid)),
            pipeline.deployment_uuid.as_deref().map(|uuid| ("deploymentEnvironmentUuid", uuid)),
        ]
    });
    Claims::expected(claims.flatten())
}

/// Where the account is looked after; `None` where nobody knows on which cloud.
fn console(cloud: Option<Cloud>) -> Option<&'static str> {
    Some(match cloud? {
        Cloud::Aws => "https://accounts.cloud.databricks.com",
        Cloud::Gcp => "https://accounts.gcp.databricks.com",
        Cloud::Azure(AzureCloud::Public) => "https://accounts.azuredatabricks.net",
        Cloud::Azure(AzureCloud::UsGovernment) => "https://accounts.databricks.azure.us",
        Cloud::Azure(AzureCloud::China) => "https://accounts.databricks.azure.cn",
    })
}

fn login_of_cli(case: &Case<'_>, asked: &Asked, cloud: Option<Cloud>) -> String {
    let route = case.patient.route.as_ref();
    let account = route.and_then(|route| route.account_id.as_deref()).or(asked.account_id()).unwrap_or("<account id>");
    let console = console(cloud).unwrap_or("<account console>");
    format!("databricks auth login --host {console} --account-id {account}")
}

fn grade(policy: &Policy) -> &'static str {
    match policy.subject_claim {
        "deploymentEnvironmentUuid" => "Recommended: a policy for this deployment environment",
        "repositoryUuid" => "Wider: a policy for this repository",
        _ => "A policy for this subject",
    }
}

fn to_paste(policy: &Policy, number: &str, login: &str) -> Vec<String> {
    let indented = |line: &str| format!("  {line}");
    let mut lines = vec![
        policy.lets_in().to_owned(),
        "as JSON, for its page in the account console (Credentials & secrets, Federation policies):".to_owned(),
    ];
    lines.extend(policy.json().lines().map(indented));
    lines.push(format!("as a command of the vendor's CLI, after `{login}`:"));
    lines.push(indented(&policy.command(number)));
    lines.push("as Terraform, with a provider of the account:".to_owned());
    lines.extend(policy.terraform(number).iter().map(|line| indented(line)));
    lines
}

fn minds(cloud: Option<Cloud>) -> impl Iterator<Item = &'static str> {
    let azure = matches!(cloud, Some(Cloud::Azure(_))).then_some(
        "on Azure nothing is made in Entra ID: its federated credentials compare `sub`, which is new in every run; the \
         policy is one of Databricks, and the service principal may be one that Entra ID manages",
    );
    [
        "a policy on `sub` can never fit twice: it ends in the step's UUID, which is new in every run",
        "one on `branchName` lets in that branch of every repository of the Bitbucket workspace, and one on \
         `workspaceUuid` every step of all of them",
        "a step in `final:` cannot have a `deployment:`, so that only the repository's policy fits it",
    ]
    .into_iter()
    .chain(azure)
}
