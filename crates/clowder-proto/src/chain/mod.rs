//! The message chain: what is done to a message between the application and the wire, and back.
//!
//! A chain is a list from the application (top) to the wire (bottom), in the order of Tomcat's configuration. Outgoing
//! messages travel down, received ones up. A layer is either an [`Interceptor`], which changes, holds or refuses
//! messages, or a place of the control plane ([`Control`]), whose messages enter and leave the chain there.
//!
//! A message that one layer makes or changes belongs to it and to the layers after it alone. Nothing waits: a message that is held is given
//! out by a later arrival, or by the clock ([`Chain::overdue`], [`Chain::flush`]).
//!
//! Differs from Tomcat: there a message is one object that all layers and all destinations share, which is why order
//! over encryption or fragmentation sends garbage to the second member.
//! Test: what_one_layer_makes_for_one_member_no_other_member_sees.

pub mod attribute;
mod body;
mod config;
mod control;
mod domain;
mod encrypt;
mod fragment;
mod gzip;
mod held;
mod inbound;
mod interceptor;
mod order;
mod outbound;
mod places;
mod rules;
mod tally;
#[cfg(test)]
mod tests;
mod throughput;
mod two_phase;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use attribute::AttributeError;
pub use body::Body;
pub use config::{ChainConfig, LayerConfig};
pub use control::Control;
pub use domain::{Domain, DomainConfig};
pub use encrypt::{
    Algorithm, AlgorithmError, Encrypt, EncryptConfig, EncryptError, Generation, GenerationError, Key, KeyError,
    KeyRing,
};
pub use fragment::{Fragment, FragmentConfig};
pub use gzip::{Gzip, GzipConfig};
pub use inbound::{Above, Arrival, Rejection, Sink};
pub use interceptor::{Context, Flow, Flush, Interceptor};
pub use order::{Order, OrderConfig};
pub use outbound::{Below, Draft, FollowUp, Parcel, Plan, Refusal, Targets};
pub use places::{CoordinatorLayer, DetectorLayer, DispatchConfig, PingLayer, StaticLayer};
pub use rules::{ChainError, Warning};
pub use tally::{Stage, Tally};
pub use throughput::{Throughput, ThroughputConfig};
pub use two_phase::{TwoPhase, TwoPhaseConfig};

use crate::Now;
use crate::wire::{MemberId, Message};

/// One place of a chain.
#[derive(Clone)]
pub enum Layer {
    /// Works on messages.
    Interceptor(Arc<dyn Interceptor>),
    /// Messages of the control plane enter and leave the chain here.
    Control(Control),
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layer::Interceptor(interceptor) => f.write_str(interceptor.name()),
            Layer::Control(control) => fmt::Debug::fmt(control, f),
        }
    }
}

/// The layers of one channel. Shared by all senders and all connections; each interceptor guards its own state.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    layers: Vec<Layer>,
    orders: bool,
    shares_ids: bool,
}

impl Chain {
    /// The layers from the application to the wire.
    pub fn new(layers: Vec<Layer>) -> Chain {
        let chain = Chain { layers, orders: false, shares_ids: false };
        let orders = chain.interceptors().any(|interceptor| interceptor.orders());
        let shares_ids = chain.interceptors().any(|interceptor| interceptor.shares_ids());
        Chain { orders, shares_ids, ..chain }
    }

    /// Nothing is done to any message.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The interceptors from the top to the bottom.
    pub fn interceptors(&self) -> impl DoubleEndedIterator<Item = &Arc<dyn Interceptor>> {
        self.layers.iter().filter_map(|layer| match layer {
            Layer::Interceptor(interceptor) => Some(interceptor),
            Layer::Control(_) => None,
        })
    }

    /// From now on the layer that encrypts sends with another key, and accepts others: [`Encrypt::set_keys`].
    ///
    /// # Errors
    /// The keys cannot be used, or there is not exactly one such layer. Nothing was changed.
    pub fn set_keys(&self, ring: &KeyRing) -> Result<(), EncryptError> {
        let layers: Vec<&Encrypt> = self
            .interceptors()
            .filter_map(|interceptor| {
                let layer: &dyn Any = interceptor.as_ref();
                layer.downcast_ref()
            })
            .collect();
        match layers[..] {
            [encrypt] => encrypt.set_keys(ring),
            _ => Err(EncryptError::Layers { count: layers.len() }),
        }
    }

    /// Messages of one sender must be given out one after the other, whatever connection they came over.
    pub fn orders(&self) -> bool {
        self.orders
    }

    /// Several messages of one sender carry one id.
    pub fn shares_ids(&self) -> bool {
        self.shares_ids
    }

