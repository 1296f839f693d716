//! stub until the real one arrives
#![allow(missing_docs)]
use crate::http::{Answer, Failure, Verdict};
use crate::problem::{Code, Problem};
pub enum Error {
    Transport(Failure),
    Json(String),
}
#[derive(PartialEq)]
pub enum Meaning {
    NotFound,
    InvalidToken,
    Unauthenticated,
    PermissionDenied,
    ParentMissing,
    AlreadyExists,
}
impl From<Failure> for Error {
    fn from(f: Failure) -> Error {
        Error::Transport(f)
    }
}
impl From<serde_json::Error> for Error {
    fn from(f: serde_json::Error) -> Error {
        Error::Json(f.to_string())
    }
}
impl Error {
    pub fn meaning(&self) -> Option<Meaning> {
        None
    }
    pub fn problem(&self) -> Problem {
        Problem::new(Code::Bug, "stub")
    }
    pub fn is_about_identity(&self) -> bool {
        false
    }
    pub fn is_about_one_object(&self) -> bool {
        false
    }
    pub fn is_passing(&self) -> bool {
        false
    }
    pub fn said(&self) -> String {
        String::new()
    }
}
pub struct ApiError;
impl ApiError {
    pub fn parse(_: &Answer) -> ApiError {
        ApiError
    }
    pub fn meaning(&self) -> Meaning {
        Meaning::NotFound
    }
}
pub fn classify(_: &Answer) -> Verdict {
    Verdict::Accept
}
pub fn parse<T: serde::de::DeserializeOwned>(a: &Answer) -> Result<T, Error> {
    Ok(serde_json::from_slice(&a.body)?)
}
pub fn parse_or_empty<T: serde::de::DeserializeOwned>(a: &Answer) -> Result<T, Error> {
    Ok(serde_json::from_slice(&a.body)?)
}
