//! Whole sessions: the payload of a state transfer.
//!
//! Tomcat: DeltaManager.serializeSessions and DeltaSession.doWriteObject - all sessions of a block in one stream, so
//! that class descriptors and small numbers of the first are references in the others.

use std::sync::Arc;

use bytes::Bytes;
use java_object_stream::{Cursor, Document, FieldValue, Limits, NodeId, Value};

use super::delta::value;
use super::message::string_at;
use super::stream::Output;
use super::trailer::{ExtraCell, SessionExtra, Trailer};
use super::{Event, SessionMessage, SessionWireError, SessionWireErrorKind as Kind};
use crate::session::state::{Cell, State};
use crate::session::{CellKind, JavaStr, SessionLimits, SessionsConfig};

/// The notes that a session's form has a place for. Tomcat: Constants.SESSION_ID_NOTE, FORM_REQUEST_NOTE.
const LISTED_NOTES: [&str; 2] =
    ["org.apache.catalina.authenticator.SESSION_ID", "org.apache.catalina.authenticator.REQUEST"];

/// True for a note that travels in the session's own form.
pub(in crate::session) fn is_listed_note(name: &[u8]) -> bool {
    LISTED_NOTES.iter().any(|note| note.as_bytes() == name)
}

/// A session id that fits where ids are written as primitive data.
pub(in crate::session) fn checked_id(id: JavaStr) -> Result<JavaStr, SessionWireError> {
    let (size, limit) = (id.as_bytes().len(), usize::from(u16::MAX));
    if size > limit {
        return Err(Kind::OverLimit { what: "session id", size, limit }.at(0));
    }
    Ok(id)
}

/// A session as a block carries it. Values are Java streams with one object each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionData {
    /// Its id.
    pub id: JavaStr,
    /// Milliseconds since 1970 by the clock of the node that made it.
    pub creation: i64,
    /// Milliseconds since 1970 of the request before the last.
    pub last_accessed: i64,
    /// Milliseconds since 1970 of the last request.
    pub this_accessed: i64,
    /// Seconds without a request until it ends; 0 or negative: never.
    pub max_inactive: i32,
    /// The client has not come back with the id.
    pub is_new: bool,
    /// False: it is ending.
    pub is_valid: bool,
    /// Always 0.
    pub version: i64,
    /// The authenticated user.
    pub principal: Option<Bytes>,
    /// Note of FORM authentication: the session id.
    pub note_session_id: Option<Bytes>,
    /// Note of FORM authentication: the request to return to.
    pub note_request: Option<Bytes>,
    /// Names and values.
    pub attributes: Vec<(JavaStr, Bytes)>,
    /// Names of attributes whose value the writer gave up.
    pub aborted: Vec<JavaStr>,
    /// Session listeners.
    pub listeners: Vec<Bytes>,
}

impl Default for JavaStr {
    fn default() -> Self {
        JavaStr::from("")
    }
}

impl SessionData {
    /// How many cells it has.
    pub(in crate::session) fn cell_count(&self) -> usize {
        let single = [&self.principal, &self.note_session_id, &self.note_request];
        single.iter().filter(|value| value.is_some()).count() + self.attributes.len() + self.listeners.len()
    }

    /// Its cells: principal, notes, attributes, listeners. Stamps in a trailer have this order.
    pub(in crate::session) fn into_cells(self) -> impl Iterator<Item = (CellKind, JavaStr, Bytes)> {
        let note = |name: &str, value: Option<Bytes>| value.map(|value| (CellKind::Note, JavaStr::from(name), value));
        let principal = self.principal.map(|value| (CellKind::Principal, JavaStr::default(), value));
        let notes = [note(LISTED_NOTES[0], self.note_session_id), note(LISTED_NOTES[1], self.note_request)];
        let attributes = self.attributes.into_iter().map(|(name, value)| (CellKind::Attribute, name, value));
        let listeners = self.listeners.into_iter().map(|value| {
            let name = JavaStr::from_modified_utf8(&value);
            (CellKind::Listener, name, value)
        });
        principal.into_iter().chain(notes.into_iter().flatten()).chain(attributes).chain(listeners)
    }
}

