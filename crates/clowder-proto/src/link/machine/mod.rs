//! The machine: what it is told. What follows from it is in `dispatch` and `retry`.

mod dispatch;
mod retry;

use std::collections::VecDeque;
use std::time::Instant;

use super::lane::{Conn, Entry, Lane};
use super::{Cause, ConnId, Failure, LinkConfig, LinkOut, Order, Outcome, Outgoing};
use crate::Now;
use crate::wire::{Ack, Capabilities};

/// The outgoing traffic of one peer. See the [module](super).
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    /// The peer announced it. Until the lanes are idle, `draining` holds everything back.
    pipelined: bool,
    draining: bool,
    closed: bool,
    /// The latest attempt to connect failed and nothing has gone well since.
    connect_failed: bool,
    /// One on a pipeline.
    lanes: Vec<Lane>,
    /// Messages of `Order::None`, for whichever lane is free.
    shared: VecDeque<Entry>,
    /// Messages of `Order::All` without an outcome.
    ordered: usize,
    /// Bytes of frames without an outcome.
    bytes: usize,
    /// Messages without an outcome.
    unfinished: usize,
    /// Latest progress on any connection.
    progress: Option<Instant>,
    retries: u64,
    next_conn: u32,
    next_seq: u64,
    out: VecDeque<LinkOut>,
}

impl Link {
    /// A link to a peer that has not announced anything. Opens no connection before something is queued.
    pub fn new(mut config: LinkConfig) -> Link {
        config.lanes = config.lanes.clamp(1, LinkConfig::LANES_MAX);
        config.window = config.window.max(1);
        Link {
            lanes: (0..config.lanes).map(|_| Lane::default()).collect(),
            config,
            pipelined: false,
            draining: false,
            closed: false,
            connect_failed: false,
            shared: VecDeque::new(),
            ordered: 0,
            bytes: 0,
            unfinished: 0,
            progress: None,
            retries: 0,
            next_conn: 0,
            next_seq: 0,
            out: VecDeque::new(),
        }
    }

    /// Bytes of frames without an outcome.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages without an outcome.
    pub fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Many messages may be in flight on one connection.
    pub fn is_pipelined(&self) -> bool {
        self.pipelined
    }

    /// Attempts beyond the first, so far.
    pub fn retries(&self) -> u64 {
        self.retries
    }

