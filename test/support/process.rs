//! The real binary while it runs: read line by line, told to stop.

use super::{Ended, Step, binary};
use databricks_sandbox::Running;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A pipe that is running.
pub(crate) struct Pipe {
    child: Child,
    log: BufReader<ChildStdout>,
    seen: String,
}

impl Step {
    /// Starts the real binary against a sandbox that is served.
    pub(crate) fn start(&self, running: &Running) -> Pipe {
        let mut child = Command::new(binary())
            .env_clear()
            .envs(&self.variables)
            .env("DATABRICKS_HOST", running.url())
            .current_dir(self.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Pipe { child, log, seen: String::new() }
    }
}

impl Pipe {
    /// Reads the log up to a line that contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let length = self.log.read_line(&mut line).expect("the log is UTF-8");
            self.seen.push_str(&line);
            assert!(length > 0, "the log ended without `{text}`: {}", self.seen);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-s", name, &pid]).status().expect("there is a kill");
        assert!(killed.success());
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_some()
    }

    /// Ends it at once, whatever it is about (SIGKILL); what it would still have said is lost.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is ours to kill");
        self.child.wait().expect("it ends");
    }

    /// Reads the rest of the log, and waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        self.log.read_to_string(&mut self.seen).expect("the log is UTF-8");
        let status = self.child.wait().expect("it ends");
        Ended { code: status.code().expect("it exits by itself"), log: self.seen }
    }
}
