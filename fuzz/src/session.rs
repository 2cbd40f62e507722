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

/// A delta that is accepted has the same actions after being written and read once more. A value that Java would not
/// have written in this way (the same type name twice in full, say) comes out in Java's form, and stays so.
pub fn delta(data: &[u8]) {
    let limits = SessionLimits::default();
    let Ok(delta) = Delta::decode(&Bytes::copy_from_slice(data), &limits) else { return };
    let (bytes, left_out) = delta.encode();
    assert_eq!(left_out, 0, "what was read can be written");
    let again = Delta::decode(&bytes, &limits).expect("what we write, we read");
    assert_eq!((&again.session_id, again.record_all), (&delta.session_id, delta.record_all));
    assert_eq!(again.actions.len(), delta.actions.len());
    for (again, action) in again.actions.iter().zip(&delta.actions) {
        assert_eq!((again.kind, again.remove, &again.name), (action.kind, action.remove, &action.name));
        assert_eq!(again.value.is_some(), action.value.is_some(), "{}", action.name);
    }
    assert_eq!(again.encode().0, bytes);
}
