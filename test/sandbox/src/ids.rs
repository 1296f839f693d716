//! Identifiers that look like the real ones.

use std::hash::{BuildHasher, RandomState};

/// Numbers of objects, jobs and runs. They lie above 2^53 and are odd, so that whoever reads one as a floating-point
/// number gets another one.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    next: i64,
}

impl Ids {
    pub(crate) fn new() -> Ids {
        Ids { next: (1 << 53) + 1 }
    }

    pub(crate) fn next(&mut self) -> i64 {
        let id = self.next;
        self.next += 2;
        id
    }
}

/// A personal access token: `dapi` and 32 hexadecimal digits, another one each time.
pub(crate) fn token() -> String {
    let half = || RandomState::new().hash_one(0_u8);
    format!("dapi{:016x}{:016x}", half(), half())
}

/// An OAuth secret of a service principal: `dose` and 32 hexadecimal digits, another one each time.
pub(crate) fn client_secret() -> String {
    token().replacen("dapi", "dose", 1)
}

/// A secret of an application in Entra ID: 40 characters, `8Q~` after the third, another one each time.
pub(crate) fn entra_secret() -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bytes = [random(), random()];
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 64)]);
    let text: String = bytes.as_flattened().iter().map(letter).collect();
    format!("{}8Q~{}", &text[..3], &text[3..37])
}

/// 256 bits that nobody can guess.
pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    for piece in bytes.chunks_mut(8) {
        piece.copy_from_slice(&RandomState::new().hash_one(0_u8).to_le_bytes());
    }
    bytes
}

/// The id of the n-th request.
pub(crate) fn request_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}
