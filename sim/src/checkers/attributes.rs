//! Two changes of different attributes never destroy each other, wherever they were made.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::World;
use crate::node::Process;

/// At the end every attribute that a living process wrote is at every node, and all nodes have the same sessions, unless
/// a layer forgot what it had acknowledged.
pub fn check(world: &World) -> Result<(), String> {
    if world.forgot() {
        return Ok(());
    }
    for ((session, name), write) in &world.history.writes {
        if world.history.doomed.contains(session) || !world.history.is_alive(write.origin) {
            continue;
        }
        let holders = world.holders(session, name, &write.value);
        if let Some(who) = world.processes().map(|process| process.who).find(|who| !holders.contains(who)) {
            return Err(format!("{name} of {session}, written at {:?}, is not at {who:?}", write.origin));
        }
    }
    let mut pictures = world.processes().map(|process| (process.who, picture(process)));
    let Some((first, expected)) = pictures.next() else { return Ok(()) };
    match pictures.find(|(_, picture)| *picture != expected) {
        Some((other, _)) => Err(format!("{first:?} and {other:?} do not have the same sessions")),
        None => Ok(()),
    }
}

fn picture(process: &Process) -> BTreeMap<String, BTreeMap<String, Bytes>> {
    let attributes = |id: &str| {
        let snapshot = process.sessions.snapshot(id).expect("listed");
        snapshot.attributes().map(|(name, value)| (name.to_string(), value.clone())).collect()
    };
    process.sessions.ids().map(|id| (id.to_string(), attributes(&id.to_text()))).collect()
}
