//! Seeded runs of whole clusters under faults, with checkers.
//!
//! First a phase in which messages are lost, acknowledgements are lost, members are cut off, die and come back empty;
//! then a phase without faults, after which every node must show the same sessions. A change whose message was
//! acknowledged by all must survive while any node that had it lives; ended sessions must not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::net::{Faults, Net, Peer, config, text};
use crate::session::{JavaStr, Replication, Sessions, SessionsConfig, Token};

struct Run {
    net: Net,
    nodes: usize,
    /// Attribute values by session and name: each name is written once, so none may disappear.
    written: BTreeMap<(String, String), String>,
    /// Messages about changes, until all of them have settled.
    waiting: Vec<Waiting>,
    /// Written, and acknowledged by every member.
    safe: BTreeSet<(String, String)>,
    /// Invalidated, and acknowledged by every member.
    ended: BTreeSet<String>,
    /// Invalidated, with or without an acknowledgement.
    doomed: BTreeSet<String>,
    /// A node died since all nodes were the same.
    crashed: bool,
    next: usize,
}

/// A change whose fate is not known yet.
struct Waiting {
    id: String,
    /// `None`: the end of the session.
    name: Option<String>,
    node: usize,
    tokens: Vec<Token>,
}

fn synchronous() -> SessionsConfig {
    SessionsConfig { replication: Replication::Synchronous, max_inactive: 100_000, ..config() }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut net = Net::new();
        net.logging = false;
        net.rng.0 = seed;
        let nodes = 2 + net.rng.below(3) as usize;
        for _ in 0..nodes {
            net.add(synchronous());
        }
        net.settle();
        Run {
            net,
            nodes,
            written: BTreeMap::new(),
            waiting: Vec::new(),
            safe: BTreeSet::new(),
            ended: BTreeSet::new(),
            doomed: BTreeSet::new(),
            crashed: false,
            next: 0,
        }
    }

    fn up(&self) -> Vec<usize> {
        (0..self.nodes).filter(|index| matches!(self.net.nodes[*index], Peer::Clowder(_))).collect()
    }

    fn any(&mut self, of: &[usize]) -> usize {
        of[self.net.rng.below(of.len() as u64) as usize]
    }

    fn step(&mut self) {
        let up = self.up();
        let node = self.any(&up);
        let now = self.net.now;
        match self.net.rng.below(100) {
            0..15 => {
                self.next += 1;
                let id = format!("S{}", self.next);
                self.net.machine(node).create(now, JavaStr::from(id.as_str())).expect("fresh id");
                self.write(node, &id);
            }
            15..80 => {
                let ids: Vec<String> = self.net.machine(node).ids().map(JavaStr::to_string).collect();
                if !ids.is_empty() {
                    let mut ids = ids;
                    ids.sort();
                    let id = ids[self.net.rng.below(ids.len() as u64) as usize].clone();
                    self.write(node, &id);
                }
            }
            80..84 => {
                let mut ids: Vec<String> = self.net.machine(node).ids().map(JavaStr::to_string).collect();
                ids.sort();
                if let Some(id) = ids.first().cloned() {
                    let tokens = self.net.machine(node).invalidate(now, &id).expect("listed").tokens;
                    self.doomed.insert(id.clone());
                    self.waits(id, None, node, tokens);
                }
            }
            84..88 if up.len() > 1 => {
                let other = self.any(&up);
                if other != node {
                    self.net.part(node, other);
                }
            }
            88..94 => self.heal_all(),
            94..96 if up.len() > 1 => self.crash(node),
            96..98 => self.restart(),
            _ => {}
        }
        let pause = self.net.rng.below(40);
        self.net.run(Duration::from_millis(pause));
        self.acknowledge();
    }

    fn write(&mut self, node: usize, id: &str) {
        let now = self.net.now;
        self.next += 1;
        let (name, value) = (format!("a{}", self.next), format!("v{}", self.next));
        if self.net.machine(node).access(now, id).is_none() {
            return;
        }
        self.net.machine(node).set_attribute(now, id, &name, text(&value)).expect("accessed");
        let completion = self.net.machine(node).request_completed(now, id);
        self.written.insert((id.to_owned(), name.clone()), value);
        self.waits(id.to_owned(), Some(name), node, completion.tokens);
    }

    /// With members cut off nothing can be acknowledged by every member.
    fn waits(&mut self, id: String, name: Option<String>, node: usize, tokens: Vec<Token>) {
        if self.net.cut.is_empty() {
            self.waiting.push(Waiting { id, name, node, tokens });
        }
    }

    /// A change is safe once all its messages have settled without a failure.
    fn acknowledge(&mut self) {
        let settled: BTreeMap<(usize, Token), usize> =
            self.net.settled.drain(..).map(|(node, token, failed)| ((node, token), failed)).collect();
        let (safe, ended, whole) = (&mut self.safe, &mut self.ended, self.net.cut.is_empty());
        self.waiting.retain_mut(|change| {
            let outcome = |token: &Token| settled.get(&(change.node, *token));
            let failed = change.tokens.iter().any(|token| outcome(token).is_some_and(|failed| *failed > 0));
            let open: Vec<Token> = change.tokens.iter().copied().filter(|token| outcome(token).is_none()).collect();
            change.tokens = open;
            if change.tokens.is_empty() && !failed && whole {
                match &change.name {
                    Some(name) => safe.insert((change.id.clone(), name.clone())),
                    None => ended.insert(change.id.clone()),
                };
            }
            !change.tokens.is_empty() && !failed && whole
        });
    }

    fn heal_all(&mut self) {
        while let Some((a, b)) = self.net.cut.first().copied() {
            self.net.heal(a, b);
        }
    }

    /// One node may die; before another one does, the others must have had the time to be the same again.
    fn crash(&mut self, node: usize) {
        if std::mem::replace(&mut self.crashed, true) {
            let faults = std::mem::take(&mut self.net.faults);
            self.heal_all();
            self.net.run(Duration::from_secs(60));
            self.acknowledge();
            self.net.faults = faults;
        }
        self.net.kill(node);
        self.waiting.retain(|change| change.node != node);
    }

    fn restart(&mut self) {
        let Some(node) = (0..self.nodes).find(|index| matches!(self.net.nodes[*index], Peer::Down)) else { return };
        self.heal_all();
        let now = self.net.now;
        let mut member = self.net.members[node].clone();
        // A node that starts again is another member.
        member.id.unique_id[15] = member.id.unique_id[15].wrapping_add(16);
        let mut machine = Sessions::new(synchronous(), &member.id, now);
        for other in self.up() {
            machine.joined(now, self.net.members[other].clone());
            self.net.machine(other).joined(now, member.clone());
        }
        machine.started(now);
        self.net.members[node] = member;
        self.net.nodes[node] = Peer::Clowder(Box::new(machine));
    }

    fn check(&mut self, seed: u64) {
        self.net.faults = Faults { delay: 5, ..Faults::default() };
        self.heal_all();
        self.net.run(Duration::from_secs(120));
        let up = self.up();
        let pictures: Vec<_> = up.iter().map(|node| self.net.picture(*node)).collect();
        for (node, picture) in up.iter().zip(&pictures) {
            assert_eq!(picture, &pictures[0], "seed {seed}: node {node} differs from node {}", up[0]);
        }
        for id in &self.ended {
            assert!(!pictures[0].contains_key(id), "seed {seed}: {id} came back");
        }
        for (id, name) in &self.safe {
            if self.doomed.contains(id) {
                continue;
            }
            let value = pictures[0].get(id).and_then(|session| session.get(name));
            let expected = &self.written[&(id.clone(), name.clone())];
            assert_eq!(value, Some(expected), "seed {seed}: {name} of {id} was acknowledged and is lost");
        }
    }
}

