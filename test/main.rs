//! All tests in one binary, a module a promise.
// The exceptions of clippy.toml reach test functions only, not the helpers beside them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod http;
