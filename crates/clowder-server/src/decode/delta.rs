//! Deltas: the changes of one request, alone or as the payload of a session message.

use bytes::Bytes;
use clowder_proto::session::wire::{Action, Delta};
use serde_json::{Map, Value, json};

use super::{Decoded, Malformed, session, value};

/// The payload of a SESSION-DELTA message.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let delta = Delta::decode(bytes, &session::limits(bytes)).map_err(|error| session::malformed(&error))?;
    let (again, _) = delta.encode();
    Ok(Decoded { json: view(&delta), again: again.to_vec() })
}

/// With the names that the golden vectors use.
pub(super) fn view(delta: &Delta) -> Value {
    let actions: Vec<Value> = delta.actions.iter().map(action).collect();
    json!({
        "session_id": delta.session_id.to_text(),
        "record_all_actions": delta.record_all,
        "actions": actions,
    })
}

fn action(action: &Action) -> Value {
    let mut view = Map::new();
    view.insert("type".into(), json!(action.kind.number()));
    view.insert("type_name".into(), json!(action.kind.label()));
    view.insert("action".into(), json!(i32::from(action.remove)));
    view.insert("action_name".into(), json!(if action.remove { "REMOVE" } else { "SET" }));
    view.insert("name".into(), json!(action.name.to_text()));
    view.insert("has_value".into(), json!(action.value.is_some()));
    if let Some(stream) = &action.value {
        view.insert("value".into(), value::view(stream));
    }
    Value::Object(view)
}
