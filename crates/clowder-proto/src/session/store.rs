//! The table of sessions: slots that keep their place when a session's id changes, an index by id, and the deadlines.
//!
//! Every operation is constant or logarithmic in the number of sessions. A [`SlotRef`] of a session that ended leads
//! nowhere, so tables of messages, repairs and deadlines can hold one without being cleaned up.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::memory::Memory;
use super::pending::Active;
use super::state::State;
use super::{JavaStr, SessionLimits, Stamp, id};

/// A place in the table, and which of the sessions that had it is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlotRef {
    index: u32,
    generation: u32,
}

/// One session.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: JavaStr,
    /// Shared with snapshots; copied when it changes while somebody looks at it.
    pub(super) state: Arc<State>,
    /// Unsent changes and messages on their way; most sessions have none.
    pub(super) active: Option<Box<Active>>,
    /// Wall clock of the last request and the one before, for Java's getters.
    pub(super) this_accessed: i64,
    pub(super) last_accessed: i64,
    /// Own clock, when the last request anywhere became known here.
    pub(super) accessed: u64,
    /// Own clock, when the others were last told of a request here.
    pub(super) noticed: u64,
    /// Own clock, when something here changed that others must know.
    pub(super) changed: u64,
    /// The deadline that counts among those in the heap; 0: none.
    checked_at: u64,
    /// Order key of its messages, from its first id here: it must not change with the id.
    pub(super) lane: u64,
    pub(super) is_new: bool,
    /// The last request known was served here.
    pub(super) primary: bool,
}

impl Entry {
    pub(super) fn new(id: JavaStr, state: State, now: u64, accessed_wall: i64) -> Self {
        let lane = id::lane(id.as_bytes());
        Entry {
            id,
            state: Arc::new(state),
            active: None,
            this_accessed: accessed_wall,
            last_accessed: accessed_wall,
            accessed: now,
            noticed: 0,
            changed: now,
            checked_at: 0,
            lane,
            is_new: false,
            primary: false,
        }
    }

    /// The state for writing. Copies it only while a snapshot of it is held.
    pub(super) fn state_mut(&mut self) -> &mut State {
        Arc::make_mut(&mut self.state)
    }

    pub(super) fn active_mut(&mut self) -> &mut Active {
        self.active.get_or_insert_default()
    }

    /// Gives the memory for traffic back when there is none.
    pub(super) fn settle(&mut self) {
        if self.active.as_ref().is_some_and(|active| active.is_idle()) {
            self.active = None;
        }
    }

    /// A request, here or elsewhere.
    pub(super) fn touch(&mut self, now: u64, wall: i64) {
        self.last_accessed = self.this_accessed;
        self.this_accessed = wall;
        self.accessed = now;
        self.is_new = false;
    }
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    entry: Option<Entry>,
}

/// A session that is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// Wall clock of the end, or of the beginning if that is later: clocks of nodes differ. A session of this id that was
    /// made later is another one.
    pub(super) wall: i64,
    /// Somebody invalidated it, in contrast to idleness: it must not live on anywhere.
    pub(super) explicit: bool,
}

/// Where a session went that has another id now.
#[derive(Clone, Debug)]
pub(super) struct Renamed {
    pub(super) new: JavaStr,
    pub(super) stamp: Stamp,
}

#[derive(Debug)]
pub(super) struct Store {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: HashMap<JavaStr, u32>,
    deadlines: BinaryHeap<Reverse<(u64, SlotRef)>>,
    pub(super) ended: Memory<JavaStr, Ended>,
    pub(super) renamed: Memory<JavaStr, Renamed>,
}

