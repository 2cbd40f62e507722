//! A network of machines in memory: keyed order as a channel gives it, everything else as a seed says.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use super::tomcat::Tomcat;
use crate::Now;
use crate::session::{
    Completion, Incoming, JavaStr, SessionEvent, SessionLimits, Sessions, SessionsConfig, SessionsOut, Token, wire,
};
use crate::wire::{Capabilities, Member};

/// Numbers that depend on the seed alone (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub(super) const CONTEXT: &str = "localhost#/app";

pub(super) fn config() -> SessionsConfig {
    SessionsConfig::new(CONTEXT)
}

/// The clock at the start of every test.
pub(super) fn start() -> Now {
    Now { mono: Instant::now(), wall: UNIX_EPOCH + Duration::from_millis(1_795_355_867_800) }
}

pub(super) fn clowder(n: u8) -> Member {
    let mut member = Member::new(([127, 0, 0, n], 4000).into(), [n; 16]);
    member.extension = Capabilities::ALL.encode();
    member
}

pub(super) fn tomcat(n: u8) -> Member {
    let mut member = Member::new(([127, 0, 0, n], 4000).into(), [n; 16]);
    member.alive = 3_600_000;
    member
}

/// A Java string as a stream.
pub(super) fn text(text: &str) -> Bytes {
    wire::string(&JavaStr::from(text))
}

pub(super) enum Peer {
    Clowder(Box<Sessions>),
    Tomcat(Tomcat),
    Down,
}

struct Packet {
    due: Duration,
    token: Token,
    body: Bytes,
    /// Arrives, but its sender is told that it failed.
    ack_lost: bool,
}

/// What the network does to messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// Percent of messages that do not arrive; their senders hear of it.
    pub(super) loss: u64,
    /// Percent of messages that arrive although their sender hears the contrary.
    pub(super) ack_loss: u64,
    /// Longest delay in milliseconds.
    pub(super) delay: u64,
    /// Longer messages do not arrive, if there is such a limit; their senders hear of it.
    pub(super) size_max: Option<usize>,
}

pub(super) struct Net {
    pub(super) now: Now,
    elapsed: Duration,
    pub(super) members: Vec<Member>,
    pub(super) nodes: Vec<Peer>,
    /// By sender, receiver and key: one connection each.
    lanes: BTreeMap<(usize, usize, u64), VecDeque<Packet>>,
    /// Pairs that cannot reach each other.
    pub(super) cut: Vec<(usize, usize)>,
    pub(super) faults: Faults,
    pub(super) rng: Rng,
    pub(super) events: Vec<(usize, SessionEvent)>,
    pub(super) ready: Vec<(usize, bool)>,
    pub(super) settled: Vec<(usize, Token, usize)>,
    /// Every body that was delivered: sender, receiver.
    pub(super) log: Vec<(usize, usize, Bytes)>,
    /// Record deliveries in `log`.
    pub(super) logging: bool,
}

impl Net {
    pub(super) fn new() -> Self {
        Net {
            now: start(),
            elapsed: Duration::ZERO,
            members: Vec::new(),
            nodes: Vec::new(),
            lanes: BTreeMap::new(),
            cut: Vec::new(),
            faults: Faults { delay: 1, ..Faults::default() },
            rng: Rng(7),
            events: Vec::new(),
            ready: Vec::new(),
            settled: Vec::new(),
            log: Vec::new(),
            logging: true,
        }
    }

    /// Clowder nodes that all know each other and are ready.
    pub(super) fn of(nodes: usize) -> Self {
        let mut net = Net::new();
        for _ in 0..nodes {
            net.add(config());
        }
        net.settle();
        net.log.clear();
        net
    }

    /// One more Clowder node; everybody sees it, it sees everybody.
    pub(super) fn add(&mut self, config: SessionsConfig) -> usize {
        let member = clowder(u8::try_from(self.nodes.len() + 1).expect("few nodes"));
        self.add_as(member, config)
    }

    /// A Clowder node starts where another one was.
    pub(super) fn add_at(&mut self, of: usize, config: SessionsConfig) -> usize {
        let mut member = clowder(u8::try_from(self.nodes.len() + 1).expect("few nodes"));
        let earlier = &self.members[of].id;
        (member.id.host, member.id.port) = (earlier.host.clone(), earlier.port);
        self.add_as(member, config)
    }

    fn add_as(&mut self, member: Member, config: SessionsConfig) -> usize {
        let index = self.nodes.len();
        let machine = Sessions::new(config, &member.id, self.now);
        self.enter(member, Peer::Clowder(Box::new(machine)));
        let now = self.now;
        self.machine(index).started(now);
        index
    }

    /// One more Tomcat, with state of its own if it was filled.
    pub(super) fn add_tomcat(&mut self, tomcat: Tomcat) -> usize {
        let index = self.nodes.len();
        let member = super::net::tomcat(u8::try_from(index + 1).expect("few nodes"));
        self.enter(member, Peer::Tomcat(tomcat));
        index
    }

