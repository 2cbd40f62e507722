//! Members that others name, and this node does not have.

use super::{Group, GroupOut, is_usable};
use crate::Now;
use crate::wire::{Member, MemberId};

impl Group {
    /// A message names somebody: if it lives, it becomes a member. One [`GroupOut::Met`] answers.
    ///
    /// Tomcat: `NonBlockingCoordinator.mergeOnArrive` connects to strangers, and whoever accepts is a member. Differs
    /// from Tomcat: so is nobody who shares an address with a member, is of another domain, or just said goodbye.
    /// Test: nobody_is_looked_at_who_cannot_be_a_member.
    pub fn named(&mut self, now: Now, member: &Member) {
        self.begin(now);
        let is_member = self.roster.get(&member.id).is_some_and(super::roster::Entry::is_member);
        if is_member || self.farewell.is_some() || !self.may_join(now, member) {
            self.out.push_back(GroupOut::Met { member: member.id.clone(), alive: is_member });
        } else {
            let entry = self.roster.insert(member.clone(), false);
            entry.named = true;
            entry.check.invite(now.mono);
        }
        self.finish(now);
    }

    fn may_join(&self, now: Now, member: &Member) -> bool {
        let known = self.roster.get(&member.id);
        is_usable(&member.id)
            && !member.id.same_endpoint(&self.local.id)
            && !member.is_shutting_down()
            && self.fits(member)
            && known.is_none_or(|entry| self.fits(&entry.member) && !entry.is_quiet(now.mono))
            && !self.roster.rivals(&member.id).any(|(_, rival)| rival.is_member())
            && (known.is_some() || self.roster.discovered() < self.config.members_max)
    }

    /// Answer for those of whom it is known by now: they are members, or no probe of theirs can be waited for.
    pub(super) fn answer_named(&mut self) {
        let named: Vec<MemberId> =
            self.roster.iter().filter(|(_, entry)| entry.named).map(|(id, _)| id.clone()).collect();
        for id in named {
            let rivalled = self.roster.rivals(&id).any(|(_, rival)| rival.is_member());
            let Some(entry) = self.roster.get_mut(&id) else { continue };
            let alive = entry.is_member();
            if alive || rivalled || entry.check.is_idle() {
                entry.named = false;
                self.out.push_back(GroupOut::Met { member: id, alive });
            }
        }
    }

    /// Its probe was not answered.
    pub(super) fn named_in_vain(&mut self, id: &MemberId) {
        if let Some(entry) = self.roster.get_mut(id)
            && std::mem::take(&mut entry.named)
        {
            self.out.push_back(GroupOut::Met { member: id.clone(), alive: false });
        }
    }
}
