//! The nonces of one time stamp.
//!
//! A Clowder node counts its nonces, see [`iv`](super::iv): those that are near each other are one entry, whichever of them
//! come to this node and in which order, so that what a busy node sends is remembered for the whole window. Those of Tomcat
//! are random, and each is an entry.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::secret_hash::Secret;

/// Low bits of a nonce that may differ within one entry: as many nonces as a word has bits.
const NEAR_BITS: u32 = u64::BITS.ilog2();

/// Distinct nonces.
#[derive(Debug)]
pub(super) struct Nonces {
    /// Low bits in which those of one entry differ.
    near_bits: u32,
    /// By the other bits: which of them are there.
    rows: HashMap<u128, u64, Secret>,
}

/// What became of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It was there.
    Known,
    /// It shares the entry of another one.
    Near,
    /// An entry of its own.
    Entry,
}

impl Nonces {
    /// None, with room for so many entries. `counted`: those that are near each other share one.
    pub(super) fn new(entries: usize, counted: bool, secret: Secret) -> Nonces {
        let near_bits = if counted { NEAR_BITS } else { 0 };
        Nonces { near_bits, rows: HashMap::with_capacity_and_hasher(entries, secret) }
    }

    pub(super) fn insert(&mut self, nonce: u128) -> Inserted {
        let row = nonce >> self.near_bits;
        let bit = 1 << (nonce - (row << self.near_bits));
        match self.rows.entry(row) {
            Entry::Occupied(row) if row.get() & bit != 0 => Inserted::Known,
            Entry::Occupied(mut row) => {
                *row.get_mut() |= bit;
                Inserted::Near
            }
            Entry::Vacant(row) => {
                row.insert(bit);
                Inserted::Entry
            }
        }
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The nonces themselves, if each is an entry.
    pub(super) fn each(&self) -> impl Iterator<Item = &u128> {
        debug_assert_eq!(self.near_bits, 0);
        self.rows.keys()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn those_that_are_near_each_other_are_one_entry_whichever_come_and_in_which_order() {
        let mut nonces = Nonces::new(0, true, Secret(7));
        for sender in 0..100 {
            // Every third goes to this node, and later ones overtake earlier ones.
            for place in [1, 0, 3, 2, 5, 4] {
                let expected = if place == 1 { Inserted::Entry } else { Inserted::Near };
                assert_eq!(nonces.insert((sender << 64) + place * 3), expected);
            }
        }
        assert_eq!(nonces.len(), 100);
        assert_eq!(nonces.insert(3), Inserted::Known);
        assert_eq!(nonces.insert(63), Inserted::Near);
        assert_eq!(nonces.insert(64), Inserted::Entry);
        assert_eq!(nonces.insert(u128::MAX), Inserted::Entry);
    }

    proptest! {
        #[test]
        fn each_is_new_once(
            counted in any::<bool>(),
            inserted in prop::collection::vec(prop_oneof![0..150_u128, (u128::MAX - 3)..=u128::MAX], 0..200),
        ) {
            let (mut nonces, mut model) = (Nonces::new(0, counted, Secret(7)), HashSet::new());
            for nonce in inserted {
                let is_new = model.insert(nonce);
                let len = nonces.len();
                let inserted = nonces.insert(nonce);
                prop_assert_eq!(inserted != Inserted::Known, is_new, "{}", nonce);
                prop_assert_eq!(nonces.len() - len, usize::from(inserted == Inserted::Entry));
            }
            if !counted {
                prop_assert_eq!(nonces.each().copied().collect::<HashSet<_>>(), model);
            }
        }
    }
}
