//! Messages of one sender arrive in the order in which they were sent, where no layer changes it.

use std::collections::{BTreeMap, BTreeSet};

use clowder_proto::link::{Order, Outcome};
use clowder_proto::wire::MemberId;

use crate::history::{Kind, Sent};
use crate::{Settings, Who, World};

/// Messages that stay behind each other: of one sender to one target, of one kind as each kind has its own queue at the
/// receiver, and on several connections of one order.
type Way<'a> = (Who, &'a MemberId, Who, Kind, Option<u64>);

/// For each sender, target and receiver, the first processing of each message is in the order of sending.
///
/// Left out: messages that a listener or a layer refused, which their sender may try again behind later ones if the
/// refusal was lost with its connection. On several connections: those that may use any. If what is under way on a lost
/// connection can come all the same: those that nobody sends again, as they were not acknowledged or failed.
pub fn check(world: &World) -> Result<(), String> {
    let World { history, settings, .. } = world;
    if !settings.layers.keeps_order() {
        return Ok(());
    }
    let arrivals = || history.arrivals.iter().filter_map(|arrival| Some((arrival.message?, arrival)));
    let refused: BTreeSet<usize> =
        arrivals().filter(|(_, arrival)| arrival.refused).map(|(message, _)| message).collect();
    let rejected: BTreeSet<usize> = history.rejected.iter().filter_map(|rejected| rejected.message).collect();
    let mut seen: BTreeSet<(Who, usize)> = BTreeSet::new();
    let mut latest: BTreeMap<Way<'_>, usize> = BTreeMap::new();
    for (message, arrival) in arrivals() {
        if refused.contains(&message) || rejected.contains(&message) || !seen.insert((arrival.receiver, message)) {
            continue; // a copy is another checker's business
        }
        let (sent, Some(target)) = (&history.sent[message], &arrival.target) else { continue };
        let Some(key) = key(settings, sent).filter(|_| is_sent_again(settings, sent, target)) else { continue };
        let before = latest.insert((sent.sender, target, arrival.receiver, sent.kind, key), message);
        if let Some(before) = before.filter(|before| *before > message) {
            let what = format!("{:?} had message {before} of {:?} before {message}", arrival.receiver, sent.sender);
            return Err(what);
        }
    }
    Ok(())
}

/// What it must not overtake; on one connection that is everything. A member that became one because a coordinator named
/// it has several until it is heard itself.
fn key(settings: &Settings, sent: &Sent) -> Option<Option<u64>> {
    match sent.order {
        _ if !settings.lanes && !settings.layers.elects() => Some(None),
        Order::All => Some(None),
        Order::Keyed(key) => Some(Some(key)),
        Order::None => None,
    }
}

fn is_sent_again(settings: &Settings, sent: &Sent, target: &MemberId) -> bool {
    let outcomes = sent.outcomes.get(target).map_or(&[][..], |outcomes| outcomes);
    !settings.lingers || sent.is_acked() && !outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(_)))
}
