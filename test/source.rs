//! The local tree: what is deployed, as what, what is left out and why, and everything that is found to be wrong with
//! it before anything is changed.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // helpers of tests are not seen as tests

mod digests;
mod rules;

use databricks_deploy::problem::Problem;
use databricks_deploy::secrets::Secret;
use databricks_deploy::settings::{Files, SecretScan};
use databricks_deploy::source::{Kind, Language, LocalTree, read};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// A clone with files in it, and the settings to read it by.
struct Clone {
    folder: TempDir,
    files: Files,
}

impl Clone {
    fn new(files: &[(&str, &str)]) -> Clone {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        let settings = Files {
            local: root.clone(),
            shown: ".".into(),
            clone_root: root,
            include: Vec::new(),
            exclude: Vec::new(),
            secret_scan: SecretScan::Warn,
        };
        let clone = Clone { folder, files: settings };
        for (path, content) in files {
            clone.write(path, content);
        }
        clone
    }

    fn path(&self, relative: &str) -> std::path::PathBuf {
        self.folder.path().join(relative)
    }

    fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn local(mut self, relative: &str) -> Clone {
        self.files.local = self.path(relative);
        self.files.shown = relative.into();
        self
    }

    fn include(mut self, patterns: &[&str]) -> Clone {
        self.files.include = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        self
    }

    fn exclude(mut self, patterns: &[&str]) -> Clone {
        self.files.exclude = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        self
    }

    fn scan(mut self, policy: SecretScan) -> Clone {
        self.files.secret_scan = policy;
        self
    }

    fn read(&self) -> Result<LocalTree, Vec<Problem>> {
        read(&self.files, &self.path("out"), &[Secret::new("correct-horse"), Secret::new("short")])
            .map_err(|unusable| unusable.problems)
    }

    fn tree(&self) -> LocalTree {
        self.read().unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    fn deployed(&self) -> Vec<String> {
        self.tree().files.into_iter().map(|file| file.relative).collect()
    }

    fn ignored(&self) -> Vec<String> {
        self.tree().ignored.into_iter().map(|(path, reason)| format!("{path}: {reason}")).collect()
    }

    fn problems(&self) -> Vec<String> {
        shown(&self.read().expect_err("the tree is fine"))
    }

    fn warnings(&self) -> Vec<String> {
        shown(&self.tree().warnings)
    }
}

fn shown(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| format!("{problem}; {}", problem.hint.as_deref().unwrap_or("-"))).collect()
}

const PYTHON: &str = "# Databricks notebook source\nprint(1)\n";
const JUPYTER: &str = r#"{"nbformat":4,"nbformat_minor":5,"metadata":{"language_info":{"name":"R"}},"cells":[]}"#;

#[test]
fn notebooks_lose_their_extension_and_files_keep_it() {
    let clone = Clone::new(&[
        ("etl/load.py", PYTHON),
        ("etl/lib.py", "import os\n"),
        ("etl/query.sql", "-- Databricks notebook source\r\nselect 1"),
        ("etl/model.R", "# Databricks notebook source"),
        ("etl/job.scala", "// Databricks notebook source\n"),
        ("etl/plot.ipynb", JUPYTER),
        ("etl/v1.2.py", PYTHON),
        ("flow.designer.ipynb", "{}"),
        ("sales.lvdash.json", "{}"),
        (".hidden.py", PYTHON),
        ("data/empty.csv", ""),
    ]);
    let tree = clone.tree();
    let found: Vec<_> = tree.files.iter().map(|f| (f.relative.as_str(), f.remote.as_str(), f.kind)).collect();
    assert_eq!(
        found,
        [
            (".hidden.py", ".hidden", Kind::SourceNotebook(Language::Python)),
            ("data/empty.csv", "data/empty.csv", Kind::File),
            ("etl/job.scala", "etl/job", Kind::SourceNotebook(Language::Scala)),
            ("etl/lib.py", "etl/lib.py", Kind::File),
            ("etl/load.py", "etl/load", Kind::SourceNotebook(Language::Python)),
            ("etl/model.R", "etl/model", Kind::SourceNotebook(Language::R)),
            ("etl/plot.ipynb", "etl/plot", Kind::JupyterNotebook(Language::R)),
            ("etl/query.sql", "etl/query", Kind::SourceNotebook(Language::Sql)),
            ("etl/v1.2.py", "etl/v1.2", Kind::SourceNotebook(Language::Python)),
            ("flow.designer.ipynb", "flow.designer.ipynb", Kind::File),
            ("sales.lvdash.json", "sales.lvdash.json", Kind::Dashboard),
        ]
    );
    assert_eq!(tree.files[4].size, PYTHON.len() as u64);
    assert_eq!(fs::read(&tree.files[4].path).unwrap(), PYTHON.as_bytes());
    assert_eq!((tree.ignored, tree.warnings), (vec![], vec![]));
}

