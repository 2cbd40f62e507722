//! Whole chains between several nodes, over a network that loses, repeats, delays and reorders, each run from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::Now;
use crate::chain::{Body, Chain, ChainConfig, Context, Draft, Flush, FollowUp, LayerConfig, Plan, Sink};
use crate::wire::{Ack, Member, Message, MessageId};

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next() as u8);
    }
}

/// What happens in a run.
#[derive(Debug)]
struct Faults {
    loss: u64,
    copies: u64,
    delay_max: u64,
    leaves: bool,
    /// Copies are recognised below the chain, as a channel does.
    dedup: bool,
    clock_steps: u64,
}

/// One message of an application.
type Sent = (usize, u32);

enum Event {
    Packet { shipment: usize, parcel: usize, to: usize, message: Box<Message> },
    Left { at: usize, who: usize },
    Send { from: usize },
}

/// The packets of one plan, and what follows them.
struct Shipment {
    sent: Sent,
    targets: Vec<usize>,
    /// For each parcel and target: it is there.
    arrived: BTreeSet<(usize, usize)>,
    parcels: Vec<Vec<usize>>,
    follow_ups: Vec<FollowUp>,
}

struct Net {
    seed: u64,
    random: Random,
    names: Vec<&'static str>,
    faults: Faults,
    chains: Vec<Chain>,
    start: Instant,
    now: u64,
    wall_step: i64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    ids: u64,
    shipments: Vec<Shipment>,
    counts: Vec<u32>,
    /// To whom each message went.
    wanted: BTreeMap<Sent, Vec<usize>>,
    /// Some of it did not get through, to this target.
    failed: BTreeSet<(Sent, usize)>,
    /// Who was gone for a moment, as a node saw it.
    parted: BTreeSet<(usize, usize)>,
    seen: HashSet<(usize, usize, MessageId, Bytes)>,
    delivered: BTreeMap<(usize, usize), Vec<u32>>,
    flushed: usize,
}

fn member(node: usize) -> Member {
    let number = u8::try_from(node).unwrap() + 1;
    Member::new(([10, 0, 0, number], 4000).into(), [number; 16])
}

fn body((from, seq): Sent) -> Bytes {
    let mut random = Random(u64::from(seq) * 16 + from as u64);
    let length = if random.chance(30) { random.below(300) } else { random.below(40) };
    let mut body = vec![from as u8];
    body.extend(seq.to_be_bytes());
    body.extend((0..length).map(|_| random.next() as u8));
    body.into()
}

impl Net {
    fn new(seed: u64) -> Net {
        let mut random = Random(seed);
        let (names, config) = Net::chain(&mut random);
        let leaves = random.chance(40);
        let has = |name| names.contains(&name);
        let suppresses = has("order") || has("two-phase") || has("encrypt");
        let faults = Faults {
            loss: if random.chance(50) { 0 } else { random.below(20) },
            copies: if random.chance(50) { 0 } else { random.below(30) },
            delay_max: 1 + random.below(2_500),
            leaves,
            dedup: leaves || !suppresses || random.chance(50),
            // Encryption looks at the clock.
            clock_steps: if has("encrypt") { 1_000 } else { 10_000_000 },
        };
        let nodes = 2 + random.below(2) as usize;
        let chains = (0..nodes).map(|_| config.build().expect("a chain that works").0).collect();
        Net {
            seed,
            random,
            names,
            faults,
            chains,
            start: Instant::now(),
            now: 0,
            wall_step: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            ids: 0,
            shipments: Vec::new(),
            counts: vec![0; nodes],
            wanted: BTreeMap::new(),
            failed: BTreeSet::new(),
            parted: BTreeSet::new(),
            seen: HashSet::new(),
            delivered: BTreeMap::new(),
            flushed: 0,
        }
    }

