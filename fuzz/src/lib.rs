//! What each fuzz target does with its input, as plain functions.
//!
//! They stand apart from libFuzzer so that the smoke test runs them on the stable toolchain too. A target fails by
//! panicking: because a decoder did, or because an assertion about round trips does not hold.

#![forbid(unsafe_code)]

mod chain;
mod coordination;
mod fragments;
mod java;
pub mod mutate;
mod rpc;
pub mod seeds;
mod session;
mod wire;

pub use chain::chain_inbound;
pub use coordination::coordination;
pub use fragments::chain_fragments;
pub use java::java_stream;
pub use rpc::rpc;
pub use session::{delta, session_message};
pub use wire::{frame, member, message};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, for the smoke test and the seeds.
pub const TARGETS: &[Target] = &[
    ("frame", frame),
    ("member", member),
    ("message", message),
    ("java_stream", java_stream),
    ("session_message", session_message),
    ("delta", delta),
    ("chain_inbound", chain_inbound),
    ("chain_fragments", chain_fragments),
    ("rpc", rpc),
    ("coordination", coordination),
];
