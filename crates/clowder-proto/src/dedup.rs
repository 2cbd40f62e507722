//! Recognises a message that came before, by its sender and its id.
//!
//! A sender that did not see the acknowledgement sends the same message again, with the same id. [`Dedup`] remembers
//! for a while, with a ticket of the caller: what to look at to learn how the first one ended.
//!
//! What it does not do: it does not decide what a repeated message is answered with, and it does not look at bodies.
//!
//! Invariant: a message is forgotten only when it failed, when its time is over, or when more than
//! [`DedupConfig::messages_max`] newer ones came from the same sender.
//!
//! Differs from Tomcat: it delivers every copy.
//! Test: a_message_is_new_once_and_then_known_by_the_ticket_of_its_first_arrival.

use std::collections::{HashMap, VecDeque, hash_map::Entry};
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use crate::Now;
use crate::secret_hash::Secret;
use crate::wire::{MemberId, Message, MessageId};

/// How much is remembered, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupConfig {
    /// How long a message is remembered. Default 1 minute.
    pub remember: Duration,
    /// Messages remembered of one sender; the oldest is forgotten first. Default 8,192, many times what a sender has
    /// in flight.
    pub messages_max: usize,
    /// Senders remembered; the one that was silent longest is forgotten first. Default 1,024.
    pub senders_max: usize,
}

impl Default for DedupConfig {
    fn default() -> Self {
        DedupConfig { remember: Duration::from_secs(60), messages_max: 8_192, senders_max: 1_024 }
    }
}

/// So many bytes of a body's end tell the pieces of one message apart.
const IDENTITY_BYTES: usize = 32;

/// Ids of 1 to 16 bytes, as one number and a length. Longer ones are not remembered: nobody writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    bytes: u128,
    length: u8,
}

impl Key {
    fn new(id: &MessageId) -> Option<Key> {
        let mut bytes = [0; 16];
        bytes.get_mut(..id.0.len())?.copy_from_slice(&id.0);
        let length = u8::try_from(id.0.len()).ok().filter(|length| *length > 0)?;
        Some(Key { bytes: u128::from_le_bytes(bytes), length })
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.bytes);
    }
}

#[derive(Debug)]
struct Sender<T> {
    seen: HashMap<Key, T, Secret>,
    /// In the order of arrival; an entry whose message failed is no longer in `seen`.
    order: VecDeque<(Key, Instant)>,
    latest: Instant,
}

impl<T: Clone> Sender<T> {
    fn arrived(&mut self, config: &DedupConfig, now: Instant, key: Key, ticket: T) -> Option<T> {
        self.latest = now;
        while let Some((_, at)) = self.order.front() {
            if now.saturating_duration_since(*at) < config.remember {
                break;
            }
            self.forget_oldest();
        }
        if self.order.len() >= config.messages_max.max(1) {
            self.forget_oldest();
        }
        match self.seen.entry(key) {
            Entry::Occupied(seen) => Some(seen.get().clone()),
            Entry::Vacant(vacant) => {
                vacant.insert(ticket);
                self.order.push_back((key, now));
                None
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.seen.remove(&key);
        }
    }
}

/// The memory of recent messages. See the [module](self).
#[derive(Debug)]
pub struct Dedup<T> {
    config: DedupConfig,
    secret: Secret,
    senders: HashMap<MemberId, Sender<T>, Secret>,
}

impl<T: Clone> Dedup<T> {
    /// An empty memory. `secret` is random and stays within this process.
    pub fn new(config: DedupConfig, secret: u64) -> Self {
        Dedup { config, secret: Secret(secret), senders: HashMap::with_hasher(Secret(secret)) }
    }

    /// A message came. `None`: it is new, and remembered with `ticket`. `Some`: it came before, with that ticket.
    pub fn arrived(&mut self, now: Now, sender: &MemberId, id: &MessageId, ticket: T) -> Option<T> {
        let key = Key::new(id)?;
        let config = &self.config;
        if let Some(known) = self.senders.get_mut(sender) {
            return known.arrived(config, now.mono, key, ticket);
        }
        self.make_room();
        let mut fresh = Sender { seen: HashMap::with_hasher(self.secret), order: VecDeque::new(), latest: now.mono };
        fresh.arrived(&self.config, now.mono, key, ticket);
        self.senders.insert(sender.clone(), fresh);
        None
    }

