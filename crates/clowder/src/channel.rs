//! The public face of a node: who is there, send, receive, stop.

use std::any::{Any, TypeId};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clowder_proto::link::{Failure, Outcome};
use clowder_proto::wire::Member;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::builder::ChannelBuilder;
use crate::driver::env::Env;
use crate::driver::peer::{Peer, Wanted};
use crate::driver::waiters::Then;
use crate::error::{Full, SendError};
use crate::inbox::Inbox;
use crate::route::Listener;
use crate::send::{Encoder, Part, PartState, Parts, Pending, Receipt, SendOptions, Target};
use crate::view::{View, ViewChanges};

/// Pause between two looks whether everything is sent, when the channel stops.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// A node of the cluster. Clones are handles of the same node; it lives until [`Channel::stop`], or until the last
/// handle is gone, which is the same without waiting.
#[derive(Clone)]
pub struct Channel {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) env: Arc<Env>,
    pub(crate) local: Member,
    pub(crate) encoder: Encoder,
    pub(crate) tasks: Vec<AbortHandle>,
    pub(crate) stopped: watch::Sender<bool>,
    pub(crate) extensions: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Channel {
    /// Configure a node.
    pub fn builder() -> ChannelBuilder {
        ChannelBuilder::default()
    }

    pub(crate) fn new(inner: Inner) -> Channel {
        Channel { inner: Arc::new(inner) }
    }

    /// This node, as the others see it.
    pub fn local(&self) -> &Member {
        &self.inner.local
    }

    /// The members as this node sees them now. Never blocks.
    pub fn view(&self) -> Arc<View> {
        self.inner.env.control.view()
    }

    /// Returns when the first view is known: every configured member was tried once and, with multicast, somebody was
    /// heard or one and a quarter of the heartbeats' period has passed (625 ms by default). Later calls return at once.
    pub async fn settled(&self) {
        self.inner.env.control.settled().await;
    }

    /// Every change of the view from now on.
    pub fn views(&self) -> ViewChanges {
        self.inner.env.control.changes()
    }

    /// The messages that no listener takes.
    pub fn inbox(&self) -> Inbox {
        self.inner.env.inbox.open()
    }

    /// From now on this listener sees messages before the inbox and before listeners that come later.
    pub fn listen_for(&self, listener: Arc<dyn Listener>) {
        self.inner.env.router.add(listener);
    }

    /// Send a message and wait for its fate at each target, as the options say. Waits while the queue of a target is
    /// full. No target is no error.
    ///
    /// Dropping the future before it is done leaves open which targets get the message.
    ///
    /// # Errors
    /// It failed at some targets; the error names them and those that have it.
    pub async fn send<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        body: impl Into<Bytes>,
        options: SendOptions,
    ) -> Result<Receipt, SendError> {
        let waits = !options.is_asynchronous();
        let outbound = self.inner.outbound(&body.into(), options, waits);
        let mut parts = Parts::default();
        let mut full = Vec::new();
        for target in targets {
            match self.inner.target(target.borrow(), &outbound) {
                Err(part) => parts.push(part),
                Ok(peer) if peer.try_reserve(outbound.bytes) => parts.push(outbound.queue(peer, waits)),
                Ok(peer) => full.push(peer),
            }
        }
        for peer in full {
            // Counts as failed, and is no news of the peer's health, if it was closed meanwhile.
            let part = match peer.reserve(outbound.bytes).await {
                true => outbound.queue(peer, waits),
                false => failed(peer, Failure::Closed),
            };
            parts.push(part);
        }
        Pending::new(parts).await
    }

    /// As [`Channel::send`], but nothing waits for room: all targets take it now, or none gets it.
    ///
    /// # Errors
    /// The queue of a target is full.
    #[expect(clippy::result_large_err, reason = "not larger than the success")]
    pub fn try_send<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        body: impl Into<Bytes>,
        options: SendOptions,
    ) -> Result<Pending, Full> {
        let waits = !options.is_asynchronous();
        let outbound = self.inner.outbound(&body.into(), options, waits);
        let (mut parts, mut reserved) = (Parts::default(), Vec::new());
        for target in targets {
            match self.inner.target(target.borrow(), &outbound) {
                Err(part) => parts.push(part),
                Ok(peer) if peer.try_reserve(outbound.bytes) => reserved.push(peer),
                Ok(peer) => {
                    reserved.iter().for_each(|peer| peer.unreserve(outbound.bytes));
                    return Err(Full { member: peer.member.clone() });
                }
            }
        }
        reserved.into_iter().for_each(|peer| parts.push(outbound.queue(peer, waits)));
        Ok(Pending::new(parts))
    }

    /// Queue a message now, behind everything that was submitted before (with [`SendOptions::ordered_by`]: with the
    /// same key); await the result later, or drop it. Never waits: a target whose queue is full fails with
    /// [`SendFailure::QueueFull`](crate::SendFailure::QueueFull).
    pub fn submit<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        body: impl Into<Bytes>,
        options: SendOptions,
    ) -> Pending {
        let outbound = self.inner.outbound(&body.into(), options, false);
        let mut parts = Parts::default();
        for target in targets {
            parts.push(match self.inner.target(target.borrow(), &outbound) {
                Err(part) => part,
                Ok(peer) if peer.try_reserve(outbound.bytes) => outbound.queue(peer, true),
                Ok(peer) => {
                    let failure = peer.refusal();
                    failed(peer, failure)
                }
            });
        }
        Pending::new(parts)
    }

    /// As [`Channel::submit`], with a callback instead of a future. It is called exactly once, without any lock of the
    /// channel, on whichever task learns the last outcome: also before this returns. It must not block.
    #[expect(clippy::result_large_err, reason = "a target that fails at once is rare, and moved once")]
    pub fn submit_then<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        body: impl Into<Bytes>,
        options: SendOptions,
        done: impl FnOnce(Result<Receipt, SendError>) + Send + 'static,
    ) {
        let outbound = self.inner.outbound(&body.into(), options, false);
        let targets: Vec<T> = targets.into_iter().collect();
        if targets.is_empty() {
            return done(Parts::default().result());
        }
        let inner = &self.inner;
        let peers: Vec<_> = targets.iter().map(|target| inner.target(target.borrow(), &outbound)).collect();
        let members: Vec<Member> = targets.iter().map(|target| target.borrow().clone()).collect();
        let then = Then::new(
            members.len(),
            Box::new(move |outcomes| {
                let mut parts = Parts::default();
                for (member, outcome) in members.into_iter().zip(outcomes) {
                    parts.push(Part::new(Target::Member(member), PartState::Known(outcome)));
                }
                done(parts.result());
            }),
        );
        for (index, target) in peers.into_iter().enumerate() {
            match target {
                Ok(peer) if peer.try_reserve(outbound.bytes) => {
                    let wanted = Wanted::Then(Arc::clone(&then), index);
                    let _no_slot = peer.queue(outbound.frame.clone(), outbound.acked, outbound.order, wanted);
                }
                Ok(peer) => {
                    let failure = peer.refusal();
                    peer.count_failure(failure);
                    then.done(index, Outcome::Failed(failure));
                }
                Err(part) => {
                    if let Some(outcome) = part.outcome() {
                        then.done(index, outcome);
                    }
                }
            }
        }
    }

    /// Say goodbye, send what is queued (for at most [`Timeouts::drain`](crate::Timeouts::drain)), close everything.
    /// What is unfinished then fails; inboxes end.
    pub async fn stop(&self) {
        let env = &self.inner.env;
        env.control.stop().await;
        let until = Instant::now() + env.timeouts.drain;
        while !env.drained() && Instant::now() < until {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        self.inner.close();
    }

    /// The channel has stopped.
    pub fn is_stopped(&self) -> bool {
        *self.inner.stopped.borrow()
    }

    /// Returns when the channel has stopped.
    pub async fn stopped(&self) {
        let mut stopped = self.inner.stopped.subscribe();
        let _ = stopped.wait_for(|stopped| *stopped).await; // an error: everything is gone, so it stopped
    }

    /// Something of another module that lives as long as the channel; made if it is not there.
    pub(crate) fn extension<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut extensions = self.inner.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let extension = extensions.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make()));
        Arc::downcast(Arc::clone(extension)).expect("the key is the type")
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("local", &self.inner.local).finish_non_exhaustive()
    }
}

