//! What layers hold of received messages: copies that keep nothing else alive, counted, and found by sender and id.
//!
//! Received messages are slices of a receive buffer, which may be many times larger than the message. What is held for
//! longer than a call is therefore copied, so that a bound on its bytes is a bound on memory.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::{Above, Arrival};
use crate::wire::{Member, MemberId, Message, MessageId};

/// What one held message costs besides its bytes: entries of tables, the message itself.
const OVERHEAD: usize = 512;

/// One message of one sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) sender: MemberId,
    pub(super) id: MessageId,
}

impl Key {
    pub(super) fn of(message: &Message) -> Key {
        Key { sender: message.from.id.clone(), id: message.id.clone() }
    }
}

/// A copy that keeps no receive buffer: all of it in one allocation.
pub(super) fn detached(message: &Message) -> Message {
    let from = &message.from;
    let fields = [&from.command, &from.domain, &from.payload, &from.extension, &message.body];
    let mut all = BytesMut::with_capacity(fields.iter().map(|field| field.len()).sum());
    fields.iter().for_each(|field| all.extend_from_slice(field));
    let mut all = all.freeze();
    let [command, domain, payload, extension, body] = fields.map(|field| all.split_to(field.len()));
    let from = Member {
        id: from.id.clone(),
        command,
        domain,
        payload,
        extension,
        alive: from.alive,
        secure_port: from.secure_port,
        udp_port: from.udp_port,
    };
    Message { id: message.id.clone(), from, body, options: message.options, timestamp: message.timestamp }
}

/// What a message costs while it is held.
pub(super) fn cost(message: &Message) -> usize {
    OVERHEAD + message.encoded_len()
}

/// Room that a layer keeps for messages which a lower layer held, as a multiple of its bound: more than there are layers
/// that hold messages. It is used up only if gzip inflates what comes from below.
const RESERVE: usize = 4;

/// The room for one received message.
///
/// A message that a lower layer held was acknowledged then, and must not be lost for want of room above. So a layer
/// holds a message from the wire only if all that it holds would have room in the layers above it too, and takes what a
/// lower layer held.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// What the layers above hold.
    above: usize,
    was_held: bool,
}

impl Room {
    pub(super) fn of(arrival: &Arrival, above: &Above<'_>) -> Room {
        Room { above: above.held_bytes(), was_held: !arrival.answers }
    }

    /// The layer may hold so many bytes.
    pub(super) fn allows_bytes(self, bytes: usize, bytes_max: usize) -> bool {
        if self.was_held {
            bytes <= bytes_max.saturating_mul(RESERVE)
        } else {
            bytes.saturating_add(self.above) <= bytes_max
        }
    }

    /// The layer may hold one more than `count` messages. Those that were held have their bound in bytes.
    pub(super) fn allows_another(self, count: usize, count_max: usize) -> bool {
        self.was_held || count < count_max
    }
}

/// A lock that a panic elsewhere poisoned is taken all the same.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What waits for the rest of its message, the oldest first, with what all of it costs.
#[derive(Debug)]
pub(super) struct Waiting<V> {
    entries: HashMap<Key, Entry<V>>,
    /// The oldest first.
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    bytes: usize,
    expire: Duration,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    cost: usize,
    since: Instant,
    /// Its place in [`Waiting::ages`].
    age: u64,
}

impl<V> Waiting<V> {
    /// Everything waits for `expire`.
    pub(super) fn new(expire: Duration) -> Waiting<V> {
        Waiting { entries: HashMap::new(), ages: BTreeMap::new(), next_age: 0, bytes: 0, expire }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What all of it costs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn get(&self, key: &Key) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Change what waits and return what comes of that; `cost` is looked at afterwards.
    pub(super) fn change<T>(
        &mut self,
        key: &Key,
        cost: impl Fn(&V) -> usize,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let entry = self.entries.get_mut(key)?;
        let result = change(&mut entry.value);
        self.bytes -= entry.cost;
        entry.cost = cost(&entry.value);
        self.bytes += entry.cost;
        Some(result)
    }

    /// Begin to wait; nothing does under this key.
    pub(super) fn put(&mut self, now: Instant, key: Key, value: V, cost: usize) {
        let age = self.next_age;
        self.next_age += 1;
        self.ages.insert(age, key.clone());
        self.bytes += cost;
        let replaced = self.entries.insert(key, Entry { value, cost, since: now, age });
        debug_assert!(replaced.is_none(), "what is replaced is taken out first");
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.ages.remove(&entry.age);
        self.bytes -= entry.cost;
        Some(entry.value)
    }

    /// The first of which that is so.
    pub(super) fn oldest(&self, is_it: impl Fn(&V) -> bool) -> Option<Key> {
        self.ages.values().find(|key| self.get(key).is_some_and(&is_it)).cloned()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, key) = self.ages.first_key_value()?;
        self.entries.get(key)?.since.checked_add(self.expire)
    }

