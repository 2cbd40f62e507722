//! Giving state to a member that asks for it.
//!
//! Blocks are bounded by bytes whatever the number of sessions, and the end is told only after every block was
//! acknowledged, so a member that believes it has everything has it. A member is always answered, also while this node
//! waits for state itself.

use std::sync::Arc;

use super::out::BodyKind;
use super::send::{CONTROL_LANE, Kind, Outgoing};
use super::store::SlotRef;
use super::wire::{Block, BlockSession, Event, Trailer};
use super::{JavaStr, Sessions, Token};
use crate::Now;
use crate::wire::{Member, MemberId};

pub(super) use super::repair::Repairing;

/// One answer under way.
#[derive(Debug)]
pub(super) struct Provider {
    single: Arc<[Member]>,
    clowder: bool,
    /// This node had the state of the cluster when it was asked; what it gets later is not in the answer.
    complete: bool,
    /// Time of the snapshot, in every message of the answer.
    time: i64,
    left: std::vec::IntoIter<SlotRef>,
    /// Blocks on their way, and how often each was sent.
    in_flight: Vec<(Token, u32)>,
    /// Blocks that failed, and how often each was sent.
    again: Vec<(Vec<SlotRef>, u32)>,
    blocks: u64,
    /// The end is on its way.
    ended: bool,
    end_attempts: u32,
}

impl Provider {
    pub(super) fn to(&self) -> &MemberId {
        &self.single[0].id
    }
}

impl Sessions {
    /// A member asks for sessions; for all of them if `ids` is empty.
    pub(super) fn state_wanted(&mut self, now: Now, from: &Member, ids: &[JavaStr], asked: i64) {
        let ms = self.ms(now);
        let mut slots: Vec<SlotRef> = if ids.is_empty() {
            self.store.slots().map(|(slot, _)| slot).collect()
        } else {
            ids.iter().filter_map(|id| self.store.find_renamed(ms, id.as_bytes())).collect()
        };
        // A session can be asked for by two of its ids.
        slots.sort_unstable();
        slots.dedup();
        // The view knows what a member is; a message to one that is not known says nothing of its sender.
        let mut clowder = from.is_clowder();
        if let Some(peer) = self.peers.get_mut(&from.id) {
            peer.asked_us = true;
            clowder |= peer.clowder;
        }
        // A second question makes the first one moot.
        self.providers.retain(|provider| *provider.to() != from.id);
        self.providers.push(Provider {
            single: Arc::from([from.clone()]),
            clowder,
            complete: self.requester.is_ready(),
            // Tomcat drops messages that it queued meanwhile and that are older than the snapshot, by the clocks of
            // their senders. Not later than the question, by the clock of who asks, nothing that counts is older.
            time: now.wall_ms().min(asked),
            left: slots.into_iter(),
            in_flight: Vec::new(),
            again: Vec::new(),
            blocks: 0,
            ended: false,
            end_attempts: 0,
        });
        self.give(now, self.providers.len() - 1);
    }

    /// Sends what the window allows.
    fn give(&mut self, now: Now, index: usize) {
        let Some(provider) = self.providers.get(index) else { return };
        let window = if provider.clowder { self.config.transfer.blocks_in_flight.max(1) } else { 1 };
        while let Some(provider) = self.providers.get_mut(index)
            && provider.in_flight.len() < window
        {
            let (slots, attempts) = provider.again.pop().unwrap_or_default();
            let (time, to) = (provider.time, Arc::clone(&provider.single));
            let slots = if attempts == 0 { self.next_slots(index) } else { slots };
            let provider = &mut self.providers[index];
            if slots.is_empty() && provider.blocks > 0 {
                break;
            }
            provider.blocks += 1;
            let body = BodyKind::Block(Arc::new(self.block(now, time, &slots)));
            let kind = Kind::Block(slots);
            if let Some(token) = self.send(Outgoing { to, key: CONTROL_LANE, slot: None, kind, body }) {
                self.providers[index].in_flight.push((token, attempts + 1));
            }
        }
        self.give_end(index);
    }

