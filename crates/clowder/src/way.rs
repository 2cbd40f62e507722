//! How a frame gets to its target: through the peer's connections, or as a datagram.

use std::sync::Arc;

use bytes::Bytes;
use clowder_proto::link::{Failure, Order};

use crate::driver::datagrams::{self, Destination};
use crate::driver::env::Env;
use crate::driver::peer::{Peer, Wanted};
use crate::driver::waiters::Then;

/// How a message travels, by the bits of its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// Connections.
    Tcp,
    /// A datagram for each target.
    Udp,
    /// A datagram for the multicast group, whoever the targets are.
    Multicast,
}

/// One frame's way, with all that is known about it.
pub(crate) enum Way {
    Peer(Arc<Peer>),
    Datagram(Arc<Env>, Destination),
}

impl Way {
    /// Reserve room, if there is any now.
    pub(crate) fn try_reserve(&self, bytes: usize) -> bool {
        match self {
            Way::Peer(peer) => peer.try_reserve(bytes),
            Way::Datagram(env, _) => env.datagrams.try_reserve(bytes),
        }
    }

    /// Wait for room. False: it is closed.
    pub(crate) async fn reserve(&self, bytes: usize) -> bool {
        match self {
            Way::Peer(peer) => peer.reserve(bytes).await,
            Way::Datagram(env, _) => env.datagrams.reserve(bytes).await,
        }
    }

    /// Give back what was reserved and not spent.
    pub(crate) fn unreserve(&self, bytes: usize) {
        match self {
            Way::Peer(peer) => peer.unreserve(bytes),
            Way::Datagram(env, _) => env.datagrams.unreserve(bytes),
        }
    }

    /// Why it takes nothing now.
    pub(crate) fn refusal(&self) -> Failure {
        match self {
            Way::Peer(peer) => peer.refusal(),
            Way::Datagram(env, _) if env.stopped() => Failure::Closed,
            Way::Datagram(..) => Failure::QueueFull,
        }
    }

    /// Send a frame with reserved room; `then` is told at `index`.
    pub(crate) fn queue(self, frame: Bytes, acked: bool, order: Order, then: &Arc<Then>, index: usize) {
        match self {
            Way::Peer(peer) => {
                let _no_slot = peer.queue(frame, acked, order, Wanted::Then(Arc::clone(then), index));
            }
            Way::Datagram(env, destination) => datagrams::send(&env, destination, frame, Arc::clone(then), index),
        }
    }

    /// Count a failure before anything was sent.
    pub(crate) fn count_failure(&self, failure: Failure) {
        match self {
            Way::Peer(peer) => peer.count_failure(failure),
            Way::Datagram(..) => crate::metrics::failed(failure),
        }
    }
}
