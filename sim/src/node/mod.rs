//! One process: the machines of a node, put together as the driver puts them together.
//!
//! A process is told what happened and returns what it wants done as [`Effect`]s. Between its machines news travel
//! through queues, as between the driver's tasks; [`Process::settle`] empties them.

mod control;
mod coordinator;
mod deliver;
mod inbound;
mod outbound;
mod sessions;
mod shipment;

pub(crate) use control::{GroupInput, picture};
pub(crate) use shipment::App;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::chain::Chain;
use clowder_proto::dedup::{Dedup, DedupConfig};
use clowder_proto::election::Coordinator;
use clowder_proto::group::{Group, GroupConfig, HeartbeatConfig, Probe, ProbeId};
use clowder_proto::link::{Outcome, Token as FrameToken};
use clowder_proto::session::{Sessions, Token};
use clowder_proto::wire::{Member, MemberId};

use crate::history::History;
use crate::network::Key;
use crate::{Sabotage, Settings, Who};
use deliver::Delivery;
use inbound::{Inbound, Ticket};
use outbound::Peer;
use shipment::{Message, Passage, Waiter};

/// What a process wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    Multicast(Bytes),
    Probe(Probe),
    Watch(MemberId),
    Unwatch(MemberId),
    Connect(Key, MemberId),
    /// There is something to write on this connection.
    Writable(Key),
    Close(Key),
    /// Acknowledgements on a connection that somebody made to this process.
    Acks(Key, Bytes),
    /// This process ends such a connection.
    Hangup(Key),
    /// The task of this connection has a message to hand on.
    Hand(Key),
    /// Something waits to be processed.
    Process,
    /// A message that a request waits for.
    Settled(Token, usize),
}

/// What every input of a process comes with.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) rng: &'a mut fastrand::Rng,
    pub(crate) history: &'a mut History,
    pub(crate) effects: &'a mut Vec<Effect>,
    pub(crate) settings: &'a Settings,
}

/// One life of one node.
pub(crate) struct Process {
    pub(crate) who: Who,
    local: Member,
    group: Group,
    pub(crate) group_config: GroupConfig,
    pub(crate) born: Now,
    /// Everything that the group was told, with the time, and what views came of it.
    pub(crate) inputs: Vec<(Now, GroupInput)>,
    pub(crate) views: Vec<String>,
    /// What the other parts noticed and the group was not told yet.
    reports: VecDeque<GroupInput>,
    pub(crate) view: Vec<Member>,
    /// Who was in the view and then not any more.
    pub(crate) left: Vec<MemberId>,
    /// The probe whose verdict is being handled.
    landed: Option<ProbeId>,
    pub(crate) sessions: Sessions,
    /// Somebody who is there would have been heard.
    discovered: bool,
    started: bool,
    /// Requests may be served.
    pub(crate) ready: bool,
    pub(crate) chain: Chain,
    /// Broken on purpose: the chain is not told that time passes.
    holds_for_ever: bool,
    pub(crate) coordinator: Option<Coordinator>,
    /// Messages of other coordinators that it was not told yet.
    coordination: VecDeque<(MemberId, Bytes)>,
    pub(crate) peers: BTreeMap<MemberId, Peer>,
    links: u32,
    /// Outcomes of frames that nobody was told yet.
    outcomes: VecDeque<(FrameToken, Outcome)>,
    waiters: BTreeMap<u64, Waiter>,
    passages: BTreeMap<u64, Passage>,
    passage_next: u64,
    messages: BTreeMap<usize, Message>,
    tokens: u64,
    pub(crate) dedup: Dedup<Ticket>,
    inbound: BTreeMap<Key, Inbound>,
    /// What the tasks of connections have not handed on yet.
    handed: BTreeMap<Key, VecDeque<Delivery>>,
    inbox: VecDeque<Delivery>,
    /// Who gets the same answer as a message that is still being processed.
    followers: BTreeMap<(Key, u64), Vec<(Key, u64)>>,
    /// Inbound connections that ended and still owe nothing but memory.
    ended: BTreeSet<Key>,
}

