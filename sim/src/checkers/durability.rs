//! An acknowledged change is at the replicas, and survives as long as one process that had it lives.
//!
//! A layer that holds a message acknowledges it. If it is set to forget what it held, nothing is promised of what it
//! forgot: see `World::forgot`.

use crate::{Who, World};

/// A request is answered, and every replica confirmed its messages: who has the session has the change.
pub(crate) fn answered(world: &mut World, replicas: &[Who], session: &str, name: &str) {
    let key = (session.to_owned(), name.to_owned());
    let Some(write) = world.history.writes.get(&key).cloned() else { return };
    if world.history.doomed.contains(session) || world.forgot() {
        return;
    }
    let holders = world.holders(session, name, &write.value);
    // One that has just started may not have the session yet: its state is on the way. And what a layer holds counts as
    // processed.
    let lacking = world.processes().find(|process| {
        let is_replica = replicas.contains(&process.who) && !holders.contains(&process.who);
        is_replica && process.sessions.snapshot(session).is_some() && process.chain.deadline().is_none()
    });
    if let Some(who) = lacking.map(|process| process.who) {
        let what = format!("{name} of {session} was answered at {:?}, and {who:?} does not have it", write.origin);
        world.history.violated("durability", what);
    }
    if let Some(write) = world.history.writes.get_mut(&key) {
        write.holders = Some(holders);
    }
}

/// At the end every acknowledged change is at every node, if any process lives that had it at its answer.
pub fn check(world: &World) -> Result<(), String> {
    if world.forgot() {
        return Ok(());
    }
    for ((session, name), write) in &world.history.writes {
        let Some(holders) = &write.holders else { continue };
        let survives = holders.iter().any(|who| world.history.is_alive(*who));
        if !survives || world.history.doomed.contains(session) {
            continue;
        }
        let now = world.holders(session, name, &write.value);
        if let Some(who) = world.processes().map(|process| process.who).find(|who| !now.contains(who)) {
            return Err(format!("{name} of {session} was acknowledged by {holders:?}, and {who:?} does not have it"));
        }
    }
    Ok(())
}
