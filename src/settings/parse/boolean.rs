//! Booleans.

use crate::problem::{Code, Problem};
use crate::settings::echo::Echo;

const YES: [&str; 4] = ["true", "yes", "on", "y"];
const NO: [&str; 4] = ["false", "no", "off", "n"];

/// Reads a boolean as YAML 1.1 spells it (the official pipes read theirs through a YAML parser), or `1` or `0`.
pub(in crate::settings) fn boolean(text: &str, echo: Echo<'_>) -> Result<bool, Problem> {
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| in_usual_capitals(text, word));
    if text == "1" || is_one_of(YES) {
        Ok(true)
    } else if text == "0" || is_one_of(NO) {
        Ok(false)
    } else {
        Err(Problem::new(Code::InvalidValue, format!("{} is neither true nor false", echo.show(text)))
            .hint("use `true` or `false`; `yes`, `no`, `on`, `off`, `1` and `0` are understood too"))
    }
}

/// `word`, `Word` or `WORD`.
fn in_usual_capitals(text: &str, word: &str) -> bool {
    let tail_of = |text: &'_ str| text.get(1..).map(str::to_owned);
    text == word
        || text == word.to_ascii_uppercase()
        || (text.eq_ignore_ascii_case(word)
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && tail_of(text) == tail_of(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_yaml_and_digits() {
        let read = |text: &str| boolean(text, Echo::new(text, &[])).ok();
        for text in ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", "1"] {
            assert_eq!(read(text), Some(true), "{text}");
        }
        for text in ["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N", "0"] {
            assert_eq!(read(text), Some(false), "{text}");
        }
        for text in ["tRUE", "yEs", "oN", "2", "01", "truee", "t", "null", "~", "\u{130}"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
