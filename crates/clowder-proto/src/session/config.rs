//! What an operator decides about one context's sessions.

use std::time::Duration;

use super::{AttributeFilter, JavaStr};

/// Whether a request waits for the replicas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replication {
    /// The answer leaves after every replica confirmed (or failed) what the request changed.
    Synchronous,
    /// The answer leaves at once; the same messages travel in the same order.
    #[default]
    Asynchronous,
}

/// Configuration of [`Sessions`](super::Sessions).
#[derive(Clone, Debug)]
pub struct SessionsConfig {
    /// Name of the manager on the wire, equal on all nodes: `localhost#/app` for a cluster at the engine, `/app` at the
    /// host; the ROOT application is `localhost#`, or empty.
    pub context_name: JavaStr,
    /// Whether requests wait. Default asynchronous.
    pub replication: Replication,
    /// Seconds without a request after which a session ends; 0 or negative: never. Default 1800.
    pub max_inactive: i32,
    /// Which attributes are replicated. Default all.
    pub filter: AttributeFilter,
    /// Expire the sessions whose last request was here when this node stops. Default false.
    pub expire_on_shutdown: bool,
    /// Keep passwords off the wire: the notes
    /// `org.apache.catalina.session.USERNAME` and `.PASSWORD` are not sent. Default true.
    pub withhold_password_notes: bool,
    /// How the state of others is asked for and given.
    pub transfer: TransferConfig,
    /// Bounds on what is held.
    pub limits: SessionLimits,
    /// How long a request must be ahead of the last notice before the others are told of mere reads, as a part of the
    /// session's own interval. Default 10: a tenth of it, at most [`access_notice_max`](Self::access_notice_max).
    pub access_notice_part: u32,
    /// The longest time between two notices of a session that is only read. Default 60 s.
    pub access_notice_max: Duration,
    /// A parallel write at a Tomcat can be lost there when our delta arrives (it forgets its unsent changes). When
    /// both wrote one session within a second, the Tomcat's sessions are fetched and merged, at most this often.
    /// `None`: never. Default 2 s; a state that takes long to send is asked for at most in a twentieth of the time.
    pub reconcile_every: Option<Duration>,
}

impl SessionsConfig {
    /// The defaults for the manager of this name.
    pub fn new(context_name: &str) -> Self {
        SessionsConfig {
            context_name: JavaStr::from(context_name),
            replication: Replication::default(),
            max_inactive: 1800,
            filter: AttributeFilter::default(),
            expire_on_shutdown: false,
            withhold_password_notes: true,
            transfer: TransferConfig::default(),
            limits: SessionLimits::default(),
            access_notice_part: 10,
            access_notice_max: Duration::from_secs(60),
            reconcile_every: Some(Duration::from_secs(2)),
        }
    }
}

/// State transfer, in both roles.
#[derive(Clone, Debug)]
pub struct TransferConfig {
    /// Longest wait for the first answer of one member before the next is asked. Default 5 s.
    pub answer_timeout: Duration,
    /// Longest pause between two blocks of an answer. Default 10 s.
    pub progress_timeout: Duration,
    /// Longest wait for any state before this node serves without. Default 60 s. Tomcat: stateTransferTimeout.
    pub timeout: Duration,
    /// When nobody gave state, ask again after this time. Default 10 s.
    pub ask_again: Duration,
    /// Bytes of session data in one block. Default 1 MiB.
    pub block_bytes: usize,
    /// Blocks on their way to one Clowder node; a Tomcat gets one after the other. Default 4.
    pub blocks_in_flight: usize,
    /// How often a block is sent before the transfer is given up. Default 3.
    pub block_attempts: u32,
    /// First pause before a failed delivery is repaired; doubles up to 32 times as much. Default 1 s.
    pub repair_delay: Duration,
    /// A member that has been up for less than this is starting and asks for state itself. Default 10 s.
    pub fresh: Duration,
}

impl Default for TransferConfig {
    fn default() -> Self {
        TransferConfig {
            answer_timeout: Duration::from_secs(5),
            progress_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            ask_again: Duration::from_secs(10),
            block_bytes: 1 << 20,
            blocks_in_flight: 4,
            block_attempts: 3,
            repair_delay: Duration::from_secs(1),
            fresh: Duration::from_secs(10),
        }
    }
}

/// Bounds, each counted in [`Stats`](super::Stats) when it is reached.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Sessions that may exist before a local creation is refused. Default 1,000,000. Tomcat: maxActiveSessions, which
    /// also counts every session here.
    pub sessions_max: usize,
    /// Sessions that may exist before one of a peer is dropped. Default 2,000,000.
    pub received_sessions_max: usize,
    /// Messages for sessions that are not known yet. Default 20,000.
    pub parked_max: usize,
    /// Bytes of those messages. Default 64 MiB.
    pub parked_bytes_max: usize,
    /// How long such a message waits, the time of a running transfer not counted. Default 10 s.
    pub parked_for: Duration,
    /// Bytes of one attribute's Java stream. Default 8 MiB.
    pub attribute_bytes_max: usize,
    /// Attributes, notes and listeners of one session. Default 10,000.
    pub attributes_max: usize,
    /// Bytes of one message body that are looked at. Default 64 MiB.
    pub message_bytes_max: usize,
    /// Ids of ended sessions that are remembered so that late messages do not bring them back. Default 100,000.
    pub ended_max: usize,
    /// How long they are remembered. Default 10 min.
    pub ended_for: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        SessionLimits {
            sessions_max: 1_000_000,
            received_sessions_max: 2_000_000,
            parked_max: 20_000,
            parked_bytes_max: 64 << 20,
            parked_for: Duration::from_secs(10),
            attribute_bytes_max: 8 << 20,
            attributes_max: 10_000,
            message_bytes_max: 64 << 20,
            ended_max: 100_000,
            ended_for: Duration::from_secs(600),
        }
    }
}