    /// A frame of `bytes` would be taken.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= self.config.queue_bytes_max
    }

    /// A message to send. Its token gets an outcome in any case, at once if the queue is full or the link closed.
    pub fn queued(&mut self, now: Now, outgoing: Outgoing) {
        let Outgoing { token, frame, acked, order } = outgoing;
        let seq = self.next_seq;
        self.next_seq += 1;
        let refused = match (self.closed, self.has_room(frame.len())) {
            (true, _) => Some(Failure::Closed),
            (_, false) => Some(Failure::QueueFull),
            _ => None,
        };
        if let Some(failure) = refused {
            let bytes = frame.len();
            self.out.push_back(LinkOut::Done { token, bytes, outcome: Outcome::Failed(failure) });
            return;
        }
        self.bytes += frame.len();
        self.unfinished += 1;
        self.ordered += usize::from(order == Order::All);
        let entry = Entry { token, frame, acked, order, seq, since: now.mono, failures: 0, exposed: false };
        match self.lane_for(order) {
            Some(lane) => {
                self.lanes[lane].queue.push_back(entry);
                self.dispatch_lane(now, lane);
            }
            None => {
                self.shared.push_back(entry);
                self.dispatch_shared(now);
            }
        }
    }

    /// The connection is open.
    pub fn connected(&mut self, now: Now, conn: ConnId) {
        let Some(lane) = self.lane_of(conn) else { return };
        if let Some(conn) = &mut self.lanes[lane].conn {
            conn.open = true;
            conn.progress = now.mono;
        }
        self.connect_failed = false;
        self.progress = Some(now.mono);
        self.dispatch_lane(now, lane);
    }

    /// All bytes of the next `count` frames of the connection are out. With a count of 0 some bytes are, which is
    /// progress, too.
    pub fn written(&mut self, now: Now, conn: ConnId, count: usize) {
        let Some(lane) = self.lane_of(conn) else { return };
        let Some(conn) = &mut self.lanes[lane].conn else { return };
        let mut done = Vec::new();
        let result = conn.written(now.mono, count, |entry| done.push(entry));
        debug_assert_eq!(result, Ok(()), "the driver wrote what it was not asked to write");
        self.progress = Some(now.mono);
        let some = !done.is_empty();
        for entry in done {
            self.finish(&entry, Outcome::Written);
        }
        if self.answer(lane) || some {
            self.dispatch_lane(now, lane);
        }
    }

    /// An acknowledgement came on the connection; it may come before [`Link::written`] for its message. One that
    /// nothing waits for breaks the protocol: the connection is closed and confirms nothing.
    ///
    /// Differs from Tomcat: a surplus acknowledgement there confirms the next message.
    /// Test: a_surplus_answer_closes_the_connection_and_confirms_nothing.
    pub fn acked(&mut self, now: Now, conn: ConnId, ack: Ack) {
        let Some(lane) = self.lane_of(conn) else { return };
        let Some(connection) = &mut self.lanes[lane].conn else { return };
        if connection.acked(now.mono, ack).is_err() {
            self.out.push_back(LinkOut::Close { conn });
            self.lost(now, conn, Cause::Protocol);
            return;
        }
        self.connect_failed = false;
        self.progress = Some(now.mono);
        if self.answer(lane) {
            self.dispatch_lane(now, lane);
        }
    }

    /// Messages that are written and acknowledged get their outcome. False: there was none.
    fn answer(&mut self, lane: usize) -> bool {
        // Differs from Tomcat: the connection is not at fault, the second try goes over the same one. On a pipeline
        // there is none, it would come behind later messages.
        // Tests: a_failed_answer_has_a_second_try_on_the_same_lane_before_anything_else,
        // a_failed_answer_fails_that_message_alone_on_a_pipeline.
        let final_answer = self.pipelined && !self.draining;
        let mut some = false;
        while let Some((mut entry, ack)) = self.lanes[lane].conn.as_mut().and_then(Conn::answered) {
            match ack {
                Ack::Ok => self.finish(&entry, Outcome::Delivered),
                Ack::Failed if !self.config.failed_ack_is_error => self.finish(&entry, Outcome::Delivered),
                Ack::Failed if entry.failures < self.config.retries_max && !final_answer => {
                    entry.failures += 1;
                    self.retries += 1;
                    self.lanes[lane].queue.push_front(entry);
                }
                Ack::Failed => self.finish(&entry, Outcome::Failed(Failure::RemoteProcess)),
            }
            some = true;
        }
        some
    }

    /// The connection is no more, or could not be made. The other connections are not touched.
    pub fn lost(&mut self, now: Now, conn: ConnId, cause: Cause) {
        let Some(lane) = self.lane_of(conn) else { return };
        let Some(conn) = self.lanes[lane].conn.take() else { return };
        let failure = Failure::from(cause);
        if conn.open {
            for entry in conn.into_unfinished().rev() {
                self.retry(lane, entry, failure);
            }
        } else {
            self.connect_failed = true;
            self.penalise_waiting(lane, failure);
        }
        self.dispatch(now);
    }

    /// The peer announced what it can. An announcement is never taken back: a record that was relayed by a Tomcat
    /// lacks it.
    pub fn announced(&mut self, now: Now, capabilities: Capabilities) {
        if self.pipelined || !capabilities.contains(Capabilities::PIPELINE) {
            return;
        }
        self.pipelined = true;
        self.draining = true;
        self.dispatch(now);
    }

    /// Open a connection even though nothing is queued, so that its end is noticed.
    pub fn wanted(&mut self, now: Now) {
        if !self.closed && self.lanes.iter().all(|lane| lane.conn.is_none()) {
            self.connect(now, 0);
        }
    }

    /// The channel stops or the peer left: everything unfinished fails, now and later.
    pub fn closed(&mut self, _now: Now) {
        self.closed = true;
        for lane in 0..self.lanes.len() {
            let waiting = std::mem::take(&mut self.lanes[lane].queue);
            if let Some(conn) = self.lanes[lane].conn.take() {
                self.out.push_back(LinkOut::Close { conn: conn.id });
                for entry in conn.into_unfinished() {
                    self.finish(&entry, Outcome::Failed(Failure::Closed));
                }
            }
            for entry in waiting {
                self.finish(&entry, Outcome::Failed(Failure::Closed));
            }
        }
        for entry in std::mem::take(&mut self.shared) {
            self.finish(&entry, Outcome::Failed(Failure::Closed));
        }
        assert_eq!((self.bytes, self.unfinished, self.ordered), (0, 0, 0), "a closed link holds nothing");
    }

    /// What to do next; drain until `None` after every input.
    pub fn poll(&mut self) -> Option<LinkOut> {
        self.out.pop_front()
    }

    /// When to call [`Link::handle_deadline`] if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.lanes.iter().filter_map(|lane| lane.conn.as_ref()?.deadline(&self.config)).min()
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, now: Now) {
        for lane in 0..self.lanes.len() {
            let due = |conn: &mut Conn| conn.deadline(&self.config).is_some_and(|deadline| deadline <= now.mono);
            if let Some(conn) = self.lanes[lane].conn.take_if(due) {
                self.out.push_back(LinkOut::Close { conn: conn.id });
                self.gave_up(now, lane, conn);
            }
        }
        self.dispatch(now);
    }
}

#[cfg(test)]
impl Link {
    /// Counts everything again, and holds it against the bounds.
    pub(super) fn check_invariants(&self) {
        let conns = || self.lanes.iter().filter_map(|lane| lane.conn.as_ref());
        let waiting = self.lanes.iter().flat_map(|lane| &lane.queue).chain(&self.shared);
        let entries: Vec<&Entry> = waiting.chain(conns().flat_map(Conn::in_flight)).collect();
        let bytes: usize = entries.iter().map(|entry| entry.frame.len()).sum();
        let ordered = entries.iter().filter(|entry| entry.order == Order::All).count();
        assert_eq!(
            (self.unfinished, self.bytes, self.ordered),
            (entries.len(), bytes, ordered),
            "the counts are right"
        );
        assert!(bytes <= self.config.queue_bytes_max || entries.len() == 1, "{bytes} bytes are queued");
        assert!(self.lanes.len() == if self.pipelined && !self.draining { 1 } else { self.config.lanes });
        for conn in conns() {
            let (count, acked) = (conn.in_flight().count(), conn.in_flight().filter(|entry| entry.acked).count());
            let bytes: usize = conn.in_flight().map(|entry| entry.frame.len()).sum();
            assert!(count <= self.config.window, "{count} in flight");
            assert!(count <= 1 || bytes <= self.config.window_bytes, "{bytes} bytes in flight");
            assert!(acked <= 1 || self.pipelined && !self.draining, "{acked} wait for an answer of a Tomcat");
        }
    }
}
