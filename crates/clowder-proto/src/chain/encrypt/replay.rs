//! Recognises a message that somebody sends again.
//!
//! A message has a time stamp, which may differ from the clock by a window, and a nonce that no other has. A bounded
//! number of entries is remembered, each a nonce or some near each other, for all senders together: who the sender is stands
//! outside of the encrypted part. What is forgotten leaves a floor behind: nothing that is not later than it is accepted
//! any more.
//!
//! The nonces of one millisecond are a set of their own, which is small, near, and forgotten whole. That is enough where
//! time stamp and nonce are sealed together, so that a copy has both. Where anybody can change the time of a message, its
//! nonce is looked for in all of them, and each is an entry.
//!
//! Invariant: at most `count_max` entries are held, and no nonce is accepted twice, whatever the clock does.
//!
//! Differs from Tomcat: messages whose nonces were counted take next to no room, so that a busy node's messages of the whole
//! window are remembered, and one that had to be sent again is not refused as forgotten.
//! Test: messages_with_counted_nonces_are_remembered_for_the_whole_window_however_many_they_are.

use std::collections::HashSet;
use std::collections::btree_map::{BTreeMap, Entry};

use super::nonces::{Inserted, Nonces};
use crate::secret_hash::Secret;

/// Forgetting by age begins above this many. Tomcat never forgets by age: up to its default number the floor rises
/// when it does there, and only then. A floor that rises with the clock would shut everybody out when it is set back.
const KEPT_MIN: usize = 8_192;

/// Why a message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Earlier than the window.
    TooLate,
    /// Later than the window: the clocks differ.
    TooEarly,
    /// In the window, but no later than what is forgotten: too many messages for the memory, or the clock was set back.
    Forgotten,
    /// Its nonce is known.
    Replayed,
}

/// The window. Times are in milliseconds since 1970.
#[derive(Debug)]
pub(super) struct Window {
    width: i64,
    count_max: usize,
    floor: i64,
    /// The nonces of each time stamp above the floor.
    seen: BTreeMap<i64, Nonces>,
    /// The first time stamp there.
    earliest: i64,
    /// The nonces of all times, if time stamps can be changed.
    everywhere: Option<HashSet<u128, Secret>>,
    /// How many entries count as remembered.
    count: usize,
    /// How many of them have the floor's time stamp: Tomcat forgets one at a time, but the floor refuses them all.
    refused_by_floor: usize,
    /// How many entries came since a millisecond was begun: about as many will have the next one.
    recent: usize,
    secret: Secret,
}

impl Window {
    /// Nothing seen. `is_sealed`: nobody can change the time of a message. `secret` is random and stays within this
    /// process.
    pub(super) fn new(width: i64, count_max: usize, is_sealed: bool, now: i64, secret: u64) -> Window {
        let (floor, secret) = (now.saturating_sub(width), Secret(secret));
        let everywhere = (!is_sealed).then(|| HashSet::with_hasher(secret));
        Window {
            width,
            count_max,
            floor,
            seen: BTreeMap::new(),
            everywhere,
            earliest: i64::MAX,
            count: 0,
            refused_by_floor: 0,
            recent: 0,
            secret,
        }
    }

    /// The time is within the window.
    pub(super) fn covers(&self, now: i64, time: i64) -> Result<(), Refused> {
        if time < now.saturating_sub(self.width) {
            return Err(Refused::TooLate);
        }
        if time > now.saturating_add(self.width) {
            return Err(Refused::TooEarly);
        }
        Ok(())
    }

