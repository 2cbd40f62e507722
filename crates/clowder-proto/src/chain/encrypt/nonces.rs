//! The nonces of one time stamp.
//!
//! A Clowder node counts its nonces, see [`iv`](super::iv): however many follow each other are one entry, so that what a
//! busy node sends is remembered for the whole window. Those of Tomcat are random, and each is an entry.

use std::collections::HashSet;

use smallvec::SmallVec;

use crate::secret_hash::Secret;

/// Runs of one time stamp: as many nodes can send at once and still have all of their messages in runs.
const RUNS_MAX: usize = 8;

/// Nonces that follow each other, both ends included.
#[derive(Debug)]
struct Run {
    first: u128,
    last: u128,
}

/// Distinct nonces.
///
/// Invariant: each is in one run or in `singles`.
#[derive(Debug)]
pub(super) struct Nonces {
    /// Mostly one: no allocation.
    runs: SmallVec<[Run; 1]>,
    singles: HashSet<u128, Secret>,
}

/// What became of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It was there.
    Known,
    /// It follows another one.
    InRun,
    /// An entry of its own.
    Entry,
}

impl Nonces {
    /// None, with room for about so many entries.
    pub(super) fn new(entries: usize, secret: Secret) -> Nonces {
        let singles = entries.saturating_sub(RUNS_MAX);
        Nonces { runs: SmallVec::new(), singles: HashSet::with_capacity_and_hasher(singles, secret) }
    }

    /// `counts`: nonces that follow each other are one entry.
    pub(super) fn insert(&mut self, nonce: u128, counts: bool) -> Inserted {
        if self.runs.iter().any(|run| (run.first..=run.last).contains(&nonce)) || self.singles.contains(&nonce) {
            return Inserted::Known;
        }
        if let Some(run) = self.runs.iter_mut().find(|run| run.last.checked_add(1) == Some(nonce)) {
            run.last = nonce;
            return Inserted::InRun;
        }
        if counts && self.runs.len() < RUNS_MAX {
            self.runs.push(Run { first: nonce, last: nonce });
        } else {
            self.singles.insert(nonce);
        }
        Inserted::Entry
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        self.runs.len() + self.singles.len()
    }

    /// Those that are in no run.
    pub(super) fn singles(&self) -> &HashSet<u128, Secret> {
        &self.singles
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nonces() -> Nonces {
        Nonces::new(0, Secret(7))
    }

    #[test]
    fn those_that_follow_each_other_are_one_entry_for_as_many_senders_as_there_are_runs() {
        let mut nonces = nonces();
        for count in 0..1000 {
            for sender in 0..RUNS_MAX as u128 {
                let expected = if count == 0 { Inserted::Entry } else { Inserted::InRun };
                assert_eq!(nonces.insert((sender << 64) + count, true), expected);
            }
        }
        assert_eq!(nonces.len(), RUNS_MAX);
        assert_eq!(nonces.insert(u128::MAX, true), Inserted::Entry);
        assert_eq!(nonces.insert(0, true), Inserted::Known);
        assert_eq!(nonces.singles().len(), 1);
    }

    proptest! {
        #[test]
        fn each_is_new_once(
            counts in any::<bool>(),
            inserted in prop::collection::vec(prop_oneof![0..40_u128, (u128::MAX - 3)..=u128::MAX], 0..200),
        ) {
            let (mut nonces, mut model) = (nonces(), HashSet::new());
            for nonce in inserted {
                let is_new = model.insert(nonce);
                let len = nonces.len();
                let inserted = nonces.insert(nonce, counts);
                prop_assert_eq!(inserted != Inserted::Known, is_new, "{}", nonce);
                prop_assert_eq!(nonces.len() - len, usize::from(inserted == Inserted::Entry));
                prop_assert!(counts || nonces.len() == model.len());
            }
        }
    }
}
