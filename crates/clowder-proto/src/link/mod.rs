//! The outgoing traffic of one peer: which frame goes on which connection when, and what became of each message.
//!
//! [`Link`] knows nothing of sockets. It is told what was queued, connected, written, acknowledged and lost, and says
//! what to connect, write and close, and the one outcome of each message.
//!
//! Two ways of sending, one machine:
//! * **Pipeline**, towards a peer that announced it: one connection, up to [`LinkConfig::window`] messages in flight,
//!   acknowledgements in the order of the messages. When the connection dies, what is in flight is sent again in order
//!   on a new one; the receiver recognises by its id what it already has.
//! * **Lanes**, towards everybody else: up to [`LinkConfig::lanes`] connections with one acknowledged message in flight
//!   on each. Tomcat processes the frames of one connection concurrently and its acknowledgements carry no id, so a
//!   second message in flight would lose both its order and the meaning of its acknowledgement.
//!
//! What it does not do: it does not ask whether the peer is a member, does not encode, does not wait.
//!
//! Invariants: every token gets exactly one [`Outcome`]; [`Outcome::Delivered`] only after an acknowledgement that can
//! belong to no other message; messages of one [`Order`] leave in the order in which they were queued.

mod acks;
mod lane;
mod machine;
#[cfg(test)]
mod tests;

pub use acks::AckReader;
pub use machine::Link;

use std::time::Duration;

use bytes::Bytes;

/// The caller's name for one message on one link. The link returns it with the outcome and never interprets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// One connection of a link. Never reused, so that late news of a closed connection is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u32);

/// Which messages must not overtake each other. On a pipeline nothing overtakes anything, whatever is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Behind every earlier message of this order. For messages whose sender does not wait.
    All,
    /// Behind every earlier message with the same key. Not ordered with [`Order::All`].
    Keyed(u64),
    /// Any connection that is free, but behind earlier messages of [`Order::All`] that have no outcome yet. For a
    /// sender that waits for the outcome before it sends again.
    None,
}

/// A message for one peer.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Comes back with the outcome.
    pub token: Token,
    /// The whole frame. A resend carries the same bytes, hence the same message id.
    pub frame: Bytes,
    /// The peer acknowledges it; else it is done when it is written.
    pub acked: bool,
    /// What it must not overtake.
    pub order: Order,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The peer acknowledged it.
    Delivered,
    /// No acknowledgement was asked for, and the operating system took all bytes.
    Written,
    /// It failed, after the retries that the configuration allows.
    Failed(Failure),
}

/// Why a message failed. Only [`Failure::RemoteProcess`] says that the peer is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The peer received it and its listener failed (a FAIL-ACK).
    #[error("the receiver's listener failed")]
    RemoteProcess,
    /// The peer took the connection and made no progress for [`LinkConfig::timeout`], or did not answer the connect.
    /// Whether it processed the message is unknown.
    #[error("no answer in time")]
    Timeout,
    /// No connection could be made. The peer did not get the message.
    #[error("cannot connect")]
    Connect,
    /// The connection broke while the message was in flight. Whether the peer processed it is unknown.
    #[error("connection lost")]
    ConnectionLost,
    /// The peer answered with something that is no acknowledgement, or with one too many.
    #[error("the peer broke the protocol")]
    Protocol,
    /// The queue of this peer is full; nothing was sent.
    #[error("the queue of this peer is full")]
    QueueFull,
    /// The message is larger than this node sends; nothing was sent.
    #[error("the message is too large")]
    TooLarge,
    /// The channel stopped, or the peer left, before the message was done.
    #[error("closed before it was done")]
    Closed,
    /// An interceptor of this node's chain refused it; nothing was sent.
    #[error("refused by an interceptor of this node")]
    Refused,
    /// It is there, but another target did not get it: with two-phase commit nobody processes it.
    #[error("not committed, because it failed at another target")]
    NotCommitted,
    /// This node requires TLS. The target announced no secure port, or the message was to leave as a datagram, which
    /// has no TLS. Nothing was sent.
    #[error("this node requires TLS, and there is none on the way to the target")]
    NoSecurePort,
    /// The frame does not fit one datagram; nothing was sent. A chain with fragmentation makes smaller ones.
    #[error("the message does not fit one datagram: 65,507 bytes with its frame over IPv4, 65,527 over IPv6")]
    DatagramTooLarge,
    /// The target receives no datagrams: its record names no port for them. Nothing was sent.
    #[error("the target announces no UDP port")]
    NoUdpPort,
    /// This node has no multicast group to send to. Nothing was sent.
    #[error("no multicast membership, hence no group to send to")]
    NoMulticast,
}