#[test]
fn a_header_that_is_not_exact_is_pointed_out() {
    let clone =
        Clone::new(&[("a.py", "\u{feff}# Databricks notebook source\n"), ("b.py", "# Databricks notebook source \n")]);
    assert_eq!(clone.tree().files.iter().map(|file| file.kind).collect::<Vec<_>>(), [Kind::File, Kind::File]);
    let warnings = clone.warnings();
    assert_eq!(warnings.len(), 2);
    assert_eq!(
        warnings[0],
        "a.py: the file stays a file, because its first line is not exactly `# Databricks notebook source` \
         [invalid-notebook]; make it so, in UTF-8 without byte order mark and without blanks at the end, if it is meant \
         to be a notebook"
    );
}

#[test]
fn links_that_lead_nowhere_or_out_are_problems_unless_they_are_ignored() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("passwd"), "x").unwrap();
    let clone = Clone::new(&[("a.py", PYTHON), ("d/x", "x"), (".gitignore", "*.lnk\n")]);
    symlink(outside.path(), clone.path("d/out")).unwrap();
    symlink("/etc/passwd", clone.path("passwd")).unwrap();
    symlink("nowhere", clone.path("broken")).unwrap();
    symlink("self", clone.path("self")).unwrap();
    symlink("/etc/passwd", clone.path("passwd.lnk")).unwrap();
    symlink("nowhere", clone.path("broken.lnk")).unwrap();
    assert_eq!(
        clone.problems(),
        [
            "broken: the link points to `nowhere`, where nothing is [unreadable]; remove the link, or add it to \
             `.databricksignore`"
                .to_owned(),
            format!(
                "d/out: the link points to `{}`, outside of the repository [leaves-tree]; replace the link by what it \
                 points to, or add it to `.databricksignore`",
                outside.path().display()
            ),
            "passwd: the link points to `/etc/passwd`, outside of the repository [leaves-tree]; replace the link by what it \
             points to, or add it to `.databricksignore`"
                .to_owned(),
            "self: the link points to `self`, where nothing is [unreadable]; remove the link, or add it to \
             `.databricksignore`"
                .to_owned(),
        ]
    );
}

