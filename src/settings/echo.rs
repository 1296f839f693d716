//! How a value is shown in a message: never when it may be a secret, and always harmless to a terminal.

use crate::secrets::{Secret, shapes::looks_like_token};

/// Longer values are cut: a message is one line of a log.
const LONGEST: usize = 80;
/// A secret of fewer bytes is found in too many innocent texts to be looked for inside them.
const SHORTEST_INSIDE: usize = 8;
/// A text of fewer bytes tells too little of a secret it happens to be a part of.
const SHORTEST_PART: usize = 8;

/// What stands for a value that must not be seen.
const HIDDEN: &str = "(not shown: it looks like a token)";

/// Shows parts of one variable's value, or none of it.
#[derive(Clone, Copy)]
pub(super) struct Echo<'s> {
    secrets: &'s [Secret],
    hidden: bool,
}

impl<'s> Echo<'s> {
    /// For messages about a variable whose value is `whole`: where the whole looks like a secret, no part is shown.
    pub(super) fn new(whole: &str, secrets: &'s [Secret]) -> Echo<'s> {
        Echo { secrets, hidden: is_sensitive(whole, secrets) }
    }

    /// Whether the value as a whole must not be seen.
    pub(super) fn hides_all(&self) -> bool {
        self.hidden
    }

    /// Whether `part` must not be seen.
    pub(super) fn hides(&self, part: &str) -> bool {
        self.hidden || is_sensitive(part, self.secrets)
    }

    /// `part` in backticks, escaped and cut; or the words that stand for it.
    pub(super) fn show(&self, part: &str) -> String {
        if self.hides(part) {
            return HIDDEN.into();
        }
        let mut shown = String::from("`");
        for (index, character) in part.chars().enumerate() {
            if index == LONGEST {
                shown.push('…');
                break;
            }
            push_escaped(&mut shown, character);
        }
        shown.push('`');
        shown
    }
}

/// `name` without anything that a terminal would act on.
pub(super) fn escape(name: &str) -> String {
    let mut shown = String::new();
    name.chars().for_each(|character| push_escaped(&mut shown, character));
    shown
}

fn push_escaped(shown: &mut String, character: char) {
    match character {
        '\'' | '"' | '\\' => shown.push(character),
        // Covers control characters and the invisible ones that reorder text.
        other => shown.extend(other.escape_debug()),
    }
}

fn is_sensitive(text: &str, secrets: &[Secret]) -> bool {
    looks_like_token(text)
        || secrets.iter().map(Secret::expose).any(|secret| {
            text == secret
                || (secret.len() >= SHORTEST_INSIDE && text.contains(secret))
                || (text.len() >= SHORTEST_PART && secret.contains(text))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_escaped_and_cut() {
        let echo = Echo::new("", &[]);
        assert_eq!(echo.show("a \"b\"\n\x1b[31m\u{202e}é"), "`a \"b\"\\n\\u{1b}[31m\\u{202e}é`");
        assert_eq!(echo.show(&"x".repeat(81)), format!("`{}…`", "x".repeat(80)));
        assert_eq!(echo.show(&"x".repeat(80)), format!("`{}`", "x".repeat(80)));
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let secrets = [Secret::new("hunter2-hunter2"), Secret::new("ab")];
        let shown = |whole: &str, part: &str| Echo::new(whole, &secrets).show(part);
        assert_eq!(shown("x", "hunter2-hunter2"), HIDDEN);
        assert_eq!(shown("x", "a hunter2-hunter2 b"), HIDDEN);
        assert_eq!(shown("x", "ter2-hunt"), HIDDEN, "a part of a secret");
        assert_eq!(shown("x hunter2-hunter2", "x"), HIDDEN, "a part of a value that holds a secret");
        assert_eq!(shown("x", "ab"), HIDDEN);
        assert_eq!(shown("x", "cab"), "`cab`", "a secret this short is in every other word");
        assert_eq!(shown("x", &format!("dapi{}", "0".repeat(32))), HIDDEN);
    }
}
