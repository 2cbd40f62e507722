//! Messages without their confirmations, and confirmations without their messages.

use std::time::Instant;

use super::{Rejection, TwoPhaseConfig, rejection};
use crate::chain::held::{Done, Key, Room, Waiting, cost, detached};
use crate::wire::{MemberId, Message};

/// One half of a message.
#[derive(Debug)]
enum Half {
    Message(Box<Message>),
    Confirmation,
}

impl Half {
    /// How many messages it is.
    fn messages(&self) -> usize {
        usize::from(matches!(self, Half::Message(_)))
    }
}

/// Differs from Tomcat: messages are found by sender and id, where it looks at the id alone; a confirmation that comes
/// first waits for its message, where the message is lost; number and bytes are bounded; what a member left behind goes
/// when it leaves; who confirms what is held no more hears that it failed.
/// Tests: two_senders_can_use_one_id, a_confirmation_that_comes_first_is_kept_for_its_message,
/// more_messages_than_allowed_are_rejected, more_bytes_than_allowed_are_rejected,
/// what_a_sender_did_not_confirm_is_forgotten_when_it_left, a_confirmation_of_what_was_given_up_fails.
#[derive(Debug)]
pub(super) struct Store {
    config: TwoPhaseConfig,
    waiting: Waiting<Half>,
    messages: usize,
    done: Done,
    /// Messages that were held, and so acknowledged, and are no more.
    given_up: Done,
    delivered: u64,
    expired: u64,
    left: u64,
}

impl Store {
    pub(super) fn new(config: TwoPhaseConfig) -> Store {
        Store {
            waiting: Waiting::new(config.expire),
            messages: 0,
            done: Done::new(config.expire),
            given_up: Done::new(config.expire),
            config,
            delivered: 0,
            expired: 0,
            left: 0,
        }
    }

    /// A message came. It, if it was confirmed before.
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        message: &Message,
        room: Room,
    ) -> Result<Option<Message>, Rejection> {
        self.expire(now);
        let key = Key::of(message);
        if self.done.contains(&key) {
            return Ok(None); // a copy: it was there, and that is all its acknowledgement says
        }
        // As Tomcat: what comes twice replaces itself.
        let replaced = match self.waiting.get(&key) {
            Some(Half::Confirmation) => {
                self.take(&key);
                self.delivered(now, &key);
                return Ok(Some(message.clone()));
            }
            Some(Half::Message(before)) => cost(before),
            None if !room.allows_another(self.messages, self.config.messages_max) => {
                return Err(rejection("too_many_messages"));
            }
            None => 0,
        };
        let cost = cost(message);
        if !room.allows_bytes(self.waiting.bytes() - replaced + cost, self.config.held_bytes_max) {
            return Err(rejection("memory_full"));
        }
        self.take(&key);
        self.put(now, key, Half::Message(Box::new(detached(message))), cost);
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
        match self.take(&key) {
            Some(Half::Message(message)) => {
                self.delivered(now, &key);
                Ok(Some(*message))
            }
            None if self.given_up.contains(&key) => Err(rejection("given_up")),
            None | Some(Half::Confirmation) => {
                if self.waiting.len() - self.messages >= self.config.messages_max {
                    self.forget_oldest_confirmation();
                }
                self.put(now, key.clone(), Half::Confirmation, 0);
                Ok(None)
            }
        }
    }

    fn delivered(&mut self, now: Instant, key: &Key) {
        self.delivered += 1;
        self.done.insert(now, key.clone());
    }

    fn forget_oldest_confirmation(&mut self) {
        if let Some(key) = self.waiting.oldest(|half| matches!(half, Half::Confirmation)) {
            self.take(&key);
        }
    }

    fn put(&mut self, now: Instant, key: Key, half: Half, cost: usize) {
        self.messages += half.messages();
        self.waiting.put(now, key, half, cost);
    }

    fn take(&mut self, key: &Key) -> Option<Half> {
        let half = self.waiting.take(key)?;
        self.messages -= half.messages();
        Some(half)
    }

    /// What waits costs so many bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.waiting.bytes()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.deadline()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        self.done.expire(now);
        self.given_up.expire(now);
        while let Some((key, half)) = self.waiting.expired(now) {
            self.messages -= half.messages();
            self.give_up(now, key, &half);
            self.expired += 1;
        }
    }

    /// Nobody will confirm what `sender` sent.
    pub(super) fn left(&mut self, now: Instant, sender: &MemberId) {
        for key in self.waiting.of(sender) {
            if let Some(half) = self.take(&key) {
                self.give_up(now, key, &half);
            }
            self.left += 1;
        }
    }

    /// Its sender, if it is still there, has its acknowledgement and may confirm it.
    fn give_up(&mut self, now: Instant, key: Key, half: &Half) {
        if matches!(half, Half::Message(_)) {
            self.given_up.insert(now, key);
        }
    }

    pub(super) fn counters(&self) -> [(&'static str, u64); 3] {
        [("delivered", self.delivered), ("expired", self.expired), ("left", self.left)]
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        self.waiting.counted()
    }
}
