//! Received messages through the chain to whoever wants them, and what the chain held.

use std::time::Instant;

use clowder_proto::chain::{Chain, Context, Control, Flush, Sink};
use clowder_proto::session::{Incoming, SessionLimits};
use clowder_proto::wire::{Ack, MemberId, Message, MessageId, options};

use super::inbound::Ticket;
use super::{Effect, Process, Turn};
use crate::Sabotage;
use crate::history::{Arrival, Rejected};
use crate::network::Key;

/// Where a message came from and how it is answered.
pub(super) struct Origin {
    pub(super) at: Ticket,
    /// By which its copies are recognised.
    pub(super) id: MessageId,
    /// For whom its connection was meant.
    pub(super) target: MemberId,
}

/// A message that waits for its listener. `origin`: none if it was answered when it came.
pub(super) struct Delivery {
    message: Message,
    origin: Option<Origin>,
}

impl Delivery {
    fn target(&self) -> Option<MemberId> {
        self.origin.as_ref().map(|origin| origin.target.clone())
    }
}

impl Process {
    /// The chain at work, with the time and random bytes.
    pub(super) fn with_chain<T>(&self, turn: &mut Turn<'_>, work: impl FnOnce(&Chain, &mut Context<'_>) -> T) -> T {
        let now = turn.now;
        let random = &mut |bytes: &mut [u8]| turn.rng.fill(bytes);
        work(&self.chain, &mut Context { now, random })
    }

    /// A message as it came, if no copy of it came before.
    pub(super) fn take(&mut self, turn: &mut Turn<'_>, message: Message, origin: Origin) {
        let (options, id, sender) = (message.options, message.id.clone(), message.from.id.clone());
        let (key, target) = (origin.at.key, origin.target.clone());
        let (mut sink, mut origin) = (Sink::default(), Some(origin));
        self.with_chain(turn, |chain, cx| chain.inbound(cx, message, &mut sink));
        let direct = sink.rejections.extract_if(.., |(_, answers, _)| *answers).next().map(|(_, _, why)| why);
        turn.history.taken(&id, self.who, direct);
        for arrival in sink.arrivals.drain(..) {
            let origin = if arrival.answers { origin.take() } else { None };
            self.hand_on(turn, key, Delivery { message: arrival.message, origin });
        }
        if let Some(origin) = origin {
            // Held, taken by the coordinator, or rejected: its turn was now.
            self.finish(turn, &sender, options, origin, direct.map_or(Ack::Ok, |rejection| rejection.answer));
        }
        self.aside(turn, sink, Some((id, target)));
    }

    /// What is not for the application. `came`: the message that came just now, and for whom its connection is meant.
    fn aside(&mut self, turn: &mut Turn<'_>, sink: Sink, came: Option<(MessageId, MemberId)>) {
        for (place, message) in sink.controls {
            if place == Control::Coordinator {
                let target = came.as_ref().filter(|(id, _)| *id == message.id).map(|(_, target)| target.clone());
                self.had(turn, &message, target, false);
                self.coordination.push_back((message.from.id, message.body));
            }
        }
        for (_, _, rejection) in sink.rejections {
            turn.history.rejected.push(Rejected { message: None, receiver: self.who, rejection });
        }
    }

    /// Where one connection is handled at a time, a message gets to its listener before another one is looked at; else
    /// the task of its connection may be overtaken by others before it comes so far.
    fn hand_on(&mut self, turn: &mut Turn<'_>, key: Key, delivery: Delivery) {
        let gated = !turn.settings.lanes || self.chain.orders();
        if gated && turn.settings.sabotage != Sabotage::IgnoresGates {
            return self.give(turn, delivery);
        }
        let waiting = self.handed.entry(key).or_default();
        waiting.push_back(delivery);
        if waiting.len() == 1 {
            turn.effects.push(Effect::Hand(key));
        }
    }

    /// The task of a connection comes to hand on its next message.
    pub(crate) fn hand(&mut self, turn: &mut Turn<'_>, key: Key) {
        let Some(waiting) = self.handed.get_mut(&key) else { return };
        let Some(delivery) = waiting.pop_front() else { return };
        if waiting.is_empty() {
            self.handed.remove(&key);
        } else {
            turn.effects.push(Effect::Hand(key));
        }
        self.give(turn, delivery);
        self.settle(turn);
    }

    fn give(&mut self, turn: &mut Turn<'_>, mut delivery: Delivery) {
        let message = &mut delivery.message;
        if turn.settings.sabotage == Sabotage::CorruptsBodies && turn.rng.u8(..20) == 0 {
            message.body = [&message.body[..], b"?"].concat().into();
        }
        let is_session = message.options & options::BYTE_MESSAGE == 0;
        if is_session && Incoming::matches(&message.body) {
            return self.session_message(turn, delivery);
        }
        self.inbox.push_back(delivery);
        if self.inbox.len() == 1 {
            turn.effects.push(Effect::Process);
        }
    }

    /// Processed on the task of its connection.
    fn session_message(&mut self, turn: &mut Turn<'_>, delivery: Delivery) {
        let message = &delivery.message;
        let skips = turn.settings.sabotage == Sabotage::ConfirmsWithoutApplying && turn.rng.u8(..5) == 0;
        if let Ok(incoming) = Incoming::decode(&message.body, &SessionLimits::default())
            && !skips
        {
            self.sessions.received(turn.now, &message.from, incoming, delivery.origin.is_none());
        }
        self.had(turn, &delivery.message, delivery.target(), false);
        self.done_with(turn, delivery, Ack::Ok);
    }

    /// The application's listener has its turn: one message.
    pub(crate) fn process(&mut self, turn: &mut Turn<'_>) {
        let overtakes = turn.settings.sabotage == Sabotage::Overtakes && !self.inbox.is_empty();
        let next = if overtakes { turn.rng.usize(..self.inbox.len()) } else { 0 };
        let Some(delivery) = self.inbox.remove(next) else { return };
        let refused = turn.rng.u32(..100) < turn.settings.refusals;
        self.had(turn, &delivery.message, delivery.target(), refused);
        self.done_with(turn, delivery, if refused { Ack::Failed } else { Ack::Ok });
        if !self.inbox.is_empty() {
            turn.effects.push(Effect::Process);
        }
        self.settle(turn);
    }

    fn had(&self, turn: &mut Turn<'_>, message: &Message, target: Option<MemberId>, refused: bool) {
        let body = message.body.clone();
        let arrival = Arrival { message: None, at: turn.now.mono, receiver: self.who, target, body, refused };
        turn.history.arrived(&message.id, arrival);
    }

    fn done_with(&mut self, turn: &mut Turn<'_>, delivery: Delivery, ack: Ack) {
        let Delivery { message, origin } = delivery;
        if let Some(origin) = origin {
            self.finish(turn, &message.from.id, message.options, origin, ack);
        }
    }

    /// The turn of a message has come, and this came of it.
    fn finish(&mut self, turn: &mut Turn<'_>, sender: &MemberId, options: i32, origin: Origin, ack: Ack) {
        let Origin { at: Ticket { key, seq }, id, .. } = origin;
        let ack = if options::ack_before(options) { Ack::Ok } else { ack };
        if ack == Ack::Failed && seq.is_some() {
            // Before the sender learns of it: its second try must be let through.
            self.dedup.failed(sender, &id);
        }
        self.answer(turn, key, seq, ack);
    }

    /// When the chain wants to be called.
    pub(super) fn chain_deadline(&self) -> Option<Instant> {
        self.chain.deadline().filter(|_| !self.holds_for_ever)
    }

    /// Something was held for too long.
    pub(super) fn chain_overdue(&mut self, turn: &mut Turn<'_>) {
        for sender in self.chain.overdue(turn.now) {
            self.flush(turn, &sender, Flush::Overdue);
        }
    }

    /// A member left: what is held of it is given out, or forgotten.
    pub(super) fn chain_left(&mut self, turn: &mut Turn<'_>, member: &MemberId) {
        self.chain.member_left(member);
        self.flush(turn, member, Flush::Left);
    }

    fn flush(&mut self, turn: &mut Turn<'_>, sender: &MemberId, why: Flush) {
        let mut sink = Sink::default();
        self.with_chain(turn, |chain, cx| chain.flush(cx, sender, why, &mut sink));
        for arrival in sink.arrivals.drain(..) {
            self.give(turn, Delivery { message: arrival.message, origin: None });
        }
        self.aside(turn, sink, None);
    }
}
