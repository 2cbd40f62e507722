//! The task of one inbound connection: bytes to frames to messages to whoever wants them.
//!
//! All frames of one read are handled as a batch: one look at the dedup memory, one entry into the inbox, one write
//! for the acknowledgements that are known.
//!
//! Invariant: what stood in front of the first malformed byte is delivered and answered; what stands behind it is
//! never looked at.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use clowder_proto::wire::{Ack, FrameDecoder, MemberId, Message, MessageId, WireError, options};
use tokio::io::AsyncReadExt;

use super::acks::{Acks, Turn};
use super::control::Report;
use super::deliver::Batch;
use super::env::{Env, Ticket, compact, now};
use super::linger::Linger;
use super::net::ReadHalf;
use super::tls::Tls;
use crate::inbox::Origin;
use crate::metrics::wire_label;

/// Room for one read.
const READ_BYTES: usize = 64 << 10;
/// Room for what comes while the task lingers; more of it is read as usual.
const LINGER_BYTES: usize = 4 << 10;
/// So much of a body's end tells the pieces of one message apart.
const IDENTITY_BYTES: usize = 32;
/// What a frame of a notice has beside its sender's record.
const NOTICE_BYTES: usize = 1 << 10;
/// With less room than this a new buffer is taken.
const READ_BYTES_MIN: usize = 16 << 10;

/// Serves the connection until it ends or breaks the protocol.
pub(super) async fn run(env: Arc<Env>, acks: Arc<Acks>, read: ReadHalf) {
    // Where TLS is required, the plain port serves the membership.
    let notices_only = read.plain().is_some() && env.tls.as_ref().is_some_and(Tls::requires);
    let mut limits = env.limits.wire.clone();
    if notices_only {
        limits.frame_bytes_max = limits.frame_bytes_max.min(limits.member_bytes_max + NOTICE_BYTES);
    }
    let decoder = FrameDecoder::new(&limits);
    let linger = Linger::new(&env.last_heard);
    let mut conn = Conn { env, acks, read, decoder, notices_only, sender: None, gate: None, linger };
    let end = std::future::poll_fn(|cx| conn.poll(cx)).await;
    match &end {
        End::Closed => {}
        End::Malformed(error) => conn.env.refusals.refused(conn.acks.peer, wire_label(&error.kind), error),
        End::Plain => conn.env.refusals.tls(conn.acks.peer, "plain", "a message without TLS, which is required here"),
    }
    let Conn { acks, read, .. } = conn;
    // Nothing more is read; what was asked before is still answered.
    drop(read);
    acks.end();
    std::future::poll_fn(|cx| match acks.turn(cx) {
        Turn::Closed => Poll::Ready(()),
        Turn::Read | Turn::Wait => Poll::Pending,
    })
    .await;
}

enum End {
    /// The peer said so, or the connection broke.
    Closed,
    Malformed(WireError),
    /// A message that must not come this way.
    Plain,
}

struct Conn {
    env: Arc<Env>,
    acks: Arc<Acks>,
    read: ReadHalf,
    decoder: FrameDecoder,
    /// It takes no other messages.
    notices_only: bool,
    /// Whose messages came last on this connection.
    sender: Option<MemberId>,
    gate: Option<Arc<Mutex<()>>>,
    linger: Linger,
}

/// One message of a batch that is to be delivered.
struct Arrival {
    message: Message,
    bytes: usize,
    seq: Option<u64>,
    /// By which its copies are recognised.
    id: MessageId,
}

