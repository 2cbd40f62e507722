//! Applying what peers changed, without losing what was changed here.
//!
//! From a Clowder node every change comes with its stamp. A Tomcat sends none: its change counts as made when the
//! message was, but never as older than what is here, because a user who saw our value may just have replaced it.

use bytes::Bytes;

use super::clock::stamp_time;
use super::incoming::ReceivedSession;
use super::pending::Change;
use super::state::{CellKey, CellKind, Merge, State};
use super::store::{Entry, SlotRef};
use super::wire::{ActionKind, Delta, SessionExtra};
use super::{JavaStr, Sessions, Stamp};
use crate::Now;
use crate::wire::Member;

/// How long after a write here a Tomcat's write of the same thing may have crossed it, in milliseconds.
const MEETING: i64 = 2_000;

/// A change of one cell that a peer made.
struct PeerChange {
    kind: CellKind,
    name: JavaStr,
    value: Option<Bytes>,
    /// `None`: from a Tomcat.
    stamp: Option<Stamp>,
}

/// Who sent a change, and when by its clock.
#[derive(Clone, Copy)]
struct Source {
    node: u32,
    time: i64,
}

impl Sessions {
    /// Executes a delta. Local changes that were not sent stay, unless the delta has a newer one of the same thing.
    ///
    /// Differs from Tomcat: DeltaSession.applyDiff replaces the pending changes of the receiver and applies no filter.
    /// Tests: w2_a_received_delta_keeps_unsent_changes, w19_filters_hold_for_what_is_sent_and_for_what_is_received.
    pub(super) fn apply_delta(
        &mut self,
        now: Now,
        from: &Member,
        slot: SlotRef,
        time: i64,
        delta: Delta,
        stamps: Option<Vec<Stamp>>,
    ) {
        let ms = self.ms(now);
        if stamps.is_none() {
            self.suspect_wiped(now, from, slot);
        }
        let source = Source { node: self.peers.node(from), time };
        let mut conflicts = Vec::new();
        for (index, action) in delta.actions.into_iter().enumerate() {
            let stamp = stamps.as_ref().and_then(|stamps| stamps.get(index)).copied();
            let (kind, name) = match action.kind {
                // The receiver's request count decides; Tomcat's own endAccess overrides it as well.
                ActionKind::IsNew => continue,
                ActionKind::MaxInterval => {
                    if let Some(seconds) = action.value.as_deref().and_then(super::wire::integer_value) {
                        self.merge_interval(now, slot, source, seconds, stamp);
                    }
                    continue;
                }
                ActionKind::Unknown(_) => {
                    self.stats.unknown_actions += 1;
                    continue;
                }
                ActionKind::Attribute => (CellKind::Attribute, action.name),
                ActionKind::Note => (CellKind::Note, action.name),
                ActionKind::Principal => (CellKind::Principal, JavaStr::from("")),
                ActionKind::AuthType => (CellKind::AuthType, JavaStr::from("")),
                ActionKind::Listener => match &action.value {
                    Some(value) => (CellKind::Listener, JavaStr::from_modified_utf8(value)),
                    None => continue,
                },
            };
            // A listener's removal carries the listener; a set without value clears.
            let value = action.value.filter(|_| !action.remove);
            conflicts.extend(self.merge_cell(now, slot, source, PeerChange { kind, name, value, stamp }));
        }
        self.stats.deltas_applied += 1;
        if let Some(entry) = self.store.get_mut(slot) {
            entry.touch(ms, now.wall_ms());
            entry.primary = false;
            entry.settle();
        }
        self.settle_conflicts(now, slot, conflicts);
        self.watch(slot);
    }

