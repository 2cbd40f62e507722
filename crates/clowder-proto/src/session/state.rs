//! What a session holds: cells, each with the stamp of its last change.
//!
//! A cell is one thing that a delta can set or remove. Two changes of different cells never touch each other, and of
//! two changes of one cell the greater stamp wins, in whatever order they arrive: that is what makes every node end
//! with the same session. Removed cells stay for a while as tombstones, so that an older write cannot bring them back.

use bytes::Bytes;

use super::{JavaStr, Stamp};

/// The kinds of cells, in the order in which a session lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CellKind {
    /// An attribute; the name is its name.
    Attribute,
    /// The authenticated user, without a name.
    Principal,
    /// The authentication scheme, a `String`, without a name.
    AuthType,
    /// A note of the container; the name is its name.
    Note,
    /// A listener that travels with the session; the name is its serialized form.
    Listener,
}

/// Names a cell of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CellKey {
    pub(super) kind: CellKind,
    pub(super) name: JavaStr,
}

#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) name: JavaStr,
    /// A Java stream of its own; `None`: removed.
    pub(super) value: Option<Bytes>,
    pub(super) stamp: Stamp,
    pub(super) kind: CellKind,
}

/// What became of a change that was offered to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Merge {
    /// The session holds it now.
    Applied,
    /// The session holds something newer.
    Stale,
    /// The session has as many cells as it may.
    Full,
}

/// Tombstones that one session keeps at most; beyond it the oldest goes.
const TOMBSTONES_MAX: usize = 64;

/// Cells of one session, ordered by kind and name.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) creation: i64,
    pub(super) max_inactive: i32,
    pub(super) max_inactive_stamp: Stamp,
    cells: Vec<Cell>,
}

impl State {
    pub(super) fn new(creation: i64, max_inactive: i32) -> Self {
        State { creation, max_inactive, max_inactive_stamp: Stamp::default(), cells: Vec::new() }
    }

    /// An empty state that holds `cells` cells without growing.
    pub(super) fn with_capacity(creation: i64, max_inactive: i32, cells: usize) -> Self {
        State { cells: Vec::with_capacity(cells), ..State::new(creation, max_inactive) }
    }

    fn find(&self, kind: CellKind, name: &[u8]) -> Result<usize, usize> {
        self.cells.binary_search_by(|cell| (cell.kind, cell.name.as_bytes()).cmp(&(kind, name)))
    }

    /// The cell, a tombstone included.
    pub(super) fn cell(&self, kind: CellKind, name: &[u8]) -> Option<&Cell> {
        self.find(kind, name).ok().map(|at| &self.cells[at])
    }

    pub(super) fn value(&self, kind: CellKind, name: &[u8]) -> Option<&Bytes> {
        self.cell(kind, name)?.value.as_ref()
    }

