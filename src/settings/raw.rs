//! The environment as `RawVariables`: blank values left out, lists in one spelling. What cannot be brought into it is
//! told here.

use super::near_miss::item_of;
use super::parse::array_of_texts;
use super::variables::{LATER, RawVariables, VARIABLES, Variable};
use crate::order;
use crate::pipeline::Environment;
use crate::problem::{Code, Problem};
use std::collections::{BTreeMap, BTreeSet};

/// What was read, and what could not be.
#[derive(Default)]
pub(super) struct Raw {
    pub(super) variables: RawVariables,
    /// Variables that a problem was told of already: they are not missing.
    pub(super) broken: BTreeSet<&'static str>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

/// Reads every variable of the table.
pub(super) fn read(environment: &Environment) -> Raw {
    let mut raw = Raw::default();
    let mut pairs = Vec::new();
    for variable in VARIABLES {
        match value(environment, variable, &mut raw.warnings) {
            Ok(Some(value)) => pairs.push((variable.name.to_owned(), value)),
            Ok(None) => {}
            Err(problem) => {
                raw.broken.insert(variable.name);
                raw.problems.push(problem.at(variable.name));
            }
        }
    }
    // Only names of the table go in, each once and as a text, so this cannot fail. If it ever did: envy's own message
    // quotes the value, so it is not shown.
    match envy::from_iter(pairs) {
        Ok(variables) => raw.variables = variables,
        Err(_) => raw.problems.push(Problem::new(Code::Bug, "the variables could not be read")),
    }
    raw.warnings.extend(LATER.iter().filter_map(|name| later(environment, name)));
    raw
}

/// The one text that stands for all that is given for `variable`: its own value, or its items as a JSON array.
fn value(
    environment: &Environment,
    variable: &Variable,
    warnings: &mut Vec<Problem>,
) -> Result<Option<String>, Problem> {
    let name = variable.name;
    let not_unicode = |given: &&String| {
        *given == name
            || variable.lower_case().is_some_and(|lower| **given == lower)
            || (variable.takes_several() && item_of(given) == Some(name))
    };
    if let Some(given) = environment.not_unicode.iter().find(not_unicode) {
        return Err(Problem::new(Code::NotUnicode, format!("the value of `{given}` is not UTF-8"))
            .hint("save the variable again as plain text"));
    }
    let lower_case = variable.lower_case();
    let lower = lower_case.as_deref().and_then(|lower| environment.get(lower));
    if let (Some(upper), Some(lower)) = (environment.get(name), lower)
        && upper.trim() != lower.trim()
    {
        let message = format!("`{}` is set to something else, which is not used", name.to_ascii_lowercase());
        let hint = "leave one of the two out";
        warnings.push(Problem::new(Code::ConflictingVariables, message).at(name).hint(hint));
    }
    let own = environment.get(name).or(lower).map(|value| {
        // Blanks around a secret are told of where the secret is judged; anywhere else they mean nothing.
        if variable.is_secret() { value.to_owned() } else { value.trim().to_owned() }
    });
    let count = environment.get(&format!("{name}_COUNT")).map(str::trim);
    if !variable.takes_several() {
        let is_array = count.is_some_and(|count| count.parse::<u32>().is_ok())
            && environment.variables.contains_key(&format!("{name}_0"));
        if is_array && own.is_none() {
            return Err(Problem::new(Code::InvalidValue, "given as a list, but takes one value")
                .hint(format!("write `{name}: \"…\"` without brackets or dashes")));
        }
        return Ok(own);
    }
    let items = items(environment, name);
    match count {
        None | Some("0") => {
            if let Some((index, _)) = items.first_key_value() {
                warnings.push(
                    Problem::new(
                        Code::NoEffect,
                        format!("`{name}_{index}` has no effect, because `{name}_COUNT` does not count it"),
                    )
                    .at(name)
                    .hint(format!("give the list in `{name}` itself, one item a line")),
                );
            }
            Ok(own)
        }
        Some(count) => {
            let listed = counted(name, count, &items)?;
            Ok(Some(array_of_texts(&listed)))
        }
    }
}

/// `NAME_0`, `NAME_1`, … by number; blank ones included.
fn items<'e>(environment: &'e Environment, name: &str) -> BTreeMap<usize, &'e str> {
    let of_name = environment.variables.iter().filter(|(key, _)| item_of(key) == Some(name));
    order::gathered(of_name.filter_map(|(key, value)| {
        let digits = key.strip_prefix(name)?.strip_prefix('_')?;
        // `NAME_01` is somebody else's numbering.
        let index = digits.parse::<usize>().ok().filter(|index| index.to_string() == digits)?;
        Some((index, value.as_str()))
    }))
}