#[test]
fn every_problem_is_told_at_once_and_in_order() {
    let clone = Clone::new(&[
        ("a.py", PYTHON),
        ("a.sql", "-- Databricks notebook source\n"),
        ("b.ipynb", JUPYTER),
        ("b/x.txt", "x"),
        ("c", "x"),
        ("c.py", PYTHON),
        ("bad.ipynb", "{\"cells\": ["),
        ("old.ipynb", r#"{"nbformat":3,"metadata":{},"worksheets":[]}"#),
        (".ipynb", JUPYTER),
        ("...py", PYTHON),
        (".databricks-deploy.py", PYTHON),
        ("tab\there/1.txt", "x"),
        ("tab\there/2.txt", "x"),
        ("data.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"),
        ("plot.ipynb", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"),
        ("conf.txt", "x\ntoken = correct-horse\n"),
    ]);
    fs::write(
        clone.folder.path().join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9.txt")),
        "x",
    )
    .unwrap();
    large(&clone.path("large.py"), PYTHON, 10_485_761);
    large(&clone.path("large.ipynb"), "{", 10_485_761);
    large(&clone.path("model.bin"), "", 524_288_001);
    // Just allowed.
    large(&clone.path("fits.py"), PYTHON, 10_485_760);
    large(&clone.path("not_a_notebook.py"), "", 10_485_761);
    let lfs = "the file is a Git LFS pointer, not its content [lfs-pointer]; add `lfs: true` under `clone:` in \
               bitbucket-pipelines.yml";
    let rename = "rename one of them: the workspace names a notebook without its extension";
    let too_large = "clear its outputs, split it, or leave it out by `EXCLUDE`";
    let jupyter = "open it in Jupyter and save it again, or leave it out by `EXCLUDE`";
    assert_eq!(
        clone.problems(),
        [
            "...py: without its extension, as the workspace names notebooks, no name is left [invalid-name]; rename it"
                .to_owned(),
            ".databricks-deploy.py: the target keeps its state under the name `.databricks-deploy` [invalid-name]; rename it"
                .to_owned(),
            ".ipynb: without its extension, as the workspace names notebooks, no name is left [invalid-name]; rename it"
                .to_owned(),
            format!("a.py: the workspace name `a` is claimed by `a.py` and `a.sql` [name-collision]; {rename}"),
            format!(
                "b.ipynb: the workspace name `b` is claimed by `b.ipynb` and the folder of `b/x.txt` [name-collision]; \
                 {rename}"
            ),
            format!(
                "bad.ipynb: the file is not a Jupyter notebook: the JSON ends too early (line 1, column 11) \
                 [invalid-notebook]; {jupyter}"
            ),
            format!("c: the workspace name `c` is claimed by `c` and `c.py` [name-collision]; {rename}"),
            "caf\u{fffd}.txt: the name is not UTF-8, so the workspace cannot have it [invalid-name]; rename it".to_owned(),
            "conf.txt: the file holds a secret of this step (line 2) [secret-in-file]; remove it, revoke it because it is \
             in Git's history too, and read it by `dbutils.secrets.get`"
                .to_owned(),
            format!("data.bin: {lfs}"),
            format!(
                "large.ipynb: the notebook has 10485761 bytes, and one can have 10485760 [notebook-too-large]; {too_large}"
            ),
            format!(
                "large.py: the notebook has 10485761 bytes, and one can have 10485760 [notebook-too-large]; {too_large}"
            ),
            "model.bin: the file has 524288001 bytes, and a workspace file can have 524288000 [file-too-large]; leave it \
             out by `EXCLUDE`, and keep it in a volume"
                .to_owned(),
            format!(
                "old.ipynb: the file is not a Jupyter notebook: it is in Jupyter's format 3, and Databricks takes 4 or \
                 newer [invalid-notebook]; {jupyter}"
            ),
            format!("plot.ipynb: {lfs}"),
            "tab\\there: the name contains a control character [invalid-name]; rename it".to_owned(),
        ]
    );
}

/// A file of this many bytes that takes no room: its rest is zeros.
fn large(path: &Path, start: &str, size: u64) {
    fs::write(path, start).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(size).unwrap();
}

#[test]
fn the_workspace_tells_upper_case_from_lower() {
    assert_eq!(Clone::new(&[("A.py", PYTHON), ("a.py", PYTHON), ("A.txt", "x")]).deployed(), ["A.py", "A.txt", "a.py"]);
}

#[test]
fn tokens_in_files_are_said_or_refused() {
    let token = format!("dapi{}", "0123456789abcdef".repeat(2));
    let text = format!("x\nt = '{token}'\nu = '{token}'\n");
    let notebook = JUPYTER.replace("[]", &format!(r#"[{{"source":["t = '{token}'"]}}]"#));
    let clone = || Clone::new(&[("a.txt", text.as_str()), ("b.ipynb", notebook.as_str())]);
    let said = [
        "a.txt: the file holds what looks like a secret: Databricks access token (lines 2, 3) [secret-in-file]; if it is \
         one, revoke it and read it by `dbutils.secrets.get`; if not, `EXCLUDE` the file",
        "b.ipynb: the file holds what looks like a secret: Databricks access token (line 1) [secret-in-file]; if it is \
         one, revoke it and read it by `dbutils.secrets.get`; if not, `EXCLUDE` the file",
    ];
    assert_eq!(clone().warnings(), said);
    assert_eq!(clone().scan(SecretScan::Fail).problems(), said);
    assert_eq!(clone().scan(SecretScan::Off).warnings(), Vec::<String>::new());
}

#[test]
fn a_live_secret_is_refused_whatever_the_scan_does() {
    for policy in [SecretScan::Off, SecretScan::Warn, SecretScan::Fail] {
        // base64 of "user:correct-horse", and a binary file.
        let clone =
            Clone::new(&[("a.txt", "short dXNlcjpjb3JyZWN0LWhvcnNl"), ("b.bin", "\0\0correct-horse")]).scan(policy);
        let problems = clone.problems();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.contains("holds a secret of this step (line 1)")));
        assert!(!problems.concat().contains("horse"));
    }
}

#[test]
fn a_tree_of_nothing_says_why() {
    let hint = "`INCLUDE` adds ignored files back; `DEBUG: true` says why each was left out";
    let all =
        Clone::new(&[("d/.gitignore", "*.py\n*.txt\n"), ("d/a.py", "x"), ("d/b.py", "x"), ("d/c.txt", "x")]).local("d");
    assert_eq!(
        all.problems(),
        [format!(
            "LOCAL_PATH: `d` has no file to deploy: all 4 entries are left out, 2 of them by one rule \
             (`d/.gitignore:1`: `*.py`) [empty-tree]; {hint}"
        )]
    );
    let one = Clone::new(&[(".gitignore", "*.py\n"), ("d/a.py", "x")]).local("d");
    assert_eq!(
        one.problems(),
        [format!(
            "LOCAL_PATH: `d` has no file to deploy: the one entry is left out (`.gitignore:1`: `*.py`) [empty-tree]; {hint}"
        )]
    );
    let empty = Clone::new(&[]);
    fs::create_dir_all(empty.path("d/e/f")).unwrap();
    assert_eq!(
        empty.local("d").problems(),
        [
            "LOCAL_PATH: `d` has no files [empty-tree]; if an earlier step builds them, declare them there under `artifacts:`"
        ]
    );
    assert_eq!(
        Clone::new(&[]).local("gone").problems(),
        ["LOCAL_PATH: `gone` is not there [no-such-folder]; it is relative to the root of the repository"]
    );
    assert_eq!(
        Clone::new(&[("file", "x")]).local("file").problems(),
        ["LOCAL_PATH: `file` is not a folder [no-such-folder]; it is relative to the root of the repository"]
    );
}

#[test]
fn patterns_that_are_none_are_told_together() {
    let clone = Clone::new(&[("a.py", PYTHON)]).include(&["a["]).exclude(&["b{"]);
    let problems = clone.problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("INCLUDE: the pattern `a[` is not a glob: "));
    assert!(problems[1].starts_with("EXCLUDE: the pattern `b{` is not a glob: "));
}
