//! Making up for deliveries that failed.
//!
//! A member that missed a change of a session gets the whole session as an unrequested block, as soon as it answers
//! again; Tomcat takes such blocks at any time. To a Tomcat each session goes alone and under the key of its own
//! messages, so that a later delta cannot overtake it.

use std::sync::Arc;

use super::notices::Notice;
use super::out::BodyKind;
use super::send::{CONTROL_LANE, Kind, Outgoing};
use super::state::CellKind;
use super::store::SlotRef;
use super::wire::{self, Action, Delta, Event, Trailer};
use super::{JavaStr, Sessions, Stamp, Token, id, millis};
use crate::Now;
use crate::wire::{Member, MemberId};

/// A repair under way.
#[derive(Debug)]
pub(super) enum Repairing {
    Sessions(Vec<SlotRef>),
    Notice(Notice),
    /// What a block cannot carry to a Tomcat.
    Unlisted(SlotRef),
}

/// Repairs to one member that are on their way at most; one at a time while it takes a limited number of sessions.
const WINDOW: usize = 64;
/// A member that takes so many sessions in one repair has room for any number.
const LIMIT_MAX: usize = 1_024;

impl Sessions {
    /// A message did not reach a member.
    pub(super) fn delivery_failed(&mut self, now: Now, token: Token, member: &MemberId) {
        let Some(message) = self.in_flight.get(&token) else { return };
        let slot = message.slot();
        match &message.kind {
            Kind::Session(_) => self.mark_dirty(now, member, slot),
            Kind::Renamed { old, new } => {
                let notice = Notice::Renamed { old: old.clone(), new: new.clone() };
                self.note_failed(now, member, notice);
                self.mark_dirty(now, member, slot);
            }
            Kind::Expired { id, explicit } => {
                let notice = Notice::Expired { id: id.clone(), explicit: *explicit };
                self.note_failed(now, member, notice);
            }
            // The others have no lasting effect, or are repeated where they are settled.
            Kind::Access | Kind::Ask | Kind::Block(_) | Kind::Complete | Kind::Repair(_) => {}
        }
    }

    /// The member lacks something of these sessions.
    pub(super) fn mark_dirty(&mut self, now: Now, member: &MemberId, slots: impl IntoIterator<Item = SlotRef>) {
        let ms = self.ms(now);
        let delay = millis(self.config.transfer.repair_delay);
        let Some(peer) = self.peers.get_mut(member) else { return };
        peer.dirty.extend(slots);
        peer.repair_at.get_or_insert(ms + delay);
        // Sessions that ended meanwhile must not make this grow.
        if peer.dirty.len() > 2 * self.store.len() + 1024 {
            let store = &self.store;
            peer.dirty.retain(|slot| store.get(*slot).is_some());
        }
    }

    /// The member did not hear of this.
    pub(super) fn note_failed(&mut self, now: Now, member: &MemberId, notice: Notice) {
        let ms = self.ms(now);
        let delay = millis(self.config.transfer.repair_delay);
        let max = self.config.limits.ended_max;
        let Some(peer) = self.peers.get_mut(member) else { return };
        peer.notices.push_back(notice);
        if peer.notices.len() > max {
            peer.notices.pop_front();
            self.stats.notices_dropped += 1;
        }
        peer.repair_at.get_or_insert(ms + delay);
    }

    /// A member still speaks of a session that was invalidated.
    pub(super) fn remind_of_end(&mut self, now: Now, from: &Member, id: &JavaStr) {
        let notice = Notice::Expired { id: id.clone(), explicit: true };
        self.note_failed(now, &from.id, notice);
    }

    /// Sends what the window allows.
    pub(super) fn repair(&mut self, now: Now, member: &MemberId) {
        while let Some(peer) = self.peers.get_mut(member)
            && peer.repairing < peer.repair_sessions_max.map_or(WINDOW, |_| 1)
        {
            let (to, clowder) = (Arc::clone(&peer.single), peer.clowder);
            if let Some(notice) = peer.notices.pop_front() {
                peer.repairing += 1;
                self.repeat_notice(now, &to, notice);
            } else if peer.dirty.is_empty() {
                return;
            } else if clowder {
                self.repair_block(now, member, &to);
            } else {
                self.repair_one(now, member, &to);
            }
        }
    }

    fn repeat_notice(&mut self, now: Now, to: &Arc<[Member]>, notice: Notice) {
        let wall = Some(now.wall_ms());
        let (body, key) = match &notice {
            Notice::Expired { id, explicit } => {
                let ended = self.store.ended.get(self.ms(now), id.as_bytes()).map(|ended| ended.wall);
                let wall = wall.max(ended);
                let trailer = Trailer::Flag(*explicit);
                let body = self.message(Event::Expired, id.as_bytes(), wall, None, Some(&trailer));
                (body, id::lane(id.as_bytes()))
            }
            Notice::Renamed { old, new } => {
                let payload = Some(wire::encode_new_id(new));
                let stamp = self.store.renamed.get(self.ms(now), old.as_bytes()).map(|renamed| renamed.stamp);
                let trailer = stamp.map(Trailer::Stamp);
                let slot = self.store.find(new.as_bytes());
                let lane = slot.and_then(|slot| self.store.get(slot)).map(|entry| entry.lane);
                let body = self.message(Event::ChangeId, old.as_bytes(), wall, payload, trailer.as_ref());
                (body, lane.unwrap_or_else(|| id::lane(old.as_bytes())))
            }
        };
        let kind = Kind::Repair(Repairing::Notice(notice));
        self.send(Outgoing { to: Arc::clone(to), key, slot: None, kind, body: BodyKind::Encoded(body) });
    }

