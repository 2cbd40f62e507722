//! The other members, and what each of them still lacks.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::notices::{Notice, Notices};
use super::store::SlotRef;
use super::{JavaStr, Sessions, clock, memory::Memory, millis};
use crate::Now;
use crate::wire::{Member, MemberId};

/// A message sent so long before a member was found gone may not have arrived.
pub(super) const GONE_MARGIN_MS: u64 = 30_000;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) member: Member,
    /// The member alone, as destinations of a message.
    pub(super) single: Arc<[Member]>,
    pub(super) node: u32,
    /// Understands what Clowder adds to the messages.
    pub(super) clowder: bool,
    /// Own clock, when it appeared.
    pub(super) joined: u64,
    /// When it left before that, if it did.
    gone: Option<u64>,
    /// Sessions of which it missed something.
    pub(super) dirty: BTreeSet<SlotRef>,
    pub(super) notices: Notices,
    pub(super) repair_at: Option<u64>,
    /// Failed repairs in a row.
    pub(super) repair_failures: u32,
    /// Sessions in one repair, as long as there is a limit: fewer after every failure, as the member may have little room,
    /// and more after a success.
    pub(super) repair_sessions_max: Option<usize>,
    /// Repairs on their way.
    pub(super) repairing: usize,
    /// Sessions to offer to a Tomcat that ran before it was seen, unless it turns out to have them.
    pub(super) offer: HashSet<SlotRef>,
    pub(super) offer_at: Option<u64>,
    /// It asked for the state itself.
    pub(super) asked_us: bool,
    /// Sessions that it sent messages about and that are unknown here.
    pub(super) unknown: Vec<JavaStr>,
    pub(super) fetch_at: Option<u64>,
    /// Its whole state is wanted, not only the unknown sessions.
    pub(super) reconciling: bool,
    /// Questions for its whole state in a row that came to nothing.
    pub(super) ask_failures: u32,
    /// When its state was last fetched, and how long that took.
    pub(super) fetched: Option<(u64, u64)>,
}

impl Peer {
    fn new(member: Member, joined: u64) -> Self {
        Peer {
            single: Arc::from([member.clone()]),
            node: clock::node_of(&member.id),
            clowder: member.is_clowder(),
            joined,
            gone: None,
            dirty: BTreeSet::new(),
            notices: Notices::default(),
            repair_at: None,
            repair_failures: 0,
            repair_sessions_max: None,
            repairing: 0,
            offer: HashSet::new(),
            offer_at: None,
            asked_us: false,
            unknown: Vec::new(),
            fetch_at: None,
            reconciling: false,
            ask_failures: 0,
            fetched: None,
            member,
        }
    }

    /// Its state is to be fetched at `at`, but not more often than every `every`, and never so often that a Tomcat
    /// spends more than a twentieth of its time on it.
    pub(super) fn reconcile(&mut self, at: u64, every: u64) {
        let pause = self.fetched.map_or(0, |(when, took)| when + every.max(took.saturating_mul(20)));
        self.fetch_at = Some(self.fetch_at.unwrap_or(u64::MAX).min(at.max(pause)));
    }
}

/// Members in the order of the view.
#[derive(Debug)]
pub(super) struct Peers {
    list: Vec<Peer>,
    all: Arc<[Member]>,
    /// When members left: one that comes back may have missed what changed since.
    departed: Memory<MemberId, u64>,
}

impl Default for Peers {
    fn default() -> Self {
        Peers { list: Vec::new(), all: Arc::from([]), departed: Memory::new(256, 3_600_000) }
    }
}

impl Peers {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// All members, as destinations of a message.
    pub(super) fn all(&self) -> Arc<[Member]> {
        Arc::clone(&self.all)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.list.iter()
    }

    pub(super) fn get(&self, id: &MemberId) -> Option<&Peer> {
        self.list.iter().find(|peer| peer.member.id == *id)
    }

    pub(super) fn get_mut(&mut self, id: &MemberId) -> Option<&mut Peer> {
        self.list.iter_mut().find(|peer| peer.member.id == *id)
    }

    /// Digest of a member's identity.
    pub(super) fn node(&self, member: &Member) -> u32 {
        self.get(&member.id).map_or_else(|| clock::node_of(&member.id), |peer| peer.node)
    }

