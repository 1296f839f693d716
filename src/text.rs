//! Small pieces of text for people.

use std::time::{Duration, SystemTime};

/// `5m 3s`, `1s 200ms`, `35ms`: as exact as a reader of a log wants it.
pub fn duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let step = if millis >= 10_000 {
        1_000
    } else if millis >= 1_000 {
        100
    } else {
        1
    };
    humantime::format_duration(Duration::from_millis(millis / step * step)).to_string()
}

/// `2026-03-02 09:00:00 UTC`.
pub fn clock(time: SystemTime) -> String {
    // The formatter cannot write years of five digits, which a token may name.
    const LATEST: Duration = Duration::from_secs(253_402_300_799);
    let time = time.min(SystemTime::UNIX_EPOCH + LATEST).max(SystemTime::UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string().replace('T', " ").replace('Z', " UTC")
}

/// `1 notebook`, `1,024 notebooks`.
pub fn count(number: usize, singular: &str) -> String {
    format!("{} {singular}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}

/// `1,024`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `312 B`, `4.0 kB`, `1.5 MB`: decimal units.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_000.0;
    let mut unit = 0;
    // 999.95 would be shown as "1000.0".
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A text from elsewhere as one line that cannot steer a terminal or forge a second line of the log.
pub fn one_line(text: &str) -> String {
    let plain = plain(text);
    let mut line = String::with_capacity(plain.len());
    for word in plain.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// How much of what somebody else may have written is told, in characters.
pub const EXCERPT: usize = 300;

/// At most `longest` characters of [`one_line`]. It is cut between two words, because it is not redacted yet: the front
/// half of a secret would be found by no redactor.
pub fn excerpt(text: &str, longest: usize) -> String {
    let mut line = one_line(text);
    let Some((end, next)) = line.char_indices().nth(longest) else { return line };
    line.truncate(end);
    if next != ' ' {
        line.truncate(line.rfind(' ').map_or(0, |blank| blank + 1));
    }
    line.push('…');
    line
}

/// Whether a text from elsewhere is the address of a page, and nothing else that somebody could have written there.
pub fn is_link(text: &str) -> bool {
    const LONGEST: usize = 2_000;
    let plain = |char: char| !char.is_whitespace() && !steers(char);
    text.len() <= LONGEST
        && text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

/// A text from elsewhere without terminal escape sequences and control characters, its lines kept. Databricks' Python
/// traces are full of colours.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => match chars.peek() {
                // CSI: parameters, then one final byte from `@` to `~`.
                Some('[') => {
                    chars.next();
                    for char in chars.by_ref() {
                        if ('@'..='~').contains(&char) {
                            break;
                        }
                    }
                }
                // OSC: up to BEL or ESC `\`, on this line: one that does not end must not take the rest with it.
                Some(']') => {
                    while let Some(char) = chars.next_if(|char| *char != '\n') {
                        if char == '\u{7}' || (char == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                // Two characters, such as ESC `\`.
                Some('@'..='_') => {
                    chars.next();
                }
                _ => {}
            },
            '\n' | '\t' => plain.push(char),
            // A progress bar draws over its own line; in a log each state is a line of its own.
            '\r' if chars.peek() != Some(&'\n') => plain.push('\n'),
            char if steers(char) => {}
            char => plain.push(char),
        }
    }
    plain
}

/// Whether a character steers instead of showing: control characters, and those that reorder or hide text.
pub(crate) fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The line with what could steer a terminal or forge a second line made visible.
pub fn controls_escaped(line: &str) -> std::borrow::Cow<'_, str> {
    if !line.chars().any(|char| steers(char) && char != '\t') {
        return line.into();
    }
    let mut escaped = String::with_capacity(line.len() + 8);
    for char in line.chars() {
        match char {
            '\t' => escaped.push('\t'),
            char if steers(char) => escaped.extend(char.escape_default()),
            char => escaped.push(char),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_exact_as_a_reader_wants() {
        for (millis, shown) in [(0, "0s"), (35, "35ms"), (1_234, "1s 200ms"), (12_999, "12s"), (303_000, "5m 3s")] {
            assert_eq!(duration(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn numbers_are_grouped_and_plural() {
        assert_eq!(count(1, "notebook"), "1 notebook");
        assert_eq!(count(0, "notebook"), "0 notebooks");
        assert_eq!(count(1_234_567, "file"), "1,234,567 files");
        assert_eq!((bytes(999), bytes(1_500), bytes(999_999)), ("999 B".into(), "1.5 kB".into(), "1.0 MB".into()));
    }

    #[test]
    fn a_text_from_elsewhere_can_neither_colour_nor_forge_lines() {
        assert_eq!(
            plain("\u{1b}[0;31mZeroDivisionError\u{1b}[0m: division\r\nby\tzero"),
            "ZeroDivisionError: division\nby\tzero"
        );
        assert_eq!(plain("\u{1b}]8;;http://evil\u{7}link\u{1b}]8;;\u{7}"), "link");
        assert_eq!(plain("\u{1b}]0;no end\nValueError: x\u{1b}\\"), "\nValueError: x");
        assert_eq!(plain("10%\r50%\r\nuser\u{202e}name\u{200b}"), "10%\n50%\nusername");
        assert_eq!(controls_escaped("a\u{202e}b\nc\t"), "a\\u{202e}b\\nc\t");
        assert_eq!(one_line("a\n✔ Done.\u{1b}[32m"), "a ✔ Done.");
        assert_eq!(plain("a\u{61c}b"), "ab", "the mark of Arabic letters turns what is beside it");
    }

    #[test]
    fn an_excerpt_ends_between_two_words() {
        for (text, longest, shown) in [
            ("one two", 7, "one two"),
            ("one two", 6, "one …"),
            ("one two", 3, "one…"),
            ("one\ntwo three", 7, "one two…"),
            ("onetwo", 5, "…"),
            ("", 0, ""),
        ] {
            assert_eq!(excerpt(text, longest), shown, "{text} {longest}");
        }
    }

    #[test]
    fn a_link_is_an_address_and_nothing_else() {
        assert!(is_link("https://bitbucket.org/acme/etl/pipelines/results/7"));
        let long = format!("https://x/{}", "x".repeat(2_000));
        for other in [
            "",
            "https://",
            "http://x",
            "javascript:x",
            "https://x y",
            "https://x\u{1b}[31m",
            "https://\u{202e}x",
            &long,
        ] {
            assert!(!is_link(other), "{other:?}");
        }
    }
}
