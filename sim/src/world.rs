//! Virtual time: what happens next, to whom, and what follows from it on the network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::group::{Probe, ProbeFailure, ProbeId, Verdict};
use clowder_proto::link::Cause;
use clowder_proto::wire::MemberId;

use crate::checkers;
use crate::history::History;
use crate::network::{Direction, Key, Network};
use crate::node::{Effect, GroupInput, Process, Turn};
use crate::workload::Workload;
use crate::{Sabotage, Settings, Who};

/// Between two looks of a system at a peer that does not answer.
const RETRANSMIT: Duration = Duration::from_millis(100);
/// So much can happen at one moment, and not more.
const SAME_MOMENT_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) enum Event {
    Datagram {
        to: usize,
        bytes: Bytes,
    },
    Verdict {
        at: Who,
        probe: ProbeId,
        verdict: Verdict,
    },
    WatchLost {
        at: Who,
        member: MemberId,
    },
    Connecting(Key),
    Connected(Key),
    Lost(Key, Cause),
    Ended {
        at: Who,
        key: Key,
    },
    Writable(Key),
    Written(Key, usize),
    Bytes(Key, Direction),
    /// The task of a connection to this process has a message to hand on.
    Hand(Who, Key),
    /// Nothing more leaves on a connection whose maker gave it up.
    Drained(Key),
    Process(Who),
    Boot(usize),
    /// The next fault.
    Fault,
    /// The next request of a client.
    Request,
    /// The next message of an application.
    Message,
}

/// A node, whether it runs or not.
pub(crate) struct Node {
    pub(crate) life: u32,
    pub(crate) process: Option<Process>,
    /// Its wall clock is ahead of the true time by so many milliseconds.
    pub(crate) clock: i64,
    /// When the process wants to be called.
    due: Option<Instant>,
    /// Whose connections end when this process does.
    watched_by: BTreeSet<(Who, MemberId)>,
}

/// A cluster, its network and its clients.
pub struct World {
    /// What the run is like.
    pub settings: Settings,
    /// What happened so far.
    pub history: History,
    pub(crate) rng: fastrand::Rng,
    pub(crate) now: Now,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) workload: Workload,
    /// No faults any more.
    pub(crate) calm: bool,
    /// Processes that are gone, for the checkers.
    pub(crate) buried: Vec<Process>,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    /// Digest of everything that happened, in its order.
    trace: u64,
}

