//! Several groups on one network that loses, delays and cuts, with processes that crash, stop and start again.
//!
//! Everything follows from one seed. A first phase has faults, a second has none; what must always hold is checked
//! after every step, what must hold in the end after the second.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::rpc::{RpcLimits, RpcMessage};
use crate::wire::Limits;

const NODES: usize = 5;
const FAULTS: Duration = Duration::from_secs(40);
const CALM: Duration = Duration::from_secs(25);
/// A process that is gone is in no view any more after: the drop time, two probes that time out, their pauses, and
/// the regular looks of the static way.
const DEATH_MAX: Duration = Duration::from_secs(12);

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Multicast,
    Static,
    Both,
    Service,
}

impl Mode {
    /// Configured ids stay the same in every life.
    fn has_configured(self) -> bool {
        matches!(self, Mode::Static | Mode::Both)
    }
}

enum Event {
    Datagram { to: usize, bytes: Bytes },
    Verdict { at: Process, probe: ProbeId, to: MemberId, verdict: Verdict },
    Notice { to: Process, from: Member, notice: Notice },
    Service { to: Process, message: Message },
    Contacted { at: Process, to: MemberId, reached: bool },
    WatchLost { at: Process, member: MemberId },
    Fault,
}

/// One life of one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Process {
    node: usize,
    life: u8,
}

struct Node {
    life: u8,
    group: Option<Group>,
    view: Vec<Member>,
    /// By whom the connection ends when this process does.
    watches: BTreeSet<(Process, MemberId)>,
}

struct Net {
    mode: Mode,
    seed: u64,
    random: u64,
    now: Now,
    calm: bool,
    nodes: Vec<Node>,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    cut: BTreeSet<(usize, usize)>,
    /// Facts for the checks: since when an id has no process, who said goodbye, whose probes failed.
    dead_since: BTreeMap<MemberId, Instant>,
    goodbyes: BTreeSet<MemberId>,
    failed_probes: BTreeSet<(Process, MemberId)>,
    removals: usize,
}

