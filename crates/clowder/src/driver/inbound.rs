//! Bytes of one peer, however they came, to frames to messages to whoever wants them.
//!
//! All frames of one read are handled as a batch: one look at the dedup memory, one entry into the inbox, one write
//! for the acknowledgements that are known.
//!
//! Invariant: what stood in front of the first malformed byte is delivered and answered; what stands behind it is
//! never looked at.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use clowder_proto::Now;
use clowder_proto::chain::Arrival;
use clowder_proto::wire::{Ack, FrameDecoder, MemberId, Message, WireError, options};

use super::acks::Acks;
use super::control::Report;
use super::deliver::Batch;
use super::env::{Env, Ticket, compact, now};
use super::service;
use crate::inbox::{Delivery, Origin};
use crate::metrics::wire_label;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// With less room than this a new buffer is taken.
const READ_BYTES_MIN: usize = 16 << 10;
/// What a frame of a notice has beside its sender's record.
const NOTICE_BYTES: usize = 1 << 10;

/// What is known of one connection, or of one datagram.
pub(super) struct Inbound {
    pub(super) env: Arc<Env>,
    pub(super) acks: Arc<Acks>,
    decoder: FrameDecoder,
    /// It came without TLS, which is required for everything but the membership.
    membership_only: bool,
    /// Whose messages came last.
    sender: Option<MemberId>,
    gate: Option<Arc<Mutex<()>>>,
}

/// Why a peer is not read any further.
pub(super) enum Violation {
    Malformed(WireError),
    /// A message without TLS, which is required here.
    Plain,
}

impl Violation {
    /// The connection is closed for it.
    pub(super) fn tell(&self, inbound: &Inbound) {
        let (refusals, peer) = (&inbound.env.refusals, inbound.acks.peer);
        match self {
            Violation::Malformed(error) => refusals.refused(peer, wire_label(&error.kind), error),
            Violation::Plain => refusals.tls(peer, "plain", "a message without TLS, which is required here"),
        }
    }
}

impl Inbound {
    /// Of a connection over TLS.
    pub(super) fn secure(env: Arc<Env>, acks: Arc<Acks>) -> Inbound {
        let decoder = FrameDecoder::new(&env.limits.wire);
        Inbound { env, acks, decoder, membership_only: false, sender: None, gate: None }
    }

    /// Of a connection without it, or of a datagram.
    pub(super) fn plain(env: Arc<Env>, acks: Arc<Acks>) -> Inbound {
        let membership_only = env.requires_tls();
        let mut limits = env.limits.wire.clone();
        if membership_only && env.control.membership_id().is_none() {
            limits.frame_bytes_max = limits.frame_bytes_max.min(limits.member_bytes_max + NOTICE_BYTES);
        }
        let decoder = FrameDecoder::new(&limits);
        Inbound { env, acks, decoder, membership_only, sender: None, gate: None }
    }

    /// Where bytes go, as they are.
    pub(super) fn buffer(&mut self) -> &mut BytesMut {
        self.decoder.buffer()
    }