    /// Since when this member may have got, or still get, what was sent to an earlier life of it, if that left a short
    /// time ago: nothing on the wire says for whom it is.
    pub(super) fn inherits_since(&self, ms: u64, id: &MemberId) -> Option<u64> {
        let departed = self.departed.since(ms.saturating_sub(GONE_MARGIN_MS));
        let mut lives = departed.filter(|(other, _)| other.same_endpoint(id) && *other != id);
        lives.next().map(|(_, left)| left.saturating_sub(GONE_MARGIN_MS))
    }

    /// It was a member and is none now.
    pub(super) fn has_departed(&self, ms: u64, id: &MemberId) -> bool {
        self.departed.get(ms, id).is_some()
    }

    pub(super) fn clowder_nodes(&self) -> impl Iterator<Item = u32> {
        self.list.iter().filter(|peer| peer.clowder).map(|peer| peer.node)
    }

    /// A Tomcat has this session just as it is here.
    pub(super) fn same_at(&mut self, id: &MemberId, slot: SlotRef) {
        if let Some(peer) = self.get_mut(id) {
            peer.offer.remove(&slot);
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.list.iter().flat_map(|peer| [peer.repair_at, peer.offer_at, peer.fetch_at]).flatten().min()
    }

    fn changed(&mut self) {
        self.all = self.list.iter().map(|peer| peer.member.clone()).collect();
    }
}

impl Sessions {
    /// A member appeared, or its record changed. Call it in the order of the view, the oldest member first.
    pub fn joined(&mut self, now: Now, member: Member) {
        let ms = self.ms(now);
        if let Some(peer) = self.peers.get_mut(&member.id) {
            let shows = !peer.clowder && member.is_clowder();
            let since = peer.gone.unwrap_or(peer.joined);
            peer.clowder = member.is_clowder();
            peer.single = Arc::from([member.clone()]);
            peer.member.clone_from(&member);
            self.peers.changed();
            if shows {
                self.shows_to_be_clowder(now, member, since);
            }
            return;
        }
        let gone = self.peers.departed.get(ms, &member.id).copied();
        self.peers.departed.remove(&member.id);
        let mut peer = Peer::new(member.clone(), ms);
        peer.gone = gone;
        if !peer.clowder {
            self.plan_offer(&mut peer, ms, gone);
        }
        let clowder = peer.clowder;
        self.peers.list.push(peer);
        self.peers.changed();
        if clowder {
            self.welcome(now, &member.id, gone);
        }
        self.answer_newcomer(now, &member.id);
        if !self.requester.is_started() {
            return;
        }
        // A Tomcat that is just starting has nothing, and would log a warning that its application is not there yet.
        if clowder || !self.is_fresh(&member) || !self.requester.is_ready() {
            self.want_state(now, member);
        }
    }

    /// What others relay of a member does not say what it can: it was taken for a Tomcat until its own record came.
    fn shows_to_be_clowder(&mut self, now: Now, member: Member, since: u64) {
        let Some(peer) = self.peers.get_mut(&member.id) else { return };
        peer.offer.clear();
        peer.offer_at = None;
        let was_asked = peer.fetched.is_some() || self.requester.is_involved(&member.id);
        self.welcome(now, &member.id, Some(since));
        if self.requester.is_started() && !was_asked {
            self.want_state(now, member);
        }
    }

    /// A member is gone.
    pub fn left(&mut self, now: Now, member: &MemberId) {
        let ms = self.ms(now);
        let before = self.peers.list.len();
        self.peers.list.retain(|peer| peer.member.id != *member);
        if self.peers.list.len() == before {
            return;
        }
        self.peers.changed();
        self.peers.departed.insert(ms, member.clone(), ms);
        self.providers.retain(|provider| provider.to() != member);
        self.asked_member_left(now, member);
        self.adopt(now, member);
        self.pass_on(now, clock::node_of(member));
    }

    fn is_fresh(&self, member: &Member) -> bool {
        u64::try_from(member.alive).is_ok_and(|alive| alive < millis(self.config.transfer.fresh))
    }

