//! Deltas: the changes of one session, and the payload of an id change.
//!
//! Tomcat: DeltaRequest.writeExternal - not an object but primitive data and values at the top of a stream.

use bytes::Bytes;
use java_object_stream::{Cursor, Document, Limits, NodeId, Value};

use super::stream::Output;
use super::{SessionWireError, SessionWireErrorKind as Kind};
use crate::session::state::Cell;
use crate::session::{CellKind, JavaStr, SessionLimits};

/// The changes of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The session; Tomcat refuses the delta if it is not that of the message.
    pub session_id: JavaStr,
    /// The sender keeps earlier changes of the same thing. Without meaning for the receiver.
    pub record_all: bool,
    /// In the order of execution.
    pub actions: Vec<Action>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What is changed.
    pub kind: ActionKind,
    /// Removed rather than set.
    pub remove: bool,
    /// Name of the attribute or note, or the kind's fixed name.
    pub name: JavaStr,
    /// A Java stream with one value. A removed listener has one; a set without one clears.
    pub value: Option<Bytes>,
}

/// What an action changes. Tomcat: DeltaRequest's TYPE_ constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// 0
    Attribute,
    /// 1
    Principal,
    /// 2: a `Boolean`.
    IsNew,
    /// 3: an `Integer`, seconds.
    MaxInterval,
    /// 4: a `String`.
    AuthType,
    /// 5
    Listener,
    /// 6
    Note,
    /// Unknown here: skipped.
    Unknown(i32),
}

impl ActionKind {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            ActionKind::Attribute => 0,
            ActionKind::Principal => 1,
            ActionKind::IsNew => 2,
            ActionKind::MaxInterval => 3,
            ActionKind::AuthType => 4,
            ActionKind::Listener => 5,
            ActionKind::Note => 6,
            ActionKind::Unknown(number) => number,
        }
    }

    /// What the number means.
    pub fn of(number: i32) -> Self {
        match number {
            0 => ActionKind::Attribute,
            1 => ActionKind::Principal,
            2 => ActionKind::IsNew,
            3 => ActionKind::MaxInterval,
            4 => ActionKind::AuthType,
            5 => ActionKind::Listener,
            6 => ActionKind::Note,
            other => ActionKind::Unknown(other),
        }
    }

    /// The name of the kind in Tomcat's source, without prefix.
    pub fn label(self) -> &'static str {
        match self {
            ActionKind::Attribute => "ATTRIBUTE",
            ActionKind::Principal => "PRINCIPAL",
            ActionKind::IsNew => "ISNEW",
            ActionKind::MaxInterval => "MAXINTERVAL",
            ActionKind::AuthType => "AUTHTYPE",
            ActionKind::Listener => "LISTENER",
            ActionKind::Note => "NOTE",
            ActionKind::Unknown(_) => "UNKNOWN",
        }
    }

    /// What stands in the place of a name. Tomcat: DeltaRequest's NAME_ constants.
    fn fixed_name(self) -> &'static str {
        match self {
            ActionKind::Principal => "__SET__PRINCIPAL__",
            ActionKind::IsNew => "__SET__ISNEW__",
            ActionKind::MaxInterval => "__SET__MAXINTERVAL__",
            ActionKind::AuthType => "__SET__AUTHTYPE__",
            ActionKind::Listener => "__SET__LISTENER__",
            ActionKind::Attribute | ActionKind::Note | ActionKind::Unknown(_) => "",
        }
    }
}

impl Action {
    /// Sets something that has no name of its own.
    pub(in crate::session) fn set(kind: ActionKind, value: Bytes) -> Self {
        Action { kind, remove: false, name: JavaStr::from(kind.fixed_name()), value: Some(value) }
    }

    /// The action that makes another session's cell like this one.
    pub(in crate::session) fn of_cell(cell: &Cell) -> Self {
        let (kind, named) = match cell.kind {
            CellKind::Attribute => (ActionKind::Attribute, true),
            CellKind::Note => (ActionKind::Note, true),
            CellKind::Principal => (ActionKind::Principal, false),
            CellKind::AuthType => (ActionKind::AuthType, false),
            CellKind::Listener => (ActionKind::Listener, false),
        };
        let name = if named { cell.name.clone() } else { JavaStr::from(kind.fixed_name()) };
        let value = match (&cell.value, cell.kind) {
            // Tomcat finds the listener to remove by equality.
            (None, CellKind::Listener) => Some(Bytes::copy_from_slice(cell.name.as_bytes())),
            (value, _) => value.clone(),
        };
        Action { kind, remove: cell.value.is_none(), name, value }
    }
}

