//! Messages of one sender arrive in the order in which they were sent.

use std::collections::{BTreeMap, BTreeSet};

use clowder_proto::wire::MemberId;

use crate::{Who, World};

/// For each sender, target and receiver, the first processing of each message is in the order of sending.
///
/// Left out: messages that a listener refused, which their sender may try again behind later ones if the refusal was
/// lost with its connection.
pub fn check(world: &World) -> Result<(), String> {
    let arrivals = || world.history.arrivals.iter().filter_map(|arrival| Some((arrival.message?, arrival)));
    let refused: BTreeSet<usize> =
        arrivals().filter(|(_, arrival)| arrival.refused).map(|(message, _)| message).collect();
    let mut seen: BTreeSet<(Who, usize)> = BTreeSet::new();
    let mut latest: BTreeMap<(Who, &MemberId, Who), BTreeMap<bool, usize>> = BTreeMap::new();
    for (message, arrival) in arrivals().filter(|(message, _)| !refused.contains(message)) {
        if !seen.insert((arrival.receiver, message)) {
            continue; // a copy: another checker's business
        }
        let sent = &world.history.sent[message];
        // Session messages are processed when they arrive, those of the application have a queue.
        let queue = sent.kind == crate::Kind::Session;
        let way = latest.entry((sent.sender, &arrival.target, arrival.receiver)).or_default();
        let before = way.insert(queue, message);
        if let Some(before) = before.filter(|before| *before > message) {
            let what = format!("{:?} had message {before} of {:?} before {message}", arrival.receiver, sent.sender);
            return Err(what);
        }
    }
    Ok(())
}
