//! The numbers given to outgoing messages: one counter for each member sent to.

use std::sync::Mutex;
use std::time::Instant;

use hashbrown::HashMap;

use crate::chain::held::lock;
use crate::wire::MemberId;

#[derive(Debug)]
struct Counter {
    /// The last number given; the first is 1.
    last: i32,
    used: Instant,
}

#[derive(Debug)]
pub(super) struct Outgoing {
    counters: Mutex<HashMap<MemberId, Counter>>,
    members_max: usize,
}

impl Outgoing {
    pub(super) fn new(members_max: usize) -> Outgoing {
        Outgoing { counters: Mutex::default(), members_max: members_max.max(1) }
    }

    /// The next number for each of `targets`.
    pub(super) fn next(&self, now: Instant, targets: &[MemberId]) -> Vec<i32> {
        let mut counters = lock(&self.counters);
        targets.iter().map(|target| self.count(&mut counters, now, target)).collect()
    }

    /// The next number for one target.
    pub(super) fn next_of(&self, now: Instant, target: &MemberId) -> i32 {
        self.count(&mut lock(&self.counters), now, target)
    }

    fn count(&self, counters: &mut HashMap<MemberId, Counter>, now: Instant, target: &MemberId) -> i32 {
        if let Some(counter) = counters.get_mut(target) {
            // Behind the greatest number comes the least, as in Tomcat.
            counter.last = counter.last.wrapping_add(1);
            counter.used = now;
            return counter.last;
        }
        if counters.len() >= self.members_max {
            let silent = counters.iter().min_by_key(|(_, counter)| counter.used).map(|(id, _)| id.clone());
            silent.and_then(|silent| counters.remove(&silent));
        }
        counters.insert(target.clone(), Counter { last: 1, used: now });
        1
    }

    /// The numbers were not used. Those behind which others were given already stay unused.
    pub(super) fn take_back(&self, targets: &[MemberId], numbers: &[i32]) {
        let mut counters = lock(&self.counters);
        for (target, number) in targets.iter().zip(numbers) {
            if let Some(counter) = counters.get_mut(target)
                && counter.last == *number
            {
                counter.last = number.wrapping_sub(1);
            }
        }
    }

    pub(super) fn forget(&self, target: &MemberId) {
        lock(&self.counters).remove(target);
    }

    #[cfg(test)]
    pub(super) fn set(&self, target: &MemberId, last: i32) {
        if let Some(counter) = lock(&self.counters).get_mut(target) {
            counter.last = last;
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.counters).len()
    }
}