    fn enter(&mut self, member: Member, mut peer: Peer) {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if let Peer::Clowder(machine) = node {
                machine.joined(self.now, member.clone());
            }
            if let (Peer::Clowder(machine), false) = (&mut peer, matches!(node, Peer::Down)) {
                machine.joined(self.now, self.members[index].clone());
            }
        }
        self.members.push(member);
        self.nodes.push(peer);
    }

    pub(super) fn machine(&mut self, index: usize) -> &mut Sessions {
        match &mut self.nodes[index] {
            Peer::Clowder(machine) => machine,
            _ => panic!("node {index} is not a running Clowder node"),
        }
    }

    pub(super) fn tomcat(&mut self, index: usize) -> &mut Tomcat {
        match &mut self.nodes[index] {
            Peer::Tomcat(tomcat) => tomcat,
            _ => panic!("node {index} is not a running Tomcat"),
        }
    }

    /// The node dies at once; the others notice.
    pub(super) fn kill(&mut self, index: usize) {
        self.nodes[index] = Peer::Down;
        let id = self.members[index].id.clone();
        let now = self.now;
        for node in &mut self.nodes {
            if let Peer::Clowder(machine) = node {
                machine.left(now, &id);
            }
        }
        for (key, lane) in std::mem::take(&mut self.lanes) {
            if key.1 == index {
                lane.into_iter().for_each(|packet| self.outcome(key.0, index, packet.token, false));
            } else if key.0 != index {
                self.lanes.insert(key, lane);
            }
        }
    }

    /// Both see each other no more.
    pub(super) fn part(&mut self, a: usize, b: usize) {
        self.cut.push((a.min(b), a.max(b)));
        self.see(a, b, false);
        self.see(b, a, false);
    }

    pub(super) fn heal(&mut self, a: usize, b: usize) {
        self.cut.retain(|pair| *pair != (a.min(b), a.max(b)));
        self.see(a, b, true);
        self.see(b, a, true);
    }

    fn see(&mut self, who: usize, whom: usize, present: bool) {
        let (now, member) = (self.now, self.members[whom].clone());
        if let Peer::Clowder(machine) = &mut self.nodes[who] {
            if present { machine.joined(now, member) } else { machine.left(now, &member.id) }
        }
    }

    /// Takes what the machines want to send, and times that have come.
    pub(super) fn drain(&mut self) {
        for from in 0..self.nodes.len() {
            while let Some(out) = match &mut self.nodes[from] {
                Peer::Clowder(machine) => machine.poll(),
                _ => None,
            } {
                match out {
                    SessionsOut::Send(send) => {
                        let body = send.body.encode();
                        for member in send.to.iter() {
                            self.post(from, &member.clone(), send.key, send.token, body.clone());
                        }
                    }
                    SessionsOut::Event(event) => self.events.push((from, event)),
                    SessionsOut::StateReady { complete } => self.ready.push((from, complete)),
                    SessionsOut::Settled { token, failed } => self.settled.push((from, token, failed)),
                }
            }
            let sent = match &mut self.nodes[from] {
                Peer::Tomcat(tomcat) => std::mem::take(&mut tomcat.outbox),
                _ => Vec::new(),
            };
            for (to, body) in sent {
                let targets: Vec<Member> = match to {
                    Some(member) => vec![member],
                    None => self.others(from),
                };
                for member in targets {
                    // One key: a Tomcat that keeps its order. Its disorder is modelled where a test is about it.
                    self.post(from, &member, 0, Token(0), body.clone());
                }
            }
        }
    }

    fn others(&self, from: usize) -> Vec<Member> {
        let up = |index: &usize| *index != from && !matches!(self.nodes[*index], Peer::Down);
        (0..self.nodes.len()).filter(up).map(|index| self.members[index].clone()).collect()
    }

    fn post(&mut self, from: usize, to: &Member, key: u64, token: Token, body: Bytes) {
        let Some(to) = self.members.iter().position(|member| member.id == to.id) else {
            // An earlier incarnation.
            if let Peer::Clowder(machine) = &mut self.nodes[from] {
                machine.sent(self.now, token, &to.id, false);
            }
            return;
        };
        let down = matches!(self.nodes[to], Peer::Down) || self.cut.contains(&(from.min(to), from.max(to)));
        let is_too_large = self.faults.size_max.is_some_and(|max| body.len() > max);
        if down || is_too_large || self.rng.chance(self.faults.loss) {
            self.outcome(from, to, token, false);
            return;
        }
        let delay = Duration::from_millis(self.rng.below(self.faults.delay.max(1)) + 1);
        let lane = self.lanes.entry((from, to, key)).or_default();
        let after = lane.back().map_or(Duration::ZERO, |packet| packet.due);
        let ack_lost = self.rng.chance(self.faults.ack_loss);
        lane.push_back(Packet { due: (self.elapsed + delay).max(after), token, body, ack_lost });
    }

    fn outcome(&mut self, from: usize, to: usize, token: Token, delivered: bool) {
        let (now, member) = (self.now, self.members[to].id.clone());
        if let Peer::Clowder(machine) = &mut self.nodes[from] {
            machine.sent(now, token, &member, delivered);
        }
    }

    fn deliver(&mut self, from: usize, to: usize, packet: Packet) {
        if self.cut.contains(&(from.min(to), from.max(to))) {
            return self.outcome(from, to, packet.token, false);
        }
        if self.logging {
            self.log.push((from, to, packet.body.clone()));
        }
        let (now, sender) = (self.now, self.members[from].clone());
        let delivered = match &mut self.nodes[to] {
            Peer::Clowder(machine) => {
                let incoming = Incoming::decode(&packet.body, &SessionLimits::default()).expect("own messages decode");
                machine.received(now, &sender, incoming, false);
                true
            }
            Peer::Tomcat(tomcat) => {
                tomcat.received(now, &sender, &packet.body);
                true
            }
            Peer::Down => false,
        };
        self.outcome(from, to, packet.token, delivered && !packet.ack_lost);
    }

    /// Runs for this long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.elapsed + time;
        loop {
            self.drain();
            let packet = self.lanes.iter().filter_map(|(key, lane)| Some((lane.front()?.due, *key))).min();
            let timer = self.nodes.iter().filter_map(|node| match node {
                Peer::Clowder(machine) => machine.deadline(),
                _ => None,
            });
            let timer = timer.min().map(|at| self.elapsed + at.saturating_duration_since(self.now.mono));
            let next = [packet.map(|(due, _)| due), timer].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                return self.advance(end);
            };
            self.advance(next);
            match packet {
                Some((due, key)) if due <= self.elapsed => {
                    let packet = self.lanes.get_mut(&key).and_then(VecDeque::pop_front).expect("it was in front");
                    self.deliver(key.0, key.1, packet);
                }
                _ => self.timers(),
            }
        }
    }

    fn advance(&mut self, to: Duration) {
        let by = to.saturating_sub(self.elapsed);
        self.elapsed = self.elapsed.max(to);
        self.now = self.now.later(by);
    }

    fn timers(&mut self) {
        let now = self.now;
        for node in &mut self.nodes {
            if let Peer::Clowder(machine) = node
                && machine.deadline().is_some_and(|at| at <= now.mono)
            {
                machine.handle_deadline(now);
            }
        }
    }

    /// Until messages have arrived and were answered; longer waits do not begin.
    pub(super) fn settle(&mut self) {
        self.run(Duration::from_millis(200));
    }

    /// A session made at this node with one attribute, replicated.
    pub(super) fn session(&mut self, node: usize, id: &str) {
        let now = self.now;
        let machine = self.machine(node);
        machine.create(now, JavaStr::from(id)).expect("free id");
        machine.set_attribute(now, id, "user", text("alice")).expect("exists");
        machine.request_completed(now, id);
        self.settle();
    }

    pub(super) fn set(&mut self, node: usize, id: &str, name: &str, value: &str) -> Completion {
        let now = self.now;
        let machine = self.machine(node);
        machine.access(now, id).expect("the session is there");
        machine.set_attribute(now, id, name, text(value)).expect("the session is there");
        machine.request_completed(now, id)
    }

    /// The text of an attribute.
    pub(super) fn get(&self, node: usize, id: &str, name: &str) -> Option<String> {
        let value = match &self.nodes[node] {
            Peer::Clowder(machine) => machine.snapshot(id)?.attribute(name)?.clone(),
            Peer::Tomcat(tomcat) => tomcat.sessions.get(id)?.attributes.get(name)?.clone(),
            Peer::Down => return None,
        };
        Some(String::from_utf8_lossy(&value[7..]).into_owned())
    }

    /// Everything that a node knows, in comparable form.
    pub(super) fn picture(&self, node: usize) -> BTreeMap<String, BTreeMap<String, String>> {
        let show = |value: &Bytes| String::from_utf8_lossy(&value[7..]).into_owned();
        match &self.nodes[node] {
            Peer::Clowder(machine) => machine
                .ids()
                .map(|id| {
                    let snapshot = machine.snapshot(&id.to_text()).expect("listed");
                    let values = snapshot.attributes().map(|(name, value)| (name.to_string(), show(value))).collect();
                    (id.to_string(), values)
                })
                .collect(),
            Peer::Tomcat(tomcat) => tomcat
                .sessions
                .iter()
                .map(|(id, session)| {
                    let values = session.attributes.iter().map(|(name, value)| (name.clone(), show(value))).collect();
                    (id.clone(), values)
                })
                .collect(),
            Peer::Down => BTreeMap::new(),
        }
    }

    /// Events of delivered messages from one node to another.
    pub(super) fn traffic(&self, from: usize, to: usize) -> Vec<wire::Event> {
        let limits = SessionLimits::default();
        let between = self.log.iter().filter(|(f, t, _)| (*f, *t) == (from, to));
        between.map(|(_, _, body)| wire::SessionMessage::decode(body, &limits).expect("decodes").event).collect()
    }
}
