//! The acknowledgements of one inbound connection, in the order of its messages.
//!
//! A message that asks for one gets a place when it arrives; the answer may be known much later, from another task.
//! What is known at the front is written: at once if nothing else of the connection is being processed, much has
//! gathered, or nobody comes by soon; else by the connection's task, many in one system call.
//!
//! Invariant: exactly one acknowledgement frame for each message that asked, in order; none for others.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use clowder_proto::wire::Ack;

use super::accept::Registry;
use super::ack_socket::AckSocket;
use super::env::{Env, Ticket};
use crate::config::ChannelLimits;

/// Of one acknowledgement in its frame.
const ACK_BYTES: usize = 21;
/// So many bytes of acknowledgements are written without waiting for more.
const WRITE_NOW: usize = 32 * ACK_BYTES;

pub(crate) struct Acks {
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) env: Arc<Env>,
    started: Instant,
    /// Milliseconds after `started` at which bytes last came.
    heard: AtomicU64,
    /// The beginning of a frame is there and its end is not.
    half_frame: AtomicBool,
    /// This node does not read now: a silence is not the peer's.
    held_back: AtomicBool,
    /// At least one whole frame came.
    spoke: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Messages that asked and are not answered, by place; `base` is the place of the first.
    places: VecDeque<Place>,
    base: u64,
    /// Acknowledgements to write.
    out: Vec<u8>,
    write: Option<AckSocket>,
    /// Nobody comes by to write: a thread waits for bytes, or there is no task at all.
    unattended: bool,
    /// Since when the peer reads nothing.
    blocked_since: Option<Instant>,
    /// Messages delivered and not finished.
    outstanding: usize,
    /// Nothing is read any more; close when everything is finished and written.
    ended_since: Option<Instant>,
    /// The connection's task waits: for answers to write, or for room to read on.
    waker: Option<Waker>,
    paused: bool,
}

enum Place {
    Waiting,
    /// Copies of the message wait for the same answer.
    Followed(Vec<(Arc<Acks>, u64)>),
    Known(Ack),
}

/// What has to wait for the release of the lock.
#[derive(Default)]
struct After {
    waker: Option<Waker>,
    followers: Vec<(Arc<Acks>, u64)>,
}

