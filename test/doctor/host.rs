//! The host and the way to it, and the clocks.

use super::*;
use crate::network::proxy::{Answer, ConnectProxy};
use crate::support::{InMemory, Log};
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, run};
use databricks_sandbox::{Canned, Fault, HostKind, Moment, On, Running, Trouble};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn what_kind_of_host_it_is_is_told() {
    let sandbox = workspace();
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    report.has("host", "good", "https://sandbox.cloud.databricks.com answers without a proxy: its name is known");
    report.has("host", "good", &format!("it is the workspace {}, on AWS", sandbox.workspace_id()));
    sandbox.set_host_cloud("GCP");
    examine(&sandbox, &by_token(&sandbox)).await.has("host", "good", ", on GCP");
    sandbox.change_host_metadata(json!({ "host_type": "moon" }).as_object().unwrap().clone());
    examine(&sandbox, &by_token(&sandbox)).await.has(
        "host",
        "unknown",
        "it says `moon`, which this version does not know",
    );
    sandbox.change_host_metadata(json!({ "host_type": null }).as_object().unwrap().clone());
    examine(&sandbox, &by_token(&sandbox)).await.has("host", "unknown", "whether it is one workspace or several");
    sandbox.remove_host_metadata();
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    let part = "what it serves: it does not tell (ENDPOINT_NOT_FOUND";
    assert!(report.has("host", "unknown", part).message.ends_with("; by its name it is on AWS"));
    // Somebody else told the time.
    report.has("clock", "good", "agree");

    let sandbox = workspace();
    sandbox.set_host_kind(HostKind::Unified);
    let step = by_token(&sandbox);
    let report = examine(&sandbox, &step).await;
    report.has(
        "host",
        "bad",
        "DATABRICKS_WORKSPACE_ID: not set, and the host in `DATABRICKS_HOST` serves a whole account",
    );
    let report = examine(&sandbox, &step.variable("DATABRICKS_WORKSPACE_ID", sandbox.workspace_id())).await;
    let part = format!("it serves an account and its workspaces, of which {} is meant", sandbox.workspace_id());
    report.has("host", "good", &part);
    assert!(report.bad().is_empty(), "{}", report.inside.log);
}

#[test]
fn a_host_that_cannot_be_reached_is_one_problem_and_not_ten() {
    let sandbox = workspace();
    let ended = by_token(&sandbox).process(&[("DATABRICKS_HOST", "https://127.0.0.1:1")]);
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("[host-unreachable]"), "{}", ended.log);
    assert!(ended.log.contains("? not tried: the host cannot be reached"), "{}", ended.log);
    let rest = "? what it serves, and whether the clocks agree: not told, for it was asked in vain, without a proxy\n";
    assert!(ended.log.contains(rest), "{}", ended.log);
    let bad: Vec<&str> = ended.log.lines().filter(|line| line.starts_with('✖')).collect();
    assert_eq!(bad.len(), 3, "one problem, the count, the end: {bad:?}");
}

#[tokio::test(start_paused = true)]
async fn a_host_whose_answer_is_trouble_that_does_not_pass_is_reached_all_the_same() {
    let sandbox = workspace();
    let answer = Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Ordered by a test");
    let on = On::get("/.well-known/databricks-config");
    sandbox.fault(Fault::always(on, Trouble::Answer(Moment::Before, answer)));
    let report = examine(&sandbox, &by_token(&sandbox)).await;
    report.has("host", "good", "answers without a proxy");
    report.has("host", "unknown", "what it serves: it does not tell (TEMPORARILY_UNAVAILABLE: Ordered by a test)");
    report.has("log-in", "good", "`pat` lets in");
    assert!(report.bad().is_empty(), "{}", report.inside.log);
}

#[test]
fn tls_and_the_proxy_are_told_of() {
    let sandbox = workspace();
    let tls = databricks_sandbox::Tls::new(&["adb-12.3.azuredatabricks.net"]).unwrap();
    let running = Running::start_tls_with(sandbox.clone(), tls).unwrap();
    let proxy = ConnectProxy::start(Answer::Open(running.address()));
    let way = [("HTTPS_PROXY", proxy.url()), ("DATABRICKS_HOST", "https://adb-12.3.azuredatabricks.net".to_owned())];
    let way: Vec<(&str, &str)> = way.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // Nobody vouches for the certificate.
    let ended = by_token(&sandbox).process(&way);
    assert!(ended.code == 2 && ended.log.contains("[tls-failed]"), "{}", ended.log);
    let asked = format!(
        "asked in vain, through the proxy `{}`; by its name it is on Azure\n",
        proxy.url().trim_start_matches("http://")
    );
    assert!(ended.log.contains(&asked), "{asked}: {}", ended.log);
    let ended = by_token(&sandbox).variable("CA_BUNDLE", running.ca_pem()).process(&way);
    let through = "✔ https://adb-12.3.azuredatabricks.net answers through the proxy `127.0.0.1:";
    assert!(ended.log.contains(through) && ended.log.contains("its certificate good"), "{}", ended.log);
    // The clock of this workspace stands in another year.
    assert!(ended.log.contains("[clock-skew]"), "{}", ended.log);
}

#[tokio::test(start_paused = true)]
async fn clocks_that_do_not_agree_are_told_of() {
    for (ahead, behind, part) in [
        (Duration::from_secs(300), Duration::ZERO, Some("this machine's clock is 5m ahead of the server's")),
        (Duration::ZERO, Duration::from_secs(300), Some("this machine's clock is 5m behind the server's")),
        (Duration::from_secs(50), Duration::ZERO, None),
    ] {
        let sandbox = workspace();
        let (step, log) = (by_token(&sandbox), Log::default());
        let mut variables = step.variables();
        variables.insert("DATABRICKS_HOST".into(), "https://sandbox.cloud.databricks.com".into());
        let ports = Ports {
            output: Box::new(log.clone()),
            redactor: Redactor::new(),
            wire: Some(Arc::new(InMemory::new(sandbox.clone()))),
            clock: sandbox.time() + ahead - behind,
            nonce: 1,
        };
        let outcome = run(Environment::new(variables, step.root()), ports, std::future::pending()).await;
        let report = Report { inside: Inside { exit: outcome.exit, outcome, log: log.text() } };
        match part {
            Some(part) => assert_eq!(report.has("clock", "odd", part).exhibit.len(), 2),
            None => drop(report.has("clock", "good", "agree").clone()),
        }
        assert!(report.bad().is_empty(), "{}", report.inside.log);
    }
}
