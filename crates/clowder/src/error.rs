//! Why a channel does not start and why a send failed.

use std::io;
use std::net::SocketAddr;

use clowder_proto::wire::Member;

pub use clowder_proto::link::Failure as SendFailure;

/// A channel cannot start. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is at fault: this is no address to listen at.
    #[error("cannot listen at {text:?}: expected ADDRESS:PORT or ADDRESS:FIRST-LAST, like 0.0.0.0:4000-4100")]
    Listen {
        /// As configured.
        text: String,
    },
    /// The machine is at fault: no port of the range can be bound.
    #[error("no port to listen at, the last one tried was {last}")]
    Bind {
        /// The last address tried.
        last: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The configuration is at fault: the channel listens at every address, and none of them can be told to others.
    #[error("listens at every address but finds no route to the others; name the address to announce")]
    Announce {
        /// What the system said.
        source: io::Error,
    },
    /// The machine is at fault: there is no random source.
    #[error("no random source: {0}")]
    Random(String),
    /// No directory told this node's own id; see the warnings in the log. The configuration or the directory is at fault.
    #[error(transparent)]
    Discovery(#[from] crate::discovery::UnknownHere),
    /// The configuration is at fault: a chain of these layers cannot work.
    #[error(transparent)]
    Chain(#[from] clowder_proto::chain::ChainError),
    /// The configuration of TLS is at fault.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    /// Membership cannot start.
    #[error(transparent)]
    Membership(#[from] crate::driver::control::StartError),
}

/// A message failed at some of its targets. The others have it: there is no rollback.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed at {}, delivered to {} others", describe(.failed), .delivered.len())]
pub struct SendError {
    /// Where it failed, and why.
    pub failed: Vec<(Member, SendFailure)>,
    /// Where it did not.
    pub delivered: Vec<Member>,
}

fn describe(failed: &[(Member, SendFailure)]) -> String {
    failed.iter().map(|(member, failure)| format!("{member} ({failure})")).collect::<Vec<_>>().join(", ")
}

/// The queue of a target is full; nothing was sent to anybody.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the queue of {member} is full")]
pub struct Full {
    /// The first one whose queue is full.
    pub member: Member,
}
