//! The sandbox, behaviour by behaviour, asked as a client asks.
//!
//! The modules carry `cfg(test)` because that is what clippy knows test code by: helpers may unwrap, too.

#[cfg(test)]
mod client;
mod compute;
#[cfg(test)]
mod entra;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod federation;
#[cfg(test)]
mod fork;
#[cfg(test)]
mod freeze;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod workspace;
