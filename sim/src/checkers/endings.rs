//! A session ends once: what was under way does not bring it back.

use crate::World;

/// No node has a session whose end everybody confirmed, unless a layer forgot what it had acknowledged.
pub fn check(world: &World) -> Result<(), String> {
    if world.forgot() {
        return Ok(());
    }
    for session in &world.history.ended {
        if let Some(process) = world.processes().find(|process| process.sessions.snapshot(session).is_some()) {
            return Err(format!("{session} has ended everywhere, and {:?} has it", process.who));
        }
    }
    Ok(())
}
