use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

fn knowing(secrets: &[&str]) -> Redactor {
    let redactor = Redactor::new();
    for secret in secrets {
        redactor.learn(&Secret::new(*secret));
    }
    redactor
}

#[test]
fn all_clones_learn_together() {
    let redactor = Redactor::new();
    let clone = redactor.clone();
    assert_eq!(clone.redact("a correct-horse"), "a correct-horse");
    assert!(redactor.learn(&Secret::new("correct-horse")));
    assert_eq!(clone.redact("a correct-horse"), "a [secret]");
    clone.learn(&Secret::new("battery-staple"));
    assert_eq!(redactor.redact("correct-horse, battery-staple"), "[secret], [secret]");
}

#[test]
fn a_short_secret_is_not_searched_for_and_that_is_told() {
    let redactor = Redactor::new();
    assert!(!redactor.learn(&Secret::new("etl")));
    assert!(!redactor.learn(&Secret::new(" seven77 \n")));
    assert!(redactor.learn(&Secret::new("eight888")));
    assert!(redactor.learn(&Secret::new("")));
    assert_eq!(redactor.redact("the etl with seven77 and eight888"), "the etl with seven77 and [secret]");
}

#[test]
fn the_pair_of_the_basic_scheme_is_taken_out() {
    let redactor = Redactor::new();
    redactor.learn_pair("client-id", &Secret::new("correct-horse"));
    let pair = STANDARD.encode("client-id:correct-horse");
    assert_eq!(redactor.redact(&format!("sent {pair}.")), "sent [secret].");
}

#[test]
fn of_overlapping_secrets_no_rest_stays() {
    let redactor = knowing(&["abcdefghij", "fghijklmno", "abcdefghijkl-and-longer"]);
    assert_eq!(redactor.redact("<abcdefghijklmno>"), "<[secret]>");
    assert_eq!(redactor.redact("<abcdefghijkl-and-longer>"), "<[secret]>");
    assert_eq!(redactor.redact("<abcdefghijabcdefghij>"), "<[secret]>");
}

#[test]
fn shapes_need_not_be_learnt() {
    let redactor = Redactor::new();
    let token = format!("dapi{}", "0123456789abcdef".repeat(2));
    assert_eq!(redactor.redact(&format!("got {token}!")), "got [secret]!");
    assert_eq!(redactor.redact("Authorization: Basic dTpw\nX: y"), "Authorization: Basic [secret]\nX: y");
    assert_eq!(redactor.redact("https://u:p@h/x and https://h/x"), "https://u:[secret]@h/x and https://h/x");
}

#[test]
fn secrets_that_play_with_the_marker_end() {
    for secrets in [vec!["[secret]"], vec!["secret]x"], vec!["cret]xyz", "[se[secr"], vec!["a[secret]b", "b[secret]a"]]
    {
        let redactor = knowing(&secrets);
        for text in ["[secret]xyz", "a[secret]ba[secret]b", "secret]xsecret]x", "a[secret]xb[secret]xyz"] {
            let once = redactor.redact(text).into_owned();
            assert!(secrets.iter().all(|secret| *secret == MARKER || !once.contains(secret)), "{text} {once}");
            assert!(matches!(redactor.redact(&once), Cow::Borrowed(_)), "{text} {once}");
        }
    }
}

#[test]
fn an_excerpt_is_redacted_before_it_is_cut() {
    let redactor = knowing(&["correct-horse"]);
    assert_eq!(redactor.head("é correct-horse battery", 10), "é [secret]…");
    assert_eq!(redactor.head("é correct-horse", 5), "é [se…");
    assert_eq!(redactor.tail("é correct-horse battery é", 11), "…] battery é");
    assert_eq!(redactor.tail("staple correct-horse", 4), "…ret]");
    for whole in [redactor.head("short é", 7), redactor.tail("short é", 7)] {
        assert_eq!(whole, "short é");
    }
    assert_eq!(redactor.head("", 0), "");
    assert_eq!(redactor.tail("ab", 0), "…");
}

#[test]
fn what_a_shell_or_the_log_makes_of_a_secret_is_taken_out_too() {
    let redactor = knowing(&["it's  the correct-horse"]);
    for text in [r"X='/a/it'\''s  the correct-horse'", r#"X='/a/it'"'"'s  the correct-horse'"#] {
        assert_eq!(redactor.redact(text), "X='/a/[secret]'");
    }
    assert_eq!(redactor.redact("it says: it's the correct-horse"), "it says: [secret]");
}

