//! Changes of a session that others have not been told of, and messages about it on their way.

use super::Token;
use super::state::{CellKey, CellKind};

/// A change to tell. The value is not here: it is in the session, and what is there when the message is made counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The session is new: the first delta says so, as Tomcat's does.
    IsNew,
    MaxInactive,
    Cell(CellKey),
}

/// The traffic of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Active {
    /// In the order of the last write of each; compares kind and name, so that an attribute and a note of one name
    /// are two changes.
    ///
    /// Differs from Tomcat: DeltaRequest compares names only and loses the first of them.
    /// Test: w18_an_attribute_and_a_note_of_one_name_are_two_changes.
    pending: Vec<Change>,
    in_flight: Vec<Token>,
}

impl Active {
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.in_flight.is_empty()
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Tomcat: DeltaRequest.addAction - an earlier change of the same thing is dropped, the new one stands at the end.
    pub(super) fn record(&mut self, change: Change) {
        self.pending.retain(|earlier| *earlier != change);
        self.pending.push(change);
    }

    pub(super) fn is_pending(&self, kind: CellKind, name: &[u8]) -> bool {
        self.pending
            .iter()
            .any(|change| matches!(change, Change::Cell(key) if key.kind == kind && key.name.as_bytes() == name))
    }

    /// A newer change of a peer made this one moot.
    pub(super) fn forget(&mut self, kind: CellKind, name: &[u8]) {
        self.pending
            .retain(|change| !matches!(change, Change::Cell(key) if key.kind == kind && key.name.as_bytes() == name));
    }

    pub(super) fn take_pending(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.pending)
    }

    pub(super) fn sending(&mut self, token: Token) {
        self.in_flight.push(token);
    }

    pub(super) fn settled(&mut self, token: Token) {
        self.in_flight.retain(|other| *other != token);
    }

    pub(super) fn in_flight(&self) -> &[Token] {
        &self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::JavaStr;

    fn cell(kind: CellKind, name: &str) -> Change {
        Change::Cell(CellKey { kind, name: JavaStr::from(name) })
    }

    #[test]
    fn w18_an_attribute_and_a_note_of_one_name_are_two_changes() {
        let mut active = Active::default();
        active.record(cell(CellKind::Attribute, "clash"));
        active.record(cell(CellKind::Note, "clash"));
        assert_eq!(active.take_pending().len(), 2);
    }

    #[test]
    fn a_repeated_change_moves_to_the_end() {
        let mut active = Active::default();
        active.record(cell(CellKind::Attribute, "a"));
        active.record(cell(CellKind::Attribute, "b"));
        active.record(cell(CellKind::Attribute, "a"));
        assert_eq!(active.take_pending(), [cell(CellKind::Attribute, "b"), cell(CellKind::Attribute, "a")]);
    }

    #[test]
    fn w18_two_listeners_in_one_request_are_two_changes() {
        let mut active = Active::default();
        active.record(cell(CellKind::Listener, "one"));
        active.record(cell(CellKind::Listener, "two"));
        assert_eq!(active.take_pending().len(), 2);
    }
}
