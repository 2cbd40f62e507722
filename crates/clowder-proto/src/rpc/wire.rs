//! `RpcMessage` and `NoRpcChannelReply`: a request, a reply, or the word that there is no such RPC channel.
//!
//! Both are Externalizable: a block with the flag and the ids, then the payload, one object of any class.

use std::sync::LazyLock;

use bytes::Bytes;
use java_object_stream::{ClassDescriptor, Document, ReadError, Value, Writer};

use crate::wire::{ObjectError, ObjectErrorKind as Kind, read_field, write_field};

const CLASS: &str = "org.apache.catalina.tribes.group.RpcMessage";
const NO_CHANNEL: &str = "org.apache.catalina.tribes.group.RpcMessage$NoRpcChannelReply";

static MESSAGE: LazyLock<ClassDescriptor> = LazyLock::new(|| {
    ClassDescriptor::new(CLASS, 8_154_458_786_660_410_633, ClassDescriptor::EXTERNALIZABLE, &[], None)
});
static NO_CHANNEL_REPLY: LazyLock<ClassDescriptor> = LazyLock::new(|| {
    let external = ClassDescriptor::EXTERNALIZABLE;
    ClassDescriptor::new(NO_CHANNEL, 8_911_374_288_427_899_814, external, &[], Some(&MESSAGE))
});

/// The payload null.
pub const NULL: &[u8] = b"\xac\xed\x00\x05\x70";

/// How much a message may hold. Tomcat has no limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcLimits {
    /// Bytes of a message. Default 64 MiB.
    pub message_bytes_max: usize,
    /// Bytes of an rpc id. Default 4,096.
    pub id_bytes_max: usize,
    /// Bytes of a call's uuid. Tomcat writes 16 and reads any length. Default 64.
    pub uuid_bytes_max: usize,
}

impl Default for RpcLimits {
    fn default() -> Self {
        RpcLimits { message_bytes_max: 64 << 20, id_bytes_max: 4_096, uuid_bytes_max: 64 }
    }
}

/// One message between RPC channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcMessage {
    /// Names the call; a reply has that of its request.
    pub uuid: Bytes,
    /// The RPC channel, by its bytes and nothing else.
    pub rpc_id: Bytes,
    /// What it says.
    pub content: RpcContent,
}

/// What an RPC message says. Payloads are Java streams with exactly one value, [`NULL`] if it is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcContent {
    /// Please answer.
    Request(Bytes),
    /// The answer.
    Reply(Bytes),
    /// The node that was asked has no such RPC channel. Tomcat: `NoRpcChannelReply`.
    NoChannel,
}

impl RpcMessage {
    /// The answer to this request: the same uuid and rpc id.
    #[must_use]
    pub fn reply(&self, content: RpcContent) -> RpcMessage {
        RpcMessage { uuid: self.uuid.clone(), rpc_id: self.rpc_id.clone(), content }
    }

    /// True if a body holds an RPC message of any kind, by its first bytes.
    pub fn matches(body: &[u8]) -> bool {
        // A stream header, an object with a new class descriptor, two bytes of length, the class name.
        body.starts_with(b"\xac\xed\x00\x05\x73\x72")
            && body.get(8..).is_some_and(|name| name.starts_with(CLASS.as_bytes()))
    }

    /// The body of the channel message.
    ///
    /// # Errors
    /// The payload is not a stream with exactly one value; the caller is at fault.
    ///
    /// # Panics
    /// If an id has 2 GiB or more.
    pub fn encode(&self) -> Result<Bytes, ReadError> {
        let (class, reply, payload) = match &self.content {
            RpcContent::Request(payload) => (&*MESSAGE, Some(false), Some(payload)),
            RpcContent::Reply(payload) => (&*MESSAGE, Some(true), Some(payload)),
            RpcContent::NoChannel => (&*NO_CHANNEL_REPLY, None, None),
        };
        let room = payload.map_or(0, Bytes::len) + self.rpc_id.len() + 256;
        let mut writer = Writer::with_capacity(room);
        writer.begin_object(class);
        if let Some(reply) = reply {
            writer.write_bool(reply);
        }
        write_field(&mut writer, &self.uuid);
        write_field(&mut writer, &self.rpc_id);
        if let Some(payload) = payload {
            writer.write_stream_value(payload)?;
        }
        let written = writer.end_object();
        debug_assert_eq!(written, Ok(()), "external data has any form");
        Ok(writer.finish())
    }

    /// Reads a body. What stands between the payload and the end of the object is passed over, as Java does: later
    /// versions may add to it. So is what stands behind the object, and any serialVersionUID is read.
    ///
    /// # Errors
    /// The body is malformed, holds another object, or exceeds `limits`.
    pub fn decode(body: &Bytes, limits: &RpcLimits) -> Result<RpcMessage, ObjectError> {
        let limit = limits.message_bytes_max;
        if body.len() > limit {
            return Err(Kind::OverLimit { what: "RPC message", length: body.len(), limit }.at(0));
        }
        let stream = java_object_stream::Limits { bytes_max: limit, ..Default::default() };
        let document = Document::parse(body.clone(), &stream)?;
        let node = document.contents().next().ok_or_else(|| Kind::NotA("RPC message").at(0))?;
        let Value::Object(object) = document.value(node) else { return Err(Kind::NotA("RPC message").at(0)) };
        let class = object.class();
        let has_channel = class.is(CLASS);
        if !has_channel && !class.is(NO_CHANNEL) {
            return Err(Kind::NotA("RPC message").at(0));
        }
        let mut data = object.contents().ok_or_else(|| Kind::Missing("external data").at(document.offset(node)))?;
        let is_reply = has_channel && data.read_bool()?;
        let uuid = read_field(&mut data, "uuid", limits.uuid_bytes_max)?;
        let rpc_id = read_field(&mut data, "rpc id", limits.id_bytes_max)?;
        let content = if has_channel {
            let payload = document.cut(data.read_object()?)?;
            if is_reply { RpcContent::Reply(payload) } else { RpcContent::Request(payload) }
        } else {
            RpcContent::NoChannel
        };
        Ok(RpcMessage { uuid, rpc_id, content })
    }
}
