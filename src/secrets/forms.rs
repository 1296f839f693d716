//! The forms in which a secret can stand in a text: as it is, encoded, escaped, line by line.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use std::collections::BTreeSet;

/// What is shorter is not searched for: it would blank ordinary words. Bytes.
pub const MIN_LENGTH: usize = 8;

/// Every form of `value` that is long enough to be searched for.
pub(super) fn all(value: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    for text in [value, value.trim()].into_iter().chain(lines(value)) {
        if text.len() >= MIN_LENGTH {
            forms.extend(escaped(text));
        }
    }
    forms.extend(base64(value.trim()));
    forms.retain(|form| form.len() >= MIN_LENGTH);
    forms
}

/// Every form of `value` that proves, in a file, that the secret is there.
///
/// Of a secret of several lines only lines without blanks and of some length prove it: the first lines of a service
/// account's key file, for example, are the same in all of them.
pub(super) fn telling(value: &str) -> BTreeSet<Vec<u8>> {
    const MIN_LINE: usize = 20;
    let value = value.trim();
    let mut forms = BTreeSet::new();
    if value.len() >= MIN_LENGTH {
        forms.extend(escaped(value));
        forms.extend(base64(value));
    }
    for line in lines(value).filter(|line| line.len() >= MIN_LINE && !line.contains([' ', '\t'])) {
        forms.extend(escaped(line));
    }
    forms.retain(|form| form.len() >= MIN_LENGTH);
    forms
}

/// Every base64 form of the pair that the Basic scheme sends.
pub(super) fn basic_pair(user: &str, value: &str) -> BTreeSet<Vec<u8>> {
    base64(&format!("{user}:{value}"))
}

/// The lines of a text of several lines, without what stands around them and without the frame of a PEM text, which
/// is no secret.
fn lines(value: &str) -> impl Iterator<Item = &str> {
    let several = value.trim().contains(['\n', '\r']);
    value
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(move |line| several && !line.is_empty() && !(line.starts_with("-----") && line.ends_with("-----")))
}

