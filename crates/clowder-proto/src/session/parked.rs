//! Messages that came before the session they are about.
//!
//! A delta can overtake the creation or the state that carries its session. Tomcat drops it; here it waits.

use std::collections::{HashMap, VecDeque};

use super::wire::Delta;
use super::{JavaStr, SessionLimits, Sessions, Stamp, millis};
use crate::Now;
use crate::wire::{Member, MemberId};

#[derive(Debug)]
pub(super) struct ParkedMessage {
    pub(super) from: Member,
    /// Time stamp of the message, by its sender's clock.
    pub(super) time: i64,
    pub(super) bytes: usize,
    pub(super) what: ParkedWhat,
}

#[derive(Debug)]
pub(super) enum ParkedWhat {
    Access,
    Delta { delta: Delta, stamps: Option<Vec<Stamp>> },
    NewId { new: JavaStr, stamp: Stamp },
}

/// The waiting messages, bounded in number, bytes and time.
#[derive(Debug)]
pub(super) struct Parked {
    sessions: HashMap<JavaStr, VecDeque<ParkedMessage>>,
    /// Arrivals, the oldest first; an entry whose message is gone is passed over.
    arrivals: VecDeque<(u64, JavaStr)>,
    len: usize,
    bytes: usize,
    len_max: usize,
    bytes_max: usize,
    keep: u64,
}

impl Parked {
    pub(super) fn new(limits: &SessionLimits) -> Self {
        Parked {
            sessions: HashMap::new(),
            arrivals: VecDeque::new(),
            len: 0,
            bytes: 0,
            len_max: limits.parked_max,
            bytes_max: limits.parked_bytes_max,
            keep: millis(limits.parked_for),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, id: &[u8]) -> bool {
        self.sessions.contains_key(id)
    }

    /// Adds a message; the oldest make room. Returns how many were dropped.
    pub(super) fn insert(&mut self, now: u64, id: JavaStr, message: ParkedMessage) -> usize {
        self.len += 1;
        self.bytes += message.bytes;
        self.arrivals.push_back((now, id.clone()));
        self.sessions.entry(id).or_default().push_back(message);
        if self.arrivals.len() > 2 * self.len_max + 64 {
            let sessions = &self.sessions;
            self.arrivals.retain(|(_, id)| sessions.contains_key(id.as_bytes()));
        }
        let mut dropped = 0;
        while self.len > self.len_max || self.bytes > self.bytes_max {
            dropped += self.drop_oldest();
        }
        dropped
    }

    /// All messages for one session, in the order of arrival.
    pub(super) fn take(&mut self, id: &[u8]) -> VecDeque<ParkedMessage> {
        let messages = self.sessions.remove(id).unwrap_or_default();
        self.len -= messages.len();
        self.bytes -= messages.iter().map(|message| message.bytes).sum::<usize>();
        if self.len == 0 {
            self.arrivals.clear();
        }
        messages
    }

    /// The sessions that a Clowder node (its deltas have stamps) changed, with the time of its first message.
    pub(super) fn changed_by(&self, member: &MemberId) -> Vec<(JavaStr, i64)> {
        let of = |message: &&ParkedMessage| {
            message.from.id == *member && matches!(message.what, ParkedWhat::Delta { stamps: Some(_), .. })
        };
        let sessions = self.sessions.iter();
        let changed = sessions.filter_map(|(id, waiting)| Some((id.clone(), waiting.iter().find(of)?.time)));
        let mut changed: Vec<_> = changed.collect();
        // The same input gives the same output: the order of a hash table is no order.
        changed.sort_unstable();
        changed
    }

    /// When the oldest has waited long enough. While state is on its way nothing is given up: it may bring them all.
    pub(super) fn deadline(&self, transferring: bool) -> Option<u64> {
        let (at, _) = self.arrivals.front().filter(|_| !transferring)?;
        Some(at + self.keep)
    }

    /// Drops what has waited too long; returns how many.
    fn expire(&mut self, now: u64) -> usize {
        let mut dropped = 0;
        while self.arrivals.front().is_some_and(|(at, _)| at + self.keep <= now) {
            dropped += self.drop_oldest();
        }
        dropped
    }

    /// One arrival: its session's first message, if it is still there.
    fn drop_oldest(&mut self) -> usize {
        let Some((_, id)) = self.arrivals.pop_front() else { return 0 };
        let Some(messages) = self.sessions.get_mut(&id) else { return 0 };
        let dropped = messages.pop_front();
        if messages.is_empty() {
            self.sessions.remove(&id);
        }
        match dropped {
            Some(message) => {
                self.len -= 1;
                self.bytes -= message.bytes;
                1
            }
            None => 0,
        }
    }
}

impl Sessions {
    pub(super) fn parked_due(&mut self, now: Now) {
        if !self.requester.is_asking() {
            self.stats.parked_dropped += self.parked.expire(self.ms(now)) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> ParkedMessage {
        let from = Member::new(([127, 0, 0, 1], 4000).into(), [1; 16]);
        ParkedMessage { from, time: 0, bytes, what: ParkedWhat::Access }
    }

    fn parked(len_max: usize, bytes_max: usize) -> Parked {
        let limits = SessionLimits { parked_max: len_max, parked_bytes_max: bytes_max, ..SessionLimits::default() };
        Parked::new(&limits)
    }

    #[test]
    fn the_oldest_makes_room_in_number_and_in_bytes() {
        let mut parked = parked(2, 100);
        assert_eq!(parked.insert(1, JavaStr::from("a"), message(10)), 0);
        assert_eq!(parked.insert(2, JavaStr::from("b"), message(10)), 0);
        assert_eq!(parked.insert(3, JavaStr::from("c"), message(10)), 1);
        assert!(!parked.contains(b"a"));
        assert_eq!(parked.insert(4, JavaStr::from("d"), message(95)), 2);
        assert_eq!((parked.len(), parked.bytes()), (1, 95));
        assert_eq!(parked.insert(5, JavaStr::from("e"), message(101)), 2);
        assert_eq!((parked.len(), parked.bytes()), (0, 0));
    }

    #[test]
    fn what_waits_too_long_goes_but_not_during_a_transfer() {
        let mut parked = parked(10, 1000);
        parked.insert(1, JavaStr::from("a"), message(10));
        assert_eq!(parked.deadline(true), None);
        let deadline = parked.deadline(false).expect("one waits");
        assert_eq!(parked.expire(deadline - 1), 0);
        assert_eq!(parked.expire(deadline), 1);
        assert_eq!(parked.deadline(false), None);
    }
}
