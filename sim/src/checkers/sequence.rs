//! With a layer of order, messages of one sender are delivered in the order in which it sent them, whatever way they
//! took, but for what the layer says that it gave up.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::Kind;
use crate::{Who, World};

/// For each process: at most as many messages come behind a later one of their sender as its layer counts as `late`: it
/// gave up a number, and the message came all the same.
///
/// Of each message the first delivery counts, and each kind alone, as each has its own queue above the chain. Left out
/// are two processes of which one lost sight of the other, or one had what was meant for another life of its node: messages
/// with the numbers of two counts are under way at once then.
pub fn check(world: &World) -> Result<(), String> {
    if !world.settings.layers.orders() {
        return Ok(());
    }
    let parted = parted(world);
    let mut seen: BTreeSet<(Who, usize)> = BTreeSet::new();
    let mut latest: BTreeMap<(Who, Who, Kind), usize> = BTreeMap::new();
    let mut overtaken: BTreeMap<Who, Vec<String>> = BTreeMap::new();
    for arrival in &world.history.arrivals {
        let Some(message) = arrival.message.filter(|message| seen.insert((arrival.receiver, *message))) else {
            continue;
        };
        let sent = &world.history.sent[message];
        let pair = (arrival.receiver, sent.sender);
        let has_one_count = !parted.contains(&pair) && !world.history.strayed.contains(&pair);
        if !has_one_count || !world.settings.layers.see(sent.kind) {
            continue;
        }
        let latest = latest.entry((sent.sender, arrival.receiver, sent.kind)).or_default();
        if message < *latest {
            let what = format!("message {message} of {:?} behind {latest}", sent.sender);
            overtaken.entry(arrival.receiver).or_default().push(what);
        }
        *latest = message.max(*latest);
    }
    for process in world.processes().chain(&world.buried) {
        let Some(overtaken) = overtaken.get(&process.who) else { continue };
        let told = process.counted("order", &["late"]);
        if overtaken.len() as u64 > told {
            let what = overtaken.join(", ");
            return Err(format!("{:?} had {what}, and its layer tells of {told}", process.who));
        }
    }
    Ok(())
}

/// Processes of which one had the other in its view and then not any more, both ways round.
fn parted(world: &World) -> BTreeSet<(Who, Who)> {
    let partings = world.processes().chain(&world.buried).flat_map(|process| {
        let left = process.left.iter().map(Who::of);
        left.flat_map(|other| [(process.who, other), (other, process.who)])
    });
    partings.collect()
}