/// `text` as it is, as one line of the log, and escaped for shells, URLs, JSON, XML and Rust's own debug output.
fn escaped(text: &str) -> Vec<Vec<u8>> {
    let debug = format!("{text:?}");
    let debug = debug.strip_prefix('"').and_then(|debug| debug.strip_suffix('"')).unwrap_or_default();
    // The same but for apostrophes.
    let mut forms = vec![text.as_bytes().to_vec(), debug.into(), text.escape_debug().to_string().into_bytes()];
    forms.push(crate::text::one_line(text).into_bytes());
    // Between apostrophes.
    forms.extend([r"'\''", r#"'"'"'"#].map(|apostrophe| text.replace('\'', apostrophe).into_bytes()));
    url_encoded(text.as_bytes(), &mut forms);
    json_escaped(text, &mut forms);
    xml_escaped(text, &mut forms);
    forms
}

/// The base64 forms: in both alphabets, at each of the three places that a text can have in a longer one; from each
/// only the characters that do not depend on its neighbours, and the ends with and without padding.
fn base64(text: &str) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::new();
    if text.len() < MIN_LENGTH {
        return forms;
    }
    for engine in [&STANDARD, &URL_SAFE] {
        for offset in 0..3_usize {
            let mut bytes = vec![0; offset];
            bytes.extend_from_slice(text.as_bytes());
            let encoded = engine.encode(&bytes);
            // A character holds six bits: the first that knows nothing of the bytes before, the last that knows
            // nothing of the bytes behind.
            let (first, last) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
            let ends = [last, encoded.trim_end_matches('=').len(), encoded.len()];
            for form in ends.into_iter().filter_map(|end| encoded.as_bytes().get(first..end)) {
                // In a URL and in JSON, `+`, `/` and `=` may be encoded once more.
                if let Ok(text) = std::str::from_utf8(form) {
                    let upper = text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                    forms.insert(upper.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d").into_bytes());
                    forms.insert(upper.into_bytes());
                    forms.insert(text.replace('/', "\\/").into_bytes());
                }
                forms.insert(form.to_vec());
            }
        }
    }
    forms
}

/// Percent-encoding as the common encoders do it. They differ in what they leave alone, in the case of the digits, and
/// in the blank.
fn url_encoded(bytes: &[u8], forms: &mut Vec<Vec<u8>>) {
    const LEFT_ALONE: [&[u8]; 6] = [b"-._~", b"-._", b"*-._", b"-._~!*'()", b"-._~!$&'()*+,;=:@", b"-._~/"];
    const DIGITS: [&[u8; 16]; 2] = [b"0123456789ABCDEF", b"0123456789abcdef"];
    if bytes.iter().all(u8::is_ascii_alphanumeric) {
        return;
    }
    for alone in LEFT_ALONE {
        for digits in DIGITS {
            for blank in [b"%20".as_slice(), b"+"] {
                let mut form = Vec::with_capacity(bytes.len() * 3);
                for &byte in bytes {
                    if byte.is_ascii_alphanumeric() || alone.contains(&byte) {
                        form.push(byte);
                    } else if byte == b' ' {
                        form.extend_from_slice(blank);
                    } else {
                        let digit = |value: u8| digits.get(usize::from(value)).copied().unwrap_or(b'0');
                        form.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
                    }
                }
                forms.push(form);
            }
        }
    }
}

/// JSON strings as the common encoders write them: plain, with `\/`, with `<`, `>` and `&` as Go does, in ASCII only as
/// Python and, with upper-case digits, Java do; and a JSON text inside of a JSON text.
fn json_escaped(text: &str, forms: &mut Vec<Vec<u8>>) {
    let plain = json(text, |_| false);
    forms.push(json(&plain, |_| false).into_bytes());
    forms.push(plain.replace('/', "\\/").into_bytes());
    let ascii = json(text, |c| !c.is_ascii());
    let upper = upper_case_numbers(&ascii);
    for form in [json(text, |c| matches!(c, '<' | '>' | '&')), ascii, upper] {
        forms.push(form.replace('/', "\\/").into_bytes());
        forms.push(form.into_bytes());
    }
    let by_number = json(text, |c| !c.is_ascii() || matches!(c, '<' | '>' | '&' | '\''));
    forms.push(by_number.into_bytes());
    forms.push(plain.into_bytes());
}

/// `json`, in which every `\u00e9` is written `\u00E9`.
fn upper_case_numbers(json: &str) -> String {
    let (mut out, mut digits, mut escaped) = (String::with_capacity(json.len()), 0, false);
    for c in json.chars() {
        if digits > 0 {
            out.push(c.to_ascii_uppercase());
            digits -= 1;
        } else {
            out.push(c);
            digits = if escaped && c == 'u' { 4 } else { 0 };
            escaped = c == '\\' && !escaped;
        }
    }
    out
}

fn json(text: &str, by_number: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || by_number(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// XML and HTML texts and attributes.
fn xml_escaped(text: &str, forms: &mut Vec<Vec<u8>>) {
    let inner = text.replace('&', "&amp;").replace('<', "&lt;");
    let both = inner.replace('>', "&gt;");
    forms.push(both.replace('"', "&quot;").into_bytes());
    for apostrophe in ["&apos;", "&#39;", "&#x27;"] {
        for quote in ["&quot;", "&#34;"] {
            forms.push(both.replace('"', quote).replace('\'', apostrophe).into_bytes());
        }
    }
    forms.push(inner.into_bytes());
    forms.push(both.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(forms: &BTreeSet<Vec<u8>>, form: &str) -> bool {
        forms.contains(form.as_bytes())
    }

    #[test]
    fn a_plain_secret_has_few_forms() {
        let forms = all("dapi0123456789abcdef0123456789abcdef");
        assert!(has(&forms, "dapi0123456789abcdef0123456789abcdef"));
        assert!(forms.len() <= 12, "{}", forms.len());
    }

    #[test]
    fn special_characters_are_written_as_other_programs_write_them() {
        let forms = all("a b/c\"d&'<é");
        for form in [
            "a+b%2Fc%22d%26%27%3C%C3%A9",
            "a%20b%2fc%22d%26%27%3c%c3%a9",
            "a%20b/c%22d%26%27%3C%C3%A9",
            "a%20b%2Fc%22d%26'%3C%C3%A9",
            r#"a b/c\"d&'<é"#,
            r#"a b\/c\"d&'<é"#,
            r#"a b/c\\\"d&'<é"#,
            r#"a b/c\"d\u0026'\u003cé"#,
            r#"a b/c\"d&'<\u00e9"#,
            r#"a b/c\"d&'<\u00E9"#,
            "a b/c&quot;d&amp;&apos;&lt;é",
            "a b/c&#34;d&amp;&#39;&lt;é",
            "a b/c\"d&amp;'&lt;é",
            r#"a b/c\"d&\'<é"#,
        ] {
            assert!(has(&forms, form), "{form}");
        }
        assert!(has(&all("it's\n\u{1}secret"), r"it's\n\u{1}secret"), "as Rust writes it between quotes");
    }

    #[test]
    fn base64_forms_leave_out_what_depends_on_neighbours() {
        let forms = all("passwort");
        for (text, inner) in [("passwort", "cGFzc3dvcn"), ("xpasswort", "Bhc3N3b3J0"), ("xxpasswort", "wYXNzd29yd")] {
            assert!(has(&forms, inner), "{text}: {}", STANDARD.encode(text));
            assert!(STANDARD.encode(text).contains(inner));
        }
        assert!(has(&forms, "cGFzc3dvcnQ="));
        assert!(has(&forms, "cGFzc3dvcnQ"));
    }

    #[test]
    fn short_ones_and_frames_are_not_searched_for() {
        assert!(all("seven77").is_empty());
        assert!(all("   seven77   ").iter().all(|form| form.len() > 8));
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nshort\n-----END PRIVATE KEY-----\n";
        let forms = all(pem);
        assert!(has(&forms, "MIIEvQIBADANBgkqhkiG9w0BAQEF"));
        assert!(!has(&forms, "-----BEGIN PRIVATE KEY-----") && !has(&forms, "short"));
    }

    #[test]
    fn a_common_line_proves_nothing_in_a_file() {
        let key = "{\n  \"type\": \"service_account\",\n  \"private_key_id\":\"0123456789abcdef0123456789abcdef\"\n}\n";
        assert!(all(key).contains(b"\"type\": \"service_account\",".as_slice()));
        let forms = telling(key);
        assert!(!has(&forms, "\"type\": \"service_account\","));
        assert!(has(&forms, "\"private_key_id\":\"0123456789abcdef0123456789abcdef\""));
    }
}
