//! The numbers of one sender: what is expected, what waits, what was given up.
//!
//! A sender that lost sight of this node for a moment counts from 1 again, and this node need not have noticed. So the
//! number alone does not tell whether a message is late, a copy, or the beginning of a new count; the ids of the last
//! messages do, as far as they are remembered.
//!
//! Differs from Tomcat: both sides can lose sight of each other at different times and agree again with the first
//! message; there one side's messages wait, or lose their order, until the numbers meet.
//! Tests: a_sender_that_counts_anew_is_in_order_at_once, a_sender_that_left_and_counts_on_is_in_order_at_once.

mod judge;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::OrderConfig;
use super::incoming::Given;
use crate::chain::Arrival;
use crate::chain::held::{cost, detached};
use crate::wire::{Message, MessageId};
use judge::{Kind, Mark, NEAR};

/// Delivered messages that are remembered by number and id.
const RECENT: usize = 64;
/// Gaps that are remembered; the oldest is forgotten first.
const SKIPPED_MAX: usize = 64;

/// What happened, for the counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) waited: u64,
    pub(super) expired: u64,
    pub(super) forgotten: u64,
    pub(super) late: u64,
    pub(super) copies: u64,
    pub(super) restarts: u64,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    mark: Mark,
    since: Instant,
    cost: usize,
}

#[derive(Debug)]
pub(super) struct Numbers {
    /// The place of the next message: its number, counted on where numbers wrap around.
    expected: i64,
    /// By place, above `expected`.
    waiting: BTreeMap<i64, Waiting>,
    /// By number: see [`Kind::Anew`].
    anew: BTreeMap<i32, Waiting>,
    /// Places that were given up, and when.
    skipped: VecDeque<(Range<i64>, Instant)>,
    /// Place and mark of what was delivered, at the place's remainder.
    recent: [(i64, Mark); RECENT],
    /// The message with number 1.
    first: Mark,
    /// The numbers from 1 to this one came after they were given up: they may have been those of a new count.
    late_first: i32,
    /// The sender left since the count began: a number 1 begins another one.
    left: bool,
    /// Where the former count ended, and when.
    former: Option<(i32, Instant)>,
    held_bytes: usize,
    oldest: Option<Instant>,
    /// Since when messages find no room to wait, and none is delivered.
    starving: Option<Instant>,
    latest: Instant,
}

/// The number at a place.
fn number_at(place: i64) -> i32 {
    place as i32
}

fn slot(place: i64) -> usize {
    place.rem_euclid(RECENT as i64) as usize
}

