//! Whatever goes wrong, at whatever request: the next word is right. One sweep lets every trouble strike every request of
//! a deploy, the other one kills the deploy at every request; both compare with a twin that was never disturbed.

mod crash;
mod faults;
mod found;
mod scenario;
mod tally;
mod troubles;
mod twin;
