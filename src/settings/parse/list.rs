//! Lists.

use crate::problem::{Code, Problem};
use crate::settings::variables::Split;
use serde_json::value::RawValue;

/// Reads a list: a JSON array, one item a line, or (under [`Split::LinesOrCommas`]) items between commas. Items are
/// trimmed; what is blank in plain text is no item, what is blank in an array is a mistake.
pub(in crate::settings) fn list(text: &str, split: Split) -> Result<Vec<String>, Problem> {
    if let Some(items) = json_array(text)? {
        return items.into_iter().enumerate().map(|(index, item)| not_blank(index, item.trim())).collect();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Ok(match (split, lines.as_slice()) {
        (Split::LinesOrCommas, [line]) => at_commas(line),
        _ => lines.into_iter().map(str::to_owned).collect(),
    })
}

/// The items of a JSON array of texts and numbers, untrimmed; `None` where the text is not meant as one. A glob or a job's
/// name may start with a bracket too, so only `["` is taken as a promise.
pub(in crate::settings) fn json_array(text: &str) -> Result<Option<Vec<String>>, Problem> {
    let text = text.trim();
    let Some(inside) = text.strip_prefix('[') else { return Ok(None) };
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(items) => items.into_iter().enumerate().map(|(index, item)| item_text(index, item)).collect(),
        Err(error) if inside.trim_start().starts_with('"') => Err(Problem::new(
            Code::InvalidValue,
            // Line and column alone: the parser's own words may quote the value.
            format!("starts like a JSON array but is not one (line {}, column {})", error.line(), error.column()),
        )
        .hint("write `[\"one\", \"two\"]`, or one item a line")),
        Err(_) => Ok(None),
    }
}

/// A JSON array of `items`: the one spelling that the other spellings are brought into.
pub(in crate::settings) fn array_of_texts(items: &[&str]) -> String {
    serde_json::Value::from(items).to_string()
}

fn item_text(index: usize, item: &RawValue) -> Result<Option<String>, Problem> {
    let json = item.get();
    let kind = match json.as_bytes().first() {
        Some(b'"') => return Ok(serde_json::from_str(json).ok()),
        Some(b'-' | b'0'..=b'9') => return Ok(Some(json.to_owned())),
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'n') => "null",
        _ => "a boolean",
    };
    Err(Problem::new(Code::InvalidValue, format!("item {} is {kind}, not a text", index + 1))
        .hint("put each item of the array in double quotes"))
}

fn not_blank(index: usize, item: &str) -> Result<String, Problem> {
    if item.is_empty() {
        return Err(Problem::new(Code::InvalidValue, format!("item {} is blank", index + 1))
            .hint("leave the item out, or define the variable that it comes from"));
    }
    Ok(item.to_owned())
}

/// The items between commas; a comma inside braces or brackets belongs to a pattern such as `*.{py,sql}`.
fn at_commas(line: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0usize;
    for character in line.chars() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_spellings_of_lists() {
        for (text, expected) in [
            ("a", vec!["a"]),
            ("a, b,,c ,", vec!["a", "b", "c"]),
            ("a\n  b\r\n\nc\n", vec!["a", "b", "c"]),
            ("a, b\nc", vec!["a, b", "c"]),
            (r#"["a", " b,c ", 12, -1.50]"#, vec!["a", "b,c", "12", "-1.50"]),
            ("[]", vec![]),
            (",", vec![]),
            ("*.{py,sql}, [a,b]*.r", vec!["*.{py,sql}", "[a,b]*.r"]),
            ("[ab]*.py", vec!["[ab]*.py"]),
            (r#"["\u0061\n b"]"#, vec!["a\n b"]),
        ] {
            assert_eq!(list(text, Split::LinesOrCommas).unwrap(), expected, "{text}");
        }
        assert_eq!(list("load, then transform", Split::Lines).unwrap(), ["load, then transform"]);
        assert_eq!(list("[nightly] etl\n[1,", Split::Lines).unwrap(), ["[nightly] etl", "[1,"]);
    }

    #[test]
    fn arrays_of_anything_else_are_refused() {
        let message = |text: &str| list(text, Split::Lines).unwrap_err().message;
        assert_eq!(message(r#"["a", "b""#), "starts like a JSON array but is not one (line 1, column 9)");
        assert_eq!(message(r#"["a", {"b": 1}]"#), "item 2 is an object, not a text");
        assert_eq!(message(r#"["a", ["b"]]"#), "item 2 is an array, not a text");
        assert_eq!(message(r#"["a", null]"#), "item 2 is null, not a text");
        assert_eq!(message("[true]"), "item 1 is a boolean, not a text");
        assert_eq!(message(r#"["a", " "]"#), "item 2 is blank");
    }

    proptest! {
        #[test]
        fn every_spelling_means_the_same(items in prop::collection::vec("[a-z*?./]([a-z0-9*?./ _-]{0,8}[a-z0-9])?", 2..6)) {
            let texts: Vec<&str> = items.iter().map(String::as_str).collect();
            for spelling in [items.join("\n"), items.join(","), items.join(" ,  "), array_of_texts(&texts)] {
                prop_assert_eq!(list(&spelling, Split::LinesOrCommas).unwrap(), items.clone());
            }
            prop_assert_eq!(list(&array_of_texts(&texts), Split::Lines).unwrap(), items);
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = list(&text, Split::LinesOrCommas);
            let _ = list(&format!("[{text}]"), Split::Lines);
        }
    }
}
