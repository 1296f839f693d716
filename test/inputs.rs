//! Local inputs that are no files: none is waited for, and none is read without end.

use crate::support::{Ended, Step, make_pipe};
use databricks_sandbox::{Running, Sandbox};

const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";

/// What a deploy says in whose clone is a pipe of this name.
fn with_pipe(name: &str, change: impl FnOnce(&Sandbox, Step) -> Step) -> Ended {
    let sandbox = Sandbox::new();
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py");
    make_pipe(&step.root().join(name));
    let step = change(&sandbox, step);
    step.against(&Running::start(sandbox).unwrap())
}

#[test]
fn a_variable_that_names_no_file_is_refused_with_what_it_names() {
    let cases = [
        ("CA_BUNDLE", "/dev/zero", "CA_BUNDLE: `/dev/zero` cannot be read: it is a device, not a file"),
        ("CA_BUNDLE", "pipe", "CA_BUNDLE: `pipe` cannot be read: it is a named pipe, not a file"),
        ("CA_BUNDLE", "notebooks", "CA_BUNDLE: `notebooks` is a folder, not a file"),
        ("PLAN", "pipe", "PLAN: `pipe` is not a file"),
        ("DATABRICKS_OIDC_TOKEN_FILEPATH", "pipe", "DATABRICKS_OIDC_TOKEN_FILEPATH: `pipe` is not a file"),
        ("DATABRICKS_OIDC_TOKEN_FILEPATH", "/dev/zero", "DATABRICKS_OIDC_TOKEN_FILEPATH: `/dev/zero` is not a file"),
    ];
    for (name, value, words) in cases {
        let ended = with_pipe("pipe", |_, step| step.variable(name, value).variable("DATABRICKS_CLIENT_ID", ID));
        assert_eq!(ended.code, 1, "{name}={value}: {}", ended.log);
        assert!(ended.log.contains(&format!("✖ {words} [invalid-value]")), "{name}={value}: {}", ended.log);
    }
}

#[test]
fn a_file_of_certificates_has_an_end() {
    let sandbox = Sandbox::new();
    let step = Step::deploying(&sandbox).notebook("notebooks/a.py");
    // It takes no room on the disk.
    std::fs::File::create(step.root().join("all.pem")).unwrap().set_len(1 << 40).unwrap();
    let ended = step.variable("CA_BUNDLE", "all.pem").against(&Running::start(sandbox).unwrap());
    assert!(ended.code == 1 && ended.log.contains("`all.pem` is over 4 MiB"), "{}", ended.log);
}

#[test]
fn a_pipe_in_the_tree_is_left_out_and_one_in_the_place_of_rules_is_told() {
    let ended = with_pipe("notebooks/pipe", |_, step| step);
    assert_eq!(ended.code, 0, "{}", ended.log);
    let ended = with_pipe("notebooks/.gitignore", |_, step| step);
    assert_eq!(ended.code, 1, "{}", ended.log);
    let words = "notebooks/.gitignore: it cannot be read: it is a named pipe, not a file [unreadable]";
    assert!(ended.log.contains(words), "{}", ended.log);
}

#[test]
fn nothing_that_is_written_waits_for_a_reader() {
    // Where Bitbucket would read the variables of the step, and where an earlier process may have left something.
    let ended = with_pipe("variables", |_, step| {
        let path = step.root().join("variables").display().to_string();
        std::fs::create_dir(step.root().join("databricks-deploy")).unwrap();
        for name in ["outputs.json.new", "outputs.env.new"] {
            make_pipe(&step.root().join("databricks-deploy").join(name));
        }
        step.variable("BITBUCKET_PIPELINES_VARIABLES_PATH", path)
    });
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert!(!ended.log.contains("cannot be written"), "{}", ended.log);
}
