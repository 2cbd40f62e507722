//! When our own heartbeat goes out.
//!
//! Differs from Tomcat: the first goes out at once and is repeated quickly (loss is likeliest while the network learns
//! the group), and a newcomer is answered at once, so that two nodes know each other after one exchange. Tomcat listens
//! for a second before it speaks and never answers out of turn.
//! Tests: the_first_heartbeat_goes_out_at_once_and_then_every_period, a_newcomer_is_answered_at_once.

use std::time::{Duration, Instant};

use super::HeartbeatConfig;

/// Pauses after the first heartbeats, before the period begins.
const OPENING: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(140)];
/// Pauses between the datagrams that say goodbye: one may be lost, all of them hardly.
///
/// Differs from Tomcat: there it is one. Test: stopping_says_goodbye_three_times.
const GOODBYES: [Duration; 2] = [Duration::from_millis(8), Duration::from_millis(16)];

/// The timer of heartbeats.
#[derive(Debug)]
pub(super) struct Announcer {
    frequency: Duration,
    answer_min: Duration,
    sent: usize,
    last: Option<Instant>,
    next: Instant,
}

impl Announcer {
    pub(super) fn new(config: &HeartbeatConfig, now: Instant) -> Self {
        Announcer { frequency: config.frequency, answer_min: config.answer_min, sent: 0, last: None, next: now }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// A heartbeat is due: the caller sends it.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        let pause = OPENING.get(self.sent).copied().unwrap_or(self.frequency).min(self.frequency);
        self.sent = self.sent.saturating_add(1);
        self.last = Some(now);
        self.next = now + pause;
        true
    }

    /// Somebody should hear of us soon. One heartbeat answers all who appear within `answer_min`.
    pub(super) fn hurry(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| last + self.answer_min).max(now);
        self.next = self.next.min(earliest);
    }
}

/// The end of a node's life.
#[derive(Debug)]
pub(super) struct Farewell {
    said: usize,
    next: Instant,
}

impl Farewell {
    pub(super) fn new(now: Instant) -> Self {
        Farewell { said: 0, next: now }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// One more goodbye is due: the caller sends it.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now < self.next || self.is_said() {
            return false;
        }
        self.next = now + GOODBYES.get(self.said).copied().unwrap_or_default();
        self.said += 1;
        true
    }

    /// Nobody is there to hear the rest.
    pub(super) fn skip(&mut self) {
        self.said = GOODBYES.len() + 1;
    }

    pub(super) fn is_said(&self) -> bool {
        self.said > GOODBYES.len()
    }
}
