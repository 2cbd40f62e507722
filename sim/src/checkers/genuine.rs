//! What is delivered is what somebody sent, whole, whatever else came on the connection.

use crate::{Who, World};

/// Every delivered message has a sender, who gave it just this body and this target.
pub fn check(world: &World) -> Result<(), String> {
    for arrival in &world.history.arrivals {
        let receiver = arrival.receiver;
        let Some(message) = arrival.message else {
            return Err(format!("{receiver:?} had a message that nobody sent"));
        };
        let sent = &world.history.sent[message];
        if sent.body != arrival.body {
            return Err(format!("{receiver:?} had message {message} with another body"));
        }
        let meant = match &arrival.target {
            Some(target) => sent.outcomes.contains_key(target),
            None => sent.outcomes.keys().any(|target| Who::node_of(target) == receiver.node),
        };
        if !meant {
            return Err(format!("{receiver:?} had message {message}, which was not for it: {:?}", arrival.target));
        }
    }
    Ok(())
}
