//! `SessionMessageImpl`: the object around every session message.
//!
//! Its class descriptors are the same 275 bytes in every message of every release, so they are compared and copied as
//! they are; a message whose object differs in form is read as a general stream. Behind the object, where Java stops
//! reading, Clowder adds a [trailer](super::trailer).

use bytes::{BufMut, Bytes, BytesMut};
use java_object_stream::{Document, FieldValue, Limits, NodeId, Value};

use super::trailer::Trailer;
use super::{SessionWireError, SessionWireErrorKind as Kind};
use crate::session::{JavaStr, SessionLimits};

/// Stream header, object, both class descriptors: up to the first field.
const HEAD: &[u8; 275] = include_bytes!("message_head.bin");
/// An array, with the class descriptor of `byte[]`, up to its length.
const BYTES_HEAD: &[u8] = b"\x75\x72\x00\x02[B\xac\xf3\x17\xf8\x06\x08\x54\xe0\x02\x00\x00\x78\x70";
const CLASS: &str = "org.apache.catalina.ha.session.SessionMessageImpl";

/// Strings of a message take handles in this order behind the four of the head and the object: context name, then the
/// class of the payload and the payload itself if there is one, then the ids.
const FIRST_HANDLE: u32 = 0x7e_0005;

/// What a session message is about. Tomcat: SessionMessage's EVT_ constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// 1: a session was created.
    Created,
    /// 2: a session ended.
    Expired,
    /// 3: a session was used.
    Accessed,
    /// 4: the sender asks for all sessions.
    GetAll,
    /// 12: whole sessions.
    Data,
    /// 13: changes of one session.
    Delta,
    /// 14: the sessions have all been sent.
    Complete,
    /// 15: a session has another id.
    ChangeId,
    /// 16: the sender does not run this application.
    NoContextManager,
    /// A number that no release sends; ignored.
    Unknown(i32),
}

impl Event {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Event::Created => 1,
            Event::Expired => 2,
            Event::Accessed => 3,
            Event::GetAll => 4,
            Event::Data => 12,
            Event::Delta => 13,
            Event::Complete => 14,
            Event::ChangeId => 15,
            Event::NoContextManager => 16,
            Event::Unknown(number) => number,
        }
    }

    /// What the number means.
    pub fn of(number: i32) -> Self {
        match number {
            1 => Event::Created,
            2 => Event::Expired,
            3 => Event::Accessed,
            4 => Event::GetAll,
            12 => Event::Data,
            13 => Event::Delta,
            14 => Event::Complete,
            15 => Event::ChangeId,
            16 => Event::NoContextManager,
            other => Event::Unknown(other),
        }
    }

    /// The name that Tomcat's logs use. Tomcat: SessionMessageImpl.getEventTypeString.
    pub fn name(self) -> &'static str {
        match self {
            Event::Created => "SESSION-MODIFIED",
            Event::Expired => "SESSION-EXPIRED",
            Event::Accessed => "SESSION-ACCESSED",
            Event::GetAll => "SESSION-GET-ALL",
            Event::Data => "ALL-SESSION-DATA",
            Event::Delta => "SESSION-DELTA",
            Event::Complete => "SESSION-STATE-TRANSFERRED",
            Event::ChangeId => "SESSION-ID-CHANGED",
            Event::NoContextManager => "NO-CONTEXT-MANAGER",
            Event::Unknown(_) => "UNKNOWN-EVENT-TYPE",
        }
    }
}

/// A session message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionMessage {
    /// What it is about.
    pub event: Event,
    /// The manager it is for; `None`: every manager.
    pub context: Option<JavaStr>,
    /// The session, or a fixed word for messages about many.
    pub session_id: Option<JavaStr>,
    /// For Tomcat's logs only.
    pub unique_id: Option<JavaStr>,
    /// Milliseconds since 1970 by the sender's clock; `None`: not set.
    pub time: Option<i64>,
    /// A Java stream of its own.
    pub payload: Option<Bytes>,
    /// Bytes behind the object, which Java ignores.
    pub trailer: Bytes,
}

