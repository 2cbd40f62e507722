//! Session messages: the object, and what its payload means for the event.

use bytes::Bytes;
use clowder_proto::session::wire::{
    Delta, Event, SessionData, SessionMessage, SessionWireError, decode_new_id, decode_sessions,
};
use clowder_proto::session::{JavaStr, SessionLimits};
use serde_json::{Map, Value, json};

use super::{Decoded, Malformed, delta, value};

/// The body of a channel message.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let message = SessionMessage::decode(bytes, &limits(bytes)).map_err(|error| malformed(&error))?;
    let mut view = head(&message);
    if let Some(payload) = &message.payload {
        match payload_view(message.event, payload) {
            Ok(Some((name, payload))) => {
                view.insert(name.into(), payload);
            }
            Ok(None) => {}
            // The object is fine, so it is shown; the offset counts in the payload.
            Err(error) => {
                return Err(Malformed {
                    what: format!("payload: {error} of the payload"),
                    before: Some(Value::Object(view)),
                });
            }
        }
    }
    Ok(Decoded { json: Value::Object(view), again: message.encode().to_vec() })
}

pub(super) fn malformed(error: &SessionWireError) -> Malformed {
    Malformed::new(&error.kind, error.at)
}

/// Captured bytes are in memory already.
pub(super) fn limits(bytes: &Bytes) -> SessionLimits {
    let max = bytes.len();
    SessionLimits { message_bytes_max: max, attribute_bytes_max: max, ..SessionLimits::default() }
}

fn head(message: &SessionMessage) -> Map<String, Value> {
    let text = |text: &Option<JavaStr>| json!(text.as_ref().map(JavaStr::to_text));
    let mut view = Map::new();
    view.insert("class".into(), json!("org.apache.catalina.ha.session.SessionMessageImpl"));
    view.insert("event".into(), json!(message.event.number()));
    view.insert("event_string".into(), json!(message.event.name()));
    view.insert("context_name".into(), text(&message.context));
    view.insert("session_id".into(), text(&message.session_id));
    view.insert("unique_id".into(), text(&message.unique_id));
    // Java has 0 where no time was set.
    view.insert("timestamp".into(), json!(message.time.unwrap_or(0)));
    view.insert("payload_hex".into(), json!(message.payload.as_ref().map(hex::encode)));
    if !message.trailer.is_empty() {
        view.insert("trailer_hex".into(), json!(hex::encode(&message.trailer)));
    }
    view
}

/// The payload and the name under which it is shown.
fn payload_view(event: Event, payload: &Bytes) -> Result<Option<(&'static str, Value)>, SessionWireError> {
    let limits = limits(payload);
    Ok(match event {
        Event::Delta => Some(("delta", delta::view(&Delta::decode(payload, &limits)?))),
        Event::ChangeId => Some(("new_session_id", json!(decode_new_id(payload, &limits)?.to_text()))),
        Event::Data => {
            let sessions = decode_sessions(payload, &limits)?;
            Some(("sessions", sessions.iter().map(session).collect()))
        }
        _ => None,
    })
}

fn session(session: &SessionData) -> Value {
    let mut view = Map::new();
    view.insert("creation_time".into(), json!(session.creation));
    view.insert("last_accessed_time".into(), json!(session.last_accessed));
    view.insert("max_inactive_interval".into(), json!(session.max_inactive));
    view.insert("is_new".into(), json!(session.is_new));
    view.insert("is_valid".into(), json!(session.is_valid));
    view.insert("this_accessed_time".into(), json!(session.this_accessed));
    view.insert("version".into(), json!(session.version));
    view.insert("has_principal".into(), json!(session.principal.is_some()));
    if let Some(principal) = &session.principal {
        view.insert("principal".into(), value::view(principal));
    }
    view.insert("id".into(), json!(session.id.to_text()));
    view.insert("note_session_id".into(), json!(session.note_session_id.as_ref().map(value::text)));
    view.insert("note_saved_request".into(), session.note_request.as_ref().map_or(Value::Null, value::view));
    let attributes: Vec<Value> = session
        .attributes
        .iter()
        .map(|(name, stream)| json!({ "name": name.to_text(), "value": value::view(stream) }))
        .collect();
    view.insert("attributes".into(), Value::Array(attributes));
    let listeners: Vec<Value> = session.listeners.iter().map(|stream| json!(value::class(stream))).collect();
    view.insert("listeners".into(), Value::Array(listeners));
    if !session.aborted.is_empty() {
        let aborted: Vec<_> = session.aborted.iter().map(JavaStr::to_text).collect();
        view.insert("attributes_given_up_by_sender".into(), json!(aborted));
    }
    Value::Object(view)
}
