//! Several nodes on one network that loses, copies, delays and cuts, with processes that die, come back and sleep, and
//! with memberships that learn of it late, or wrongly.
//!
//! Everything follows from one seed. A first phase has faults, a second has none; what must always hold is checked at
//! every view, what must hold in the end after the second.

use super::tomcat::Tomcat;
use super::*;
use crate::wire::MemberId;

const FAULTS: Duration = Duration::from_secs(30);
/// Several elections without a result, one after the other.
const CALM: Duration = Duration::from_secs(150);
/// A membership shows what is by then.
const SIGHT_MAX: u64 = 3000;

enum Machine {
    Clowder(Box<Election>),
    Tomcat(Box<Tomcat>),
}

struct Node {
    is_tomcat: bool,
    life: u8,
    /// Its record in this life.
    local: Member,
    machine: Option<Machine>,
    /// What its membership shows.
    seen: BTreeSet<MemberId>,
    /// Until when it does nothing: a pause of the whole process.
    asleep: Instant,
}

enum Event {
    Start { at: MemberId },
    Look { node: usize },
    Deliver { from: MemberId, to: MemberId, body: Bytes },
    Outcome { at: MemberId, to: MemberId, token: SendToken, delivered: bool },
    Verdict { at: MemberId, about: Member },
    Fault,
}

struct Net {
    seed: u64,
    random: u64,
    now: Now,
    calm: bool,
    nodes: Vec<Node>,
    queue: BTreeMap<(Instant, u64), Event>,
    sequence: u64,
    cut: BTreeSet<(usize, usize)>,
    /// When the last message to or from a Tomcat arrives.
    order: BTreeMap<(usize, usize), Instant>,
    /// What each id stands for.
    agreed: BTreeMap<ViewId, Vec<MemberId>>,
    views: usize,
    messages: usize,
}