/// Reads the payload of a block.
///
/// # Errors
/// The payload is malformed or exceeds a limit; no session of it can be trusted.
pub fn decode_sessions(payload: &Bytes, limits: &SessionLimits) -> Result<Vec<SessionData>, SessionWireError> {
    /// Bytes of the shortest session: ten references, an id.
    const SESSION_BYTES: usize = 40;
    let stream_limits = Limits { bytes_max: limits.message_bytes_max, ..Limits::default() };
    let document = Document::parse(payload.clone(), &stream_limits)?;
    let mut reader = Reader { document: &document, cursor: document.cursor() };
    let at = reader.cursor.offset();
    let count = reader.integer("session count")?;
    let fits = usize::try_from(count).ok().filter(|count| *count <= payload.len() / SESSION_BYTES + 1);
    let fits = fits.ok_or(Kind::BadCount { what: "sessions", count }.at(at))?;
    let mut sessions = Vec::with_capacity(fits);
    for _ in 0..fits {
        sessions.push(reader.session(limits)?);
    }
    Ok(sessions)
}

struct Reader<'d> {
    document: &'d Document,
    cursor: Cursor<'d>,
}

impl Reader<'_> {
    fn session(&mut self, limits: &SessionLimits) -> Result<SessionData, SessionWireError> {
        let mut session = SessionData {
            creation: self.long("creation time")?,
            last_accessed: self.long("last accessed time")?,
            max_inactive: self.integer("max inactive interval")?,
            is_new: self.boolean("is new")?,
            is_valid: self.boolean("is valid")?,
            this_accessed: self.long("this accessed time")?,
            version: self.long("version")?,
            ..SessionData::default()
        };
        if self.cursor.read_bool()? {
            session.principal = self.value()?;
        }
        let at = self.cursor.offset();
        let id = self.cursor.read_object()?;
        let id = string_at(self.document, id, "session id")?.ok_or(Kind::Missing("session id").at(at))?;
        session.id = checked_id(id)?;
        let note = self.cursor.read_object()?;
        let attributes = match self.number(note, "java.lang.Integer") {
            // Tomcat before 9.0.66 writes no notes: this is the number of attributes.
            Some(count) => i32::try_from(count).unwrap_or(-1),
            None => {
                session.note_session_id = value(self.document, note)?;
                session.note_request = self.value()?;
                self.integer("number of attributes")?
            }
        };
        for _ in 0..self.count("attributes", attributes, limits)? {
            self.attribute(&mut session)?;
        }
        let listeners = self.integer("number of listeners")?;
        for _ in 0..self.count("listeners", listeners, limits)? {
            session.listeners.extend(self.value()?);
        }
        Ok(session)
    }

    fn attribute(&mut self, session: &mut SessionData) -> Result<(), SessionWireError> {
        let at = self.cursor.offset();
        let name = self.cursor.read_object()?;
        let name = string_at(self.document, name, "attribute name")?.ok_or(Kind::Missing("attribute name").at(at))?;
        let node = self.cursor.read_object()?;
        match value(self.document, node)? {
            Some(value) => {
                if session.attributes.is_empty() {
                    session.attributes.reserve_exact(1);
                }
                session.attributes.push((name, value));
            }
            None if matches!(self.document.value(node), Value::Aborted(_)) => session.aborted.push(name),
            None => {} // Tomcat: a null is skipped
        }
        Ok(())
    }

    fn count(&self, what: &'static str, count: i32, limits: &SessionLimits) -> Result<usize, SessionWireError> {
        let at = self.cursor.offset();
        let size = usize::try_from(count).map_err(|_| Kind::BadCount { what, count }.at(at))?;
        let limit = limits.attributes_max;
        if size > limit {
            return Err(Kind::OverLimit { what, size, limit }.at(at));
        }
        Ok(size)
    }

    fn value(&mut self) -> Result<Option<Bytes>, SessionWireError> {
        value(self.document, self.cursor.read_object()?)
    }

    /// The number in a boxed value of this class.
    fn number(&self, node: NodeId, class: &str) -> Option<i64> {
        let Value::Object(object) = self.document.value(node) else { return None };
        if !object.class().is(class) {
            return None;
        }
        match object.field("value")? {
            FieldValue::Bool(value) => Some(i64::from(value)),
            value => value.as_integer(),
        }
    }

    fn boxed(&mut self, what: &'static str, expected: &'static str) -> Result<i64, SessionWireError> {
        let at = self.cursor.offset();
        let node = self.cursor.read_object()?;
        self.number(node, expected).ok_or(Kind::WrongType { what, expected }.at(at))
    }

    fn long(&mut self, what: &'static str) -> Result<i64, SessionWireError> {
        self.boxed(what, "java.lang.Long")
    }

    fn integer(&mut self, what: &'static str) -> Result<i32, SessionWireError> {
        Ok(i32::try_from(self.boxed(what, "java.lang.Integer")?).expect("the field is an int"))
    }

    fn boolean(&mut self, what: &'static str) -> Result<bool, SessionWireError> {
        Ok(self.boxed(what, "java.lang.Boolean")? != 0)
    }
}