    /// Cells that hold a value.
    pub(super) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.value.is_some())
    }

    /// Cells of one kind that hold a value.
    pub(super) fn of_kind(&self, kind: CellKind) -> impl Iterator<Item = &Cell> {
        let start = self.cells.partition_point(|cell| cell.kind < kind);
        self.cells[start..].iter().take_while(move |cell| cell.kind == kind).filter(|cell| cell.value.is_some())
    }

    pub(super) fn tombstones(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(|cell| cell.value.is_none())
    }

    /// Every cell, tombstones included.
    pub(super) fn all(&self) -> &[Cell] {
        &self.cells
    }

    pub(super) fn stamp(&self, kind: CellKind, name: &[u8]) -> Stamp {
        self.cell(kind, name).map_or_else(Stamp::default, |cell| cell.stamp)
    }

    /// Writes the cell if `stamp` is greater than that of its last change. `cells_max` bounds new cells.
    pub(super) fn merge(
        &mut self,
        kind: CellKind,
        name: &JavaStr,
        value: Option<Bytes>,
        stamp: Stamp,
        cells_max: usize,
    ) -> Merge {
        let tombstone = value.is_none();
        match self.find(kind, name.as_bytes()) {
            Ok(at) if self.cells[at].stamp >= stamp => return Merge::Stale,
            Ok(at) => {
                let cell = &mut self.cells[at];
                cell.value = value;
                cell.stamp = stamp;
            }
            Err(_) if self.cells.len() >= cells_max => return Merge::Full,
            Err(at) => {
                // Most sessions hold few cells: growing by one instead of to four saves 200 bytes each.
                if self.cells.len() < 4 && self.cells.len() == self.cells.capacity() {
                    self.cells.reserve_exact(1);
                }
                self.cells.insert(at, Cell { name: name.clone(), value, stamp, kind });
            }
        }
        if tombstone {
            self.bound_tombstones();
        }
        Merge::Applied
    }

    fn bound_tombstones(&mut self) {
        if self.tombstones().count() <= TOMBSTONES_MAX {
            return;
        }
        let oldest =
            self.cells.iter().enumerate().filter(|(_, cell)| cell.value.is_none()).min_by_key(|(_, c)| c.stamp);
        if let Some((at, _)) = oldest {
            self.cells.remove(at);
        }
    }

    /// True if the last change of something was the node's, or it may have made the session: a new one has no stamps.
    pub(super) fn wrote(&self, node: u32) -> bool {
        let unstamped = self.max_inactive_stamp == Stamp::default();
        unstamped || self.max_inactive_stamp.node == node || self.cells.iter().any(|cell| cell.stamp.node == node)
    }

    /// Bytes that the session takes in a stream, roughly.
    pub(super) fn weight(&self) -> usize {
        self.cells.iter().map(|cell| 24 + cell.name.as_bytes().len() + cell.value.as_ref().map_or(0, Bytes::len)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(time: u64, node: u32) -> Stamp {
        Stamp { time, node }
    }

    fn bytes(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn changes_of_one_cell_end_the_same_in_every_order() {
        let name = JavaStr::from("a");
        let changes = [
            (bytes("one"), stamp(5, 1)),
            (None, stamp(6, 1)),
            (bytes("two"), stamp(6, 2)),
            (bytes("old"), stamp(1, 9)),
        ];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
        for order in orders {
            let mut state = State::new(0, 1800);
            for index in order {
                let (value, stamp) = &changes[index];
                state.merge(CellKind::Attribute, &name, value.clone(), *stamp, 10);
            }
            assert_eq!(state.value(CellKind::Attribute, b"a"), bytes("two").as_ref(), "order {order:?}");
        }
    }

    #[test]
    fn a_removal_holds_against_an_older_write_that_comes_later() {
        let mut state = State::new(0, 1800);
        let name = JavaStr::from("a");
        assert_eq!(state.merge(CellKind::Attribute, &name, None, stamp(5, 1), 10), Merge::Applied);
        assert_eq!(state.merge(CellKind::Attribute, &name, bytes("late"), stamp(4, 2), 10), Merge::Stale);
        assert_eq!(state.cells().count(), 0);
    }

    #[test]
    fn an_attribute_and_a_note_of_one_name_are_two_cells() {
        let mut state = State::new(0, 1800);
        let name = JavaStr::from("clash");
        state.merge(CellKind::Attribute, &name, bytes("a"), stamp(1, 1), 10);
        state.merge(CellKind::Note, &name, bytes("n"), stamp(2, 1), 10);
        assert_eq!(state.value(CellKind::Attribute, b"clash"), bytes("a").as_ref());
        assert_eq!(state.value(CellKind::Note, b"clash"), bytes("n").as_ref());
        assert_eq!(state.of_kind(CellKind::Note).count(), 1);
    }

    #[test]
    fn tombstones_and_cells_are_bounded() {
        let mut state = State::new(0, 1800);
        for i in 0..200u64 {
            state.merge(CellKind::Attribute, &JavaStr::from(format!("n{i}").as_str()), None, stamp(i, 1), 1000);
        }
        assert_eq!(state.tombstones().count(), TOMBSTONES_MAX);
        assert_eq!(state.stamp(CellKind::Attribute, b"n199").time, 199);
        let full = state.merge(CellKind::Attribute, &JavaStr::from("one more"), bytes("x"), stamp(500, 1), 64);
        assert_eq!(full, Merge::Full);
    }
}
