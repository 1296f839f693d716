use super::*;
use crate::http::Verdict;
use crate::problem::Code;
use proptest::prelude::*;

fn answer(request: &str, status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
    let mut answer = Answer {
        status,
        headers: Default::default(),
        body: body.as_bytes().to_vec().into(),
        request: request.into(),
        attempts: 1,
    };
    for (name, value) in headers {
        answer.headers.insert(*name, value.parse().unwrap());
    }
    answer
}

fn mismatch(existing: Option<&str>) -> Meaning {
    Meaning::TypeMismatch { existing: existing.map(str::to_owned) }
}

/// Every shape that the reference knows (0.1, 1.1, 4.1, 5.3, 8.1): status, body → code, message, meaning, verdict.
#[test]
fn every_shape_is_read_and_understood() {
    use Meaning::*;
    use Verdict::{Accept, Fail, Foreign, LoginAgain, Retry, RetryUncertain};
    let import = "POST /api/2.0/workspace/import";
    let export = "GET /api/2.0/workspace/export";
    let delete = "POST /api/2.0/workspace/delete";
    let job = "GET /api/2.2/jobs/get";
    type Row = (&'static str, u16, &'static str, Option<&'static str>, &'static str, Meaning, Verdict);
    #[rustfmt::skip]
    let table: &[Row] = &[
        // Codes as text, numbers, empty, missing
        (import, 404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Path (/x) doesn't exist."}"#,
            Some("RESOURCE_DOES_NOT_EXIST"), "Path (/x) doesn't exist.", NotFound, Fail),
        (import, 403, r#"{"error_code":403,"message":"Invalid access token. [ReqId: 1-2]"}"#,
            Some("403"), "Invalid access token.", InvalidToken, LoginAgain),
        (import, 401, r#"{"error_code":401,"message":"Credential was not sent or was of an unsupported type for this API. [ReqId: 1-2]"}"#,
            Some("401"), "Credential was not sent or was of an unsupported type for this API.", Unauthenticated, LoginAgain),
        (import, 400, r#"{"error_code":"","message":"Path (/a) already exists."}"#,
            None, "Path (/a) already exists.", AlreadyExists, Fail),
        (import, 409, r#"{"message":"Node exists"}"#, None, "Node exists", AlreadyExists, Fail),
        (import, 400, r#"{"error_code":"BAD_REQUEST"}"#,
            Some("BAD_REQUEST"), "Bad Request, and no text", Malformed, Fail),
        (import, 400, r#"{"error_code":["odd"],"message":{"odd":1}}"#, None, "Bad Request, and no text", Malformed, Fail),
        // Other shapes
        (import, 400, r#"{"error":"Unknown path"}"#, None, "Unknown path", Malformed, Fail),
        (import, 401, r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#,
            Some("invalid_client"), "Client authentication failed", Unauthenticated, LoginAgain),
        (import, 403, r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}"#,
            Some("PERMISSION_DENIED"), "no", PermissionDenied, Fail),
        (import, 409, r#"{"detail":"Group exists","status":"409","scimType":"uniqueness"}"#,
            Some("SCIM_409"), "Group exists", AlreadyExists, Fail),
        (import, 404, r#"{"detail":"No user","status":404}"#, Some("SCIM_404"), "No user", NotFound, Fail),
        (import, 400, "MALFORMED_REQUEST: Invalid JSON", Some("MALFORMED_REQUEST"), "Invalid JSON", Malformed, Fail),
        (import, 404, "<html><pre> No API &lt;found&gt; for 'x' </pre></html>",
            Some("NOT_FOUND"), "No API <found> for 'x'", NotFound, Fail),
        (import, 404, "<html><title>nginx</title></html>", None, "a web page, \"nginx\"", NotDatabricks, Fail),
        (import, 404, "", None, "Not Found, and no text", NotFound, Fail),
        (import, 418, "", None, "status 418, and no text", Other, Fail),
        (import, 403, "blocked by proxy", None, "blocked by proxy", NotDatabricks, Fail),
        (import, 400, "[1,2]", None, "[1,2]", NotDatabricks, Fail),
        // Not there
        (import, 404, r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"The parent folder (/x) does not exist."}"#,
            Some("RESOURCE_DOES_NOT_EXIST"), "The parent folder (/x) does not exist.", ParentMissing, Fail),
        (job, 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Job 123 does not exist."}"#,
            Some("INVALID_PARAMETER_VALUE"), "Job 123 does not exist.", NotFound, Fail),
        ("GET /api/2.2/jobs/runs/get", 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Run: 5 in job: 6 doesn't exist"}"#,
            Some("INVALID_PARAMETER_VALUE"), "Run: 5 in job: 6 doesn't exist", NotFound, Fail),
        (import, 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Job 123 does not exist."}"#,
            Some("INVALID_PARAMETER_VALUE"), "Job 123 does not exist.", Malformed, Fail),
        (import, 404, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'POST /x'"}"#,
            Some("ENDPOINT_NOT_FOUND"), "No API found for 'POST /x'", Other, Fail),
        // Import
        (import, 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Cannot overwrite the asset at /x due to type mismatch (asked: FILE, actual: NOTEBOOK)."}"#,
            Some("INVALID_PARAMETER_VALUE"), "Cannot overwrite the asset at /x due to type mismatch (asked: FILE, actual: NOTEBOOK).", mismatch(Some("NOTEBOOK")), Fail),
        (import, 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"Requested node type [FILE] is different from the existing node type [DIRECTORY]"}"#,
            Some("INVALID_PARAMETER_VALUE"), "Requested node type [FILE] is different from the existing node type [DIRECTORY]", mismatch(Some("DIRECTORY")), Fail),
        (import, 400, r#"{"error_code":"INVALID_PARAMETER_VALUE","message":"no","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"WORKSPACE_OBJECT_TYPE_MISMATCH","metadata":{"existing_type":"FILE"}}]}"#,
            Some("INVALID_PARAMETER_VALUE"), "no", mismatch(Some("FILE")), Fail),
        (import, 400, r#"{"error_code":"BAD_REQUEST","message":"File size imported is (11 bytes), exceeded max size (10485760 bytes)"}"#,
            Some("BAD_REQUEST"), "File size imported is (11 bytes), exceeded max size (10485760 bytes)", TooLarge, Fail),
        (import, 409, r#"{"error_code":"ALREADY_EXISTS","message":"Node with name /x already exists."}"#,
            Some("ALREADY_EXISTS"), "Node with name /x already exists.", AlreadyExists, Fail),
        (export, 400, r#"{"error_code":"BAD_REQUEST","message":"no","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MAX_READ_SIZE_EXCEEDED"}]}"#,
            Some("BAD_REQUEST"), "no", TooLarge, Fail),
        (export, 400, r#"{"error_code":"MAX_NOTEBOOK_SIZE_EXCEEDED","message":"no"}"#,
            Some("MAX_NOTEBOOK_SIZE_EXCEEDED"), "no", TooLarge, Fail),
        (delete, 400, r#"{"error_code":"DIRECTORY_NOT_EMPTY","message":"Folder (/x) is not empty"}"#,
            Some("DIRECTORY_NOT_EMPTY"), "Folder (/x) is not empty", NotEmpty, Fail),
        (delete, 400, r#"{"error_code":"DIRECTORY_PROTECTED","message":"Folder Users is protected"}"#,
            Some("DIRECTORY_PROTECTED"), "Folder Users is protected", Protected, Fail),
        // Permissions
        (import, 403, r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#, Some("PERMISSION_DENIED"), "no", PermissionDenied, Fail),
        (import, 403, r#"{"error_code":403,"message":"Source IP address: 1.2.3.4 is blocked by Databricks IP ACL for workspace: 5"}"#,
            Some("403"), "Source IP address: 1.2.3.4 is blocked by Databricks IP ACL for workspace: 5", IpAccessList, Fail),
        // Passing troubles
        (import, 429, r#"{"error_code":"RESOURCE_EXHAUSTED","message":"slow down"}"#, Some("RESOURCE_EXHAUSTED"), "slow down", RateLimited, Retry),
        (import, 500, r#"{"detail":"REQUEST_LIMIT_EXCEEDED by org","status":"500"}"#, Some("SCIM_500"), "REQUEST_LIMIT_EXCEEDED by org", RateLimited, Retry),
        (import, 503, r#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"later"}"#, Some("TEMPORARILY_UNAVAILABLE"), "later", Transient, Retry),
        (import, 502, "<html><h1>502</h1></html>", None, "a web page", Transient, RetryUncertain),
        (import, 500, r#"{"error_code":"INTERNAL_ERROR","message":"oops"}"#, Some("INTERNAL_ERROR"), "oops", Transient, RetryUncertain),
        (import, 504, "", None, "Gateway Timeout, and no text", Transient, RetryUncertain),
        (import, 400, r#"{"error_code":"INVALID_STATE","message":"ClusterNotReadyException: wait"}"#,
            Some("INVALID_STATE"), "ClusterNotReadyException: wait", Transient, Retry),
        (import, 400, r#"{"error_code":"BAD_REQUEST","message":"Timed out after 60 s"}"#,
            Some("BAD_REQUEST"), "Timed out after 60 s", Transient, RetryUncertain),
        // Successes that are none
        (import, 200, "<!DOCTYPE html><html><title>Sign\n in</title></html>", None, "a web page, \"Sign in\", instead of JSON", NotDatabricks, Foreign),
        (import, 200, "hello", None, "text instead of JSON: hello", NotDatabricks, Foreign),
        (import, 200, "", None, "the answer is empty", Other, Accept),
        (import, 302, "", None, "a redirect", NotDatabricks, Foreign),
    ];
    for (request, status, body, code, message, meaning, verdict) in table {
        let answer = answer(request, *status, &[], body);
        let error = ApiError::read(&answer);
        assert_eq!(error.code.as_deref(), *code, "{body}");
        assert_eq!(error.message, *message, "{body}");
        assert_eq!(error.meaning(), *meaning, "{body}");
        assert_eq!(classify(&answer), *verdict, "{body}");
    }
}

#[test]
fn redirects_are_told_by_where_they_lead() {
    let to = |location| ApiError::read(&answer("GET /x", 303, &[("location", location)], ""));
    let login = to("https://login.example.com/oauth?secret=1#x");
    assert_eq!(login.message, "a redirect to https://login.example.com/oauth");
    assert_eq!(login.meaning(), Meaning::NotDatabricks);
    let private = to("https://dbc.example.com/login.html?error=private-link-validation-error:123");
    assert_eq!(private.meaning(), Meaning::PrivateLink);
    assert_eq!(private.code.as_deref(), Some("PRIVATE_LINK_VALIDATION_ERROR"));
}

#[test]
fn details_and_request_ids_are_kept() {
    let body = r#"{"error_code":"X","message":"m","details":[
        {"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"abc"},
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"1.5s"},
        {"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"f","description":"d"}]},
        {"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"d","url":"https://docs.example.com"}]},
        {"@type":7}, 5]}"#;
    let error = ApiError::read(&answer("GET /x", 400, &[("x-request-id", "header")], body));
    assert_eq!(error.request_id.as_deref(), Some("abc"));
    assert_eq!(error.details.retry_delay, Some(Duration::from_millis(1500)));
    assert_eq!(error.details.violations, ["f: d"]);
    assert_eq!(error.problem().link.as_deref(), Some("https://docs.example.com"));
    assert_eq!(error.to_string(), "`GET /x` was answered with status 400: X: m (request id abc)");

    let header_only = ApiError::read(&answer("GET /x", 500, &[("x-request-id", "header")], ""));
    assert_eq!(header_only.request_id.as_deref(), Some("header"));
    let in_text = ApiError::read(&answer("GET /x", 403, &[], r#"{"error_code":403,"message":"No. [ReqId: u-1]"}"#));
    assert_eq!((in_text.message.as_str(), in_text.request_id.as_deref()), ("No.", Some("u-1")));
    let phrase = [("x-databricks-reason-phrase", "Invalid access token.")];
    assert_eq!(ApiError::read(&answer("GET /x", 403, &phrase, "")).meaning(), Meaning::InvalidToken);
}

#[test]
fn json_is_parsed_or_the_reason_is_true() {
    #[derive(Debug, serde::Deserialize, PartialEq)]
    struct Me {
        id: u64,
    }
    let parse = |status, body| parse_json::<Me>(&answer("GET /me", status, &[], body)).map_err(|error| error.message);
    assert_eq!(parse(200, r#" {"id":18446744073709551615,"x":1}"#), Ok(Me { id: u64::MAX }));
    let expected = "the answer is not the JSON that was expected (";
    assert!(parse(200, r#"{"id":1 2}"#).unwrap_err().starts_with(expected));
    assert_eq!(parse(200, r#"{"id":"#).unwrap_err(), "the answer ends in the middle");
    assert!(parse(200, "{}").unwrap_err().contains("missing field `id`"));
    assert_eq!(parse(200, "").unwrap_err(), "the answer is empty");
    assert_eq!(parse(200, "<html>").unwrap_err(), "a web page instead of JSON");
    assert_eq!(parse(302, r#"{"id":1}"#).unwrap_err(), "a redirect");

    let done = |status, body| parse_done(&answer("POST /x", status, &[], body));
    for body in ["", " \n", "{}", "null", "\"\"", r#"{"a":1}"#] {
        assert_eq!(done(200, body), Ok(()), "{body}");
    }
    assert_eq!(done(200, "<html>").unwrap_err().meaning(), Meaning::NotDatabricks);
    assert!(done(301, "{}").is_err());
    assert_eq!(done(200, "{").unwrap_err().message, "the answer ends in the middle");
}

#[test]
fn what_is_no_answer_of_an_api_is_foreign() {
    let private = ("location", "https://dbc.example.com/login.html?error=private-link-validation-error:1");
    let answer = |status, headers: &[_], body| answer("GET /x", status, headers, body);
    for body in ["{", r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":1} <html>"#, "[1,", "\"", "nul", "<html>", "hello", "1"] {
        assert_eq!(classify(&answer(200, &[], body)), Verdict::Foreign, "{body}");
        assert_eq!(classify_content(&answer(200, &[], body)), Verdict::Foreign, "{body}");
    }
    for body in ["", " \n"] {
        assert_eq!(classify(&answer(200, &[], body)), Verdict::Accept, "it may be how an order is answered");
        assert_eq!(classify_content(&answer(200, &[], body)), Verdict::Foreign);
    }
    for body in ["{}", " {\"a\":[1]}\n", "null", "[]"] {
        assert_eq!(classify(&answer(200, &[], body)), Verdict::Accept, "{body}");
        assert_eq!(classify_content(&answer(200, &[], body)), Verdict::Accept, "{body}");
    }
    // What is half is repeated whatever its status, and what a page is refused with is not.
    for status in [400, 404, 409] {
        assert_eq!(classify(&answer(status, &[], r#"{"error_code":"RESOURCE"#)), Verdict::Foreign);
        assert_eq!(classify(&answer(status, &[], "<html>")), Verdict::Fail);
    }
    let half = ApiError::read(&answer(404, &[], r#"{"error_code":"RESOURCE"#));
    assert_eq!((half.meaning(), &*half.message), (Meaning::NotDatabricks, "the answer ends in the middle"));
    assert_eq!(classify(&answer(307, &[("location", "https://login.example.com/")], "")), Verdict::Foreign);
    assert_eq!(classify(&answer(303, &[private], "")), Verdict::Fail, "the workspace itself says so");
}

#[test]
fn texts_of_the_server_cannot_steer_a_terminal() {
    let body =
        serde_json::json!({"error_code": "A\u{1b}[2J", "message": format!("a\r\n\u{202e}b\u{7}{}", "x ".repeat(9000))});
    let error = ApiError::read(&answer("GET /x", 400, &[], &body.to_string()));
    assert_eq!(error.code.as_deref(), Some("A [2J"));
    assert!(error.message.starts_with("a b x x x"), "{}", error.message);
    assert!(error.message.ends_with("x …") && error.message.chars().count() == 601, "{}", error.message);
}

#[test]
fn a_long_text_of_the_server_is_not_cut_inside_a_word_because_it_may_be_a_secret() {
    // The redactor comes later, and does not know the first twelve characters of a token.
    for padding in 570..602 {
        let message = format!("{} Bearer {} and more", "x".repeat(padding), "t0ken".repeat(8));
        let body = serde_json::json!({"error_code": "BAD", "message": message}).to_string();
        let shown = ApiError::read(&answer("GET /x", 400, &[], &body)).message;
        assert!(!shown.contains("t0"), "{padding}: {shown}");
    }
    let unbroken = ApiError::read(&answer("GET /x", 404, &[], &"t0ken".repeat(200))).message;
    assert_eq!(unbroken, "…");
}

#[test]
fn failures_become_problems_that_say_what_to_do() {
    let exhausted = |cause| Failure::Exhausted {
        request: "POST /api/x".into(),
        attempts: 7,
        elapsed: Duration::from_millis(300_400),
        cause,
        by_deadline: false,
        uncertain: false,
    };
    let fatal = |cause| Failure::Fatal { request: "POST /api/x".into(), cause };
    let at_the_deadline = |cause| match exhausted(cause) {
        Failure::Exhausted { request, attempts, elapsed, cause, uncertain, .. } => {
            Failure::Exhausted { request, attempts, elapsed, cause, uncertain, by_deadline: true }
        }
        other => other,
    };
    let throttled = answer("POST /api/x", 429, &[("retry-after", "90")], r#"{"message":"slow down"}"#);
    let table = [
        (
            fatal(Cause::Name("no such name".into())),
            Code::HostNotFound,
            "`POST /api/x`: the name cannot be resolved (no such name)",
        ),
        (
            exhausted(Cause::Connect("refused".into())),
            Code::HostUnreachable,
            "`POST /api/x` failed for 5m (7 attempts): no connection (refused)",
        ),
        (
            at_the_deadline(Cause::Connect("refused".into())),
            Code::HostUnreachable,
            "`POST /api/x` failed for 5m (7 attempts), and the time is up: no connection (refused)",
        ),
        (
            at_the_deadline(Cause::Timeout(Duration::from_secs(1))),
            Code::TimeIsUp,
            "`POST /api/x` failed for 5m (7 attempts), and the time is up: no answer within 1s",
        ),
        (
            exhausted(Cause::BrokenOff),
            Code::LockLost,
            "`POST /api/x` failed for 5m (7 attempts): it was broken off, because it may not be under way any longer",
        ),
        (fatal(Cause::Tls("UnknownIssuer".into())), Code::TlsFailed, "`POST /api/x`: TLS failed (UnknownIssuer)"),
        (
            exhausted(Cause::Answer(throttled)),
            Code::RateLimited,
            "`POST /api/x` failed for 5m (7 attempts): status 429: slow down; it asks for a pause of 1m 30s",
        ),
        (
            exhausted(Cause::Answer(answer("POST /api/x", 500, &[("x-request-id", "r1")], ""))),
            Code::ServerError,
            "`POST /api/x` failed for 5m (7 attempts): status 500: Internal Server Error, and no text (request id r1)",
        ),
        (
            Failure::Uncertain { request: "POST /api/x".into(), cause: Cause::Broken("eof".into()) },
            Code::HostUnreachable,
            "`POST /api/x` was sent, but how it ended is not known: the connection broke (eof)",
        ),
        (
            Failure::Refused(answer("GET /me", 403, &[], r#"{"error_code":403,"message":"Invalid access token."}"#)),
            Code::InvalidToken,
            "`GET /me` was answered with status 403: Invalid access token.",
        ),
        (
            Failure::Refused(answer("GET /me", 200, &[], "<html>")),
            Code::NotDatabricks,
            "`GET /me` was answered with status 200: a web page instead of JSON",
        ),
        (
            Failure::Refused(answer("GET /me", 403, &[], r#"{"error_code":"PERMISSION_DENIED","message":"no"}"#)),
            Code::PermissionDenied,
            "`GET /me` was answered with status 403: PERMISSION_DENIED: no",
        ),
        (
            Failure::Refused(answer("GET /me", 400, &[], r#"{"error_code":"ODD","message":"no"}"#)),
            Code::UnexpectedAnswer,
            "`GET /me` was answered with status 400: ODD: no",
        ),
    ];
    for (failure, code, message) in table {
        let problem = Error::from(failure).problem();
        assert_eq!((problem.code, problem.message.as_str()), (code, message));
        assert!(problem.hint.is_some_and(|hint| !hint.ends_with('.')));
    }
}

proptest! {
    #[test]
    fn any_answer_is_read_without_a_panic(
        status in 100u16..1000,
        body in proptest::collection::vec(any::<u8>(), 0..300),
        location in "[ -~]{0,40}",
    ) {
        check(answer("GET /x", status, &[("location", &location)], &String::from_utf8_lossy(&body)));
        let mut raw = answer("GET /x", status, &[], "");
        raw.body = body.into();
        check(raw);
    }

    #[test]
    fn anything_like_an_error_is_read_without_a_panic(
        status in 100u16..1000,
        body in r#"(\{"(error_code|message|error|detail)":|<(pre|title)>?|[A-Z_]+: |\[ReqId: )[ -~é\u{0}]{0,60}(\}|\]|</pre>)?"#,
    ) {
        check(answer("GET /x/jobs/y", status, &[], &body));
    }
}

fn check(answer: Answer) {
    let error = ApiError::read(&answer);
    let _ = (error.meaning(), classify(&answer), error.problem(), parse_json::<serde_json::Value>(&answer));
    let line = error.to_string();
    assert!(!line.chars().any(char::is_control) && line.chars().count() < 2000, "{line:?}");
}
