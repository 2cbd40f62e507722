//! Who ends a session, and when.
//!
//! Tomcat: the node that served the last request ends the session and tells the others; they drop it silently after
//! twice the interval, and nobody ends it if that node stopped.
//!
//! Differs from Tomcat: among the Clowder nodes the one with the greatest weight for the session ends it, always tells
//! everybody, and the others do so when it did not. Reads elsewhere become known with a delay (see
//! [`SessionsConfig::access_notice_part`](super::SessionsConfig::access_notice_part)), so a session lives that much
//! longer than its interval while there are other members, and never shorter.
//! Tests: w15_one_node_ends_an_idle_session_and_tells_the_others,
//! w15_another_node_takes_over_when_the_one_to_act_is_gone, w15_a_tomcat_is_told.

use super::out::EndCause;
use super::store::SlotRef;
use super::{Sessions, Token, millis};
use crate::Now;

use super::local::Completion;

impl Sessions {
    /// How often the others hear of a session that is only read.
    pub(super) fn notice_every(&self, max_inactive: i32) -> u64 {
        let interval = interval(max_inactive).unwrap_or(u64::MAX);
        let part = u64::from(self.config.access_notice_part.max(1));
        (interval / part).clamp(50, millis(self.config.access_notice_max).max(50))
    }

    /// The session is to be looked at when its interval may be over.
    pub(super) fn watch(&mut self, slot: SlotRef) {
        let Some(entry) = self.store.get(slot) else { return };
        if let Some(interval) = interval(entry.state.max_inactive) {
            let at = entry.accessed + interval;
            self.store.check_at(slot, at);
        }
    }

    /// Ends a session that a request wants and that should have ended.
    pub(super) fn end_if_idle(&mut self, now: Now, slot: SlotRef) -> bool {
        let ms = self.ms(now);
        let Some(entry) = self.store.get(slot) else { return true };
        let Some(interval) = interval(entry.state.max_inactive) else { return false };
        let grace = if self.peers.is_empty() { 0 } else { self.notice_every(entry.state.max_inactive) };
        if ms < entry.accessed + interval + grace {
            return false;
        }
        self.stats.expired += 1;
        self.end_and_tell(now, slot, EndCause::Idle);
        true
    }

    /// When this node ends the session if nothing more is heard of it.
    fn ends_at(&self, slot: SlotRef) -> Option<u64> {
        let entry = self.store.get(slot)?;
        let interval = interval(entry.state.max_inactive)?;
        let grace = self.notice_every(entry.state.max_inactive);
        Some(if self.peers.is_empty() {
            entry.accessed + interval
        } else if self.is_designated(&entry.id) {
            entry.accessed + interval + grace
        } else {
            entry.accessed + 2 * interval + 2 * grace
        })
    }

    pub(super) fn expiry_due(&mut self, now: Now) {
        /// Looks per call: a node that holds many sessions of one age must not stand still for them.
        const BATCH: usize = 1_000;
        let ms = self.ms(now);
        for _ in 0..BATCH {
            let Some(slot) = self.store.due(ms) else { return };
            let Some(ends_at) = self.ends_at(slot) else { continue };
            if ends_at <= ms {
                self.stats.expired += 1;
                self.end_and_tell(now, slot, EndCause::Idle);
                continue;
            }
            // Members come and go, and with them the moment: look again soon rather than at the end only.
            let entry = self.store.get(slot).expect("it has an end");
            let over = interval(entry.state.max_inactive).map_or(0, |interval| entry.accessed + interval);
            let next = if over > ms { over } else { ends_at.min(ms + self.notice_every(entry.state.max_inactive)) };
            self.store.check_at(slot, next);
        }
    }

    /// This node stops: what running requests changed is sent, and if configured the sessions whose last request was
    /// here are ended everywhere. Wait for the completion before the channel is closed.
    ///
    /// Differs from Tomcat: expireSessionsOnShutdown there ends every session of the cluster.
    /// Test: w16_a_stopping_node_ends_only_what_it_served_last.
    pub fn stop(&mut self, now: Now) -> Completion {
        let mut tokens: Vec<Token> = self.flush_all(now);
        if self.config.expire_on_shutdown {
            let served: Vec<SlotRef> =
                self.store.slots().filter(|(_, entry)| entry.primary).map(|(slot, _)| slot).collect();
            for slot in served {
                tokens.extend(self.end_and_tell(now, slot, EndCause::Shutdown));
            }
        }
        Completion { tokens: self.await_all(tokens) }
    }
}

/// Milliseconds; `None`: for ever. Tomcat: 0 and negative values never expire.
fn interval(max_inactive: i32) -> Option<u64> {
    u64::try_from(max_inactive).ok().filter(|seconds| *seconds > 0).map(|seconds| seconds * 1000)
}
