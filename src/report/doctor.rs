//! `doctor.json`: what the doctor found, for programs; described by `doctor.schema.json`.

use crate::exit::Exit;
use crate::finding::Finding;
use serde::Serialize;

/// The version of the form: it goes up when a reader of the old one could be misled.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'static str,
    complete: bool,
    exit_code: Option<u8>,
    findings: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    group: &'static str,
    verdict: &'static str,
    code: Option<&'static str>,
    place: Option<&'a str>,
    message: &'a str,
    hint: Option<&'a str>,
    link: Option<&'a str>,
    lines: &'a [String],
}

/// The text of the file; it has not been redacted. `exit` is `None` as long as the examination goes on.
pub(crate) fn document(findings: &[Finding], complete: bool, exit: Option<Exit>) -> String {
    let findings = findings.iter().map(|finding| Told {
        group: finding.group.name(),
        verdict: finding.verdict.name(),
        code: finding.code.map(crate::problem::Code::as_str),
        place: finding.place.as_deref(),
        message: &finding.message,
        hint: finding.hint.as_deref(),
        link: finding.link.as_deref(),
        lines: &finding.exhibit,
    });
    let exit_code = exit.map(Exit::code);
    let document =
        Document { schema: SCHEMA, version: crate::VERSION, complete, exit_code, findings: findings.collect() };
    // Texts and numbers: there is nothing in it that JSON cannot hold.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}