impl Store {
    pub(super) fn new(limits: &SessionLimits) -> Self {
        let keep = super::millis(limits.ended_for);
        Store {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashMap::new(),
            deadlines: BinaryHeap::new(),
            ended: Memory::new(limits.ended_max, keep),
            renamed: Memory::new(limits.ended_max, keep),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn find(&self, id: &[u8]) -> Option<SlotRef> {
        let index = *self.index.get(id)?;
        Some(SlotRef { index, generation: self.slots[index as usize].generation })
    }

    /// The session that has, or a short time ago had, this id. For messages of peers, which may not know yet; never
    /// for clients, to whom an old id must be worthless.
    pub(super) fn find_renamed(&self, now: u64, id: &[u8]) -> Option<SlotRef> {
        let mut id = id;
        // Bounded: ids that were swapped back and forth must not keep us here.
        for _ in 0..8 {
            if let Some(slot) = self.find(id) {
                return Some(slot);
            }
            id = self.renamed.get(now, id)?.new.as_bytes();
        }
        None
    }

    pub(super) fn get(&self, slot: SlotRef) -> Option<&Entry> {
        let found = self.slots.get(slot.index as usize)?;
        found.entry.as_ref().filter(|_| found.generation == slot.generation)
    }

    pub(super) fn get_mut(&mut self, slot: SlotRef) -> Option<&mut Entry> {
        let found = self.slots.get_mut(slot.index as usize)?;
        found.entry.as_mut().filter(|_| found.generation == slot.generation)
    }

    /// Adds a session whose id is not there.
    pub(super) fn insert(&mut self, entry: Entry) -> SlotRef {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, entry: None });
            u32::try_from(self.slots.len() - 1).expect("the limits of sessions are far below 2^32")
        });
        let earlier = self.index.insert(entry.id.clone(), index);
        assert!(earlier.is_none(), "a session was inserted over another");
        let slot = &mut self.slots[index as usize];
        slot.entry = Some(entry);
        SlotRef { index, generation: slot.generation }
    }

    pub(super) fn remove(&mut self, slot: SlotRef) -> Option<Entry> {
        self.get(slot)?;
        let place = &mut self.slots[slot.index as usize];
        place.generation = place.generation.wrapping_add(1);
        let entry = place.entry.take()?;
        self.index.remove(entry.id.as_bytes());
        self.free.push(slot.index);
        Some(entry)
    }

    /// Gives the session another id, which must be free. The old id is remembered for late messages.
    pub(super) fn rename(&mut self, now: u64, slot: SlotRef, new: &JavaStr, stamp: Stamp) -> Option<JavaStr> {
        if self.find(new.as_bytes()).is_some() {
            return None;
        }
        let entry = self.get_mut(slot)?;
        let old = std::mem::replace(&mut entry.id, new.clone());
        self.index.remove(old.as_bytes());
        self.index.insert(new.clone(), slot.index);
        // A way back under the new id would make a circle.
        self.renamed.remove(new.as_bytes());
        self.renamed.insert(now, old.clone(), Renamed { new: new.clone(), stamp });
        Some(old)
    }

    /// Every session, in no order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (SlotRef, &Entry)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let index = u32::try_from(index).ok()?;
            Some((SlotRef { index, generation: slot.generation }, slot.entry.as_ref()?))
        })
    }

    /// Asks for the session to be looked at when `at` has come. Only the latest wish counts.
    pub(super) fn check_at(&mut self, slot: SlotRef, at: u64) {
        let Some(entry) = self.get_mut(slot) else { return };
        if entry.checked_at != 0 && entry.checked_at <= at {
            return; // an earlier look will set the next
        }
        entry.checked_at = at;
        self.deadlines.push(Reverse((at, slot)));
    }

    pub(super) fn next_check(&self) -> Option<u64> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    /// A session whose time to be looked at has come.
    pub(super) fn due(&mut self, now: u64) -> Option<SlotRef> {
        while let Some(Reverse((at, slot))) = self.deadlines.peek().copied() {
            if at > now {
                return None;
            }
            self.deadlines.pop();
            if let Some(entry) = self.get_mut(slot)
                && entry.checked_at == at
            {
                entry.checked_at = 0;
                return Some(slot);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::new(&SessionLimits::default())
    }

    fn entry(id: &str) -> Entry {
        Entry::new(JavaStr::from(id), State::new(0, 1800), 0, 0)
    }

    #[test]
    fn a_reference_to_an_ended_session_leads_nowhere() {
        let mut store = store();
        let first = store.insert(entry("A"));
        store.remove(first);
        let second = store.insert(entry("B"));
        assert!(store.get(first).is_none());
        assert_eq!(store.get(second).map(|entry| entry.id.to_text().into_owned()).as_deref(), Some("B"));
    }

    #[test]
    fn a_renamed_session_keeps_its_slot_and_answers_peers_under_the_old_id() {
        let mut store = store();
        let slot = store.insert(entry("A"));
        store.rename(1, slot, &JavaStr::from("B"), Stamp::default());
        assert_eq!((store.find(b"A"), store.find(b"B")), (None, Some(slot)));
        assert_eq!(store.find_renamed(2, b"A"), Some(slot));
        store.rename(3, slot, &JavaStr::from("A"), Stamp::default());
        assert_eq!(store.find_renamed(4, b"B"), Some(slot));
        assert_eq!(store.find_renamed(4, b"A"), Some(slot));
    }

    #[test]
    fn an_earlier_deadline_replaces_a_later_one_and_the_later_is_silent() {
        let mut store = store();
        let slot = store.insert(entry("A"));
        store.check_at(slot, 100);
        store.check_at(slot, 50);
        assert_eq!(store.due(49), None);
        assert_eq!(store.due(50), Some(slot));
        assert_eq!(store.due(1000), None);
    }
}
