//! The receiving side of a process: bytes to frames to messages that are no copies, and the acknowledgements.

use std::collections::VecDeque;

use bytes::Bytes;
use clowder_proto::group::{DetectorConfig, Notice};
use clowder_proto::wire::{Ack, FrameDecoder, Limits, MemberId, Message, options};

use super::deliver::Origin;
use super::{Effect, GroupInput, Process, Turn};
use crate::Sabotage;
use crate::network::Key;

/// Where a message was first delivered, for its copies: the connection and the place among its acknowledgements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(super) key: Key,
    pub(super) seq: Option<u64>,
}

/// A connection that somebody made to this process.
pub(super) struct Inbound {
    target: MemberId,
    decoder: FrameDecoder,
    /// Whose messages came last.
    sender: Option<MemberId>,
    /// Messages that asked and are not answered, by place; `base` is the place of the first.
    places: VecDeque<Option<Ack>>,
    base: u64,
}

impl Process {
    pub(crate) fn accepted(&mut self, key: Key, target: MemberId) {
        let decoder = FrameDecoder::new(&Limits::default());
        self.inbound.insert(key, Inbound { target, decoder, sender: None, places: VecDeque::new(), base: 0 });
    }

    /// A connection that somebody made to this process is no more. What came before is still processed.
    pub(crate) fn ended(&mut self, key: Key) {
        if self.inbound.get(&key).is_some_and(|inbound| !inbound.places.is_empty()) {
            self.ended.insert(key);
        } else {
            self.inbound.remove(&key);
        }
    }

    pub(crate) fn bytes_received(&mut self, turn: &mut Turn<'_>, key: Key, bytes: &[u8]) {
        let Some(inbound) = self.inbound.get_mut(&key) else { return };
        inbound.decoder.buffer().extend_from_slice(bytes);
        let malformed = loop {
            let Some(inbound) = self.inbound.get_mut(&key) else { return };
            match inbound.decoder.next() {
                Ok(None) => break false,
                Err(_) => break true,
                Ok(Some(content)) => match Message::decode(&content, &Limits::default()) {
                    Ok(message) => self.arrive(turn, key, message),
                    Err(_) => break true,
                },
            }
        };
        if malformed {
            self.ended(key);
            turn.effects.push(Effect::Hangup(key));
        }
        self.settle(turn);
    }

    fn arrive(&mut self, turn: &mut Turn<'_>, key: Key, message: Message) {
        let Some(inbound) = self.inbound.get_mut(&key) else { return };
        let target = inbound.target.clone();
        let seq = (message.options & options::USE_ACK != 0).then(|| inbound.place());
        if inbound.sender.as_ref() != Some(&message.from.id) {
            inbound.sender = Some(message.from.id.clone());
            self.announced(turn, &message.from);
            self.report(GroupInput::Heard(message.from.clone()));
        }
        if Notice::of(&message, &DetectorConfig::default()).is_some() {
            return self.answer(turn, key, seq, Ack::Ok);
        }
        let at = Ticket { key, seq };
        let by_id_alone = turn.settings.sabotage == Sabotage::TakesPiecesForCopies;
        let shares_ids = self.chain.shares_ids() && !by_id_alone;
        let id = if shares_ids { self.dedup.id_of_piece(&message) } else { message.id.clone() };
        let first = self.dedup.arrived(turn.now, &message.from.id, &id, at);
        if let Some(first) = first.filter(|_| turn.settings.sabotage != Sabotage::NoDedup) {
            return self.repeated(turn, first, at);
        }
        self.take(turn, message, Origin { at, id, target });
    }

    /// A copy of a message that was delivered before: it gets the answer of the first.
    fn repeated(&mut self, turn: &mut Turn<'_>, first: Ticket, copy: Ticket) {
        let Some(seq) = copy.seq else { return };
        let place = first.seq.and_then(|at| Some(*self.inbound.get(&first.key)?.at(at)?));
        match (place, first.seq) {
            (Some(None), Some(at)) => self.followers.entry((first.key, at)).or_default().push((copy.key, seq)),
            // Failures are forgotten at once, so one without trace was processed.
            (known, _) => self.answer(turn, copy.key, Some(seq), known.flatten().unwrap_or(Ack::Ok)),
        }
    }

    /// The answer for a place, and for those that follow it. What is known at the front is written.
    pub(super) fn answer(&mut self, turn: &mut Turn<'_>, key: Key, seq: Option<u64>, ack: Ack) {
        let Some(seq) = seq else { return };
        for (key, seq) in self.followers.remove(&(key, seq)).unwrap_or_default() {
            self.answer(turn, key, Some(seq), ack);
        }
        let Some(inbound) = self.inbound.get_mut(&key) else { return };
        let bytes = inbound.answered(seq, ack);
        if inbound.places.is_empty() && self.ended.remove(&key) {
            self.inbound.remove(&key);
        } else if !bytes.is_empty() && !self.ended.contains(&key) {
            turn.effects.push(Effect::Acks(key, bytes));
        }
    }
}

impl Inbound {
    fn place(&mut self) -> u64 {
        self.places.push_back(None);
        self.base + self.places.len() as u64 - 1
    }

    fn at(&self, seq: u64) -> Option<&Option<Ack>> {
        self.places.get(usize::try_from(seq.checked_sub(self.base)?).ok()?)
    }

    /// What can be written now.
    fn answered(&mut self, seq: u64, ack: Ack) -> Bytes {
        if let Some(at) = seq.checked_sub(self.base).and_then(|at| usize::try_from(at).ok())
            && let Some(place) = self.places.get_mut(at)
        {
            *place = Some(ack);
        }
        let mut bytes = Vec::new();
        while let Some(Some(ack)) = self.places.front() {
            bytes.extend_from_slice(ack.frame());
            self.places.pop_front();
            self.base += 1;
        }
        bytes.into()
    }
}
