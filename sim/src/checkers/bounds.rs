//! Every buffer, queue and table has a limit.

use clowder_proto::dedup::DedupConfig;

use crate::Settings;
use crate::history::History;
use crate::node::Process;

/// After every input of a process: nothing it holds exceeds its bound.
pub(crate) fn check(process: &Process, settings: &Settings, history: &mut History) {
    let mut bound = |what: &str, is: usize, max: usize| {
        if is > max {
            history.violated("bounds", format!("{:?}: {what}: {is}, at most {max}", process.who));
        }
    };
    for (messages, bytes) in process.queued() {
        // One message may exceed it alone.
        bound("bytes of a link", if messages > 1 { bytes } else { 0 }, settings.link.queue_bytes_max);
    }
    let dedup = DedupConfig::default();
    bound("remembered messages", process.dedup.len(), dedup.messages_max * dedup.senders_max);
    let limits = &process.sessions.config().limits;
    let (parked, parked_bytes) = process.sessions.parked();
    bound("parked messages", parked, limits.parked_max);
    bound("bytes of parked messages", parked_bytes, limits.parked_bytes_max);
    bound("members", process.view.len(), process.group_config.members_max);
}