    /// What tells a copy of one of several messages with one id, as the pieces of a fragmented message are: they differ
    /// at the end of their bodies, in their number or in what encryption made of it.
    pub fn id_of_piece(&self, message: &Message) -> MessageId {
        let end = &message.body[message.body.len().saturating_sub(IDENTITY_BYTES)..];
        let mut id = [0; 16];
        for (half, seed) in id.chunks_exact_mut(8).zip([0, 0x9e37_79b9_7f4a_7c15]) {
            let mut hasher = Secret(self.secret.0 ^ seed).build_hasher();
            hasher.write(&message.id.0);
            hasher.write(&message.body.len().to_le_bytes());
            hasher.write(end);
            half.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        MessageId(id.into())
    }

    /// The message was not processed: its sender may try again.
    pub fn failed(&mut self, sender: &MemberId, id: &MessageId) {
        let Some(sender) = self.senders.get_mut(sender) else { return };
        let Some(key) = Key::new(id) else { return };
        if sender.seen.remove(&key).is_some() {
            // Its second arrival is younger; the entry must not take that one along when it gets old.
            sender.order.retain(|(other, _)| *other != key);
        }
    }

    /// Nothing came from any sender for as long as messages are remembered: give the memory back.
    pub fn expire(&mut self, now: Now) {
        let remember = self.config.remember;
        self.senders.retain(|_, sender| now.mono.saturating_duration_since(sender.latest) < remember);
    }

    /// Messages remembered, of all senders.
    pub fn len(&self) -> usize {
        self.senders.values().map(|sender| sender.seen.len()).sum()
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forget the sender that was silent longest if the table is full.
    fn make_room(&mut self) {
        if self.senders.len() < self.config.senders_max.max(1) {
            return;
        }
        let silent = self.senders.iter().min_by_key(|(_, sender)| sender.latest).map(|(id, _)| id.clone());
        if let Some(silent) = silent {
            self.senders.remove(&silent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::SystemTime;

    use bytes::Bytes;

    use super::*;
    use crate::wire::Member;

    fn sender(unique: u8) -> MemberId {
        Member::new(SocketAddr::from(([127, 0, 0, 1], 4000)), [unique; 16]).id
    }

    fn id(n: u32) -> MessageId {
        let mut bytes = [7; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        MessageId(bytes.into())
    }

    fn start(config: DedupConfig) -> (Dedup<u32>, Now) {
        (Dedup::new(config, 0x5eed), Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH })
    }

    #[test]
    fn a_message_is_new_once_and_then_known_by_the_ticket_of_its_first_arrival() {
        let (mut dedup, now) = start(DedupConfig::default());
        assert_eq!(dedup.arrived(now, &sender(1), &id(1), 10), None);
        assert_eq!(dedup.arrived(now, &sender(1), &id(1), 11), Some(10));
        assert_eq!(dedup.arrived(now, &sender(1), &id(1), 12), Some(10));
        assert_eq!(dedup.arrived(now, &sender(1), &id(2), 13), None);
    }

    #[test]
    fn the_same_id_of_another_sender_is_another_message() {
        let (mut dedup, now) = start(DedupConfig::default());
        assert_eq!(dedup.arrived(now, &sender(1), &id(1), 10), None);
        assert_eq!(dedup.arrived(now, &sender(2), &id(1), 11), None);
    }

    #[test]
    fn a_failed_message_is_let_through_and_remembered_anew() {
        let (mut dedup, now) = start(DedupConfig::default());
        dedup.arrived(now, &sender(1), &id(1), 10);
        dedup.failed(&sender(1), &id(1));
        let later = now.later(Duration::from_secs(50));
        assert_eq!(dedup.arrived(later, &sender(1), &id(1), 11), None);
        let much_later = now.later(Duration::from_secs(70));
        assert_eq!(dedup.arrived(much_later, &sender(1), &id(1), 12), Some(11), "20 s after its second arrival");
    }

    #[test]
    fn a_message_is_forgotten_after_its_time() {
        let (mut dedup, now) = start(DedupConfig::default());
        dedup.arrived(now, &sender(1), &id(1), 10);
        assert_eq!(dedup.arrived(now.later(Duration::from_millis(59_999)), &sender(1), &id(1), 11), Some(10));
        assert_eq!(dedup.arrived(now.later(Duration::from_secs(60)), &sender(1), &id(1), 12), None);
    }

    #[test]
    fn the_oldest_message_of_a_sender_goes_when_there_are_too_many() {
        let (mut dedup, now) = start(DedupConfig { messages_max: 3, ..DedupConfig::default() });
        for n in 0..4 {
            assert_eq!(dedup.arrived(now, &sender(1), &id(n), n), None);
        }
        assert_eq!(dedup.len(), 3);
        assert_eq!(dedup.arrived(now, &sender(1), &id(3), 9), Some(3));
        assert_eq!(dedup.arrived(now, &sender(1), &id(0), 9), None);
    }

    #[test]
    fn the_most_silent_sender_goes_when_there_are_too_many() {
        let (mut dedup, now) = start(DedupConfig { senders_max: 2, ..DedupConfig::default() });
        let at = |ms| now.later(Duration::from_millis(ms));
        dedup.arrived(at(0), &sender(1), &id(1), 1);
        dedup.arrived(at(1), &sender(2), &id(1), 2);
        dedup.arrived(at(2), &sender(1), &id(2), 3);
        dedup.arrived(at(3), &sender(3), &id(1), 4);
        assert_eq!(dedup.arrived(at(4), &sender(1), &id(1), 5), Some(1));
        assert_eq!(dedup.arrived(at(5), &sender(2), &id(1), 6), None);
    }

    #[test]
    fn senders_that_fell_silent_are_given_back() {
        let (mut dedup, now) = start(DedupConfig::default());
        dedup.arrived(now, &sender(1), &id(1), 1);
        dedup.arrived(now.later(Duration::from_secs(30)), &sender(2), &id(1), 1);
        dedup.expire(now.later(Duration::from_secs(61)));
        assert_eq!(dedup.len(), 1);
        dedup.expire(now.later(Duration::from_secs(91)));
        assert!(dedup.is_empty());
    }

    #[test]
    fn ids_that_cannot_be_told_apart_are_never_taken_for_copies() {
        let (mut dedup, now) = start(DedupConfig::default());
        for length in [0, 17, 64] {
            let id = MessageId(Bytes::from(vec![1; length]).into());
            assert_eq!(dedup.arrived(now, &sender(1), &id, 1), None);
            assert_eq!(dedup.arrived(now, &sender(1), &id, 2), None);
        }
        let (short, long) = (MessageId([1].into()), MessageId([1, 0].into()));
        assert_eq!(dedup.arrived(now, &sender(1), &short, 1), None);
        assert_eq!(dedup.arrived(now, &sender(1), &long, 2), None);
        assert_eq!(dedup.arrived(now, &sender(1), &short, 3), Some(1));
    }
}
