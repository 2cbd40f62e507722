//! A caller always learns the fate of what it sent: exactly one outcome per target, and it is true.

use std::collections::{BTreeMap, BTreeSet};

use clowder_proto::link::{Failure, Outcome};
use clowder_proto::wire::Ack;

use crate::history::{Arrival, History};
use crate::{Who, World};

/// A message and a node.
type Place = (usize, usize);

/// Every message of a process that lives has one outcome per target, and the outcome is what happened.
///
/// A layer that holds a message answers for it when it comes. So what is delivered as far as its sender knows may be
/// held by a process that died, and at each other process as many of them can be missing as its layers count as given
/// up, and as they rejected without telling their senders. And if the listener of a process failed that died before it
/// could say so, the next process at its address may have answered for a second try that it holds.
pub fn check(world: &World) -> Result<(), String> {
    let history = &world.history;
    let places = Places::of(history);
    let mut missing: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, sent) in history.sent.iter().enumerate() {
        for (target, outcomes) in &sent.outcomes {
            let text = |what: &str| format!("message {index} of {:?} to {target}: {what}: {outcomes:?}", sent.sender);
            let place = (index, Who::node_of(target));
            match outcomes[..] {
                [] if history.is_alive(sent.sender) => return Err(text("no outcome")),
                [] => {}
                [Outcome::Delivered] if !sent.is_acked() => return Err(text("nobody was to confirm it")),
                [Outcome::Delivered] if !history.reached.contains(&place) => return Err(text("it came nowhere")),
                [Outcome::Delivered] if !places.had.contains(&place) => missing.entry(place.1).or_default().push(index),
                [Outcome::Delivered] if world.settings.layers.holds() && !history.is_alive(Who::of(target)) => {}
                [Outcome::Delivered] if sent.is_acked_after() && !places.processed.contains(&place) => {
                    return Err(text("the listener failed"));
                }
                [Outcome::Failed(Failure::Connect | Failure::QueueFull)] if places.had.contains(&place) => {
                    return Err(text("it never left, and somebody had it"));
                }
                [Outcome::Failed(Failure::RemoteProcess)] if !places.refused.contains(&place) => {
                    return Err(text("no listener failed"));
                }
                [_] => {}
                _ => return Err(text("more than one outcome")),
            }
        }
    }
    missing.into_iter().try_for_each(|(node, messages)| excused(world, node, &messages))
}

/// Where what happened to messages.
struct Places {
    had: BTreeSet<Place>,
    /// By a listener that did not fail, or whose sender was answered before its turn came.
    processed: BTreeSet<Place>,
    /// By a listener or a layer, which said so.
    refused: BTreeSet<Place>,
}

impl Places {
    fn of(history: &History) -> Places {
        let arrivals = || history.arrivals.iter().filter_map(|arrival| Some((arrival.message?, arrival)));
        let place = |(message, arrival): (usize, &Arrival)| (message, arrival.receiver.node);
        let by_layers = history.rejected.iter().filter(|rejected| rejected.rejection.answer == Ack::Failed);
        let by_layers = by_layers.filter_map(|rejected| Some((rejected.message?, rejected.receiver.node)));
        let by_listeners = arrivals().filter(|(_, arrival)| arrival.refused).map(place);
        Places {
            had: arrivals().map(place).collect(),
            processed: arrivals().filter(|(_, it)| !it.refused || it.target.is_none()).map(place).collect(),
            refused: by_listeners.chain(by_layers).collect(),
        }
    }
}

/// As many messages can be missing at a node as its processes say.
fn excused(world: &World, node: usize, messages: &[usize]) -> Result<(), String> {
    let died = world.history.died.keys().any(|who| who.node == node);
    if died && world.settings.layers.holds() {
        return Ok(());
    }
    let processes = || world.processes().filter(|process| process.who.node == node);
    let counted = |layer, names: &[&str]| processes().map(|process| process.counted(layer, names)).sum::<u64>();
    // What order counts as expired is delivered.
    let given_up = counted("fragment", &["expired", "left"])
        + counted("two-phase", &["expired", "left"])
        + counted("order", &["forgotten"]);
    let in_silence = world.history.rejected.iter().filter(|rejected| rejected.receiver.node == node).count();
    if messages.len() as u64 > given_up + in_silence as u64 {
        let what = "were delivered as far as their senders know, and nobody had them";
        return Err(format!("messages {messages:?} to node {node} {what}; {given_up} were given up"));
    }
    Ok(())
}
