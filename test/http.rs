//! The client: what is repeated and what is not, how long is waited, how much is sent at the same time; in paused time
//! over a wire in memory, and over real sockets on loopback.

mod clock;
mod fenced;
mod limits;
mod login;
mod queue;
mod rate;
mod repeat;
mod script;
mod sockets;
mod waits;
