//! Messages without their confirmations, and confirmations without their messages.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use super::{Rejection, TwoPhaseConfig, rejection};
use crate::chain::held::{Done, Key, cost, detached};
use crate::wire::{MemberId, Message};

/// One half of a message.
#[derive(Debug)]
enum Half {
    Message(Box<Message>),
    Confirmation,
}

#[derive(Debug)]
struct Waiting {
    half: Half,
    since: Instant,
    cost: usize,
    /// Its place in [`Store::ages`].
    age: u64,
}

/// Differs from Tomcat: messages are found by sender and id, where it looks at the id alone; a confirmation that comes
/// first waits for its message, where the message is lost; number and bytes are bounded; what a member left behind goes
/// when it leaves.
/// Tests: two_senders_can_use_one_id, a_confirmation_that_comes_first_is_kept_for_its_message,
/// more_messages_than_allowed_are_rejected, more_bytes_than_allowed_are_rejected,
/// what_a_sender_did_not_confirm_is_forgotten_when_it_left.
#[derive(Debug)]
pub(super) struct Store {
    config: TwoPhaseConfig,
    waiting: HashMap<Key, Waiting>,
    /// The oldest first.
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    messages: usize,
    held_bytes: usize,
    done: Done,
    delivered: u64,
    expired: u64,
    left: u64,
}

impl Store {
    pub(super) fn new(config: TwoPhaseConfig) -> Store {
        Store {
            waiting: HashMap::new(),
            ages: BTreeMap::new(),
            next_age: 0,
            messages: 0,
            held_bytes: 0,
            done: Done::new(config.expire),
            config,
            delivered: 0,
            expired: 0,
            left: 0,
        }
    }

    /// A message came. It, if it was confirmed before.
    pub(super) fn arrived(&mut self, now: Instant, message: Message) -> Result<Option<Message>, Rejection> {
        self.expire(now);
        let key = Key::of(&message);
        if self.done.contains(&key) {
            return Ok(None); // a copy: it was there, and that is all its acknowledgement says
        }
        let known = self.waiting.get(&key);
        if known.is_some_and(|waiting| matches!(waiting.half, Half::Confirmation)) {
            self.take(&key);
            self.delivered(now, &key);
            return Ok(Some(message));
        }
        // As Tomcat: what comes twice replaces itself.
        let replaced = known.map_or(0, |waiting| waiting.cost);
        if known.is_none() && self.messages >= self.config.messages_max {
            return Err(rejection("too_many_messages"));
        }
        let cost = cost(&message);
        if self.held_bytes - replaced + cost > self.config.held_bytes_max {
            return Err(rejection("memory_full"));
        }
        self.take(&key);
        let message = Box::new(detached(&message));
        self.put(now, Key::of(&message), Half::Message(message), cost);
        Ok(None)
    }

    /// A confirmation came. Its message, if that is here.
    ///
    /// Differs from Tomcat: a second one is answered with a failure, as the first one's outcome is not known any more;
    /// there everything unknown is fine. Test: a_second_confirmation_delivers_nothing_and_says_so.
    pub(super) fn confirmed(&mut self, now: Instant, key: Key) -> Result<Option<Message>, Rejection> {
        self.expire(now);
        if self.done.contains(&key) {
            return Err(rejection("confirmed_before"));
        }
        match self.take(&key).map(|waiting| waiting.half) {
            Some(Half::Message(message)) => {
                self.delivered(now, &key);
                Ok(Some(*message))
            }
            None | Some(Half::Confirmation) => {
                if self.waiting.len() - self.messages >= self.config.messages_max {
                    self.forget_oldest_confirmation();
                }
                self.put(now, key.detached(), Half::Confirmation, 0);
                Ok(None)
            }
        }
    }

    fn delivered(&mut self, now: Instant, key: &Key) {
        self.delivered += 1;
        self.done.insert(now, key.detached());
    }

    fn forget_oldest_confirmation(&mut self) {
        let confirmation =
            |key: &&Key| self.waiting.get(*key).is_some_and(|waiting| matches!(waiting.half, Half::Confirmation));
        if let Some(key) = self.ages.values().find(confirmation).cloned() {
            self.take(&key);
        }
    }

    fn put(&mut self, now: Instant, key: Key, half: Half, cost: usize) {
        let age = self.next_age;
        self.next_age += 1;
        self.ages.insert(age, key.clone());
        self.messages += usize::from(matches!(half, Half::Message(_)));
        self.held_bytes += cost;
        self.waiting.insert(key, Waiting { half, since: now, cost, age });
    }

    fn take(&mut self, key: &Key) -> Option<Waiting> {
        let waiting = self.waiting.remove(key)?;
        self.ages.remove(&waiting.age);
        self.messages -= usize::from(matches!(waiting.half, Half::Message(_)));
        self.held_bytes -= waiting.cost;
        Some(waiting)
    }

    fn oldest(&self) -> Option<(&Key, Instant)> {
        let (_, key) = self.ages.first_key_value()?;
        Some((key, self.waiting.get(key)?.since))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.oldest().and_then(|(_, since)| since.checked_add(self.config.expire))
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.done.expire(now);
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            let Some(key) = self.oldest().map(|(key, _)| key.clone()) else { return };
            self.take(&key);
            self.expired += 1;
        }
    }

    /// Nobody will confirm what `sender` sent.
    pub(super) fn left(&mut self, sender: &MemberId) {
        let keys: Vec<Key> = self.waiting.keys().filter(|key| key.sender == *sender).cloned().collect();
        for key in keys {
            self.take(&key);
            self.left += 1;
        }
    }

    pub(super) fn counters(&self) -> [(&'static str, u64); 3] {
        [("delivered", self.delivered), ("expired", self.expired), ("left", self.left)]
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let bytes = self.waiting.values().map(|waiting| waiting.cost).sum();
        assert_eq!((self.held_bytes, self.ages.len()), (bytes, self.waiting.len()));
        (self.waiting.len(), bytes)
    }
}
