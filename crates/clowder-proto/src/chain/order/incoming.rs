//! The senders that are known, and when something of them is due.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use hashbrown::HashMap;

use super::sender::{Numbers, Tally};
use super::{OrderConfig, rejection};
use crate::chain::held::{Room, cost, lock};
use crate::chain::{Arrival, Flush, Rejection};
use crate::wire::{MemberId, MessageId};

/// One sender. Its lock is never held while a message is passed on.
#[derive(Debug)]
pub(super) struct Sender {
    id: MemberId,
    numbers: Mutex<Numbers>,
}

impl Sender {
    #[cfg(test)]
    pub(super) fn numbers(&self) -> &Mutex<Numbers> {
        &self.numbers
    }
}

/// What one input gives out, in order.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) out: Vec<Arrival>,
    pub(super) tally: Tally,
    /// The message that came is a copy of one that was delivered.
    pub(super) delivered_before: bool,
}

/// All senders.
///
/// Invariant: a sender of which something waits is not forgotten, and stands in `due`.
#[derive(Debug)]
pub(super) struct Incoming {
    config: OrderConfig,
    senders: RwLock<HashMap<MemberId, Arc<Sender>>>,
    /// When something that waits is to be given out.
    due: Mutex<HashMap<MemberId, Instant>>,
    held_bytes: AtomicUsize,
}

impl Incoming {
    pub(super) fn new(config: OrderConfig) -> Incoming {
        Incoming { config, senders: RwLock::default(), due: Mutex::default(), held_bytes: AtomicUsize::new(0) }
    }

    /// It is the number that is expected of a known sender of which nothing waits: the fast way.
    pub(super) fn takes_next(&self, now: Instant, sender: &MemberId, number: i32, id: &MessageId) -> bool {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        senders.get(sender).is_some_and(|sender| lock(&sender.numbers).takes_next(now, number, id))
    }

    /// The numbers of a sender, from 1 on if it is not known.
    pub(super) fn sender(&self, now: Instant, id: &MemberId) -> Result<Arc<Sender>, Rejection> {
        if let Some(sender) = self.known(id) {
            return Ok(sender);
        }
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = senders.get(id) {
            return Ok(sender.clone());
        }
        if senders.len() >= self.config.members_max.max(1) {
            // A count of one: no message of it is being handled.
            let idle = senders.iter().filter(|(_, sender)| Arc::strong_count(sender) == 1);
            let idle = idle.filter_map(|(id, sender)| Some((lock(&sender.numbers).idle_since()?, id)));
            let silent = idle.min_by_key(|(since, _)| *since).map(|(_, id)| id.clone());
            senders.remove(&silent.ok_or(rejection("too_many_senders"))?);
        }
        let sender = Sender { id: id.clone(), numbers: Mutex::new(Numbers::new(now)) };
        let sender = Arc::new(sender);
        senders.insert(sender.id.clone(), sender.clone());
        Ok(sender)
    }

    fn known(&self, id: &MemberId) -> Option<Arc<Sender>> {
        self.senders.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// A message that is not the next one, or that others wait for.
    pub(super) fn accept(
        &self,
        now: Instant,
        sender: &Sender,
        number: i32,
        arrival: Arrival,
        room: Room,
    ) -> Result<Given, Rejection> {
        let mut given = Given::default();
        let mut numbers = lock(&sender.numbers);
        let accounted = numbers.held_bytes() + cost(&arrival.message);
        let held = self.held_bytes.fetch_add(cost(&arrival.message), Relaxed) + cost(&arrival.message);
        let has_room = room.allows_bytes(held, self.config.held_bytes_max);
        let overflows = !has_room && numbers.would_hold(now, number, &arrival.message.id);
        if overflows && !numbers.is_starved(now, self.config.expire) {
            self.held_bytes.fetch_sub(cost(&arrival.message), Relaxed);
            return Err(rejection("memory_full"));
        }
        numbers.accept(now, number, arrival, &mut given);
        if overflows {
            numbers.feed(now, &mut given);
        }
        numbers.give_up(now, &self.config, &mut given);
        self.settle(accounted, sender, &numbers);
        Ok(given)
    }

    pub(super) fn flush(&self, now: Instant, id: &MemberId, why: Flush) -> Option<Given> {
        let sender = self.known(id)?;
        let mut given = Given::default();
        let mut numbers = lock(&sender.numbers);
        let before = numbers.held_bytes();
        match why {
            Flush::Overdue => numbers.give_up(now, &self.config, &mut given),
            Flush::Left => numbers.left(now, &mut given),
        }
        self.settle(before, &sender, &numbers);
        Some(given)
    }

    /// Account for what is not held any more, and say when the rest is due.
    fn settle(&self, accounted: usize, sender: &Sender, numbers: &Numbers) {
        self.held_bytes.fetch_sub(accounted - numbers.held_bytes(), Relaxed);
        let mut due = lock(&self.due);
        match numbers.oldest().and_then(|oldest| oldest.checked_add(self.config.expire)) {
            Some(at) => due.insert(sender.id.clone(), at),
            None => due.remove(&sender.id),
        };
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes.load(Relaxed)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        lock(&self.due).values().min().copied()
    }

    pub(super) fn overdue(&self, now: Instant, senders: &mut Vec<MemberId>) {
        senders.extend(lock(&self.due).iter().filter(|(_, due)| **due <= now).map(|(id, _)| id.clone()));
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let senders = self.senders.read().unwrap();
        let bytes = senders.values().map(|sender| lock(&sender.numbers).held_bytes()).sum();
        assert_eq!(self.held_bytes.load(Relaxed), bytes);
        (senders.len(), bytes)
    }
}