    /// One change of a peer. Returns a change that this node has to send to end a conflict.
    fn merge_cell(&mut self, now: Now, slot: SlotRef, source: Source, change: PeerChange) -> Option<Change> {
        let PeerChange { kind, name, value, stamp } = change;
        if !self.acceptable(kind, &name, value.as_ref()) {
            return None;
        }
        let (ms, wall) = (self.ms(now), now.wall_ms());
        let stamp = match stamp {
            Some(stamp) => self.believed(wall, stamp),
            None => match self.unstamped(now, slot, source, kind, &name, value.as_ref()) {
                Unstamped::Counts(stamp) => stamp,
                Unstamped::Ours => return None,
                Unstamped::Conflict => {
                    let before = self.store.get(slot)?.state.stamp(kind, name.as_bytes());
                    let stamp = self.clock.tick(wall, before);
                    let limit = self.config.limits.attributes_max;
                    let entry = self.store.get_mut(slot)?;
                    entry.state_mut().merge(kind, &name, value, stamp, limit);
                    entry.changed = ms;
                    return Some(Change::Cell(CellKey { kind, name }));
                }
            },
        };
        let limit = self.config.limits.attributes_max;
        let entry = self.store.get_mut(slot)?;
        // Look before writing: a shared state would be copied for nothing.
        if entry.state.cell(kind, name.as_bytes()).is_some_and(|cell| cell.stamp >= stamp) {
            self.stats.actions_stale += 1;
            return None;
        }
        match entry.state_mut().merge(kind, &name, value, stamp, limit) {
            Merge::Applied => {
                entry.changed = ms;
                if let Some(active) = &mut entry.active {
                    active.forget(kind, name.as_bytes());
                }
            }
            Merge::Stale => self.stats.actions_stale += 1,
            Merge::Full => self.stats.oversized += 1,
        }
        None
    }

    /// What a change without a stamp means against what is here.
    fn unstamped(
        &mut self,
        now: Now,
        slot: SlotRef,
        source: Source,
        kind: CellKind,
        name: &JavaStr,
        value: Option<&Bytes>,
    ) -> Unstamped {
        let wall = now.wall_ms();
        let Some(entry) = self.store.get_mut(slot) else { return Unstamped::Ours };
        let before = entry.state.cell(kind, name.as_bytes());
        let stamp = before.map(|cell| cell.stamp).unwrap_or_default();
        let same = before.is_some_and(|cell| cell.value.as_ref() == value);
        if entry.active.as_ref().is_some_and(|active| active.is_pending(kind, name.as_bytes())) {
            // Ours goes out after this and is what the Tomcat will have; a new stamp makes it so on every node.
            let value = before.and_then(|cell| cell.value.clone());
            let stamp = self.clock.tick(wall, stamp.max(Stamp { time: stamp_time(source.time.min(wall)), node: 0 }));
            let limit = self.config.limits.attributes_max;
            entry.state_mut().merge(kind, name, value, stamp, limit);
            self.stats.conflicts += 1;
            return Unstamped::Ours;
        }
        // Our message may have reached the Tomcat before or after it made this one. Its value is taken, and sent to all
        // again: whatever the order was, that ends it.
        let recent = stamp.node == self.clock.node() && stamp.time >= stamp_time(wall - MEETING);
        if !same && before.is_some() && (recent || self.is_in_flight(slot, kind, name.as_bytes())) {
            return Unstamped::Conflict;
        }
        let time = stamp_time(source.time.min(wall)).max(stamp.time.saturating_add(1));
        let stamp = Stamp { time, node: source.node };
        Unstamped::Counts(self.believed(wall, stamp))
    }

    fn merge_interval(&mut self, now: Now, slot: SlotRef, source: Source, seconds: i32, stamp: Option<Stamp>) {
        let wall = now.wall_ms();
        let Some(before) = self.store.get(slot).map(|entry| entry.state.max_inactive_stamp) else { return };
        let stamp = match stamp {
            Some(stamp) => self.believed(wall, stamp),
            None => {
                let time = stamp_time(source.time.min(wall)).max(before.time.saturating_add(1));
                Stamp { time, node: source.node }
            }
        };
        if stamp <= before {
            self.stats.actions_stale += 1;
            return;
        }
        let ms = self.ms(now);
        let Some(entry) = self.store.get_mut(slot) else { return };
        let state = entry.state_mut();
        (state.max_inactive, state.max_inactive_stamp) = (seconds, stamp);
        entry.changed = ms;
    }