impl Acks {
    /// `write`: none if nobody is answered.
    pub(super) fn new(env: Arc<Env>, id: u64, peer: SocketAddr, write: Option<AckSocket>) -> Arc<Acks> {
        let state = State { write, ..State::default() };
        Arc::new(Acks {
            id,
            peer,
            env,
            started: Instant::now(),
            heard: AtomicU64::new(0),
            half_frame: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            spoke: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    /// False: the answers to one datagram.
    pub(super) fn is_connection(&self) -> bool {
        !Registry::is_datagram(self.id)
    }

    /// Where its messages came from, if that is known.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        Some(self.peer).filter(|peer| peer.port() != 0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes came; what is left of them is the beginning of a frame, or nothing.
    pub(crate) fn heard(&self, frames: usize, half_frame: bool) {
        self.touch();
        self.half_frame.store(half_frame, Relaxed);
        if frames > 0 {
            self.spoke.store(true, Relaxed);
        }
    }

    fn touch(&self) {
        self.heard.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// This node stops reading, or reads on: then the peer has all its time for the rest of a frame again.
    pub(crate) fn hold_back(&self, held_back: bool) {
        if self.held_back.load(Relaxed) != held_back {
            self.touch();
            self.held_back.store(held_back, Relaxed);
        }
    }

    pub(crate) fn last_heard(&self) -> Instant {
        self.started + std::time::Duration::from_millis(self.heard.load(Relaxed))
    }

    /// One that never sent a frame goes before one that did, then the most silent one.
    pub(crate) fn worth(&self) -> (bool, Instant) {
        (self.spoke.load(Relaxed), self.last_heard())
    }

    /// A batch arrived: `asking` of its `messages` messages ask for an acknowledgement. Returns the first place.
    pub(crate) fn arrived(&self, messages: usize, asking: usize) -> u64 {
        let mut state = self.lock();
        state.unattended = false;
        let first = state.base + state.places.len() as u64;
        state.places.extend((0..asking).map(|_| Place::Waiting));
        state.outstanding += messages;
        first
    }

    /// The answer for a place.
    pub(crate) fn answer(&self, seq: u64, ack: Ack) {
        let mut after = After::default();
        let mut state = self.lock();
        state.answer(seq, ack, &mut after);
        state.write_or_wake(&mut after);
        state.go_on(&self.env.limits, &mut after);
        drop(state);
        after.run(ack);
    }

    /// A message is finished, with the answer for its place if it has one that is not answered yet.
    pub(crate) fn finished(&self, answer: Option<(u64, Ack)>) {
        let mut after = After::default();
        let mut state = self.lock();
        if let Some((seq, ack)) = answer {
            state.answer(seq, ack, &mut after);
        }
        state.outstanding -= 1;
        state.write_or_wake(&mut after);
        state.go_on(&self.env.limits, &mut after);
        drop(state);
        after.run(answer.map_or(Ack::Ok, |(_, ack)| ack));
    }

    /// A copy of the message at `seq` arrived; `copy` is where it wants its answer. `None`: it gets the same answer
    /// when that is known.
    fn follow(&self, seq: u64, copy: (Arc<Acks>, u64)) -> Option<Ack> {
        let mut state = self.lock();
        let Some(at) = seq.checked_sub(state.base) else { return Some(Ack::Ok) };
        match state.places.get_mut(usize::try_from(at).ok()?) {
            Some(Place::Known(ack)) => Some(*ack),
            Some(Place::Followed(followers)) => {
                followers.push(copy);
                None
            }
            Some(waiting) => {
                *waiting = Place::Followed(vec![copy]);
                None
            }
            None => Some(Ack::Ok),
        }
    }

    /// A copy of a message that was delivered before arrived, asking at `seq`.
    pub(crate) fn repeated(self: &Arc<Self>, first: Ticket, seq: u64) {
        let original = if first.conn == self.id { Some(Arc::clone(self)) } else { self.env.registry.get(first.conn) };
        // Failures are forgotten at once, so one whose connection is gone without trace was processed.
        let answer = match (original, first.seq) {
            (Some(original), Some(place)) => original.follow(place, (Arc::clone(self), seq)),
            _ => Some(Ack::Ok),
        };
        if let Some(ack) = answer {
            self.answer(seq, ack);
        }
    }

    /// The connection's task has its turn: write what there is, then read on or wait to be woken.
    pub(crate) fn turn(&self, cx: &mut Context<'_>) -> Turn {
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        state.write_again();
        loop {
            state.write();
            let Some(socket) = &state.write else { return Turn::Closed };
            if state.blocked_since.is_none() || socket.poll_writable(cx).is_pending() {
                break;
            }
            state.blocked_since = None;
        }
        if state.ended_since.is_some() || state.out.len() >= self.env.limits.unread_acks_max {
            return Turn::Wait;
        }
        if state.is_laden(&self.env.limits, 1) {
            state.paused = true;
            return Turn::Wait;
        }
        state.unattended = matches!(state.write, Some(AckSocket::Thread(_)));
        Turn::Read
    }

    /// Nothing more is read: the peer said so, or broke the protocol. What it asked before is still answered.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.ended_since = Some(Instant::now());
        state.unattended = !self.is_connection();
        state.write();
    }

    /// Close now, whatever is left.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.close();
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The connection is done with, and why it must be closed if it overstayed.
    pub(crate) fn overdue(&self, now: Instant) -> Option<&'static str> {
        let since = |then: Instant| now.saturating_duration_since(then);
        let timeouts = &self.env.timeouts;
        let state = self.lock();
        if state.blocked_since.is_some_and(|then| since(then) >= timeouts.unread_acks) {
            return Some("unread_acks");
        }
        if state.ended_since.is_some_and(|then| since(then) >= timeouts.ended) {
            return Some("unfinished");
        }
        let reads = state.ended_since.is_none() && !self.held_back.load(Relaxed);
        let half = reads && self.half_frame.load(Relaxed);
        (half && since(self.last_heard()) >= timeouts.half_frame).then_some("half_frame")
    }

    /// Both directions are closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().write.is_none()
    }
}

/// What the connection's task does next.
pub(crate) enum Turn {
    Read,
    Wait,
    Closed,
}

impl State {
    fn answer(&mut self, seq: u64, ack: Ack, after: &mut After) {
        let Some(at) = seq.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()) else { return };
        let Some(place) = self.places.get_mut(at) else { return };
        if let Place::Followed(followers) = std::mem::replace(place, Place::Known(ack)) {
            after.followers = followers;
        }
        while let Some(Place::Known(ack)) = self.places.front() {
            if self.write.is_some() {
                self.out.extend_from_slice(ack.frame());
            }
            self.places.pop_front();
            self.base += 1;
        }
    }

