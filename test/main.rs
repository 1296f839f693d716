//! The tests of the pipe: a module a promise, through the real binary or, where time matters, inside this process in
//! paused time.

mod deploy;
mod http;
mod runs;
mod settings;
mod source;
mod support;
