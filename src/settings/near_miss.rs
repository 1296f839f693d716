//! What somebody may have meant.

use super::echo::escape;
use super::variables::{LATER, VARIABLES, Variable};
use crate::pipeline::Environment;
use crate::problem::{Code, Problem};

/// The name of a known variable in this many letters is one edit away from ordinary words: fewer edits count.
const SHORT: usize = 4;

/// Warns of every variable whose name is a known one but for case, hyphens, underscores or one edit.
pub(super) fn warnings(environment: &Environment) -> Vec<Problem> {
    let names = environment.variables.iter().filter(|(_, value)| !value.trim().is_empty()).map(|(name, _)| name);
    names
        .filter_map(|name| {
            let stem = stem(environment, name)?;
            let meant = meant(stem)?;
            let problem =
                Problem::new(Code::UnknownVariable, "this pipe knows no variable of this name").at(escape(stem));
            Some(problem.hint(format!("did you mean `{}`?", meant.name)))
        })
        .collect()
}

/// The known variable that `name` may have been meant for; `None` for a name that has a meaning.
pub(super) fn meant(name: &str) -> Option<&'static Variable> {
    if is_taken(name) {
        return None;
    }
    let typed = squash(name);
    VARIABLES.iter().find(|variable| squash(variable.name) == typed).or_else(|| {
        VARIABLES.iter().find(|variable| {
            let known = squash(variable.name);
            known.len().abs_diff(typed.len()) <= 1
                && strsim::osa_distance(&known, &typed) == 1
                && (known.len() > SHORT || still_reads_as(&known, &typed))
        })
    })
}

/// Of a few known words the one that is closest to what was typed, where one is close.
pub(super) fn closest<'c>(typed: &str, known: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::osa_distance(&typed, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 2 && *distance * 2 < word.chars().count())
        .min()
        .map(|(_, word)| word)
}

/// A name without what people forget or swap in names.
fn squash(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '_' | '-' | '.')).collect::<String>().to_uppercase()
}

/// For names like `RUN` and `WAIT`: all their letters are there and at most a letter more. (`GUN` and `WAI` are words of
/// their own, and `RUN1` is one of a series.)
fn still_reads_as(known: &str, typed: &str) -> bool {
    let mut rest: Vec<char> = typed.chars().collect();
    let all_there = known.chars().all(|letter| {
        rest.iter().position(|other| *other == letter).map(|position| rest.swap_remove(position)).is_some()
    });
    all_there && rest.iter().all(|letter| letter.is_alphabetic())
}

/// Names that mean something: known ones, items of known lists, names of later versions, and Bitbucket's own.
fn is_taken(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let whole = item_of(name).unwrap_or(name);
    VARIABLES.iter().any(|variable| variable.name == name || (variable.name == whole && variable.takes_several()))
        || LATER.contains(&whole)
        || matches!(upper.as_str(), "HTTPS_PROXY" | "NO_PROXY" | "HTTP_PROXY")
        || name.starts_with("BITBUCKET_")
}

/// The name to judge: `X` for `X_COUNT`, since an array `X` arrives that way; nothing for its items, so that one array
/// is told of once.
fn stem<'n>(environment: &Environment, name: &'n str) -> Option<&'n str> {
    match item_of(name) {
        Some(whole) if name.ends_with("_COUNT") => Some(whole),
        Some(whole) if environment.get(&format!("{whole}_COUNT")).is_some() => None,
        _ => Some(name),
    }
}

/// `X` for `X_COUNT` and `X_0`.
pub(super) fn item_of(name: &str) -> Option<&str> {
    let (whole, last) = name.rsplit_once('_')?;
    let is_part = last == "COUNT" || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
    (is_part && !whole.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found() {
        for (typed, known) in [
            ("TARGETS", "TARGET"),
            ("TIMEOUTS", "TIMEOUT"),
            ("LOCALPATH", "LOCAL_PATH"),
            ("LOCAL_PAHT", "LOCAL_PATH"),
            ("DATABRICKS_HOTS", "DATABRICKS_HOST"),
            ("DATABRICKS_TOKN", "DATABRICKS_TOKEN"),
            ("DATABRICK_HOST", "DATABRICKS_HOST"),
            ("workspace_path", "WORKSPACE_PATH"),
            ("WORKSPACE-PATH", "WORKSPACE_PATH"),
            ("showOutput", "SHOW_OUTPUT"),
            ("RUNCLUSTERID", "RUN_CLUSTER_ID"),
            ("PARAM", "PARAMS"),
            ("run", "RUN"),
            ("RUNS", "RUN"),
            ("RNU", "RUN"),
            ("WAIIT", "WAIT"),
            ("WIAT", "WAIT"),
            ("DEBUGG", "DEBUG"),
        ] {
            assert_eq!(meant(typed).map(|variable| variable.name), Some(known), "{typed}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            "RUN",
            "TARGET",
            "RUN_COUNT",
            "RUN_0",
            "PARAMS_12",
            "JOBS",
            "JOBS_0",
            "PLAN",
            "VARS",
            "GIT_TOKEN",
            "PATH",
            "HOME",
            "WAI",
            "RUN1",
            "GUN",
            "RUNNER",
            "CI",
            "PWD",
            "HOST",
            "TOKEN",
            "https_proxy",
            "BITBUCKET_TARGETS",
            "LOCAL",
            "OUTPUT",
            "DATABRICKS_PORT",
            "DATABRICKS_CLUSTER_ID",
            "ACTIONS_CACHE_URL",
            "PARAMETER",
            "_",
            "",
        ] {
            assert_eq!(meant(name).map(|variable| variable.name), None, "{name}");
        }
    }

    #[test]
    fn an_array_is_told_of_once() {
        let environment =
            Environment::new([("RUNS_COUNT", "2"), ("RUNS_0", "a"), ("RUNS_1", "b"), ("RUN_0", "c")], "/");
        let warnings: Vec<String> = warnings(&environment).iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["RUNS: this pipe knows no variable of this name [unknown-variable]"]);
    }

    #[test]
    fn the_closest_word_wins() {
        let words = ["notebooks", "notes", "src"];
        assert_eq!(closest("Notebook", words), Some("notebooks"));
        assert_eq!(closest("note", words), Some("notes"));
        assert_eq!(closest("scr", words), Some("src"));
        assert_eq!(closest("x", words), None);
    }
}
