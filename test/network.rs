//! The way to the workspace: private authorities and proxies, with the real binary over real TLS.

pub(crate) mod proxy;

use crate::support::{Ended, Step};
use databricks_sandbox::{Running, Sandbox, Tls};
use proxy::{Answer, ConnectProxy};

/// A name that only the proxy can resolve: its first label is longer than a name may have, so no resolver asks anybody.
fn name() -> String {
    format!("{}.invalid", "x".repeat(64))
}

/// A workspace over TLS.
fn secure() -> Running {
    Running::start_tls(Sandbox::new()).unwrap()
}

fn step(running: &Running) -> Step {
    Step::deploying(running.sandbox()).notebook("notebooks/a.py")
}

#[test]
fn a_private_authority_is_trusted_from_a_file_and_from_text() {
    let running = secure();
    let from_file = step(&running).file("certs/ca.pem", running.ca_pem()).variable("CA_BUNDLE", "certs/ca.pem");
    let from_text = step(&running).variable("CA_BUNDLE", running.ca_pem());
    let among_others = step(&running)
        .file("all.pem", format!("# ours\n{}\n{}", Tls::new(&[]).unwrap().ca_pem(), running.ca_pem()))
        .variable("CA_BUNDLE", "./all.pem");
    for step in [from_file, from_text, among_others] {
        let ended = step.against(&running);
        assert_eq!(ended.code, 0, "{}", ended.log);
    }
    assert_eq!(running.sandbox().objects().keys().filter(|path| path.ends_with("/etl/a")).count(), 1);
}

#[test]
fn an_authority_that_nobody_vouches_for_is_refused() {
    let running = secure();
    let other = step(&running).variable("CA_BUNDLE", Tls::new(&[]).unwrap().ca_pem());
    for step in [step(&running), other] {
        let ended = step.against(&running);
        assert_eq!(ended.code, 2, "{}", ended.log);
        assert!(ended.log.contains("[tls-failed]"), "{}", ended.log);
        assert!(ended.log.contains("invalid peer certificate"), "{}", ended.log);
        assert!(ended.log.contains("`CA_BUNDLE`"), "{}", ended.log);
    }
    assert!(running.sandbox().requests().is_empty());
}

#[test]
fn a_certificate_for_another_name_is_refused_with_the_authority_known() {
    let running = secure();
    let proxy = ConnectProxy::start(Answer::Open(running.address()));
    let step = step(&running).variable("CA_BUNDLE", running.ca_pem());
    let ended = step.process(&[FAR, ("HTTPS_PROXY", &proxy.url())]);
    assert_eq!(ended.code, 2, "{}", ended.log);
    assert!(ended.log.contains("the certificate belongs to another name"), "{}", ended.log);
}

/// A workspace under the name that only a proxy can resolve, and a step that trusts it.
fn far_away() -> (Running, Step) {
    let running =
        Running::start_tls_with(Sandbox::new(), Tls::new(&["workspace.cloud.databricks.com"]).unwrap()).unwrap();
    let step = step(&running).variable("CA_BUNDLE", running.ca_pem());
    (running, step)
}

const FAR: (&str, &str) = ("DATABRICKS_HOST", "https://workspace.cloud.databricks.com");

#[test]
fn a_proxy_carries_the_connection_and_sees_nothing_of_it() {
    let (running, step) = far_away();
    let proxy = ConnectProxy::start(Answer::Open(running.address()));
    for (name, value) in [
        ("HTTPS_PROXY", proxy.url()),
        ("https_proxy", proxy.url()),
        ("HTTPS_PROXY", proxy.url().replace("http://", "")),
    ] {
        let before = proxy.seen().len();
        let ended = step.process(&[FAR, (name, &value)]);
        assert_eq!(ended.code, 0, "{name}={value}: {}", ended.log);
        assert!(proxy.seen().len() > before);
    }
    for seen in proxy.seen() {
        assert_eq!((seen.target.as_str(), seen.authorization), ("workspace.cloud.databricks.com:443", None));
    }
}

#[test]
fn a_proxy_with_a_password_gets_it_and_nobody_else() {
    let (running, step) = far_away();
    let proxy = ConnectProxy::start(Answer::OpenFor("Basic bWU6cEBzczp3b3JkLWFuZC1tb3Jl", running.address()));
    let with = |login: &str| proxy.url().replace("http://", &format!("http://{login}@"));
    let ended = step.process(&[FAR, ("HTTPS_PROXY", &with("me:p%40ss%3Aword-and-more")), ("DEBUG", "true")]);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("word-and-more") && !ended.log.contains("bWU6cEBzczp3b3Jk"), "{}", ended.log);

    for login in ["me:wrong-password", "me"] {
        let ended = step.process(&[FAR, ("HTTPS_PROXY", &with(login))]);
        refused(&ended, &proxy, "asks for a log-in (status 407)");
        assert!(!ended.log.contains("wrong-password"), "{}", ended.log);
    }
    let ended = step.process(&[FAR, ("HTTPS_PROXY", &proxy.url())]);
    refused(&ended, &proxy, "asks for a log-in (status 407)");
    assert!(ended.log.contains("with a colon between them"), "{}", ended.log);
}

/// Ended with exit code 2, in words that name the proxy.
fn refused(ended: &Ended, proxy: &ConnectProxy, words: &str) {
    assert_eq!(ended.code, 2, "{}", ended.log);
    let message = format!("the proxy `{}` {words}", proxy.url().replace("http://", ""));
    assert!(ended.log.contains(&message) && ended.log.contains("[proxy-failed]"), "{}", ended.log);
}

#[test]
fn a_proxy_that_says_no_is_named() {
    let (_running, step) = far_away();
    for (answer, words) in [
        (Answer::Status("403 Forbidden"), "opens no connection to the host"),
        (Answer::Status("503 Service Unavailable"), "opens no connection to the host"),
        (Answer::HangUp, "broke off"),
    ] {
        let proxy = ConnectProxy::start(answer);
        let ended = step.process(&[FAR, ("HTTPS_PROXY", &proxy.url())]);
        refused(&ended, &proxy, words);
        assert_eq!(proxy.seen().len(), 1, "what it said is not asked again");
    }
}

#[test]
fn hosts_of_no_proxy_and_this_machine_are_reached_without_it() {
    let running = secure();
    let proxy = ConnectProxy::start(Answer::Status("403 Forbidden"));
    let step = step(&running).variable("CA_BUNDLE", running.ca_pem()).variable("HTTPS_PROXY", proxy.url());
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "loopback: {}", ended.log);

    let far = format!("https://{}", name());
    // It is looked up again and again.
    let step = step.variable("TIMEOUT", "10s");
    for (variable, list) in [("NO_PROXY", "example.com, invalid"), ("no_proxy", &name())] {
        let ended = step.process(&[("DATABRICKS_HOST", &far), ("ALLOWED_HOSTS", &name()), (variable, list)]);
        // Whoever is reached without the proxy is looked up here, and the name is none.
        assert!(ended.log.contains("invalid dns name"), "{list}: {}", ended.log);
    }
    assert!(proxy.seen().is_empty());
}
