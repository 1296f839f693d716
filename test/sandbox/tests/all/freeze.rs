//! Requests that are held, without effect and without answer.

use crate::client::Client;
use databricks_sandbox::{Running, Sandbox};
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const ME: &str = "/api/2.0/preview/scim/v2/Me";
const MKDIRS: &str = "/api/2.0/workspace/mkdirs";

fn is_there(sandbox: &Sandbox, path: &str) -> bool {
    sandbox.objects().contains_key(&format!("/Workspace{path}"))
}

/// Sends a request that nobody will answer.
fn begin(client: &Client, path: &str) -> tokio::task::JoinHandle<()> {
    let (client, path) = (client.clone(), path.to_owned());
    tokio::spawn(async move {
        client.mkdirs(&path).await;
    })
}

#[tokio::test(start_paused = true)]
async fn what_comes_later_is_held_and_may_still_have_its_effect() {
    let client = Client::new();
    client.sandbox.freeze_after(2);
    assert_eq!((client.get(ME).await.status, client.mkdirs("/Shared/passes").await.status), (200, 200));
    assert!(client.sandbox.frozen().is_empty());
    for path in ["/Shared/a", "/Shared/b", "/Shared/c"] {
        begin(&client, path);
        tokio::task::yield_now().await;
    }
    let asking = tokio::time::timeout(Duration::from_secs(3600), client.get(ME)).await;
    assert!(asking.is_err(), "no answer ever comes");
    let held = format!("POST {MKDIRS}");
    assert_eq!(client.sandbox.frozen(), [&*held, &held, &held, &format!("GET {ME}")]);
    assert!(client.sandbox.wait_until_frozen(|| false));
    let there = |sandbox: &Sandbox| ["a", "b", "c"].map(|name| is_there(sandbox, &format!("/Shared/{name}")));
    assert_eq!(there(&client.sandbox), [false; 3]);

    // In another workspace like this one, two of them arrive late, the later one first; and in another one all do.
    let (some, all) = (client.sandbox.fork(), client.sandbox.fork());
    some.apply_frozen(&[2, 0]);
    assert_eq!((there(&some), some.frozen().len()), ([true, false, true], 2));
    let ids = |sandbox: &Sandbox, path: &str| sandbox.objects()[&format!("/Workspace/Shared/{path}")].object_id;
    assert!(ids(&some, "c") < ids(&some, "a"));
    all.apply_frozen(&[0, 1, 2, 3]);
    assert_eq!((there(&all), all.frozen().len()), ([true; 3], 0));
    assert!(all.requests().iter().skip(2).all(|request| request.status.is_none()), "nobody was answered");

    // Here they never arrived, and things go on.
    client.sandbox.thaw();
    assert_eq!((there(&client.sandbox), client.sandbox.frozen().len()), ([false; 3], 0));
    assert_eq!(client.mkdirs("/Shared/a").await.status, 200);
}

#[test]
fn a_request_counts_when_it_has_arrived_and_is_held_when_it_is_whole() {
    let running = Running::start(Sandbox::new()).unwrap();
    let sandbox = running.sandbox();
    sandbox.freeze_after(1);
    let body = json!({ "path": "/Shared/late" }).to_string();
    let head = format!(
        "POST {MKDIRS} HTTP/1.1\r\nHost: example.test\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        sandbox.token(),
        body.len(),
    );
    let connect = || TcpStream::connect(running.address()).unwrap();
    let (mut first, mut second, mut broken) = (connect(), connect(), connect());
    let arrived = |count: usize| while sandbox.requests().len() < count {};
    // The first passes, but its body is still on its way.
    first.write_all(head.as_bytes()).unwrap();
    arrived(1);
    second.write_all(format!("{head}{body}").as_bytes()).unwrap();
    broken.write_all(head.as_bytes()).unwrap();
    arrived(3);
    let mut looks = 0;
    let frozen = sandbox.wait_until_frozen(|| {
        looks += 1;
        looks > 3
    });
    assert!(!frozen, "the request before has not been answered");
    first.write_all(body.as_bytes()).unwrap();
    assert!(sandbox.wait_until_frozen(|| false));

    // Whoever hangs up has sent what arrived; what broke off never arrived.
    drop((first, second, broken));
    sandbox.wait_until_disconnected();
    assert_eq!(sandbox.frozen(), [format!("POST {MKDIRS}")]);
    assert_eq!(sandbox.connections(), 3);
    sandbox.remove("/Shared/late");
    sandbox.apply_frozen(&[0]);
    assert!(is_there(sandbox, "/Shared/late"));
}
