//! What session messages of peers do.

use super::incoming::What;
use super::out::{EndCause, SessionEvent};
use super::parked::{ParkedMessage, ParkedWhat};
use super::pending::Change;
use super::send::Kind;
use super::state::State;
use super::store::{Ended, Entry, Renamed, SlotRef};
use super::wire::{self, Event, Trailer};
use super::{Incoming, JavaStr, Sessions, Stamp, Token, id};
use crate::Now;
use crate::wire::Member;

impl Sessions {
    /// A session message of a peer. `held`: a layer of the chain had held it, so that its sender took it for processed
    /// before.
    pub fn received(&mut self, now: Now, from: &Member, incoming: Incoming, held: bool) {
        if incoming.context.as_ref().is_some_and(|context| *context != self.config.context_name) {
            self.stats.other_context += 1;
            return;
        }
        let is_member = self.peers.get(&from.id).is_some();
        let has_departed = self.peers.has_departed(self.ms(now), &from.id);
        let late = (held || !is_member).then(|| incoming.what.session().cloned()).flatten();
        self.handle(now, from, incoming);
        match late {
            Some(id) if has_departed => self.came_late(now, &from.id, &id),
            Some(id) if !is_member => self.tell_heirs(now, &id),
            Some(id) => self.tell_newcomers(now, &from.id, &id),
            None => {}
        }
    }

    fn handle(&mut self, now: Now, from: &Member, incoming: Incoming) {
        let (time, bytes) = (incoming.time, incoming.bytes);
        match incoming.what {
            What::Created(id) => self.created(now, id, time),
            What::Expired { id, explicit } => self.expired(now, id, time, explicit),
            What::Accessed(id) => match self.store.find_renamed(self.ms(now), id.as_bytes()) {
                Some(slot) => self.accessed(now, from, slot),
                None => self.park(now, from, id, time, bytes, ParkedWhat::Access),
            },
            What::GetAll(ids) => self.asked_for_state(now, from, ids, time),
            What::Data(sessions) => self.state_block(now, from, sessions),
            What::Delta { id, delta, stamps } => {
                if delta.session_id != id {
                    // Tomcat: DeltaRequest.execute throws, the delta is lost.
                    self.stats.mismatched_ids += 1;
                    return;
                }
                match self.store.find_renamed(self.ms(now), id.as_bytes()) {
                    Some(slot) => self.apply_delta(now, from, slot, time, delta, stamps),
                    None => self.park(now, from, id, time, bytes, ParkedWhat::Delta { delta, stamps }),
                }
            }
            What::Complete { ready } => self.state_complete(now, from, ready),
            What::ChangeId { old, new, stamp } => self.id_changed(now, from, old, new, time, bytes, stamp),
            What::NoContextManager => self.state_refused(now, from),
            What::Unknown => self.stats.unknown_events += 1,
        }
    }

    /// Differs from Tomcat: the creation of a session that exists changes nothing, where Tomcat empties the session.
    /// Test: w17_a_repeated_creation_changes_nothing.
    fn created(&mut self, now: Now, id: JavaStr, creation: i64) {
        let (ms, wall) = (self.ms(now), now.wall_ms());
        if let Some(slot) = self.store.find_renamed(ms, id.as_bytes()) {
            self.stats.repeated_creations += 1;
            if let Some(entry) = self.store.get_mut(slot) {
                entry.touch(ms, wall);
            }
            return;
        }
        if self.store.ended.get(ms, id.as_bytes()).is_some_and(|ended| creation <= ended.wall) {
            self.stats.after_end += 1;
            return;
        }
        let mut entry = Entry::new(id, State::new(creation, self.config.max_inactive), ms, creation);
        entry.this_accessed = wall;
        self.learn(now, entry);
    }

    /// A session that peers know. `None`: there are too many.
    pub(super) fn learn(&mut self, now: Now, entry: Entry) -> Option<SlotRef> {
        if self.store.len() >= self.config.limits.received_sessions_max {
            self.stats.dropped_sessions += 1;
            return None;
        }
        let id = entry.id.clone();
        self.store.ended.remove(id.as_bytes());
        let slot = self.store.insert(entry);
        self.watch(slot);
        self.stats.learned += 1;
        self.event(SessionEvent::Created { id: id.clone(), local: false });
        self.unpark(now, &id);
        Some(slot)
    }

