//! A member that has just come asks one other member for the state. What is on its way to that one, or failed to
//! reach it, is missing in the answer: whoever sent it tells the newcomer as well. And it is answered when it is a
//! member here, so that what changes after the answer is sent to it like to everybody.

use std::collections::BTreeSet;

use super::notices::Notice;
use super::peers::{GONE_MARGIN_MS, Peer};
use super::repair::Repairing;
use super::send::Kind;
use super::store::SlotRef;
use super::{JavaStr, Sessions};
use crate::Now;
use crate::wire::{Member, MemberId};

/// The newcomer may have asked before it was seen here; a view spreads faster than this.
const MARGIN_MS: u64 = 2_000;

/// A question of somebody who is not a member here yet.
#[derive(Debug)]
pub(super) struct EarlyQuestion {
    from: Member,
    ids: Vec<JavaStr>,
    asked: i64,
    /// Own clock: when it is answered all the same.
    until: u64,
}

/// Seeing a member takes one probe.
const PATIENCE_MS: u64 = 1_000;
/// Questions that wait at most; beyond, the oldest is answered.
const EARLY_MAX: usize = 64;

impl Sessions {
    /// A question for state: answered now if a member asks, else as soon as it is one.
    pub(super) fn asked_for_state(&mut self, now: Now, from: &Member, ids: Vec<JavaStr>, asked: i64) {
        self.early.retain(|question| question.from.id != from.id);
        if self.peers.get(&from.id).is_some() {
            self.state_wanted(now, from, &ids, asked);
            return;
        }
        let until = self.ms(now) + PATIENCE_MS;
        self.early.push(EarlyQuestion { from: from.clone(), ids, asked, until });
        if self.early.len() > EARLY_MAX {
            self.answer_early(now, |_| true, 1);
        }
    }

    pub(super) fn answer_newcomer(&mut self, now: Now, member: &MemberId) {
        self.answer_early(now, |question| question.from.id == *member, 1);
    }

    pub(super) fn early_deadline(&self) -> Option<u64> {
        self.early.iter().map(|question| question.until).min()
    }

    pub(super) fn early_due(&mut self, now: Now) {
        let ms = self.ms(now);
        self.answer_early(now, |question| question.until <= ms, EARLY_MAX);
    }

    fn answer_early(&mut self, now: Now, which: impl Fn(&EarlyQuestion) -> bool, max: usize) {
        for _ in 0..max {
            let Some(at) = self.early.iter().position(&which) else { return };
            let EarlyQuestion { from, ids, asked, .. } = self.early.remove(at);
            self.state_wanted(now, &from, &ids, asked);
        }
    }

    /// A Clowder node has joined: it gets what this node changed and not all others are known to have.
    ///
    /// If it was away since `gone`, it gets all that changed meanwhile: it may not have noticed and then asks for
    /// nothing, and what it still lacked was forgotten when it left. And if an earlier life of it was a member a short time
    /// ago, it may get what was sent to that one, but not the ends of those sessions.
    pub(super) fn welcome(&mut self, now: Now, member: &MemberId, gone: Option<u64>) {
        let (mut slots, mut notices) = self.unsettled();
        slots.extend(self.changed_by(now, self.clock.node(), MARGIN_MS));
        let mut since = self.ms(now).saturating_sub(MARGIN_MS);
        if let Some(gone) = gone {
            since = since.min(gone.saturating_sub(GONE_MARGIN_MS));
            let changed = self.store.slots().filter(|(_, entry)| entry.changed >= since);
            slots.extend(changed.map(|(slot, _)| slot));
        }
        let since = self.peers.inherits_since(self.ms(now), member).map_or(since, |inherits| since.min(inherits));
        notices.extend(self.recent_notices(since));
        self.owe(now, member, &slots, &notices);
    }

    /// The member lacks all of these.
    pub(super) fn owe(&mut self, now: Now, member: &MemberId, slots: &BTreeSet<SlotRef>, notices: &[Notice]) {
        if !slots.is_empty() {
            self.mark_dirty(now, member, slots.iter().copied());
        }
        for notice in notices {
            self.note_failed(now, member, notice.clone());
        }
    }

    /// A block of `from` has been merged, or a change that had been acknowledged and held. Newcomers that had their answer
    /// from here asked nobody else, and the sender does not know that they lack it.
    pub(super) fn tell_newcomers(&mut self, now: Now, from: &MemberId, id: &JavaStr) {
        let newcomers = self.newcomers(now, |peer| peer.asked_us && peer.member.id != *from);
        if newcomers.is_empty() {
            return;
        }
        let ms = self.ms(now);
        let Some(slot) = self.store.find_renamed(ms, id.as_bytes()) else { return };
        if self.store.get(slot).is_none_or(|entry| entry.changed < ms) {
            return; // it was no news
        }
        for newcomer in newcomers {
            self.mark_dirty(now, &newcomer, [slot]);
        }
    }

    /// Who came a short time ago may have this session from a member that did not know of its end either.
    pub(super) fn tell_newcomers_of_end(&mut self, now: Now, id: &JavaStr) {
        for newcomer in self.newcomers(now, |_| true) {
            self.note_failed(now, &newcomer, Notice::Expired { id: id.clone(), explicit: true });
        }
    }

    /// Clowder nodes that came a short time ago.
    fn newcomers(&self, now: Now, which: impl Fn(&Peer) -> bool) -> Vec<MemberId> {
        const NEW_MS: u64 = 60_000;
        let since = self.ms(now).saturating_sub(NEW_MS);
        let newcomers = self.peers.iter().filter(|peer| peer.clowder && peer.joined >= since && which(peer));
        newcomers.map(|peer| peer.member.id.clone()).collect()
    }

    /// Sessions that changed within the last `margin_ms`, and that the node wrote to, or may have made. When it wrote is not
    /// asked: stamps are of wall clocks, which are set.
    pub(super) fn changed_by(&self, now: Now, node: u32, margin_ms: u64) -> impl Iterator<Item = SlotRef> {
        let since = self.ms(now).saturating_sub(margin_ms);
        let changed = self.store.slots().filter(move |(_, entry)| entry.changed >= since && entry.state.wrote(node));
        changed.map(|(slot, _)| slot)
    }

    /// Ends and changes of ids that became known since then.
    pub(super) fn recent_notices(&self, since: u64) -> Vec<Notice> {
        let ended = self.store.ended.since(since).filter(|(_, ended)| ended.explicit);
        let ended = ended.map(|(id, _)| Notice::Expired { id: id.clone(), explicit: true });
        let renamed = self.store.renamed.since(since);
        let renamed = renamed.map(|(old, renamed)| Notice::Renamed { old: old.clone(), new: renamed.new.clone() });
        ended.chain(renamed).collect()
    }

    /// Sessions and notices that are on their way to somebody, or wait to be.
    fn unsettled(&self) -> (BTreeSet<SlotRef>, Vec<Notice>) {
        let (mut slots, mut notices) = (BTreeSet::new(), Vec::new());
        for message in self.in_flight.values() {
            match &message.kind {
                Kind::Session(_) | Kind::Renamed { .. } => slots.extend(message.slot()),
                Kind::Expired { id, explicit: true } => {
                    notices.push(Notice::Expired { id: id.clone(), explicit: true });
                }
                Kind::Repair(Repairing::Sessions(repaired)) => slots.extend(repaired),
                Kind::Repair(Repairing::Notice(notice)) => notices.push(notice.clone()),
                _ => {}
            }
        }
        for peer in self.peers.iter() {
            slots.extend(&peer.dirty);
            notices.extend(peer.notices.iter().cloned());
        }
        (slots, notices)
    }
}
