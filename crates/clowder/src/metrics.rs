//! Every metric of the data path: names, labels and handles.
//!
//! Handles are made when the channel starts, so that counting costs no look-up; a recorder that is installed later
//! sees nothing of that channel.

use clowder_proto::chain::{Interceptor, Rejection};
use clowder_proto::link::Failure;
use clowder_proto::wire::WireErrorKind;
use metrics::{Counter, Gauge, counter, gauge};

/// Messages handed to peers, one per target: acknowledged, or written if no acknowledgement was asked for.
pub const SENT: &str = "clowder_messages_sent_total";
/// Messages that failed, one per target; label `kind`.
pub const FAILED: &str = "clowder_messages_failed_total";
/// Messages delivered to a listener or the inbox.
pub const RECEIVED: &str = "clowder_messages_received_total";
/// Messages that nobody wanted.
pub const UNCLAIMED: &str = "clowder_messages_unclaimed_total";
/// Copies of messages that were delivered before.
pub const DUPLICATES: &str = "clowder_messages_duplicate_total";
/// Attempts beyond the first.
pub const RETRIES: &str = "clowder_message_retries_total";
/// Bytes of frames handed to peers.
pub const SENT_BYTES: &str = "clowder_sent_bytes_total";
/// Bytes read from connections of others.
pub const RECEIVED_BYTES: &str = "clowder_received_bytes_total";
/// Bytes of frames without an outcome, of all peers.
pub const QUEUE_BYTES: &str = "clowder_queue_bytes";
/// Connections of others.
pub const CONNECTIONS: &str = "clowder_connections";
/// Connections closed by this node's decision; label `kind`.
pub const REFUSED: &str = "clowder_connections_refused_total";
/// Datagrams dropped at the port for them, or cut off behind their good messages; label `kind`.
pub const DATAGRAMS_DROPPED: &str = "clowder_datagrams_dropped_total";

/// TLS connections refused, by this node or by the other side; label `kind`.
pub const TLS_REFUSED: &str = "clowder_tls_refused_total";
/// TLS connections of others whose certificate was accepted.
pub const TLS_ACCEPTED: &str = "clowder_tls_accepted_total";
/// Readings of the TLS files while the node runs; label `result`: `ok` or `failed`.
pub const TLS_RELOADS: &str = "clowder_tls_reloads_total";
/// When this node's certificate ends, in seconds since 1970.
pub const TLS_CERTIFICATE: &str = "clowder_tls_certificate_expiry_timestamp_seconds";

/// Messages that the chain did not let through; labels `interceptor` and `kind`.
pub const REJECTED: &str = "clowder_messages_rejected_total";
/// What the interceptors of the chain count; labels `interceptor` and `counter`.
pub const INTERCEPTOR: &str = "clowder_interceptor_total";

/// Leaders that this node agreed to, one after the other.
pub const LEADER_CHANGES: &str = "clowder_leader_changes_total";
/// 1 while this node leads, else 0.
pub const LEADS: &str = "clowder_leads";
/// Messages of coordinators that found no room.
pub const COORDINATION_DROPPED: &str = "clowder_coordination_messages_dropped_total";

/// The handles of one channel.
pub(crate) struct Metrics {
    pub(crate) sent: Counter,
    pub(crate) received: Counter,
    pub(crate) unclaimed: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) retries: Counter,
    pub(crate) sent_bytes: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) queue_bytes: Gauge,
    pub(crate) connections: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Metrics {
            sent: counter!(SENT),
            received: counter!(RECEIVED),
            unclaimed: counter!(UNCLAIMED),
            duplicates: counter!(DUPLICATES),
            retries: counter!(RETRIES),
            sent_bytes: counter!(SENT_BYTES),
            received_bytes: counter!(RECEIVED_BYTES),
            queue_bytes: gauge!(QUEUE_BYTES),
            connections: gauge!(CONNECTIONS),
        }
    }
}

/// Count a failed message.
pub(crate) fn failed(failure: Failure) {
    let kind = match failure {
        Failure::RemoteProcess => "remote_process",
        Failure::Timeout => "timeout",
        Failure::Connect => "connect",
        Failure::ConnectionLost => "connection_lost",
        Failure::Protocol => "protocol",
        Failure::QueueFull => "queue_full",
        Failure::TooLarge => "too_large",
        Failure::Closed => "closed",
        Failure::Refused => "refused",
        Failure::NotCommitted => "not_committed",
        Failure::NoSecurePort => "no_secure_port",
        Failure::DatagramTooLarge => "datagram_too_large",
        Failure::NoUdpPort => "no_udp_port",
        Failure::NoMulticast => "no_multicast",
        _ => "other",
    };
    counter!(FAILED, "kind" => kind).increment(1);
}

/// The label of malformed bytes.
pub(crate) fn wire_label(kind: &WireErrorKind) -> &'static str {
    match kind {
        WireErrorKind::StartMarker(_) => "start_marker",
        WireErrorKind::EndMarker(_) => "end_marker",
        WireErrorKind::NegativeLength { .. } => "negative_length",
        WireErrorKind::TooLong { .. } => "length_beyond_frame",
        WireErrorKind::OverLimit { .. } | WireErrorKind::TooMany { .. } => "over_limit",
        WireErrorKind::Truncated(_) => "truncated",
        WireErrorKind::UnknownContent => "unknown_content",
        _ => "malformed",
    }
}

/// Count a connection that this node closed.
pub(crate) fn refused(kind: &'static str) {
    counter!(REFUSED, "kind" => kind).increment(1);
}

/// Count a TLS connection that was refused.
pub(crate) fn tls_refused(kind: &'static str) {
    counter!(TLS_REFUSED, "kind" => kind).increment(1);
}

/// Count a TLS connection of somebody else.
#[cfg(feature = "tls")]
pub(crate) fn tls_accepted() {
    counter!(TLS_ACCEPTED).increment(1);
}

/// Count a reading of the TLS files.
#[cfg(feature = "tls")]
pub(crate) fn tls_reloaded(result: &'static str) {
    counter!(TLS_RELOADS, "result" => result).increment(1);
}

/// Publish when this node's certificate ends.
#[cfg(feature = "tls")]
pub(crate) fn tls_certificate(not_after: i64) {
    gauge!(TLS_CERTIFICATE).set(not_after as f64);
}

/// Count a datagram that was dropped.
pub(crate) fn dropped(kind: &'static str) {
    counter!(DATAGRAMS_DROPPED, "kind" => kind).increment(1);
}

/// Count a message that the chain did not let through.
pub(crate) fn rejected(rejection: &Rejection) {
    counter!(REJECTED, "interceptor" => rejection.interceptor, "kind" => rejection.kind).increment(1);
}

/// This node agreed to another leader.
pub(crate) fn leader_changed() {
    counter!(LEADER_CHANGES).increment(1);
}

/// This node leads, or does not.
pub(crate) fn leads(leads: bool) {
    gauge!(LEADS).set(if leads { 1.0 } else { 0.0 });
}

/// A message of another coordinator found no room.
pub(crate) fn coordination_dropped() {
    counter!(COORDINATION_DROPPED).increment(1);
}

/// Publish what an interceptor counted.
pub(crate) fn interceptor(interceptor: &dyn Interceptor) {
    for (name, value) in interceptor.counters() {
        counter!(INTERCEPTOR, "interceptor" => interceptor.name(), "counter" => name).absolute(value);
    }
}
