//! README.md and pipe.yml say what the table of variables says.

use super::root;
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_deploy::settings::{Fallback, Kind, Need, VARIABLES, Variable};
use serde_yaml::Value;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The text below a heading, up to the next one of its level or above.
fn section(heading: &str) -> String {
    let level = heading.chars().take_while(|character| *character == '#').count();
    let ends = |line: &str| {
        let depth = line.chars().take_while(|character| *character == '#').count();
        (1..=level).contains(&depth) && line[depth..].starts_with(' ')
    };
    let readme = readme();
    let mut lines = readme.lines().skip_while(|line| *line != heading);
    assert_eq!(lines.next(), Some(heading), "the README has no such heading");
    lines.take_while(|line| !ends(line)).collect::<Vec<_>>().join("\n")
}

/// The rows of a section's table, its two lines of header included.
fn table(heading: &str) -> Vec<String> {
    section(heading).lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn row(variable: &Variable) -> String {
    let mark = match (variable.need, variable.default) {
        (Need::Required, Fallback::Context) => " (**)",
        (Need::Required, _) => " (*)",
        (Need::Optional, _) => "",
    };
    let mut usage = variable.help.to_owned();
    if let Kind::Choice(names) = variable.kind {
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        usage.push_str(&format!(" One of {names}."));
    }
    match variable.default {
        Fallback::Value(value) => usage.push_str(&format!(" Default: `{value}`.")),
        Fallback::Derived(words) => usage.push_str(&format!(" Default: {words}.")),
        Fallback::Context | Fallback::Nothing => {}
    }
    format!("| {}{mark} | {usage} |", variable.name)
}

#[test]
fn the_readme_lists_every_variable() {
    let mut expected = vec!["| Variable | Usage |".to_owned(), "| --- | --- |".to_owned()];
    expected.extend(VARIABLES.iter().map(row));
    let actual = table("## Variables");
    assert!(actual == expected, "the table should be:\n{}", expected.join("\n"));
    assert_eq!(VARIABLES.last().unwrap().name, "DEBUG", "it is the last row in every official pipe");
}

#[test]
fn the_readme_lists_every_code() {
    let mut expected = vec!["| Code | Meaning |".to_owned(), "| --- | --- |".to_owned()];
    expected.extend(Code::ALL.iter().map(|code| format!("| `{}` | {} |", code.as_str(), code.meaning())));
    let actual = table("### Error codes");
    assert!(actual == expected, "the table should be:\n{}", expected.join("\n"));
}

#[test]
fn the_readme_lists_every_exit_code() {
    let all = [
        Exit::Done,
        Exit::Settings,
        Exit::Identity,
        Exit::Deploy,
        Exit::RunFailed,
        Exit::RunCancelled,
        Exit::WaitEnded,
        Exit::Conflict,
        Exit::Interrupted,
        Exit::Bug,
    ];
    let rows = table("### Exit codes");
    let listed: Vec<&str> = rows.iter().skip(2).filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    assert_eq!(listed, all.map(|exit| exit.code().to_string()));
}

#[test]
fn the_readme_has_the_sections_of_an_official_pipe() {
    let readme = readme();
    let headings: Vec<&str> = readme.lines().filter(|line| line.starts_with("# ") || line.starts_with("## ")).collect();
    assert!(headings[0].starts_with("# Bitbucket Pipelines Pipe: "), "{}", headings[0]);
    let official = ["YAML Definition", "Variables", "Details", "Prerequisites", "Examples", "Support", "License"];
    // The others have no such section: what this pipe does for its users first comes first.
    assert_eq!(headings[1], "## Keyless in five minutes");
    assert_eq!(headings[2..], official.map(|heading| format!("## {heading}")));
}

#[test]
fn pipe_yml_hands_over_every_variable() {
    let text = std::fs::read_to_string(root().join("pipe.yml")).unwrap();
    let pipe: Value = serde_yaml::from_str(&text).unwrap();
    let actual: Vec<(String, String)> = pipe["variables"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(entry.as_mapping().unwrap().len(), 2, "nothing but a name and a default is understood");
            (entry["name"].as_str().unwrap().to_owned(), entry["default"].as_str().expect("a text").to_owned())
        })
        .collect();
    let expected: Vec<(String, String)> = VARIABLES
        .iter()
        .map(|variable| {
            let default = match variable.default {
                Fallback::Context => format!("${{{}}}", variable.name),
                Fallback::Value(value) => value.to_owned(),
                // Blank means unset.
                Fallback::Derived(_) | Fallback::Nothing => String::new(),
            };
            (variable.name.to_owned(), default)
        })
        .collect();
    assert_eq!(actual, expected);
}

#[test]
fn pipe_yml_names_the_image_of_this_version() {
    let text = std::fs::read_to_string(root().join("pipe.yml")).unwrap();
    let pipe: Value = serde_yaml::from_str(&text).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(pipe["image"].as_str().unwrap(), format!("brickpipe/databricks-deploy:{version}"));
    assert_eq!(pipe["category"].as_str().unwrap(), "Deployment");
    for key in ["name", "description", "repository"] {
        assert!(!pipe[key].as_str().unwrap().is_empty(), "{key}");
    }
    for who in ["vendor", "maintainer"] {
        assert!(!pipe[who]["name"].as_str().unwrap().is_empty(), "{who}");
        assert!(pipe[who]["website"].as_str().unwrap().starts_with("https://"), "{who}");
    }
    assert!(!pipe["tags"].as_sequence().unwrap().is_empty());
}