    fn expired(&mut self, now: Now, id: JavaStr, time: i64, explicit: Option<bool>) {
        let ms = self.ms(now);
        // An end that overtakes its beginning is remembered, so that the beginning is void.
        let ended = Ended { wall: time.max(now.wall_ms()), explicit: explicit.unwrap_or(true) };
        match self.store.find_renamed(ms, id.as_bytes()) {
            Some(slot) => {
                self.stats.expired_by_peer += 1;
                self.end(now, slot, ended, EndCause::Peer);
                if ended.explicit {
                    self.tell_newcomers_of_end(now, &id);
                }
            }
            None => {
                let dropped = self.parked.take(id.as_bytes()).len();
                self.stats.parked_dropped += dropped as u64;
                self.store.ended.insert(ms, id, ended);
            }
        }
    }

    /// Removes a session and remembers that it is gone. The messages on their way about it are returned.
    pub(super) fn end(&mut self, now: Now, slot: SlotRef, ended: Ended, cause: EndCause) -> Vec<Token> {
        let ms = self.ms(now);
        let Some(entry) = self.store.remove(slot) else { return Vec::new() };
        let ended = Ended { wall: ended.wall.max(entry.state.creation), ..ended };
        self.store.ended.insert(ms, entry.id.clone(), ended);
        self.event(SessionEvent::Ended { id: entry.id, cause });
        entry.active.map(|active| active.in_flight().to_vec()).unwrap_or_default()
    }

    fn accessed(&mut self, now: Now, from: &Member, slot: SlotRef) {
        let ms = self.ms(now);
        // A Tomcat says this only when our delta wiped what its request had changed, or after a long time of reads.
        self.suspect_wiped(now, from, slot);
        let Some(entry) = self.store.get_mut(slot) else { return };
        entry.touch(ms, now.wall_ms());
        entry.primary = false;
    }

    #[allow(clippy::too_many_arguments)] // the fields of one message
    fn id_changed(
        &mut self,
        now: Now,
        from: &Member,
        old: JavaStr,
        new: JavaStr,
        time: i64,
        bytes: usize,
        stamp: Option<Stamp>,
    ) {
        let ms = self.ms(now);
        let stamp = stamp.unwrap_or(Stamp { time: super::clock::stamp_time(time), node: self.peers.node(from) });
        if let Some(slot) = self.store.find(old.as_bytes()) {
            self.rename_by_peer(now, slot, &new, stamp);
            return;
        }
        if self.store.find(new.as_bytes()).is_some() {
            return; // known under the new id already, by state or by a repeated message
        }
        if let Some(earlier) = self.store.renamed.get(ms, old.as_bytes()).cloned()
            && let Some(slot) = self.store.find_renamed(ms, old.as_bytes())
        {
            self.settle_rename(now, slot, &earlier, new, stamp);
            return;
        }
        self.park(now, from, old, time, bytes, ParkedWhat::NewId { new, stamp });
    }

    /// One old id was changed on two nodes: the later change counts on every node.
    fn settle_rename(&mut self, now: Now, slot: SlotRef, earlier: &Renamed, new: JavaStr, stamp: Stamp) {
        let ms = self.ms(now);
        let Some(current) = self.store.get(slot).map(|entry| entry.id.clone()) else { return };
        if stamp < earlier.stamp {
            // The loser's messages still name its id.
            self.store.renamed.insert(ms, new, Renamed { new: current, stamp });
            return;
        }
        self.rename_by_peer(now, slot, &new, stamp);
        if earlier.stamp.node == self.clock.node() {
            // A Tomcat that heard of our change first knows the session by it, and ignored the other.
            let trailer = Trailer::Stamp(stamp);
            let payload = Some(wire::encode_new_id(&new));
            let body = self.message(Event::ChangeId, current.as_bytes(), Some(now.wall_ms()), payload, Some(&trailer));
            self.tell_all(slot, Kind::Renamed { old: current, new }, body);
        }
    }

    pub(super) fn rename_by_peer(&mut self, now: Now, slot: SlotRef, new: &JavaStr, stamp: Stamp) {
        let (ms, wall) = (self.ms(now), now.wall_ms());
        if let Some(other) = self.store.find(new.as_bytes()) {
            self.unite(now, slot, other, stamp);
            return;
        }
        let Some(old) = self.store.rename(ms, slot, new, stamp) else { return };
        if let Some(entry) = self.store.get_mut(slot) {
            entry.touch(ms, wall);
            entry.primary = false;
            entry.changed = ms;
        }
        self.event(SessionEvent::IdChanged { old, new: new.clone(), local: false });
        self.unpark(now, new);
    }

