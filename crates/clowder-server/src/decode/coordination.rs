//! Bodies of messages between coordinators.

use bytes::{Bytes, BytesMut};
use clowder_proto::election::{CoordinationMessage, ElectionKind, ElectionMessage};
use clowder_proto::wire::Member;
use serde_json::{Map, Value, json};

use super::{Decoded, Malformed, limits, member};

/// Bytes in front of the first record.
const HEADER: usize = 16;
/// The id and the type.
const END: usize = 32;
/// The message that is only swallowed.
const ALIVE: usize = 64;

/// A body and what stands behind its type.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let message = CoordinationMessage::decode(bytes, &limits(bytes)).map_err(|error| Malformed::wire(&error, 0))?;
    match message {
        CoordinationMessage::Election(message) => Ok(election(&message, bytes)),
        CoordinationMessage::Alive => {
            let mut view = Map::from_iter([("type".to_owned(), json!("alive"))]);
            put_trailing(&mut view, &bytes[ALIVE..]);
            Ok(Decoded { json: Value::Object(view), again: bytes.to_vec() })
        }
    }
}

fn election(message: &ElectionMessage, bytes: &Bytes) -> Decoded {
    let mut at = HEADER;
    let mut again = BytesMut::from(&bytes[..HEADER]);
    let leader = record(bytes, &mut at, &message.leader, &mut again);
    let source = record(bytes, &mut at, &message.source, &mut again);
    again.extend_from_slice(&bytes[at..at + 4]);
    at += 4;
    let members: Vec<Value> = message.members.iter().map(|member| record(bytes, &mut at, member, &mut again)).collect();
    let (end, behind) = (at + END, &bytes[at + END..]);
    // The last bytes of what would be sent: the id, and the type as this program writes it.
    let written = message.encode();
    again.extend_from_slice(&written[written.len() - END..]);
    again.extend_from_slice(behind);

    let mut view = Map::new();
    view.insert("length".into(), json!(end));
    view.insert("type".into(), json!(kind(message.kind)));
    view.insert("id_hex".into(), json!(message.id.to_string()));
    view.insert("leader".into(), leader);
    view.insert("source".into(), source);
    view.insert("members".into(), json!(members));
    put_trailing(&mut view, behind);
    Decoded { json: Value::Object(view), again: again.into() }
}

/// The record at `at`, written again with whatever stands behind its end marker, which its reader does not keep.
fn record(bytes: &Bytes, at: &mut usize, member: &Member, again: &mut BytesMut) -> Value {
    let prefix = &bytes[*at..*at + 4];
    let length = prefix.try_into().map_or(0, u32::from_be_bytes) as usize;
    let field = &bytes[*at + 4..*at + 4 + length];
    *at += 4 + length;
    again.extend_from_slice(prefix);
    member.encode_into(again);
    again.extend_from_slice(&field[member.encoded_len()..]);
    member::view(member, field)
}

fn kind(kind: ElectionKind) -> &'static str {
    match kind {
        ElectionKind::Request => "request",
        ElectionKind::Confirmation => "confirm",
    }
}

fn put_trailing(view: &mut Map<String, Value>, behind: &[u8]) {
    if !behind.is_empty() {
        view.insert("trailing".into(), json!(hex::encode(behind)));
    }
}
