//! Versions of changes: a hybrid logical clock with the node as tie breaker.
//!
//! Two nodes that change the same attribute at once must end with the same value, so every change carries a
//! [`Stamp`] where Tomcat ignores it, and the greatest wins everywhere. The clock follows the wall clock and what was
//! seen from others; it never runs backwards on one node. Clocks of different nodes are compared for nothing else.

use crate::wire::MemberId;

/// When and where a value was written. The order is total: time first, then node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Milliseconds since 1970 in the upper 48 bits, a counter in the lower 16.
    pub time: u64,
    /// Digest of the writing node's identity.
    pub node: u32,
}

/// How far ahead of this node's clock a stamp may be before it is taken for nonsense: one day.
const DRIFT_MAX: u64 = 86_400_000 << 16;

/// The clock of one node.
#[derive(Clone, Debug)]
pub(super) struct HybridClock {
    node: u32,
    last: u64,
}

impl HybridClock {
    pub(super) fn new(node: u32) -> Self {
        HybridClock { node, last: 0 }
    }

    pub(super) fn node(&self) -> u32 {
        self.node
    }

    /// A stamp for a change made here, greater than every stamp seen and than `over`, which it replaces.
    pub(super) fn tick(&mut self, wall_ms: i64, over: Stamp) -> Stamp {
        self.last = stamp_time(wall_ms).max(self.last.saturating_add(1)).max(over.time.saturating_add(1));
        Stamp { time: self.last, node: self.node }
    }

    /// A peer's stamp: later changes made here must be greater. `None`: too far in the future to be believed.
    pub(super) fn observe(&mut self, wall_ms: i64, stamp: Stamp) -> Option<Stamp> {
        if stamp.time > stamp_time(wall_ms).saturating_add(DRIFT_MAX) {
            return None;
        }
        self.last = self.last.max(stamp.time);
        Some(stamp)
    }
}

/// Milliseconds as the time of a stamp.
pub(super) fn stamp_time(wall_ms: i64) -> u64 {
    u64::try_from(wall_ms).unwrap_or(0).min((1 << 48) - 1) << 16
}

/// A short digest that every node computes alike from a member's identity. FNV-1a: nothing secret depends on it.
pub(super) fn node_of(member: &MemberId) -> u32 {
    let port = member.port.to_be_bytes();
    member
        .unique_id
        .iter()
        .chain(&port)
        .chain(member.host.iter())
        .fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_newer_than_what_it_replaces_even_if_the_clock_stands_still() {
        let mut clock = HybridClock::new(7);
        let first = clock.tick(1000, Stamp::default());
        let second = clock.tick(1000, first);
        assert!(second > first);
        let foreign = Stamp { time: stamp_time(5000), node: 1 };
        assert!(clock.tick(1000, foreign) > foreign);
    }

    #[test]
    fn what_was_seen_is_never_undercut() {
        let mut clock = HybridClock::new(7);
        let seen = Stamp { time: stamp_time(9000), node: 1 };
        assert_eq!(clock.observe(1000, seen), Some(seen));
        assert!(clock.tick(1001, Stamp::default()) > seen);
    }

    #[test]
    fn an_absurd_stamp_cannot_poison_the_clock() {
        let mut clock = HybridClock::new(7);
        assert_eq!(clock.observe(1000, Stamp { time: u64::MAX, node: 1 }), None);
        assert!(clock.tick(1000, Stamp::default()).time < stamp_time(2000));
    }
}
