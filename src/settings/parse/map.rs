//! Maps.

use super::list::json_array;
use crate::problem::{Code, Problem};
use crate::settings::echo::Echo;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// Names and values in the order they were written.
type Pairs = Vec<(String, String)>;

/// Reads a map: a JSON object, or `name=value` items, one a line or in a JSON array. Names are unique. In an object a
/// value is a text, a number as it was written, or a boolean; in an item, blanks around name and value do not count.
pub(in crate::settings) fn map(text: &str, echo: Echo<'_>) -> Result<Pairs, Problem> {
    let pairs = if text.trim_start().starts_with('{') {
        from_object(text, echo)?
    } else {
        let items = match json_array(text)? {
            Some(items) => items,
            None => text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect(),
        };
        all(items.iter().enumerate().map(|(index, item)| from_item(index, item)))?
    };
    let mut seen = HashSet::new();
    for (name, _) in &pairs {
        if name.trim().is_empty() {
            return Err(Problem::new(Code::InvalidValue, "a name is blank"));
        }
        if name.chars().any(char::is_control) {
            let message = format!("the name {} has a control character in it", echo.show(name));
            return Err(Problem::new(Code::InvalidValue, message));
        }
        if !seen.insert(name) {
            return Err(Problem::new(Code::InvalidValue, format!("{} is given twice", echo.show(name)))
                .hint("give each name one value"));
        }
    }
    Ok(pairs)
}

fn from_item(index: usize, item: &str) -> Result<(String, String), Problem> {
    // Nothing of an item without a name is shown: all of it may be a value.
    let number = index + 1;
    match item.split_once('=') {
        None => Err(Problem::new(Code::InvalidValue, format!("item {number} is not `name=value`: it has no `=`"))
            .hint("write `name=value`, one a line, or a JSON object")),
        Some((name, _)) if name.trim().is_empty() => {
            Err(Problem::new(Code::InvalidValue, format!("item {number} has no name before its `=`")))
        }
        Some((name, _)) if name.trim_start().starts_with('{') => Err(Problem::new(
            Code::InvalidValue,
            format!("item {number} starts like a JSON object, but is one of several items"),
        )
        .hint("give the JSON object alone, as one text")),
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
    }
}

fn from_object(text: &str, echo: Echo<'_>) -> Result<Pairs, Problem> {
    let Entries(entries) = serde_json::from_str(text).map_err(|error| {
        Problem::new(
            Code::InvalidValue,
            // Line and column alone: the parser's own words may quote the value.
            format!("starts like a JSON object but is not one (line {}, column {})", error.line(), error.column()),
        )
        .hint("write `{\"name\": \"value\"}`, or `name=value`, one a line; escape a `$` that is part of a value")
    })?;
    all(entries.into_iter().map(|(name, value)| {
        let json = value.get();
        let kind = match json.as_bytes().first() {
            Some(b'"') => match serde_json::from_str(json) {
                Ok(text) => return Ok((name, text)),
                // Half of a surrogate pair gets here: it is skipped unread when the object is taken apart.
                Err(_) => "no text: an escape in it is not a character",
            },
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'n') => "null",
            _ => return Ok((name, json.to_owned())),
        };
        Err(Problem::new(Code::InvalidValue, format!("the value of {} is {kind}", echo.show(&name)))
            .hint("a parameter is a text, a number or a boolean; put JSON that a job reads itself in a text"))
    }))
}

/// All pairs, or all that is wrong with any of them, as one problem with the first one's hint.
fn all(pairs: impl Iterator<Item = Result<(String, String), Problem>>) -> Result<Pairs, Problem> {
    let mut good = Vec::new();
    let mut wrong: Option<Problem> = None;
    for pair in pairs {
        match (pair, &mut wrong) {
            (Ok(pair), _) => good.push(pair),
            (Err(problem), None) => wrong = Some(problem),
            (Err(problem), Some(first)) => first.message.push_str(&format!("; {}", problem.message)),
        }
    }
    wrong.map_or(Ok(good), Err)
}

/// A JSON object's entries as written: in order, repetitions and the digits of numbers included.
struct Entries(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries, M::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::parse::array_of_texts;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Pairs, String> {
        map(text, Echo::new(text, &[])).map_err(|problem| problem.message)
    }

    #[test]
    fn the_spellings_of_maps() {
        for (text, expected) in [
            ("a=1", vec![("a", "1")]),
            (" b = 2 \n\n a=x=y, z \r\n", vec![("b", "2"), ("a", "x=y, z")]),
            ("empty=", vec![("empty", "")]),
            (
                r#"{"z": "1", "a": 1.50, "t": true, "big": 123456789012345678901234567890, "s": " x "}"#,
                vec![("z", "1"), ("a", "1.50"), ("t", "true"), ("big", "123456789012345678901234567890"), ("s", " x ")],
            ),
            ("{}", vec![]),
            (r#"["a=1", "b=two\nlines"]"#, vec![("a", "1"), ("b", "two\nlines")]),
        ] {
            let expected: Pairs = expected.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_map_is_told_without_its_values() {
        for (text, message) in [
            ("a", "item 1 is not `name=value`: it has no `=`"),
            ("a=1\nb", "item 2 is not `name=value`: it has no `=`"),
            ("=1", "item 1 has no name before its `=`"),
            ("a=1\na=2", "`a` is given twice"),
            (r#"{"a": 1, "a": 2}"#, "`a` is given twice"),
            (r#"{"a": 1"#, "starts like a JSON object but is not one (line 1, column 7)"),
            (r#"{"a": 1} x"#, "starts like a JSON object but is not one (line 1, column 10)"),
            (r#"{"a": "\ud800"}"#, "the value of `a` is no text: an escape in it is not a character"),
            (r#"{"a": null}"#, "the value of `a` is null"),
            (r#"{"a": {"b": 1}}"#, "the value of `a` is an object"),
            (r#"{"a": [1]}"#, "the value of `a` is an array"),
            (r#"{" ": 1}"#, "a name is blank"),
            (r#"{"a\nb": 1}"#, "the name `a\\nb` has a control character in it"),
            ("a\tb=1", "the name `a\\tb` has a control character in it"),
            (r#"["{\"a\": \"b=c\"}"]"#, "item 1 starts like a JSON object, but is one of several items"),
        ] {
            assert_eq!(read(text), Err(message.into()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_means_the_same(
            pairs in prop::collection::btree_map("[a-z_]{1,6}", "([a-z0-9=,\"{}]([a-z0-9=, \"{}]{0,6}[a-z0-9])?)?", 1..5)
        ) {
            let pairs: Pairs = pairs.into_iter().collect();
            let items: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let texts: Vec<&str> = items.iter().map(String::as_str).collect();
            let object = pairs
                .iter()
                .map(|(name, value)| format!("{}: {}", serde_json::json!(name), serde_json::json!(value)))
                .collect::<Vec<_>>()
                .join(", ");
            for spelling in [items.join("\n"), array_of_texts(&texts), format!("{{{object}}}")] {
                prop_assert_eq!(read(&spelling), Ok(pairs.clone()));
            }
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = read(&text);
            let _ = read(&format!("{{{text}}}"));
        }
    }
}
