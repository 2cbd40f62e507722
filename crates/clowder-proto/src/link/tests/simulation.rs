//! Random sequences of everything that can happen to a link, each from one seed, held against what the peer saw.
//!
//! A first phase has faults; in the second the peer is either well or silent, and every message must find its outcome
//! in bounded time. What must always hold is checked after every step.

use std::collections::BTreeMap;

use super::peer::{Answer, Peer, Rng};
use super::*;

const STEPS: usize = 160;

/// A message as its sender knows it.
struct Sent {
    acked: bool,
    order: Order,
    bytes: usize,
    attempts: usize,
    outcome: Option<Outcome>,
}

/// One connection as the driver and the network know it.
struct Pipe {
    id: ConnId,
    open: bool,
    /// The link knows it.
    known: bool,
    /// Given to the driver.
    outbox: Vec<u64>,
    /// Out, not yet at the peer.
    wire: Vec<u64>,
    /// Out, and the link was not told.
    unreported: usize,
    acks: Vec<Ack>,
}

struct Run {
    seed: u64,
    rng: Rng,
    world: World,
    config: LinkConfig,
    peer: Peer,
    /// Bytes of a closed connection can still arrive.
    ghosts: bool,
    pipes: Vec<Pipe>,
    sent: BTreeMap<u64, Sent>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut rng = Rng(seed);
        let config = LinkConfig {
            window: 1 + rng.below(6),
            window_bytes: 20 + rng.below(100),
            lanes: 1 + rng.below(4),
            queue_bytes_max: 100 + rng.below(400),
            timeout: ms(200),
            connect_timeout: ms(100 + 100 * rng.below(2) as u64),
            retries_max: rng.below(3) as u8,
            failed_ack_is_error: true,
        };
        let is_tomcat = rng.below(3) == 0;
        let mut run = Run {
            seed,
            world: World::lanes(config.clone()),
            config,
            peer: Peer::new(!is_tomcat, rng.below(10)),
            ghosts: rng.below(2) == 0,
            pipes: Vec::new(),
            sent: BTreeMap::new(),
            rng,
        };
        if run.peer.is_clowder && run.rng.below(2) == 0 {
            run.world.announce();
        }
        run
    }

    /// Takes what came out, and looks at what must hold after every input.
    fn settle(&mut self) {
        for id in std::mem::take(&mut self.world.outs.connects) {
            assert!(self.pipes.iter().all(|pipe| pipe.id != id), "seed {}: {id:?} twice", self.seed);
            let (outbox, wire, acks) = (Vec::new(), Vec::new(), Vec::new());
            self.pipes.push(Pipe { id, open: false, known: true, outbox, wire, unreported: 0, acks });
        }
        for (conn, token) in self.world.writes() {
            let pipe = self.pipes.iter_mut().find(|pipe| pipe.id == conn && pipe.open && pipe.known);
            pipe.unwrap_or_else(|| panic!("seed {}: a write on a connection that is not open", self.seed))
                .outbox
                .push(token);
            self.sent.get_mut(&token).expect("it was queued").attempts += 1;
        }
        for conn in self.world.closes() {
            let at = self.pipes.iter().position(|pipe| pipe.id == conn && pipe.known);
            self.end(at.unwrap_or_else(|| panic!("seed {}: closed twice", self.seed)));
        }
        for (token, outcome) in self.world.done() {
            let sent = self.sent.get_mut(&token).expect("it was queued");
            assert_eq!(sent.outcome.replace(outcome), None, "seed {}: {token} has two outcomes", self.seed);
            self.check_outcome(token, outcome);
        }
        self.world.link.check_invariants();
        let open: Vec<&Sent> = self.sent.values().filter(|sent| sent.outcome.is_none()).collect();
        assert_eq!(self.world.link.unfinished(), open.len(), "seed {}", self.seed);
        assert_eq!(self.world.link.bytes(), open.iter().map(|sent| sent.bytes).sum::<usize>(), "seed {}", self.seed);
    }

    /// What an outcome says must be what happened.
    fn check_outcome(&self, token: u64, outcome: Outcome) {
        let sent = &self.sent[&token];
        let (processed, refused) = self.peer.seen(token);
        let holds = match outcome {
            Outcome::Delivered => sent.acked && processed,
            Outcome::Written => !sent.acked && sent.attempts > 0,
            Outcome::Failed(Failure::QueueFull) => sent.attempts == 0,
            Outcome::Failed(Failure::Connect) => sent.attempts == 0 && !processed && !refused,
            Outcome::Failed(Failure::RemoteProcess) => sent.acked && refused,
            Outcome::Failed(Failure::ConnectionLost | Failure::Timeout | Failure::Closed) => true,
            Outcome::Failed(_) => false,
        };
        assert!(holds, "seed {}: {token} is {outcome:?}, processed: {processed}, refused: {refused}", self.seed);
        assert!(sent.attempts <= 1 + usize::from(self.config.retries_max), "seed {}: too many attempts", self.seed);
    }

    /// The link knows the connection no more, or the network broke it.
    fn end(&mut self, at: usize) {
        let pipe = &mut self.pipes[at];
        pipe.known = false;
        if !(self.ghosts && self.rng.below(2) == 0) {
            pipe.wire.clear();
        }
    }

    fn queue(&mut self) {
        let token = self.sent.len() as u64;
        let order = match self.rng.below(4) {
            0 => Order::All,
            1 => Order::None,
            _ => Order::Keyed(self.rng.below(5) as u64),
        };
        let (acked, bytes) =
            (self.rng.below(5) > 0, 8 + self.rng.below(if token.is_multiple_of(20) { 600 } else { 40 }));
        self.sent.insert(token, Sent { acked, order, bytes, attempts: 0, outcome: None });
        self.world.queue_frame(token, bytes, acked, order);
    }

    fn lose(&mut self, at: usize, cause: Cause) {
        let id = self.pipes[at].id;
        self.end(at);
        self.world.lose(id, cause);
    }

    /// Something happens to this connection.
    fn happen(&mut self, at: usize, healthy: bool) {
        let pipe = &mut self.pipes[at];
        let id = pipe.id;
        match (pipe.known, pipe.open) {
            (false, _) => self.arrive(at),
            (true, false) if healthy || self.rng.below(4) > 0 => {
                pipe.open = true;
                self.world.tell(|link, now| link.connected(now, id));
            }
            (true, false) => self.lose(at, Cause::Connect),
            (true, true) => match self.rng.below(if healthy { 19 } else { 20 }) {
                0..6 => self.write(at),
                6..8 => self.report(at),
                8..13 => self.arrive(at),
                13..19 if !pipe.acks.is_empty() => {
                    let ack = pipe.acks.remove(0);
                    self.world.tell(|link, now| link.acked(now, id, ack));
                }
                19 => self.lose(at, Cause::Lost),
                _ => {}
            },
        }
    }

    /// The driver writes, and tells it at once or later.
    fn write(&mut self, at: usize) {
        let pipe = &mut self.pipes[at];
        let count = pipe.outbox.len().min(1 + self.rng.below(3));
        pipe.wire.extend(pipe.outbox.drain(..count));
        pipe.unreported += count;
        if self.rng.below(3) > 0 {
            self.report(at);
        }
    }

    fn report(&mut self, at: usize) {
        let (id, count) = (self.pipes[at].id, std::mem::take(&mut self.pipes[at].unreported));
        self.world.write(id, count);
    }

    /// The next message of the connection arrives.
    fn arrive(&mut self, at: usize) {
        let pipe = &mut self.pipes[at];
        if pipe.wire.is_empty() {
            return;
        }
        let token = pipe.wire.remove(0);
        let answer = self.peer.received(&mut self.rng, token);
        if self.sent[&token].acked {
            pipe.acks.push(if answer == Answer::Processed { Ack::Ok } else { Ack::Failed });
        }
    }

    /// Time passes, as a rule up to the deadline; the driver can be late.
    fn pass(&mut self, most: usize) {
        let by = ms(self.rng.below(most) as u64);
        self.world.now = self.world.now.later(by);
        self.world.tell(Link::handle_deadline);
        let deadline = self.world.link.deadline();
        assert!(deadline.is_none_or(|at| at > self.world.now.mono), "seed {}: a deadline that stays", self.seed);
    }

    fn step(&mut self, healthy: bool) {
        match self.rng.below(10) {
            0 | 1 if !healthy => self.queue(),
            2 => self.pass(if healthy { 5 } else { 60 }),
            3 if !healthy && self.peer.is_clowder && self.rng.below(20) == 0 => self.world.announce(),
            _ if !self.pipes.is_empty() => {
                let at = self.rng.below(self.pipes.len());
                self.happen(at, healthy);
            }
            _ => {}
        }
        self.settle();
        self.pipes.retain(|pipe| pipe.known || !pipe.wire.is_empty());
    }

    /// The peer is well again: soon nothing is left.
    fn recover(&mut self) {
        for _ in 0..20_000 {
            if self.world.link.unfinished() == 0 {
                return;
            }
            self.step(true);
        }
        panic!("seed {}: {} messages without an outcome", self.seed, self.world.link.unfinished());
    }

    /// The peer says nothing any more: two timeouts, of a connection and of an attempt to make one, end everything.
    fn fall_silent(&mut self) {
        let end = self.world.now.mono + (self.config.timeout + self.config.connect_timeout) * 2;
        while let Some(deadline) = self.world.link.deadline() {
            assert!(deadline <= end, "seed {}: still waiting", self.seed);
            self.world.now = self.world.now.later(deadline.saturating_duration_since(self.world.now.mono));
            self.world.tell(Link::handle_deadline);
            self.settle();
        }
        assert_eq!(self.world.link.unfinished(), 0, "seed {}: nothing waits and something is left", self.seed);
    }

    /// Nothing overtook anything that it must not.
    fn check_order(&self) {
        let arrived: Vec<u64> = self.peer.order().filter(|token| self.is_ordered(*token)).collect();
        for (at, later) in arrived.iter().enumerate() {
            for earlier in &arrived[..at] {
                let overtook = earlier > later && must_not_overtake(&self.sent[later], &self.sent[earlier]);
                assert!(!overtook, "seed {}: {earlier} arrived before {later}", self.seed);
            }
        }
    }

    /// Not ordered: what the peer refused and its sender tried again, for the refusal was lost with the connection;
    /// and what arrived late over a connection that was given up, which its sender was not told to be delivered.
    fn is_ordered(&self, token: u64) -> bool {
        let refused = self.peer.seen(token).1;
        !refused && (!self.ghosts || self.sent[&token].outcome == Some(Outcome::Delivered))
    }
}

