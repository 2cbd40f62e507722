//! The manager's counters, for whatever recorder the host has installed.
//!
//! They are published by the driver's task once a second, so a request pays nothing for them.

use clowder_proto::session::Stats;

/// Hands the totals of one context to the recorder.
pub(super) fn publish(context: &str, sessions: usize, stats: &Stats) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float, and there are fewer than 2^52 sessions")]
    let sessions = sessions as f64;
    metrics::gauge!("clowder_sessions", "context" => context.to_owned()).set(sessions);
    let totals = [
        ("clowder_sessions_created_total", stats.created),
        ("clowder_sessions_learned_total", stats.learned),
        ("clowder_sessions_refused_total", stats.refused),
        ("clowder_sessions_dropped_total", stats.dropped_sessions),
        ("clowder_sessions_expired_total", stats.expired),
        ("clowder_sessions_expired_by_peer_total", stats.expired_by_peer),
        ("clowder_sessions_invalidated_total", stats.invalidated),
        ("clowder_session_deltas_sent_total", stats.deltas_sent),
        ("clowder_session_accesses_sent_total", stats.accesses_sent),
        ("clowder_session_deltas_applied_total", stats.deltas_applied),
        ("clowder_session_actions_stale_total", stats.actions_stale),
        ("clowder_session_attributes_filtered_total", stats.filtered),
        ("clowder_session_attributes_oversized_total", stats.oversized),
        ("clowder_session_attributes_unwritable_total", stats.unwritable),
        ("clowder_session_messages_parked_total", stats.parked),
        ("clowder_session_messages_unparked_total", stats.unparked),
        ("clowder_session_messages_parked_dropped_total", stats.parked_dropped),
        ("clowder_session_messages_after_end_total", stats.after_end),
        ("clowder_session_sends_failed_total", stats.sends_failed),
        ("clowder_session_repaired_total", stats.repaired),
        ("clowder_session_states_asked_total", stats.states_asked),
        ("clowder_session_states_received_total", stats.states_received),
        ("clowder_session_states_given_total", stats.states_given),
        ("clowder_session_transfers_failed_total", stats.transfers_failed),
        ("clowder_session_starts_without_state_total", stats.no_state),
        ("clowder_session_fetched_total", stats.fetched),
        ("clowder_session_merged_total", stats.merged),
        ("clowder_session_conflicts_total", stats.conflicts),
        ("clowder_session_actions_unknown_total", stats.unknown_actions),
        ("clowder_session_events_unknown_total", stats.unknown_events),
        ("clowder_session_ids_mismatched_total", stats.mismatched_ids),
        ("clowder_session_creations_repeated_total", stats.repeated_creations),
        ("clowder_session_stamps_refused_total", stats.stamps_refused),
        ("clowder_session_notices_dropped_total", stats.notices_dropped),
    ];
    for (name, total) in totals {
        metrics::counter!(name, "context" => context.to_owned()).absolute(total);
    }
}