impl Net {
    fn new(mode: Mode, seed: u64) -> Self {
        let node = || Node { life: 0, group: None, view: Vec::new(), watches: BTreeSet::new() };
        let mut net = Net {
            mode,
            seed,
            random: seed,
            now: start(),
            calm: false,
            nodes: (0..NODES).map(|_| node()).collect(),
            queue: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            dead_since: BTreeMap::new(),
            goodbyes: BTreeSet::new(),
            failed_probes: BTreeSet::new(),
            removals: 0,
        };
        for node in 0..NODES {
            net.boot(node);
        }
        net.later(ms(500), Event::Fault);
        net
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn later(&mut self, by: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now.mono + by, self.sequence), event);
    }

    fn delay(&mut self) -> Duration {
        let most = if self.calm { 2000 } else { 40_000 };
        Duration::from_micros(50 + self.roll(most))
    }

    fn identity(&self, node: usize) -> Member {
        let number = u8::try_from(node + 1).expect("few nodes");
        let life = if self.mode.has_configured() { number } else { self.nodes[node].life };
        member(number, life)
    }

    fn process(&self, node: usize) -> Process {
        Process { node, life: self.nodes[node].life }
    }

    fn is_up(&self, process: Process) -> bool {
        self.nodes[process.node].life == process.life && self.nodes[process.node].group.is_some()
    }

    fn node_of(id: &MemberId) -> usize {
        usize::from(id.host[3]) - 1
    }

    fn boot(&mut self, node: usize) {
        self.nodes[node].life += 1;
        let all: Vec<Member> = (0..NODES).map(|node| self.identity(node)).collect();
        let contacts =
            all.iter().map(|node| Member { id: MemberId { unique_id: [0; 16], ..node.id.clone() }, ..node.clone() });
        let service = ServiceConfig { contacts: contacts.collect(), ..ServiceConfig::new(Bytes::from_static(b"id")) };
        let config = GroupConfig {
            heartbeats: matches!(self.mode, Mode::Multicast | Mode::Both).then(HeartbeatConfig::default),
            configured: if self.mode.has_configured() { all } else { Vec::new() },
            service: (self.mode == Mode::Service).then_some(service),
            seed: self.roll(u64::MAX),
            ..GroupConfig::default()
        };
        let local = self.identity(node);
        self.dead_since.remove(&local.id);
        self.goodbyes.remove(&local.id);
        self.nodes[node].group = Some(Group::new(config, local, self.now));
        self.drain(node);
    }

    /// The process ends, with or without having said goodbye: the system closes its connections.
    fn end(&mut self, node: usize) {
        let id = self.identity(node).id;
        self.nodes[node].group = None;
        self.nodes[node].view.clear();
        self.dead_since.insert(id, self.now.mono);
        for (at, member) in std::mem::take(&mut self.nodes[node].watches) {
            let delay = self.delay();
            self.later(delay, Event::WatchLost { at, member });
        }
        for other in &mut self.nodes {
            other.watches.retain(|(at, _)| at.node != node);
        }
    }

    fn tell(&mut self, node: usize, input: impl FnOnce(&mut Group, Now)) {
        let now = self.now;
        if let Some(group) = &mut self.nodes[node].group {
            input(group, now);
            self.drain(node);
        }
    }

    fn drain(&mut self, node: usize) {
        while let Some(out) = self.nodes[node].group.as_mut().and_then(Group::poll) {
            match out {
                GroupOut::Multicast(bytes) => self.multicast(node, &bytes),
                GroupOut::Probe(probe) => self.probe(node, &probe),
                GroupOut::Notice { to, notice, .. } => {
                    let from = self.identity(node);
                    self.notice(node, Net::node_of(&to.id), from, notice);
                }
                GroupOut::Service { to, message } => self.service(node, Net::node_of(&to.id), message),
                GroupOut::Contact { to, message, connect_timeout } => {
                    self.contact(node, &to.id, message, connect_timeout)
                }
                GroupOut::Watch { member, .. } => {
                    let at = self.process(node);
                    let peer = Net::node_of(&member);
                    if self.nodes[peer].group.is_some() {
                        self.nodes[peer].watches.insert((at, member));
                    } else {
                        self.later(ms(1), Event::WatchLost { at, member });
                    }
                }
                GroupOut::Unwatch(member) => {
                    let at = self.process(node);
                    self.nodes[Net::node_of(&member)].watches.remove(&(at, member));
                }
                GroupOut::View(update) => self.view(node, update),
                GroupOut::Stopped => {
                    self.end(node);
                    return;
                }
                GroupOut::DatagramMessage(_) | GroupOut::Dropped { .. } | GroupOut::Met { .. } => {}
            }
        }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to))
    }

    fn multicast(&mut self, from: usize, bytes: &Bytes) {
        for to in 0..NODES {
            let lost = !self.calm && self.roll(10) < 2;
            if to != from && !lost && !self.is_cut(from, to) {
                let delay = self.delay();
                self.later(delay, Event::Datagram { to, bytes: bytes.clone() });
            }
        }
    }

    /// Which process answers is decided at the arrival; what is cut in either direction is silent.
    fn probe(&mut self, from: usize, probe: &Probe) {
        let to = Net::node_of(&probe.member.id);
        let at = self.process(from);
        let silent = self.is_cut(from, to) || self.is_cut(to, from) || (!self.calm && self.roll(50) == 0);
        let (verdict, after) = match (&self.nodes[to].group, silent) {
            (_, true) => (SILENT, probe.connect_timeout),
            (Some(_), false) => (Verdict::Alive, self.delay()),
            (None, false) => (REFUSED, self.delay()),
        };
        if verdict == Verdict::Alive {
            let sender = self.identity(from);
            self.notice(from, to, sender, Notice::Probe);
        }
        self.later(after, Event::Verdict { at, probe: probe.id, to: probe.member.id.clone(), verdict });
    }

    fn notice(&mut self, from: usize, to: usize, sender: Member, notice: Notice) {
        if !self.is_cut(from, to) && self.nodes[to].group.is_some() {
            let delay = self.delay();
            self.later(delay, Event::Notice { to: self.process(to), from: sender, notice });
        }
    }

    fn service(&mut self, from: usize, to: usize, message: Message) {
        if !self.is_cut(from, to) && self.nodes[to].group.is_some() {
            let delay = self.delay();
            self.later(delay, Event::Service { to: self.process(to), message });
        }
    }

    fn contact(&mut self, from: usize, to: &MemberId, message: Message, connect_timeout: Duration) {
        let at = self.process(from);
        let node = Net::node_of(to);
        let silent = self.is_cut(from, node) || self.is_cut(node, from);
        let reached = !silent && self.nodes[node].group.is_some();
        if reached {
            self.service(from, node, message);
        }
        let after = if silent { connect_timeout } else { self.delay() };
        self.later(after, Event::Contacted { at, to: to.clone(), reached });
    }

    fn view(&mut self, node: usize, update: ViewUpdate) {
        for (member, reason) in &update.left {
            self.removals += 1;
            let at = self.process(node);
            let justified = match reason {
                LeftReason::Goodbye => self.goodbyes.contains(&member.id),
                LeftReason::Dead(_) | LeftReason::Expired(_) => self.failed_probes.contains(&(at, member.id.clone())),
                LeftReason::Replaced => self.nodes[Net::node_of(&member.id)].life > 1,
                LeftReason::OtherDomain => false,
            };
            assert!(justified, "seed {}: {at:?} removed {member} without a cause: {reason:?}", self.seed);
            self.failed_probes.remove(&(at, member.id.clone()));
        }
        let addresses: BTreeSet<_> = update.members.iter().map(|member| Net::node_of(&member.id)).collect();
        assert_eq!(addresses.len(), update.members.len(), "seed {}: two lives of one node in a view", self.seed);
        self.nodes[node].view = update.members;
    }

    fn fault(&mut self) {
        if self.calm {
            return;
        }
        let node = usize::try_from(self.roll(NODES as u64)).expect("a node");
        match self.roll(6) {
            0 | 1 if self.nodes[node].group.is_some() => self.end(node),
            2 if self.nodes[node].group.is_some() => {
                self.goodbyes.insert(self.identity(node).id);
                self.tell(node, Group::stopping);
            }
            3 => {
                let other = usize::try_from(self.roll(NODES as u64)).expect("a node");
                self.cut.insert((node, other));
            }
            4 => self.cut.clear(),
            _ if self.nodes[node].group.is_none() => self.boot(node),
            _ => {}
        }
        let pause = ms(50 + self.roll(3000));
        self.later(pause, Event::Fault);
    }

    fn step(&mut self) {
        let deadline = |node: &Node| node.group.as_ref().and_then(Group::deadline);
        let woken = (0..NODES).filter_map(|node| Some((deadline(&self.nodes[node])?, node))).min();
        let queued = self.queue.first_key_value().map(|(key, _)| *key);
        match (woken, queued) {
            (Some((at, node)), Some((event, _))) if at <= event => {
                self.advance(at);
                self.tell(node, Group::handle_deadline);
            }
            (Some((at, node)), None) => {
                self.advance(at);
                self.tell(node, Group::handle_deadline);
            }
            (_, Some(key)) => {
                self.advance(key.0);
                let event = self.queue.remove(&key).expect("it was there");
                self.happen(event);
            }
            (None, None) => self.advance(self.now.mono + ms(100)),
        }
    }

    fn advance(&mut self, to: Instant) {
        self.now = self.now.later(to.saturating_duration_since(self.now.mono));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Datagram { to, bytes } => {
                let from = ([10, 0, 0, 99], 45564).into();
                self.tell(to, |group, now| group.datagram_received(now, from, &bytes));
            }
            Event::Verdict { at, probe, to, verdict } if self.is_up(at) => {
                if verdict != Verdict::Alive {
                    self.failed_probes.insert((at, to));
                }
                self.tell(at.node, |group, now| group.probed(now, probe, verdict));
            }
            Event::Notice { to, from, notice } if self.is_up(to) => {
                self.tell(to.node, |group, now| group.notice_received(now, &from, notice));
            }
            Event::WatchLost { at, member } if self.is_up(at) => {
                self.tell(at.node, |group, now| group.watch_lost(now, &member));
            }
            Event::Service { to, message } if self.is_up(to) => {
                let said = received(&message);
                self.tell(to.node, |group, now| group.service_received(now, &message.from, said));
            }
            Event::Contacted { at, to, reached } if self.is_up(at) => {
                self.tell(at.node, |group, now| group.contacted(now, &to, reached));
            }
            Event::Fault => self.fault(),
            Event::Verdict { .. }
            | Event::Notice { .. }
            | Event::Service { .. }
            | Event::Contacted { .. }
            | Event::WatchLost { .. } => {}
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.step();
            self.check_deaths();
        }
    }

    /// A dead member leaves every view in bounded time. While links are cut it cannot be told from a slow one sooner.
    fn check_deaths(&self) {
        for (id, since) in &self.dead_since {
            if self.now.mono.saturating_duration_since(*since) < DEATH_MAX {
                continue;
            }
            for (node, at) in self.nodes.iter().enumerate() {
                let seen = at.view.iter().any(|member| member.id == *id);
                assert!(!seen, "seed {}: node {node} still lists {id}, dead for {DEATH_MAX:?}", self.seed);
            }
        }
    }

    fn check_convergence(&self) {
        let up: BTreeSet<usize> = (0..NODES).filter(|node| self.nodes[*node].group.is_some()).collect();
        for node in &up {
            let mut expect: Vec<MemberId> =
                up.iter().filter(|other| *other != node).map(|other| self.identity(*other).id).collect();
            let mut seen: Vec<MemberId> = self.nodes[*node].view.iter().map(|member| member.id.clone()).collect();
            if !self.mode.has_configured() {
                seen.sort();
            }
            expect.sort();
            assert_eq!(seen, expect, "seed {}: node {node} sees something else", self.seed);
        }
    }
}

