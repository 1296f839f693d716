//! The tests of the pipe: a module a promise, through the real binary or, where time matters, inside this process in
//! paused time.

// Helpers of tests are tests too: what cannot go on fails the test, which is what it is for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod azure;
mod canaries;
mod changing;
mod deploy;
mod destroy;
mod doctor;
mod drift;
mod endings;
mod fuzzed;
mod guards;
mod hosts;
mod http;
mod inputs;
mod journal;
mod keyless;
mod lock;
mod login;
mod network;
mod objects;
mod outputs;
mod permissions;
mod plan;
mod races;
mod redeploy;
mod runs;
mod settings;
mod source;
mod state;
mod support;
mod sweeps;
