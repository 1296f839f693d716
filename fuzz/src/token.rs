//! What a token says of itself: two lines, the claims and a text that is taken for a token as it is.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use databricks_deploy::secrets::{Claims, Secret};
use databricks_deploy::text;
use serde_json::Value;

pub(crate) fn holds(input: &[u8]) {
    let whole = String::from_utf8_lossy(input);
    let as_it_is = Claims::read(&Secret::new(whole.as_ref()));
    if let Some(claims) = &as_it_is {
        assert_eq!(whole.split('.').count(), 3, "{whole}");
        told(claims);
    }

    let token = |encode: &dyn Fn(&[u8]) -> String| Secret::new(format!("{}.{}.c2ln", encode(b"{}"), encode(input)));
    let claims = Claims::read(&token(&|bytes| URL_SAFE_NO_PAD.encode(bytes)));
    assert_eq!(claims, Claims::read(&token(&|bytes| URL_SAFE.encode(bytes))), "with padding and without");
    let Ok(Value::Object(payload)) = serde_json::from_slice::<Value>(input) else {
        return assert_eq!(claims, None, "{whole}");
    };
    let claims = claims.expect("an object is claims");
    told(&claims);
    for (name, value) in &payload {
        assert_eq!(claims.text(name), value.as_str().filter(|text| !text.is_empty()));
    }
    let seconds = payload.get("exp").and_then(Value::as_f64);
    assert!(claims.expires().is_none() || seconds.is_some_and(|seconds| seconds >= 0.0), "{payload:?}");
    for audience in claims.audiences() {
        let aud = &payload["aud"];
        assert!(aud == audience || aud.as_array().is_some_and(|all| all.iter().any(|one| one == audience)));
    }
}

/// All that the pipe asks of claims, and says of them.
fn told(claims: &Claims) {
    for time in [claims.expires(), claims.issued()].into_iter().flatten() {
        assert_eq!(text::clock(time).len(), "2026-03-02 09:00:00 UTC".len());
    }
}