fn counted<'e>(name: &str, count: &str, items: &BTreeMap<usize, &'e str>) -> Result<Vec<&'e str>, Problem> {
    let hint =
        format!("Bitbucket sets `{name}_COUNT` and `{name}_0`, … from an array; give the list in `{name}` itself");
    let Ok(number) = count.parse::<usize>() else {
        return Err(Problem::new(Code::InvalidValue, format!("`{name}_COUNT` is not a number")).hint(hint));
    };
    if let Some(extra) = items.keys().find(|index| **index >= number) {
        return Err(Problem::new(
            Code::InvalidValue,
            format!("`{name}_COUNT` is {number}, but `{name}_{extra}` is there too"),
        )
        .hint(hint));
    }
    // No item is beyond the count, so the first gap is at most at the number of items.
    match (0..number).find(|index| !items.contains_key(index)) {
        Some(gap) => Err(Problem::new(
            Code::InvalidValue,
            format!("`{name}_COUNT` is {number}, but `{name}_{gap}` is not there"),
        )
        .hint(hint)),
        None => Ok(items.values().copied().collect()),
    }
}

/// A word on a variable that a later version understands; silence would be taken for consent.
fn later(environment: &Environment, name: &str) -> Option<Problem> {
    let count = environment.get(&format!("{name}_COUNT")).filter(|count| count.trim() != "0");
    environment.get(name).or(count)?;
    Some(
        Problem::new(Code::NoEffect, format!("has no effect: version {VERSION} does not know it"))
            .at(name)
            .hint("leave it out, or use a version whose README lists it"),
    )
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let raw = read(&Environment::new(pairs.iter().copied(), "/"));
        match raw.problems.first() {
            Some(problem) => Err(problem.message.clone()),
            None => Ok(raw.variables.run().value.map(str::to_owned)),
        }
    }

    #[test]
    fn a_count_that_is_not_empty_wins_and_must_fit() {
        let ok = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(run(&[("RUN", " \n ")]), Ok(None));
        assert_eq!(run(&[("RUN", " a ")]), ok("a"));
        assert_eq!(
            run(&[("RUN", "x"), ("RUN_COUNT", "2"), ("RUN_0", "a"), ("RUN_1", "b\n\"c")]),
            ok(r#"["a","b\n\"c"]"#)
        );
        assert_eq!(run(&[("RUN", "x"), ("RUN_COUNT", "0")]), ok("x"));
        assert_eq!(run(&[("RUN", "x"), ("RUN_COUNT", " ")]), ok("x"));
        for (pairs, message) in [
            (vec![("RUN_COUNT", "1")], "`RUN_COUNT` is 1, but `RUN_0` is not there"),
            (
                vec![("RUN_COUNT", "99999999999"), ("RUN_0", "a")],
                "`RUN_COUNT` is 99999999999, but `RUN_1` is not there",
            ),
            (vec![("RUN_COUNT", "1"), ("RUN_0", "a"), ("RUN_1", "b")], "`RUN_COUNT` is 1, but `RUN_1` is there too"),
            (vec![("RUN_COUNT", "two"), ("RUN_0", "a")], "`RUN_COUNT` is not a number"),
            (vec![("RUN_COUNT", "-1")], "`RUN_COUNT` is not a number"),
        ] {
            assert_eq!(run(&pairs), Err(message.into()));
        }
    }

    #[test]
    fn ten_items_keep_their_order() {
        let names: Vec<String> = (0..12).map(|index| format!("RUN_{index}")).collect();
        let pairs = names.iter().map(|name| (name.as_str(), name.as_str())).chain([("RUN_COUNT", "12")]);
        let pairs: Vec<(&str, &str)> = pairs.collect();
        assert_eq!(run(&pairs), Ok(Some(serde_json::json!(names).to_string())));
    }

    #[test]
    fn an_array_for_one_value_is_a_mistake() {
        let raw = read(&Environment::new([("TARGET_COUNT", "1"), ("TARGET_0", "x")], "/"));
        assert_eq!(raw.problems[0].to_string(), "TARGET: given as a list, but takes one value [invalid-value]");
    }
}
