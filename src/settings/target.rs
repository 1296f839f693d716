//! `TARGET`: given, or derived from what Bitbucket tells.

use super::echo::Echo;
use crate::pipeline::Pipeline;
use crate::problem::{Code, Problem};
use ring::digest::{SHA256, digest};

/// A longer name would make paths and tags that the workspace refuses.
const LONGEST: usize = 100;
/// Of a derived name so much is kept, so that the hash fits too.
const KEPT: usize = 60;
/// Six hex digits tell the branches of one repository apart.
const HASH_BYTES: usize = 3;

/// Checks a target that somebody chose: one path segment.
pub(super) fn explicit(text: &str, echo: Echo<'_>) -> Result<String, Problem> {
    let wrong = |what: &str| {
        Err(Problem::new(Code::InvalidValue, format!("{} {what}", echo.show(text)))
            .hint("use a short name such as `production`: it becomes a part of a path"))
    };
    if echo.hides_all() {
        return wrong("cannot be a target: its name is shown everywhere");
    }
    if text.contains(['/', '\\']) {
        return wrong("is more than one path segment");
    }
    if text == "." || text == ".." {
        return wrong("is not the name of a folder");
    }
    if text.chars().any(char::is_control) {
        return wrong("has a control character in it");
    }
    if text.chars().count() > LONGEST {
        return wrong("is longer than 100 characters");
    }
    Ok(text.to_owned())
}

/// The target of a step whose user chose none: the deployment environment, else the branch.
pub(super) fn derived(pipeline: &Pipeline) -> Option<String> {
    pipeline.deployment.as_deref().or(pipeline.branch.as_deref()).map(segment)
}

/// Why a deploy of this build cannot begin: a tag or a pull request does not name a target. `target` is the derived one.
pub(super) fn nameless(target: Option<&str>, pipeline: &Pipeline) -> Option<Problem> {
    let build = match pipeline {
        Pipeline { deployment: Some(_), .. } => None,
        Pipeline { pull_request: Some(_), .. } => Some("a pull request"),
        Pipeline { tag: Some(_), .. } => Some("a tag"),
        _ => None,
    };
    let message = match (build, target) {
        (Some(build), _) => format!("not set, and the build of {build} does not say what to deploy to"),
        (None, None) => "not set, and there is neither a deployment environment nor a branch to go by".to_owned(),
        (None, Some(_)) => return None,
    };
    let hint = "set `TARGET`, for example to `production`, or give the step a `deployment:`";
    Some(Problem::new(Code::MissingVariable, message).hint(hint))
}

/// `name` as one path segment. Where it has to be altered a hash of the original follows, so that two branches never
/// share a target by accident.
fn segment(name: &str) -> String {
    let mut kept = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            kept.push(character);
        } else if !kept.ends_with('-') {
            kept.push('-');
        }
    }
    kept.truncate(KEPT);
    let kept = kept.trim_matches(['-', '.']);
    if kept == name {
        return name.to_owned();
    }
    let hash = digest(&SHA256, name.as_bytes());
    let short: String = hash.as_ref().iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    if kept.is_empty() { short } else { format!("{kept}-{short}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_one_path_segment() {
        for text in ["production", "eu-1", "v1.2", "Größe", "a b", "...", &"x".repeat(100)] {
            assert_eq!(explicit(text, Echo::new(text, &[])), Ok(text.to_owned()));
        }
        for text in ["a/b", "/a", "a\\b", ".", "..", "a\u{7}b", &"x".repeat(101)] {
            assert!(explicit(text, Echo::new(text, &[])).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_altered_branch_keeps_apart_from_others() {
        // The digits are those of `printf %s NAME | sha256sum`.
        for (branch, expected) in [
            ("main", "main"),
            ("release-1.2_x", "release-1.2_x"),
            ("feature/x", "feature-x-217d2b"),
            ("feature//x", "feature-x-3b0d33"),
            (".hidden", "hidden-169241"),
            ("日本", "cf2abf"),
        ] {
            assert_eq!(segment(branch), expected);
        }
        assert_eq!(segment(&"x".repeat(61)).len(), KEPT + 7);
        assert_ne!(segment(&"x".repeat(61)), segment(&"x".repeat(62)));
    }

    #[test]
    fn the_environment_comes_before_the_branch() {
        let mut pipeline = Pipeline { branch: Some("main".into()), ..Pipeline::default() };
        assert_eq!(derived(&pipeline).as_deref(), Some("main"));
        pipeline.deployment = Some("production".into());
        assert_eq!(derived(&pipeline).as_deref(), Some("production"));
        assert_eq!(derived(&Pipeline::default()), None);
    }
}
