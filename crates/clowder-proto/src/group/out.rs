//! What a group asks of its driver and tells it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::Notice;
use crate::wire::{Member, MemberId, Message, WireError};

/// One thing to do, or to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GroupOut {
    /// Send this datagram to the multicast group.
    Multicast(Bytes),
    /// Find out whether this member is alive; exactly one [`Group::probed`](super::Group::probed) answers.
    Probe(Probe),
    /// Keep the connection of this probe open and report its end with
    /// [`Group::watch_lost`](super::Group::watch_lost). Comes only while `probed` for it is being handled.
    Watch {
        /// Whose connection.
        probe: ProbeId,
        /// Whom it watches.
        member: MemberId,
    },
    /// Close the watched connection to this member; nothing needs to be reported.
    Unwatch(MemberId),
    /// Send this message to this member, once, without an acknowledgement.
    Notice {
        /// The destination.
        to: Member,
        /// What the message says, which is also where it enters the message chain.
        notice: Notice,
        /// The message.
        message: Message,
    },
    /// Send this message of the membership service to this member, once, without an acknowledgement.
    Service {
        /// The destination.
        to: Member,
        /// What to send.
        message: Message,
    },
    /// The same to a configured contact, on a connection of its own: exactly one
    /// [`Group::contacted`](super::Group::contacted) answers.
    Contact {
        /// The destination; its unique id may not be its own.
        to: Member,
        /// What to send.
        message: Message,
        /// Time for the connection.
        connect_timeout: Duration,
    },
    /// What became of a member that was [named](super::Group::named).
    Met {
        /// Whom.
        member: MemberId,
        /// It is a member now.
        alive: bool,
    },
    /// The members have changed.
    View(ViewUpdate),
    /// A message came in a datagram; it is not acknowledged, whatever its options say.
    DatagramMessage(Message),
    /// An input was refused: count it, log it at a bounded rate.
    Dropped {
        /// Source of the datagram.
        from: SocketAddr,
        /// Why.
        cause: DropCause,
    },
    /// The goodbyes are said; nothing follows.
    Stopped,
}

/// How to probe.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Names the probe in its answer.
    pub id: ProbeId,
    /// Whom.
    pub member: Member,
    /// Write this after connecting; `None`: the connection alone is the test.
    pub frame: Option<Bytes>,
    /// Time for the connection.
    pub connect_timeout: Duration,
    /// Wait that long for the frame of an acknowledgement, of either kind; `None`: do not wait.
    pub read_timeout: Option<Duration>,
}

/// Names a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answers.
    Alive,
    /// It does not.
    Dead(ProbeFailure),
    /// This node could not find out, for a reason of its own: no file descriptor, no port. Accuses nobody.
    Inconclusive,
}

/// Why a probe failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeFailure {
    /// Nothing listens at its address.
    #[error("connection refused")]
    Refused,
    /// The connection was not made in time.
    #[error("no connection in time")]
    ConnectTimeout,
    /// There is no way to its host.
    #[error("no route to the host")]
    Unreachable,
    /// Connected, and the probe was not acknowledged in time.
    #[error("no acknowledgement in time")]
    NoAnswer,
    /// Connected, and closed before the acknowledgement.
    #[error("connection closed without an acknowledgement")]
    Closed,
    /// Something answered that does not speak the protocol.
    #[error("the answer is no acknowledgement")]
    BadAnswer,
    /// Another error of the connection.
    #[error("connection failed")]
    Failed,
}

impl ProbeFailure {
    /// Silence, which a busy network or node also explains; the others are answers.
    pub fn is_timeout(self) -> bool {
        matches!(self, ProbeFailure::ConnectTimeout | ProbeFailure::NoAnswer)
    }
}

/// Why a message did not reach a member, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailure {
    /// The connection could not be made, broke, or gave no answer in time.
    Connection,
    /// The member answered that its listener failed: it lives.
    NegativeAck,
}

/// The members after a change, and the change.
#[derive(Clone, Debug)]
pub struct ViewUpdate {
    /// Counts from 1, without gaps.
    pub version: u64,
    /// All members but the local one, in order.
    pub members: Vec<Member>,
    /// Who left. A member that is also in `joined` left first and came back as another process.
    pub left: Vec<(Member, LeftReason)>,
    /// Who joined.
    pub joined: Vec<Member>,
    /// Members whose record changed in something but its age.
    pub updated: Vec<Member>,
}

/// Why a member is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeftReason {
    /// It said so.
    Goodbye,
    /// It was suspected or lost its connection, and did not answer a probe.
    Dead(ProbeFailure),
    /// Its heartbeats stopped, and it did not answer a probe.
    Expired(ProbeFailure),
    /// A newer process has its address.
    Replaced,
    /// It says that it is of another domain by now.
    OtherDomain,
}

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropCause {
    /// The datagram is no member record and no frame. The sender is at fault.
    Malformed(WireError),
    /// The record names no address that one could connect to.
    Unusable,
    /// The record names another host than the datagram came from.
    WrongSource,
    /// The record names our own address and another id: an earlier life of this node, or a wrong configuration.
    OurAddress,
    /// A heartbeat of a process that was replaced at its address.
    Stale,
    /// The table is full.
    TableFull {
        /// Its limit.
        members_max: usize,
    },
    /// A shutdown of somebody who is no member.
    UnknownShutdown,
    /// The record is of another domain.
    OtherDomain,
    /// A message of the membership service about another member than its sender.
    ForeignRecord,
}

impl DropCause {
    /// A short fixed name, for counters.
    pub fn label(&self) -> &'static str {
        match self {
            DropCause::Malformed(_) => "malformed",
            DropCause::Unusable => "unusable",
            DropCause::WrongSource => "wrong_source",
            DropCause::OurAddress => "our_address",
            DropCause::Stale => "stale",
            DropCause::TableFull { .. } => "table_full",
            DropCause::UnknownShutdown => "unknown_shutdown",
            DropCause::OtherDomain => "other_domain",
            DropCause::ForeignRecord => "foreign_record",
        }
    }
}
