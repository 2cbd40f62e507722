//! Two-phase commit: a message is processed nowhere before all of its targets have it, and nowhere if one did not get
//! it.

use clowder_proto::link::{Failure, Outcome};

use crate::history::Sent;
use crate::{Who, World};

/// Where two-phase commit works for all targets together: nobody had a message of which its sender was told
/// [`Failure::NotCommitted`]. If it is acknowledged after processing, nobody had it before the layers of every target
/// took a frame of it. Else a frame counts as there when it is written, or received whatever comes of it, and that is
/// all that is promised.
pub fn check(world: &World) -> Result<(), String> {
    let history = &world.history;
    if !world.settings.layers.commits() {
        return Ok(());
    }
    for arrival in &history.arrivals {
        let Some(message) = arrival.message else { continue };
        let sent = &history.sent[message];
        if !world.settings.layers.see(sent.kind) {
            continue;
        }
        let text =
            |what: &str| Err(format!("{:?} had message {message} of {:?}: {what}", arrival.receiver, sent.sender));
        if not_committed(sent) {
            return text("its sender was told that it is not committed");
        }
        let lacking = sent.outcomes.keys().find(|target| !history.reached.contains(&(message, Who::node_of(target))));
        if let Some(target) = lacking.filter(|_| sent.is_acked_after()) {
            return text(&format!("nothing of it came to {target}"));
        }
    }
    Ok(())
}

fn not_committed(sent: &Sent) -> bool {
    sent.outcomes.values().flatten().any(|outcome| *outcome == Outcome::Failed(Failure::NotCommitted))
}
