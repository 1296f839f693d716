//! Golden files: what a reader of the log gets to see, kept beside the tests and looked at in every review.

use std::path::Path;

/// Compares `log` with `test/golden/<name>.txt`, what differs from run to run left out. `UPDATE_GOLDEN=1` writes it.
#[track_caller]
pub(crate) fn assert_golden(name: &str, log: &str) {
    assert_golden_text(name, &settled(log));
}

/// The same for a text that is the same in every run.
#[track_caller]
pub(crate) fn assert_golden_text(name: &str, log: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/golden").join(format!("{name}.txt"));
    #[allow(clippy::disallowed_methods)] // a switch for who maintains the tests
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update {
        std::fs::create_dir_all(path.parent().expect("a golden file has a folder")).expect("the folder is made");
        std::fs::write(&path, log).expect("the golden file is written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == log,
        "{} differs (UPDATE_GOLDEN=1 writes it anew)\n--- golden\n{golden}--- now\n{log}",
        path.display()
    );
}

/// The log without ports, durations, seconds of the clock and the version.
fn settled(log: &str) -> String {
    let mut log =
        log.replace(&format!("databricks-deploy {}", env!("CARGO_PKG_VERSION")), "databricks-deploy <version>");
    for (pattern, stands_for) in [
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:<port>"),
        // They count requests, and which of several at once comes first is chance.
        (r"request id [0-9a-f-]{36}", "request id <id>"),
        // They depend on the jitter between them.
        (r"\([0-9]+ attempts\)", "(<n> attempts)"),
        // The fake workspace's clock goes on while a process starts.
        (r"(2026-03-02[ T][0-9]{2}:[0-9]{2}):[0-9]{2}", "${1}:<s>"),
        // Other days are today.
        (r"20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC", "<date> UTC"),
        (r"(?-u:\b)[0-9]+(h|m|s|ms)( [0-9]+(h|m|s|ms))*(?-u:\b)", "<time>"),
    ] {
        let pattern = regex::Regex::new(pattern).expect("the pattern is right");
        log = pattern.replace_all(&log, stands_for).into_owned();
    }
    log
}
