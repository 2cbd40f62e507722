//! RPC messages and what the static membership service says in them, or plainly.

use bytes::Bytes;
use clowder_proto::group::{MemberEvent, MemberMessage};
use clowder_proto::rpc::{NULL, RpcContent, RpcLimits, RpcMessage};
use clowder_proto::wire::{JavaMember, MemberClass, ObjectError};
use serde_json::{Value, json};

use super::{Decoded, Malformed, limits, value};

/// The body of a channel message.
pub(super) fn decode(bytes: &Bytes) -> Result<Decoded, Malformed> {
    if MemberMessage::matches(bytes) {
        let message = MemberMessage::decode(bytes, &limits(bytes)).map_err(|error| malformed(&error))?;
        return Ok(Decoded { json: member_message(&message), again: message.encode().to_vec() });
    }
    let max = bytes.len();
    let rpc_limits = RpcLimits { message_bytes_max: max, id_bytes_max: max, uuid_bytes_max: max };
    let message = RpcMessage::decode(bytes, &rpc_limits).map_err(|error| malformed(&error))?;
    let again = message.encode().map_err(|error| Malformed::new(&error.kind, error.at))?;
    Ok(Decoded { json: view(&message)?, again: again.to_vec() })
}

fn malformed(error: &ObjectError) -> Malformed {
    Malformed::new(&error.kind, error.at)
}

/// With the names that the golden vectors use.
fn view(message: &RpcMessage) -> Result<Value, Malformed> {
    let (class, reply, payload) = match &message.content {
        RpcContent::Request(payload) => ("RpcMessage", false, Some(payload)),
        RpcContent::Reply(payload) => ("RpcMessage", true, Some(payload)),
        RpcContent::NoChannel => ("RpcMessage$NoRpcChannelReply", true, None),
    };
    let head = |payload: Value| {
        json!({
            "class": format!("org.apache.catalina.tribes.group.{class}"),
            "reply": reply,
            "uuid": hex::encode(&message.uuid),
            "rpc_id": hex::encode(&message.rpc_id),
            "rpc_id_text": String::from_utf8_lossy(&message.rpc_id),
            "message": payload,
        })
    };
    let payload = payload.filter(|payload| *payload != NULL).map_or(Ok(Value::Null), payload_view);
    // The object is fine, so it is shown; the offset counts in the payload.
    payload.map(head).map_err(|error| Malformed {
        what: format!("payload: {error} of the payload"),
        before: Some(head(Value::Null)),
    })
}

fn payload_view(payload: &Bytes) -> Result<Value, ObjectError> {
    if MemberMessage::matches(payload) {
        return Ok(member_message(&MemberMessage::decode(payload, &limits(payload))?));
    }
    let class = value::class(payload);
    Ok(match value::text(payload) {
        Some(text) if class == "java.lang.String" => json!({ "class": class, "string": text }),
        _ => value::view(payload),
    })
}

fn member_message(message: &MemberMessage) -> Value {
    let event = match message.event {
        MemberEvent::Start => "MSG_START",
        MemberEvent::Stop => "MSG_STOP",
        MemberEvent::Ping => "MSG_PING",
        MemberEvent::Unknown(_) => "unknown",
    };
    json!({
        "class": "org.apache.catalina.tribes.membership.StaticMembershipProvider$MemberMessage",
        "msgtype": message.event.number(),
        "type": event,
        "membership_id": hex::encode(&message.membership_id),
        "member": member(&message.member),
    })
}

fn member(JavaMember { member, class }: &JavaMember) -> Value {
    let (name, id) = match class {
        MemberClass::Impl { id } => ("MemberImpl", Some(id)),
        MemberClass::Static { parent_id } => ("StaticMember", Some(parent_id)),
        MemberClass::StaticAlone => ("StaticMember", None),
    };
    json!({
        "class": name,
        "member_impl_id": id,
        "host": hex::encode(&member.id.host),
        "port": member.id.port,
        "secure_port": member.secure_port,
        "udp_port": member.udp_port,
        "unique_id": hex::encode(member.id.unique_id),
        "domain": hex::encode(&member.domain),
        "command": hex::encode(&member.command),
        "payload": hex::encode(&member.payload),
        // Beyond what a JSON number holds exactly.
        "alive": member.alive.to_string(),
        "extension": hex::encode(&member.extension),
    })
}