    /// The oldest, if its time is over.
    pub(super) fn expired(&mut self, now: Instant) -> Option<(Key, V)> {
        if self.deadline()? > now {
            return None;
        }
        let key = self.oldest(|_| true)?;
        let value = self.take(&key)?;
        Some((key, value))
    }

    /// What waits of a sender.
    pub(super) fn of(&self, sender: &MemberId) -> Vec<Key> {
        self.entries.keys().filter(|key| key.sender == *sender).cloned().collect()
    }

    /// How many there are and what they cost, counted anew.
    #[cfg(test)]
    pub(super) fn counted(&self) -> (usize, usize) {
        let bytes = self.entries.values().map(|entry| entry.cost).sum();
        assert_eq!((self.bytes, self.ages.len()), (bytes, self.entries.len()));
        (self.entries.len(), bytes)
    }
}

/// Messages that are done with, remembered for a while so that what comes late of them is known for what it is.
#[derive(Debug)]
pub(super) struct Done {
    keys: HashSet<Key>,
    order: VecDeque<(Instant, Key)>,
    remember: Duration,
}

/// Messages remembered; the oldest is forgotten first.
const DONE_MAX: usize = 8_192;

impl Done {
    pub(super) fn new(remember: Duration) -> Done {
        Done { keys: HashSet::new(), order: VecDeque::new(), remember }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn insert(&mut self, now: Instant, key: Key) {
        if self.order.len() >= DONE_MAX {
            self.forget_oldest();
        }
        if self.keys.insert(key.clone()) {
            self.order.push_back((now, key));
        }
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.forget_oldest();
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.front().and_then(|(since, _)| since.checked_add(self.remember))
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.keys.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(body: &'static [u8]) -> Message {
        let mut from = Member::new(([10, 0, 0, 1], 4000).into(), [3; 16]);
        (from.domain, from.payload) = (Bytes::from_static(b"domain"), Bytes::from_static(b"payload"));
        (from.command, from.extension) = (Bytes::from_static(b"command"), Bytes::from_static(b"extension"));
        (from.alive, from.secure_port, from.udp_port) = (1, 2, 3);
        let id = MessageId([7; 16].into());
        Message { options: 5, timestamp: 6, id, from, body: Bytes::from_static(body) }
    }

    #[test]
    fn a_held_copy_is_the_same_message_and_keeps_no_foreign_buffer() {
        let mut frame = BytesMut::new();
        message(b"body").encode_into(&mut frame);
        let frame = frame.freeze();
        let received = Message::decode(&frame, &Default::default()).unwrap();
        let copy = detached(&received);
        let encoded = |message: &Message| message.encode_frame();
        assert_eq!(encoded(&copy), encoded(&received));
        let key = Key::of(&received);
        drop(received);
        assert!(frame.is_unique(), "something still points into the received bytes");
        assert_eq!(key, Key::of(&copy));
        assert_eq!(copy.body, &b"body"[..]);
    }

    #[test]
    fn what_is_done_is_remembered_for_a_while_and_the_oldest_goes_first() {
        let start = Instant::now();
        let mut done = Done::new(Duration::from_secs(60));
        let key = |n: u32| Key { id: MessageId(n.to_be_bytes().into()), ..Key::of(&message(b"")) };
        done.insert(start, key(0));
        done.insert(start + Duration::from_secs(1), key(1));
        done.expire(start + Duration::from_secs(60));
        assert_eq!([0, 1].map(|n| done.contains(&key(n))), [false, true]);
        for n in 2..=u32::try_from(DONE_MAX).unwrap() + 1 {
            done.insert(start + Duration::from_secs(2), key(n));
        }
        assert_eq!([1, 2].map(|n| done.contains(&key(n))), [false, true]);
        assert_eq!((done.keys.len(), done.order.len()), (DONE_MAX, DONE_MAX));
    }
}