/// The second was queued later; may it not arrive before the first?
fn must_not_overtake(first: &Sent, second: &Sent) -> bool {
    match (first.order, second.order) {
        // One that wants no acknowledgement is done when it is written.
        (Order::All, Order::None) => first.acked,
        (Order::None, _) => false,
        (first, second) => first == second,
    }
}

fn simulate(seed: u64) -> Run {
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        run.step(false);
    }
    match run.rng.below(3) {
        0 => run.fall_silent(),
        1 => {
            run.world.tell(Link::closed);
            run.settle();
        }
        _ => run.recover(),
    }
    run.world.assert_idle();
    run.check_order();
    run
}

#[test]
fn every_sequence_of_faults_leaves_one_true_outcome_for_each_message() {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..2500 {
        for sent in simulate(seed).sent.values() {
            let outcome = sent.outcome.expect("checked by the run");
            *outcomes.entry(format!("{outcome:?}")).or_default() += 1;
        }
    }
    for outcome in [
        DELIVERED,
        WRITTEN,
        failed(Failure::RemoteProcess),
        failed(Failure::Timeout),
        failed(Failure::Connect),
        failed(Failure::ConnectionLost),
        failed(Failure::QueueFull),
        failed(Failure::Closed),
    ] {
        let count = outcomes.get(&format!("{outcome:?}")).copied().unwrap_or_default();
        assert!(count > 100, "the faults bring about every outcome, but {outcome:?} only {count} times");
    }
}
