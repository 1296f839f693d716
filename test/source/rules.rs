//! Which files are deployed: the rules, their order, and the reasons that are told.

use super::{Clone, PYTHON};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

/// Git's own answers (gitignore(5), and `git check-ignore -v` on the same trees).
#[test]
fn ignore_rules_are_those_of_git() {
    // Rules, files that are ignored, files that are not.
    type Row = (&'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);
    let table: &[Row] = &[
        (&[(".gitignore", "*.log\n!keep.log\n")], &["a.log", "d/b.log"], &["keep.log", "d/keep.log", "a.logs"]),
        (&[(".gitignore", "/top.txt\n")], &["top.txt"], &["d/top.txt"]),
        (&[(".gitignore", "d/x.txt\n")], &["d/x.txt"], &["e/d/x.txt", "x.txt"]),
        (&[(".gitignore", "build/\n")], &["build/x", "d/build/y/z"], &["d/building/x", "e/build"]),
        // What is in an ignored folder cannot be added back.
        (&[(".gitignore", "build/\n!build/keep\n")], &["build/keep", "build/x"], &["x"]),
        (&[(".gitignore", "build/*\n!build/keep\n")], &["build/x"], &["build/keep"]),
        (&[(".gitignore", "**/gen/*.py\n")], &["gen/a.py", "d/e/gen/a.py"], &["gen/f/a.py", "gen/a.txt"]),
        (&[(".gitignore", "a/**/z\n")], &["a/z", "a/b/z", "a/b/c/z"], &["z", "b/a/z"]),
        (&[(".gitignore", "d/**\n")], &["d/x", "d/e/x"], &["x"]),
        (&[(".gitignore", "# comment\n\\#file\n\\!bang\n")], &["#file", "!bang"], &["file", "# comment"]),
        (&[(".gitignore", "trail  \nkept\\ \n")], &["trail", "kept "], &["kept"]),
        (&[(".gitignore", "[ab]?.t*t\n")], &["a1.txt", "b2.tt"], &["c1.txt", "a.txt", "A1.txt"]),
        (&[(".gitignore", "[!ab].x\n")], &["c.x"], &["a.x", "b.x"]),
        (&[(".gitignore", "crlf.txt\r\nother\r\n")], &["crlf.txt", "other"], &["x"]),
        // The deeper file decides.
        (&[(".gitignore", "*.txt\n"), ("d/.gitignore", "!*.txt\n")], &["a.txt", "e/a.txt"], &["d/a.txt", "d/e/a.txt"]),
        (&[(".gitignore", "!a.txt\n"), ("d/.gitignore", "a.txt\n")], &["d/a.txt", "d/e/a.txt"], &["a.txt", "e/a.txt"]),
        (&[("d/.gitignore", "/x\n")], &["d/x"], &["x", "d/e/x"]),
        // The clone's own list comes last.
        (&[(".git/info/exclude", "*.tmp\n*.bak\n"), (".gitignore", "!a.bak\n")], &["a.tmp", "d/b.bak"], &["a.bak"]),
        // Not files of Git's.
        (&[(".ignore", "*.txt\n"), (".rgignore", "*\n")], &[], &["a.txt"]),
    ];
    for (rules, ignored, kept) in table {
        let clone = Clone::new(rules);
        for path in ignored.iter().chain(*kept) {
            clone.write(path, "x");
        }
        clone.write("always", "x");
        let deployed = clone.deployed();
        for path in *ignored {
            assert!(!deployed.iter().any(|p| p == path), "{rules:?} should ignore {path}");
        }
        for path in *kept {
            assert!(deployed.iter().any(|p| p == path), "{rules:?} should keep {path}");
        }
    }
}

#[test]
fn reasons_name_file_line_and_rule() {
    let clone = Clone::new(&[
        (".gitignore", "# logs\n*.log\n"),
        ("notebooks/.gitignore", "cache/\n"),
        ("notebooks/.databricksignore", "drafts\n"),
        (".git/info/exclude", "*.swp\n"),
        ("notebooks/a.log", ""),
        ("notebooks/cache/x/y", ""),
        ("notebooks/drafts/z", ""),
        ("notebooks/b.swp", ""),
        ("notebooks/tests/t.py", ""),
        ("notebooks/a.py", PYTHON),
    ])
    .local("notebooks")
    .exclude(&["tests/"]);
    assert_eq!(
        clone.ignored(),
        [
            ".databricksignore: never deployed: it only says what to leave out",
            ".gitignore: never deployed: only Git reads it, and nothing in the workspace does",
            "a.log: `.gitignore:2`: `*.log`",
            "b.swp: `.git/info/exclude:1`: `*.swp`",
            "cache/: `notebooks/.gitignore:1`: `cache/`",
            "drafts/: `notebooks/.databricksignore:1`: `drafts`",
            "tests/: `EXCLUDE`: `tests/`",
        ]
    );
    assert_eq!(clone.deployed(), ["a.py"]);
}

#[test]
fn one_rule_yields_to_the_next() {
    let files: &[(&str, &str)] = &[
        (".gitignore", "*.whl\ngen/\n"),
        ("a.whl", "x"),
        ("b.whl", "x"),
        ("gen/x.py", "x"),
        ("gen/y/z.py", "x"),
        ("k", "x"),
    ];
    let with = |ignore: &str| {
        let clone = Clone::new(files);
        clone.write(".databricksignore", ignore);
        clone
    };
    assert_eq!(with("").deployed(), ["k"]);
    // `.databricksignore` is asked first, and adds back.
    assert_eq!(with("!a.whl\n").deployed(), ["a.whl", "k"]);
    assert_eq!(with("!gen/\n").deployed(), ["gen/x.py", "gen/y/z.py", "k"]);
    assert_eq!(with("k\n!a.whl\n").deployed(), ["a.whl"]);
    // `INCLUDE` adds back what either ignores, in ignored folders too.
    assert_eq!(with("k\n").include(&["k", "*.whl"]).deployed(), ["a.whl", "b.whl", "k"]);
    assert_eq!(with("").include(&["gen/y/*.py"]).deployed(), ["gen/y/z.py", "k"]);
    assert_eq!(with("").include(&["gen"]).deployed(), ["gen/x.py", "gen/y/z.py", "k"]);
    assert_eq!(with("").include(&["**/z.py"]).deployed(), ["gen/y/z.py", "k"]);
    // `EXCLUDE` has the last word.
    assert_eq!(with("").include(&["*.whl"]).exclude(&["a.*"]).deployed(), ["b.whl", "k"]);
    assert_eq!(with("").include(&["gen"]).exclude(&["gen/y"]).deployed(), ["gen/x.py", "k"]);
    let clone = with("").include(&["gen/y/*.py", "dist/*.whl"]);
    assert_eq!(
        clone.warnings(),
        ["INCLUDE: the pattern `dist/*.whl` matches no file [not-found]; patterns are relative to `LOCAL_PATH`; one \
             without `/` matches in every folder"]
    );
    assert!(clone.ignored().contains(&"gen/: `.gitignore:2`: `gen/`".to_owned()));
}

#[test]
fn some_files_are_never_deployed() {
    let clone = Clone::new(&[
        (".git/config", "x"),
        ("d/.git", "gitdir: x"),
        (".env", "x"),
        (".env.example", "x"),
        ("d/server.pem", "x"),
        (".databricks-deploy/state.json", "x"),
        ("d/.databricks/x", "x"),
        (".bitbucket/pipelines/generated/x", "x"),
        ("out/report.xml", "x"),
        ("d/out/kept", "x"),
    ])
    .include(&["**", ".env"]);
    assert_eq!(clone.deployed(), [".env.example", "d/out/kept"]);
    assert_eq!(
        clone.ignored(),
        [
            ".bitbucket/pipelines/generated/: never deployed: Bitbucket Pipelines generates it",
            ".databricks-deploy/: never deployed: the target keeps its state under this name",
            ".env: never deployed: environment files hold credentials",
            ".git/: never deployed: only Git reads it, and nothing in the workspace does",
            "d/.databricks/: never deployed: local state of the Databricks CLI",
            "d/.git: never deployed: only Git reads it, and nothing in the workspace does",
            "d/server.pem: never deployed: a key file",
            "out/: never deployed: `OUTPUT_DIR`",
        ]
    );
    assert_eq!(
        clone.warnings(),
        [
            "INCLUDE: `.env` is not added back, because it is never deployed: environment files hold credentials [invalid-value]; -"
        ]
    );
}

#[test]
fn a_folder_that_is_named_is_deployed_though_git_ignores_it() {
    let clone =
        Clone::new(&[(".gitignore", "dist/\n*.log\n"), ("dist/a.py", PYTHON), ("dist/x.log", "x")]).local("dist");
    assert_eq!(clone.deployed(), ["a.py"]);
}

#[test]
fn rules_above_the_clone_do_not_count() {
    let clone = Clone::new(&[(".gitignore", "*.py\n"), ("inner/a.py", PYTHON)]);
    let mut inner = clone.local("inner");
    inner.files.clone_root = inner.path("inner");
    assert_eq!(inner.deployed(), ["a.py"]);
    assert_eq!(inner.tree().files[0].remote, "a");
}

#[test]
fn links_are_followed_within_the_clone() {
    let clone = Clone::new(&[
        ("notebooks/a.py", PYTHON),
        ("shared/lib/b.py", "x"),
        ("shared/lib/.gitignore", "*.tmp\n"),
        ("shared/lib/c.tmp", "x"),
        (".git/config", "x"),
        (".env", "x"),
        ("out/report", "x"),
    ])
    .local("notebooks");
    symlink("../shared/lib", clone.path("notebooks/lib")).unwrap();
    symlink("a.py", clone.path("notebooks/again.py")).unwrap();
    symlink("..", clone.path("notebooks/up")).unwrap();
    symlink(clone.path("notebooks"), clone.path("shared/lib/back")).unwrap();
    symlink("../.git", clone.path("notebooks/git")).unwrap();
    symlink("../.env", clone.path("notebooks/settings")).unwrap();
    symlink("../out/report", clone.path("notebooks/report")).unwrap();
    let clone = clone.exclude(&["up"]);
    let tree = clone.tree();
    let found: Vec<_> = tree.files.iter().map(|file| (file.relative.as_str(), file.remote.as_str())).collect();
    assert_eq!(found, [("a.py", "a"), ("again.py", "again"), ("lib/b.py", "lib/b.py")]);
    assert_eq!(
        clone.ignored(),
        [
            "git: a link to `../.git`, never deployed: only Git reads it, and nothing in the workspace does",
            "lib/.gitignore: never deployed: only Git reads it, and nothing in the workspace does",
            "lib/back/: a link back to a folder that it is in",
            "lib/c.tmp: `shared/lib/.gitignore:1`: `*.tmp`",
            "report: a link into `OUTPUT_DIR`, never deployed",
            "settings: a link to `../.env`, never deployed: environment files hold credentials",
            "up: `EXCLUDE`: `up`",
        ]
    );
}

#[test]
fn what_is_neither_file_nor_folder_is_left_out() {
    let clone = Clone::new(&[("a.py", PYTHON)]);
    let _socket = std::os::unix::net::UnixListener::bind(clone.path("s")).unwrap();
    assert_eq!(clone.ignored(), ["s: neither a file nor a folder"]);
    assert_eq!(clone.deployed(), ["a.py"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_file_is_deployed_or_has_a_reason(
        paths in prop::collection::btree_set("([abd]/){0,3}(x|y|z)\\.(py|txt|log)", 1..20),
        rules in prop::collection::vec(("([ab]/)?", "(!?(/?[abxy]/?|\\*\\.py|\\*\\.txt|x\\*|\\*\\*/y\\*|\\*)\n){1,3}", any::<bool>()), 0..4),
        include in prop::collection::vec("[abd](/[abd])?|\\*\\*/\\*\\.log|\\*", 0..2),
        exclude in prop::collection::vec("[abd](/[abd])?|\\*\\*/z\\.\\*", 0..2),
    ) {
        let clone = Clone::new(&[("always", "x")]);
        for path in &paths {
            clone.write(path, "x");
        }
        for (folder, text, databricks) in &rules {
            clone.write(&format!("{folder}{}", if *databricks { ".databricksignore" } else { ".gitignore" }), text);
        }
        let include: Vec<&str> = include.iter().map(String::as_str).collect();
        let exclude: Vec<&str> = exclude.iter().map(String::as_str).collect();
        let clone = clone.include(&include).exclude(&exclude);
        // Where the rules leave nothing, that is the only thing to be wrong.
        let tree = match clone.read() {
            Ok(tree) => tree,
            Err(problems) => {
                prop_assert_eq!(problems.len(), 1);
                prop_assert_eq!(problems[0].code.as_str(), "empty-tree");
                return Ok(());
            }
        };
        let deployed: BTreeSet<&str> = tree.files.iter().map(|file| file.relative.as_str()).collect();
        let is_ignored = |path: &str| tree.ignored.iter().any(|(entry, _)| {
            if entry.ends_with('/') { path.starts_with(entry.as_str()) } else { path == entry }
        });
        for path in &paths {
            prop_assert!(deployed.contains(path.as_str()) || is_ignored(path), "{} is lost", path);
            if include.is_empty() {
                prop_assert!(!(deployed.contains(path.as_str()) && is_ignored(path)), "{} is both", path);
            }
        }
        prop_assert_eq!(deployed.len(), tree.files.len());
        prop_assert!(deployed.iter().all(|path| *path == "always" || paths.contains(*path)));
        prop_assert!(tree.ignored.iter().all(|(_, reason)| !reason.is_empty()));
        prop_assert_eq!(clone.tree(), tree);
    }
}
