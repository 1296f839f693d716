//! What must hold for whatever comes from outside: one function a parser, which is given bytes and panics where the
//! parser breaks its word.
//!
//! `cargo fuzz` looks for such bytes, from those in `fuzz/corpus` on; `cargo test` gives these to the same functions
//! each time, so that what was found once stays fixed. The inputs are text as far as what is read is text, so that a
//! corpus can be read, written by hand and compared.

mod journal;
mod lock;
mod notebooks;
mod paths;
mod plan;
mod redactor;
mod server_errors;
mod state;
mod token;
mod variables;

/// A property of all inputs.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("journal", journal::holds),
    ("lock", lock::holds),
    ("notebooks", notebooks::holds),
    ("paths", paths::holds),
    ("plan", plan::holds),
    ("redactor", redactor::holds),
    ("server_errors", server_errors::holds),
    ("state", state::holds),
    ("token", token::holds),
    ("variables", variables::holds),
];

/// Tries one input of the target `name`.
pub fn holds(name: &str, input: &[u8]) {
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => target(input),
        None => panic!("there is no target `{name}`"),
    }
}

/// The lines of an input that holds several texts. One that starts with a tab goes on with the text before, since a text
/// may have several lines.
fn folded(input: &[u8]) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        match (line.strip_prefix(b"\t"), texts.last_mut()) {
            (Some(more), Some(text)) => {
                text.push(b'\n');
                text.extend_from_slice(more);
            }
            _ => texts.push(line.to_vec()),
        }
    }
    texts
}

/// What a value must be that is told in a log: one line that can neither steer a terminal nor hide or turn what it says.
fn is_one_plain_line(text: &str) -> bool {
    !text.chars().any(|char| {
        char.is_control()
            // What breaks a line without being a control character.
            || matches!(char, '\u{2028}' | '\u{2029}')
            // Zero width, and all that Unicode calls Bidi_Control.
            || matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    })
}

/// Demands that a problem can be told: each part one plain line of some length, the link an address. A place may be a
/// file's name as it is; the console escapes it.
#[track_caller]
fn assert_can_be_told(problem: &databricks_deploy::problem::Problem) {
    const LONGEST: usize = 4_000;
    for part in [Some(&problem.message), problem.hint.as_ref(), problem.link.as_ref()] {
        let part = part.map_or("", |part| part.as_str());
        assert!(is_one_plain_line(part), "no plain line: {part:?}");
        assert!(part.chars().count() <= LONGEST, "too long to be told: {problem:?}");
    }
    assert!(!problem.message.trim().is_empty(), "nothing is said: {problem:?}");
    if let Some(link) = &problem.link {
        assert!(link.starts_with("https://") && !link.contains(char::is_whitespace), "no address: {link:?}");
    }
}