/// Why a connection is no more, as the driver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It could not be made.
    Connect,
    /// It ended, or reading or writing failed.
    Lost,
    /// Bytes came that are no acknowledgement.
    Protocol,
    /// It was not made: the peer has no port that this node would use.
    NoSecurePort,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        match cause {
            Cause::Connect => Failure::Connect,
            Cause::Lost => Failure::ConnectionLost,
            Cause::Protocol => Failure::Protocol,
            Cause::NoSecurePort => Failure::NoSecurePort,
        }
    }
}

/// What a link wants done.
#[derive(Clone, Debug)]
pub enum LinkOut {
    /// Open a connection to the peer; answer with [`Link::connected`] or [`Link::lost`].
    Connect {
        /// Its name from now on.
        conn: ConnId,
    },
    /// Write this frame behind the earlier ones of the connection; tell [`Link::written`] when all its bytes are out.
    Write {
        /// An open connection.
        conn: ConnId,
        /// The whole frame.
        frame: Bytes,
    },
    /// Close the connection, or give up connecting. The link has forgotten it.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// The outcome of a message: once for each token.
    Done {
        /// The caller's name for it.
        token: Token,
        /// Length of its frame, which is not queued any more.
        bytes: usize,
        /// Its fate.
        outcome: Outcome,
    },
}

/// The limits and times of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Messages in flight on one connection. Towards a peer that does not pipeline at most one of them waits for an
    /// acknowledgement, the last. Default 512.
    pub window: usize,
    /// Bytes in flight on one connection; one message may exceed it alone. Default 4 MiB.
    pub window_bytes: usize,
    /// Connections to a peer that does not pipeline. Default 16, at most [`LinkConfig::LANES_MAX`].
    pub lanes: usize,
    /// Bytes of frames without an outcome; one message may exceed it alone. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// Without any progress for so long, a connection that owes something is given up. Default 3 s.
    ///
    /// Differs from Tomcat: it says 3 s and waits for up to 8, because it looks at the clock between waits of 5 s.
    /// Test: a_silent_peer_is_given_up_after_the_timeout_and_not_tried_again.
    pub timeout: Duration,
    /// For one attempt to connect. Default 3 s.
    pub connect_timeout: Duration,
    /// Resends after a failed attempt: a lost connection, a failed connect, or a FAIL-ACK. Default 1.
    ///
    /// A timeout is never retried, and a FAIL-ACK is final on a pipeline: the second try would come behind messages that
    /// were sent later.
    pub retries_max: u8,
    /// A FAIL-ACK is a failure; else it counts as an acknowledgement. Default true. Tomcat: `throwOnFailedAck`.
    pub failed_ack_is_error: bool,
}

impl LinkConfig {
    /// As many connections as a Tomcat opens to one peer.
    pub const LANES_MAX: usize = 25;
}

impl Default for LinkConfig {
    fn default() -> Self {
        // Tomcat: PooledParallelSender — timeout 3000, maxRetryAttempts 1, poolSize 25.
        LinkConfig {
            window: 512,
            window_bytes: 4 << 20,
            lanes: 16,
            queue_bytes_max: 64 << 20,
            timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(3),
            retries_max: 1,
            failed_ack_is_error: true,
        }
    }
}
