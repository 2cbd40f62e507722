//! Every RPC message that a channel receives, to the RPC channel that it names.
//!
//! There is one on every channel, from its start: also a node without any RPC channel says that it has none, so that
//! nobody waits for its answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use bytes::Bytes;
use clowder_proto::rpc::{RpcContent, RpcLimits, RpcMessage};
use clowder_proto::wire::{Message, ObjectError, options};
use metrics::counter;
use tokio::task::AbortHandle;

use super::core::Core;
use crate::channel::{Channel, WeakChannel};
use crate::driver::env::compact;
use crate::driver::service;
use crate::pause::Pause;
use crate::view::ViewChanges;
use crate::{Delivery, Listener, SendOptions};

/// The RPC channels of one channel, by their ids.
pub(super) struct Hub {
    channel: WeakChannel,
    limits: RpcLimits,
    by_id: RwLock<HashMap<Bytes, Weak<Core>>>,
    /// Tells calls who left; runs from the first RPC channel on.
    following: Mutex<Option<AbortHandle>>,
    warned: Pause,
}

/// From now on the channel answers RPC messages.
pub(crate) fn listen(channel: &Channel) {
    channel.listen_for(hub_of(channel));
}

/// The hub of a channel.
pub(super) fn hub_of(channel: &Channel) -> Arc<Hub> {
    let limits = RpcLimits { message_bytes_max: channel.env().limits.wire.frame_bytes_max, ..RpcLimits::default() };
    channel.extension(|| Hub {
        channel: channel.downgrade(),
        limits,
        by_id: RwLock::new(HashMap::new()),
        following: Mutex::new(None),
        warned: Pause::default(),
    })
}

impl Hub {
    /// Bytes that an rpc id may have.
    pub(super) fn id_bytes_max(&self) -> usize {
        self.limits.id_bytes_max
    }

    /// Messages with its id go to what `make` makes. `None`: another RPC channel has the id, and nothing was made.
    pub(super) fn register(self: &Arc<Self>, id: &Bytes, make: impl FnOnce() -> Arc<Core>) -> Option<Arc<Core>> {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let of_membership = self.channel.upgrade().is_some_and(|it| it.env().control.membership_id() == Some(id));
        if of_membership || by_id.get(id).is_some_and(|core| core.strong_count() > 0) {
            return None;
        }
        let core = make();
        by_id.insert(id.clone(), Arc::downgrade(&core));
        drop(by_id);
        self.follow(&core.channel);
        Some(core)
    }

    /// The last handle of an RPC channel is gone.
    pub(super) fn unregister(&self, id: &Bytes) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        // Another one may have taken the id in between.
        if by_id.get(id).is_some_and(|core| core.strong_count() == 0) {
            by_id.remove(id);
        }
    }

    fn of(&self, id: &Bytes) -> Option<Arc<Core>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id)?.upgrade()
    }

    fn all(&self) -> Vec<Arc<Core>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect()
    }

    fn follow(self: &Arc<Self>, channel: &Channel) {
        let mut following = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        if following.as_ref().is_none_or(AbortHandle::is_finished) {
            let changes = channel.views();
            *following = Some(tokio::spawn(tell_who_left(Arc::downgrade(self), changes)).abort_handle());
        }
    }

    /// The static membership service is an RPC channel of the control plane. True: the message was for it.
    fn is_of_membership(&self, delivery: &Delivery, message: &RpcMessage) -> bool {
        let Some(channel) = self.channel.upgrade() else { return false };
        service::take_rpc(channel.env(), delivery.from(), message).unwrap_or_else(|error| {
            self.cannot_be_read(delivery, &error);
            true
        })
    }

    /// Tomcat: logged, dropped, and acknowledged as processed: it would be no better the second time.
    fn cannot_be_read(&self, delivery: &Delivery, error: &ObjectError) {
        counter!("clowder_rpc_malformed_total").increment(1);
        if self.warned.is_over() {
            tracing::warn!(from = %delivery.from(), %error, "an RPC message cannot be read and is ignored");
        }
    }

    /// A message that no RPC channel accepts. Tomcat: `GroupChannel.messageReceived`, also for replies, and never for
    /// what is such an answer itself.
    fn refuse(&self, delivery: &Delivery, message: &RpcMessage) {
        counter!("clowder_rpc_unknown_total").increment(1);
        let Some(channel) = self.channel.upgrade().filter(|_| message.content != RpcContent::NoChannel) else { return };
        let Ok(body) = message.reply(RpcContent::NoChannel).encode() else { return };
        let send = SendOptions::from_bits(options::ASYNCHRONOUS);
        channel.submit_then([compact(delivery.from())], body, send, |_| {}); // who asked and is gone needs no answer
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let following = self.following.get_mut().unwrap_or_else(PoisonError::into_inner);
        following.iter().for_each(AbortHandle::abort);
    }
}

impl Listener for Hub {
    fn accept(&self, message: &Message) -> bool {
        message.options & options::BYTE_MESSAGE == 0 && RpcMessage::matches(&message.body)
    }

    fn received(&self, delivery: Delivery) {
        let message = match RpcMessage::decode(delivery.body(), &self.limits) {
            Ok(message) => message,
            Err(error) => {
                self.cannot_be_read(&delivery, &error);
                return delivery.done();
            }
        };
        if self.is_of_membership(&delivery, &message) {
            return delivery.done();
        }
        let asks = matches!(message.content, RpcContent::Request(_));
        match self.of(&message.rpc_id).filter(|core| core.serves || !asks) {
            Some(core) if core.received(delivery.from(), &message) => {}
            // A sender that waits for the outcome learns that there was no room.
            Some(_) => return delivery.fail(),
            None => self.refuse(&delivery, &message),
        }
        // Not when it is answered: what is acknowledged late holds back what stands behind it on its connection.
        delivery.done();
    }
}

/// Ends with the channel.
async fn tell_who_left(hub: Weak<Hub>, mut changes: ViewChanges) {
    while let Some(change) = changes.next().await {
        let Some(hub) = hub.upgrade() else { return };
        for core in hub.all() {
            change.left.iter().for_each(|(member, _)| core.left(member));
        }
    }
}
