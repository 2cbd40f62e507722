//! How a message is sent, and what became of it at each target.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use clowder_proto::chain::Draft;
use clowder_proto::link::{Failure, Order, Outcome};
use clowder_proto::wire::{FRAME_OVERHEAD, Member, frame_header, frame_trailer, options};
use tokio::sync::oneshot;
use tokio::task::coop::poll_proceed;

use crate::driver::peer::Peer;
use crate::error::SendError;
use crate::outgoing::Done;
use crate::way::Via;

/// What a send waits for, what it must not overtake, and what the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOptions {
    bits: i32,
    key: Option<u64>,
}

impl SendOptions {
    /// Wait until it is written.
    pub const NONE: SendOptions = SendOptions { bits: options::BYTE_MESSAGE, key: None };
    /// Wait until the target has received it.
    pub const USE_ACK: SendOptions = SendOptions { bits: options::BYTE_MESSAGE | options::USE_ACK, key: None };
    /// Wait until the target has processed it.
    pub const SYNC: SendOptions =
        SendOptions { bits: options::BYTE_MESSAGE | options::USE_ACK | options::SYNCHRONIZED_ACK, key: None };

    /// The option bits as they travel, for interceptors' own bits and for configurations of Tomcat. The body is raw
    /// bytes if bit 1 is set, else a Java object stream.
    pub const fn from_bits(bits: i32) -> SendOptions {
        SendOptions { bits, key: None }
    }

    /// The bits as they travel.
    pub const fn bits(self) -> i32 {
        self.bits
    }

    /// Return once it is queued. It goes behind everything that was queued this way before; its outcome is counted and
    /// told to the failure detector.
    #[must_use]
    pub const fn asynchronous(mut self) -> SendOptions {
        self.bits |= options::ASYNCHRONOUS;
        self
    }

    /// Behind all earlier messages with the same key, and not necessarily behind others.
    #[must_use]
    pub const fn ordered_by(mut self, key: u64) -> SendOptions {
        self.key = Some(key);
        self
    }

    /// As one datagram to each target that announces a port for them: a lost one is lost, and what does not fit into
    /// 65,507 bytes with the frame around it (IPv4) fails.
    #[must_use]
    pub const fn udp(mut self) -> SendOptions {
        self.bits |= options::UDP;
        self
    }

    /// As one datagram to the group of the multicast membership: everybody there gets it, whoever the targets are, and
    /// nobody acknowledges it. The targets share the outcome; without any, it is told as this node's own. Wins over
    /// [`SendOptions::udp`], with the same limit.
    #[must_use]
    pub const fn multicast(mut self) -> SendOptions {
        self.bits |= options::MULTICAST;
        self
    }

    /// The body is raw bytes (the default), or a Java object stream, which a Tomcat turns into an object.
    #[must_use]
    pub const fn byte_message(mut self, raw: bool) -> SendOptions {
        self.bits = if raw { self.bits | options::BYTE_MESSAGE } else { self.bits & !options::BYTE_MESSAGE };
        self
    }

    /// Without this bit.
    pub(crate) const fn without(mut self, bit: i32) -> SendOptions {
        self.bits &= !bit;
        self
    }

    pub(crate) fn is_asynchronous(self) -> bool {
        self.bits & options::ASYNCHRONOUS != 0
    }

    pub(crate) fn is_acked(self) -> bool {
        self.bits & options::USE_ACK != 0
    }

    pub(crate) fn via(self) -> Via {
        match self.bits {
            bits if bits & options::MULTICAST != 0 => Via::Multicast,
            bits if bits & options::UDP != 0 => Via::Udp,
            _ => Via::Tcp,
        }
    }

    /// `waits`: the caller sends nothing else before it knows the outcome.
    pub(crate) fn order(self, waits: bool) -> Order {
        match self.key {
            Some(key) => Order::Keyed(key),
            None if waits => Order::None,
            None => Order::All,
        }
    }
}

/// Makes the frames of one node: what does not change is encoded once.
pub(crate) struct Encoder {
    record: Bytes,
    /// The same without what this node says of itself to Clowder nodes.
    plain: Bytes,
    /// What stands in front of a body, with room for what differs from message to message.
    head: Vec<u8>,
}

/// Where the options stand in a frame, behind its header.
const OPTIONS_AT: usize = 11;
const TIMESTAMP_AT: usize = OPTIONS_AT + 4;
/// The id has its length in front.
const ID_AT: usize = TIMESTAMP_AT + 8 + 4;
/// The length of the sender's record, and the record behind it.
const RECORD_LENGTH_AT: usize = ID_AT + 16;

impl Encoder {
    pub(crate) fn new(local: &Member) -> Encoder {
        let (record, plain) = (local.encode(), local.plain().encode());
        let mut head = vec![0; ID_AT - 4];
        head.put_u32(16);
        head.put_bytes(0, 16);
        head.put_u32(length(record.len()));
        head.put_slice(&record);
        head.put_u32(0);
        Encoder { record, plain, head }
    }

