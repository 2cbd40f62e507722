//! What was refused from the network: counted always, logged once per peer, kind and minute.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics;

const PAUSE: Duration = Duration::from_secs(60);
/// Peers remembered at a time; refusals of those beyond are counted and not logged.
const PEERS_MAX: usize = 1024;

/// When each peer was last complained about.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<(IpAddr, &'static str), Instant>>);

impl Refusals {
    /// A connection of `peer` is closed by this node.
    pub(crate) fn refused(&self, peer: SocketAddr, kind: &'static str, why: impl Display) {
        metrics::refused(kind);
        if self.may_log(Instant::now(), peer.ip(), kind) {
            tracing::warn!(%peer, kind, %why, "closed a connection; further ones are counted for a minute");
        }
    }

    fn may_log(&self, now: Instant, peer: IpAddr, kind: &'static str) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
