//! The protocol of Apache Tomcat's clustering as pure state machines.
//!
//! Nothing here opens a socket, reads a clock, spawns a task or keeps global state: time ([`Now`]) and randomness are
//! arguments, bytes go in and out as [`bytes::Bytes`]. A driver (the `clowder` crate, a simulator, a fuzzer) moves
//! them. Every machine has the same four verbs: an input in the past tense, `poll` for what to do about it,
//! `deadline` for when to come back, `handle_deadline` for when that time has come (early is harmless).
//!
//! What Tomcat can read is written byte for byte; what comes from the network builds values and never behaviour.

pub mod chain;
pub mod dedup;
pub mod election;
pub mod group;
pub mod link;
mod now;
pub mod rpc;
mod secret_hash;
pub mod session;
pub mod wire;

pub use now::Now;
