//! References that nobody resolved.

use crate::problem::{Code, Problem};

/// The name in a text that is `$NAME` or `${NAME}` and nothing else. The step's shell replaces every reference, even one
/// to a name it does not know; what is left was never seen by a shell, or quoted away from it.
pub(in crate::settings) fn unresolved(text: &str) -> Option<&str> {
    let reference = text.strip_prefix('$')?;
    let name = match reference.strip_prefix('{') {
        Some(braced) => braced.strip_suffix('}')?,
        None => reference,
    };
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    (starts_well && characters.all(|next| next.is_ascii_alphanumeric() || next == '_')).then_some(name)
}

/// Says where `name` can be defined. `subject` is what holds the reference, as the start of a sentence; `shown` is how
/// the reference looks.
pub(in crate::settings) fn unresolved_problem(subject: &str, shown: &str, name: Option<&str>) -> Problem {
    let name = name.map_or_else(|| "that name".to_owned(), |name| format!("`{name}`"));
    Problem::new(
        Code::UnresolvedVariable,
        format!("{subject}the literal {shown}, because the step never defined {name}"),
    )
    .hint(format!(
        "define {name} as a repository, workspace or deployment variable; a deployment variable is there only in \
             a step with that `deployment:`"
    ))
}

#[cfg(test)]
mod tests {
    use super::unresolved;

    #[test]
    fn only_a_whole_reference_counts() {
        for (text, name) in [("$A", "A"), ("${A_1}", "A_1"), ("$_a", "_a")] {
            assert_eq!(unresolved(text), Some(name), "{text}");
        }
        for text in ["", "$", "${}", "$1", "${A", "$A}", "x$A", "$A/b", "$$A", "${A:-b}", "A"] {
            assert_eq!(unresolved(text), None, "{text}");
        }
    }
}