    /// A peer's stamp, or the own time in place of a mad one.
    fn believed(&mut self, wall: i64, stamp: Stamp) -> Stamp {
        self.clock.observe(wall, stamp).unwrap_or_else(|| {
            self.stats.stamps_refused += 1;
            Stamp { time: stamp_time(wall), node: stamp.node }
        })
    }

    /// Limits and filters for what peers write here.
    fn acceptable(&mut self, kind: CellKind, name: &JavaStr, value: Option<&Bytes>) -> bool {
        let name_fits = kind == CellKind::Listener || name.as_bytes().len() <= usize::from(u16::MAX);
        if !name_fits || value.is_some_and(|value| value.len() > self.config.limits.attribute_bytes_max) {
            self.stats.oversized += 1;
            return false;
        }
        let takes = self.config.takes(kind, name, value.map(|value| &value[..]));
        self.stats.filtered += u64::from(!takes);
        takes
    }

    /// A whole session. What is new here is added, what is newer here stays.
    ///
    /// Differs from Tomcat: it replaces its copy, whichever is newer.
    /// Test: w6_members_that_meet_exchange_what_they_have.
    pub(super) fn merge_session(&mut self, now: Now, from: &Member, session: ReceivedSession) {
        let ms = self.ms(now);
        let data = &session.data;
        let idle = session.extra.as_ref().map_or(0, |extra| extra.idle);
        let id = data.id.clone();
        if let Some(ended) = self.store.ended.get(ms, data.id.as_bytes()).copied()
            && data.creation <= ended.wall
            && (ended.explicit || data.this_accessed <= ended.wall)
        {
            self.stats.after_end += 1;
            if ended.explicit {
                self.remind_of_end(now, from, &session.data.id);
            }
            return;
        }
        match self.store.find_renamed(ms, data.id.as_bytes()) {
            Some(slot) => {
                self.stats.merged += 1;
                self.merge_known(now, from, slot, session);
            }
            None => {
                let entry = self.entry_of(now, from, session, idle);
                self.learn(now, entry);
            }
        }
        self.tell_newcomers(now, &from.id, &id);
    }

    /// A session that is not known here, as it came.
    fn entry_of(&mut self, now: Now, from: &Member, session: ReceivedSession, idle: u64) -> Entry {
        let (ms, wall) = (self.ms(now), now.wall_ms());
        let ReceivedSession { data, extra } = session;
        // Every Clowder node that learns this session from a Tomcat gives it the same stamps.
        let foreign = Stamp { time: stamp_time(data.this_accessed.min(wall)), node: self.peers.node(from) };
        let mut state = State::with_capacity(data.creation, data.max_inactive, data.cell_count());
        state.max_inactive_stamp =
            extra.as_ref().map_or(foreign, |extra| self.believed(wall, extra.max_inactive_stamp));
        let limit = self.config.limits.attributes_max;
        let mut accessed = (data.last_accessed, data.this_accessed);
        if extra.is_none() {
            accessed.1 = wall; // Tomcat: state counts as an access, by the clock of the receiver
        }
        let id = data.id.clone();
        for change in changes(data, extra) {
            if !self.acceptable(change.kind, &change.name, change.value.as_ref()) {
                continue;
            }
            let stamp = change.stamp.map_or(foreign, |stamp| self.believed(wall, stamp));
            if state.merge(change.kind, &change.name, change.value, stamp, limit) == Merge::Full {
                self.stats.oversized += 1;
            }
        }
        let mut entry = Entry::new(id, state, ms.saturating_sub(idle).max(1), accessed.1);
        entry.last_accessed = accessed.0;
        entry.changed = ms;
        entry
    }

