//! The public face of a node: who is there, send, receive, stop.

use std::any::{Any, TypeId};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clowder_proto::chain::{Control as Place, EncryptError, KeyRing};
use clowder_proto::link::{Failure, Outcome};
use clowder_proto::wire::{Member, MemberId};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::builder::ChannelBuilder;
use crate::driver::env::Env;
use crate::driver::peer::Peer;
use crate::driver::refused::RefusalEvents;
use crate::error::{Full, SendError};
use crate::inbox::Inbox;
use crate::leader::Leaders;
use crate::outgoing::{Outbound, Planned};
use crate::route::Listener;
use crate::send::{Part, PartState, Parts, Pending, Receipt, SendOptions, Target};
use crate::view::{View, ViewChanges};
use crate::way::Via;

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
    /// Ended with the channel. Set once, when it starts.
    pub(crate) tasks: OnceLock<Vec<AbortHandle>>,
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

    /// These tasks end with the channel.
    pub(crate) fn runs(&self, tasks: Vec<AbortHandle>) {
        let set = self.inner.tasks.set(tasks);
        debug_assert!(set.is_ok(), "a channel starts once");
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

    /// Who leads, as the members agreed. `None` while nothing is agreed, once the channel has stopped, and without a
    /// [coordinator](ChannelBuilder::coordinator). Never blocks.
    ///
    /// Agreement takes a round of messages: for a moment two nodes can each believe that another one leads, or that they
    /// do themselves. Where the network is cut, each part has its leader.
    pub fn leader(&self) -> Option<Member> {
        let agreed = self.inner.env.coordination.agreed();
        let leader = agreed.borrow().as_ref().map(|agreed| agreed.leader.clone());
        leader.filter(|_| !self.is_stopped())
    }

    /// Every change of the leader or of the agreed view from now on.
    pub fn leaders(&self) -> Leaders {
        Leaders::new(self.inner.env.coordination.agreed())
    }

    /// The messages that no listener takes.
    pub fn inbox(&self) -> Inbox {
        self.inner.env.inbox.open()
    }

    /// What this node refuses from the network from now on: connections it closes, messages it does not deliver.
    pub fn refusals(&self) -> RefusalEvents {
        self.inner.env.refusals.events()
    }

    /// From now on this listener sees messages before the inbox and before listeners that come later.
    pub fn listen_for(&self, listener: Arc<dyn Listener>) {
        self.inner.env.router.add(listener);
    }

    /// No message goes to this listener any more; one that it is just being given is its last. Pass a clone of what was
    /// given to [`Channel::listen_for`].
    pub fn stop_listening(&self, listener: &Arc<dyn Listener>) {
        self.inner.env.router.remove(listener);
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
        let targets: Vec<T> = targets.into_iter().collect();
        let outbound = match self.inner.planned(body.into(), options, waits, &targets) {
            Planned::One(outbound) => outbound,
            Planned::Many(shipment) => {
                let members = self.inner.addressees(&targets, options);
                let (pending, done) = Pending::of(&members, waits);
                shipment.set_out(&self.inner, members, done).queue_all().await;
                return pending.await;
            }
        };
        let mut parts = Parts::default();
        let mut full = Vec::new();
        for target in &targets {
            match self.inner.target(target.borrow(), &outbound) {
                Err(part) => parts.push(part),
                Ok(peer) if peer.try_reserve(outbound.frame.len()) => parts.push(outbound.queue(peer, waits)),
                Ok(peer) => full.push(peer),
            }
        }
        for peer in full {
            // Counts as failed, and is no news of the peer's health, if it was closed meanwhile.
            let part = match peer.reserve(outbound.frame.len()).await {
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
        let targets: Vec<T> = targets.into_iter().collect();
        let outbound = match self.inner.planned(body.into(), options, waits, &targets) {
            Planned::One(outbound) => outbound,
            Planned::Many(shipment) => {
                let members = self.inner.addressees(&targets, options);
                let (pending, done) = Pending::of(&members, waits);
                shipment.set_out(&self.inner, members, done).try_queue()?;
                return Ok(pending);
            }
        };
        let (mut parts, mut reserved) = (Parts::default(), Vec::new());
        for target in &targets {
            match self.inner.target(target.borrow(), &outbound) {
                Err(part) => parts.push(part),
                Ok(peer) if peer.try_reserve(outbound.frame.len()) => reserved.push(peer),
                Ok(peer) => {
                    reserved.iter().for_each(|peer| peer.unreserve(outbound.frame.len()));
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
        let targets: Vec<T> = targets.into_iter().collect();
        let outbound = match self.inner.planned(body.into(), options, false, &targets) {
            Planned::One(outbound) => outbound,
            Planned::Many(shipment) => {
                let members = self.inner.addressees(&targets, options);
                let (pending, done) = Pending::of(&members, true);
                shipment.set_out(&self.inner, members, done).queue_now();
                return pending;
            }
        };
        let mut parts = Parts::default();
        for target in &targets {
            parts.push(match self.inner.target(target.borrow(), &outbound) {
                Err(part) => part,
                Ok(peer) if peer.try_reserve(outbound.frame.len()) => outbound.queue(peer, true),
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
    pub fn submit_then<T: Borrow<Member>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        body: impl Into<Bytes>,
        options: SendOptions,
        done: impl FnOnce(Result<Receipt, SendError>) + Send + 'static,
    ) {
        let targets: Vec<T> = targets.into_iter().collect();
        if targets.is_empty() && options.via() == Via::Tcp {
            return done(Parts::default().result());
        }
        let planned = self.inner.planned(body.into(), options, false, &targets);
        self.inner.submit(planned, self.inner.addressees(&targets, options), Box::new(done));
    }

    /// As [`Channel::submit_then`], for a message of the control plane: only the layers below its place see it. There must
    /// be a target.
    pub(crate) fn submit_below(
        &self,
        place: Place,
        targets: Vec<Member>,
        body: Bytes,
        options: SendOptions,
        done: impl FnOnce(Result<Receipt, SendError>) + Send + 'static,
    ) {
        let ids: Vec<MemberId> = targets.iter().map(|target| target.id.clone()).collect();
        let planned = self.inner.plan(Some(place), body, options, false, &ids);
        self.inner.submit(planned, targets, Box::new(done));
    }

    /// Read the files of [`TlsConfig`](crate::TlsConfig) again: for a new certificate, or other CAs. Connections that are
    /// made from now on use them; those that are open stay, also if their certificate would not be accepted any more.
    /// Reads three small files, and may block for as long as that takes.
    ///
    /// # Errors
    /// The files cannot be used, and nothing changes; or the channel was started without TLS.
    #[cfg(feature = "tls")]
    pub fn reload_tls(&self) -> Result<(), crate::TlsError> {
        self.inner.env.tls.as_ref().ok_or(crate::TlsError::NotConfigured)?.reload()
    }

    /// From now on encrypt with another key, and accept others: for the layer `encrypt` of the chain. What is on its way
    /// already keeps its key. To change the key of a running cluster, see [`KeyRing`] and `docs/operations.md`.
    ///
    /// # Errors
    /// There is no key to send with, one of them does not fit the algorithm, or the chain has no such layer, or several.
    /// Nothing was changed.
    pub fn set_encryption_keys(&self, keys: &KeyRing) -> Result<(), EncryptError> {
        self.inner.env.chain.set_keys(keys)
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
        self.until_stopped().await;
    }

    /// As [`Channel::stopped`], without keeping the node running.
    pub(crate) fn until_stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stopped = self.inner.stopped.subscribe();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await; // an error: everything is gone, so it stopped
        }
    }

    pub(crate) fn env(&self) -> &Arc<Env> {
        &self.inner.env
    }

    /// A handle that does not keep the node running.
    pub(crate) fn downgrade(&self) -> WeakChannel {
        WeakChannel { inner: Arc::downgrade(&self.inner) }
    }

    /// Something of another module that lives as long as the channel; made if it is not there.
    pub(crate) fn extension<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut extensions = self.inner.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        let extension = extensions.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(make()));
        Arc::downcast(Arc::clone(extension)).expect("the key is the type")
    }
}

/// See [`Channel::downgrade`].
#[derive(Clone)]
pub(crate) struct WeakChannel {
    inner: Weak<Inner>,
}

impl WeakChannel {
    /// The channel, while it lives.
    pub(crate) fn upgrade(&self) -> Option<Channel> {
        Some(Channel { inner: self.inner.upgrade()? })
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("local", &self.inner.local).finish_non_exhaustive()
    }
}

fn failed(peer: Arc<Peer>, failure: Failure) -> Part {
    peer.count_failure(failure);
    Part::new(Target::Peer(peer), PartState::Known(Outcome::Failed(failure)))
}

impl Inner {
    fn planned<T: Borrow<Member>>(
        self: &Arc<Self>,
        body: Bytes,
        options: SendOptions,
        waits: bool,
        targets: &[T],
    ) -> Planned {
        if self.env.chain.is_empty() && options.via() == Via::Tcp {
            return self.plan(None, body, options, waits, &[]);
        }
        match targets {
            [] => {
                let ids: Vec<MemberId> = self.addressees(targets, options).into_iter().map(|it| it.id).collect();
                self.plan(None, body, options, waits, &ids)
            }
            [one] => self.plan(None, body, options, waits, std::slice::from_ref(&one.borrow().id)),
            _ => {
                let ids: Vec<MemberId> = targets.iter().map(|target| target.borrow().id.clone()).collect();
                self.plan(None, body, options, waits, &ids)
            }
        }
    }

    /// The peer of a target, for one message; else its outcome.
    #[expect(clippy::result_large_err, reason = "rare, and moved once")]
    fn target(&self, member: &Member, outbound: &Outbound) -> Result<Arc<Peer>, Part> {
        self.peer_for(member, outbound)
            .map_err(|failure| Part::new(Target::Member(member.clone()), PartState::Known(Outcome::Failed(failure))))
    }

    /// The peer of a target, for one message. A failure is counted.
    pub(crate) fn peer_for(&self, member: &Member, outbound: &Outbound) -> Result<Arc<Peer>, Failure> {
        outbound.failure.map_or_else(
            || self.peer(member),
            |failure| {
                crate::metrics::failed(failure);
                Err(failure)
            },
        )
    }

    /// The peer of a target. A failure is counted.
    pub(crate) fn peer(&self, member: &Member) -> Result<Arc<Peer>, Failure> {
        self.env.peer(member).ok_or_else(|| {
            let failure = if self.env.stopped() { Failure::Closed } else { Failure::QueueFull };
            crate::metrics::failed(failure);
            failure
        })
    }

    fn close(&self) {
        self.tasks.get().into_iter().flatten().for_each(AbortHandle::abort);
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
