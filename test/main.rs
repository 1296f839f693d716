//! All tests in one binary, a module a promise.

mod http;