/// Bytes that the fixed fields of an action take at least: type, action, length of the name, flag.
const ACTION_BYTES: usize = 11;

impl Delta {
    /// The payload, and how many actions were left out because their value is no stream or their name is too long.
    ///
    /// Differs from Tomcat: one value that cannot be written loses the whole delta there.
    /// Test: w3_a_value_that_cannot_be_written_is_refused_and_the_rest_goes_out.
    pub fn encode(&self) -> (Bytes, usize) {
        let writable: Vec<&Action> = self.actions.iter().filter(|action| is_writable(action)).collect();
        let values: usize = writable.iter().map(|a| a.value.as_ref().map_or(0, Bytes::len)).sum();
        let mut writer = Output::new(128 + values + writable.len() * 48);
        writer.utf(self.session_id.as_bytes());
        writer.flag(self.record_all);
        writer.int(i32::try_from(writable.len()).expect("actions are bounded by the limits"));
        for action in &writable {
            writer.int(action.kind.number());
            writer.int(i32::from(action.remove));
            writer.utf(action.name.as_bytes());
            writer.flag(action.value.is_some());
            if let Some(value) = &action.value {
                writer.value(value);
            }
        }
        (writer.finish(), self.actions.len() - writable.len())
    }

    /// Reads a payload. Values that were sent with a reference to each other become values of their own.
    ///
    /// # Errors
    /// The payload is malformed or exceeds a limit; nothing of it can be used.
    pub fn decode(payload: &Bytes, limits: &SessionLimits) -> Result<Delta, SessionWireError> {
        let limits = Limits { bytes_max: limits.message_bytes_max, ..Limits::default() };
        let document = Document::parse(payload.clone(), &limits)?;
        let mut cursor = document.cursor();
        let session_id = JavaStr::from_modified_utf8(&cursor.read_utf_bytes()?);
        let record_all = cursor.read_bool()?;
        let at = cursor.offset();
        let count = cursor.read_i32()?;
        let bad = Kind::BadCount { what: "actions", count };
        let count = usize::try_from(count).ok().filter(|count| *count <= payload.len() / ACTION_BYTES);
        let mut actions = Vec::with_capacity(count.ok_or(bad.at(at))?);
        for _ in 0..actions.capacity() {
            actions.push(action(&document, &mut cursor)?);
        }
        Ok(Delta { session_id, record_all, actions })
    }
}

fn action(document: &Document, cursor: &mut Cursor<'_>) -> Result<Action, SessionWireError> {
    let kind = ActionKind::of(cursor.read_i32()?);
    let remove = cursor.read_i32()? == 1;
    let name = JavaStr::from_modified_utf8(&cursor.read_utf_bytes()?);
    let value = if cursor.read_bool()? { value(document, cursor.read_object()?)? } else { None };
    Ok(Action { kind, remove, name, value })
}

/// A value as a stream of its own; `None` for null and for what its writer gave up.
pub(super) fn value(document: &Document, node: NodeId) -> Result<Option<Bytes>, SessionWireError> {
    match document.value(node) {
        Value::Null | Value::Aborted(_) => Ok(None),
        // A copy of exactly its size: values are kept long, and each byte of slack counts a hundred thousand times.
        _ => Ok(Some(exact(document.cut(node)?))),
    }
}

/// The same bytes without spare capacity behind them.
fn exact(bytes: Bytes) -> Bytes {
    Bytes::from(bytes.to_vec().into_boxed_slice())
}

fn is_writable(action: &Action) -> bool {
    action.name.as_bytes().len() <= usize::from(u16::MAX) && action.value.as_ref().is_none_or(super::value::is_value)
}

/// The payload of an id change: one string as primitive data.
pub(in crate::session) fn encode_new_id(new: &JavaStr) -> Bytes {
    let mut writer = Output::new(48);
    writer.utf(new.as_bytes());
    writer.finish()
}

/// Reads the payload of an id change.
///
/// # Errors
/// The payload is malformed.
pub fn decode_new_id(payload: &Bytes, limits: &SessionLimits) -> Result<JavaStr, SessionWireError> {
    let limits = Limits { bytes_max: limits.message_bytes_max, ..Limits::default() };
    let document = Document::parse(payload.clone(), &limits)?;
    Ok(JavaStr::from_modified_utf8(&document.cursor().read_utf_bytes()?))
}
