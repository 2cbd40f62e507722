//! The messages of one sender in the order in which it sent them. Tomcat: `OrderInterceptor`.
//!
//! The sender counts its messages to each member from 1 on and puts the number, four bytes, behind the body. The
//! receiver delivers the number that it expects, and lets later ones wait for a while.
//!
//! Invariants: nothing waits longer than [`OrderConfig::expire`]; what waits is bounded; a message that is known to
//! have been delivered is not delivered again.
//!
//! Differs from Tomcat: what waited too long is given out by the clock, where it waits for the sender's next message,
//! for ever if there is none; numbers of messages delivered before are suppressed; no lock is held while a message is
//! delivered; what waits is bounded by default.
//! Tests: what_waited_too_long_is_given_out_by_the_clock, a_copy_of_a_delivered_message_is_suppressed_and_fails,
//! a_delivery_can_call_back_into_the_layer, the_default_bounds_what_waits.

mod config;
mod incoming;
mod outgoing;
mod sender;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub use config::OrderConfig;

use super::held::Room;
use super::{Above, Arrival, Below, Context, Flow, Flush, Interceptor, Parcel, Refusal, Rejection, Targets};
use crate::Now;
use crate::wire::{Ack, MemberId, Message};
use incoming::Incoming;
use outgoing::Outgoing;
use sender::Tally;

/// The number behind the body.
const NUMBER: usize = 4;

/// The layer.
#[derive(Debug)]
pub struct Order {
    config: OrderConfig,
    outgoing: Outgoing,
    incoming: Incoming,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    waited: AtomicU64,
    expired: AtomicU64,
    forgotten: AtomicU64,
    late: AtomicU64,
    copies: AtomicU64,
    restarts: AtomicU64,
}

impl Counters {
    fn add(&self, tally: &Tally) {
        let pairs = [
            (&self.waited, tally.waited),
            (&self.expired, tally.expired),
            (&self.forgotten, tally.forgotten),
            (&self.late, tally.late),
            (&self.copies, tally.copies),
            (&self.restarts, tally.restarts),
        ];
        pairs.iter().for_each(|(counter, count)| {
            counter.fetch_add(*count, Relaxed);
        });
    }
}

impl Order {
    /// No number was sent or received yet.
    pub fn new(config: OrderConfig) -> Order {
        Order {
            outgoing: Outgoing::new(config.members_max),
            incoming: Incoming::new(config.clone()),
            config,
            counters: Counters::default(),
        }
    }

    fn applies(&self, options: i32) -> bool {
        options & self.config.option_flag == self.config.option_flag
    }
}

fn rejection(kind: &'static str) -> Rejection {
    Rejection { interceptor: OrderConfig::NAME, kind, answer: Ack::Failed }
}

impl Interceptor for Order {
    fn name(&self) -> &'static str {
        OrderConfig::NAME
    }

    /// Tomcat: one send for each destination, each with its own number.
    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refusal> {
        if !self.applies(parcel.draft.options) {
            return Ok(Flow::Pass);
        }
        let targets = below.targets();
        let indices = parcel.targets.indices(targets.len());
        let targets = &targets[indices.clone()];
        // Nothing of a refused one is sent: a gap would make every receiver wait.
        if let [target] = targets {
            let number = self.outgoing.next_of(cx.now.mono, target);
            parcel.targets = Targets::One(indices.start);
            parcel.draft.body.append(&number.to_be_bytes());
            return below.pass_in_place(cx, parcel).inspect_err(|_| self.outgoing.take_back(targets, &[number]));
        }
        let numbers = self.outgoing.next(cx.now.mono, targets);
        let mut passes = indices.zip(&numbers).map(|(index, number)| {
            let mut one = Parcel { draft: parcel.draft.clone(), targets: Targets::One(index) };
            one.draft.body.append(&number.to_be_bytes());
            below.pass(cx, &mut one)
        });
        passes.try_for_each(|passed| passed.inspect_err(|_| self.outgoing.take_back(targets, &numbers)))?;
        Ok(Flow::Taken)
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        if !self.applies(arrival.message.options) {
            return Ok(Flow::Pass);
        }
        let body = &arrival.message.body;
        let Some((_, number)) = body.split_last_chunk::<NUMBER>() else { return Err(rejection("no_number")) };
        let number = i32::from_be_bytes(*number);
        let length = body.len() - NUMBER;
        arrival.message.body.truncate(length);
        let Message { from, id, .. } = &arrival.message;
        if self.incoming.takes_next(cx.now.mono, &from.id, number, id) {
            return Ok(Flow::Pass);
        }
        let sender = self.incoming.sender(cx.now.mono, &from.id)?;
        let room = Room::of(arrival, above);
        let given = self.incoming.accept(cx.now.mono, &sender, number, arrival.clone(), room)?;
        self.counters.add(&given.tally);
        given.out.into_iter().for_each(|arrival| above.pass(cx, arrival));
        // A copy is known below the chain; this is a second try, because the message was not processed. It cannot be
        // delivered again, and must not count as processed.
        if given.delivered_before { Err(rejection("delivered_before")) } else { Ok(Flow::Taken) }
    }

    fn deadline(&self) -> Option<Instant> {
        self.incoming.deadline()
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.config.expire)
    }

    fn held_bytes(&self) -> usize {
        self.incoming.held_bytes()
    }

    fn overdue(&self, now: Now, senders: &mut Vec<MemberId>) {
        self.incoming.overdue(now.mono, senders);
    }

    fn flush(&self, cx: &mut Context<'_>, sender: &MemberId, why: Flush, above: &mut Above<'_>) {
        let Some(given) = self.incoming.flush(cx.now.mono, sender, why) else { return };
        self.counters.add(&given.tally);
        given.out.into_iter().for_each(|arrival| above.pass(cx, arrival));
    }

    /// Tomcat: counting begins anew with a member that disappeared.
    fn member_left(&self, member: &MemberId) {
        self.outgoing.forget(member);
    }

    fn orders(&self) -> bool {
        true
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let counters = &self.counters;
        [
            ("waited", &counters.waited),
            ("expired", &counters.expired),
            ("forgotten", &counters.forgotten),
            ("late", &counters.late),
            ("copies", &counters.copies),
            ("restarts", &counters.restarts),
        ]
        .map(|(name, counter)| (name, counter.load(Relaxed)))
        .into()
    }
}