/// How long a node without anybody looks for others before its sessions start.
const DISCOVERY: Duration = Duration::from_millis(625);

impl Process {
    pub(crate) fn new(who: Who, seed: u64, settings: &Settings, now: Now) -> Process {
        let local = who.member();
        let group_config = GroupConfig { heartbeats: Some(HeartbeatConfig::default()), seed, ..GroupConfig::default() };
        Process {
            group: Group::new(group_config.clone(), local.clone(), now),
            coordinator: settings.layers.coordinator(seed).map(|config| Coordinator::new(config, local.clone())),
            sessions: Sessions::new(settings.sessions(), &local.id, now),
            dedup: Dedup::new(DedupConfig::default(), seed),
            who,
            local,
            group_config,
            born: now,
            inputs: Vec::new(),
            views: Vec::new(),
            reports: VecDeque::new(),
            view: Vec::new(),
            left: Vec::new(),
            landed: None,
            discovered: false,
            started: false,
            ready: false,
            chain: settings.layers.chain(settings.sabotage == Sabotage::HoldsTooMuch),
            holds_for_ever: settings.sabotage == Sabotage::HoldsForEver,
            coordination: VecDeque::new(),
            peers: BTreeMap::new(),
            links: 0,
            outcomes: VecDeque::new(),
            waiters: BTreeMap::new(),
            passages: BTreeMap::new(),
            passage_next: 0,
            messages: BTreeMap::new(),
            tokens: 0,
            inbound: BTreeMap::new(),
            handed: BTreeMap::new(),
            inbox: VecDeque::new(),
            followers: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    /// Drains every machine until nothing is left to do.
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        loop {
            let mut busy = self.drain_group(turn);
            busy |= self.drain_sessions(turn);
            busy |= self.drain_coordinator(turn);
            busy |= self.drain_links(turn);
            busy |= self.tell_outcomes(turn);
            busy |= self.tell_coordination(turn);
            busy |= self.tell_reports(turn);
            if !busy {
                break;
            }
        }
        self.start_if_settled(turn);
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let start = (!self.discovered).then_some(self.born.mono + DISCOVERY);
        self.deadlines().into_iter().chain([start]).flatten().min()
    }

    /// When each kind of machine wants to be called: group, sessions, coordinator, chain, links.
    fn deadlines(&self) -> [Option<Instant>; 5] {
        let coordinator = self.coordinator.as_ref().and_then(Coordinator::deadline);
        let links = self.peers.values().filter_map(Peer::deadline).min();
        [self.group.deadline(), self.sessions.deadline(), coordinator, self.chain_deadline(), links]
    }

    /// Who it is, and what it waits for.
    pub(crate) fn due(&self) -> (Who, [Option<Instant>; 5]) {
        (self.who, self.deadlines())
    }

    /// What a layer of the chain has counted under these names.
    pub(crate) fn counted(&self, layer: &str, names: &[&str]) -> u64 {
        let layers = self.chain.interceptors().filter(|interceptor| interceptor.name() == layer);
        let counters = layers.flat_map(|interceptor| interceptor.counters());
        counters.filter(|(name, _)| names.contains(name)).map(|(_, count)| count).sum()
    }

    /// Time has passed.
    pub(crate) fn handle_deadline(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.group.deadline()) {
            self.tell_group(turn, GroupInput::Deadline);
        }
        if due(self.sessions.deadline()) {
            self.sessions.handle_deadline(turn.now);
        }
        if let Some(coordinator) = self.coordinator.as_mut().filter(|coordinator| due(coordinator.deadline())) {
            coordinator.handle_deadline(turn.now);
        }
        if due(self.chain_deadline()) {
            self.chain_overdue(turn);
        }
        for peer in self.peers.values_mut() {
            peer.handle_deadline(turn.now);
        }
        self.settle(turn);
    }

    /// A member of the current view with this id.
    fn member(&self, id: &MemberId) -> Option<&Member> {
        self.view.iter().find(|member| member.id == *id)
    }
}