/// What the body of a message says to the service.
fn received(message: &Message) -> ServiceMessage {
    match RpcMessage::decode(&message.body, &RpcLimits::default()) {
        Ok(rpc) => ServiceMessage::of_rpc(&rpc, &Limits::default()).unwrap(),
        Err(_) => ServiceMessage::Told(MemberMessage::decode(&message.body, &Limits::default()).unwrap()),
    }
}

fn simulate(mode: Mode, seeds: std::ops::Range<u64>) {
    let mut removals = 0;
    for seed in seeds {
        let mut net = Net::new(mode, seed);
        net.run(FAULTS);
        net.calm = true;
        net.cut.clear();
        for node in 0..NODES {
            if net.nodes[node].group.is_none() && net.roll(3) > 0 {
                net.boot(node);
            }
        }
        net.run(CALM);
        net.check_convergence();
        removals += net.removals;
    }
    assert!(removals > 100, "the faults must do something: {removals}");
}

#[test]
fn groups_by_multicast_survive_faults_and_converge() {
    simulate(Mode::Multicast, 0..30);
}

#[test]
fn groups_of_static_members_survive_faults_and_converge() {
    simulate(Mode::Static, 1000..1030);
}

#[test]
fn groups_found_both_ways_survive_faults_and_converge() {
    simulate(Mode::Both, 2000..2020);
}

#[test]
fn groups_found_by_the_service_survive_faults_and_converge() {
    simulate(Mode::Service, 3000..3030);
}
