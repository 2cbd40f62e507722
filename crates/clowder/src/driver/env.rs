//! What every task of a channel shares.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Instant, SystemTime};

use clowder_proto::Now;
use clowder_proto::chain::Chain;
use clowder_proto::dedup::Dedup;
use clowder_proto::group::SendFailure as Suspicion;
use clowder_proto::link::{Failure, LinkConfig};
use clowder_proto::wire::{Capabilities, Member, MemberId};
use tokio::runtime::Handle;

use super::accept::Registry;
use super::budget::Budget;
use super::control::{Control, Report};
use super::coordinator::Coordination;
use super::datagrams::Datagrams;
use super::linger::LastHeard;
use super::peer::Peer;
use super::refused::Refusals;
use super::tls::Tls;
use crate::config::{ChannelLimits, Timeouts};
use crate::inbox::Queue;
use crate::metrics::Metrics;
use crate::route::Router;
use crate::send::Encoder;
use crate::transport::Sockets;

/// The time for the machines.
pub(crate) fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}

/// Where a message was first delivered, for its copies: the connection and the place among its acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) conn: u64,
    /// `None`: it asked for no acknowledgement.
    pub(crate) seq: Option<u64>,
}

/// What a channel is configured with, as far as its tasks need it.
pub(crate) struct Settings {
    pub(crate) limits: ChannelLimits,
    pub(crate) timeouts: Timeouts,
    pub(crate) link: LinkConfig,
    pub(crate) sockets: Sockets,
    pub(crate) tls: Option<Tls>,
    pub(crate) encoder: Encoder,
}

/// One channel's state, without the handles that keep it running.
pub(crate) struct Env {
    pub(crate) handle: Handle,
    pub(crate) limits: ChannelLimits,
    pub(crate) timeouts: Timeouts,
    pub(crate) link: LinkConfig,
    pub(crate) sockets: Sockets,
    pub(crate) datagrams: Datagrams,
    pub(crate) chain: Chain,
    pub(crate) encoder: Encoder,
    /// For peers that have a secure port.
    pub(crate) tls: Option<Tls>,
    pub(crate) metrics: Metrics,
    pub(crate) control: Control,
    pub(crate) coordination: Coordination,
    pub(crate) refusals: Refusals,
    pub(crate) dedup: Mutex<Dedup<Ticket>>,
    pub(crate) registry: Registry,
    pub(crate) budget: Budget,
    pub(crate) last_heard: LastHeard,
    pub(crate) router: Router,
    pub(crate) inbox: Arc<Queue>,
    /// Connections of one Clowder sender deliver one at a time: a resend on a new connection must not get in front of
    /// what the old one is just delivering.
    gates: Mutex<HashMap<MemberId, Weak<Mutex<()>>>>,
    peers: RwLock<HashMap<MemberId, Arc<Peer>>>,
    /// The channel stopped: no new peers.
    stopped: AtomicBool,
    /// Set once, so that peers can be given the environment.
    this: OnceLock<Weak<Env>>,
}

impl Env {
    pub(crate) fn new(
        handle: Handle,
        settings: Settings,
        chain: Chain,
        control: Control,
        coordination: Coordination,
        datagrams: Datagrams,
    ) -> Arc<Env> {
        let Settings { limits, timeouts, link, sockets, tls, encoder } = settings;
        let env = Arc::new(Env {
            handle,
            link,
            sockets,
            datagrams,
            chain,
            encoder,
            tls,
            metrics: Metrics::new(),
            control,
            coordination,
            refusals: Refusals::default(),
            dedup: Mutex::new(Dedup::new(limits.dedup.clone(), fastrand::u64(..))),
            registry: Registry::default(),
            budget: Budget::new(limits.delivered_bytes_max),
            last_heard: LastHeard::default(),
            router: Router::default(),
            inbox: Arc::new(Queue::default()),
            gates: Mutex::new(HashMap::new()),
            peers: RwLock::new(HashMap::new()),
            stopped: AtomicBool::new(false),
            this: OnceLock::new(),
            limits,
            timeouts,
        });
        let _ = env.this.set(Arc::downgrade(&env));
        env
    }