#[test]
fn clusters_converge_and_lose_nothing_that_was_acknowledged() {
    for seed in 0..150 {
        let mut run = Run::new(seed);
        run.net.faults = Faults {
            loss: run.net.rng.below(25),
            ack_loss: run.net.rng.below(10),
            delay: 1 + run.net.rng.below(60),
            size_max: None,
        };
        for _ in 0..150 {
            run.step();
        }
        run.check(seed);
    }
}

#[test]
fn without_faults_every_change_arrives() {
    for seed in 1000..1020 {
        let mut run = Run::new(seed);
        run.net.faults = Faults { delay: 1 + run.net.rng.below(60), ..Faults::default() };
        for _ in 0..100 {
            let up = run.up();
            let node = run.any(&up);
            let now = run.net.now;
            if run.net.rng.chance(20) {
                run.next += 1;
                let id = format!("S{}", run.next);
                run.net.machine(node).create(now, JavaStr::from(id.as_str())).expect("fresh id");
                run.write(node, &id);
            } else {
                let mut ids: Vec<String> = run.net.machine(node).ids().map(JavaStr::to_string).collect();
                ids.sort();
                if !ids.is_empty() {
                    let id = ids[run.net.rng.below(ids.len() as u64) as usize].clone();
                    run.write(node, &id);
                }
            }
            let pause = run.net.rng.below(20);
            run.net.run(Duration::from_millis(pause));
        }
        run.net.run(Duration::from_secs(2));
        run.acknowledge();
        assert_eq!(run.safe.len(), run.written.len(), "seed {seed}");
        run.check(seed);
    }
}
