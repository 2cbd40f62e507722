//! The pieces of incomplete messages.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::{FragmentConfig, Rejection, TRAILER, rejection};
use crate::chain::held::{Done, Key, Room, Waiting, cost, detached};
use crate::wire::{MemberId, Message};

/// What one piece costs besides its data.
const PIECE_OVERHEAD: usize = 96;

/// One received piece.
#[derive(Debug)]
pub(super) struct Piece {
    number: i32,
    count: i32,
    data: Bytes,
}

impl Piece {
    /// The piece in a body that ends with a byte that is not zero.
    pub(super) fn of(message: &Message) -> Result<Piece, Rejection> {
        let body = &message.body;
        let Some(length) = body.len().checked_sub(TRAILER) else { return Err(rejection("piece_too_short")) };
        let int = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&body[at..at + 4]);
            i32::from_be_bytes(bytes)
        };
        Ok(Piece { number: int(length), count: int(length + 4), data: body.slice(..length) })
    }
}

/// A message of which some pieces came.
#[derive(Debug)]
struct Collection {
    /// The first piece that came, without its body: it decides the count, and what is delivered carries its options,
    /// its time and its sender.
    head: Message,
    count: usize,
    /// By number; only what came takes room.
    pieces: BTreeMap<usize, Bytes>,
    data_bytes: usize,
}

impl Collection {
    fn cost(&self) -> usize {
        cost(&self.head) + self.data_bytes + self.pieces.len() * PIECE_OVERHEAD
    }
}

/// A message of which all pieces came.
#[derive(Debug)]
pub(super) struct Complete(Collection);

impl Complete {
    pub(super) fn join(self) -> Message {
        let Complete(mut collection) = self;
        if collection.pieces.len() == 1
            && let Some((_, only)) = collection.pieces.pop_first()
        {
            return Message { body: only, ..collection.head };
        }
        let mut body = BytesMut::with_capacity(collection.data_bytes);
        collection.pieces.values().for_each(|piece| body.extend_from_slice(piece));
        Message { body: body.freeze(), ..collection.head }
    }
}

/// All incomplete messages.
///
/// Differs from Tomcat: they are found by sender and id, where it looks at the id alone; a message is taken out in the
/// moment of its completion, where two threads can deliver it twice; what comes after it opens nothing anew; number,
/// size and all bytes are bounded.
/// Tests: two_senders_can_use_one_id, a_piece_after_completion_is_rejected_and_opens_nothing,
/// more_pieces_than_allowed_are_rejected, more_messages_than_allowed_are_rejected,
/// more_bytes_than_allowed_are_rejected, a_message_over_its_limit_is_rejected.
#[derive(Debug)]
pub(super) struct Pieces {
    config: FragmentConfig,
    open: Waiting<Collection>,
    done: Done,
    joined: u64,
    expired: u64,
    left: u64,
}

impl Pieces {
    pub(super) fn new(config: FragmentConfig) -> Pieces {
        Pieces {
            open: Waiting::new(config.expire),
            done: Done::new(config.expire),
            config,
            joined: 0,
            expired: 0,
            left: 0,
        }
    }

    /// A piece came. The message, if it was the last one missing.
    pub(super) fn arrived(
        &mut self,
        now: Instant,
        message: &Message,
        piece: Piece,
        room: Room,
    ) -> Result<Option<Complete>, Rejection> {
        self.expire(now);
        let key = Key::of(message);
        if self.done.contains(&key) {
            // A copy is known below the chain; this is a second try, because the message was not processed, or the rest
            // of one that was given up. It cannot be delivered, and must not count as processed.
            return Err(rejection("late_piece"));
        }
        // As Tomcat: the first piece decides the count, what later ones say about it is not looked at.
        let known = self.open.get(&key);
        let count = match known {
            Some(collection) => collection.count,
            None => self.count(&piece, room)?,
        };
        let number = usize::try_from(piece.number).ok().filter(|number| *number < count);
        let number = number.ok_or(rejection("piece_number"))?;
        let (before, replaced) = known.map_or((0, None), |known| (known.data_bytes, known.pieces.get(&number)));
        let data_bytes = before - replaced.map_or(0, Bytes::len) + piece.data.len();
        let declared = if number + 1 < count { (count - 1).saturating_mul(piece.data.len()) } else { 0 };
        if data_bytes.max(declared) > self.config.message_bytes_max {
            return Err(rejection("message_too_large"));
        }
        let head = if known.is_none() { cost(message) - message.body.len() } else { 0 };
        let bytes = self.open.bytes() + head + piece.data.len() + PIECE_OVERHEAD;
        if !room.allows_bytes(bytes, self.config.held_bytes_max) {
            // Its sender learns that the message failed: what came of it only takes room, and so would the rest.
            self.open.take(&key);
            self.done.insert(now, key);
            return Err(rejection("memory_full"));
        }
        Ok(self.insert(now, key, count, message, number, &piece.data))
    }

    /// How many pieces a message will have of which none came before.
    fn count(&self, piece: &Piece, room: Room) -> Result<usize, Rejection> {
        let count = usize::try_from(piece.count).ok().filter(|count| *count > 0).ok_or(rejection("piece_count"))?;
        if count > self.config.pieces_max {
            return Err(rejection("too_many_pieces"));
        }
        if !room.allows_another(self.open.len(), self.config.messages_max) {
            return Err(rejection("too_many_messages"));
        }
        Ok(count)
    }

    fn insert(
        &mut self,
        now: Instant,
        key: Key,
        count: usize,
        message: &Message,
        number: usize,
        data: &Bytes,
    ) -> Option<Complete> {
        if self.open.get(&key).is_none() {
            let head = detached(&Message { body: Bytes::new(), ..message.clone() });
            let (key, pieces) = (Key::of(&head), BTreeMap::new());
            let collection = Collection { head, count, pieces, data_bytes: 0 };
            let cost = collection.cost();
            self.open.put(now, key, collection, cost);
        }
        let is_complete = self.open.change(&key, Collection::cost, |collection| {
            // What comes twice replaces itself.
            let replaced = collection.pieces.insert(number, Bytes::copy_from_slice(data));
            collection.data_bytes = collection.data_bytes + data.len() - replaced.map_or(0, |replaced| replaced.len());
            collection.pieces.len() >= collection.count
        })?;
        if !is_complete {
            return None;
        }
        let collection = self.open.take(&key)?;
        self.joined += 1;
        self.done.insert(now, Key::of(&collection.head));
        Some(Complete(collection))
    }

    /// What waits costs so many bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.open.bytes()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.deadline()
    }

    /// Give up what is too old. Tomcat: at its heartbeat, in silence.
    pub(super) fn expire(&mut self, now: Instant) {
        self.done.expire(now);
        while let Some((key, _)) = self.open.expired(now) {
            self.done.insert(now, key);
            self.expired += 1;
        }
    }

    /// Nobody will complete what `sender` began. If it does, as it was only taken for gone, it hears that this failed.
    pub(super) fn left(&mut self, now: Instant, sender: &MemberId) {
        for key in self.open.of(sender) {
            self.open.take(&key);
            self.done.insert(now, key);
            self.left += 1;
        }
    }

    pub(super) fn counters(&self) -> [(&'static str, u64); 3] {
        [("joined", self.joined), ("expired", self.expired), ("left", self.left)]
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        self.open.counted()
    }
}