    /// The same with room for a read. A large frame is believed only as far as its bytes came: the buffer at most
    /// doubles.
    pub(super) fn roomy_buffer(&mut self) -> &mut BytesMut {
        let missing = self.decoder.missing();
        let buffer = self.decoder.buffer();
        if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
            buffer.reserve(missing.min(buffer.len()).max(READ_BYTES));
        }
        buffer
    }

    /// Bytes that wait for the rest of their frame.
    pub(super) fn pending(&self) -> usize {
        self.decoder.pending()
    }

    /// So many bytes came into the buffer. Returns the number of messages in them.
    ///
    /// # Errors
    /// The first violation; the messages in front of it are delivered.
    pub(super) fn received(&mut self, count: usize) -> Result<usize, Violation> {
        self.env.metrics.received_bytes.increment(count as u64);
        let (mut batch, malformed) = self.decode();
        let mut violation = malformed.map(Violation::Malformed);
        if let Some(at) = batch.iter().position(|(message, _)| !self.may_come(message)) {
            batch.truncate(at);
            violation = Some(Violation::Plain);
        }
        self.acks.heard(batch.len(), self.decoder.pending() > 0);
        let messages = batch.len();
        if messages > 0 {
            self.handle(batch);
        }
        violation.map_or(Ok(messages), Err)
    }

    /// The way that it came is good enough.
    pub(super) fn may_come(&self, message: &Message) -> bool {
        !self.membership_only || self.env.control.is_notice(message) || service::is_message(&self.env, message)
    }

    /// All messages of what was read, and the first violation.
    fn decode(&mut self) -> (Vec<(Message, usize)>, Option<WireError>) {
        let mut batch = Vec::new();
        loop {
            match self.decoder.next() {
                Ok(None) => return (batch, None),
                Ok(Some(content)) => match Message::decode(&content, &self.env.limits.wire) {
                    Ok(message) => batch.push((message, content.len())),
                    Err(error) => return (batch, Some(error)),
                },
                Err(error) => return (batch, Some(error)),
            }
        }
    }

    /// Messages, with what they take of the budget.
    pub(super) fn handle(&mut self, batch: Vec<(Message, usize)>) {
        for (message, _) in &batch {
            // A Clowder node says so in its messages as soon as it knows that this is one.
            let tells_more = self.gate.is_none() && !message.from.extension.is_empty();
            if tells_more || self.sender.as_ref() != Some(&message.from.id) {
                self.changed_sender(message);
            }
        }
        let gate = self.gate.clone();
        let _one_connection_at_a_time = gate.as_ref().map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner));
        let now = now();
        let mut deliveries = Batch::new(&self.env, now);
        for delivery in self.arrive(now, batch) {
            deliveries.take(delivery);
        }
        deliveries.finish();
    }

    fn changed_sender(&mut self, message: &Message) {
        let member = compact(&message.from);
        self.gate = self.env.gate(&member);
        self.sender = Some(member.id.clone());
        if self.acks.is_connection() {
            // A datagram's source can be anybody's invention, without even an answer to a handshake.
            self.env.heard(&member);
            self.env.control.report(Report::Heard { member });
        }
    }

    /// Give every message of the batch its place among the acknowledgements, and answer at once what is not delivered:
    /// messages of the membership, and copies.
    fn arrive(&self, now: Now, batch: Vec<(Message, usize)>) -> Vec<Delivery> {
        let asks = |message: &Message| message.options & options::USE_ACK != 0;
        let asking = batch.iter().filter(|(message, _)| asks(message)).count();
        let mut seq = self.acks.arrived(batch.len(), asking);
        let mut dedup = self.env.dedup.lock().unwrap_or_else(PoisonError::into_inner);
        let shares_ids = self.env.chain.shares_ids();
        let mut deliveries = Vec::with_capacity(batch.len());
        let mut spent = 0;
        for (message, bytes) in batch {
            let place = asks(&message).then_some(seq);
            seq += u64::from(place.is_some());
            if self.env.control.intercept(&message) {
                self.acks.finished(place.map(|place| (place, Ack::Ok)));
            } else {
                let ticket = Ticket { conn: self.acks.id, seq: place };
                let id = if shares_ids { dedup.id_of_piece(&message) } else { message.id.clone() };
                match dedup.arrived(now, &message.from.id, &id, ticket) {
                    None => {
                        spent += bytes;
                        let origin = Origin { acks: Arc::clone(&self.acks), seq: place, bytes, id };
                        deliveries.push(Delivery::new(Arrival { message, answers: true }, Some(origin)));
                    }
                    Some(first) => {
                        self.env.metrics.duplicates.increment(1);
                        if let Some(place) = place {
                            // Under the lock: the first one cannot fail and be forgotten in between.
                            self.acks.repeated(first, place);
                        }
                        self.acks.finished(None);
                    }
                }
            }
        }
        drop(dedup);
        self.env.budget.spend(spent);
        deliveries
    }
}