    fn chain(random: &mut Random) -> (Vec<&'static str>, ChainConfig) {
        loop {
            let mut all = vec!["order", "fragment", "two-phase", "gzip", "encrypt", "throughput", "failure-detector"];
            let mut names = Vec::new();
            while !all.is_empty() {
                let name = all.swap_remove(random.below(all.len() as u64) as usize);
                // These two are slow without optimisation.
                let slow = matches!(name, "encrypt" | "gzip");
                if random.chance(if slow { 8 } else { 50 }) {
                    names.push(name);
                }
            }
            let max_size = (40 + random.below(200)).to_string();
            let layers = names.iter().map(|name| {
                let mut layer = LayerConfig::named(name).unwrap();
                match *name {
                    "encrypt" => layer.set("encryptionKey", "00112233445566778899aabbccddeeff").unwrap(),
                    "fragment" => layer.set("maxSize", &max_size).unwrap(),
                    _ => {}
                }
                layer
            });
            let config = ChainConfig { layers: layers.collect(), option_check: false };
            if config.build().is_ok() {
                return (names, config);
            }
        }
    }

    fn time(&self) -> Now {
        let wall = Duration::from_secs(1_700_000_000) + Duration::from_millis(self.now);
        let wall = wall.saturating_add_signed(self.wall_step);
        Now { mono: self.start + Duration::from_millis(self.now), wall: SystemTime::UNIX_EPOCH + wall }
    }

