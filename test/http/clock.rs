//! The clock of the host.

use super::script::*;
use databricks_deploy::http::{Repeat, Verdict};
use std::time::Duration;

const NOW: &str = "Sun, 22 Nov 2026 12:00:00 GMT";

#[tokio::test(start_paused = true)]
async fn the_hosts_clock_is_learnt_from_its_own_answers_only() {
    // A page before the host has proved itself, one after that, and a refusal: each from a clock of its own.
    let script = Script::new(|request| match request {
        0 => with(503, "date", "Tue, 01 Jan 2036 12:00:00 GMT"),
        1 => with(200, "date", NOW),
        2 => with(299, "date", "Mon, 01 Jan 1996 12:00:00 GMT"),
        3 => status(200),
        _ => with(403, "date", "Tue, 01 Jan 2036 12:00:00 GMT"),
    });
    let client = client(&script);
    let classify = |answer: &_| match classify(answer) {
        Verdict::Accept if answer.status == 299 => Verdict::Foreign,
        verdict => verdict,
    };
    assert_eq!(client.server_time(), None);
    client.send(&call(Repeat::Always), classify).await.unwrap();
    let time = httpdate::parse_http_date(NOW).unwrap();
    assert_eq!(client.server_time(), Some(time));
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = tokio::time::Instant::now();
    client.send(&call(Repeat::Always), classify).await.unwrap();
    client.send(&call(Repeat::Always), classify).await.unwrap_err();
    assert_eq!(script.count(), 5);
    assert_eq!(client.server_time(), Some(time + Duration::from_secs(10) + before.elapsed()));
}
