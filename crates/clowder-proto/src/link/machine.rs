//! The machine: inputs, dispatch to connections, retry and timeouts.

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
        let entry = Entry { token, frame, acked, order, seq, since: now.mono, failures: 0 };
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
        self.progress = Some(now.mono);
        self.dispatch_lane(now, lane);
    }

    /// All bytes of the next `count` frames of the connection are out.
    pub fn written(&mut self, now: Now, conn: ConnId, count: usize) {
        let Some(lane) = self.lane_of(conn) else { return };
        let Some(conn) = &mut self.lanes[lane].conn else { return };
        let mut done = Vec::new();
        let result = conn.written(now.mono, count, |entry| done.push(entry));
        debug_assert_eq!(result, Ok(()), "the driver wrote what it was not asked to write");
        self.progress = Some(now.mono);
        if done.is_empty() {
            return;
        }
        for entry in done {
            self.finish(&entry, Outcome::Written);
        }
        self.dispatch_lane(now, lane);
    }

    /// An acknowledgement came on the connection. One that nothing waits for breaks the protocol: the connection is
    /// closed and confirms nothing.
    ///
    /// Differs from Tomcat: a surplus acknowledgement there confirms the next message.
    pub fn acked(&mut self, now: Now, conn: ConnId, ack: Ack) {
        let Some(lane) = self.lane_of(conn) else { return };
        let Some(connection) = &mut self.lanes[lane].conn else { return };
        let Ok(mut entry) = connection.acked(now.mono) else {
            self.out.push_back(LinkOut::Close { conn });
            self.lost(now, conn, Cause::Protocol);
            return;
        };
        self.progress = Some(now.mono);
        match ack {
            Ack::Ok => self.finish(&entry, Outcome::Delivered),
            Ack::Failed if entry.failures < self.config.retries_max => {
                // Differs from Tomcat: the connection is not at fault, the second try goes over the same one.
                entry.failures += 1;
                self.retries += 1;
                self.lanes[lane].queue.push_front(entry);
            }
            Ack::Failed => self.finish(&entry, Outcome::Failed(Failure::RemoteProcess)),
        }
        self.dispatch_lane(now, lane);
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

/// Retry and timeouts.
impl Link {
    /// A connection made no progress for the whole timeout. What had that long fails; what started later gets another
    /// connection.
    ///
    /// Differs from Tomcat: only this connection is closed, and a message behind others on a pipeline has its full
    /// time from the moment in which it is the first.
    fn gave_up(&mut self, now: Now, lane: usize, conn: Conn) {
        let timeout = if conn.open { self.config.timeout } else { self.config.connect_timeout };
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
    fn retry(&mut self, lane: usize, mut entry: Entry, failure: Failure) {
        if entry.failures < self.config.retries_max {
            entry.failures += 1;
            self.retries += 1;
            self.lanes[lane].queue.push_front(entry);
        } else {
            self.finish(&entry, Outcome::Failed(failure));
        }
    }

    /// A connect failed: that was an attempt of everything that waited for it.
    fn penalise_waiting(&mut self, lane: usize, failure: Failure) {
        for entry in std::mem::take(&mut self.lanes[lane].queue).into_iter().rev() {
            self.retry(lane, entry, failure);
        }
        if self.lanes.iter().any(|lane| lane.conn.as_ref().is_some_and(|conn| conn.open)) {
            return;
        }
        for mut entry in std::mem::take(&mut self.shared) {
            if entry.failures < self.config.retries_max {
                entry.failures += 1;
                self.retries += 1;
                self.shared.push_back(entry);
            } else {
                self.finish(&entry, Outcome::Failed(failure));
            }
        }
    }

    fn finish(&mut self, entry: &Entry, outcome: Outcome) {
        let bytes = entry.frame.len();
        self.bytes -= bytes;
        self.unfinished -= 1;
        self.ordered -= usize::from(entry.order == Order::All);
        self.out.push_back(LinkOut::Done { token: entry.token, bytes, outcome });
    }
}

/// Dispatch.
impl Link {
    fn lane_of(&self, conn: ConnId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.conn.as_ref().is_some_and(|c| c.id == conn))
    }

    /// The only lane that a message of this order may take; `None`: any.
    fn lane_for(&self, order: Order) -> Option<usize> {
        match order {
            _ if self.lanes.len() == 1 => Some(0),
            Order::All => Some(0),
            Order::Keyed(key) => usize::try_from(key % self.lanes.len() as u64).ok(),
            Order::None => (self.ordered > 0).then_some(0),
        }
    }

    fn dispatch(&mut self, now: Now) {
        if self.draining {
            self.merge_when_idle(now);
        }
        for lane in 0..self.lanes.len() {
            self.dispatch_lane(now, lane);
        }
    }

    /// The lanes become one pipeline once none of them has anything in flight: a message on another connection could
    /// otherwise be overtaken.
    fn merge_when_idle(&mut self, now: Now) {
        if self.lanes.iter().any(|lane| lane.conn.as_ref().is_some_and(|conn| !conn.is_idle())) {
            return;
        }
        self.draining = false;
        let mut waiting: Vec<Entry> = self.lanes.iter_mut().flat_map(|lane| std::mem::take(&mut lane.queue)).collect();
        waiting.extend(std::mem::take(&mut self.shared));
        waiting.sort_by_key(|entry| entry.seq);
        let (open, rest): (Vec<Conn>, Vec<Conn>) =
            self.lanes.drain(..).filter_map(|lane| lane.conn).partition(|c| c.open);
        let mut conns = open.into_iter().chain(rest);
        let kept = conns.next();
        self.out.extend(conns.map(|conn| LinkOut::Close { conn: conn.id }));
        self.lanes = vec![Lane { conn: kept, queue: waiting.into() }];
        self.dispatch_lane(now, 0);
    }

    /// Write what this lane may write; connect it if something waits for it.
    fn dispatch_lane(&mut self, now: Now, lane: usize) {
        if self.draining {
            // Set down again by the merge, which dispatches everything.
            return self.merge_when_idle(now);
        }
        loop {
            let Lane { conn, queue } = &mut self.lanes[lane];
            let Some(conn) = conn else {
                if !queue.is_empty() {
                    self.connect(now, lane);
                }
                break;
            };
            if !conn.has_room(self.pipelined, &self.config) {
                break;
            }
            let own = queue.front().map_or(u64::MAX, |entry| entry.seq);
            let shared = self.shared.front().map_or(u64::MAX, |entry| entry.seq);
            let next = if own <= shared { queue.pop_front() } else { self.shared.pop_front() };
            let Some(entry) = next else { break };
            self.out.push_back(LinkOut::Write { conn: conn.id, frame: entry.frame.clone() });
            conn.started(now.mono, entry);
        }
        self.open_for_shared(now);
    }

    /// Give what any lane may take to those that are free.
    fn dispatch_shared(&mut self, now: Now) {
        let free = |lane: &Lane| lane.conn.as_ref().is_some_and(|conn| conn.has_room(self.pipelined, &self.config));
        match self.lanes.iter().position(free) {
            Some(lane) => self.dispatch_lane(now, lane),
            None if self.draining => self.merge_when_idle(now),
            None => self.open_for_shared(now),
        }
    }

    /// More connections, as long as messages wait for any and fewer are being made.
    fn open_for_shared(&mut self, now: Now) {
        if self.shared.is_empty() || self.draining {
            return;
        }
        let connecting = self.lanes.iter().filter(|lane| lane.conn.as_ref().is_some_and(|conn| !conn.open)).count();
        for _ in connecting..self.shared.len() {
            let Some(lane) = self.lanes.iter().position(|lane| lane.conn.is_none()) else { break };
            self.connect(now, lane);
        }
    }

    fn connect(&mut self, now: Now, lane: usize) {
        let id = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        self.lanes[lane].conn = Some(Conn::new(id, now.mono));
        self.out.push_back(LinkOut::Connect { conn: id });
    }

    #[cfg(test)]
    pub(super) fn conns(&self) -> impl Iterator<Item = &Conn> {
        self.lanes.iter().filter_map(|lane| lane.conn.as_ref())
    }
}

/// Take out what matches, in order.
fn extract(queue: &mut VecDeque<Entry>, matches: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let (taken, kept): (Vec<Entry>, Vec<Entry>) = std::mem::take(queue).into_iter().partition(matches);
    *queue = kept.into();
    taken
}
