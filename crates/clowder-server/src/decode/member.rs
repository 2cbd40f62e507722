//! Member records, alone as in a heartbeat and inside of messages.

use bytes::{Bytes, BytesMut};
use clowder_proto::wire::{Capabilities, Member};
use serde_json::{Map, Value, json};

use super::{Decoded, Malformed, limits};

/// Bytes around the body: begin marker, length, end marker.
const AROUND_BODY: usize = 24;

/// A record and what stands behind its end marker.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    let member = Member::decode(bytes, &limits(bytes)).map_err(|error| Malformed::wire(&error, 0))?;
    let json = view(&member, bytes);
    let mut again = BytesMut::new();
    member.encode_into(&mut again);
    again.extend_from_slice(&bytes[member.encoded_len()..]);
    Ok(Decoded { json, again: again.into() })
}

/// The record `member`, read from the front of `bytes`.
pub(super) fn view(member: &Member, bytes: &[u8]) -> Value {
    let mut view = Map::new();
    view.insert("length".into(), json!(bytes.len()));
    view.insert("bodyLength".into(), json!(member.encoded_len() - AROUND_BODY));
    view.insert("alive".into(), json!(member.alive));
    view.insert("port".into(), json!(member.id.port));
    view.insert("securePort".into(), json!(member.secure_port));
    view.insert("udpPort".into(), json!(member.udp_port));
    view.insert("host".into(), json!(hex::encode(&member.id.host)));
    view.insert("command".into(), json!(hex::encode(&member.command)));
    view.insert("domain".into(), json!(hex::encode(&member.domain)));
    view.insert("uniqueId".into(), json!(hex::encode(member.id.unique_id)));
    view.insert("payload".into(), json!(hex::encode(&member.payload)));
    view.insert("name".into(), json!(name(member)));
    // What Tomcat passes over, and what the fields in hexadecimal say to a reader.
    if !member.extension.is_empty() {
        view.insert("extension".into(), json!(hex::encode(&member.extension)));
    }
    if member.capabilities() != Capabilities::default() {
        view.insert("capabilities".into(), json!(capabilities(member.capabilities())));
    }
    if let Some(addr) = member.id.socket_addr() {
        view.insert("socketAddress".into(), json!(addr.to_string()));
    }
    if member.is_shutting_down() {
        view.insert("shuttingDown".into(), json!(true));
    }
    let behind = &bytes[member.encoded_len()..];
    if !behind.is_empty() {
        view.insert("trailing".into(), json!(hex::encode(behind)));
    }
    Value::Object(view)
}

/// Tomcat: MemberImpl.getName — the form in which its logs show a member.
pub(super) fn name(member: &Member) -> String {
    let host: Vec<String> = member.id.host.iter().map(u8::to_string).collect();
    format!("tcp://{{{}}}:{}", host.join(", "), member.id.port)
}

fn capabilities(capabilities: Capabilities) -> Vec<&'static str> {
    [("pipeline", Capabilities::PIPELINE)]
        .into_iter()
        .filter(|(_, flag)| capabilities.contains(*flag))
        .map(|(name, _)| name)
        .collect()
}
