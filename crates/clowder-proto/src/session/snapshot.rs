//! A session as it was at one moment.

use std::sync::Arc;

use bytes::Bytes;

use super::state::{CellKind, State};
use super::store::Entry;
use super::{JavaStr, java_str};

/// A consistent view of a session: later changes do not show in it. Cheap to make and to clone.
///
/// Values are Java streams of their own.
#[derive(Clone, Debug)]
pub struct Snapshot {
    id: JavaStr,
    state: Arc<State>,
    last_accessed: i64,
    this_accessed: i64,
    is_new: bool,
}

impl Snapshot {
    pub(super) fn of(entry: &Entry) -> Self {
        Snapshot {
            id: entry.id.clone(),
            state: Arc::clone(&entry.state),
            last_accessed: entry.last_accessed,
            this_accessed: entry.this_accessed,
            is_new: entry.is_new,
        }
    }

    /// The id. It is not the id that was asked for if the session has changed its route meanwhile.
    pub fn id(&self) -> &JavaStr {
        &self.id
    }

    /// True until the client came back with the id.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Milliseconds since 1970 at creation, by the clock of the creating node.
    pub fn creation(&self) -> i64 {
        self.state.creation
    }

    /// Milliseconds since 1970 of the request before the current one.
    pub fn last_accessed(&self) -> i64 {
        self.last_accessed
    }

    /// Milliseconds since 1970 of the current or last request.
    pub fn this_accessed(&self) -> i64 {
        self.this_accessed
    }

    /// Seconds without a request after which the session ends; 0 or negative: never.
    pub fn max_inactive(&self) -> i32 {
        self.state.max_inactive
    }

    /// The attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&Bytes> {
        self.state.value(CellKind::Attribute, &java_str::modified_utf8(name))
    }

    /// All attributes, ordered by the bytes of their names.
    pub fn attributes(&self) -> impl Iterator<Item = (&JavaStr, &Bytes)> {
        self.cells(CellKind::Attribute)
    }

    /// The container's notes. Only what peers put there, or this node's own container.
    pub fn notes(&self) -> impl Iterator<Item = (&JavaStr, &Bytes)> {
        self.cells(CellKind::Note)
    }

    /// The note's value.
    pub fn note(&self, name: &str) -> Option<&Bytes> {
        self.state.value(CellKind::Note, &java_str::modified_utf8(name))
    }

    /// The authenticated user as Tomcat serializes it.
    pub fn principal(&self) -> Option<&Bytes> {
        self.state.value(CellKind::Principal, b"")
    }

    /// The authentication scheme, a Java `String`.
    pub fn auth_type(&self) -> Option<&Bytes> {
        self.state.value(CellKind::AuthType, b"")
    }

    /// Session listeners that travel with the session.
    pub fn listeners(&self) -> impl Iterator<Item = &Bytes> {
        self.cells(CellKind::Listener).map(|(_, value)| value)
    }

    fn cells(&self, kind: CellKind) -> impl Iterator<Item = (&JavaStr, &Bytes)> {
        self.state.of_kind(kind).filter_map(|cell| Some((&cell.name, cell.value.as_ref()?)))
    }
}
