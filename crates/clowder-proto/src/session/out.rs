//! What the machine asks of its driver.

use std::sync::Arc;

use bytes::Bytes;

use super::{JavaStr, wire};
use crate::wire::Member;

/// Names one message that was given out, in the order of giving out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One thing for the driver to do or to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionsOut {
    /// Send a message and report the outcome for each destination with [`sent`](super::Sessions::sent).
    Send(Send),
    /// Something happened to a session.
    Event(SessionEvent),
    /// Every destination of a message that a request waits for has answered, left or failed.
    Settled {
        /// The message.
        token: Token,
        /// How many destinations do not have it; they will be repaired.
        failed: usize,
    },
    /// The state of the cluster has arrived, or nobody has it: requests may be served. Comes once.
    StateReady {
        /// False: members were there, but none gave its state in time.
        complete: bool,
    },
}

/// A message and where it goes.
#[derive(Clone, Debug)]
pub struct Send {
    /// For [`sent`](super::Sessions::sent).
    pub token: Token,
    /// Destinations, never empty.
    pub to: Arc<[Member]>,
    /// Options of the channel message: 6, acknowledge after processing.
    pub options: i32,
    /// Messages with equal keys must reach each destination in the order in which they were given out.
    pub key: u64,
    /// What to send.
    pub body: Body,
}

/// The body of a message; encoding a block of sessions takes a millisecond and needs no access to the machine.
#[derive(Clone, Debug)]
pub struct Body(pub(super) BodyKind);

#[derive(Clone, Debug)]
pub(super) enum BodyKind {
    Encoded(Bytes),
    Block(Arc<wire::Block>),
}

impl Body {
    /// The bytes to send. Call it without holding the lock around the machine.
    pub fn encode(&self) -> Bytes {
        match &self.0 {
            BodyKind::Encoded(bytes) => bytes.clone(),
            BodyKind::Block(block) => block.encode(),
        }
    }
}

/// What happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A session exists that did not.
    Created {
        /// Its id.
        id: JavaStr,
        /// True: made by a request here.
        local: bool,
    },
    /// A session is gone.
    Ended {
        /// Its last id.
        id: JavaStr,
        /// Why.
        cause: EndCause,
    },
    /// A session has another id.
    IdChanged {
        /// Before.
        old: JavaStr,
        /// Now.
        new: JavaStr,
        /// True: changed by a request here.
        local: bool,
    },
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// No request for its interval; this node ended it.
    Idle,
    /// A request here invalidated it.
    Invalidated,
    /// A peer ended it.
    Peer,
    /// This node stops and its configuration ends sessions then.
    Shutdown,
}
