//! A caller always learns the fate of what it sent: exactly one outcome per target, and it is true.

use std::collections::BTreeSet;

use clowder_proto::link::{Failure, Outcome};

use crate::{Who, World};

/// Every message of a process that lives has one outcome per target, and the outcome is what happened.
pub fn check(world: &World) -> Result<(), String> {
    let arrivals = &world.history.arrivals;
    let had: BTreeSet<(usize, usize)> =
        arrivals.iter().filter_map(|arrival| Some((arrival.message?, Who::node_of(&arrival.target)))).collect();
    let refused: BTreeSet<(usize, usize)> = arrivals
        .iter()
        .filter(|arrival| arrival.refused)
        .filter_map(|arrival| Some((arrival.message?, Who::node_of(&arrival.target))))
        .collect();
    for (index, sent) in world.history.sent.iter().enumerate() {
        for (target, outcomes) in &sent.outcomes {
            let text = |what: &str| format!("message {index} of {:?} to {target}: {what}: {outcomes:?}", sent.sender);
            let place = (index, Who::node_of(target));
            match outcomes[..] {
                [] if world.history.is_alive(sent.sender) => return Err(text("no outcome")),
                [] => {}
                [Outcome::Delivered] if !sent.acked => return Err(text("nobody was to confirm it")),
                [Outcome::Delivered] if !had.contains(&place) => return Err(text("nobody had it")),
                [Outcome::Failed(Failure::Connect | Failure::QueueFull)] if had.contains(&place) => {
                    return Err(text("it never left, and somebody had it"));
                }
                [Outcome::Failed(Failure::RemoteProcess)] if !refused.contains(&place) => {
                    return Err(text("no listener failed"));
                }
                [_] => {}
                _ => return Err(text("more than one outcome")),
            }
        }
    }
    Ok(())
}
