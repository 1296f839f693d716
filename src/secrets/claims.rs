//! What a signed token (a JWT, RFC 7519) says of itself: read, not judged. Whoever is to trust it checks the signature.

use super::Secret;
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Without padding, as the standard wants it; with it, as some libraries write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The claims of a token. They hold no secret: what cannot be forged is the signature, which is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    payload: Map<String, Value>,
    /// `None` where there is no token yet.
    algorithm: Option<String>,
}

impl Claims {
    /// Reads the claims; `None` for what is no JWT.
    pub fn read(token: &Secret) -> Option<Claims> {
        let mut parts = token.expose().split('.');
        let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let object = |part: &str| match serde_json::from_slice(&BASE64.decode(part).ok()?).ok()? {
            Value::Object(object) => Some(object),
            _ => None,
        };
        let algorithm = object(header)?.get("alg").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Claims { payload: object(payload)?, algorithm: Some(algorithm) })
    }

    /// What a token would say, as far as that is known without it.
    pub fn expected<'a>(claims: impl IntoIterator<Item = (&'a str, &'a str)>) -> Claims {
        let payload = claims.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        Claims { payload, algorithm: None }
    }

    /// How the token is signed, by its header (RFC 7515, 4.1.1): empty where that does not say so, `None` where there is no
    /// token.
    pub fn algorithm(&self) -> Option<&str> {
        self.algorithm.as_deref()
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.payload.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whom the token is meant for: one text or several.
    pub fn audiences(&self) -> Vec<&str> {
        match self.payload.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// When the token ends.
    pub fn expires(&self) -> Option<SystemTime> {
        self.time("exp")
    }

    /// When the token was made.
    pub fn issued(&self) -> Option<SystemTime> {
        self.time("iat")
    }

    /// Seconds since 1970, which may have a fraction (RFC 7519, 2).
    fn time(&self, name: &str) -> Option<SystemTime> {
        let seconds = Duration::try_from_secs_f64(self.payload.get(name)?.as_f64()?).ok()?;
        UNIX_EPOCH.checked_add(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{URL_SAFE as PADDED, URL_SAFE_NO_PAD};

    fn token(payload: &str) -> Secret {
        Secret::new(format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#),
            URL_SAFE_NO_PAD.encode(payload)
        ))
    }

    #[test]
    fn claims_are_read_in_every_form() {
        let claims = Claims::read(&token(r#"{"iss":"i","aud":"a","exp":10,"iat":1.5,"empty":""}"#)).unwrap();
        assert_eq!((claims.text("iss"), claims.text("empty"), claims.text("sub")), (Some("i"), None, None));
        assert_eq!(claims.audiences(), ["a"]);
        assert_eq!(claims.algorithm(), Some("RS256"));
        assert_eq!(claims.expires(), Some(UNIX_EPOCH + Duration::from_secs(10)));
        assert_eq!(claims.issued(), Some(UNIX_EPOCH + Duration::from_millis(1500)));
        assert_eq!(Claims::read(&token(r#"{"aud":["a",1,"b"]}"#)).unwrap().audiences(), ["a", "b"]);
        let padded = format!("{}.{}.c2ln", PADDED.encode("{}"), PADDED.encode(r#"{"a":"bc"}"#));
        let padded = Claims::read(&Secret::new(padded)).unwrap();
        assert_eq!((padded.text("a"), padded.algorithm()), (Some("bc"), Some("")));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for text in ["", "a.b.c", "dapi0123", "e30.e30", "e30.W10.x", "e30.e30.x.y", "..", "e30.%%.x"] {
            assert_eq!(Claims::read(&Secret::new(text)), None, "{text}");
        }
        for exp in ["-1", "1e300", "\"soon\"", "null"] {
            let claims = Claims::read(&token(&format!(r#"{{"exp":{exp}}}"#))).unwrap();
            assert_eq!(claims.expires(), None, "{exp}");
        }
    }
}
