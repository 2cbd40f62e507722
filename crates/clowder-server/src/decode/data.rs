//! Message records: what one frame carries.

use bytes::{Bytes, BytesMut};
use clowder_proto::wire::{Member, Message, options};
use serde_json::{Map, Value, json};

use super::{Decoded, Malformed, limits, member};

/// A record and what stands behind its body. `base`: its offset in the input, for the error.
pub(super) fn decode(bytes: &Bytes, base: usize) -> Result<Decoded, Malformed> {
    let message = Message::decode(bytes, &limits(bytes)).map_err(|error| Malformed::wire(&error, base))?;
    let address = address(&message, bytes);
    let mut again = BytesMut::new();
    encode(&message, &address, &mut again);
    let behind = bytes.slice(again.len()..);
    let json = view(&message, &address, bytes.len(), &behind);
    again.extend_from_slice(&behind);
    Ok(Decoded { json, again: again.into() })
}

/// The address field as it is. The reader of a member ignores what follows the end marker, and so does not keep it.
fn address(message: &Message, bytes: &Bytes) -> Bytes {
    let at = FRONT + message.id.0.len();
    let length = bytes[at..at + 4].try_into().map_or(0, u32::from_be_bytes) as usize;
    bytes.slice(at + 4..at + 4 + length)
}

/// Options, time and the length of the id.
const FRONT: usize = 16;

/// As [`Message::encode_into`], with the whole address field.
fn encode(message: &Message, address: &Bytes, out: &mut BytesMut) {
    let behind_member = &address[message.from.encoded_len()..];
    if behind_member.is_empty() {
        return message.encode_into(out);
    }
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    out.extend_from_slice(&message.options.to_be_bytes());
    out.extend_from_slice(&message.timestamp.to_be_bytes());
    out.extend_from_slice(&length(message.id.0.len()));
    out.extend_from_slice(&message.id.0);
    out.extend_from_slice(&length(address.len()));
    Member::encode_into(&message.from, out);
    out.extend_from_slice(behind_member);
    out.extend_from_slice(&length(message.body.len()));
    out.extend_from_slice(&message.body);
}

fn view(message: &Message, address: &Bytes, length: usize, behind: &[u8]) -> Value {
    let mut view = Map::new();
    view.insert("length".into(), json!(length));
    view.insert("options".into(), json!(message.options));
    view.insert("optionNames".into(), json!(option_names(message.options)));
    view.insert("timestamp".into(), json!(message.timestamp));
    view.insert("uniqueId".into(), json!(hex::encode(&message.id.0)));
    view.insert("addressLength".into(), json!(address.len()));
    view.insert("address".into(), json!(member::name(&message.from)));
    view.insert("messageLength".into(), json!(message.body.len()));
    view.insert("message".into(), json!(hex::encode(&message.body)));
    view.insert("ackBeforeProcessing".into(), json!(options::ack_before(message.options)));
    view.insert("ackAfterProcessing".into(), json!(options::ack_after(message.options)));
    view.insert("sender".into(), member::view(&message.from, address));
    if !behind.is_empty() {
        view.insert("trailing".into(), json!(hex::encode(behind)));
    }
    Value::Object(view)
}

/// Tomcat: Channel.getSendOptionsAsString — highest bit first, bits without a name left out.
fn option_names(options: i32) -> String {
    let names = [
        (options::MULTICAST, "multicast"),
        (options::UDP, "udp"),
        (options::SECURE, "secure"),
        (options::ASYNCHRONOUS, "async"),
        (options::SYNCHRONIZED_ACK, "sync"),
        (options::USE_ACK, "use_ack"),
        (options::BYTE_MESSAGE, "byte"),
    ];
    let set: Vec<&str> = names.iter().filter(|(bit, _)| options & bit != 0).map(|(_, name)| *name).collect();
    set.join(", ")
}