impl World {
    /// All nodes start at once.
    pub fn new(settings: Settings) -> World {
        let wall = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000);
        let node = |_| Node { life: 0, process: None, clock: 0, due: None, watched_by: BTreeSet::new() };
        let mut world = World {
            rng: fastrand::Rng::with_seed(settings.seed),
            now: Now { mono: Instant::now() + Duration::from_secs(1000), wall },
            nodes: (0..settings.nodes).map(node).collect(),
            history: History::default(),
            network: Network::default(),
            workload: Workload::default(),
            calm: false,
            buried: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            trace: 0,
            settings,
        };
        for node in 0..world.nodes.len() {
            world.boot(node);
        }
        for event in [Event::Fault, Event::Request, Event::Message] {
            world.later(Duration::from_millis(100), event);
        }
        world
    }

    /// A number that two runs share if the same things happened in the same order at the same times.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    pub(crate) fn later(&mut self, by: Duration, event: Event) {
        self.at(self.now.mono + by, event);
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    pub(crate) fn delay(&mut self) -> Duration {
        let most = if self.calm { 2_000 } else { self.settings.latency.as_micros() };
        Duration::from_micros(self.rng.u64(50..=50 + u64::try_from(most).expect("a short time")))
    }

    /// The time as a node's clocks tell it.
    pub(crate) fn time_at(&self, node: usize) -> Now {
        let by = Duration::from_millis(self.nodes[node].clock.unsigned_abs());
        let wall = self.now.wall;
        Now { wall: if self.nodes[node].clock < 0 { wall - by } else { wall + by }, ..self.now }
    }

    /// The processes that run.
    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.nodes.iter().filter_map(|node| node.process.as_ref())
    }

    /// A layer of order, which is set to do so, forgot messages that it held for too long and had acknowledged.
    pub(crate) fn forgot(&self) -> bool {
        self.processes().chain(&self.buried).any(|process| process.counted("order", &["forgotten"]) > 0)
    }

    /// One input of a process, and what follows from it. Nothing, if it does not run any more.
    pub(crate) fn tell(&mut self, who: Who, input: impl FnOnce(&mut Process, &mut Turn<'_>)) {
        let now = self.time_at(who.node);
        let Some(process) = self.nodes[who.node].process.as_mut().filter(|process| process.who == who) else { return };
        let mut effects = Vec::new();
        let mut turn = Turn {
            now,
            rng: &mut self.rng,
            history: &mut self.history,
            effects: &mut effects,
            settings: &self.settings,
        };
        input(process, &mut turn);
        checkers::bounds::check(process, &self.settings, &mut self.history);
        checkers::held::check_bounds(process, &self.settings, &mut self.history);
        self.nodes[who.node].due = process.deadline();
        for effect in effects {
            self.perform(who, effect);
        }
    }

    pub(crate) fn boot(&mut self, node: usize) {
        self.nodes[node].life += 1;
        let who = Who { node, life: self.nodes[node].life };
        let process = Process::new(who, self.rng.u64(..), &self.settings, self.time_at(node));
        self.nodes[node].process = Some(process);
        self.tell(who, Process::settle);
    }

    /// The process dies: the system closes its connections.
    pub(crate) fn kill(&mut self, node: usize) {
        let Some(process) = self.nodes[node].process.take() else { return };
        self.nodes[node].due = None;
        let who = process.who;
        self.history.died.insert(who, self.now.mono);
        self.buried.push(process);
        for (at, member) in std::mem::take(&mut self.nodes[node].watched_by) {
            let delay = self.delay();
            self.later(delay, Event::WatchLost { at, member });
        }
        for other in &mut self.nodes {
            other.watched_by.retain(|(at, _)| *at != who);
        }
        let keys: Vec<Key> = self.network.connections.keys().copied().collect();
        for key in keys {
            if self.network.connections[&key].accepted == Some(who) {
                self.network.connections.remove(&key);
                let delay = self.delay();
                self.later(delay, Event::Lost(key, Cause::Lost));
            } else if key.from == who {
                self.abandon(key);
            }
        }
    }

    /// A connection breaks, and both ends hear of it.
    pub(crate) fn break_connection(&mut self, key: Key) {
        if !self.network.connections.contains_key(&key) {
            return;
        }
        let delay = self.delay();
        self.later(delay, Event::Lost(key, Cause::Lost));
        self.abandon(key);
    }

    /// The maker of a connection is done with it. What is under way to the other end is lost, or comes all the same, as
    /// a system sends what it took.
    fn abandon(&mut self, key: Key) {
        let Some(connection) = self.network.connections.get_mut(&key) else { return };
        let delay = if self.settings.lingers && self.rng.bool() { connection.orphan() } else { None };
        match delay {
            Some(last) => self.at(last, Event::Drained(key)),
            None => self.end_connection(key),
        }
    }

    fn end_connection(&mut self, key: Key) {
        if let Some(at) = self.network.connections.remove(&key).and_then(|connection| connection.accepted) {
            let delay = self.delay();
            self.later(delay, Event::Ended { at, key });
        }
    }

    /// All that was under way on an abandoned connection has come, or cannot come yet.
    fn drained(&mut self, key: Key) {
        let waits = self.network.connections.get_mut(&key).is_some_and(|connection| connection.is_under_way());
        if waits {
            self.later(RETRANSMIT, Event::Drained(key));
        } else {
            self.end_connection(key);
        }
    }

    fn perform(&mut self, who: Who, effect: Effect) {
        match effect {
            Effect::Multicast(bytes) => self.multicast(who.node, &bytes),
            Effect::Probe(probe) => self.probe(who, &probe),
            Effect::Watch(member) => {
                let peer = Who::node_of(&member);
                match &self.nodes[peer].process {
                    Some(_) => drop(self.nodes[peer].watched_by.insert((who, member))),
                    None => self.later(RETRANSMIT, Event::WatchLost { at: who, member }),
                }
            }
            Effect::Unwatch(member) => {
                self.nodes[Who::node_of(&member)].watched_by.remove(&(who, member));
            }
            Effect::Connect(key, target) => {
                self.network.begin(self.now.mono, key, target);
                let delay = self.delay();
                self.later(delay, Event::Connecting(key));
            }
            Effect::Writable(key) => {
                let pause = Duration::from_micros(self.rng.u64(..100));
                self.later(pause, Event::Writable(key));
            }
            Effect::Close(key) => self.abandon(key),
            Effect::Hangup(key) => {
                self.network.connections.remove(&key);
                let delay = self.delay();
                self.later(delay, Event::Lost(key, Cause::Lost));
            }
            Effect::Acks(key, bytes) => self.transmit(key, Direction::Backward, bytes),
            Effect::Hand(key) => {
                let pause = Duration::from_micros(self.rng.u64(..2000));
                self.later(pause, Event::Hand(who, key));
            }
            Effect::Process => {
                let most = u64::try_from(self.settings.processing.as_micros()).expect("a short time");
                let time = Duration::from_micros(self.rng.u64(..=most));
                self.later(time, Event::Process(who));
            }
            Effect::Settled(token, failed) => self.message_settled(who, token, failed),
        }
    }

    /// Cut into pieces as it pleases the network.
    pub(crate) fn transmit(&mut self, key: Key, direction: Direction, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let length = if self.rng.u8(..3) == 0 { self.rng.usize(1..=bytes.len()) } else { bytes.len() };
            let delay = self.delay();
            let due = self.network.send(self.now.mono, key, direction, bytes.split_to(length), delay);
            let Some(due) = due else { return };
            self.at(due, Event::Bytes(key, direction));
        }
    }

    fn multicast(&mut self, from: usize, bytes: &Bytes) {
        for to in 0..self.nodes.len() {
            let lost = !self.calm && self.rng.u32(..100) < self.settings.datagram_loss;
            if to != from && !lost && !self.network.is_cut(from, to) {
                let delay = self.delay();
                self.later(delay, Event::Datagram { to, bytes: bytes.clone() });
            }
        }
    }

    /// What is cut in either direction is silent.
    fn probe(&mut self, at: Who, probe: &Probe) {
        let to = Who::node_of(&probe.member.id);
        let delay = self.delay();
        let (verdict, after) = match &self.nodes[to].process {
            _ if self.network.is_severed(at.node, to) => {
                (Verdict::Dead(ProbeFailure::ConnectTimeout), probe.connect_timeout)
            }
            Some(_) => (Verdict::Alive, delay),
            None => (Verdict::Dead(ProbeFailure::Refused), delay),
        };
        self.later(after, Event::Verdict { at, probe: probe.id, verdict });
    }

    /// Runs for this long.
    pub fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        let mut at_once = 0;
        loop {
            let woken = self.nodes.iter().enumerate().filter_map(|(at, node)| Some((node.due?, at))).min();
            let queued = self.queue.first_key_value().map(|(key, _)| *key);
            let next = [woken.map(|(at, _)| at), queued.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                self.now = self.now.later(end.saturating_duration_since(self.now.mono));
                return;
            };
            let passed = next.saturating_duration_since(self.now.mono);
            self.now = self.now.later(passed);
            at_once = if passed.is_zero() { at_once + 1 } else { 0 };
            if at_once > SAME_MOMENT_MAX {
                let who = woken.and_then(|(_, node)| self.nodes[node].process.as_ref().map(Process::due));
                return self.history.violated("progress", format!("time stands still: {who:?}"));
            }
            self.trace = self.trace.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.rng.get_seed();
            match (woken, queued) {
                (Some((at, node)), _) if at <= next => {
                    let who = Who { node, life: self.nodes[node].life };
                    self.tell(who, Process::handle_deadline);
                }
                (_, Some(key)) => {
                    let event = self.queue.remove(&key).expect("it was there");
                    self.happen(event);
                }
                _ => unreachable!("one of them was the next"),
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Datagram { to, bytes } => {
                let deaf = self.settings.sabotage == Sabotage::Deaf && to == 0;
                let who = Who { node: to, life: self.nodes[to].life };
                let from = ([10, 0, 0, 99], 45564).into();
                if !deaf {
                    self.tell(who, |process, turn| process.group_told(turn, GroupInput::Datagram(from, bytes)));
                }
            }
            Event::Verdict { at, probe, verdict } => {
                self.tell(at, |process, turn| process.group_told(turn, GroupInput::Probed(probe, verdict)));
            }
            Event::WatchLost { at, member } => {
                self.tell(at, |process, turn| process.group_told(turn, GroupInput::WatchLost(member)));
            }
            Event::Connecting(key) => self.connecting(key),
            Event::Connected(key) => self.tell(key.from, |process, turn| process.connected(turn, key)),
            Event::Lost(key, cause) => self.tell(key.from, |process, turn| process.lost(turn, key, cause)),
            Event::Ended { at, key } => self.tell(at, |process, _| process.ended(key)),
            Event::Writable(key) => self.writable(key),
            Event::Written(key, count) => self.tell(key.from, |process, turn| process.written(turn, key, count)),
            Event::Bytes(key, direction) => self.bytes(key, direction),
            Event::Hand(who, key) => self.tell(who, |process, turn| process.hand(turn, key)),
            Event::Drained(key) => self.drained(key),
            Event::Process(who) => self.tell(who, Process::process),
            Event::Boot(node) => self.boot(node),
            Event::Fault => self.fault(),
            Event::Request => self.request(),
            Event::Message => self.message(),
        }
    }

    fn connecting(&mut self, key: Key) {
        let Some(connection) = self.network.connections.get(&key) else { return };
        let target = connection.target.clone();
        let to = Who::node_of(&target);
        if self.network.is_severed(key.from.node, to) {
            return self.later(RETRANSMIT, Event::Connecting(key));
        }
        let delay = self.delay();
        let Some(process) = &mut self.nodes[to].process else {
            self.network.connections.remove(&key);
            return self.later(delay, Event::Lost(key, Cause::Connect));
        };
        let who = process.who;
        process.accepted(key, target);
        if let Some(connection) = self.network.connections.get_mut(&key) {
            connection.accepted = Some(who);
        }
        self.later(delay, Event::Connected(key));
    }

    /// One system call of the driver, which is reported at once, or when the answer may have come already.
    fn writable(&mut self, key: Key) {
        let mut written = None;
        self.tell(key.from, |process, turn| written = process.write(turn, key));
        let Some((bytes, count)) = written else { return };
        self.transmit(key, Direction::Forward, bytes);
        if self.rng.u8(..4) > 0 {
            self.tell(key.from, |process, turn| process.written(turn, key, count));
        } else {
            let pause = Duration::from_micros(self.rng.u64(..1000));
            self.later(pause, Event::Written(key, count));
        }
    }

    fn bytes(&mut self, key: Key, direction: Direction) {
        let Some(connection) = self.network.connections.get_mut(&key) else { return };
        let Some(receiver) = connection.accepted else { return };
        if self.network.is_severed(key.from.node, receiver.node) {
            return self.later(RETRANSMIT, Event::Bytes(key, direction));
        }
        let Some(connection) = self.network.connections.get_mut(&key) else { return };
        let Some(chunk) = connection.pipe(direction).pop_front() else { return };
        match direction {
            Direction::Forward => self.tell(receiver, |process, turn| process.bytes_received(turn, key, &chunk)),
            Direction::Backward => self.tell(key.from, |process, turn| process.acks_received(turn, key, &chunk)),
        }
    }
}
