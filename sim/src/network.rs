//! Connections and cuts. Bytes of one direction of a connection arrive in order; nothing else is in any order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clowder_proto::link::ConnId;
use clowder_proto::wire::MemberId;

use crate::Who;

/// One connection: who made it, for which of its links, and that link's name for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) from: Who,
    pub(crate) link: u32,
    pub(crate) conn: ConnId,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// Messages.
    Forward,
    /// Acknowledgements.
    Backward,
}

/// Bytes under way.
#[derive(Debug)]
struct Pipe {
    chunks: VecDeque<Bytes>,
    /// Nothing behind arrives before.
    last: Instant,
}

#[derive(Debug)]
pub(crate) struct Connection {
    /// The member that it is meant for.
    pub(crate) target: MemberId,
    /// The process that accepted it.
    pub(crate) accepted: Option<Who>,
    /// Its maker has given it up: nothing more leaves, and nothing comes back.
    orphaned: bool,
    forward: Pipe,
    backward: Pipe,
}

impl Connection {
    pub(crate) fn pipe(&mut self, direction: Direction) -> &mut VecDeque<Bytes> {
        match direction {
            Direction::Forward => &mut self.forward.chunks,
            Direction::Backward => &mut self.backward.chunks,
        }
    }

    /// Its maker gives it up, and what is under way to the other end still comes. Returns when the last of it does;
    /// `None`: there is nothing.
    pub(crate) fn orphan(&mut self) -> Option<Instant> {
        let comes = self.accepted.is_some() && !self.orphaned && !self.forward.chunks.is_empty();
        self.orphaned |= comes;
        self.backward.chunks.clear();
        comes.then_some(self.forward.last)
    }

    /// Something is still to come on a connection that was given up.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.forward.chunks.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) connections: BTreeMap<Key, Connection>,
    /// From the first to the second nothing gets through.
    pub(crate) cut: BTreeSet<(usize, usize)>,
}

impl Network {
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to))
    }

    /// A connection cannot be used in either direction.
    pub(crate) fn is_severed(&self, a: usize, b: usize) -> bool {
        self.is_cut(a, b) || self.is_cut(b, a)
    }

    pub(crate) fn begin(&mut self, now: Instant, key: Key, target: MemberId) {
        let pipe = || Pipe { chunks: VecDeque::new(), last: now };
        self.connections
            .insert(key, Connection { target, accepted: None, orphaned: false, forward: pipe(), backward: pipe() });
    }

    /// Bytes leave. Returns when they arrive; `None`: the connection is no more.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        key: Key,
        direction: Direction,
        chunk: Bytes,
        delay: Duration,
    ) -> Option<Instant> {
        let connection = self.connections.get_mut(&key).filter(|connection| !connection.orphaned)?;
        let pipe = match direction {
            Direction::Forward => &mut connection.forward,
            Direction::Backward => &mut connection.backward,
        };
        pipe.last = pipe.last.max(now + delay);
        pipe.chunks.push_back(chunk);
        Some(pipe.last)
    }
}
