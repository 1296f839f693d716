//! The pipe as a process: what it deploys, how long it takes, how much memory it had.

use crate::sandbox::Ready;
use anyhow::{Context, ensure};
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

static BINARY: OnceLock<PathBuf> = OnceLock::new();

/// The binary that is measured.
pub(crate) fn binary() -> &'static Path {
    BINARY.get().map_or(Path::new("not built"), PathBuf::as_path)
}

/// Builds it with the command of the image (see Dockerfile), where no other one is given.
pub(crate) fn build() -> anyhow::Result<()> {
    let binary = match std::env::var_os("PIPE_BINARY") {
        Some(given) => given.into(),
        None => built()?,
    };
    BINARY.get_or_init(|| binary);
    Ok(())
}

fn built() -> anyhow::Result<PathBuf> {
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output().context("rustc does not start")?;
    let build = Command::new("cargo")
        .args(["build", "--locked", "--release", "--bin", "databricks-deploy", "--message-format", "json", "--target"])
        .arg(String::from_utf8(host.stdout)?.trim())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("cargo does not start")?;
    ensure!(build.status.success(), "the binary cannot be built");
    // One message a line; of all that is built, one is a program.
    let messages = String::from_utf8(build.stdout)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next().context("cargo does not say where the binary is")
}

/// A clone to deploy from.
pub(crate) struct Tree {
    folder: TempDir,
    pub(crate) files: usize,
}

/// A source notebook of 2 KB.
pub(crate) fn notebook(number: usize) -> String {
    let mut text = format!("# Databricks notebook source\n# number {number}\n");
    while text.len() < 2048 {
        text.push_str("print('a line of a notebook')\n");
    }
    text.truncate(2048);
    text
}

impl Tree {
    /// Notebooks of 2 KB, spread over folders.
    pub(crate) fn notebooks(files: usize, folders: usize) -> anyhow::Result<Tree> {
        Tree::with(files, folders, |number| (format!("n{number}.py"), notebook(number)))
    }

    /// Small files in folders of a hundred, and a large one.
    pub(crate) fn large(files: usize, large: u64) -> anyhow::Result<Tree> {
        let mut tree = Tree::with(files, files / 100, |number| (format!("f{number}.txt"), format!("file {number}\n")))?;
        std::fs::File::create(tree.folder.path().join("tree/large.bin"))?.set_len(large)?;
        tree.files += 1;
        Ok(tree)
    }

    /// Changes the first few notebooks of such a tree.
    pub(crate) fn change(&self, notebooks: usize, folders: usize) -> anyhow::Result<()> {
        for number in 0..notebooks {
            let path = self.folder.path().join(format!("tree/d{}/n{number}.py", number % folders));
            std::fs::write(path, format!("{}print('changed')\n", notebook(number)))?;
        }
        Ok(())
    }

    fn with(files: usize, folders: usize, file: impl Fn(usize) -> (String, String)) -> anyhow::Result<Tree> {
        let folder = tempfile::tempdir()?;
        for number in 0..files {
            let parent = folder.path().join(format!("tree/d{}", number % folders));
            std::fs::create_dir_all(&parent)?;
            let (name, content) = file(number);
            std::fs::write(parent.join(name), content)?;
        }
        Ok(Tree { folder, files })
    }
}

/// How the process ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    /// From just before it was made until it had ended.
    pub(crate) wall: Duration,
    /// Its VmHWM, in bytes.
    pub(crate) memory: u64,
}

/// Deploys the tree.
pub(crate) fn run(tree: &Tree, ready: &Ready) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let mut child = Command::new(binary())
        .env_clear()
        .env("DATABRICKS_HOST", &ready.url)
        .env("DATABRICKS_TOKEN", &ready.token)
        .env("CA_BUNDLE", &ready.ca_pem)
        .env("TARGET", "figures")
        .env("WORKSPACE_PATH", "/Workspace/Shared/figures")
        .env("LOCAL_PATH", "tree")
        .current_dir(tree.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` does not start", binary().display()))?;
    let mut memory = 0;
    let status = loop {
        memory = peak_memory(&child).unwrap_or(0).max(memory);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // The peak only grows, so that what is missed is the growth of the last moments.
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = began.elapsed();
    let mut log = String::new();
    child.stdout.take().context("it has an output")?.read_to_string(&mut log)?;
    Ok(Ended { code: status.code(), log, wall, memory })
}

fn peak_memory(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// How long it takes from the start of the process to the first byte of its first request.
pub(crate) fn first_byte() -> anyhow::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    let mut child = Command::new(binary())
        .env_clear()
        .env("DATABRICKS_HOST", format!("http://{}", listener.local_addr()?))
        .env("DATABRICKS_TOKEN", "dapi00112233445566778899aabbccddeeff")
        .env("ACTION", "run")
        .env("RUN", "nightly")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let (mut connection, _) = listener.accept()?;
    connection.read_exact(&mut [0])?;
    let time = began.elapsed();
    child.kill()?;
    child.wait()?;
    Ok(time)
}
