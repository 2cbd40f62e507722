//! The way down: one message of the application becomes a plan of what is to be sent to whom.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Body, Context, Flow, Layer};
use crate::wire::{Member, MemberId, Message, MessageId};

/// An outgoing message. Its sender is always the local member, which is added when it is encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Bits of [`options`](crate::wire::options).
    pub options: i32,
    /// Wall clock in milliseconds when the application sent it.
    pub timestamp: i64,
    /// Its id.
    pub id: [u8; 16],
    /// Its bytes.
    pub body: Body,
}

impl Draft {
    /// The id as received messages carry it.
    pub fn message_id(&self) -> MessageId {
        MessageId(self.id.into())
    }

    /// As the receiver sees it.
    pub fn into_message(self, from: Member) -> Message {
        let id = self.message_id();
        Message { options: self.options, timestamp: self.timestamp, id, from, body: self.body.into_bytes() }
    }
}

/// Which of the message's targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// Every one.
    #[default]
    All,
    /// One, by its index in the list of targets.
    One(usize),
}

impl Targets {
    /// The indices among `count` targets.
    pub fn indices(self, count: usize) -> Range<usize> {
        match self {
            Targets::All => 0..count,
            Targets::One(index) => index..index + 1,
        }
    }
}

/// One message for some targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parcel {
    /// The message.
    pub draft: Draft,
    /// Whom it goes to.
    pub targets: Targets,
}

/// A message that goes out when others have arrived at all their targets, and not at all otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// The parcels of the plan that it follows.
    pub after: Range<usize>,
    pub(super) at: usize,
    pub(super) draft: Draft,
    /// Whom it goes to.
    pub targets: Targets,
}

/// What is to be sent, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// At once.
    pub parcels: SmallVec<[Parcel; 1]>,
    /// Later, each when its condition holds: see [`Chain::follow_up`](super::Chain::follow_up).
    pub follow_ups: Vec<FollowUp>,
}

/// An interceptor of this node did not let a message out. The caller is at fault; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{interceptor}: {reason}")]
pub struct Refusal {
    /// Its name.
    pub interceptor: &'static str,
    /// What is wrong, and what to do about it.
    pub reason: String,
}

/// The layers below an interceptor.
#[derive(Debug)]
pub struct Below<'a> {
    layers: &'a [Layer],
    at: usize,
    targets: &'a [MemberId],
    plan: &'a mut Plan,
    /// The message that the interceptor was shown went through all of them, in its place.
    is_through: bool,
}

impl<'a> Below<'a> {
    pub(super) fn new(layers: &'a [Layer], at: usize, targets: &'a [MemberId], plan: &'a mut Plan) -> Below<'a> {
        Below { layers, at, targets, plan, is_through: false }
    }

    /// The targets of the application's message; [`Targets::One`] is an index into them.
    pub fn targets(&self) -> &'a [MemberId] {
        self.targets
    }

    /// Give a message to the layer below. It is empty afterwards.
    ///
    /// # Errors
    /// A layer below refused it.
    pub fn pass(&mut self, cx: &mut Context<'_>, parcel: &mut Parcel) -> Result<(), Refusal> {
        if self.carry(cx, parcel)? == Flow::Pass {
            self.plan.parcels.push(std::mem::take(parcel));
        }
        Ok(())
    }

    /// Give the message that the interceptor was shown to the layers below, in its place, for one that wants to know
    /// whether they refuse it: what it would do by [`Flow::Pass`], as the last thing that it does to the message.
    ///
    /// # Errors
    /// A layer below refused it.
    pub fn pass_in_place(&mut self, cx: &mut Context<'_>, parcel: &mut Parcel) -> Result<Flow, Refusal> {
        self.is_through = self.carry(cx, parcel)? == Flow::Pass;
        Ok(Flow::Taken)
    }

    /// Through the layers in its place, as far as it gets.
    pub(super) fn carry(&mut self, cx: &mut Context<'_>, parcel: &mut Parcel) -> Result<Flow, Refusal> {
        let mut layers = self.layers;
        let mut at = self.at;
        while let Some((layer, rest)) = layers.split_first() {
            (layers, at) = (rest, at + 1);
            if let Layer::Interceptor(interceptor) = layer {
                let mut below = Below::new(rest, at, self.targets, self.plan);
                if interceptor.outbound(cx, parcel, &mut below)? == Flow::Taken {
                    return Ok(if below.is_through { Flow::Pass } else { Flow::Taken });
                }
            }
        }
        Ok(Flow::Pass)
    }

    /// As [`Below::pass`], and when the message has arrived everywhere, `then` follows it to the same targets.
    ///
    /// # Errors
    /// A layer below refused it.
    pub fn pass_then(&mut self, cx: &mut Context<'_>, parcel: &mut Parcel, then: Draft) -> Result<(), Refusal> {
        let (first, targets) = (self.plan.parcels.len(), parcel.targets);
        self.pass(cx, parcel)?;
        let after = first..self.plan.parcels.len();
        self.plan.follow_ups.push(FollowUp { after, at: self.at, draft: then, targets });
        Ok(())
    }
}
