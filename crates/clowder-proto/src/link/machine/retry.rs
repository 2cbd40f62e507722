//! What happens to messages whose attempt failed, and to connections that make no progress.

use std::collections::VecDeque;

use super::super::lane::{Conn, Entry};
use super::super::{Failure, LinkOut, Order, Outcome};
use super::Link;
use crate::Now;

impl Link {
    /// A connection made no progress for the whole timeout. What had that long fails; what started later gets another
    /// connection.
    ///
    /// Differs from Tomcat: only this connection is closed, and each answer gives the messages behind it the full time
    /// again. Tests: a_stalled_lane_fails_no_unordered_message_while_another_lane_moves,
    /// every_sign_of_progress_starts_the_timeout_anew.
    pub(super) fn gave_up(&mut self, now: Now, lane: usize, conn: Conn) {
        let timeout = if conn.open { self.config.timeout } else { self.config.connect_timeout };
        self.connect_failed |= !conn.open;
        let expired = |entry: &Entry| now.mono.saturating_duration_since(entry.since) >= timeout;
        for entry in conn.into_unfinished().rev() {
            if expired(&entry) {
                self.finish(&entry, Outcome::Failed(Failure::Timeout));
            } else {
                self.retry(lane, entry, Failure::Timeout);
            }
        }
        let stalled = self.progress.is_none_or(|at| now.mono.saturating_duration_since(at) >= timeout);
        let mut failed: Vec<Entry> = extract(&mut self.lanes[lane].queue, expired);
        if stalled {
            failed.extend(extract(&mut self.shared, expired));
        }
        for entry in failed {
            self.finish(&entry, Outcome::Failed(Failure::Timeout));
        }
    }

    /// An attempt failed: wait at the front for the next one, or fail for good.
    pub(super) fn retry(&mut self, lane: usize, entry: Entry, failure: Failure) {
        if let Some(entry) = self.attempt_failed(entry, failure) {
            self.lanes[lane].queue.push_front(entry);
        }
    }

    /// A connect failed: that was an attempt of everything that waited for it.
    pub(super) fn penalise_waiting(&mut self, lane: usize, failure: Failure) {
        for entry in std::mem::take(&mut self.lanes[lane].queue).into_iter().rev() {
            self.retry(lane, entry, failure);
        }
        if self.lanes.iter().any(|lane| lane.conn.as_ref().is_some_and(|conn| conn.open)) {
            return;
        }
        for entry in std::mem::take(&mut self.shared) {
            let again = self.attempt_failed(entry, failure);
            self.shared.extend(again);
        }
    }

    /// The message, if it may be tried once more; else it has its outcome.
    fn attempt_failed(&mut self, mut entry: Entry, failure: Failure) -> Option<Entry> {
        // A second look finds no port either.
        if entry.failures < self.config.retries_max && failure != Failure::NoSecurePort {
            entry.failures += 1;
            self.retries += 1;
            return Some(entry);
        }
        // These would say that the peer does not have it.
        let never_left = matches!(failure, Failure::Connect | Failure::NoSecurePort);
        let failure = if never_left && entry.exposed { Failure::ConnectionLost } else { failure };
        self.finish(&entry, Outcome::Failed(failure));
        None
    }

    pub(super) fn finish(&mut self, entry: &Entry, outcome: Outcome) {
        let bytes = entry.frame.len();
        self.bytes -= bytes;
        self.unfinished -= 1;
        self.ordered -= usize::from(entry.order == Order::All);
        self.out.push_back(LinkOut::Done { token: entry.token, bytes, outcome });
    }
}

/// Take out what matches, in order.
fn extract(queue: &mut VecDeque<Entry>, matches: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let (taken, kept): (Vec<Entry>, Vec<Entry>) = std::mem::take(queue).into_iter().partition(matches);
    *queue = kept.into();
    taken
}
