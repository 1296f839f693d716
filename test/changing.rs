//! Local files that change after they were looked at: what they hold by then was never checked, so it is not sent, and the
//! log says which file it was.

use crate::support::{InMemory, Log, Step, TARGET, make_pipe};
use databricks_deploy::exit::Exit;
use databricks_deploy::http::{Wire, WireError};
use databricks_deploy::outcome::Outcome;
use databricks_deploy::pipeline::Environment;
use databricks_deploy::secrets::Redactor;
use databricks_deploy::{Ports, run};
use databricks_sandbox::Sandbox;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

/// When somebody changes the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    /// Before anything is sent: when the folders are made.
    Before,
    /// When its request has begun.
    Meanwhile,
}

type Change = fn(&Path);

/// Changes a file once, on the way to the workspace.
struct Meddling {
    wire: InMemory,
    when: When,
    /// The requests of this file are at least so long.
    length: u64,
    change: Mutex<Option<(Change, PathBuf)>>,
}

impl Wire for Meddling {
    fn carry<'a>(
        &'a self,
        request: reqwest::Request,
    ) -> Pin<Box<dyn Future<Output = Result<reqwest::Response, WireError>> + Send + 'a>> {
        let length =
            request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let now = match self.when {
            When::Before => request.url().path().ends_with("/mkdirs"),
            When::Meanwhile => length.is_some_and(|length| length >= self.length),
        };
        if now && let Some((change, path)) = self.change.lock().unwrap().take() {
            change(&path);
        }
        self.wire.carry(request)
    }
}

async fn deploy(step: &Step, wire: Arc<dyn Wire>) -> (Outcome, String) {
    let log = Log::default();
    let mut variables = step.variables();
    variables.insert("DATABRICKS_HOST".into(), "https://sandbox.cloud.databricks.com".into());
    let ports = Ports {
        output: Box::new(log.clone()),
        redactor: Redactor::new(),
        wire: Some(wire),
        nonce: 7,
        clock: std::time::SystemTime::UNIX_EPOCH,
    };
    let outcome = run(Environment::new(variables, step.root()), ports, std::future::pending()).await;
    (outcome, log.text())
}

/// Longer than what is read at once, and than all others together.
const LARGE: usize = 300_000;

/// Longer than all others.
const SMALL: usize = 5_000;

fn append(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    std::io::Write::write_all(&mut &file, b"more").unwrap();
}

fn shorten(path: &Path) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
}

fn rewrite(path: &Path) {
    let length = std::fs::metadata(path).unwrap().len();
    std::fs::File::options().write(true).open(path).unwrap().write_all_at(b"else", length - 4).unwrap();
}

fn vanish(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

fn become_a_folder(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::fs::create_dir(path).unwrap();
}

fn become_a_pipe(path: &Path) {
    std::fs::remove_file(path).unwrap();
    make_pipe(path);
}

/// Others can be read by the user of a container, who is root.
fn become_unreadable(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(path, path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_not_sent_and_nothing_else_is_lost() {
    let changes: [(Change, When, &str); 10] = [
        (append, When::Before, "changed while it was deployed: it had {length} bytes, and now has {more}"),
        (shorten, When::Before, "changed while it was deployed: it had {length} bytes, and now has 1000"),
        (rewrite, When::Before, "changed while it was deployed: it no longer holds what was looked at"),
        (vanish, When::Before, "can no longer be read: No such file or directory"),
        (become_a_folder, When::Before, "can no longer be read: it is a folder, not a file"),
        // To open it as a file is opened would wait for somebody who writes to it.
        (become_a_pipe, When::Before, "can no longer be read: it is a named pipe, not a file"),
        (become_unreadable, When::Before, "can no longer be read: "),
        (append, When::Meanwhile, "changed while it was deployed: it had {length} bytes, and now has more"),
        (shorten, When::Meanwhile, "changed while it was deployed: it had {length} bytes, and now has 1000"),
        (rewrite, When::Meanwhile, "changed while it was deployed: it no longer holds what was looked at"),
    ];
    for length in [SMALL, LARGE] {
        for (change, when, words) in changes {
            let sandbox = Sandbox::new();
            let mut step = Step::deploying(&sandbox).file("notebooks/data/table.csv", vec![b'x'; length]);
            for number in 0..9 {
                step = step.notebook(&format!("notebooks/data/n{number}.py"));
            }
            let path = step.root().join("notebooks/data/table.csv");
            let wire = Meddling {
                wire: InMemory::new(sandbox.clone()),
                when,
                length: length as u64,
                change: Mutex::new(Some((change, path.clone()))),
            };
            let (outcome, log) = deploy(&step, Arc::new(wire)).await;
            let words = words.replace("{length}", &length.to_string()).replace("{more}", &(length + 4).to_string());
            let line = format!("✖ {TARGET}/data/table.csv: `{}` {words}", path.display());
            assert_eq!(outcome.exit, Exit::Deploy, "{when:?} {words}: {log}");
            assert!(log.contains(&line) && log.contains("it was not sent [unreadable]"), "{line}: {log}");
            assert!(
                log.contains("let nothing change the files while they are deployed, and run the step again"),
                "{log}"
            );
            let objects = sandbox.objects();
            let arrived = (0..9).filter(|number| objects.contains_key(&format!("{TARGET}/data/n{number}"))).count();
            assert_eq!((arrived, objects.contains_key(&format!("{TARGET}/data/table.csv"))), (9, false), "{words}");

            // What was sent is ours: it is neither an edit of somebody else's, nor in the way.
            let _ = std::fs::remove_dir(&path);
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, "new").unwrap();
            let again = step.inside(&sandbox).await;
            assert_eq!(again.exit, Exit::Done, "{words}: {}", again.log);
            assert!(!again.log.contains("WARNING"), "{words}: {}", again.log);
            assert_eq!(&sandbox.objects()[&format!("{TARGET}/data/table.csv")].bytes[..], b"new");
            assert!(!sandbox.objects().keys().any(|path| path.contains("/drift/")), "{words}");
        }
    }
}

/// Whoever replaces a file as a whole does not touch what is being sent.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_while_it_is_sent_goes_out_as_it_was() {
    let replace: Change = |path| {
        std::fs::write(path.with_extension("new"), "new").unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    };
    for change in [replace, vanish] {
        let sandbox = Sandbox::new();
        let step = Step::deploying(&sandbox).file("notebooks/data/table.csv", vec![b'x'; LARGE]);
        let path = step.root().join("notebooks/data/table.csv");
        let wire = Meddling {
            wire: InMemory::new(sandbox.clone()),
            when: When::Meanwhile,
            length: LARGE as u64,
            change: Mutex::new(Some((change, path))),
        };
        let (outcome, log) = deploy(&step, Arc::new(wire)).await;
        assert_eq!(outcome.exit, Exit::Done, "{log}");
        assert!(
            sandbox.objects()[&format!("{TARGET}/data/table.csv")].bytes == vec![b'x'; LARGE],
            "as it was looked at"
        );
    }
}
