//! Answers of servers: a line `status request`, lines `name: value`, an empty line, the body.

use super::{assert_can_be_told, is_one_plain_line};
use databricks_deploy::databricks::error::{ApiError, Error, classify, parse_done, parse_json};
use databricks_deploy::http::header::{HeaderMap, HeaderName, HeaderValue};
use databricks_deploy::http::{Answer, Failure, Verdict};
use serde_json::Value;

/// What one text of a server can have, in characters: 600 and the mark of a cut.
const LONGEST: usize = 601;

pub(crate) fn holds(input: &[u8]) {
    let answer = answer(input);
    let error = ApiError::read(&answer);
    assert_eq!(error, ApiError::read(&answer), "one answer has one meaning");
    assert_eq!(error.status, answer.status);
    texts(&error);
    verdict(&answer, &error);
    let _ = (answer.date(), answer.retry_after());
    for error in [Error::from(error), Error::from(Failure::Refused(answer))] {
        assert_can_be_told(&error.problem());
        let asked = [
            error.is_about_identity(),
            error.is_lost_identity(),
            error.is_about_one_object(),
            error.is_passing(),
            error.is_too_long(),
            error.has_no_credential(),
        ];
        assert!(!(asked[1] && asked[2]), "who we are concerns more than one object: {error:?}");
    }
}

fn answer(input: &[u8]) -> Answer {
    let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (input, &b""[..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (status, request) = first.split_once(' ').unwrap_or((&first, "GET /api/2.0/workspace/list"));
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    // The request is ours, so it is one of a few.
    let request = if request.contains("mkdirs") {
        "POST /api/2.0/workspace/mkdirs"
    } else if request.contains("jobs") {
        "POST /api/2.2/jobs/run-now"
    } else {
        "GET /api/2.0/workspace/list"
    };
    Answer {
        status: status.parse::<u16>().unwrap_or(400).clamp(100, 999),
        headers,
        body: body.to_vec().into(),
        request: request.into(),
        attempts: 1,
    }
}

/// Everything that the server said is a line of bounded length.
fn texts(error: &ApiError) {
    let details = &error.details;
    let metadata = details.metadata.iter().flat_map(|(name, value)| [name, value]);
    let texts = [&error.message].into_iter().chain(&error.code).chain(&error.request_id).chain(&details.reason);
    for text in texts.chain(metadata).chain(&details.links) {
        assert!(is_one_plain_line(text), "{text:?}");
        assert!(text.chars().count() <= LONGEST, "{} characters: {text}", text.chars().count());
    }
    for text in &details.violations {
        assert!(is_one_plain_line(text) && text.chars().count() <= 2 * LONGEST + 2, "{text:?}");
    }
    assert!(details.violations.len() <= 256 && details.links.len() <= 256 && details.metadata.len() <= 16);
    assert!(!error.message.is_empty(), "nothing is said: {error:?}");
    assert!(is_one_plain_line(&error.words()) && is_one_plain_line(&error.to_string()));
}

/// What is made of an answer agrees with the answer.
fn verdict(answer: &Answer, error: &ApiError) {
    let verdict = classify(answer);
    let json = parse_json::<Value>(answer);
    match answer.status {
        401 => assert_eq!(verdict, Verdict::LoginAgain),
        429 | 503 => assert_eq!(verdict, Verdict::Retry),
        200..=299 => assert!(matches!(verdict, Verdict::Accept | Verdict::Foreign), "{verdict:?}"),
        _ => assert_ne!(verdict, Verdict::Accept, "no success: {error:?}"),
    }
    if json.is_ok() || parse_done(answer).is_ok() {
        assert_eq!(verdict, Verdict::Accept, "it is read, and is not accepted");
    }
    if let Err(error) = json {
        texts(&error);
    }
}
