//! A member that has just come asks one other member for the state. What is on its way to that one, or failed to
//! reach it, is missing in the answer: whoever sent it tells the newcomer as well.

use std::collections::BTreeSet;

use super::peers::Notice;
use super::repair::Repairing;
use super::send::Kind;
use super::store::SlotRef;
use super::Sessions;
use crate::Now;
use crate::wire::MemberId;

/// The newcomer may have asked before it was seen here; a view spreads faster than this.
const MARGIN_MS: u64 = 2_000;

impl Sessions {
    /// A Clowder node has joined: it gets what this node changed and not all others are known to have.
    pub(super) fn welcome(&mut self, now: Now, member: &MemberId) {
        let since = self.ms(now).saturating_sub(MARGIN_MS);
        let (mut slots, mut notices) = self.unsettled();
        let own = self.clock.node();
        let wall = now.wall_ms() - i64::try_from(MARGIN_MS).expect("a constant of seconds");
        let recent = self.store.slots().filter(|(_, entry)| entry.changed >= since && entry.state.wrote(own, wall));
        slots.extend(recent.map(|(slot, _)| slot));
        notices.extend(self.recent_notices(since));
        if !slots.is_empty() {
            self.mark_dirty(now, member, slots);
        }
        for notice in notices {
            self.note_failed(now, member, notice);
        }
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
