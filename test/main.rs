//! tests

mod source;
