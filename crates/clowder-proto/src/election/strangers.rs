//! Members that others named and this node does not have: do they live?
//!
//! Everything is forgotten after a time, so that the table needs no other care than its bound.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::wire::MemberId;

/// What is known of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Being found out.
    Open,
    Alive,
    Dead,
}

#[derive(Debug)]
pub(super) struct Strangers {
    verdicts: BTreeMap<MemberId, (Verdict, Instant)>,
    memory: Duration,
    max: usize,
}

impl Strangers {
    pub(super) fn new(memory: Duration, max: usize) -> Strangers {
        Strangers { verdicts: BTreeMap::new(), memory, max }
    }

    /// What is known of it, and whether that has to be asked for now.
    pub(super) fn look_up(&mut self, now: Instant, id: &MemberId) -> (Verdict, bool) {
        if let Some((verdict, _)) = self.verdicts.get(id) {
            return (*verdict, false);
        }
        if self.verdicts.len() >= self.max {
            return (Verdict::Dead, false);
        }
        self.verdicts.insert(id.clone(), (Verdict::Open, now + self.memory));
        (Verdict::Open, true)
    }

    /// The answer. False if nobody asked.
    pub(super) fn answered(&mut self, now: Instant, id: &MemberId, alive: bool) -> bool {
        let Some(entry) = self.verdicts.get_mut(id) else { return false };
        *entry = (if alive { Verdict::Alive } else { Verdict::Dead }, now + self.memory);
        true
    }

    /// Who did not answer in time. Old answers are forgotten.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<MemberId> {
        let expired = self.verdicts.extract_if(.., |_, (_, until)| *until <= now);
        expired.filter(|(_, (verdict, _))| *verdict == Verdict::Open).map(|(id, _)| id).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.verdicts.values().map(|(_, until)| *until).min()
    }

    pub(super) fn len(&self) -> usize {
        self.verdicts.len()
    }
}