/// Writes the payload of a block.
pub fn encode_sessions(sessions: &[SessionData]) -> Bytes {
    let size: usize =
        sessions.iter().map(|s| 200 + s.attributes.iter().map(|(_, v)| 32 + v.len()).sum::<usize>()).sum();
    let mut writer = Output::new(128 + size);
    writer.integer(i32::try_from(sessions.len()).expect("blocks are bounded"));
    for session in sessions {
        put_session(
            &mut writer,
            &Form {
                id: &session.id,
                creation: session.creation,
                last_accessed: session.last_accessed,
                this_accessed: session.this_accessed,
                max_inactive: session.max_inactive,
                is_new: session.is_new,
                is_valid: session.is_valid,
                version: session.version,
                principal: session.principal.as_ref(),
                notes: [session.note_session_id.as_ref(), session.note_request.as_ref()],
                attributes: session.attributes.iter().map(|(name, value)| (name, value)).collect(),
                listeners: session.listeners.iter().collect(),
            },
        );
    }
    writer.finish()
}

/// A session on its way into a stream.
struct Form<'a> {
    id: &'a JavaStr,
    creation: i64,
    last_accessed: i64,
    this_accessed: i64,
    max_inactive: i32,
    is_new: bool,
    is_valid: bool,
    version: i64,
    principal: Option<&'a Bytes>,
    notes: [Option<&'a Bytes>; 2],
    attributes: Vec<(&'a JavaStr, &'a Bytes)>,
    listeners: Vec<&'a Bytes>,
}

fn put_session(out: &mut Output, session: &Form<'_>) {
    let count = |count: usize| i32::try_from(count).expect("cells are bounded by the limits");
    out.long(session.creation);
    out.long(session.last_accessed);
    out.integer(session.max_inactive);
    out.boolean(session.is_new);
    out.boolean(session.is_valid);
    out.long(session.this_accessed);
    out.long(session.version);
    out.flag(session.principal.is_some());
    if let Some(principal) = session.principal {
        out.value(principal);
    }
    out.string(session.id);
    for note in session.notes {
        match note {
            Some(note) => out.value(note),
            None => out.null(),
        }
    }
    out.integer(count(session.attributes.len()));
    for (name, value) in &session.attributes {
        out.string(name);
        out.value(value);
    }
    out.integer(count(session.listeners.len()));
    for listener in &session.listeners {
        out.value(listener);
    }
}

