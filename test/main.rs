//! The tests, one module a promise.

mod settings;
