//! What lists of discovered members do: a cloud's answer to the question who belongs to a service.
//!
//! Tomcat: `CloudMembershipService`. A list names candidates; nobody becomes a member by it without an answered probe.
//! A list is believed about who is gone: an address of a cloud is given to somebody else soon, who may answer probes.
//! A question that was not answered is no input, so an outage of the cloud's directory changes nothing.

use std::collections::BTreeSet;
use std::time::Instant;

use super::roster::Entry;
use super::{DropCause, Group, GroupOut, LeftReason, is_usable};
use crate::Now;
use crate::wire::{Member, MemberId};

/// Who gives lists. Each has its own; a member stays for as long as one of them has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(u8);

impl Source {
    /// Most sources of one group.
    pub const COUNT_MAX: usize = 32;

    /// Source number `index`; `None` from [`Source::COUNT_MAX`] on.
    pub fn new(index: usize) -> Option<Source> {
        u8::try_from(index).ok().filter(|_| index < Self::COUNT_MAX).map(Source)
    }

    pub(super) fn bit(self) -> u32 {
        1 << self.0
    }
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whom it names.
    pub id: MemberId,
    /// It is ready to serve. Who is not is probed after its own first sign of life, not before; who is a member already
    /// stays one.
    pub ready: bool,
}

impl Group {
    /// `source` answered: this is its whole list. It replaces the last one.
    ///
    /// The local node may be among them and is passed over. Of several ids at one address the first one counts.
    pub fn discovered(&mut self, now: Now, source: Source, list: &[Listed]) {
        self.begin(now);
        if self.farewell.is_none() {
            let named: BTreeSet<&MemberId> = list.iter().map(|listed| &listed.id).collect();
            for (id, entry) in self.roster.iter_mut() {
                if !named.contains(id) {
                    entry.listing.remove(now.mono, source);
                }
            }
            // Their places in the table are free for newcomers.
            self.roster.retain(|entry| entry.is_wanted(now.mono));
            for listed in list {
                self.listed(now.mono, source, listed);
            }
        }
        self.finish(now);
    }

    fn listed(&mut self, now: Instant, source: Source, listed: &Listed) {
        let id = &listed.id;
        let Some(addr) = id.socket_addr().filter(|_| is_usable(id)) else { return };
        if id.same_endpoint(&self.local.id) || self.roster.rivals(id).any(|(_, rival)| rival.listing.has(source)) {
            return;
        }
        if self.roster.get(id).is_none() {
            self.replace_unvouched(now, id);
            let members_max = self.config.members_max;
            if self.roster.discovered() >= members_max {
                let cause = DropCause::TableFull { members_max };
                return self.out.push_back(GroupOut::Dropped { from: addr, cause });
            }
            // As for a configured member: it counts as one of our domain until it tells otherwise.
            let domain = self.config.domain.clone().unwrap_or_default();
            self.roster.insert(Member { domain, ..Member::new(addr, id.unique_id) }, false);
        }
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.listing.add(source);
        if listed.ready && entry.check.is_untried() {
            entry.check.schedule(Some(now));
        }
    }

    /// A new id at the address of somebody for whom neither heartbeats nor a list nor the configuration speaks any more:
    /// another process has the address. One that speaks for itself keeps it, and the listed one waits.
    ///
    /// Differs from Tomcat: there both are listed until the old one expires.
    /// Tests: a_new_id_at_a_listed_address_replaces_the_old_one_at_once,
    /// a_listed_id_waits_while_another_one_heartbeats_at_its_address.
    fn replace_unvouched(&mut self, now: Instant, id: &MemberId) {
        let rivals = self.roster.rivals(id).filter(|(_, rival)| rival.heard.is_none() && !rival.is_expected());
        let rivals: Vec<MemberId> = rivals.map(|(rival, _)| rival.clone()).collect();
        for rival in rivals {
            self.part(now, &rival, LeftReason::Replaced);
        }
        self.roster.retain(|entry| entry.is_wanted(now));
    }

    /// The heartbeats of a member stopped, and a list has another id at its address: a probe cannot tell the two apart.
    pub(super) fn yield_to_listed(&mut self, now: Instant, id: &MemberId) {
        let expected = self.roster.get(id).is_none_or(Entry::is_expected);
        let heir = self.roster.rivals(id).find(|(_, rival)| rival.is_expected()).map(|(rival, _)| rival.clone());
        if let Some(heir) = heir.filter(|_| !expected) {
            self.part(now, id, LeftReason::Replaced);
            if let Some(entry) = self.roster.get_mut(&heir) {
                entry.check.invite(now);
            }
        }
    }

    /// Tomcat: `Membership.expire` after each list. Differs from Tomcat: its failure detector would keep one that still
    /// answers; it may be somebody else by now.
    /// Test: who_is_in_no_list_for_the_expiration_time_leaves_without_a_probe.
    pub(super) fn expire_unlisted(&mut self, now: Instant) {
        let time = self.config.expiration_time;
        let gone = self.roster.iter().filter(|(_, entry)| entry.unlisted_at(time).is_some_and(|at| at <= now));
        let gone: Vec<MemberId> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.part(now, &id, LeftReason::Unlisted);
        }
    }

    /// It leaves, and nothing more is asked of its address.
    fn part(&mut self, now: Instant, id: &MemberId, reason: LeftReason) {
        if self.roster.get(id).is_some_and(Entry::is_member) {
            self.leave(now, id, reason);
        }
        if let Some(entry) = self.roster.get_mut(id) {
            entry.check.cancel();
        }
    }
}