    /// What a Tomcat may lack that was not in view before: it asks nobody, if it did not just start.
    fn plan_offer(&self, peer: &mut Peer, ms: u64, gone: Option<u64>) {
        const SETTLE: u64 = 1_000;
        let since = gone.map_or(0, |gone| gone.saturating_sub(GONE_MARGIN_MS));
        let slots = self.store.slots().filter(|(_, entry)| entry.changed >= since && self.is_designated(&entry.id));
        peer.offer = slots.map(|(slot, _)| slot).collect();
        if let Some(since) = gone.or_else(|| self.peers.inherits_since(ms, &peer.member.id)) {
            for (id, ended) in self.store.ended.since(since) {
                if ended.explicit {
                    peer.notices.push_back(Notice::Expired { id: id.clone(), explicit: true });
                }
            }
            peer.repair_at = (!peer.notices.is_empty()).then_some(ms + SETTLE);
        }
        if !peer.offer.is_empty() {
            let fresh = self.is_fresh(&peer.member);
            peer.offer_at = Some(ms + if fresh { 5 * SETTLE } else { SETTLE });
        }
    }

    /// Repairs, offers and fetches whose time has come.
    pub(super) fn peers_due(&mut self, now: Now) {
        let ms = self.ms(now);
        let due = |at: Option<u64>| at.is_some_and(|at| at <= ms);
        for index in 0..self.peers.len() {
            let peer = &mut self.peers.list[index];
            let member = peer.member.id.clone();
            if due(peer.offer_at) {
                peer.offer_at = None;
                self.offer(now, &member);
            }
            let peer = &mut self.peers.list[index];
            if due(peer.repair_at) {
                peer.repair_at = None;
                self.repair(now, &member);
            }
            let peer = &mut self.peers.list[index];
            if due(peer.fetch_at) {
                peer.fetch_at = None;
                self.fetch(now, &member);
            }
        }
    }

    /// Hands the planned offer to the repair, if the member did not get everything by asking.
    fn offer(&mut self, now: Now, member: &MemberId) {
        const LATER: u64 = 1_000;
        let ms = self.ms(now);
        let busy = self.requester.is_involved(member);
        let others = self.peers.len() > 1;
        let Some(peer) = self.peers.get(member) else { return };
        let fresh = self.is_fresh(&peer.member);
        let Some(peer) = self.peers.get_mut(member) else { return };
        if busy {
            // Its own state is on the way: it shows what it does not need.
            peer.offer_at = Some(ms + LATER);
            return;
        }
        let offer = std::mem::take(&mut peer.offer);
        // A fresh one with other members around asked one of those.
        if peer.asked_us || (fresh && others) || offer.is_empty() {
            return;
        }
        peer.dirty.extend(offer);
        self.repair(now, member);
    }

    /// A message about a session that is unknown here: ask its sender for it, if nothing else brings it.
    pub(super) fn fetch_soon(&mut self, now: Now, from: &Member, id: JavaStr) {
        const PATIENCE: u64 = 500;
        const UNKNOWN_MAX: usize = 1_000;
        let ms = self.ms(now);
        let every = millis(self.config.transfer.ask_again);
        let Some(peer) = self.peers.get_mut(&from.id) else { return };
        if peer.unknown.len() < UNKNOWN_MAX && !peer.unknown.contains(&id) {
            peer.unknown.push(id);
        }
        if peer.clowder {
            peer.fetch_at = Some(peer.fetch_at.unwrap_or(u64::MAX).min(ms + PATIENCE));
        } else {
            // A Tomcat can only give everything.
            peer.reconcile(ms + PATIENCE, every);
        }
    }

    fn fetch(&mut self, now: Now, member: &MemberId) {
        let parked = &self.parked;
        let Some(peer) = self.peers.get_mut(member) else { return };
        let mut ids = std::mem::take(&mut peer.unknown);
        ids.retain(|id| parked.contains(id.as_bytes()));
        let reconciling = std::mem::take(&mut peer.reconciling);
        if ids.is_empty() && !reconciling {
            return; // they came
        }
        let to = peer.member.clone();
        self.stats.fetched += ids.len() as u64;
        if reconciling {
            ids.clear(); // everything
        }
        self.want_sessions(now, to, ids);
    }
}
