//! `MemberMessage`: what nodes of a static membership service say about themselves.

use std::sync::LazyLock;

use bytes::Bytes;
use java_object_stream::{ClassDescriptor, Document, FieldValue, Value, Writer};

use crate::wire::{JavaMember, Limits, ObjectError, ObjectErrorKind as Kind};

const CLASS: &str = "org.apache.catalina.tribes.membership.StaticMembershipProvider$MemberMessage";

static DESCRIPTOR: LazyLock<ClassDescriptor> = LazyLock::new(|| {
    let fields = [("I", "msgtype"), ("Lorg/apache/catalina/tribes/Member;", "member"), ("[B", "membershipId")];
    ClassDescriptor::new(CLASS, 1, ClassDescriptor::SERIALIZABLE, &fields, None)
});

/// What a message of the service is about. Tomcat: `MSG_START`, `MSG_STOP`, `MSG_PING`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberEvent {
    /// 1: the member has started.
    Start,
    /// 2: the member stops.
    Stop,
    /// 3: the member lives.
    Ping,
    /// A number that no release sends; ignored.
    Unknown(i32),
}

impl MemberEvent {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            MemberEvent::Start => 1,
            MemberEvent::Stop => 2,
            MemberEvent::Ping => 3,
            MemberEvent::Unknown(number) => number,
        }
    }

    /// What the number means.
    pub fn of(number: i32) -> Self {
        match number {
            1 => MemberEvent::Start,
            2 => MemberEvent::Stop,
            3 => MemberEvent::Ping,
            other => MemberEvent::Unknown(other),
        }
    }
}

/// One message of the service; the payload of an RPC, or a body of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberMessage {
    /// What it is about.
    pub event: MemberEvent,
    /// Whom: its sender.
    pub member: JavaMember,
    /// The service. Nodes with another id are none of its members.
    pub membership_id: Bytes,
}

impl MemberMessage {
    /// True if a body holds such a message, by its first bytes.
    pub fn matches(body: &[u8]) -> bool {
        body.starts_with(b"\xac\xed\x00\x05\x73\x72")
            && body.get(8..).is_some_and(|name| name.starts_with(CLASS.as_bytes()))
    }

    /// As a stream of its own.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::with_capacity(512);
        writer.begin_object(&DESCRIPTOR);
        writer.write_i32(self.event.number());
        self.member.write(&mut writer);
        writer.write_byte_array(&self.membership_id);
        let written = writer.end_object();
        debug_assert_eq!(written, Ok(()), "an int and two objects are the fields");
        writer.finish()
    }

    /// Reads a stream.
    ///
    /// # Errors
    /// It is malformed, holds another object, lacks a field, or its record exceeds `limits`.
    pub fn decode(stream: &Bytes, limits: &Limits) -> Result<MemberMessage, ObjectError> {
        let bounds = java_object_stream::Limits { bytes_max: limits.frame_bytes_max, ..Default::default() };
        let document = Document::parse(stream.clone(), &bounds)?;
        let node = document.contents().next().ok_or_else(|| Kind::NotA("member message").at(0))?;
        let at = document.offset(node);
        let object = match document.value(node) {
            Value::Object(object) if object.class().is(CLASS) => object,
            _ => return Err(Kind::NotA("member message").at(at)),
        };
        let event = object.field("msgtype").and_then(FieldValue::as_integer);
        let event =
            event.and_then(|number| i32::try_from(number).ok()).ok_or_else(|| Kind::Missing("msgtype").at(at))?;
        let member = object.field_node("member").ok_or_else(|| Kind::Missing("member").at(at))?;
        let id = object.field_node("membershipId").and_then(|node| document.value(node).as_array());
        let id = id.and_then(|array| array.as_bytes()).ok_or_else(|| Kind::Missing("membership id").at(at))?;
        Ok(MemberMessage {
            event: MemberEvent::of(event),
            member: JavaMember::read(&document, member, limits)?,
            membership_id: Bytes::copy_from_slice(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{RpcContent, RpcLimits, RpcMessage};
    use crate::wire::{FrameDecoder, MemberClass, Message};
    use serde_json::Value as Json;

    fn content(frame: &Bytes) -> Bytes {
        let limits = Limits::default();
        let mut decoder = FrameDecoder::new(&limits);
        decoder.buffer().extend_from_slice(frame);
        Message::decode(&decoder.next().unwrap().expect("a whole frame"), &limits).unwrap().body
    }

    /// Name and body of the recorded messages, plain or in an RPC.
    fn vectors() -> Vec<(String, Bytes)> {
        let framed: Json = serde_json::from_str(include_str!("../../../../../vectors/transport.json")).expect("JSON");
        let alone: Json = serde_json::from_str(include_str!("../../../../../vectors/rpc-and-map.json")).expect("JSON");
        let of = |vector: &Json| {
            let bytes = hex::decode(vector["hex"].as_str().expect("bytes")).expect("hexadecimal");
            (vector["name"].as_str().expect("a name").to_owned(), Bytes::from(bytes))
        };
        let framed = framed.as_array().expect("a list").iter().map(of);
        let framed = framed.filter(|(name, _)| name.starts_with("static-service"));
        let alone = alone["messages"].as_array().expect("a list").iter().map(of);
        let alone = alone.filter(|(name, _)| name.starts_with("rpc_member_message"));
        framed.map(|(name, frame)| (name, content(&frame))).chain(alone).collect()
    }

    #[test]
    fn every_member_message_is_read_as_recorded_and_written_to_the_same_bytes() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 7);
        for (name, body) in vectors {
            let rpc = RpcMessage::decode(&body, &RpcLimits::default()).ok();
            let stream = match rpc.as_ref().map(|rpc| &rpc.content) {
                Some(RpcContent::Request(payload) | RpcContent::Reply(payload)) => payload.clone(),
                Some(RpcContent::NoChannel) => panic!("{name}"),
                None => body.clone(),
            };
            assert!(MemberMessage::matches(&stream), "{name}");
            let message = MemberMessage::decode(&stream, &Limits::default()).expect(&name);
            assert_eq!(message.encode(), stream, "{name}");
            let event = if name.contains("start") {
                MemberEvent::Start
            } else if name.contains("stop") {
                MemberEvent::Stop
            } else {
                MemberEvent::Ping
            };
            assert_eq!(message.event, event, "{name}");
            assert_eq!(message.member.member.is_shutting_down(), name == "static-service-stop");
            let (class, id) = match name.starts_with("static") {
                true => (MemberClass::STATIC, &b"Catalina-Channel-StaticMembership"[..]),
                false => (MemberClass::IMPL, &b"static"[..]),
            };
            assert_eq!((message.member.class, &message.membership_id[..]), (class, id), "{name}");
            assert!(rpc.is_none_or(|rpc| rpc.rpc_id == id), "{name}: the rpc id is the membership id");
        }
    }

    #[test]
    fn what_is_no_member_message_is_refused() {
        let (_, stop) = vectors().into_iter().find(|(name, _)| name == "static-service-stop").expect("the vector");
        for cut in 0..stop.len() {
            assert!(MemberMessage::decode(&stop.slice(..cut), &Limits::default()).is_err());
        }
        // The same object with null in place of the id.
        let id = stop.windows(2).rposition(|part| part == b"\x75\x72").expect("the array");
        let without = Bytes::from([&stop[..id], b"\x70"].concat());
        let error = MemberMessage::decode(&without, &Limits::default()).unwrap_err();
        assert_eq!(error.kind, Kind::Missing("membership id"));
        assert!(!MemberMessage::matches(b"Local StaticMember Notification Data"));
    }
}