    fn merge_known(&mut self, now: Now, from: &Member, slot: SlotRef, session: ReceivedSession) {
        let ReceivedSession { data, extra } = session;
        match extra {
            Some(extra) => self.merge_stamped(now, from, slot, data, extra),
            None => self.merge_unstamped(now, from, slot, data),
        }
        self.watch(slot);
    }

    fn merge_stamped(
        &mut self,
        now: Now,
        from: &Member,
        slot: SlotRef,
        data: super::wire::SessionData,
        extra: SessionExtra,
    ) {
        let ms = self.ms(now);
        let source = Source { node: self.peers.node(from), time: now.wall_ms() };
        self.merge_interval(now, slot, source, data.max_inactive, Some(extra.max_inactive_stamp));
        let idle = extra.idle;
        for change in changes(data, Some(extra)) {
            // A cell without a stamp was written by a sender that could not count: nothing is known about its age.
            let change = PeerChange { stamp: Some(change.stamp.unwrap_or_default()), ..change };
            self.merge_cell(now, slot, source, change);
        }
        if let Some(entry) = self.store.get_mut(slot) {
            entry.accessed = entry.accessed.max(ms.saturating_sub(idle));
            entry.settle();
        }
    }

    /// A Tomcat's copy of a session that is known here: what it lacks says nothing (a filter, a delta under way), what
    /// it has more is added, and where both differ it counts as newer unless ours was written after it was asked.
    fn merge_unstamped(&mut self, now: Now, from: &Member, slot: SlotRef, data: super::wire::SessionData) {
        let wall = now.wall_ms();
        let asked = self.requester.asked_wall(&from.id).unwrap_or(wall);
        let source = Source { node: self.peers.node(from), time: data.this_accessed };
        let apart = self
            .peers
            .get(&from.id)
            .is_some_and(|peer| self.store.get(slot).is_some_and(|entry| entry.changed < peer.joined));
        let older = apart && self.store.get(slot).is_some_and(|entry| entry.this_accessed > data.this_accessed);
        let mut same = data.cell_count() >= self.store.get(slot).map_or(0, |entry| entry.state.cells().count());
        for change in changes(data, None) {
            let Some(entry) = self.store.get(slot) else { return };
            let cell = entry.state.cell(change.kind, change.name.as_bytes());
            let keep = match cell {
                None => false,
                Some(cell) if cell.value == change.value => true,
                Some(cell) => {
                    same = false;
                    let pending = entry.active.as_ref();
                    older
                        || cell.value.is_none()
                        || cell.stamp.time >= stamp_time(asked)
                        || pending.is_some_and(|active| active.is_pending(change.kind, change.name.as_bytes()))
                        || self.is_in_flight(slot, change.kind, change.name.as_bytes())
                }
            };
            if !keep {
                self.merge_cell(now, slot, source, change);
            }
        }
        if same {
            self.peers.same_at(&from.id, slot);
        }
    }
}

enum Unstamped {
    /// It is the newest, with this stamp.
    Counts(Stamp),
    /// What is here stays and goes out.
    Ours,
    /// It is taken, and sent on as a change of this node.
    Conflict,
}

/// The cells of a whole session as changes, with their stamps if there are any.
fn changes(data: super::wire::SessionData, extra: Option<SessionExtra>) -> impl Iterator<Item = PeerChange> {
    let (stamps, more) = extra.map_or((Vec::new(), Vec::new()), |extra| (extra.stamps, extra.cells));
    let body = data.into_cells().enumerate().map(move |(index, (kind, name, value))| PeerChange {
        kind,
        name,
        value: Some(value),
        stamp: stamps.get(index).copied(),
    });
    let more = more.into_iter().map(|cell| PeerChange {
        kind: cell.kind,
        name: cell.name,
        value: cell.value,
        stamp: Some(cell.stamp),
    });
    body.chain(more)
}