#[test]
fn nothing_of_it_is_debugged() {
    assert!(!format!("{:?}", knowing(&["correct-horse"])).contains("horse"));
}

/// How other programs write a value: not by the code under test.
fn written(form: usize, value: &str) -> String {
    match form {
        0 => value.to_owned(),
        1 => serde_json::to_string(value).unwrap(),
        2 => url::form_urlencoded::byte_serialize(value.as_bytes()).collect(),
        3 => url::form_urlencoded::byte_serialize(value.as_bytes())
            .map(|part| if part.starts_with('%') { part.to_lowercase() } else { part.replace('+', "%20") })
            .collect(),
        4 => STANDARD.encode(value),
        5 => STANDARD_NO_PAD.encode(value),
        6 => URL_SAFE.encode(value),
        7 => URL_SAFE_NO_PAD.encode(value),
        8 => format!("{value:?}"),
        9 => value
            .chars()
            .map(|c| match c {
                '&' => "&amp;".into(),
                '<' => "&lt;".into(),
                '>' => "&gt;".into(),
                '"' => "&quot;".into(),
                '\'' => "&apos;".into(),
                c => c.to_string(),
            })
            .collect(),
        10 => serde_json::to_string(&serde_json::to_string(value).unwrap()).unwrap(),
        // In a shell's apostrophes.
        11 => value.replace('\'', r"'\''"),
        12 => value.replace('\'', r#"'"'"'"#),
        // As one line of the log.
        _ => value.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

proptest! {
    #[test]
    fn no_secret_survives_in_any_form(
        secret in "[!-~][ -~é]{6,40}[!-~]", form in 0..14_usize, before in "[ -~é\n]{0,20}", after in "[ -~é\n]{0,20}",
    ) {
        prop_assume!(secret != MARKER);
        let redactor = knowing(&[&secret]);
        let form = written(form, &secret);
        let redacted = redactor.redact(&format!("{before}{form}{after}")).into_owned();
        let bare = form.trim_matches('"').trim_matches('\\').trim_matches('"');
        prop_assert!(!redacted.contains(&form) && !redacted.contains(&secret), "{}", redacted);
        prop_assert!(!redacted.contains(bare), "{}", redacted);
        prop_assert!(matches!(redactor.redact(&redacted), Cow::Borrowed(_)));
    }

    #[test]
    fn no_secret_survives_inside_of_base64(
        secret in "[!-~][ -~]{6,40}[!-~]", before in "[ -~]{0,20}", after in "[ -~]{0,20}", url_safe: bool,
    ) {
        let engine = if url_safe { &URL_SAFE } else { &STANDARD };
        let encoded = engine.encode(format!("{before}{secret}{after}"));
        // The characters that hold nothing but bits of the secret.
        let (from, to) = ((before.len() * 8).div_ceil(6), (before.len() + secret.len()) * 8 / 6);
        let redacted = knowing(&[&secret]).redact(&encoded).into_owned();
        prop_assert!(!redacted.contains(&encoded[from..to]), "{}", redacted);
        prop_assert_ne!(redacted, encoded);
    }

    #[test]
    fn no_line_of_a_secret_survives(
        lines in prop::collection::vec("[a-z][ -~]{6,30}[a-z]", 2..5), pick: prop::sample::Index, crlf: bool,
    ) {
        let redactor = knowing(&[&lines.join(if crlf { "\r\n" } else { "\n" })]);
        let line = pick.get(&lines);
        prop_assert_eq!(redactor.redact(&format!("> {line} <")).into_owned(), "> [secret] <");
    }

    #[test]
    fn text_without_secrets_is_not_touched(text in "[a-z \n.]{0,200}") {
        prop_assert!(matches!(knowing(&["Correct-Horse"]).redact(&text), Cow::Borrowed(_)));
    }

    #[test]
    fn redacting_twice_is_redacting_once(
        secrets in prop::collection::vec("[a-c\\[\\]secrt]{8,10}", 1..4), text in "[a-c\\[\\]secrt]{0,60}", at: prop::sample::Index,
    ) {
        let redactor = knowing(&secrets.iter().map(String::as_str).collect::<Vec<_>>());
        let at = at.index(text.len() + 1);
        let once = redactor.redact(&format!("{}{}{}", &text[..at], secrets[0], &text[at..])).into_owned();
        prop_assert!(secrets.iter().all(|secret| secret == MARKER || !once.contains(secret)));
        prop_assert!(matches!(redactor.redact(&once), Cow::Borrowed(_)));
    }
}