    /// The peer of a member; made if it is new. `None`: the channel stopped, or there are too many.
    pub(crate) fn peer(&self, member: &Member) -> Option<Arc<Peer>> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(&member.id) {
            let peer = Arc::clone(peer);
            drop(peers);
            if !member.extension.is_empty() && !peer.is_pipelined() {
                peer.heard(member);
            }
            return Some(peer);
        }
        drop(peers);
        let this = self.this.get()?.upgrade()?;
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if self.stopped.load(Relaxed) || peers.len() >= self.limits.peers_max {
            return None;
        }
        // The record of the view knows more than one that a caller kept, or made by hand.
        let member = compact(self.control.view().get(&member.id).unwrap_or(member));
        let peer = peers.entry(member.id.clone()).or_insert_with(|| Peer::new(this, member));
        Some(Arc::clone(peer))
    }

    /// A member's record arrived: if messages go to it, its capabilities and ports matter.
    pub(crate) fn heard(&self, member: &Member) {
        let peer = self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&member.id).cloned();
        if let Some(peer) = peer {
            peer.heard(member);
        }
    }

    /// A member left: what is on its way to it fails.
    pub(crate) fn left(&self, member: &MemberId) {
        let peer = self.peers.write().unwrap_or_else(PoisonError::into_inner).remove(member);
        if let Some(peer) = peer {
            peer.close();
        }
    }

    /// Forget peers that are no members and had nothing to do since `before`.
    pub(crate) fn sweep_peers(&self, before: Instant) {
        let view = self.control.view();
        let idle = |peer: &Arc<Peer>| peer.idle_since().is_some_and(|since| since < before);
        let mut closed = Vec::new();
        self.peers.write().unwrap_or_else(PoisonError::into_inner).retain(|id, peer| {
            let keep = view.contains(id) || Arc::strong_count(peer) > 1 || !idle(peer);
            if !keep {
                closed.push(Arc::clone(peer));
            }
            keep
        });
        for peer in closed {
            peer.close();
        }
    }

    /// Messages come and go over TLS, or not at all.
    pub(crate) fn requires_tls(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::requires)
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    /// A message to a member failed: the failure detector wants to know, unless it is this node's own doing.
    pub(crate) fn count_failure(&self, member: &MemberId, failure: Failure) {
        crate::metrics::failed(failure);
        let cause = match failure {
            Failure::RemoteProcess => Suspicion::NegativeAck,
            Failure::Timeout | Failure::Connect | Failure::ConnectionLost | Failure::Protocol => Suspicion::Connection,
            _ => return,
        };
        self.control.report(Report::SendFailed { member: member.clone(), cause });
    }

    /// No new peers from now on.
    pub(crate) fn stop_sending(&self) {
        self.stopped.store(true, Relaxed);
    }

    /// Nothing is on its way to anybody.
    pub(crate) fn drained(&self) -> bool {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        self.datagrams.is_idle() && peers.values().all(|peer| peer.idle_since().is_some())
    }

    pub(crate) fn close_peers(&self) {
        self.stop_sending();
        self.datagrams.close();
        let peers = std::mem::take(&mut *self.peers.write().unwrap_or_else(PoisonError::into_inner));
        for peer in peers.into_values() {
            peer.close();
        }
    }

    /// The gate of a sender whose connections must not deliver at the same time.
    pub(crate) fn gate(&self, sender: &Member) -> Option<Arc<Mutex<()>>> {
        let ordered = self.chain.orders() || sender.capabilities().contains(Capabilities::PIPELINE);
        ordered.then(|| self.gate_of(&sender.id))
    }

    /// The same, if all senders have one.
    pub(crate) fn ordered_gate(&self, sender: &MemberId) -> Option<Arc<Mutex<()>>> {
        self.chain.orders().then(|| self.gate_of(sender))
    }

    fn gate_of(&self, sender: &MemberId) -> Arc<Mutex<()>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(sender).and_then(Weak::upgrade) {
            return gate;
        }
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Mutex::new(()));
        gates.insert(sender.clone(), Arc::downgrade(&gate));
        gate
    }
}

/// The same record without a share in the buffer that it was read into.
pub(crate) fn compact(member: &Member) -> Member {
    use bytes::Bytes;
    let copy = |bytes: &Bytes| if bytes.is_empty() { Bytes::new() } else { Bytes::copy_from_slice(bytes) };
    Member {
        id: member.id.clone(),
        command: copy(&member.command),
        domain: copy(&member.domain),
        payload: copy(&member.payload),
        extension: copy(&member.extension),
        ..*member
    }
}