    /// To a Clowder node, which merges: many sessions at once, in any order with their other messages.
    fn repair_block(&mut self, now: Now, member: &MemberId, to: &Arc<[Member]>) {
        let max = self.config.transfer.block_bytes;
        let (mut slots, mut bytes) = (Vec::new(), 0);
        let Some(peer) = self.peers.get_mut(member) else { return };
        while bytes < max
            && peer.repair_sessions_max.is_none_or(|max| slots.len() < max)
            && let Some(slot) = peer.dirty.pop_first()
        {
            let Some(entry) = self.store.get(slot) else { continue };
            bytes += 150 + entry.id.as_bytes().len() + entry.state.weight();
            slots.push(slot);
        }
        if slots.is_empty() {
            return;
        }
        peer.repairing += 1;
        self.stats.repaired += slots.len() as u64;
        let body = BodyKind::Block(Arc::new(self.block(now, now.wall_ms(), &slots)));
        let kind = Kind::Repair(Repairing::Sessions(slots));
        self.send(Outgoing { to: Arc::clone(to), key: CONTROL_LANE, slot: None, kind, body });
    }

    fn repair_one(&mut self, now: Now, member: &MemberId, to: &Arc<[Member]>) {
        let Some(peer) = self.peers.get_mut(member) else { return };
        let Some(slot) = peer.dirty.pop_first() else { return };
        let Some(key) = self.store.get(slot).map(|entry| entry.lane) else { return };
        peer.repairing += 1;
        self.stats.repaired += 1;
        let body = BodyKind::Block(Arc::new(self.block(now, now.wall_ms(), &[slot])));
        let kind = Kind::Repair(Repairing::Sessions(vec![slot]));
        self.send(Outgoing { to: Arc::clone(to), key, slot: None, kind, body });
        self.send_unlisted(now, to, slot);
    }

    /// A delta with what Tomcat's form of a session has no place for: the authentication scheme and most notes.
    ///
    /// Differs from Tomcat: after a state transfer its getAuthType() is null on the new node.
    /// Test: w9_w20_a_tomcat_gets_the_whole_session_and_what_a_block_cannot_carry.
    pub(super) fn send_unlisted(&mut self, now: Now, to: &Arc<[Member]>, slot: SlotRef) {
        let Some(entry) = self.store.get(slot) else { return };
        let cells = entry.state.cells().filter(|cell| {
            let unlisted = match cell.kind {
                CellKind::AuthType => true,
                CellKind::Note => !wire::is_listed_note(cell.name.as_bytes()),
                _ => false,
            };
            unlisted && self.config.sends(cell.kind, &cell.name, cell.value.as_deref())
        });
        let (actions, stamps): (Vec<Action>, Vec<Stamp>) =
            cells.map(|cell| (Action::of_cell(cell), cell.stamp)).unzip();
        if actions.is_empty() {
            return;
        }
        let (key, id) = (entry.lane, entry.id.clone());
        let delta = Delta { session_id: id.clone(), record_all: false, actions };
        let (payload, unwritable) = delta.encode();
        self.stats.unwritable += unwritable as u64;
        let trailer = Trailer::Stamps(stamps);
        let body = self.message(Event::Delta, id.as_bytes(), Some(now.wall_ms()), Some(payload), Some(&trailer));
        if let Some(peer) = self.peers.get_mut(&to[0].id) {
            peer.repairing += 1;
        }
        let kind = Kind::Repair(Repairing::Unlisted(slot));
        self.send(Outgoing { to: Arc::clone(to), key, slot: None, kind, body: BodyKind::Encoded(body) });
    }

    pub(super) fn repair_settled(&mut self, now: Now, member: &MemberId, repair: Repairing, delivered: bool) {
        let ms = self.ms(now);
        let delay = millis(self.config.transfer.repair_delay);
        let Some(peer) = self.peers.get_mut(member) else { return };
        peer.repairing = peer.repairing.saturating_sub(1);
        if delivered {
            peer.repair_failures = 0;
            peer.repair_sessions_max = peer.repair_sessions_max.map(|max| max * 2).filter(|max| *max < LIMIT_MAX);
            if peer.repair_at.is_none() {
                self.repair(now, member);
            }
            return;
        }
        match repair {
            Repairing::Sessions(slots) => {
                peer.repair_sessions_max = Some((slots.len() / 2).max(1));
                peer.dirty.extend(slots);
            }
            Repairing::Notice(notice) => peer.notices.push_front(notice),
            Repairing::Unlisted(slot) => peer.dirty.extend([slot]),
        }
        peer.repair_at = Some(ms + (delay << peer.repair_failures.min(5)));
        peer.repair_failures += 1;
    }

    /// Everything that is pending of sessions whose requests never completed goes out, for an orderly end.
    pub(super) fn flush_all(&mut self, now: Now) -> Vec<Token> {
        let slots: Vec<SlotRef> = self
            .store
            .slots()
            .filter(|(_, entry)| entry.active.as_ref().is_some_and(|active| active.has_pending()))
            .map(|(slot, _)| slot)
            .collect();
        slots.into_iter().filter_map(|slot| self.send_delta(now, slot)).collect()
    }
}
