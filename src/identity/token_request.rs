//! A request for an access token, to whatever endpoint (RFC 6749, 4.4 and 5.1).

use super::cache::Grant;
use super::refusal::{self, Refusal};
use crate::databricks::error::{classify_content, parse_json};
use crate::http::{Answer, Body, Call, Class, Client, Method, NoCredential, Repeat};
use crate::problem::Problem;
use crate::secrets::Secret;
use std::time::Duration;
use url::form_urlencoded;

/// Asks; `refused` says what it means that there is none.
pub(super) async fn ask(
    client: &Client,
    path: &str,
    form: &[(&str, &str)],
    refused: impl FnOnce(&Refusal) -> Option<Problem>,
) -> Result<Grant, NoCredential> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let call = Call {
        method: Method::POST,
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Body::Form(form.into()),
        class: Class::Control,
        // A second token harms nobody.
        repeat: Repeat::Always,
        patience: None,
    };
    match client.send(&call, classify_content).await {
        Ok(answer) => grant(&answer),
        Err(failure) => Err(refusal::of(failure, refused)),
    }
}

/// The access token in an answer: `access_token`, and how long it is good, `expires_in` (RFC 6749, 5.1).
fn grant(answer: &Answer) -> Result<Grant, NoCredential> {
    // Taken apart by hand: the parser's own words on a field of another kind would quote it.
    let wire: serde_json::Value = parse_json(answer).map_err(|_| refusal::no_token(answer))?;
    let token = wire.get("access_token").and_then(serde_json::Value::as_str).filter(|token| !token.trim().is_empty());
    let Some(token) = token else { return Err(refusal::no_token(answer)) };
    Ok(Grant {
        token: Secret::new(token),
        lifetime: seconds(wire.get("expires_in")),
        bought_with: None,
        date: answer.date(),
    })
}

/// `expires_in`: a number of seconds, or one as text. Anything else says nothing.
fn seconds(expires_in: Option<&serde_json::Value>) -> Option<Duration> {
    let seconds = match expires_in? {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|lifetime| !lifetime.is_zero())
}

#[cfg(test)]
mod tests {
    use super::seconds;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_lifetime_is_read_in_every_spelling_and_never_made_up() {
        for (value, read) in [
            (json!(3600), Some(3600)),
            (json!("3599"), Some(3599)),
            (json!(60.0), Some(60)),
            (json!(0), None),
            (json!(-1), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!(1e300), None),
        ] {
            assert_eq!(seconds(Some(&value)), read.map(Duration::from_secs), "{value}");
        }
        assert_eq!(seconds(None), None);
    }
}
