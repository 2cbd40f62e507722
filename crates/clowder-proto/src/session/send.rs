//! Giving messages out, and what happens to each of them afterwards.

use std::sync::Arc;

use bytes::Bytes;

use super::out::BodyKind;
use super::pending::Change;
use super::provider::Repairing;
use super::state::CellKind;
use super::store::SlotRef;
use super::wire::{Event, SessionMessage, Trailer};
use super::{Body, JavaStr, Send, Sessions, SessionsOut, Token};
use crate::Now;
use crate::wire::{Member, MemberId, options};

/// Acknowledge after processing: a Tomcat answers when the message has been applied, and messages with one key keep
/// their order.
///
/// Differs from Tomcat: its default (8) lets a delta overtake the creation of its session.
/// Test: no_first_attribute_is_lost_at_a_tomcat.
pub(super) const OPTIONS: i32 = options::USE_ACK | options::SYNCHRONIZED_ACK;

/// Order key of messages that concern no session.
pub(super) const CONTROL_LANE: u64 = 0;

/// A message whose outcome is not known for every destination.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) kind: Kind,
    slot: Option<SlotRef>,
    /// Destinations that have not answered.
    waiting: usize,
    failed: usize,
    /// A request waits for it.
    awaited: bool,
}

impl InFlight {
    pub(super) fn slot(&self) -> Option<SlotRef> {
        self.slot
    }
}

/// What a message is about, as far as its failure or success has consequences.
#[derive(Debug)]
pub(super) enum Kind {
    /// Creation or a delta: a member without it needs the whole session.
    Session(Vec<Change>),
    /// A notice of reads. The next one makes up for it.
    Access,
    Renamed {
        old: JavaStr,
        new: JavaStr,
    },
    Expired {
        id: JavaStr,
        explicit: bool,
    },
    /// A question for state.
    Ask,
    /// A block of a transfer.
    Block(Vec<SlotRef>),
    /// The end of a transfer, or a refusal.
    Complete,
    Repair(Repairing),
}

/// A message about to be given out.
pub(super) struct Outgoing {
    pub(super) to: Arc<[Member]>,
    pub(super) key: u64,
    pub(super) slot: Option<SlotRef>,
    pub(super) kind: Kind,
    pub(super) body: BodyKind,
}

impl Sessions {
    /// Gives a message out. Nothing happens without destinations.
    pub(super) fn send(&mut self, message: Outgoing) -> Option<Token> {
        if message.to.is_empty() {
            return None;
        }
        let token = Token(self.next_token);
        self.next_token += 1;
        if let Some(entry) = message.slot.and_then(|slot| self.store.get_mut(slot)) {
            entry.active_mut().sending(token);
        }
        let waiting = message.to.len();
        let state = InFlight { kind: message.kind, slot: message.slot, waiting, failed: 0, awaited: false };
        self.in_flight.insert(token, state);
        let body = Body(message.body);
        self.out.push_back(SessionsOut::Send(Send { token, to: message.to, options: OPTIONS, key: message.key, body }));
        Some(token)
    }

    /// A message about one session to all members.
    pub(super) fn tell_all(&mut self, slot: SlotRef, kind: Kind, body: Bytes) -> Option<Token> {
        let key = self.store.get(slot)?.lane;
        let to = self.peers.all();
        self.send(Outgoing { to, key, slot: Some(slot), kind, body: BodyKind::Encoded(body) })
    }

    /// The outcome of a message for one of its destinations; exactly once for each of them, in any order.
    ///
    /// Delivered means: the member has processed it. Unknown tokens are ignored.
    pub fn sent(&mut self, now: Now, token: Token, member: &MemberId, delivered: bool) {
        if !delivered {
            self.stats.sends_failed += 1;
            self.delivery_failed(now, token, member);
        }
        let Some(message) = self.in_flight.get_mut(&token) else { return };
        message.waiting = message.waiting.saturating_sub(1);
        message.failed += usize::from(!delivered);
        if message.waiting > 0 {
            return;
        }
        let Some(message) = self.in_flight.remove(&token) else { return };
        if let Some(entry) = message.slot.and_then(|slot| self.store.get_mut(slot)) {
            entry.active_mut().settled(token);
            entry.settle();
        }
        if message.awaited {
            self.out.push_back(SessionsOut::Settled { token, failed: message.failed });
        }
        match message.kind {
            Kind::Ask => self.ask_settled(now, member, delivered),
            Kind::Block(slots) => self.block_settled(now, token, member, slots, delivered),
            Kind::Complete => self.complete_settled(member, delivered),
            Kind::Repair(repair) => self.repair_settled(now, member, repair, delivered),
            Kind::Session(_) | Kind::Access | Kind::Renamed { .. } | Kind::Expired { .. } => {}
        }
    }

    /// Marks the messages that a request has to wait for.
    pub(super) fn await_all(&mut self, tokens: impl IntoIterator<Item = Token>) -> Vec<Token> {
        let mut awaited: Vec<Token> = Vec::new();
        for token in tokens {
            if let Some(message) = self.in_flight.get_mut(&token) {
                message.awaited = true;
                awaited.push(token);
            }
        }
        awaited
    }

    /// True if a change of this cell is on its way to somebody.
    pub(super) fn is_in_flight(&self, slot: SlotRef, kind: CellKind, name: &[u8]) -> bool {
        let Some(active) = self.store.get(slot).and_then(|entry| entry.active.as_ref()) else { return false };
        active.in_flight().iter().any(|token| {
            matches!(
                self.in_flight.get(token).map(|message| &message.kind),
                Some(Kind::Session(changes)) if changes.iter().any(|change| {
                    matches!(change, Change::Cell(key) if key.kind == kind && key.name.as_bytes() == name)
                })
            )
        })
    }

    /// The bytes of a message of this context.
    pub(super) fn message(
        &self,
        event: Event,
        session_id: &[u8],
        time: Option<i64>,
        payload: Option<Bytes>,
        trailer: Option<&Trailer>,
    ) -> Bytes {
        let context = &self.config.context_name;
        SessionMessage::of(event, context, session_id, time, payload).encode_with(trailer)
    }
}