    /// Accept a message once.
    pub(super) fn admit(&mut self, now: i64, time: i64, nonce: u128) -> Result<(), Refused> {
        self.covers(now, time)?;
        if time <= self.floor {
            return Err(Refused::Forgotten);
        }
        if self.everywhere.as_mut().is_some_and(|everywhere| !everywhere.insert(nonce)) {
            return Err(Refused::Replayed);
        }
        let nonces = match self.seen.entry(time) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                self.earliest = self.earliest.min(time);
                place.insert(Nonces::new(std::mem::take(&mut self.recent), self.everywhere.is_none(), self.secret))
            }
        };
        match nonces.insert(nonce) {
            Inserted::Known => return Err(Refused::Replayed),
            Inserted::Near => {}
            Inserted::Entry => {
                self.count += 1;
                self.recent += 1;
                if self.count > self.count_max {
                    self.forget_first(i64::MAX);
                }
            }
        }
        // Two for each new one, so that what a burst left behind goes without a pause.
        for _ in 0..2 {
            if self.count > KEPT_MIN {
                self.forget_first(now.saturating_sub(self.width).saturating_sub(1));
            }
        }
        Ok(())
    }

    /// Forget one of the earliest if it is no later than `limit`.
    fn forget_first(&mut self, limit: i64) {
        if self.refused_by_floor == 0 {
            self.raise_floor(limit);
        }
        if self.refused_by_floor > 0 && self.floor <= limit {
            self.refused_by_floor -= 1;
            self.count -= 1;
        }
    }

    /// To the earliest time stamp if that is no later than `limit`.
    fn raise_floor(&mut self, limit: i64) {
        if self.earliest > limit {
            return;
        }
        let Some((time, nonces)) = self.seen.pop_first() else { return };
        self.earliest = self.seen.first_key_value().map_or(i64::MAX, |(time, _)| *time);
        self.floor = time;
        self.refused_by_floor = nonces.len();
        if let Some(everywhere) = &mut self.everywhere {
            for nonce in nonces.each() {
                everywhere.remove(nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::EncryptConfig;
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn window(count_max: usize) -> Window {
        Window::new(10_000, count_max, true, NOW, 7)
    }

    /// As Tomcat's: none is near another.
    fn apart(number: u128) -> u128 {
        number << 32
    }

    /// Tomcat's rules, without a thought for speed; only that nonces which the floor makes useless are forgotten.
    struct Model {
        count_max: usize,
        floor: i64,
        seen: Vec<(i64, u128)>,
    }

    impl Model {
        fn admit(&mut self, now: i64, time: i64, nonce: u128) -> bool {
            let known = self.seen.iter().any(|(other, it)| *it == nonce && *other > self.floor);
            if time < now - 10_000 || time > now + 10_000 || time <= self.floor || known {
                return false;
            }
            self.seen.push((time, nonce));
            while self.seen.len() > self.count_max {
                let earliest = self.seen.iter().map(|(time, _)| *time).min().unwrap();
                let index = self.seen.iter().position(|(time, _)| *time == earliest).unwrap();
                self.seen.remove(index);
                self.floor = self.floor.max(earliest);
            }
            true
        }
    }

    #[test]
    fn both_ends_of_the_window_belong_to_it() {
        let mut window = window(10);
        assert_eq!(window.admit(NOW + 1, NOW + 1 - 10_001, 1), Err(Refused::TooLate));
        assert_eq!(window.admit(NOW + 1, NOW + 1 - 10_000, 2), Ok(()));
        assert_eq!(window.admit(NOW + 1, NOW + 1 + 10_000, 3), Ok(()));
        assert_eq!(window.admit(NOW + 1, NOW + 1 + 10_001, 4), Err(Refused::TooEarly));
        assert_eq!(window.admit(NOW, i64::MIN, 5), Err(Refused::TooLate));
        assert_eq!(window.admit(NOW, i64::MAX, 6), Err(Refused::TooEarly));
    }

    /// What an earlier life of this process has accepted shall not be accepted again when it is old enough to be told.
    #[test]
    fn at_the_start_everything_up_to_the_window_counts_as_forgotten() {
        assert_eq!(window(10).admit(NOW, NOW - 10_000, 1), Err(Refused::Forgotten));
        assert_eq!(window(10).admit(NOW, NOW - 9_999, 1), Ok(()));
    }

    #[test]
    fn by_default_a_burst_of_one_millisecond_is_accepted_whole() {
        let mut window = window(EncryptConfig::default().replay_window_message_count);
        for nonce in 0..50_000 {
            // Some come after later ones.
            let time = if nonce % 10 == 0 { NOW - 400 } else { NOW };
            assert_eq!(window.admit(NOW, time, apart(nonce)), Ok(()), "{nonce}");
        }
        assert_eq!(window.admit(NOW, NOW, apart(3)), Err(Refused::Replayed));
    }

    #[test]
    fn above_tomcats_number_messages_are_forgotten_with_the_window() {
        let mut window = window(1_000_000);
        for nonce in 0..20_000_u128 {
            let now = NOW + nonce as i64;
            window.admit(now, now, apart(nonce)).unwrap();
            assert!(window.count <= 10_002, "{}", window.count);
        }
        // A burst goes as time goes on, two for each that comes.
        for nonce in 100_000..150_000 {
            window.admit(NOW + 20_000, NOW + 20_000, apart(nonce)).unwrap();
        }
        for nonce in 200_000..260_000_u128 {
            window.admit(NOW + 40_000, NOW + 40_000, apart(nonce)).unwrap();
        }
        assert!(window.count <= 60_001, "{}", window.count);
        let held: usize = window.seen.values().map(Nonces::len).sum();
        assert_eq!(held + window.refused_by_floor, window.count);
    }

    #[test]
    fn messages_with_counted_nonces_are_remembered_for_the_whole_window_however_many_they_are() {
        let mut window = window(100_000);
        // Two nodes that send 30,000 messages in a second each, and others to other nodes; of a third one something is late.
        let nonce = |sender: u128, number: u128| (sender << 64) + number / 128 * 1_000 + number % 128 * 2;
        let late = nonce(3, 0);
        window.admit(NOW, NOW + 1, nonce(3, 1)).unwrap();
        for number in 0..300_000 {
            let now = NOW + 1 + number as i64 / 30;
            for sender in [1, 2] {
                assert_eq!(window.admit(now, now, nonce(sender, number)), Ok(()), "{number}");
            }
        }
        assert!(window.count < 60_000, "{}", window.count);
        let now = NOW + 10_000;
        assert_eq!(window.admit(now, NOW + 1, nonce(1, 5)), Err(Refused::Replayed));
        assert_eq!(window.admit(now, now, nonce(2, 299_999)), Err(Refused::Replayed));
        assert_eq!(window.admit(now, NOW + 1, late), Ok(()));
        assert_eq!(window.admit(now, NOW + 1, late), Err(Refused::Replayed));
    }

    #[test]
    fn without_a_seal_every_nonce_counts() {
        let mut window = Window::new(10_000, 100, false, NOW, 7);
        for nonce in 0..1_000 {
            window.admit(NOW, NOW + nonce as i64, nonce).unwrap();
            assert!(window.everywhere.as_ref().unwrap().len() <= 100);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_lets_nothing_in_again_and_shuts_out_little() {
        let mut window = window(1_000_000);
        for nonce in 0..1000_u128 {
            let time = NOW + 100_000 + nonce as i64;
            window.admit(time, time, nonce).unwrap();
        }
        // As few as Tomcat remembers are all remembered, so that others of those times are still welcome.
        assert_eq!(window.admit(NOW + 95_000, NOW + 100_005, 5), Err(Refused::Replayed));
        assert_eq!(window.admit(NOW, NOW, 5_000), Ok(()));
    }

    proptest! {
        #[test]
        fn up_to_tomcats_number_the_rules_are_tomcats(
            count_max in 1..20_usize,
            messages in prop::collection::vec((-50..50_i64, -10_050..10_050_i64, 0..60_u128), 0..200),
        ) {
            let mut window = Window::new(10_000, count_max, false, NOW, 7);
            let mut model = Model { count_max, floor: NOW - 10_000, seen: Vec::new() };
            for (step, offset, nonce) in messages {
                // Few different times, so that many are equal; the clock goes both ways.
                let (now, time) = (NOW + step * 100, NOW + step * 100 + offset / 500 * 500);
                let expected = model.admit(now, time, nonce);
                prop_assert_eq!(window.admit(now, time, nonce).is_ok(), expected);
                prop_assert!(window.count <= count_max);
                prop_assert_eq!((window.floor, window.count), (model.floor, model.seen.len()));
            }
        }

        #[test]
        fn nothing_is_accepted_twice_whatever_the_clock_does(
            count_max in prop::sample::select(vec![1, 3, 8_192, 9_000, 100_000]),
            burst in 0..12_000_u128,
            messages in prop::collection::vec((-30_000..30_000_i64, 0..40_i64), 1..200),
        ) {
            let mut window = window(count_max);
            let mut accepted = HashSet::new();
            for nonce in 0..burst {
                window.admit(NOW, NOW - 5_000 + nonce as i64 % 50, nonce + 1_000).ok();
            }
            for (clock, which) in messages {
                // A message is its time and its nonce, both sealed.
                let (time, nonce) = (NOW + which * 997 - 20_000, which as u128);
                if window.admit(NOW + clock, time, nonce).is_ok() {
                    prop_assert!(accepted.insert(nonce), "{} again", nonce);
                }
                let held: usize = window.seen.values().map(Nonces::len).sum();
                prop_assert!(held <= window.count && window.count <= count_max);
            }
        }
    }
}