/// An encoded message.
struct Outbound {
    /// Empty: it is too large to be encoded.
    frame: Bytes,
    bytes: usize,
    too_large: bool,
    acked: bool,
    order: clowder_proto::link::Order,
}

impl Outbound {
    /// Hand it to a peer that has room.
    fn queue(&self, peer: Arc<Peer>, waits: bool) -> Part {
        let wanted = if waits { Wanted::Future } else { Wanted::Nothing };
        let slot = peer.queue(self.frame.clone(), self.acked, self.order, wanted);
        Part::new(Target::Peer(peer), slot.map_or(PartState::Queued, PartState::Waiting))
    }
}

fn failed(peer: Arc<Peer>, failure: Failure) -> Part {
    peer.count_failure(failure);
    Part::new(Target::Peer(peer), PartState::Known(Outcome::Failed(failure)))
}

impl Inner {
    fn outbound(&self, body: &Bytes, options: SendOptions, waits: bool) -> Outbound {
        let bytes = self.encoder.frame_len(body.len());
        let too_large = bytes > self.env.limits.wire.frame_bytes_max;
        let frame = if too_large { Bytes::new() } else { self.encoder.frame(options.bits(), body) };
        Outbound { frame, bytes, too_large, acked: options.is_acked(), order: options.order(waits) }
    }

    /// The peer of a target; else its outcome.
    #[expect(clippy::result_large_err, reason = "rare, and moved once")]
    fn target(&self, member: &Member, outbound: &Outbound) -> Result<Arc<Peer>, Part> {
        let failure = match self.env.peer(member) {
            _ if outbound.too_large => Failure::TooLarge,
            Some(peer) => return Ok(peer),
            None if self.env.stopped() => Failure::Closed,
            None => Failure::QueueFull,
        };
        crate::metrics::failed(failure);
        Err(Part::new(Target::Member(member.clone()), PartState::Known(Outcome::Failed(failure))))
    }

    fn close(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.env.close_peers();
        self.env.registry.close_all();
        self.env.inbox.close();
        self.stopped.send_replace(true);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}
