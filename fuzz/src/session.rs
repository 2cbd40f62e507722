//! Targets over session messages and deltas.

use bytes::Bytes;
use clowder_proto::session::SessionLimits;
use clowder_proto::session::wire::{Delta, Event, SessionMessage, decode_new_id, decode_sessions, encode_sessions};

/// A session message that is accepted is the same after being written and read once more; so is its payload, if it
/// has whole sessions.
pub fn session_message(data: &[u8]) {
    let limits = SessionLimits::default();
    let Ok(message) = SessionMessage::decode(&Bytes::copy_from_slice(data), &limits) else { return };
    let again = SessionMessage::decode(&message.encode(), &limits).expect("what we write, we read");
    assert_eq!(again, message);
    let Some(payload) = &message.payload else { return };
    match message.event {
        Event::Delta => delta(payload),
        Event::ChangeId => drop(decode_new_id(payload, &limits)),
        Event::Data => {
            let Ok(sessions) = decode_sessions(payload, &limits) else { return };
            let again = decode_sessions(&encode_sessions(&sessions), &limits).expect("what we write, we read");
            assert_eq!(again.len(), sessions.len());
        }
        _ => {}
    }
}

/// A delta that is accepted is the same after being written and read once more.
pub fn delta(data: &[u8]) {
    let limits = SessionLimits::default();
    let Ok(delta) = Delta::decode(&Bytes::copy_from_slice(data), &limits) else { return };
    let (bytes, _) = delta.encode();
    let again = Delta::decode(&bytes, &limits).expect("what we write, we read");
    assert_eq!(again, delta);
}
