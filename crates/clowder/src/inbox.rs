//! Received messages, for the application.
//!
//! A [`Delivery`] is one message and the duty to say what became of it. The [`Inbox`] gives out what no listener took,
//! in the order of each sender.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use clowder_proto::chain::Arrival;
use clowder_proto::wire::{Ack, Member, MemberId, Message, MessageId, options};
use tokio::task::coop::poll_proceed;

use crate::driver::acks::Acks;

/// A received message. If its sender waits for the outcome of the processing, it learns it from [`Delivery::done`] or
/// [`Delivery::fail`]; a delivery that is dropped without either has failed.
pub struct Delivery {
    arrival: Arrival,
    origin: Option<Origin>,
}

/// Where a message came from and how it is answered.
pub(crate) struct Origin {
    pub(crate) acks: Arc<Acks>,
    /// The place among the acknowledgements that is to be answered; `None`: nothing is.
    pub(crate) seq: Option<u64>,
    /// What it takes of the budget.
    pub(crate) bytes: usize,
    /// By which its copies are recognised.
    pub(crate) id: MessageId,
}

impl Delivery {
    /// `origin`: none for a message that came in a datagram, which is not answered.
    pub(crate) fn new(arrival: Arrival, origin: Option<Origin>) -> Delivery {
        Delivery { arrival, origin }
    }

    /// What the chain works on.
    pub(crate) fn arrival(&mut self) -> &mut Arrival {
        &mut self.arrival
    }

    /// Where it came from, if that is known.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.origin.as_ref().and_then(|origin| origin.acks.source())
    }

    /// Something else stands for it from now on.
    pub(crate) fn take_origin(&mut self) -> Option<Origin> {
        self.origin.take()
    }

    /// The sender, as the message says; nothing vouches for it. Its bytes are shares of the buffer that they were read
    /// into: copy what is kept for long.
    pub fn from(&self) -> &Member {
        &self.arrival.message.from
    }

    /// The bits of the message's options.
    pub fn options(&self) -> i32 {
        self.arrival.message.options
    }

    /// The message's id, the same in every copy.
    pub fn id(&self) -> &MessageId {
        &self.arrival.message.id
    }

    /// The body: raw bytes if the sender said so (option 1), else a Java object stream. A share of a buffer of up to
    /// 64 KiB of received bytes, which lives as long as any share of it: copy a small part that is kept for long.
    pub fn body(&self) -> &Bytes {
        &self.arrival.message.body
    }

    /// The whole message.
    pub fn message(&self) -> &Message {
        &self.arrival.message
    }

    /// Its sender has its answer, because a layer of the chain held it, or wants none, as that of a datagram.
    pub(crate) fn was_held(&self) -> bool {
        self.origin.is_none()
    }

    /// It is processed: the sender is told, if it waits for that.
    pub fn done(mut self) {
        self.finish(Ack::Ok);
    }

    /// It could not be processed. The sender is told, if it waits for that.
    pub fn fail(mut self) {
        self.finish(Ack::Failed);
    }

    /// Its turn has come: one that is acknowledged before processing is acknowledged now.
    pub(crate) fn handed_up(&mut self) {
        if let Some(origin) = &mut self.origin {
            origin.handed_up(self.arrival.message.options);
        }
    }

    fn finish(&mut self, ack: Ack) {
        if let Some(origin) = self.origin.take() {
            origin.finish(&self.arrival.message.from.id, ack);
        }
    }
}

impl Origin {
    /// The turn of its message has come, which has these options.
    pub(crate) fn handed_up(&mut self, options: i32) {
        if options::ack_before(options)
            && let Some(seq) = self.seq.take()
        {
            self.acks.answer(seq, Ack::Ok);
        }
    }

    /// Its message, from `sender`, is finished.
    pub(crate) fn finish(self, sender: &MemberId, ack: Ack) {
        let Origin { acks, seq, bytes, id } = self;
        if ack == Ack::Failed && seq.is_some() {
            // Before the sender learns of it: its second try must be let through.
            let mut dedup = acks.env.dedup.lock().unwrap_or_else(PoisonError::into_inner);
            dedup.failed(sender, &id);
        }
        acks.env.budget.give_back(bytes);
        acks.finished(seq.map(|seq| (seq, ack)));
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let ack = if options::ack_after(self.arrival.message.options) { Ack::Failed } else { Ack::Ok };
        self.finish(ack);
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Delivery").field(&self.arrival.message).finish()
    }
}

/// Messages that no listener took. Bounded by what each connection may have unprocessed.
#[derive(Default)]
pub(crate) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    queue: VecDeque<Delivery>,
    wakers: Vec<Waker>,
    /// Inboxes that exist.
    open: usize,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch, in order. False: nobody has an inbox; the batch is as it was.
    pub(crate) fn push(&self, batch: &mut Vec<Delivery>) -> bool {
        let mut state = self.lock();
        if state.open == 0 || state.closed {
            return false;
        }
        state.queue.extend(batch.drain(..));
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        true
    }

    /// No more messages: an inbox ends when the queue is empty.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn open(self: &Arc<Self>) -> Inbox {
        self.lock().open += 1;
        Inbox { queue: Arc::clone(self), taken: VecDeque::new() }
    }
}

/// The messages that no listener took. Several inboxes of one channel share them: each message goes to one.
///
/// Without an inbox such messages are dropped and count as processed, as in Tomcat.
pub struct Inbox {
    queue: Arc<Queue>,
    /// Taken at once, so that a message costs less than a lock.
    taken: VecDeque<Delivery>,
}

impl Inbox {
    /// The next message; `None`: the channel stopped and everything was given out. Cancel safe.
    pub async fn recv(&mut self) -> Option<Delivery> {
        std::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`Inbox::recv`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        // A receiver that finds messages whenever it looks would never let another task run.
        let turn = ready!(poll_proceed(cx));
        if self.taken.is_empty() {
            let mut state = self.queue.lock();
            if state.open == 1 {
                std::mem::swap(&mut self.taken, &mut state.queue);
            } else {
                self.taken.extend(state.queue.pop_front());
            }
            if self.taken.is_empty() {
                if state.closed {
                    return Poll::Ready(None);
                }
                if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    state.wakers.push(cx.waker().clone());
                }
                return Poll::Pending;
            }
        }
        turn.made_progress();
        let mut delivery = self.taken.pop_front();
        if let Some(delivery) = &mut delivery {
            delivery.handed_up();
        }
        Poll::Ready(delivery)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.open -= 1;
        while let Some(delivery) = self.taken.pop_back() {
            state.queue.push_front(delivery);
        }
        // With nobody left to process them, they fail, outside of the lock.
        let orphans = if state.open == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() };
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        drop(orphans);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("taken", &self.taken.len()).finish_non_exhaustive()
    }
}
