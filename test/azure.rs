//! Log-in to Azure Databricks by a secret of Entra ID. Through the real binary the two hosts are reached by a proxy,
//! which alone knows where their names lead.

use crate::network::proxy::{Answer, ConnectProxy};
use crate::support::{Ended, Step, assert_golden};
use databricks_deploy::exit::Exit;
use databricks_sandbox::{
    Canned, EntraCloud, Fault, Moment, On, Principal, Running, Sandbox, Tls, TokenState, Trouble,
};
use std::time::Duration;

const TENANT: &str = "5f5e8b6a-0000-4000-8000-00000000e001";
const APPLICATION: &str = "5f5e8b6a-0000-4000-8000-00000000e002";
const RESOURCE: &str = "/subscriptions/5f5e/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/etl";

/// A workspace on Azure that knows an application, and a secret of it.
fn workspace(cloud: EntraCloud, member: bool) -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.set_host_cloud("Azure");
    sandbox.set_azure_resource_id(RESOURCE);
    let mut principal = Principal::service(APPLICATION, "deployer");
    principal.member = member;
    sandbox.add_principal(principal);
    let secret = sandbox.add_entra_application(TENANT, APPLICATION, cloud);
    (sandbox, secret)
}

fn deploying(sandbox: &Sandbox, secret: &str) -> Step {
    Step::deploying(sandbox)
        .notebook("notebooks/a.py")
        .without("DATABRICKS_TOKEN")
        .variable("DATABRICKS_HOST", "https://adb-12.3.azuredatabricks.net")
        .variable("ARM_TENANT_ID", TENANT)
        .variable("ARM_CLIENT_ID", APPLICATION)
        .variable("ARM_CLIENT_SECRET", secret)
}

/// Runs the real binary with a way to both hosts.
fn against(sandbox: &Sandbox, step: Step) -> Ended {
    let tls = Tls::new(&["adb-12.3.azuredatabricks.net", "login.microsoftonline.com"]).unwrap();
    let running = Running::start_tls_with(sandbox.clone(), tls).unwrap();
    let proxy = ConnectProxy::start(Answer::Open(running.address()));
    let ended = step.variable("CA_BUNDLE", running.ca_pem()).process(&[("HTTPS_PROXY", &proxy.url())]);
    for seen in proxy.seen() {
        assert!(["adb-12.3.azuredatabricks.net:443", "login.microsoftonline.com:443"].contains(&seen.target.as_str()));
    }
    ended
}

#[test]
fn an_application_logs_in_and_its_secret_goes_to_entra_id_alone() {
    let (sandbox, secret) = workspace(EntraCloud::Public, true);
    let ended = against(&sandbox, deploying(&sandbox, &secret).variable("DEBUG", "true"));
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(
        ended.log.contains("(an Entra ID client secret, because `ARM_TENANT_ID`, `ARM_CLIENT_ID`"),
        "{}",
        ended.log
    );
    for request in sandbox.requests() {
        let is_entra = request.host.as_deref() == Some("login.microsoftonline.com");
        assert_eq!(request.carries(&secret), is_entra, "{}", request.line());
    }
    for hidden in sandbox.access_tokens().iter().chain([&secret]) {
        assert!(!ended.log.contains(hidden.as_str()), "{}", ended.log);
    }
}