    /// One of this node's frames as a Tomcat can take it.
    ///
    /// Its interceptors copy a message by the length that the fields of the sender's record add up to, and fail if the
    /// record is longer.
    pub(crate) fn plain(&self, frame: &Bytes) -> Bytes {
        let rest = RECORD_LENGTH_AT + 4 + self.record.len();
        let whole = frame.len() - self.record.len() + self.plain.len();
        let mut out = BytesMut::with_capacity(whole);
        out.put_slice(&frame_header(length(whole - FRAME_OVERHEAD)));
        out.put_slice(&frame[OPTIONS_AT..RECORD_LENGTH_AT]);
        out.put_u32(length(self.plain.len()));
        out.put_slice(&self.plain);
        out.put_slice(&frame[rest..]);
        out.freeze()
    }

    /// The length of the frame around a body.
    pub(crate) fn frame_len(&self, body: usize) -> usize {
        self.head.len() + body + frame_trailer().len()
    }

    /// Shared by all targets. The draft's body is empty afterwards.
    pub(crate) fn frame(&self, draft: &mut Draft) -> Bytes {
        let Draft { options, timestamp, id, body } = draft;
        let (body_len, head_len) = (body.len(), self.head.len());
        let content_len = self.frame_len(body_len) - FRAME_OVERHEAD;
        let write_head = |head: &mut [u8]| {
            head.copy_from_slice(&self.head);
            head[..OPTIONS_AT].copy_from_slice(&frame_header(length(content_len)));
            head[OPTIONS_AT..TIMESTAMP_AT].copy_from_slice(&options.to_be_bytes());
            head[TIMESTAMP_AT..TIMESTAMP_AT + 8].copy_from_slice(&timestamp.to_be_bytes());
            head[ID_AT..RECORD_LENGTH_AT].copy_from_slice(id);
            head[head_len - 4..].copy_from_slice(&length(body_len).to_be_bytes());
        };
        std::mem::take(body).into_frame(head_len, write_head, frame_trailer())
    }
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("checked against the limit of a frame")
}

/// A new id for a message: unique, not secret.
pub(crate) fn message_id() -> [u8; 16] {
    let mut id = fastrand::u128(..).to_be_bytes();
    id[6] = 0x40 | (id[6] & 0x0f);
    id[8] = 0x80 | (id[8] & 0x3f);
    id
}

/// What a target did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// It acknowledged.
    Acknowledged,
    /// No acknowledgement was asked for; it was written.
    Written,
    /// It is queued and nobody waits for it.
    Queued,
}

/// One target of a message.
pub(crate) struct Part {
    target: Target,
    state: PartState,
}

pub(crate) enum Target {
    Peer(Arc<Peer>),
    /// One whose outcome is known.
    Member(Member),
}

#[derive(Clone, Copy)]
pub(crate) enum PartState {
    Waiting(u32),
    Queued,
    Known(Outcome),
}

impl Part {
    pub(crate) fn new(target: Target, state: PartState) -> Part {
        Part { target, state }
    }

    fn member(&self) -> &Member {
        match &self.target {
            Target::Peer(peer) => &peer.member,
            Target::Member(member) => member,
        }
    }

    fn fate(&self) -> Result<Fate, Failure> {
        match self.state {
            PartState::Known(Outcome::Delivered) => Ok(Fate::Acknowledged),
            PartState::Known(Outcome::Written) => Ok(Fate::Written),
            PartState::Known(Outcome::Failed(failure)) => Err(failure),
            PartState::Queued | PartState::Waiting(_) => Ok(Fate::Queued),
        }
    }
}

/// The targets of a message; one needs no allocation.
#[derive(Default)]
pub(crate) struct Parts {
    first: Option<Part>,
    more: Vec<Part>,
}

impl Parts {
    pub(crate) fn push(&mut self, part: Part) {
        match &self.first {
            None => self.first = Some(part),
            Some(_) => self.more.push(part),
        }
    }

    /// Targets whose outcomes are known.
    pub(crate) fn known(outcomes: impl Iterator<Item = (Member, Outcome)>) -> Parts {
        let mut parts = Parts::default();
        outcomes.for_each(|(member, outcome)| parts.push(Part::new(Target::Member(member), PartState::Known(outcome))));
        parts
    }

    /// Targets whose outcomes nobody waits for.
    pub(crate) fn queued(members: impl Iterator<Item = Member>) -> Parts {
        let mut parts = Parts::default();
        members.for_each(|member| parts.push(Part::new(Target::Member(member), PartState::Queued)));
        parts
    }

    fn iter(&self) -> impl Iterator<Item = &Part> {
        self.first.iter().chain(&self.more)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.first.iter_mut().chain(&mut self.more)
    }

