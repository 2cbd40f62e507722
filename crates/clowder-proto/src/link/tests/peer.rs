//! The other side of a simulated link, and the numbers that decide everything.

use std::collections::{BTreeMap, BTreeSet};

/// Numbers that depend on the seed alone (splitmix64).
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        usize::try_from(x % n as u64).expect("below a usize")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Processed,
    Refused,
}

/// What a receiver saw.
pub(super) struct Peer {
    /// It recognises what it processed before.
    pub(super) is_clowder: bool,
    /// In a hundred messages.
    refuses: usize,
    processed: BTreeMap<u64, usize>,
    refused: BTreeSet<u64>,
}

impl Peer {
    pub(super) fn new(is_clowder: bool, refuses: usize) -> Peer {
        Peer { is_clowder, refuses, processed: BTreeMap::new(), refused: BTreeSet::new() }
    }

    pub(super) fn received(&mut self, rng: &mut Rng, token: u64) -> Answer {
        if self.is_clowder && self.processed.contains_key(&token) {
            return Answer::Processed;
        }
        if rng.below(100) < self.refuses {
            self.refused.insert(token);
            return Answer::Refused;
        }
        let place = self.processed.len();
        self.processed.entry(token).or_insert(place);
        Answer::Processed
    }

    /// It processed the message; it refused it at least once.
    pub(super) fn seen(&self, token: u64) -> (bool, bool) {
        (self.processed.contains_key(&token), self.refused.contains(&token))
    }

    /// The messages in the order in which they were first processed.
    pub(super) fn order(&self) -> impl Iterator<Item = u64> {
        let mut order: Vec<(usize, u64)> = self.processed.iter().map(|(token, place)| (*place, *token)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, token)| token)
    }
}
