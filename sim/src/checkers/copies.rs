//! A resend is recognised: a process processes a message once.

use std::collections::BTreeSet;

use crate::World;

/// No listener has a message again that it did not refuse.
pub fn check(world: &World) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for arrival in world.history.arrivals.iter().filter(|arrival| !arrival.refused) {
        let Some(message) = arrival.message else { continue };
        if !seen.insert((message, arrival.receiver)) {
            return Err(format!("{:?} had message {message} twice", arrival.receiver));
        }
    }
    Ok(())
}
