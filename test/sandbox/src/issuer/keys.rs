//! The keys that steps' tokens are signed with, and what everybody may know of them.

use crate::jwt::PublicKey;
use ring::rsa::KeyPair;
use std::collections::BTreeMap;

/// The `kid` of the issuer's key.
pub(crate) const KEY_ID: &str = "7ef7b4a2-0000-4000-8000-0000000000b1";

// Both keys were made for these tests and lie open here. They are good for nothing else, and nothing trusts them.
const BITBUCKET: &[u8] = include_bytes!("bitbucket.pk8");
const FORGER: &[u8] = include_bytes!("forger.pk8");

/// The key of the issuer.
pub(crate) fn genuine() -> KeyPair {
    read(BITBUCKET)
}

/// A key of somebody else.
pub(crate) fn forgers() -> KeyPair {
    read(FORGER)
}

#[allow(clippy::expect_used, reason = "the two files are part of the crate")]
fn read(file: &[u8]) -> KeyPair {
    KeyPair::from_pkcs8(file).expect("an RSA key in PKCS#8")
}

/// The public keys of each issuer, by its URL. Both the documents that an issuer serves and the exchange of tokens read
/// them here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Issuers(BTreeMap<String, Vec<PublicKey>>);

impl Issuers {
    /// Takes an issuer in.
    pub(crate) fn add(&mut self, issuer: &str) {
        let keys = || vec![PublicKey::of(KEY_ID, &genuine())];
        self.0.entry(issuer.to_owned()).or_insert_with(keys);
    }

    /// The keys of an issuer; `None` if there is no such one.
    pub(crate) fn keys(&self, issuer: &str) -> Option<&[PublicKey]> {
        self.0.get(issuer).map(Vec::as_slice)
    }

    /// One key of an issuer.
    pub(crate) fn key(&self, issuer: &str, id: &str) -> Option<&PublicKey> {
        self.keys(issuer)?.iter().find(|key| key.id == id)
    }
}