impl Net {
    fn new(seed: u64, tomcats: bool) -> Net {
        let mut net = Net {
            seed,
            random: seed,
            now: start(),
            calm: false,
            nodes: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            order: BTreeMap::new(),
            agreed: BTreeMap::new(),
            views: 0,
            messages: 0,
        };
        let count = 2 + net.pick(5);
        // One is a Clowder node; every rank has its turn.
        let clowder_rank = net.pick(count);
        let kinds: Vec<bool> = (0..count).map(|rank| tomcats && net.roll(2) == 0 && rank != clowder_rank).collect();
        let asleep = net.now.mono;
        let node = |number: usize| {
            let place = u8::try_from(number + 1).expect("few nodes");
            let is_tomcat = kinds[number];
            let local = if is_tomcat { member(place) } else { clowder(place) };
            Node { is_tomcat, life: 0, local, machine: None, seen: BTreeSet::new(), asleep }
        };
        net.nodes = (0..count).map(node).collect();
        (0..count).for_each(|node| net.boot(node));
        net.everybody_looks();
        net.later(ms(500), Event::Fault);
        net
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn pick(&mut self, below: usize) -> usize {
        usize::try_from(self.roll(below as u64)).expect("few")
    }

    fn later(&mut self, by: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now.mono + by, self.sequence), event);
    }

    /// Messages overtake each other in both phases.
    fn delay(&mut self) -> Duration {
        let most = if self.calm { 2000 } else { 40_000 };
        Duration::from_micros(50 + self.roll(most))
    }

    fn identity(&self, node: usize) -> &Member {
        &self.nodes[node].local
    }

    fn node_of(id: &MemberId) -> usize {
        usize::from(id.host[3]) - 1
    }

    /// The process of this id runs.
    fn is_up(&self, id: &MemberId) -> bool {
        let node = Net::node_of(id);
        self.nodes[node].machine.is_some() && self.identity(node).id == *id
    }

    fn is_cut(&self, one: usize, other: usize) -> bool {
        self.cut.contains(&(one, other)) || self.cut.contains(&(other, one))
    }

    fn boot(&mut self, node: usize) {
        self.nodes[node].life += 1;
        self.nodes[node].local.id.unique_id = [self.nodes[node].life; 16];
        let local = self.identity(node).clone();
        let seed = self.roll(u64::MAX);
        self.nodes[node].machine = Some(if self.nodes[node].is_tomcat {
            Machine::Tomcat(Box::new(Tomcat::new(self.now, local.clone(), seed)))
        } else {
            Machine::Clowder(Box::new(Election::new(
                ElectionConfig { seed, ..ElectionConfig::default() },
                local.clone(),
            )))
        });
        let settled = ms(self.roll(1000));
        self.later(settled, Event::Start { at: local.id });
    }

    fn end(&mut self, node: usize) {
        self.nodes[node].machine = None;
        self.nodes[node].seen.clear();
    }

    fn clowder(&mut self, node: usize, input: impl FnOnce(&mut Election, Now)) {
        let now = self.now;
        if let Some(Machine::Clowder(election)) = &mut self.nodes[node].machine {
            input(election, now);
        }
        self.drain(node);
    }

    fn drain(&mut self, node: usize) {
        loop {
            let out = match &mut self.nodes[node].machine {
                Some(Machine::Clowder(election)) => election.poll(),
                Some(Machine::Tomcat(tomcat)) => tomcat.poll(),
                None => None,
            };
            match out {
                Some(ElectionOut::Send { to, body, token, .. }) => {
                    let precious = self.calm || self.nodes[Net::node_of(&decode(&body).source.id)].is_tomcat;
                    to.into_iter().for_each(|to| self.send(node, to.id, &body, token, precious));
                }
                Some(ElectionOut::Reach(about)) => {
                    let (at, delay) = (self.identity(node).id.clone(), self.delay());
                    if self.calm || self.roll(10) > 0 {
                        self.later(delay, Event::Verdict { at, about });
                    }
                }
                Some(ElectionOut::View(view)) => self.check_view(node, &view),
                Some(ElectionOut::StoodIn { .. }) => {}
                Some(ElectionOut::Dropped { cause, .. }) => panic!("seed {}: {cause}", self.seed),
                None => return,
            }
        }
    }

    /// `precious`: never lost on the way. So is what a Tomcat started, as it does not survive that.
    fn send(&mut self, from: usize, to: MemberId, body: &Bytes, token: SendToken, precious: bool) {
        self.messages += 1;
        let at = self.identity(from).id.clone();
        let fate = if precious { 9 } else { self.roll(10) };
        let copies = match fate {
            0 => 0,
            1 | 2 => 2,
            _ => 1,
        };
        let arrives = !self.is_cut(from, Net::node_of(&to)) && self.is_up(&to);
        let mut last = self.delay();
        for _ in 0..copies {
            let mut delay = self.delay();
            if self.nodes[from].is_tomcat || self.nodes[Net::node_of(&to)].is_tomcat {
                // It cannot tell a late message, so both sides send one after the other.
                let order = self.order.entry((from, Net::node_of(&to))).or_insert(self.now.mono);
                *order = (*order + ms(1)).max(self.now.mono + delay);
                delay = *order - self.now.mono;
            }
            last = last.max(delay);
            if arrives {
                self.later(delay, Event::Deliver { from: at.clone(), to: to.clone(), body: body.clone() });
            }
        }
        let delivered = arrives && fate > 1; // 1: its acknowledgement is lost
        let wait = if delivered { last } else { last + ms(self.roll(1000)) };
        self.later(wait, Event::Outcome { at, to, token, delivered });
    }

    fn check_view(&mut self, node: usize, view: &AgreedView) {
        self.views += 1;
        let local = self.identity(node);
        assert!(view.members.contains(local), "seed {}: a view without its node", self.seed);
        let ids: Vec<MemberId> = view.members.iter().map(|member| member.id.clone()).collect();
        assert!(ids.is_sorted(), "seed {}: {ids:?}", self.seed);
        let id = view.id.expect("of an election");
        let agreed = self.agreed.entry(id).or_insert_with(|| ids.clone());
        let only_clowders = self.nodes.iter().all(|node| !node.is_tomcat);
        assert!(!only_clowders || *agreed == ids, "seed {}: {id} is {agreed:?} and {ids:?}", self.seed);
    }

    /// Something changed: each membership learns of it in its own time.
    fn everybody_looks(&mut self) {
        for node in 0..self.nodes.len() {
            let late = ms(self.roll(SIGHT_MAX));
            self.later(late, Event::Look { node });
        }
    }

    /// The membership looks at the world, and may be wrong while there are faults.
    fn look(&mut self, node: usize) {
        let mut seen: BTreeSet<MemberId> = (0..self.nodes.len())
            .filter(|other| *other != node && self.nodes[*other].machine.is_some() && !self.is_cut(node, *other))
            .map(|other| self.identity(other).id.clone())
            .collect();
        if !self.calm && self.roll(10) == 0 {
            let doubted = self.pick(self.nodes.len());
            seen.remove(&self.nodes[doubted].local.id);
        }
        self.see(node, seen);
    }

    fn see(&mut self, node: usize, seen: BTreeSet<MemberId>) {
        if self.nodes[node].machine.is_none() || self.nodes[node].seen == seen {
            return;
        }
        let members: Vec<Member> =
            seen.iter().rev().map(|id| Member { id: id.clone(), ..self.identity(Net::node_of(id)).clone() }).collect();
        self.nodes[node].seen = seen;
        if let Some(Machine::Tomcat(tomcat)) = &mut self.nodes[node].machine {
            tomcat.view_changed(&members);
        }
        self.clowder(node, |election, now| election.view_changed(now, &members));
    }

    fn fault(&mut self) {
        if self.calm {
            return;
        }
        let node = self.pick(self.nodes.len());
        match self.roll(8) {
            0 | 1 if self.nodes[node].machine.is_some() => self.end(node),
            2 | 3 => {
                let other = self.pick(self.nodes.len());
                self.cut.insert((node, other));
            }
            4 => self.cut.clear(),
            5 => self.nodes[node].asleep = self.now.mono + ms(self.roll(20_000)),
            // The wall clock steps, forwards and back.
            6 => self.now.wall = UNIX_EPOCH + Duration::from_secs(self.roll(4_000_000_000)),
            _ if self.nodes[node].machine.is_none() => self.boot(node),
            _ => {}
        }
        self.everybody_looks();
        let pause = ms(50 + self.roll(5000));
        self.later(pause, Event::Fault);
    }

    fn step(&mut self, end: Instant) {
        let deadline = |node: &Node| match node.machine.as_ref()? {
            Machine::Clowder(election) => Some(election.deadline()?.max(node.asleep)),
            Machine::Tomcat(tomcat) => Some(tomcat.deadline().max(node.asleep)),
        };
        let woken = (0..self.nodes.len()).filter_map(|node| Some((deadline(&self.nodes[node])?, node))).min();
        let queued = self.queue.first_key_value().map(|(key, _)| *key);
        let next = queued.map_or(end, |(at, _)| at);
        match (woken, queued) {
            (Some((at, node)), _) if at <= next => {
                self.advance(at);
                if let Some(Machine::Tomcat(tomcat)) = &mut self.nodes[node].machine {
                    tomcat.handle_deadline(self.now);
                }
                self.clowder(node, Election::handle_deadline);
            }
            (_, Some(key)) => {
                self.advance(next);
                let event = self.queue.remove(&key).expect("it was there");
                self.happen(event);
            }
            (_, None) => self.advance(end),
        }
    }

    fn advance(&mut self, to: Instant) {
        let by = to.saturating_duration_since(self.now.mono);
        self.now = self.now.later(by);
    }

    fn happen(&mut self, event: Event) {
        let node = match &event {
            Event::Start { at } | Event::Outcome { at, .. } | Event::Verdict { at, .. } => at,
            Event::Deliver { to, .. } => to,
            Event::Look { node } => &self.identity(*node).id,
            Event::Fault => return self.fault(),
        };
        let (node, up) = (Net::node_of(node), self.is_up(node));
        if self.nodes[node].asleep > self.now.mono {
            let wait = self.nodes[node].asleep - self.now.mono;
            return self.later(wait, event);
        }
        match event {
            Event::Look { node } => self.look(node),
            _ if !up => {}
            Event::Start { .. } => {
                if let Some(Machine::Tomcat(tomcat)) = &mut self.nodes[node].machine {
                    tomcat.started();
                }
                self.clowder(node, |election, now| election.started(now));
            }
            Event::Outcome { to, token, delivered, .. } => {
                if let Some(Machine::Tomcat(tomcat)) = &mut self.nodes[node].machine {
                    tomcat.sent(token, delivered);
                }
                self.clowder(node, |election, now| election.sent(now, token, &to, delivered));
            }
            Event::Verdict { about, .. } => self.verdict(node, &about),
            Event::Deliver { from, body, .. } => self.deliver(node, &from, &body),
            Event::Fault => {}
        }
    }

    fn verdict(&mut self, node: usize, about: &Member) {
        let alive = self.is_up(&about.id) && !self.is_cut(node, Net::node_of(&about.id));
        if alive {
            let mut seen = self.nodes[node].seen.clone();
            seen.insert(about.id.clone());
            self.see(node, seen);
        }
        self.clowder(node, |election, now| election.reached(now, &about.id, alive));
    }

    fn deliver(&mut self, node: usize, from: &MemberId, body: &Bytes) {
        let up: BTreeSet<MemberId> = (0..self.nodes.len())
            .filter(|other| self.nodes[*other].machine.is_some() && !self.is_cut(node, *other))
            .map(|other| self.identity(other).id.clone())
            .collect();
        if let Some(Machine::Tomcat(tomcat)) = &mut self.nodes[node].machine {
            tomcat.received(decode(body), |id| up.contains(id));
            self.nodes[node].seen = tomcat.members.keys().cloned().collect();
        }
        self.clowder(node, |election, now| election.received(now, from, body));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while self.now.mono < end {
            self.step(end);
        }
    }

    fn heal(&mut self) {
        self.calm = true;
        self.cut.clear();
        for node in 0..self.nodes.len() {
            if self.nodes[node].machine.is_none() && self.roll(3) > 0 {
                self.boot(node);
            }
        }
        self.everybody_looks();
    }

    fn view_of(&self, node: usize) -> Option<(ViewId, Vec<MemberId>)> {
        let view = match self.nodes[node].machine.as_ref()? {
            Machine::Clowder(election) => election.view(),
            Machine::Tomcat(tomcat) => tomcat.view.as_ref(),
        }?;
        Some((view.id?, view.members.iter().map(|member| member.id.clone()).collect()))
    }

    /// Everybody who is up has the same view, of everybody who is up. False: no Clowder node is up.
    fn check_agreement(&self) -> bool {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].machine.is_some()).collect();
        let Some(first) = up.first() else { return false };
        if up.iter().all(|node| self.nodes[*node].is_tomcat) {
            return false;
        }
        let all: Vec<MemberId> = up.iter().map(|node| self.identity(*node).id.clone()).collect();
        let (id, _) = self.view_of(*first).expect("the first has a view");
        for node in &up {
            assert_eq!(self.view_of(*node), Some((id, all.clone())), "seed {}: node {node}", self.seed);
        }
        true
    }
}

