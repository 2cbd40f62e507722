//! What happened, in numbers. Every counter only grows.

/// Counters of one [`Sessions`](super::Sessions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions made here.
    pub created: u64,
    /// Sessions learned from others, by creation notice or as state.
    pub learned: u64,
    /// Local creations refused by `sessions_max`.
    pub refused: u64,
    /// Sessions of peers dropped by `received_sessions_max`.
    pub dropped_sessions: u64,
    /// Sessions ended for idleness by this node.
    pub expired: u64,
    /// Sessions ended because a peer said so.
    pub expired_by_peer: u64,
    /// Sessions invalidated here.
    pub invalidated: u64,
    /// Deltas sent.
    pub deltas_sent: u64,
    /// Notices of mere reads sent.
    pub accesses_sent: u64,
    /// Deltas applied.
    pub deltas_applied: u64,
    /// Actions of deltas or transfers that a newer value made moot.
    pub actions_stale: u64,
    /// Attributes that a filter kept out, in both directions.
    pub filtered: u64,
    /// Values over a size or number limit, from peers.
    pub oversized: u64,
    /// Values that cannot be written into a stream; the rest of their message was sent.
    pub unwritable: u64,
    /// Actions of an unknown type, skipped.
    pub unknown_actions: u64,
    /// Messages of an unknown event number, ignored.
    pub unknown_events: u64,
    /// Messages that name another context.
    pub other_context: u64,
    /// Deltas whose inner session id is not that of the message.
    pub mismatched_ids: u64,
    /// Creation notices for sessions that exist: ignored, counted as a request.
    pub repeated_creations: u64,
    /// Messages for sessions that are not known, kept for a while.
    pub parked: u64,
    /// Of those: applied when the session came.
    pub unparked: u64,
    /// Of those: dropped, the session never came or a limit was reached.
    pub parked_dropped: u64,
    /// Messages for sessions that ended a short time ago.
    pub after_end: u64,
    /// Sends that failed for one member.
    pub sends_failed: u64,
    /// Sessions sent again because a delivery had failed.
    pub repaired: u64,
    /// State asked for.
    pub states_asked: u64,
    /// State received completely.
    pub states_received: u64,
    /// State given completely.
    pub states_given: u64,
    /// Transfers given up, in either role.
    pub transfers_failed: u64,
    /// Times this node began to serve without the state of a member that it saw.
    pub no_state: u64,
    /// Sessions fetched because messages about them came without them.
    pub fetched: u64,
    /// Sessions in received state that existed here and were merged.
    pub merged: u64,
    /// Concurrent writes of one attribute by this node and a Tomcat, settled by sending it again.
    pub conflicts: u64,
    /// Stamps too far in the future, replaced by the own clock.
    pub stamps_refused: u64,
    /// Notices to a member that were forgotten because too many deliveries to it had failed.
    pub notices_dropped: u64,
}
