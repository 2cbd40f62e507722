//! One connection of a link and the messages that wait for it or are in flight on it.
//!
//! Only bookkeeping: which entry an acknowledgement belongs to, which ones are written, what is left over when the
//! connection ends. Policy (retry, timeouts, dispatch) is the machine's.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use super::{ConnId, LinkConfig, Order, Token};
use crate::wire::Ack;

/// A message on its way through a link.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) token: Token,
    pub(super) frame: Bytes,
    pub(super) acked: bool,
    pub(super) order: Order,
    /// Position in the order of queueing.
    pub(super) seq: u64,
    /// When it was queued, or started on its current connection: what a timeout compares with.
    pub(super) since: Instant,
    pub(super) failures: u8,
    /// It was given to an open connection: from then on the peer may have it.
    pub(super) exposed: bool,
}

/// An acknowledgement or a write that no message in flight explains.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unexpected;

/// A connection and what is in flight on it.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) open: bool,
    /// Last progress: opened, written, acknowledged, or started on an idle connection.
    pub(super) progress: Instant,
    /// In the order of writing. `None`: done while an earlier one is not.
    flight: VecDeque<Option<Entry>>,
    /// So many from the front of `flight` are written.
    written: usize,
    /// Messages in flight that wait for an acknowledgement.
    acks_due: usize,
    /// Acknowledgements whose message is not yet reported as written, the oldest first. The driver can read one before
    /// it comes to report the write that it answers.
    early: VecDeque<Ack>,
    bytes: usize,
}

impl Conn {
    pub(super) fn new(id: ConnId, now: Instant) -> Conn {
        Conn {
            id,
            open: false,
            progress: now,
            flight: VecDeque::new(),
            written: 0,
            acks_due: 0,
            early: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_empty()
    }

    /// A frame of `bytes` may be written now.
    pub(super) fn has_room(&self, bytes: usize, pipelined: bool, config: &LinkConfig) -> bool {
        let window = self.flight.len() < config.window;
        let window = window && (self.is_idle() || self.bytes.saturating_add(bytes) <= config.window_bytes);
        self.open && window && (pipelined || self.acks_due == 0)
    }

    pub(super) fn started(&mut self, now: Instant, mut entry: Entry) {
        debug_assert!(self.open);
        if self.is_idle() {
            self.progress = now;
        }
        entry.since = now;
        entry.exposed = true;
        self.bytes += entry.frame.len();
        self.acks_due += usize::from(entry.acked);
        self.flight.push_back(Some(entry));
    }

    /// The next `count` frames are out; hands out those that are done with it.
    ///
    /// # Errors
    /// More were written than started.
    pub(super) fn written(
        &mut self,
        now: Instant,
        count: usize,
        mut done: impl FnMut(Entry),
    ) -> Result<(), Unexpected> {
        self.progress = now;
        let end = self.written + count;
        if end > self.flight.len() {
            return Err(Unexpected);
        }
        for slot in self.flight.range_mut(self.written..end) {
            if let Some(entry) = slot.take_if(|entry| !entry.acked) {
                self.bytes -= entry.frame.len();
                done(entry);
            }
        }
        self.written = end;
        self.skip_done();
        Ok(())
    }

    /// An acknowledgement came; [`Conn::answered`] has its message.
    ///
    /// # Errors
    /// No message waits for it.
    pub(super) fn acked(&mut self, now: Instant, ack: Ack) -> Result<(), Unexpected> {
        if self.early.len() == self.acks_due {
            return Err(Unexpected);
        }
        self.progress = now;
        self.early.push_back(ack);
        Ok(())
    }

    /// The next message that is both written and acknowledged.
    pub(super) fn answered(&mut self) -> Option<(Entry, Ack)> {
        // Written ones without acknowledgement are skipped, so the front waits for one or is not yet written.
        if self.written == 0 || self.early.is_empty() {
            return None;
        }
        let entry = self.flight.front_mut()?.take()?;
        let ack = self.early.pop_front()?;
        self.bytes -= entry.frame.len();
        self.acks_due -= 1;
        self.skip_done();
        Some((entry, ack))
    }

    fn skip_done(&mut self) {
        while let Some(None) = self.flight.front() {
            self.flight.pop_front();
            self.written -= 1;
        }
    }

    /// What is without outcome, in the order of writing.
    pub(super) fn into_unfinished(self) -> impl DoubleEndedIterator<Item = Entry> {
        self.flight.into_iter().flatten()
    }

    /// When it is given up, if it owes anything.
    pub(super) fn deadline(&self, config: &LinkConfig) -> Option<Instant> {
        match self.open {
            true if self.is_idle() => None,
            true => self.progress.checked_add(config.timeout),
            false => self.progress.checked_add(config.connect_timeout),
        }
    }

    #[cfg(test)]
    pub(super) fn in_flight(&self) -> impl Iterator<Item = &Entry> {
        self.flight.iter().flatten()
    }
}

/// A place for one connection, and the messages that go over it and no other.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) conn: Option<Conn>,
    /// By `seq`, ascending.
    pub(super) queue: VecDeque<Entry>,
}