    pub(crate) fn result(self) -> Result<Receipt, SendError> {
        if self.iter().all(|part| part.fate().is_ok()) {
            return Ok(Receipt { parts: self });
        }
        let mut error = SendError { failed: Vec::new(), delivered: Vec::new() };
        for part in self.iter() {
            match part.fate() {
                Ok(_) => error.delivered.push(part.member().clone()),
                Err(failure) => error.failed.push((part.member().clone(), failure)),
            }
        }
        Err(error)
    }
}

/// A message that reached all its targets.
pub struct Receipt {
    parts: Parts,
}

impl Receipt {
    /// Every target, with what it did.
    pub fn iter(&self) -> impl Iterator<Item = (&Member, Fate)> {
        self.parts.iter().map(|part| (part.member(), part.fate().expect("a receipt has no failures")))
    }

    /// How many targets there were; none is no error.
    pub fn len(&self) -> usize {
        self.parts.iter().count()
    }

    /// There was no target.
    pub fn is_empty(&self) -> bool {
        self.parts.first.is_none()
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A message that is queued; resolves to its outcome. Dropping it does not take the message back.
#[must_use = "a message that nobody waits for is sent with SendOptions::asynchronous"]
pub struct Pending {
    state: PendingState,
}

enum PendingState {
    /// One frame: the peers tell.
    Parts(Parts),
    /// Several: told when all is known.
    Told(Vec<Member>, oneshot::Receiver<Result<Receipt, SendError>>),
}

impl Pending {
    pub(crate) fn new(parts: Parts) -> Pending {
        Pending { state: PendingState::Parts(parts) }
    }

    /// For a message of several frames: the future, and what to call with its result. `waits`: the caller wants to know.
    pub(crate) fn of(members: &[Member], waits: bool) -> (Pending, Done) {
        let (tell, told) = oneshot::channel();
        let state = if waits {
            PendingState::Told(members.to_vec(), told)
        } else {
            PendingState::Parts(Parts::queued(members.iter().cloned()))
        };
        (Pending { state }, Box::new(move |result| drop(tell.send(result)))) // nobody waits: so be it
    }
}

impl Future for Pending {
    type Output = Result<Receipt, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let parts = match &mut self.state {
            PendingState::Parts(parts) => parts,
            PendingState::Told(members, receiver) => {
                let told = ready!(Pin::new(receiver).poll(cx));
                // Nobody is left to tell: the channel is gone.
                let closed = members.drain(..).map(|member| (member, Outcome::Failed(Failure::Closed)));
                return Poll::Ready(told.unwrap_or_else(|_| Parts::known(closed).result()));
            }
        };
        // A sender whose messages are all taken at once would never let another task run.
        let turn = ready!(poll_proceed(cx));
        let mut waiting = false;
        for part in parts.iter_mut() {
            if let (PartState::Waiting(slot), Target::Peer(peer)) = (part.state, &part.target) {
                match peer.poll_outcome(slot, cx) {
                    Poll::Ready(outcome) => part.state = PartState::Known(outcome),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            return Poll::Pending;
        }
        turn.made_progress();
        Poll::Ready(std::mem::take(parts).result())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let PendingState::Parts(parts) = &self.state else { return };
        for part in parts.iter() {
            if let (PartState::Waiting(slot), Target::Peer(peer)) = (part.state, &part.target) {
                peer.abandon(slot);
            }
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            PendingState::Parts(parts) => {
                f.debug_list().entries(parts.iter().map(|part| (part.member(), part.fate()))).finish()
            }
            PendingState::Told(members, _) => f.debug_list().entries(members).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clowder_proto::chain::Body;
    use clowder_proto::wire::{Capabilities, FrameDecoder, Limits, Message};

    use super::*;

    #[test]
    fn a_frame_for_a_tomcat_has_the_fields_of_its_sender_and_nothing_more() {
        let mut local = Member::new(([127, 0, 0, 1], 4000).into(), [7; 16]);
        (local.domain, local.payload) = (Bytes::from_static(b"domain"), Bytes::from_static(b"payload"));
        local.extension = Capabilities::ALL.encode();
        let encoder = Encoder::new(&local);
        for body in [&b""[..], b"body"] {
            let body = Bytes::from_static(body);
            let mut draft = Draft { options: 7, timestamp: 8, id: [9; 16], body: Body::from(body.clone()) };
            let plain = encoder.plain(&encoder.frame(&mut draft));
            let mut decoder = FrameDecoder::new(&Limits::default());
            decoder.buffer().extend_from_slice(&plain);
            let content = decoder.next().unwrap().unwrap();
            let message = Message::decode(&content, &Limits::default()).unwrap();
            assert_eq!(message.from.encode(), local.plain().encode());
            assert_eq!(message.encode_frame(), plain);
            assert_eq!((message.body, message.options, message.timestamp), (body, 7, 8));
        }
    }
}
