//! A map that forgets: entries have an age limit and a number limit.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Remembers at most `max` values for at most `keep` milliseconds each; the oldest goes first.
#[derive(Clone, Debug)]
pub(super) struct Memory<K, V> {
    map: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    max: usize,
    keep: u64,
}

impl<K: Clone + Eq + Hash, V> Memory<K, V> {
    pub(super) fn new(max: usize, keep: u64) -> Self {
        Memory { map: HashMap::new(), order: VecDeque::new(), max, keep }
    }

    pub(super) fn insert(&mut self, now: u64, key: K, value: V) {
        self.forget(now);
        self.map.insert(key.clone(), (now, value));
        self.order.push_back((now, key));
        while self.order.len() > self.max {
            self.drop_front();
        }
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, now: u64, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        let (at, value) = self.map.get(key)?;
        (now.saturating_sub(*at) < self.keep).then_some(value)
    }

    pub(super) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        self.map.remove(key);
    }

    /// Entries not older than `since`, the oldest first.
    pub(super) fn since(&self, since: u64) -> impl Iterator<Item = (&K, &V)> {
        let start = self.order.partition_point(|(at, _)| *at < since);
        self.order.range(start..).filter_map(|(at, key)| {
            // The key may have been inserted again later, or removed.
            let (inserted, value) = self.map.get(key)?;
            (inserted == at).then_some((key, value))
        })
    }

    fn forget(&mut self, now: u64) {
        while self.order.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= self.keep) {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        let Some((at, key)) = self.order.pop_front() else { return };
        // The key may have been inserted again later; that entry has a place of its own in the order.
        if self.map.get(&key).is_some_and(|(inserted, _)| *inserted == at) {
            self.map.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_age_and_the_oldest_makes_room() {
        let mut memory = Memory::new(2, 100);
        memory.insert(0, "a", 1);
        memory.insert(50, "b", 2);
        assert_eq!(memory.get(99, "a"), Some(&1));
        assert_eq!(memory.get(100, "a"), None);
        memory.insert(60, "c", 3);
        assert_eq!((memory.get(61, "a"), memory.get(61, "b"), memory.get(61, "c")), (None, Some(&2), Some(&3)));
    }

    #[test]
    fn a_key_inserted_again_lives_by_its_last_time() {
        let mut memory = Memory::new(10, 100);
        memory.insert(0, "a", 1);
        memory.insert(90, "a", 2);
        memory.insert(150, "b", 3);
        assert_eq!(memory.get(150, "a"), Some(&2));
        assert_eq!(memory.since(100).count(), 1);
    }
}