    /// The next sessions, as many as fit a block.
    fn next_slots(&mut self, index: usize) -> Vec<SlotRef> {
        let max = self.config.transfer.block_bytes;
        let mut slots = Vec::new();
        let mut bytes = 0;
        while bytes < max
            && let Some(slot) = self.providers[index].left.next()
        {
            let Some(entry) = self.store.get(slot) else { continue };
            bytes += 150 + entry.id.as_bytes().len() + entry.state.weight();
            slots.push(slot);
        }
        slots
    }

    fn give_end(&mut self, index: usize) {
        let Some(provider) = self.providers.get_mut(index) else { return };
        let done = provider.left.len() == 0 && provider.in_flight.is_empty() && provider.again.is_empty();
        if !done || std::mem::replace(&mut provider.ended, true) {
            return;
        }
        provider.end_attempts += 1;
        let (time, to) = (provider.time, Arc::clone(&provider.single));
        // A Clowder node that learns that this one was not complete itself goes on to ask others.
        let trailer = Trailer::Flag(provider.complete);
        let name = "SESSION-STATE-TRANSFERRED";
        let body = BodyKind::Encoded(self.message(Event::Complete, name.as_bytes(), Some(time), None, Some(&trailer)));
        self.send(Outgoing { to, key: CONTROL_LANE, slot: None, kind: Kind::Complete, body });
    }

    /// A consistent picture of some sessions, to be encoded later.
    pub(super) fn block(&self, now: Now, time: i64, slots: &[SlotRef]) -> Block {
        let ms = self.ms(now);
        let sessions = slots.iter().filter_map(|slot| self.store.get(*slot)).map(|entry| BlockSession {
            id: entry.id.clone(),
            state: Arc::clone(&entry.state),
            last_accessed: entry.last_accessed,
            this_accessed: entry.this_accessed,
            is_new: entry.is_new,
            idle: ms.saturating_sub(entry.accessed),
        });
        Block::new(&self.config, time, sessions.collect())
    }

    pub(super) fn block_settled(
        &mut self,
        now: Now,
        token: Token,
        member: &MemberId,
        slots: Vec<SlotRef>,
        delivered: bool,
    ) {
        let attempts_max = self.config.transfer.block_attempts;
        let Some(index) = self.providers.iter().position(|provider| provider.to() == member) else { return };
        let provider = &mut self.providers[index];
        let Some(at) = provider.in_flight.iter().position(|(other, _)| *other == token) else { return };
        let (_, attempts) = provider.in_flight.remove(at);
        if delivered {
            if !provider.clowder {
                let to = Arc::clone(&provider.single);
                for slot in slots {
                    self.send_unlisted(now, &to, slot);
                }
            }
        } else if attempts < attempts_max {
            provider.again.push((slots, attempts));
        } else {
            // Without the end the member asks somebody else; what it lacks of ours is repaired if it stays.
            self.stats.transfers_failed += 1;
            let provider = self.providers.swap_remove(index);
            let rest: Vec<SlotRef> = slots.into_iter().chain(provider.left).collect();
            self.mark_dirty(now, member, rest);
            return;
        }
        self.give(now, index);
    }

    pub(super) fn complete_settled(&mut self, member: &MemberId, delivered: bool) {
        let Some(index) = self.providers.iter().position(|provider| provider.to() == member && provider.ended) else {
            return;
        };
        let provider = &mut self.providers[index];
        if !delivered && provider.end_attempts < self.config.transfer.block_attempts {
            provider.ended = false;
            self.give_end(index);
            return;
        }
        self.providers.swap_remove(index);
        if delivered {
            self.stats.states_given += 1;
        } else {
            self.stats.transfers_failed += 1;
        }
    }
}
