//! The limits and times of a channel's data path, with their defaults.

use std::time::Duration;

use clowder_proto::dedup::DedupConfig;
use clowder_proto::link::LinkConfig;
use clowder_proto::wire::Limits;

/// How much a channel holds. Reaching a limit is counted and never fatal.
#[derive(Clone, Debug)]
pub struct ChannelLimits {
    /// What a peer may send: frame, member record, id.
    pub wire: Limits,
    /// Messages in flight to one Clowder peer. Default 512.
    pub window: usize,
    /// Connections to one Tomcat peer. Default 16, at most 25.
    pub lanes: usize,
    /// Bytes of frames that wait for one peer or are in flight to it; one message may exceed it alone. Default 64 MiB.
    pub queue_bytes_max: usize,
    /// Connections from others. At the limit, the one that was silent longest is closed for a new one. Default 1,024.
    pub connections_max: usize,
    /// Messages of one connection that were delivered and are not yet processed; at the limit it is not read. Default
    /// 1,024.
    pub deliveries_max: usize,
    /// Bytes of all messages that were delivered and are not yet processed; at the limit nothing is read. Default
    /// 256 MiB.
    pub delivered_bytes_max: usize,
    /// Acknowledgements that a peer does not read, in bytes, and apart from them those that wait for the outcome of an
    /// earlier message; at the limit its connection is not read. Default 64 KiB, of which one takes 21 bytes.
    pub unread_acks_max: usize,
    /// Peers that messages go to, members or not. Default 1,024.
    pub peers_max: usize,
    /// Sent datagrams that wait for their acknowledgements, each with a socket of its own; more wait for their turn.
    /// Default 64.
    pub datagrams_in_flight_max: usize,
    /// What is remembered to recognise resends.
    pub dedup: DedupConfig,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        let link = LinkConfig::default();
        ChannelLimits {
            wire: Limits::default(),
            window: link.window,
            lanes: link.lanes,
            queue_bytes_max: link.queue_bytes_max,
            connections_max: 1_024,
            deliveries_max: 1_024,
            delivered_bytes_max: 256 << 20,
            unread_acks_max: 64 << 10,
            peers_max: 1_024,
            datagrams_in_flight_max: 64,
            dedup: DedupConfig::default(),
        }
    }
}

/// How long a channel waits.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For any progress of a connection that owes an acknowledgement. Default 3 s.
    pub send: Duration,
    /// For a connection to be made. Default 3 s.
    pub connect: Duration,
    /// For the rest of a frame whose beginning came. Between frames a connection may be silent for ever. Default 30 s.
    pub half_frame: Duration,
    /// For a peer to read its acknowledgements. Default 10 s.
    pub unread_acks: Duration,
    /// For the application to finish with the messages of a connection that has ended. Default 30 s.
    pub ended: Duration,
    /// For queued messages when the channel stops. Default 3 s.
    pub drain: Duration,
    /// Resends after a failed attempt. Default 1.
    pub retries_max: u8,
}

impl Default for Timeouts {
    fn default() -> Self {
        let link = LinkConfig::default();
        Timeouts {
            send: link.timeout,
            connect: link.connect_timeout,
            half_frame: Duration::from_secs(30),
            unread_acks: Duration::from_secs(10),
            ended: Duration::from_secs(30),
            drain: Duration::from_secs(3),
            retries_max: link.retries_max,
        }
    }
}

/// What one peer's link is made of.
pub(crate) fn link(limits: &ChannelLimits, timeouts: &Timeouts, failed_ack_is_error: bool) -> LinkConfig {
    LinkConfig {
        window: limits.window,
        lanes: limits.lanes,
        queue_bytes_max: limits.queue_bytes_max.min(u32::MAX as usize),
        timeout: timeouts.send,
        connect_timeout: timeouts.connect,
        retries_max: timeouts.retries_max,
        failed_ack_is_error,
        ..LinkConfig::default()
    }
}
