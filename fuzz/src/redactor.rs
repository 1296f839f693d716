//! The redactor: what it learnt never comes out, in no form. Secrets, one a line, where a line that starts with a tab
//! goes on with the one before; a line `--`; the text that they stand in.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use databricks_deploy::secrets::{MARKER, MIN_LENGTH, RedactingWriter, Redactor, Secret};
use std::io::Write as _;

/// Who the secrets of the Basic scheme belong to.
const USER: &str = "x-token-auth";

pub(crate) fn holds(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (secrets, text) = input.split_once("\n--\n").unwrap_or((&input, ""));
    let secrets = super::folded(secrets.as_bytes()).into_iter().take(4);
    let secrets: Vec<String> = secrets.filter_map(|secret| String::from_utf8(secret).ok()).collect();
    let redactor = Redactor::new();
    for secret in &secrets {
        let kept = redactor.learn_pair(USER, &Secret::new(secret.as_str()));
        assert_eq!(kept, secret.trim().len() >= MIN_LENGTH || secret.trim().is_empty(), "{secret:?}");
    }
    let found: Vec<&str> = secrets.iter().flat_map(|secret| pieces(secret)).collect();
    nothing_is_left_of(&found, &redactor, text);
    // All forms of all secrets in one text: the search is the same, and a hundred times as fast.
    let written: Vec<String> = found.iter().flat_map(|piece| forms(piece, text)).collect();
    let redacted = nothing_is_left_of(&found, &redactor, &written.join(&format!("\n{text} ")));
    for form in &written {
        assert!(form == MARKER || !redacted.contains(form), "{form:?} is left in {redacted:?}");
    }
    let whole = secrets.iter().map(|secret| secret.trim()).filter(|secret| secret.len() >= MIN_LENGTH);
    in_base64(&whole.collect::<Vec<_>>(), text, &redactor);
    line_by_line(&redactor, text);
}

/// A secret of several lines is one a line; what is too short is found in too many innocent texts.
fn pieces(secret: &str) -> Vec<&str> {
    let lines = secret.split(['\n', '\r']).map(str::trim);
    // The frame of a PEM text is in every such text.
    let lines = lines.filter(|line| !(line.starts_with("-----") && line.ends_with("-----")));
    let mut pieces: Vec<&str> = if secret.trim().contains(['\n', '\r']) { lines.collect() } else { Vec::new() };
    pieces.push(secret.trim());
    pieces.retain(|piece| piece.len() >= MIN_LENGTH);
    pieces
}

/// As other programs write a secret or a line of it, by other encoders than the redactor's own.
fn forms(piece: &str, text: &str) -> Vec<String> {
    let inner = |quoted: String| quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned();
    let json = inner(serde_json::to_string(piece).unwrap_or_default());
    let url: String = url::form_urlencoded::byte_serialize(piece.as_bytes()).collect();
    let xml = piece.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let forms = [
        piece.to_owned(),
        json.clone(),
        json.replace('/', "\\/"),
        url.replace('+', "%20"),
        url,
        xml.replace('\'', "&#39;"),
        xml,
        inner(format!("{piece:?}")),
    ];
    // Where the text itself looks like the form, nobody can tell what is left.
    forms.into_iter().filter(|form| form.len() >= MIN_LENGTH && !text.contains(form.as_str())).collect()
}

/// Redacts, and demands that no secret is left as it is, that all is said by what is left, and that it ends.
fn nothing_is_left_of(pieces: &[&str], redactor: &Redactor, text: &str) -> String {
    let redacted = redactor.redact(text);
    for piece in pieces {
        assert!(*piece == MARKER || !redacted.contains(piece), "{piece:?} is left in {redacted:?}");
    }
    assert_eq!(redactor.redact(&redacted), redacted, "redacting twice is redacting once");
    let length = text.chars().count() / 2;
    let (head, cut) = redactor.cut(text, length);
    assert!(redacted.starts_with(&head) && head.chars().count() <= length && cut == (head != redacted));
    assert!(redactor.tail(text, length).chars().count() <= length + 1);
    redacted.into_owned()
}

/// In base64 a text looks different at each of three places; of its form only what does not depend on its neighbours
/// can be known.
fn in_base64(secrets: &[&str], neighbours: &str, redactor: &Redactor) {
    let neighbours = neighbours.as_bytes();
    let neighbours = &neighbours[..neighbours.len().min(16)];
    let (mut text, mut inner) = (String::new(), Vec::new());
    for secret in secrets {
        for before in 0..=neighbours.len().min(3) {
            let bytes = [&neighbours[..before], secret.as_bytes(), neighbours].concat();
            for engine in [&STANDARD, &URL_SAFE] {
                let encoded = engine.encode(&bytes);
                inner.push(encoded[(before * 8).div_ceil(6)..(before + secret.len()) * 8 / 6].to_owned());
                text = text + &encoded + "\n";
            }
        }
        let pair = STANDARD.encode(format!("{USER}:{secret}"));
        text = text + &pair + "\n" + &STANDARD.encode(secret);
        inner.extend([pair.trim_end_matches('=').to_owned()]);
    }
    let redacted = redactor.redact(&text);
    for inner in inner {
        assert!(!redacted.contains(&inner), "{inner} is left in {redacted}");
    }
}

/// What is written in pieces comes out as what is written at once, line by line.
fn line_by_line(redactor: &Redactor, text: &str) {
    let expected: String = text.split_inclusive('\n').map(|line| redactor.redact(line).into_owned()).collect();
    let mut written = Vec::new();
    let mut writer = RedactingWriter::new(&mut written, redactor.clone());
    for piece in text.as_bytes().chunks(7) {
        let _ = writer.write_all(piece);
    }
    drop(writer);
    assert_eq!(String::from_utf8_lossy(&written), expected);
}