    /// As much as the limits allow is being processed, or waits for the answer of an earlier message; or the `part`th
    /// part of it.
    fn is_laden(&self, limits: &ChannelLimits, part: usize) -> bool {
        self.outstanding >= limits.deliveries_max.div_ceil(part)
            || self.places.len() * ACK_BYTES >= limits.unread_acks_max.div_ceil(part)
    }

    /// Read on if there is room again.
    fn go_on(&mut self, limits: &ChannelLimits, after: &mut After) {
        if self.paused && !self.is_laden(limits, 2) {
            self.paused = false;
            after.waker = self.waker.take().or(after.waker.take());
        }
    }

    /// Write, or leave it to the task.
    fn write_or_wake(&mut self, after: &mut After) {
        let last = self.outstanding == 0;
        if last || self.unattended || self.out.len() >= WRITE_NOW {
            let blocked = self.blocked_since.is_some();
            self.write();
            if !blocked && self.blocked_since.is_some() {
                after.waker = self.waker.take(); // it waits for the socket
            }
        } else if !self.out.is_empty() {
            after.waker = self.waker.take();
        }
        if self.write.is_none() {
            after.waker = self.waker.take().or(after.waker.take()); // that was the last answer: the task ends
        }
    }

    /// A thread that comes by tries again what it cannot be told of.
    fn write_again(&mut self) {
        if let (Some(AckSocket::Thread(_)), Some(since)) = (&self.write, self.blocked_since) {
            self.blocked_since = None;
            self.write();
            self.blocked_since = self.blocked_since.map(|_| since);
        }
    }

    fn close(&mut self) {
        if let Some(socket) = self.write.take() {
            socket.shut();
        }
    }

    fn write(&mut self) {
        let Some(socket) = &self.write else { return };
        let mut written = 0;
        let mut failed = false;
        while written < self.out.len() && self.blocked_since.is_none() {
            use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
            match socket.write(&self.out[written..]) {
                Ok(count) if count > 0 => written += count,
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {
                    self.blocked_since = Some(Instant::now());
                }
                Err(error) if error.kind() == Interrupted => {}
                Ok(_) | Err(_) => {
                    failed = true;
                    break;
                }
            }
        }
        if !failed && self.blocked_since.is_none() {
            match socket.flush() {
                Ok(true) => {}
                Ok(false) => self.blocked_since = Some(Instant::now()),
                Err(_) => failed = true,
            }
        }
        self.out.drain(..written);
        let gone = self.out.is_empty() && self.blocked_since.is_none();
        let answered = self.outstanding == 0 && self.places.is_empty() && gone;
        let finished = self.ended_since.is_some() && answered;
        if failed || finished {
            // The reading half notices by itself, or has ended before.
            self.close();
            self.out = Vec::new();
        }
    }
}

impl After {
    fn run(self, ack: Ack) {
        if let Some(waker) = self.waker {
            waker.wake();
        }
        for (acks, seq) in self.followers {
            acks.answer(seq, ack);
        }
    }
}

impl Drop for Acks {
    fn drop(&mut self) {
        self.env.registry.remove(self.id);
    }
}
