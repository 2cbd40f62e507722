//! Which message goes on which connection, and when connections are made.

use std::collections::VecDeque;

use super::super::lane::{Conn, Entry, Lane};
use super::super::{ConnId, LinkOut, Order};
use super::Link;
use crate::Now;

impl Link {
    pub(super) fn lane_of(&self, conn: ConnId) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.conn.as_ref().is_some_and(|c| c.id == conn))
    }

    /// The only lane that a message of this order may take; `None`: any.
    pub(super) fn lane_for(&self, order: Order) -> Option<usize> {
        match order {
            _ if self.lanes.len() == 1 => Some(0),
            Order::All => Some(0),
            Order::Keyed(key) => usize::try_from(key % self.lanes.len() as u64).ok(),
            Order::None => (self.ordered > 0).then_some(0),
        }
    }

    pub(super) fn dispatch(&mut self, now: Now) {
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
    pub(super) fn dispatch_lane(&mut self, now: Now, lane: usize) {
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
            let seq = |queue: &VecDeque<Entry>| queue.front().map_or(u64::MAX, |entry| entry.seq);
            let next = if seq(queue) <= seq(&self.shared) { queue } else { &mut self.shared };
            let Some(bytes) = next.front().map(|entry| entry.frame.len()) else { break };
            if !conn.has_room(bytes, self.pipelined, &self.config) {
                break;
            }
            let Some(entry) = next.pop_front() else { break };
            self.out.push_back(LinkOut::Write { conn: conn.id, frame: entry.frame.clone() });
            conn.started(now.mono, entry);
        }
        self.open_for_shared(now);
    }

    /// Give what any lane may take to those that are free.
    pub(super) fn dispatch_shared(&mut self, now: Now) {
        let Some(bytes) = self.shared.front().map(|entry| entry.frame.len()) else { return };
        let has_room = |conn: &Conn| conn.has_room(bytes, self.pipelined, &self.config);
        let free = |lane: &Lane| lane.conn.as_ref().is_some_and(has_room);
        match self.lanes.iter().position(free) {
            Some(lane) => self.dispatch_lane(now, lane),
            None if self.draining => self.merge_when_idle(now),
            None => self.open_for_shared(now),
        }
    }

    /// More connections, as long as messages wait for any and fewer are being made. After a failed attempt there is one
    /// connection at most until something goes well: a peer at its limit must not be asked again and again.
    fn open_for_shared(&mut self, now: Now) {
        if self.shared.is_empty() || self.draining {
            return;
        }
        let conns = self.lanes.iter().filter_map(|lane| lane.conn.as_ref());
        let (there, wanted) = match self.connect_failed {
            true => (conns.count(), 1),
            false => (conns.filter(|conn| !conn.open).count(), self.shared.len()),
        };
        for _ in there..wanted {
            let Some(lane) = self.lanes.iter().position(|lane| lane.conn.is_none()) else { break };
            self.connect(now, lane);
        }
    }

    pub(super) fn connect(&mut self, now: Now, lane: usize) {
        let id = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(1);
        self.lanes[lane].conn = Some(Conn::new(id, now.mono));
        self.out.push_back(LinkOut::Connect { conn: id });
    }
}
