//! The one way out to the network: transport, repetition, limits, signing. Knows nothing of Databricks.
//!
//! A caller describes a [`Call`], says how an answer is to be understood (a [`Verdict`]) and whether the request may be
//! repeated ([`Repeat`]); it gets an [`Answer`] that its own classifier accepted, or a [`Failure`].

mod attempt;
mod body;
mod call;
mod client;
mod clock;
mod course;
mod fence;
mod limits;
mod network;
mod pace;
mod patience;
mod proxy;
mod wire;

pub use call::{Answer, Body, Call, Cause, Class, Failure, Part, PartContent, Repeat, Verdict};
pub use client::{Authorize, Client, NoCredential, Options, Signing, Stats, Unsigned};
pub use fence::Fence;
pub use network::{Network, NetworkOptions};
pub use proxy::Proxy;
pub use wire::{ProxyTrouble, Wire, WireError};

pub use reqwest::{Method, header};