    fn with<T>(&mut self, node: usize, work: impl FnOnce(&Chain, &mut Context<'_>) -> T) -> T {
        let now = self.time();
        let random = &mut self.random;
        work(&self.chains[node], &mut Context { now, random: &mut |bytes: &mut [u8]| random.fill(bytes) })
    }

    fn later(&mut self, delay: u64, event: Event) {
        self.ids += 1;
        self.queue.push(Reverse((self.now + delay, self.ids)));
        self.events.insert(self.ids, event);
    }

    fn send(&mut self, from: usize, targets: Vec<usize>) {
        self.counts[from] += 1;
        let sent = (from, self.counts[from]);
        let mut id = [0; 16];
        self.random.fill(&mut id);
        let timestamp = self.time().wall_ms();
        let draft = Draft { options: 6, timestamp, id, body: Body::from(body(sent)) };
        self.wanted.insert(sent, targets.clone());
        let ids: Vec<_> = targets.iter().map(|target| member(*target).id).collect();
        let plan = self.with(from, |chain, cx| chain.outbound(None, cx, draft, &ids)).expect("not refused");
        self.ship(sent, targets, plan);
    }

    fn ship(&mut self, sent: Sent, targets: Vec<usize>, plan: Plan) {
        let shipment = self.shipments.len();
        let parcels = plan.parcels.iter().map(|parcel| parcel.targets.indices(targets.len()).collect()).collect();
        self.shipments.push(Shipment {
            sent,
            targets: targets.clone(),
            arrived: BTreeSet::new(),
            parcels,
            follow_ups: plan.follow_ups,
        });
        for (parcel, one) in plan.parcels.into_iter().enumerate() {
            for target in one.targets.indices(targets.len()) {
                let to = targets[target];
                if self.random.chance(self.faults.loss) {
                    self.fail(sent, to);
                    continue;
                }
                let copies = 1 + u64::from(self.random.chance(self.faults.copies));
                for _ in 0..copies {
                    let delay = self.random.below(self.faults.delay_max);
                    let message = Box::new(one.draft.clone().into_message(member(sent.0)));
                    self.later(delay, Event::Packet { shipment, parcel, to, message });
                }
            }
        }
    }

    fn fail(&mut self, sent: Sent, to: usize) {
        self.failed.insert((sent, to));
        if self.names.contains(&"two-phase") {
            // Nobody gets it if one does not.
            self.failed.extend(self.wanted[&sent].iter().map(|target| (sent, *target)));
        }
    }

    fn packet(&mut self, shipment: usize, parcel: usize, to: usize, message: Message) {
        let sent = self.shipments[shipment].sent;
        let key = (to, sent.0, message.id.clone(), message.body.clone());
        if self.faults.dedup && !self.seen.insert(key) {
            return;
        }
        let mut sink = Sink::default();
        self.with(to, |chain, cx| chain.inbound(cx, message, &mut sink));
        let mut refusals =
            sink.rejections.iter().filter(|(_, answers, rejection)| *answers && rejection.answer == Ack::Failed);
        let refused = refusals.next().map(|(_, _, rejection)| rejection.kind);
        self.take(to, sink);
        let plan = &mut self.shipments[shipment];
        let target = plan.targets.iter().position(|target| *target == to).expect("a target");
        if plan.arrived.contains(&(parcel, target)) {
            return; // a copy
        }
        if let Some(kind) = refused {
            let rest = ["late_piece", "given_up"].contains(&kind) && self.parted.contains(&(to, sent.0));
            assert!(rest, "seed {}: {:?} rejected the first {parcel} of {sent:?}: {kind}", self.seed, self.names);
            return self.fail(sent, to);
        }
        plan.arrived.insert((parcel, target));
        let (arrived, parcels) = (&plan.arrived, &plan.parcels);
        let ready = |follow_up: &FollowUp| {
            follow_up
                .after
                .clone()
                .all(|parcel| parcels[parcel].iter().all(|target| arrived.contains(&(parcel, *target))))
        };
        let (go, wait): (Vec<_>, Vec<_>) = std::mem::take(&mut plan.follow_ups).into_iter().partition(ready);
        plan.follow_ups = wait;
        let targets = plan.targets.clone();
        let ids: Vec<_> = targets.iter().map(|target| member(*target).id).collect();
        for follow_up in go {
            let next = self.with(sent.0, |chain, cx| chain.follow_up(cx, follow_up, &ids)).expect("not refused");
            self.ship(sent, targets.clone(), next);
        }
    }

    fn take(&mut self, at: usize, sink: Sink) {
        for arrival in sink.arrivals {
            let got = &arrival.message.body;
            let sent = (usize::from(got[0]), u32::from_be_bytes(got[1..5].try_into().unwrap()));
            assert_eq!(*got, body(sent), "seed {}: {:?} changed a body", self.seed, self.names);
            assert_eq!(arrival.message.from, member(sent.0));
            let list = self.delivered.entry((at, sent.0)).or_default();
            assert!(!list.contains(&sent.1), "seed {}: {:?} delivered {sent:?} twice", self.seed, self.names);
            list.push(sent.1);
        }
    }

    fn left(&mut self, at: usize, who: usize) {
        self.parted.insert((at, who));
        let mut sink = Sink::default();
        self.chains[at].member_left(&member(who).id);
        self.with(at, |chain, cx| chain.flush(cx, &member(who).id, Flush::Left, &mut sink));
        self.take(at, sink);
    }

    /// Time passes until `end`; every deadline on the way is kept.
    fn run(&mut self, end: u64) {
        loop {
            let deadlines = self.chains.iter().filter_map(Chain::deadline);
            let deadline = deadlines.min().map(|deadline| {
                let since = deadline.saturating_duration_since(self.start);
                u64::try_from(since.as_millis()).unwrap()
            });
            let event = self.queue.peek().map(|Reverse((at, _))| *at);
            let Some(next) = deadline.into_iter().chain(event).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if deadline == Some(next) {
                (0..self.chains.len()).for_each(|node| self.overdue(node));
                continue;
            }
            let Some(Reverse((_, id))) = self.queue.pop() else { break };
            match self.events.remove(&id).expect("an event") {
                Event::Packet { shipment, parcel, to, message } => self.packet(shipment, parcel, to, *message),
                Event::Left { at, who } => self.left(at, who),
                Event::Send { from } => {
                    let others = (0..self.chains.len()).filter(|node| *node != from);
                    let targets: Vec<usize> = others.filter(|_| self.random.chance(75)).collect();
                    self.send(from, targets);
                    let step = self.random.below(2 * self.faults.clock_steps) as i64;
                    self.wall_step = step - self.faults.clock_steps as i64;
                }
            }
        }
        self.now = end;
    }

    fn overdue(&mut self, node: usize) {
        let now = self.time();
        for sender in self.chains[node].overdue(now) {
            self.flushed += 1;
            let mut sink = Sink::default();
            self.with(node, |chain, cx| chain.flush(cx, &sender, Flush::Overdue, &mut sink));
            self.take(node, sink);
        }
    }

    fn storm(&mut self) {
        for _ in 0..15 + self.random.below(25) {
            let (at, nodes) = (self.random.below(6_000), self.chains.len() as u64);
            let from = self.random.below(nodes) as usize;
            self.later(at, Event::Send { from });
            if self.faults.leaves && self.random.chance(15) {
                let who = (from + 1 + self.random.below(nodes - 1) as usize) % self.chains.len();
                let at = self.random.below(8_000);
                self.later(at, Event::Left { at: from, who });
            }
        }
        self.run(self.now + 80_000);
    }

    fn is_ordered(&self) -> bool {
        let place = |name| self.names.iter().position(|other| *other == name);
        match (place("order"), place("two-phase")) {
            (None, _) => false,
            // What two-phase commit gives out is in the order of its confirmations.
            (Some(order), Some(two_phase)) => order < two_phase,
            (Some(_), None) => true,
        }
    }

    fn check_storm(&self) {
        let Net { seed, names, .. } = self;
        for chain in &self.chains {
            assert_eq!(chain.deadline(), None, "seed {seed}: {names:?} still holds something");
        }
        let may_forget = self.faults.leaves && (names.contains(&"fragment") || names.contains(&"two-phase"));
        for (sent, targets) in &self.wanted {
            for target in targets {
                let there = self.delivered.get(&(*target, sent.0)).is_some_and(|list| list.contains(&sent.1));
                let fine = there || may_forget || self.failed.contains(&(*sent, *target));
                assert!(fine, "seed {seed}: {names:?} lost {sent:?} for {target}: {:?}", self.faults);
            }
        }
        let disturbed = self.faults.leaves || self.faults.loss > 0 || self.flushed > 0;
        if self.is_ordered() && !disturbed {
            for list in self.delivered.values() {
                assert!(list.is_sorted(), "seed {seed}: {names:?} gave {list:?}");
            }
        }
    }

    /// Whatever happened before: after two messages both sides of every pair agree, and the rest is in order, at once.
    fn check_agreement(&mut self) {
        // Two messages that do not overtake one another, then a crowd.
        self.faults = Faults { loss: 0, copies: 0, leaves: false, delay_max: 1, ..self.faults };
        for _ in 0..2 {
            self.send_to_all();
            self.run(self.now + 10_000);
        }
        (self.flushed, self.delivered, self.faults.delay_max) = (0, BTreeMap::new(), 500);
        for _ in 0..6 {
            self.send_to_all();
            self.run(self.now + 20);
        }
        self.run(self.now + 5_000);
        let (seed, names, nodes) = (self.seed, &self.names, self.chains.len());
        assert_eq!(self.flushed, 0, "seed {seed}: {names:?} waited");
        assert_eq!(self.delivered.len(), nodes * (nodes - 1));
        for list in self.delivered.values() {
            assert_eq!(list.len(), 6, "seed {seed}: {names:?} gave {list:?}");
            assert!(!self.is_ordered() || list.is_sorted(), "seed {seed}: {names:?} gave {list:?}");
        }
    }

    fn send_to_all(&mut self) {
        for from in 0..self.chains.len() {
            let targets = (0..self.chains.len()).filter(|node| *node != from).collect();
            self.send(from, targets);
        }
    }
}

trait SignedAdd {
    fn saturating_add_signed(self, millis: i64) -> Duration;
}

impl SignedAdd for Duration {
    fn saturating_add_signed(self, millis: i64) -> Duration {
        let by = Duration::from_millis(millis.unsigned_abs());
        if millis < 0 { self.saturating_sub(by) } else { self + by }
    }
}

#[test]
fn every_chain_keeps_its_promises_under_every_sequence_of_faults() {
    let (mut storms, mut delivered, mut flushed) = (0, 0, 0);
    for seed in 0..1_000 {
        let mut net = Net::new(seed);
        net.storm();
        net.check_storm();
        storms += 1;
        delivered += net.delivered.values().map(Vec::len).sum::<usize>();
        flushed += net.flushed;
        if net.faults.leaves || net.faults.loss > 0 {
            net.check_agreement();
        }
    }
    // The runs are not idle.
    assert!(delivered > storms * 15 && flushed > 100, "{delivered} delivered, {flushed} flushed");
}
