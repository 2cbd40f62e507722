//! What is known about the probing of one member: is a probe on its way, when is the next one due, and why.
//!
//! Decides when; what follows from a verdict is the group's. At most one probe per member is on its way.

use std::time::{Duration, Instant};

use super::{ProbeId, Verdict};

/// Least time between the starts of two probes of a candidate, however often something asks for one.
const CANDIDATE_GAP: Duration = Duration::from_millis(100);

/// Why a member is probed; what a verdict means depends on it. Ordered: the graver reason stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Regular look, or a candidate that may join.
    Look,
    /// A connection to it ended.
    Lost,
    /// Its heartbeats stopped. Alive makes it a suspect.
    Expired,
    /// A message did not reach it. Alive makes it a suspect.
    Failed,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) id: ProbeId,
    pub(super) started: Instant,
    pub(super) why: Why,
}

/// The probing of one member.
#[derive(Debug)]
pub(super) struct Check {
    flight: Option<Flight>,
    due: Option<Instant>,
    why: Why,
    last_start: Option<Instant>,
    pause: Duration,
    timeouts: u32,
}

impl Check {
    pub(super) fn new() -> Self {
        Check { flight: None, due: None, why: Why::Look, last_start: None, pause: Duration::ZERO, timeouts: 0 }
    }

    /// Forget what is on its way: its verdict would speak of something that is over.
    pub(super) fn cancel(&mut self) {
        (self.flight, self.due, self.why, self.timeouts) = (None, None, Why::Look, 0);
        self.pause = Duration::ZERO;
    }

    /// Evidence against a member: probe at once. If a probe is on its way, once more after it: it may have connected
    /// before whatever happened.
    pub(super) fn demand(&mut self, now: Instant, why: Why) {
        self.due = Some(now);
        self.why = self.why.max(why);
    }

    /// A sign of life of a candidate.
    pub(super) fn invite(&mut self, now: Instant) {
        let earliest = self.last_start.map_or(now, |start| (start + CANDIDATE_GAP).max(now));
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    pub(super) fn schedule(&mut self, at: Option<Instant>) {
        self.due = at;
    }

    /// After a failure of a candidate: twice the pause of last time, up to `max`.
    pub(super) fn back_off(&mut self, min: Duration, max: Duration) -> Duration {
        self.pause = (self.pause * 2).clamp(min, max.max(min));
        self.pause
    }

    /// When the next probe may start; `None` while one is on its way.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.flight.is_some() { None } else { self.due }
    }

    /// A probe was asked for and has not started.
    pub(super) fn is_due_by(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn launched(&mut self, now: Instant, id: ProbeId) {
        debug_assert!(self.flight.is_none(), "one probe per member at a time");
        self.flight = Some(Flight { id, started: now, why: self.why });
        (self.due, self.why, self.last_start) = (None, Why::Look, Some(now));
    }

    /// The probe `id` came back. `None`: it had been cancelled.
    pub(super) fn landed(&mut self, id: ProbeId, verdict: Verdict) -> Option<Flight> {
        let flight = self.flight.take_if(|flight| flight.id == id)?;
        match verdict {
            Verdict::Alive => (self.timeouts, self.pause) = (0, Duration::ZERO),
            Verdict::Dead(cause) if cause.is_timeout() => self.timeouts += 1,
            Verdict::Dead(_) | Verdict::Inconclusive => {}
        }
        Some(flight)
    }

    /// A probe is on its way whose reason is that a connection ended.
    pub(super) fn is_verifying_loss(&self) -> bool {
        self.flight.is_some_and(|flight| flight.why == Why::Lost) || (self.due.is_some() && self.why == Why::Lost)
    }

    /// No probe is on its way or asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_none() && self.due.is_none()
    }

    /// A probe came back, and none is on its way.
    pub(super) fn was_answered(&self) -> bool {
        self.last_start.is_some() && self.flight.is_none()
    }

    /// The silences so far prove nothing.
    pub(super) fn forgive(&mut self) {
        self.timeouts = 0;
    }

    /// How many probes in a row were met with silence.
    pub(super) fn timeouts(&self) -> u32 {
        self.timeouts
    }
}
