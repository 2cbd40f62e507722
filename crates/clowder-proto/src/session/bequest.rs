//! What a member sent shortly before it left: it may have reached only some of the others.
//!
//! Its sender can repair that no more, so those that stay tell each other what they know of it. Clowder nodes only:
//! they merge, where a Tomcat would replace its copy and lose what its running requests changed.

use super::notices::Notice;
use super::state::State;
use super::store::Entry;
use super::{JavaStr, Sessions};
use crate::Now;
use crate::wire::MemberId;

/// Longer than a message is retried before its sender gives it up.
const MARGIN_MS: u64 = 15_000;

impl Sessions {
    /// `member` has left. Its changes of sessions that are unknown here were acknowledged and wait for what will not
    /// come from it any more: a session that has these changes alone is better than none.
    pub(super) fn adopt(&mut self, now: Now, member: &MemberId) {
        let ms = self.ms(now);
        for (id, time) in self.parked.changed_by(member) {
            self.learn(now, Entry::new(id, State::new(time, self.config.max_inactive), ms, time));
        }
    }

    /// `node` has left; the members that stay get what it changed last.
    pub(super) fn pass_on(&mut self, now: Now, node: u32) {
        let heirs = self.heirs();
        if heirs.is_empty() {
            return;
        }
        let slots = self.changed_by(now, node, MARGIN_MS).collect();
        let notices = self.recent_notices(self.ms(now).saturating_sub(MARGIN_MS));
        for heir in heirs {
            self.owe(now, &heir, &slots, &notices);
        }
    }

    /// A message about a session came from a member that had left. It was under way when what that one sent last was
    /// passed on, and the same message to others may be lost.
    pub(super) fn came_late(&mut self, now: Now, from: &MemberId, id: &JavaStr) {
        self.adopt(now, from);
        self.tell_heirs(now, id);
    }

    /// A message about a session changed what this node knows of it, and its sender may never tell the others: it has
    /// left, or it is none of the members yet and may die before it is one.
    pub(super) fn tell_heirs(&mut self, now: Now, id: &JavaStr) {
        let ms = self.ms(now);
        let slots = self.store.find_renamed(ms, id.as_bytes()).into_iter().collect();
        let ended = self.store.ended.get(ms, id.as_bytes()).is_some_and(|ended| ended.explicit);
        let notices = Vec::from_iter(ended.then(|| Notice::Expired { id: id.clone(), explicit: true }));
        for heir in self.heirs() {
            self.owe(now, &heir, &slots, &notices);
        }
    }

    fn heirs(&self) -> Vec<MemberId> {
        self.peers.iter().filter(|peer| peer.clowder).map(|peer| peer.member.id.clone()).collect()
    }
}
