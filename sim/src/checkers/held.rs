//! What layers hold is bounded, and nothing is held for ever.

use std::collections::BTreeSet;

use crate::history::History;
use crate::layers::EXPIRE_MAX;
use crate::node::Process;
use crate::{Settings, Who, World};

/// After every input of a process: its layers do not hold more than they may.
pub(crate) fn check_bounds(process: &Process, settings: &Settings, history: &mut History) {
    let lowest = process.chain.interceptors().rev().find(|layer| layer.patience().is_some());
    let lowest_holds = lowest.map_or(0, |layer| layer.held_bytes());
    let bounds = [
        ("the lowest layer", lowest_holds, settings.layers.held_bytes_max()),
        ("all layers", process.chain.held_bytes(), settings.layers.all_held_bytes_max()),
    ];
    for (what, held, max) in bounds.into_iter().filter(|(_, held, max)| held > max) {
        history.violated("held", format!("{:?}: {held} bytes are held in {what}, at most {max}", process.who));
    }
}

/// In the end no process holds anything to which nothing was sent for longer than any layer holds a message: whatever
/// waited was given out or given up. And nothing is overdue.
pub fn check(world: &World) -> Result<(), String> {
    let now = world.now.mono;
    let recent = world.history.sent.iter().filter(|sent| now < sent.at + EXPIRE_MAX);
    let busy: BTreeSet<usize> = recent.flat_map(|sent| sent.outcomes.keys().map(Who::node_of)).collect();
    for process in world.processes() {
        let (who, bytes, due) = (process.who, process.chain.held_bytes(), process.chain.deadline());
        if due.is_some_and(|due| due < now) {
            return Err(format!("{who:?} holds {bytes} bytes, which are overdue"));
        }
        if !busy.contains(&who.node) && (bytes > 0 || due.is_some()) {
            return Err(format!("{who:?} still holds {bytes} bytes"));
        }
    }
    Ok(())
}