impl SessionMessage {
    /// The message with the ids that Tomcat gives it. `session_id` counts for messages about one session.
    pub(in crate::session) fn of(
        event: Event,
        context: &JavaStr,
        session_id: &[u8],
        time: Option<i64>,
        payload: Option<Bytes>,
    ) -> Self {
        let mut unique = Vec::with_capacity(session_id.len() + 16);
        unique.extend_from_slice(session_id);
        match event {
            Event::Expired => unique.extend_from_slice(b"-EXPIRED-MSG"),
            // Tomcat: DeltaManager.sendSessions - this one has no hyphen.
            Event::Complete => unique.extend_from_slice(context.as_bytes()),
            Event::GetAll | Event::Data | Event::NoContextManager => {
                unique.push(b'-');
                unique.extend_from_slice(context.as_bytes());
            }
            _ => {
                unique.push(b'-');
                unique.extend_from_slice(time.unwrap_or(0).to_string().as_bytes());
            }
        }
        SessionMessage {
            event,
            context: Some(context.clone()),
            session_id: Some(JavaStr::from_modified_utf8(session_id)),
            unique_id: Some(JavaStr::from_modified_utf8(&unique)),
            time,
            payload,
            trailer: Bytes::new(),
        }
    }

    /// The refusal of a question for state of an application that does not run here.
    pub fn no_context_manager(context: &JavaStr) -> Self {
        Self::of(Event::NoContextManager, context, b"NO-CONTEXT-MANAGER", None, None)
    }

    /// True if a body holds a session message, by its first bytes.
    pub fn matches(body: &[u8]) -> bool {
        // A stream header, an object with a new class descriptor, two bytes of length, the class name.
        body.starts_with(&HEAD[..8]) && body.get(8..8 + CLASS.len()) == Some(CLASS.as_bytes())
    }

    /// The body of the channel message.
    pub fn encode(&self) -> Bytes {
        let payload = self.payload.as_ref().map_or(1, |payload| BYTES_HEAD.len() + 4 + payload.len());
        let strings = [&self.context, &self.session_id, &self.unique_id];
        let strings: usize = strings.iter().map(|s| s.as_ref().map_or(1, |s| s.as_bytes().len() + 9)).sum();
        let mut out = BytesMut::with_capacity(HEAD.len() + 21 + payload + strings + self.trailer.len());
        out.put_slice(HEAD);
        out.put_i64(0); // the superclass's own time stamp, which nothing sets
        out.put_i32(self.event.number());
        out.put_i64(self.time.unwrap_or(0));
        out.put_u8(u8::from(self.time.is_some()));
        put_string(&mut out, self.context.as_ref());
        match &self.payload {
            None => out.put_u8(0x70),
            Some(payload) => {
                out.put_slice(BYTES_HEAD);
                out.put_u32(u32::try_from(payload.len()).expect("payloads are bounded far below 4 GiB"));
                out.put_slice(payload);
            }
        }
        put_string(&mut out, self.session_id.as_ref());
        put_string(&mut out, self.unique_id.as_ref());
        out.put_slice(&self.trailer);
        out.freeze()
    }

    /// The body with a trailer of Clowder's.
    pub(in crate::session) fn encode_with(mut self, trailer: Option<&Trailer>) -> Bytes {
        if let Some(trailer) = trailer {
            self.trailer = trailer.encode();
        }
        self.encode()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// The body is malformed, holds another object, or is larger than `limits.message_bytes_max`.
    pub fn decode(body: &Bytes, limits: &SessionLimits) -> Result<SessionMessage, SessionWireError> {
        let limit = limits.message_bytes_max;
        if body.len() > limit {
            return Err(Kind::OverLimit { what: "session message", size: body.len(), limit }.at(0));
        }
        if body.starts_with(HEAD) { Fast::decode(body) } else { general(body, limit) }
    }
}

fn put_string(out: &mut BytesMut, text: Option<&JavaStr>) {
    let Some(bytes) = text.map(JavaStr::as_bytes) else {
        out.put_u8(0x70);
        return;
    };
    match u16::try_from(bytes.len()) {
        Ok(length) => {
            out.put_u8(0x74);
            out.put_u16(length);
        }
        Err(_) => {
            out.put_u8(0x7c);
            out.put_u64(bytes.len() as u64);
        }
    }
    out.put_slice(bytes);
}

/// Reads the fields behind the constant head.
struct Fast<'a> {
    body: &'a Bytes,
    at: usize,
    /// Strings in the order of their handles; a byte array and its class take places that are no strings.
    handles: Vec<Option<JavaStr>>,
}

impl<'a> Fast<'a> {
    fn decode(body: &'a Bytes) -> Result<SessionMessage, SessionWireError> {
        let mut fast = Fast { body, at: HEAD.len(), handles: Vec::with_capacity(5) };
        fast.take(8, "time stamp")?;
        let event = i32::from_be_bytes(fast.array("event")?);
        let time = i64::from_be_bytes(fast.array("time")?);
        let is_set = fast.take(1, "time flag")?[0] != 0;
        let context = fast.string("context name")?;
        let payload = fast.bytes()?;
        let session_id = fast.string("session id")?;
        let unique_id = fast.string("unique id")?;
        Ok(SessionMessage {
            event: Event::of(event),
            context,
            session_id,
            unique_id,
            time: is_set.then_some(time),
            payload,
            trailer: body.slice(fast.at..),
        })
    }

    fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], SessionWireError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len());
        let end = end.ok_or(Kind::Truncated(what).at(self.at))?;
        let taken = &self.body[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], SessionWireError> {
        Ok(self.take(N, what)?.try_into().expect("as long as asked for"))
    }

    fn string(&mut self, what: &'static str) -> Result<Option<JavaStr>, SessionWireError> {
        let start = self.at;
        let wrong = Kind::WrongType { what, expected: "String" };
        let length = match self.take(1, what)?[0] {
            0x70 => return Ok(None),
            0x71 => {
                let handle = u32::from_be_bytes(self.array(what)?);
                let known = handle.checked_sub(FIRST_HANDLE).and_then(|index| self.handles.get(index as usize));
                return match known {
                    Some(Some(text)) => Ok(Some(text.clone())),
                    _ => Err(wrong.at(start)),
                };
            }
            0x74 => usize::from(u16::from_be_bytes(self.array(what)?)),
            0x7c => usize::try_from(u64::from_be_bytes(self.array(what)?)).unwrap_or(usize::MAX),
            _ => return Err(wrong.at(start)),
        };
        let text = JavaStr::from_modified_utf8(self.take(length, what)?);
        self.handles.push(Some(text.clone()));
        Ok(Some(text))
    }

    fn bytes(&mut self) -> Result<Option<Bytes>, SessionWireError> {
        let start = self.at;
        match self.take(1, "payload")?[0] {
            0x70 => return Ok(None),
            0x75 => {}
            _ => return Err(Kind::WrongType { what: "payload", expected: "byte[]" }.at(start)),
        }
        if self.take(BYTES_HEAD.len() - 1, "payload")? != &BYTES_HEAD[1..] {
            return Err(Kind::WrongType { what: "payload", expected: "byte[]" }.at(start));
        }
        self.handles.extend([None, None]);
        let length = u32::from_be_bytes(self.array("payload")?) as usize;
        let from = self.at;
        self.take(length, "payload")?;
        Ok(Some(self.body.slice(from..from + length)))
    }
}

/// The same object in another form: other field order, more fields, shared strings.
fn general(body: &Bytes, limit: usize) -> Result<SessionMessage, SessionWireError> {
    let limits = Limits { bytes_max: limit, ..Limits::default() };
    let document = Document::parse(body.clone(), &limits)?;
    let node = document.contents().next().ok_or(Kind::NotASessionMessage.at(0))?;
    let Value::Object(object) = document.value(node) else { return Err(Kind::NotASessionMessage.at(0)) };
    if !object.class().is(CLASS) {
        return Err(Kind::NotASessionMessage.at(0));
    }
    let at = document.offset(node);
    let string = |field: &'static str| -> Result<Option<JavaStr>, SessionWireError> {
        let Some(node) = object.field_node(field) else { return Ok(None) };
        string_at(&document, node, field)
    };
    let payload = match object.field_node("mSession").map(|node| (node, document.value(node))) {
        None | Some((_, Value::Null)) => None,
        Some((node, Value::Array(array))) => {
            let bytes = array.as_bytes().ok_or(Kind::WrongType { what: "payload", expected: "byte[]" }.at(at))?;
            let _ = node;
            Some(body.slice_ref(bytes))
        }
        Some(_) => return Err(Kind::WrongType { what: "payload", expected: "byte[]" }.at(at)),
    };
    let number = |field| object.field(field).and_then(FieldValue::as_integer);
    let event = number("mEvtType").and_then(|number| i32::try_from(number).ok());
    let time = number("serializationTimestamp").unwrap_or(0);
    let is_set = object.field("timestampSet") == Some(FieldValue::Bool(true));
    Ok(SessionMessage {
        event: Event::of(event.ok_or(Kind::Missing("event").at(at))?),
        context: string("mContextName")?,
        session_id: string("mSessionID")?,
        unique_id: string("uniqueId")?,
        time: is_set.then_some(time),
        payload,
        trailer: Bytes::new(),
    })
}

/// A string of a document; `None` for null.
pub(super) fn string_at(
    document: &Document,
    node: NodeId,
    what: &'static str,
) -> Result<Option<JavaStr>, SessionWireError> {
    match document.value(node) {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(JavaStr::from_modified_utf8(text.as_bytes()))),
        _ => Err(Kind::WrongType { what, expected: "String" }.at(document.offset(node))),
    }
}
