//! What was refused from the network: counted always, logged once per peer, kind and minute, told to who listens.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clowder_proto::chain::Rejection;
use clowder_proto::wire::MemberId;
use tokio::sync::broadcast;

use crate::metrics;

const PAUSE: Duration = Duration::from_secs(60);
/// Peers remembered at a time; refusals of those beyond are counted and not logged.
const PEERS_MAX: usize = 1024;

/// Refusals that a slow reader may lag behind; it misses those beyond.
const UNREAD_MAX: usize = 1024;

/// Something from the network that this node did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A connection was closed.
    Connection {
        /// Its other end.
        peer: SocketAddr,
        /// Why, as in the label of the metric.
        kind: &'static str,
    },
    /// A TLS connection was not made or not accepted, or TLS is required and was not used.
    Tls {
        /// Its other end, whoever began.
        peer: SocketAddr,
        /// Why, as in the label of the metric.
        kind: &'static str,
        /// The same in words.
        reason: String,
    },
    /// A datagram was dropped, or what stood behind its good messages.
    Datagram {
        /// Where it came from; port 0: not known, by multicast.
        peer: SocketAddr,
        /// Why, as in the label of the metric.
        kind: &'static str,
    },
    /// A message was not delivered: an interceptor of the chain rejected it.
    Message {
        /// Where it came from, if it was not held before.
        peer: Option<SocketAddr>,
        /// Whom it names as its sender.
        from: MemberId,
        /// Which interceptor.
        interceptor: &'static str,
        /// Why, as in the label of the metric.
        kind: &'static str,
    },
}

/// The refusals from now on.
#[derive(Debug)]
pub struct RefusalEvents(broadcast::Receiver<Refusal>);

impl RefusalEvents {
    /// The next one; `None` once the channel is gone. A reader that lags by more than 1,024 misses the oldest, which are
    /// counted all the same. Cancel safe.
    pub async fn next(&mut self) -> Option<Refusal> {
        loop {
            match self.0.recv().await {
                Ok(refusal) => return Some(refusal),
                Err(broadcast::error::RecvError::Closed) => return None,
                Err(broadcast::error::RecvError::Lagged(_)) => {}
            }
        }
    }
}

/// When each peer was last complained about.
#[derive(Debug)]
pub(crate) struct Refusals {
    logged: Mutex<HashMap<(IpAddr, &'static str), Instant>>,
    events: broadcast::Sender<Refusal>,
}

impl Default for Refusals {
    fn default() -> Refusals {
        Refusals { logged: Mutex::default(), events: broadcast::Sender::new(UNREAD_MAX) }
    }
}

impl Refusals {
    pub(crate) fn events(&self) -> RefusalEvents {
        RefusalEvents(self.events.subscribe())
    }

    /// A connection of `peer` is closed by this node.
    pub(crate) fn refused(&self, peer: SocketAddr, kind: &'static str, why: impl Display) {
        metrics::refused(kind);
        let _ = self.events.send(Refusal::Connection { peer, kind }); // nobody listens: so be it
        if self.may_log(Instant::now(), peer.ip(), kind) {
            tracing::warn!(%peer, kind, %why, "closed a connection; further ones are counted for a minute");
        }
    }

    /// No TLS with `peer`.
    pub(crate) fn tls(&self, peer: SocketAddr, kind: &'static str, reason: &str) {
        metrics::tls_refused(kind);
        let _ = self.events.send(Refusal::Tls { peer, kind, reason: reason.to_owned() }); // nobody listens: so be it
        if self.may_log(Instant::now(), peer.ip(), kind) {
            tracing::warn!(%peer, kind, %reason, "refused by TLS; further ones are counted for a minute");
        }
    }

    /// A datagram from `peer` is not read, or not to its end.
    pub(crate) fn dropped(&self, peer: SocketAddr, kind: &'static str, why: impl Display) {
        metrics::dropped(kind);
        let _ = self.events.send(Refusal::Datagram { peer, kind }); // nobody listens: so be it
        if self.may_log(Instant::now(), peer.ip(), kind) {
            tracing::warn!(%peer, kind, %why, "dropped a datagram; further ones are counted for a minute");
        }
    }

    /// A message is not delivered: the chain rejected it.
    pub(crate) fn rejected(&self, peer: Option<SocketAddr>, from: &MemberId, rejection: &Rejection) {
        metrics::rejected(rejection);
        let Rejection { interceptor, kind, .. } = *rejection;
        let _ = self.events.send(Refusal::Message { peer, from: from.clone(), interceptor, kind });
        let ip = peer.map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        if self.may_log(Instant::now(), ip, kind) {
            tracing::warn!(?peer, %from, interceptor, kind, "dropped a message; further ones are counted for a minute");
        }
    }

    fn may_log(&self, now: Instant, peer: IpAddr, kind: &'static str) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |last: &Instant| now.saturating_duration_since(*last) < PAUSE;
        if logged.get(&(peer, kind)).is_some_and(recent) {
            return false;
        }
        if logged.len() >= PEERS_MAX {
            logged.retain(|_, last| recent(last));
        }
        if logged.len() >= PEERS_MAX {
            return false;
        }
        logged.insert((peer, kind), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_per_peer_kind_and_minute_within_a_bound() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let peer = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(refusals.may_log(start, peer(1), "a"));
        assert!(!refusals.may_log(start + Duration::from_secs(59), peer(1), "a"));
        assert!(refusals.may_log(start, peer(1), "b") && refusals.may_log(start, peer(2), "a"));
        assert!(refusals.may_log(start + Duration::from_secs(60), peer(1), "a"));
        let logged = (10..5000).filter(|n| refusals.may_log(start, peer(*n), "a")).count();
        assert!(logged <= PEERS_MAX);
        assert!(refusals.may_log(start + PAUSE * 2, peer(7), "a"), "old ones make room");
    }
}