#[test]
fn each_refusal_of_entra_id_says_why_and_what_to_do() {
    let refused = |name: &str, sandbox: &Sandbox, step: Step| {
        let ended = against(sandbox, step);
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert_golden(&format!("azure/{name}"), &ended.log);
    };
    let (sandbox, secret) = workspace(EntraCloud::Public, true);
    let wrong = "abc8Q~00112233445566778899aabbccddeeffgg";
    refused("wrong_secret", &sandbox, deploying(&sandbox, wrong));
    refused("no_application", &sandbox, deploying(&sandbox, &secret).variable("ARM_CLIENT_ID", TENANT));
    refused("no_directory", &sandbox, deploying(&sandbox, &secret).variable("ARM_TENANT_ID", APPLICATION));
    sandbox.set_entra_secret_state(&secret, TokenState::Expired);
    refused("expired_secret", &sandbox, deploying(&sandbox, &secret));
    // The directory is in another cloud than the host's name says.
    let (sandbox, secret) = workspace(EntraCloud::China, true);
    refused("other_cloud", &sandbox, deploying(&sandbox, &secret));
    let (sandbox, secret) = workspace(EntraCloud::Public, false);
    refused("not_a_member", &sandbox, deploying(&sandbox, &secret));
    let other = RESOURCE.replace("/etl", "/other");
    refused("other_resource", &sandbox, deploying(&sandbox, &secret).variable("DATABRICKS_AZURE_RESOURCE_ID", other));
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_to_entra_id_is_not_blamed_on_the_workspace() {
    let page = Canned::html(200, "<html><title>Sign in</title></html>");
    for trouble in [Trouble::Answer(Moment::Before, page), Trouble::Drop(Moment::Before)] {
        let (sandbox, secret) = workspace(EntraCloud::Public, true);
        sandbox.fault(Fault::always(On::post(&format!("/{TENANT}/oauth2/token")), trouble));
        let ended = deploying(&sandbox, &secret).inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Identity, "{}", ended.log);
        assert!(ended.log.contains("✖ login.microsoftonline.com: "), "{}", ended.log);
        assert!(!ended.log.contains("DATABRICKS_HOST"), "{}", ended.log);
    }
}

#[tokio::test(start_paused = true)]
async fn rights_on_the_resource_are_enough() {
    let (sandbox, secret) = workspace(EntraCloud::Public, false);
    let step = deploying(&sandbox, &secret).variable("DATABRICKS_AZURE_RESOURCE_ID", format!("{RESOURCE}/"));
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let tokens = sandbox.access_tokens();
    assert_eq!(tokens.len(), 2, "one for the workspace, one for the resource manager");
    for request in sandbox.requests() {
        let to_workspace = request.host.as_deref() == Some("adb-12.3.azuredatabricks.net");
        assert_eq!(request.carries(&tokens[1]), to_workspace, "{}", request.line());
    }
    // Which of the two was refused, the workspace does not say: both are bought anew.
    let (sandbox, secret) = workspace(EntraCloud::Public, false);
    let once = Trouble::Answer(Moment::Before, Canned::error(401, "401", "Unauthorized"));
    sandbox.fault(Fault::once(On::path("/api/2.0/preview/scim"), once));
    let step = deploying(&sandbox, &secret).variable("DATABRICKS_AZURE_RESOURCE_ID", RESOURCE);
    let ended = step.variable("DEBUG", "true").inside(&sandbox).await;
    assert_eq!((ended.exit, sandbox.access_tokens().len()), (Exit::Done, 4), "{}", ended.log);
    // What is sent to Entra ID counts too.
    let requests = format!("{} requests, ", sandbox.requests().len());
    assert!(ended.log.contains(&requests), "{requests}: {}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn every_cloud_has_its_own_entra_id() {
    for (cloud, host) in [
        (EntraCloud::Public, "https://adb-12.3.azuredatabricks.net"),
        (EntraCloud::UsGov, "https://adb-12.3.databricks.azure.us"),
        (EntraCloud::China, "https://adb-12.3.databricks.azure.cn"),
    ] {
        let (sandbox, secret) = workspace(cloud, true);
        let ended = deploying(&sandbox, &secret).variable("DATABRICKS_HOST", host).inside(&sandbox).await;
        assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
        assert_eq!(sandbox.requests()[0].host.as_deref(), Some(cloud.host()));
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_entra_id_are_renewed_in_time() {
    let (sandbox, secret) = workspace(EntraCloud::Public, true);
    let mut step = deploying(&sandbox, &secret);
    for number in 0..400 {
        step = step.notebook(&format!("notebooks/n{number}.py"));
    }
    sandbox.set_access_token_lifetime(Duration::from_secs(300));
    let slow = Trouble::Delay(Moment::Before, Duration::from_secs(50));
    sandbox.fault(Fault::always(On::post("/api/2.0/workspace/import"), slow));
    let ended = step.inside(&sandbox).await;
    assert_eq!(ended.exit, Exit::Done, "{}", ended.log);
    let refused = sandbox.requests().iter().filter(|request| matches!(request.status, Some(401 | 403))).count();
    assert!(refused == 0 && sandbox.access_tokens().len() > 2, "{refused}");
}
