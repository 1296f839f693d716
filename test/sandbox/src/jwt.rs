//! JSON Web Tokens: their three parts, and signatures by RS256 (RFC 7515, 7518).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use serde_json::{Map, Value, json};

/// A token taken apart. Nothing is verified by that.
#[derive(Debug)]
pub(crate) struct Jwt<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes the compact form apart; `None` if it is not one.
    pub(crate) fn read(token: &'a str) -> Option<Jwt<'a>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
            Value::Object(fields) => Some(fields),
            _ => None,
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        Some(Jwt { header: object(header)?, claims: object(claims)?, signed, signature })
    }

    /// A claim that is text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a time, in seconds since 1970.
    pub(crate) fn seconds(&self, claim: &str) -> Option<u64> {
        self.claims.get(claim)?.as_u64()
    }

    /// The audiences: `aud` is a string or a list of strings.
    pub(crate) fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the signature is good for a key.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let key = PublicKeyComponents { n: &key.modulus, e: &key.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// The public half of an RSA key.
#[derive(Clone, Debug)]
pub(crate) struct PublicKey {
    pub(crate) id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PublicKey {
    pub(crate) fn of(id: &str, pair: &KeyPair) -> PublicKey {
        let PublicKeyComponents { n: modulus, e: exponent } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
        PublicKey { id: id.to_owned(), modulus, exponent }
    }

    /// The key as a member of a key set (RFC 7517).
    pub(crate) fn document(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id,
            "n": part(&self.modulus), "e": part(&self.exponent),
        })
    }
}

/// What is signed: header and claims.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Puts the signature behind what is signed.
pub(crate) fn sealed(unsigned: &str, signature: &[u8]) -> String {
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Signs by RS256. A key that cannot sign makes an empty signature, which nothing accepts.
pub(crate) fn sign(pair: &KeyPair, unsigned: &str) -> String {
    let mut signature = vec![0; pair.public().modulus_len()];
    if pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), unsigned.as_bytes(), &mut signature).is_err() {
        signature.clear();
    }
    sealed(unsigned, &signature)
}