    /// The state of a session came under its new id before the change of the id: two copies of one session.
    fn unite(&mut self, now: Now, slot: SlotRef, other: SlotRef, stamp: Stamp) {
        if slot == other {
            return;
        }
        let (ms, limit) = (self.ms(now), self.config.limits.attributes_max);
        let Some(old) = self.store.remove(slot) else { return };
        let Some(entry) = self.store.get_mut(other) else { return };
        let new = entry.id.clone();
        for cell in old.state.all() {
            entry.state_mut().merge(cell.kind, &cell.name, cell.value.clone(), cell.stamp, limit);
        }
        if let Some(mut active) = old.active {
            for change in active.take_pending() {
                entry.active_mut().record(change);
            }
        }
        self.store.renamed.insert(ms, old.id.clone(), Renamed { new: new.clone(), stamp });
        self.event(SessionEvent::IdChanged { old: old.id, new, local: false });
    }

    /// Keeps a message whose session may come, unless the session is known to be gone.
    fn park(&mut self, now: Now, from: &Member, id: JavaStr, time: i64, bytes: usize, what: ParkedWhat) {
        let ms = self.ms(now);
        if let Some(ended) = self.store.ended.get(ms, id.as_bytes()).copied() {
            self.stats.after_end += 1;
            if ended.explicit {
                self.remind_of_end(now, from, &id);
            }
            return;
        }
        self.stats.parked += 1;
        let message = ParkedMessage { from: from.clone(), time, bytes, what };
        self.stats.parked_dropped += self.parked.insert(ms, id.clone(), message) as u64;
        self.fetch_soon(now, from, id);
    }

    /// Applies what waited for this session, in the order of arrival.
    pub(super) fn unpark(&mut self, now: Now, id: &JavaStr) {
        for message in self.parked.take(id.as_bytes()) {
            let Some(slot) = self.store.find_renamed(self.ms(now), id.as_bytes()) else { return };
            self.stats.unparked += 1;
            match message.what {
                ParkedWhat::Access => self.accessed(now, &message.from, slot),
                ParkedWhat::Delta { delta, stamps } => {
                    self.apply_delta(now, &message.from, slot, message.time, delta, stamps);
                }
                ParkedWhat::NewId { new, stamp } => self.rename_by_peer(now, slot, &new, stamp),
            }
        }
    }

    /// After our delta reached a Tomcat, its running requests have lost what they had not sent; see the module.
    pub(super) fn suspect_wiped(&mut self, now: Now, from: &Member, slot: SlotRef) {
        const MEETING: u64 = 1_000;
        let ms = self.ms(now);
        let Some(every) = self.config.reconcile_every.map(super::millis) else { return };
        let Some(entry) = self.store.get(slot) else { return };
        let met = entry.noticed > 0 && ms.saturating_sub(entry.noticed) < MEETING;
        if let Some(peer) = self.peers.get_mut(&from.id)
            && met
            && !peer.clowder
        {
            peer.reconciling = true;
            peer.reconcile(ms + MEETING, every);
        }
    }

    /// The cell was changed on both sides at once; our message ends it.
    pub(super) fn settle_conflicts(&mut self, now: Now, slot: SlotRef, conflicts: Vec<Change>) {
        if conflicts.is_empty() {
            return;
        }
        self.stats.conflicts += conflicts.len() as u64;
        let Some(entry) = self.store.get_mut(slot) else { return };
        // Changes of running requests stay pending: only what is settled goes out.
        let pending = entry.active_mut().take_pending();
        for change in conflicts {
            entry.active_mut().record(change);
        }
        self.send_delta(now, slot);
        if let Some(entry) = self.store.get_mut(slot) {
            for change in pending {
                entry.active_mut().record(change);
            }
        }
    }

    /// Ends a session and tells everybody, last changes first so that listeners elsewhere see them.
    pub(super) fn end_and_tell(&mut self, now: Now, slot: SlotRef, cause: EndCause) -> Vec<Token> {
        if self.store.get(slot).and_then(|entry| entry.active.as_ref()).is_some_and(|a| a.has_pending()) {
            self.send_delta(now, slot);
        }
        let Some(entry) = self.store.get(slot) else { return Vec::new() };
        let session_id = entry.id.clone();
        // Whoever does not know the session has this time only, see `Ended`.
        let wall = now.wall_ms().max(entry.state.creation);
        let explicit = cause != EndCause::Idle;
        let trailer = Trailer::Flag(explicit);
        let body = self.message(Event::Expired, session_id.as_bytes(), Some(wall), None, Some(&trailer));
        let token = self.tell_all(slot, Kind::Expired { id: session_id, explicit }, body);
        let mut tokens = self.end(now, slot, Ended { wall, explicit }, cause);
        tokens.extend(token.filter(|token| !tokens.contains(token)));
        tokens
    }

    /// True if this node is the one among the Clowder nodes to act for the session.
    pub(super) fn is_designated(&self, session_id: &JavaStr) -> bool {
        let own = id::weight(session_id.as_bytes(), self.clock.node());
        self.peers.clowder_nodes().all(|node| id::weight(session_id.as_bytes(), node) < own)
    }
}