    /// What is to be sent for a message to `targets`: of the application, or with `control` of that part of the control
    /// plane; then only the layers below it see it, and none does if the chain has no such place.
    ///
    /// # Errors
    /// An interceptor refused it. Nothing is to be sent.
    pub fn outbound(
        &self,
        control: Option<Control>,
        cx: &mut Context<'_>,
        draft: Draft,
        targets: &[MemberId],
    ) -> Result<Plan, Refusal> {
        self.down(self.entry(control), cx, Parcel { draft, targets: Targets::All }, targets)
    }

    /// As [`Chain::outbound`], but a message that passes all layers is changed where it is and not put into `plan`; it
    /// comes after what is there.
    ///
    /// # Errors
    /// An interceptor refused it. Nothing is to be sent.
    pub fn outbound_in_place(
        &self,
        control: Option<Control>,
        cx: &mut Context<'_>,
        parcel: &mut Parcel,
        targets: &[MemberId],
        plan: &mut Plan,
    ) -> Result<Flow, Refusal> {
        self.below(self.entry(control), targets, plan).carry(cx, parcel)
    }

    /// What is to be sent next, now that what it follows has arrived everywhere.
    ///
    /// # Errors
    /// An interceptor refused it. Nothing is to be sent.
    pub fn follow_up(&self, cx: &mut Context<'_>, follow_up: FollowUp, targets: &[MemberId]) -> Result<Plan, Refusal> {
        let FollowUp { at, draft, targets: to, .. } = follow_up;
        self.down(at, cx, Parcel { draft, targets: to }, targets)
    }

    /// A member of the group is none any more. At once, in the order of views; what is held of it is given out by
    /// [`Chain::flush`], whenever its messages can be handled.
    pub fn member_left(&self, member: &MemberId) {
        self.interceptors().for_each(|interceptor| interceptor.member_left(member));
    }

    /// Through the layers from `at` on.
    fn down(&self, at: usize, cx: &mut Context<'_>, mut parcel: Parcel, targets: &[MemberId]) -> Result<Plan, Refusal> {
        let mut plan = Plan::default();
        self.below(at, targets, &mut plan).pass(cx, &mut parcel)?;
        Ok(plan)
    }

    fn below<'a>(&'a self, at: usize, targets: &'a [MemberId], plan: &'a mut Plan) -> Below<'a> {
        Below::new(self.layers.get(at..).unwrap_or_default(), at, targets, plan)
    }

    /// The place of the first layer that sees a message.
    fn entry(&self, control: Option<Control>) -> usize {
        let Some(control) = control else { return 0 };
        let place = self.layers.iter().position(|layer| matches!(layer, Layer::Control(other) if *other == control));
        place.map_or(self.layers.len(), |place| place + 1)
    }

    /// What comes of a received message: into `sink`.
    pub fn inbound(&self, cx: &mut Context<'_>, message: Message, sink: &mut Sink) {
        Above::new(&self.layers, sink).pass(cx, Arrival { message, answers: true });
    }

    /// The same, but a message that passes all layers is changed where it is and not put into `sink`; its turn is after
    /// what is there.
    pub fn inbound_in_place(&self, cx: &mut Context<'_>, arrival: &mut Arrival, sink: &mut Sink) -> Flow {
        Above::new(&self.layers, sink).carry(cx, arrival)
    }

    /// When [`Chain::overdue`] is wanted, as far as is known now. What is held from now on is due after
    /// [`Chain::patience`] at the earliest.
    pub fn deadline(&self) -> Option<Instant> {
        self.interceptors().filter_map(|interceptor| interceptor.deadline()).min()
    }

    /// The least time that any layer holds a message; `None`: none holds any.
    pub fn patience(&self) -> Option<Duration> {
        self.interceptors().filter_map(|interceptor| interceptor.patience()).min()
    }

    /// Bytes of what the layers hold, as their bounds count them.
    pub fn held_bytes(&self) -> usize {
        self.interceptors().map(|interceptor| interceptor.held_bytes()).sum()
    }

    /// Forget what was held for too long, and name the senders of which something is to be given out.
    pub fn overdue(&self, now: Now) -> Vec<MemberId> {
        let mut senders = Vec::new();
        self.interceptors().for_each(|interceptor| interceptor.overdue(now, &mut senders));
        senders.sort();
        senders.dedup();
        senders
    }

    /// Give out what is held of a sender, as far as its time is over or because the sender left. The caller sees to it
    /// that no message of this sender is handled at the same time.
    pub fn flush(&self, cx: &mut Context<'_>, sender: &MemberId, why: Flush, sink: &mut Sink) {
        // From the bottom: what a lower layer gives out still has to pass the upper ones.
        for at in (0..self.layers.len()).rev() {
            if let Layer::Interceptor(interceptor) = &self.layers[at] {
                interceptor.flush(cx, sender, why, &mut Above::new(&self.layers[..at], sink));
            }
        }
    }
}