/// How many runs ended in agreement.
fn simulate(tomcats: bool, seeds: std::ops::Range<u64>) -> usize {
    let (mut agreed, mut views, mut messages) = (0, 0, 0);
    let runs = seeds.end - seeds.start;
    for seed in seeds {
        let mut net = Net::new(seed, tomcats);
        net.run(FAULTS);
        let before = net.messages;
        net.heal();
        net.run(CALM);
        agreed += usize::from(net.check_agreement());
        views += net.views;
        messages += net.messages;
        let calm = net.messages - before;
        assert!(calm < 1500, "seed {seed}: {calm} messages in the calm");
    }
    assert!(views as u64 > runs * 10, "the faults must do something: {views} views");
    assert!(messages as u64 > runs * 30, "the faults must do something: {messages} messages");
    agreed
}

#[test]
fn nodes_that_went_through_faults_agree_on_one_leader_and_one_view() {
    let runs = 1000;
    let agreed = simulate(false, 0..runs);
    assert!(agreed as u64 > runs * 95 / 100, "hardly any run ends with nobody up: {agreed}");
}

/// Among them Tomcats that wait for their own lost tokens, that nobody told of the view, or that gave two lists one id.
#[test]
fn clowder_nodes_bring_tomcats_to_agree_that_cannot_by_themselves() {
    let runs = 1000;
    let agreed = simulate(true, 10_000..10_000 + runs);
    assert!(agreed as u64 > runs * 80 / 100, "few runs end without a Clowder node: {agreed}");
}