impl Conn {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.acks.turn(cx) {
                Turn::Read if self.env.budget.has_room(cx.waker()) => self.acks.hold_back(false),
                Turn::Read | Turn::Wait => {
                    self.acks.hold_back(true);
                    return Poll::Pending;
                }
                Turn::Closed => return Poll::Ready(End::Closed),
            }
            let count = match self.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(End::Closed),
                Poll::Ready(Ok(count)) => count,
            };
            self.env.metrics.received_bytes.increment(count as u64);
            let (mut batch, malformed) = self.decode();
            let whole = batch.len();
            if self.notices_only {
                let notice = |(message, _): &(Message, usize)| self.env.control.is_notice(message);
                batch.truncate(batch.iter().take_while(|it| notice(it)).count());
            }
            self.acks.heard(batch.len(), self.decoder.pending() > 0);
            let messages = batch.len();
            if messages > 0 {
                self.handle(batch);
            }
            if messages < whole {
                return Poll::Ready(End::Plain);
            }
            if let Some(error) = malformed {
                return Poll::Ready(End::Malformed(error));
            }
            if self.linger.heard(&self.env.last_heard, messages) {
                // Behind whoever processes the message.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        let mut few = [0; LINGER_BYTES];
        if let Some(socket) = self.read.plain()
            && let Some(count) = self.linger.read(socket, &mut few)
        {
            self.decoder.buffer().extend_from_slice(&few[..count]);
            return Poll::Ready(Ok(count));
        }
        // A large frame is believed only as far as its bytes came: the buffer at most doubles.
        let missing = self.decoder.missing();
        let buffer = self.decoder.buffer();
        if buffer.capacity() - buffer.len() < READ_BYTES_MIN {
            buffer.reserve(missing.min(buffer.len()).max(READ_BYTES));
        }
        pin!(self.read.read_buf(buffer)).poll(cx)
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

    fn handle(&mut self, batch: Vec<(Message, usize)>) {
        for (message, _) in &batch {
            if self.sender.as_ref() != Some(&message.from.id) {
                self.changed_sender(message);
            }
        }
        let gate = self.gate.clone();
        let _one_connection_at_a_time = gate.as_ref().map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner));
        let mut deliveries = Batch::new(&self.env);
        for Arrival { message, bytes, seq, id } in self.arrive(batch) {
            let origin = Origin { acks: Arc::clone(&self.acks), seq, bytes, id };
            deliveries.take(message, Some(origin));
        }
        deliveries.finish();
    }

    fn changed_sender(&mut self, message: &Message) {
        let member = compact(&message.from);
        self.env.heard(&member);
        self.gate = self.env.gate(&member);
        self.sender = Some(member.id.clone());
        self.env.control.report(Report::Heard { member });
    }

    /// Give every message of the batch its place among the acknowledgements, and answer at once what is not delivered:
    /// messages of the membership, and copies.
    fn arrive(&self, batch: Vec<(Message, usize)>) -> Vec<Arrival> {
        let asks = |message: &Message| message.options & options::USE_ACK != 0;
        let asking = batch.iter().filter(|(message, _)| asks(message)).count();
        let mut seq = self.acks.arrived(batch.len(), asking);
        let time = now();
        let mut dedup = self.env.dedup.lock().unwrap_or_else(PoisonError::into_inner);
        let mut arrivals = Vec::with_capacity(batch.len());
        let mut spent = 0;
        for (message, bytes) in batch {
            let place = asks(&message).then_some(seq);
            seq += u64::from(place.is_some());
            if self.env.control.intercept(&message) {
                self.acks.finished(place.map(|place| (place, Ack::Ok)), self.env.limits.deliveries_max);
            } else {
                let ticket = Ticket { conn: self.acks.id, seq: place };
                let id = self.identity(&message);
                match dedup.arrived(time, &message.from.id, &id, ticket) {
                    None => {
                        spent += bytes;
                        arrivals.push(Arrival { message, bytes, seq: place, id });
                    }
                    Some(first) => {
                        self.env.metrics.duplicates.increment(1);
                        if let Some(place) = place {
                            // Under the lock: the first one cannot fail and be forgotten in between.
                            self.acks.repeated(first, place);
                        }
                        self.acks.finished(None, self.env.limits.deliveries_max);
                    }
                }
            }
        }
        drop(dedup);
        self.env.budget.spend(spent);
        arrivals
    }

    /// What tells a copy of a message. The pieces of a fragmented message have one id, and differ at the end of their
    /// bodies: in their number, or in what encryption made of it.
    fn identity(&self, message: &Message) -> MessageId {
        if !self.env.chain.shares_ids() {
            return message.id.clone();
        }
        let end = &message.body[message.body.len().saturating_sub(IDENTITY_BYTES)..];
        let mut mixed = [0; 16];
        for (half, seed) in mixed.chunks_exact_mut(8).zip([0_u8, 1]) {
            let mut hasher = DefaultHasher::new();
            (seed, &message.id, message.body.len(), end).hash(&mut hasher);
            half.copy_from_slice(&hasher.finish().to_be_bytes());
        }
        MessageId(Bytes::copy_from_slice(&mixed))
    }
}