/// Sessions to be sent, as they were at one moment; encoded when they go out.
#[derive(Debug)]
pub(in crate::session) struct Block {
    config: SessionsConfig,
    time: i64,
    sessions: Vec<BlockSession>,
}

#[derive(Debug)]
pub(in crate::session) struct BlockSession {
    pub(in crate::session) id: JavaStr,
    pub(in crate::session) state: Arc<State>,
    pub(in crate::session) last_accessed: i64,
    pub(in crate::session) this_accessed: i64,
    pub(in crate::session) is_new: bool,
    pub(in crate::session) idle: u64,
}

impl Block {
    pub(in crate::session) fn new(config: &SessionsConfig, time: i64, sessions: Vec<BlockSession>) -> Self {
        Block { config: config.clone(), time, sessions }
    }

    /// The whole message.
    pub(in crate::session) fn encode(&self) -> Bytes {
        let size: usize = self.sessions.iter().map(|session| 200 + session.state.weight()).sum();
        let mut out = Output::new(128 + size);
        out.integer(i32::try_from(self.sessions.len()).expect("blocks are bounded"));
        let extras = self.sessions.iter().map(|session| self.put(&mut out, session)).collect();
        let payload = out.finish();
        let context = &self.config.context_name;
        let message = SessionMessage::of(Event::Data, context, b"SESSION-STATE", Some(self.time), Some(payload));
        message.encode_with(Some(&Trailer::Sessions(extras)))
    }

    fn put(&self, out: &mut Output, session: &BlockSession) -> SessionExtra {
        let state = &session.state;
        let sends = |cell: &&Cell| self.config.sends(cell.kind, &cell.name, cell.value.as_deref());
        let mut stamps = Vec::with_capacity(state.all().len());
        let mut listed = |cell: &Cell| stamps.push(cell.stamp);
        let principal = state.of_kind(CellKind::Principal).next().inspect(|cell| listed(cell));
        let notes = LISTED_NOTES.map(|note| {
            let cell = state.cell(CellKind::Note, note.as_bytes()).filter(|cell| cell.value.is_some());
            cell.inspect(|cell| listed(cell)).and_then(|cell| cell.value.as_ref())
        });
        let values = |cell: &'_ Cell| cell.value.as_ref().is_some_and(super::value::is_value);
        let attributes: Vec<&Cell> = state
            .of_kind(CellKind::Attribute)
            .filter(sends)
            .filter(|cell| values(cell))
            .inspect(|c| listed(c))
            .collect();
        let listeners: Vec<&Cell> =
            state.of_kind(CellKind::Listener).filter(|cell| values(cell)).inspect(|c| listed(c)).collect();
        put_session(
            out,
            &Form {
                id: &session.id,
                creation: state.creation,
                last_accessed: session.last_accessed,
                this_accessed: session.this_accessed,
                max_inactive: state.max_inactive,
                is_new: session.is_new,
                is_valid: true,
                version: 0,
                principal: principal.and_then(|cell| cell.value.as_ref()),
                notes,
                attributes: attributes.iter().filter_map(|cell| Some((&cell.name, cell.value.as_ref()?))).collect(),
                listeners: listeners.iter().filter_map(|cell| cell.value.as_ref()).collect(),
            },
        );
        let unlisted = |cell: &&Cell| match cell.kind {
            _ if cell.value.is_none() => true,
            CellKind::AuthType => true,
            CellKind::Note => !is_listed_note(cell.name.as_bytes()),
            CellKind::Attribute | CellKind::Principal | CellKind::Listener => false,
        };
        let cells = state.all().iter().filter(unlisted).filter(sends).map(|cell| ExtraCell {
            kind: cell.kind,
            name: cell.name.clone(),
            value: cell.value.clone(),
            stamp: cell.stamp,
        });
        let cells = cells.collect();
        SessionExtra { idle: session.idle, max_inactive_stamp: state.max_inactive_stamp, stamps, cells }
    }
}
