//! One link in a world made of values: what goes in, what came out, and a clock that moves when it is told to.
//!
//! A frame is eight bytes with its token, and filling.

mod lanes;
mod merge;
mod outcomes;
mod peer;
mod pipeline;
mod queue;
mod retries;
mod simulation;
mod timeouts;
mod wire;

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use super::*;
use crate::Now;
use crate::wire::{Ack, Capabilities};

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn start() -> Now {
    Now { mono: Instant::now() + Duration::from_secs(1000), wall: UNIX_EPOCH + Duration::from_secs(1_700_000_000) }
}

/// The frame of a message, `bytes` long.
pub(super) fn frame(token: u64, bytes: usize) -> Bytes {
    let mut frame = token.to_be_bytes().to_vec();
    frame.resize(bytes.max(8), 0);
    frame.into()
}

/// Which message this frame is.
pub(super) fn token_of(frame: &Bytes) -> u64 {
    u64::from_be_bytes(frame[..8].try_into().expect("every frame begins with its token"))
}

/// Everything that came out and was not looked at yet.
#[derive(Default)]
pub(super) struct Outs {
    pub(super) connects: Vec<ConnId>,
    pub(super) writes: Vec<(ConnId, u64)>,
    pub(super) closes: Vec<ConnId>,
    pub(super) done: Vec<(u64, Outcome)>,
    /// Bytes given back with the outcomes.
    pub(super) released: usize,
}

pub(super) struct World {
    pub(super) link: Link,
    pub(super) now: Now,
    pub(super) outs: Outs,
}

impl World {
    /// Towards a Tomcat.
    pub(super) fn lanes(config: LinkConfig) -> World {
        World { link: Link::new(config), now: start(), outs: Outs::default() }
    }

    /// Towards a peer that announced that it pipelines.
    pub(super) fn pipeline(config: LinkConfig) -> World {
        let mut world = World::lanes(config);
        world.announce();
        world
    }

    /// A pipeline whose connection is open.
    pub(super) fn open_pipeline(config: LinkConfig) -> (World, ConnId) {
        let mut world = World::pipeline(config);
        world.tell(Link::wanted);
        let conn = world.connect();
        (world, conn)
    }

    pub(super) fn tell(&mut self, input: impl FnOnce(&mut Link, Now)) {
        input(&mut self.link, self.now);
        while let Some(out) = self.link.poll() {
            match out {
                LinkOut::Connect { conn } => self.outs.connects.push(conn),
                LinkOut::Write { conn, frame } => self.outs.writes.push((conn, token_of(&frame))),
                LinkOut::Close { conn } => self.outs.closes.push(conn),
                LinkOut::Done { token, bytes, outcome } => {
                    self.outs.done.push((token.0, outcome));
                    self.outs.released += bytes;
                }
            }
        }
    }

    pub(super) fn announce(&mut self) {
        self.tell(|link, now| link.announced(now, Capabilities::PIPELINE));
    }

    pub(super) fn queue_frame(&mut self, token: u64, bytes: usize, acked: bool, order: Order) {
        let outgoing = Outgoing { token: Token(token), frame: frame(token, bytes), acked, order };
        self.tell(|link, now| link.queued(now, outgoing));
    }

    /// A small message that is acknowledged.
    pub(super) fn queue(&mut self, token: u64, order: Order) {
        self.queue_frame(token, 8, true, order);
    }

    /// A small message that is not.
    pub(super) fn queue_unacked(&mut self, token: u64, order: Order) {
        self.queue_frame(token, 8, false, order);
    }

    /// The connection that was asked for is open.
    pub(super) fn connect(&mut self) -> ConnId {
        assert!(!self.outs.connects.is_empty(), "no connection was asked for");
        let conn = self.outs.connects.remove(0);
        self.tell(|link, now| link.connected(now, conn));
        conn
    }

    /// The connection that was asked for cannot be made.
    pub(super) fn refuse(&mut self) {
        assert!(!self.outs.connects.is_empty(), "no connection was asked for");
        let conn = self.outs.connects.remove(0);
        self.lose(conn, Cause::Connect);
    }

    pub(super) fn lose(&mut self, conn: ConnId, cause: Cause) {
        self.tell(|link, now| link.lost(now, conn, cause));
    }

    pub(super) fn write(&mut self, conn: ConnId, count: usize) {
        self.tell(|link, now| link.written(now, conn, count));
    }

    pub(super) fn ack(&mut self, conn: ConnId) {
        self.tell(|link, now| link.acked(now, conn, Ack::Ok));
    }

    pub(super) fn fail_ack(&mut self, conn: ConnId) {
        self.tell(|link, now| link.acked(now, conn, Ack::Failed));
    }

    /// Time passes, and every deadline on the way is kept.
    pub(super) fn pass(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some(deadline) = self.link.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.later(deadline.saturating_duration_since(self.now.mono));
            self.tell(Link::handle_deadline);
        }
        self.now = self.now.later(end.saturating_duration_since(self.now.mono));
    }

    /// What is written since the last look.
    pub(super) fn writes(&mut self) -> Vec<(ConnId, u64)> {
        std::mem::take(&mut self.outs.writes)
    }

    /// The tokens written since the last look, all on this connection.
    pub(super) fn writes_on(&mut self, conn: ConnId) -> Vec<u64> {
        let writes = self.writes();
        assert!(writes.iter().all(|(on, _)| *on == conn), "all on {conn:?}: {writes:?}");
        writes.into_iter().map(|(_, token)| token).collect()
    }

    /// The outcomes since the last look.
    pub(super) fn done(&mut self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.outs.done)
    }

    pub(super) fn closes(&mut self) -> Vec<ConnId> {
        std::mem::take(&mut self.outs.closes)
    }

    /// Nothing is left that could get an outcome, and nothing waits for a clock.
    pub(super) fn assert_idle(&self) {
        assert_eq!((self.link.unfinished(), self.link.bytes()), (0, 0), "something is left");
        assert_eq!(self.link.deadline(), None, "an idle link waits for nothing");
    }
}

pub(super) const DELIVERED: Outcome = Outcome::Delivered;
pub(super) const WRITTEN: Outcome = Outcome::Written;

pub(super) fn failed(failure: Failure) -> Outcome {
    Outcome::Failed(failure)
}