impl Numbers {
    pub(super) fn new(now: Instant) -> Numbers {
        Numbers {
            expected: 1,
            waiting: BTreeMap::new(),
            anew: BTreeMap::new(),
            skipped: VecDeque::new(),
            recent: [(i64::MIN, Mark(0)); RECENT],
            first: Mark(0),
            late_first: 0,
            left: false,
            former: None,
            held_bytes: 0,
            oldest: None,
            starving: None,
            latest: now,
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    /// Since when nothing came; `None`: something waits.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        (self.waiting.is_empty() && self.anew.is_empty()).then_some(self.latest)
    }

    /// It is the number expected and nothing waits: the caller delivers it.
    pub(super) fn takes_next(&mut self, now: Instant, number: i32, id: &MessageId) -> bool {
        self.latest = now;
        if number != number_at(self.expected) || self.oldest.is_some() {
            return false;
        }
        self.record(self.expected, Mark::of(id));
        self.expected += 1;
        self.starving = None;
        true
    }

    /// A message finds no room to wait. True: that went on for so long that what is missing is given up, as it would be if
    /// the message had waited. Nothing else would ever end it, if every message is too large to wait.
    ///
    /// Differs from Tomcat: there what waits has no bound in bytes.
    /// Test: a_message_too_large_to_wait_is_not_refused_for_ever.
    pub(super) fn is_starved(&mut self, now: Instant, expire: Duration) -> bool {
        now.saturating_duration_since(*self.starving.get_or_insert(now)) >= expire
    }

    /// Give out the message that found no room, and all in front of it.
    pub(super) fn feed(&mut self, now: Instant, given: &mut Given) {
        self.go_on_without(now, |_| true, true, given);
    }

    /// The message would have to wait.
    pub(super) fn would_hold(&self, now: Instant, number: i32, id: &MessageId) -> bool {
        match self.judge(now, number, Mark::of(id)) {
            Kind::Ahead(_) | Kind::Anew => true,
            Kind::Restart(at) => number != number_at(at),
            Kind::Next | Kind::Late(_) | Kind::Waits | Kind::Copy | Kind::Stale => false,
        }
    }

    /// A message came.
    pub(super) fn accept(&mut self, now: Instant, number: i32, arrival: Arrival, given: &mut Given) {
        let mark = Mark::of(&arrival.message.id);
        let mut kind = self.judge(now, number, mark);
        if let Kind::Restart(at) = kind {
            self.restart(now, at, given);
            if at != 1 {
                self.drain(given);
            }
            kind = self.judge(now, number, mark);
        }
        match kind {
            Kind::Next => {
                self.catch_up(number, given);
                self.record(self.expected, mark);
                self.expected += 1;
                given.out.push(arrival);
                self.drain(given);
            }
            Kind::Waits => given.tally.copies += 1,
            Kind::Copy => {
                given.tally.copies += 1;
                given.delivered_before = true;
            }
            Kind::Late(place) => {
                self.came_late(place, mark);
                given.tally.late += 1;
                given.out.push(arrival);
            }
            Kind::Stale => {
                given.tally.late += 1;
                given.out.push(arrival);
            }
            Kind::Ahead(place) => {
                let waiting = self.hold(now, mark, &arrival.message, given);
                self.waiting.insert(place, waiting);
            }
            Kind::Anew | Kind::Restart(_) => {
                let waiting = self.hold(now, mark, &arrival.message, given);
                if let Some(other) = self.anew.insert(number, waiting) {
                    given.tally.late += 1;
                    self.give(other, given);
                }
            }
        }
        self.look_for_oldest(given);
    }

    fn hold(&mut self, now: Instant, mark: Mark, message: &Message, given: &mut Given) -> Waiting {
        let cost = cost(message);
        given.tally.waited += 1;
        self.held_bytes += cost;
        self.oldest.get_or_insert(now);
        Waiting { message: detached(message), mark, since: now, cost }
    }

    /// Something that waited goes up. It was answered when it came.
    fn give(&mut self, waiting: Waiting, given: &mut Given) {
        self.held_bytes -= waiting.cost;
        given.out.push(Arrival { message: waiting.message, answers: false });
    }

    fn drain(&mut self, given: &mut Given) {
        while let Some(waiting) = self.waiting.remove(&self.expected) {
            self.record(self.expected, waiting.mark);
            self.expected += 1;
            self.give(waiting, given);
        }
    }

    fn record(&mut self, place: i64, mark: Mark) {
        self.recent[slot(place)] = (place, mark);
        if number_at(place) == 1 {
            self.first = mark;
        }
    }

    fn skip(&mut self, places: Range<i64>, since: Instant) {
        if places.is_empty() {
            return;
        }
        if self.skipped.len() >= SKIPPED_MAX {
            self.skipped.pop_front();
        }
        self.skipped.push_back((places, since));
    }

    fn came_late(&mut self, place: i64, mark: Mark) {
        self.record(place, mark);
        if number_at(place) == self.late_first.wrapping_add(1) {
            self.late_first = number_at(place);
        }
        let Some(index) = self.skipped.iter().position(|(places, _)| places.contains(&place)) else { return };
        let Some((places, since)) = self.skipped.remove(index) else { return };
        self.skip(places.start..place, since);
        self.skip(place + 1..places.end, since);
    }

    /// The new count has reached the number that the former one expects: those in front of it need not wait any more.
    fn catch_up(&mut self, number: i32, given: &mut Given) {
        let Some((last, _)) = self.anew.last_key_value() else { return };
        if *last < number && number.wrapping_sub(*last).unsigned_abs() < NEAR {
            for waiting in std::mem::take(&mut self.anew).into_values() {
                given.tally.late += 1;
                self.give(waiting, given);
            }
        }
    }

    /// A new count, whose next message has the number `at`. What waits is of the former one and goes first.
    fn restart(&mut self, now: Instant, at: i64, given: &mut Given) {
        given.tally.restarts += 1;
        std::mem::take(&mut self.waiting).into_values().for_each(|waiting| self.give(waiting, given));
        self.former = Some((number_at(self.expected), now));
        self.expected = at;
        self.skipped.clear();
        self.recent = [(i64::MIN, Mark(0)); RECENT];
        // With a first one that came late it is remembered; else it is still to come.
        self.first = if self.late_first > 0 { self.first } else { Mark(0) };
        (self.late_first, self.left) = (0, false);
        for (number, waiting) in std::mem::take(&mut self.anew) {
            let place = i64::from(number);
            if place >= at {
                self.waiting.insert(place, waiting);
            } else {
                given.tally.late += 1;
                self.give(waiting, given);
            }
        }
    }

    /// Give up what is missing before messages that waited too long; before all, if too many wait.
    pub(super) fn give_up(&mut self, now: Instant, config: &OrderConfig, given: &mut Given) {
        let OrderConfig { queue_max, queue_bytes_max, expire, forward_expired, .. } = *config;
        let full = self.waiting.len() + self.anew.len() >= queue_max.max(1) || self.held_bytes >= queue_bytes_max;
        let due = |since: Instant| full || now.saturating_duration_since(since) >= expire;
        if self.oldest.is_some_and(due) {
            self.go_on_without(now, due, forward_expired, given);
        }
    }

    /// The sender is no member any more: nothing that is missing will come. As Tomcat: all that waits is delivered.
    pub(super) fn left(&mut self, now: Instant, given: &mut Given) {
        self.go_on_without(now, |_| true, true, given);
        self.left = true;
    }

    fn go_on_without(&mut self, now: Instant, due: impl Fn(Instant) -> bool, forward: bool, given: &mut Given) {
        self.pass_gaps(now, &due, forward, given);
        let lowest = self.anew.first_key_value().map(|(number, _)| i64::from(*number));
        if let Some(lowest) = lowest.filter(|_| self.anew.values().any(|waiting| due(waiting.since))) {
            self.restart(now, lowest, given);
            self.skip(1..lowest, now);
            self.pass_gaps(now, &due, forward, given);
        }
        self.look_for_oldest(given);
    }

    /// Up to the last message that is due, those in front of it included: they come first whenever they came.
    fn pass_gaps(&mut self, now: Instant, due: &impl Fn(Instant) -> bool, forward: bool, given: &mut Given) {
        let Some(last) = self.waiting.iter().rev().find(|(_, waiting)| due(waiting.since)).map(|(place, _)| *place)
        else {
            return;
        };
        let rest = self.waiting.split_off(&(last + 1));
        for (place, waiting) in std::mem::replace(&mut self.waiting, rest) {
            self.skip(self.expected..place, now);
            self.record(place, waiting.mark);
            self.expected = place + 1;
            let expired = due(waiting.since);
            if expired && !forward {
                given.tally.forgotten += 1;
                self.held_bytes -= waiting.cost;
            } else {
                given.tally.expired += u64::from(expired);
                self.give(waiting, given);
            }
        }
        self.drain(given);
    }

    fn look_for_oldest(&mut self, given: &Given) {
        if !given.out.is_empty() || given.tally.forgotten > 0 {
            self.starving = None;
            self.oldest = self.waiting.values().chain(self.anew.values()).map(|waiting| waiting.since).min();
        }
    }

    #[cfg(test)]
    pub(super) fn set_expected(&mut self, expected: i64) {
        self.expected = expected;
    }
}
