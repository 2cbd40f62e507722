//! Replicated sessions of one web application: every node has every session, changes travel as deltas.
//!
//! [`Sessions`] is the counterpart of Tomcat's `DeltaManager` and speaks its messages; [`wire`] has their bytes. The
//! machine holds the sessions, records what local requests change, applies what peers send, asks for and gives state,
//! decides who expires what, and repairs what did not arrive. It does no I/O and reads no clock.
//!
//! # How a driver uses it
//!
//! One lock around one `Sessions` is enough: every operation is a few microseconds and independent of the number of
//! sessions. The two expensive things happen outside the lock: [`Incoming::decode`] turns a received body into a value
//! before [`received`](Sessions::received) gets it, and [`Body::encode`] makes the bytes of a block of sessions after
//! [`poll`](Sessions::poll) gave it out. A [`Snapshot`] is two reference counts and can be read without the lock.
//!
//! Per request: [`access`](Sessions::access) (or [`create`](Sessions::create)), then any number of changes, then
//! [`request_completed`](Sessions::request_completed), which makes one message of all of them. After every call drain
//! [`poll`](Sessions::poll), hand each [`Send`] to the channel **in that order**, and come back at
//! [`deadline`](Sessions::deadline).
//!
//! # What it keeps
//!
//! * Two changes of different attributes never destroy each other; of two changes of one attribute every Clowder node
//!   keeps the same (see [`Stamp`]).
//! * A change that a request made is sent to every member, and sent again as a whole session if a delivery failed.
//! * A session ends once, and messages that were under way do not bring it back.
//! * What a Java node put into a session leaves it unchanged, known class or not.
//!
//! # What a Tomcat beside it can still do wrong
//!
//! A Tomcat that receives a delta forgets the changes of its own running requests on that session; they stay in its
//! copy, unsent. After such a meeting its sessions are fetched and what is missing here is added
//! ([`SessionsConfig::reconcile_every`]). Writes of one attribute on both sides at once end with one value on all nodes:
//! the node that notices sends it again.

mod bequest;
mod clock;
mod config;
mod expiry;
mod filter;
mod id;
mod incoming;
mod java_str;
mod local;
mod memory;
mod merge;
mod notices;
mod out;
mod parked;
mod peers;
mod pending;
mod provider;
mod remote;
mod repair;
mod requester;
mod send;
mod snapshot;
mod state;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod welcome;
pub mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

pub use clock::Stamp;
pub use config::{Replication, SessionLimits, SessionsConfig, TransferConfig};
pub use filter::AttributeFilter;
pub use id::{rerouted, session_id};
pub use incoming::{Incoming, no_context_manager};
pub use java_str::JavaStr;
pub use local::{Completion, SessionError};
pub use out::{Body, EndCause, Send, SessionEvent, SessionsOut, Token};
pub use snapshot::Snapshot;
pub use state::CellKind;
pub use stats::Stats;

use crate::Now;
use crate::wire::MemberId;
use clock::HybridClock;
use parked::Parked;
use peers::Peers;
use provider::Provider;
use requester::Requester;
use send::InFlight;
use store::Store;
use welcome::EarlyQuestion;

/// The sessions of one context on one node. See the [module](self).
#[derive(Debug)]
pub struct Sessions {
    config: SessionsConfig,
    clock: HybridClock,
    epoch: Instant,
    store: Store,
    peers: Peers,
    parked: Parked,
    requester: Requester,
    providers: Vec<Provider>,
    early: Vec<EarlyQuestion>,
    in_flight: BTreeMap<Token, InFlight>,
    next_token: u64,
    out: VecDeque<SessionsOut>,
    stats: Stats,
}

impl Sessions {
    /// No sessions, no members. `local` is this node's identity on the wire.
    pub fn new(config: SessionsConfig, local: &MemberId, now: Now) -> Self {
        Sessions {
            clock: HybridClock::new(clock::node_of(local)),
            // Times are kept as milliseconds since a moment before the first input, so that 0 can stand for never.
            epoch: now.mono.checked_sub(Duration::from_millis(1)).unwrap_or(now.mono),
            store: Store::new(&config.limits),
            peers: Peers::default(),
            parked: Parked::new(&config.limits),
            requester: Requester::default(),
            providers: Vec::new(),
            early: Vec::new(),
            in_flight: BTreeMap::new(),
            next_token: 0,
            out: VecDeque::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<SessionsOut> {
        self.out.pop_front()
    }

    /// When to call [`handle_deadline`](Self::handle_deadline) if nothing happens before. Any call can change it.
    pub fn deadline(&self) -> Option<Instant> {
        let at = [
            self.store.next_check(),
            self.parked.deadline(self.requester.is_asking()),
            self.requester.deadline(),
            self.peers.deadline(),
            self.early_deadline(),
        ];
        let at = at.into_iter().flatten().min()?;
        Some(self.epoch + Duration::from_millis(at))
    }

    /// Does what is due. Early is harmless; work is bounded, so the next deadline may have passed already.
    pub fn handle_deadline(&mut self, now: Now) {
        self.requester_due(now);
        self.parked_due(now);
        self.peers_due(now);
        self.early_due(now);
        self.expiry_due(now);
    }

    /// Key of the messages about this session, in [`Send`]. `None`: no such session.
    pub fn order_key(&self, session_id: &str) -> Option<u64> {
        let slot = self.store.find(&java_str::modified_utf8(session_id))?;
        self.store.get(slot).map(|entry| entry.lane)
    }

    /// Number of sessions.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// True if there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ids of all sessions, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &JavaStr> {
        self.store.slots().map(|(_, entry)| &entry.id)
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What it was made with.
    pub fn config(&self) -> &SessionsConfig {
        &self.config
    }

    /// Messages for unknown sessions that wait, and their bytes.
    pub fn parked(&self) -> (usize, usize) {
        (self.parked.len(), self.parked.bytes())
    }

    /// The own clock in milliseconds, never 0.
    fn ms(&self, now: Now) -> u64 {
        millis(now.mono.saturating_duration_since(self.epoch)).max(1)
    }

    fn event(&mut self, event: SessionEvent) {
        self.out.push_back(SessionsOut::Event(event));
    }
}

/// Whole milliseconds, saturated.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
