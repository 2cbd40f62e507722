//! One peer: its [`Link`] behind a lock, and whoever happens to be there moves the frames.
//!
//! There is no task between a caller and the socket. A caller queues its frame and, if nothing else is under way,
//! writes it at once; otherwise the connection's task writes what has gathered in one system call. Nobody holds the
//! lock during a system call, and wakers and callbacks run after it is released.
//!
//! Invariant: every frame given to [`Peer::queue`] gets one outcome, at its [`Waiter`] slot; what does not get room is
//! never given to the link.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use clowder_proto::link::{Cause, ConnId, Failure, Link, LinkOut, Order, Outcome, Outgoing, Token};
use clowder_proto::wire::{Ack, Capabilities, Member};
use tokio::task::AbortHandle;

use super::control::Report;
use super::dial;
use super::env::{Env, now};
use super::linger::LastHeard;
use super::net::WriteHalf;
use super::ports::{Known, Ports};
use super::refused::Refusals;
use super::room::Room;
use super::tls::Tls;
use super::waiters::{Then, Waiters};
use super::when::When;
use crate::transport::SocketOptions;

/// Frames in one system call; the system takes up to 1024.
const WRITE_FRAMES_MAX: usize = 256;
/// So many frames are written at once instead of waiting for more: the peer works on them meanwhile, and more in one
/// system call would save nothing.
const FULL_FRAMES: usize = WRITE_FRAMES_MAX / 2;
/// The token of a message whose outcome nobody waits for.
const DETACHED: Token = Token(u64::MAX);

/// Who gets the outcome of a message.
pub(crate) enum Wanted {
    /// Nobody: it is counted.
    Nothing,
    /// A future, by the slot that [`Peer::queue`] returns.
    Future,
    /// A callback for several peers, and which of them this is.
    Then(Arc<Then>, usize),
}

/// Where a connection goes.
pub(crate) enum Route<'a> {
    Plain(SocketAddr),
    Secure(&'a Tls, SocketAddr),
    /// The peer has no secure port, and this node uses no other.
    Forbidden,
    /// Its record names no address.
    Unusable,
}

/// A target of messages.
pub(crate) struct Peer {
    pub(crate) member: Member,
    addr: Option<SocketAddr>,
    env: Arc<Env>,
    /// It said that it pipelines.
    pipelines: AtomicBool,
    ports: Ports,
    /// Bytes that the queue still takes, as permits.
    room: Room,
    state: Mutex<State>,
}

struct State {
    link: Link,
    conns: Vec<ConnIo>,
    waiters: Waiters,
    retries: u64,
    /// When nothing was left to do.
    idle_since: Instant,
}

/// The driver's side of one connection of the link.
struct ConnIo {
    id: ConnId,
    task: AbortHandle,
    /// Frames that are not written, and how much of the first one is.
    out: VecDeque<Bytes>,
    offset: usize,
    write: Option<Arc<WriteHalf>>,
    /// Frames that were taken by TLS and that the system does not have.
    unflushed: usize,
    /// Somebody is in the system call and looks again afterwards.
    writing: bool,
    /// The connection's task will write soon.
    scheduled: bool,
    /// It does so behind the callers that are ready now.
    gathers: bool,
    /// When the last system call was over.
    written: Option<Instant>,
    /// The socket takes nothing now; the task waits for it.
    blocked: bool,
    waker: Option<Waker>,
}

/// What to do once the lock is released.
#[derive(Default)]
struct After {
    released: usize,
    /// Bytes of frames that are no longer queued: more than `released` if one is larger than the whole room.
    unqueued: usize,
    wakers: Vec<Waker>,
    calls: Vec<(Arc<Then>, usize, Outcome)>,
    failed: Vec<Failure>,
    sent: u64,
    sent_bytes: u64,
    retries: u64,
    /// A connection has something to write.
    dirty: bool,
}

impl Peer {
    pub(crate) fn new(env: Arc<Env>, member: Member) -> Arc<Peer> {
        let config = env.link.clone();
        let peer = Arc::new(Peer {
            addr: member.id.socket_addr(),
            env,
            pipelines: AtomicBool::new(false),
            ports: Ports::new(),
            room: Room::new(config.queue_bytes_max),
            state: Mutex::new(State {
                link: Link::new(config),
                conns: Vec::new(),
                waiters: Waiters::default(),
                retries: 0,
                idle_since: Instant::now(),
            }),
            member,
        });
        peer.heard(&peer.member);
        peer.env.handle.spawn(dial::keep_time(Arc::downgrade(&peer)));
        peer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserve room for a frame, if there is any now. The reservation is spent by [`Peer::queue`].
    pub(crate) fn try_reserve(&self, bytes: usize) -> bool {
        self.room.try_reserve(bytes)
    }

    /// Reserve room for a frame, in the order of asking. False: the peer is closed.
    pub(crate) async fn reserve(&self, bytes: usize) -> bool {
        self.room.reserve(bytes).await
    }

    /// Give back what was reserved and not spent.
    pub(crate) fn unreserve(&self, bytes: usize) {
        self.room.give_back(bytes);
    }

    /// Hand a frame with reserved room to the link. Returns the slot of a future.
    pub(crate) fn queue(self: &Arc<Self>, frame: Bytes, acked: bool, order: Order, wanted: Wanted) -> Option<u32> {
        let frame = if self.is_pipelined() { frame } else { self.plain(&frame) };
        let bytes = frame.len();
        let mut state = self.lock();
        let slot = match wanted {
            Wanted::Nothing => None,
            Wanted::Future => Some(state.waiters.future()),
            Wanted::Then(then, index) => Some(state.waiters.then(then, index)),
        };
        let token = slot.map_or(DETACHED, |slot| Token(u64::from(slot)));
        self.env.metrics.queue_bytes.increment(bytes as f64);
        let now = now();
        state.link.queued(now, Outgoing { token, frame, acked, order });
        let mut after = After::default();
        self.drain(&mut state, &mut after);
        if after.dirty {
            let is_alone = state.link.unfinished() == 1 || !state.link.is_pipelined();
            let when = When::of(acked, is_alone, now.mono);
            state = self.write_or_schedule(state, &mut after, when);
        }
        drop(state);
        self.finish(after);
        slot
    }

    /// A frame for one that is no Clowder node, as far as is known. It takes less room than was reserved for it.
    fn plain(&self, frame: &Bytes) -> Bytes {
        let plain = self.env.encoder.plain(frame);
        self.room.free(self.room.cost(frame.len()) - self.room.cost(plain.len()));
        plain
    }

    /// The outcome of a slot, once.
    pub(crate) fn poll_outcome(&self, slot: u32, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.lock().waiters.poll(slot, cx)
    }

    /// Nobody waits for a slot any more; its message goes on.
    pub(crate) fn abandon(&self, slot: u32) {
        self.lock().waiters.abandon(slot);
    }

    /// A record of the peer: it says what it can, and which ports it has.
    pub(crate) fn heard(self: &Arc<Self>, record: &Member) {
        if self.env.tls.is_some() && self.ports.heard(record) {
            self.leave_plain();
        }
        let capabilities = record.capabilities();
        if capabilities.contains(Capabilities::PIPELINE) && !self.pipelines.swap(true, Relaxed) {
            self.input(|link| link.announced(now(), capabilities));
        }
    }

    /// Everything unfinished fails, now and later.
    pub(crate) fn close(self: &Arc<Self>) {
        self.room.close();
        self.input(|link| link.closed(now()));
    }

    /// Why it takes nothing now.
    pub(crate) fn refusal(&self) -> Failure {
        if self.is_closed() { Failure::Closed } else { Failure::QueueFull }
    }

    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.env.refusals
    }

    pub(super) fn socket_options(&self) -> &SocketOptions {
        &self.env.sockets.made
    }

    pub(crate) fn last_heard(&self) -> &LastHeard {
        &self.env.last_heard
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    /// Nothing is under way since then.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.link.unfinished() == 0).then_some(state.idle_since)
    }

    pub(crate) fn is_pipelined(&self) -> bool {
        self.pipelines.load(Relaxed)
    }

    /// When to look again, at the latest: what is queued from now on is due one timeout from now.
    pub(crate) fn next_look(&self) -> Instant {
        let limit = Instant::now() + self.env.link.timeout.min(self.env.link.connect_timeout);
        self.lock().link.deadline().map_or(limit, |deadline| deadline.min(limit))
    }

    pub(crate) fn time_passed(self: &Arc<Self>) {
        self.input(|link| link.handle_deadline(now()));
    }

    /// One input of the link, and all that follows from it.
    fn input(self: &Arc<Self>, input: impl FnOnce(&mut Link)) {
        let mut state = self.lock();
        input(&mut state.link);
        let mut after = After::default();
        self.drain(&mut state, &mut after);
        if after.dirty {
            state = self.write_or_schedule(state, &mut after, When::Now);
        }
        drop(state);
        self.finish(after);
    }

    /// Do what the link wants, as far as that is possible under the lock.
    fn drain(self: &Arc<Self>, state: &mut State, after: &mut After) {
        while let Some(out) = state.link.poll() {
            match out {
                LinkOut::Connect { conn } => {
                    let task = self.env.handle.spawn(dial::run(Arc::clone(self), conn));
                    state.conns.push(ConnIo::new(conn, task.abort_handle()));
                }
                LinkOut::Write { conn, frame } => {
                    if let Some(io) = state.conns.iter_mut().find(|io| io.id == conn) {
                        io.out.push_back(frame);
                        after.dirty = true;
                    }
                }
                LinkOut::Close { conn } => {
                    if let Some(at) = state.conns.iter().position(|io| io.id == conn) {
                        state.conns.swap_remove(at).task.abort();
                    }
                }
                LinkOut::Done { token, bytes, outcome } => {
                    after.released += self.room.cost(bytes);
                    after.unqueued += bytes;
                    match outcome {
                        Outcome::Failed(failure) => after.failed.push(failure),
                        _ => {
                            after.sent += 1;
                            after.sent_bytes += bytes as u64;
                        }
                    }
                    if token != DETACHED {
                        state.waiters.done(token.0, outcome, &mut after.wakers, &mut after.calls);
                    }
                    if state.link.unfinished() == 0 {
                        state.idle_since = Instant::now();
                    }
                }
            }
        }
        after.retries += state.link.retries() - state.retries;
        state.retries = state.link.retries();
    }

    /// What had to wait for the release of the lock.
    fn finish(&self, after: After) {
        let metrics = &self.env.metrics;
        if after.released > 0 {
            self.room.free(after.released);
            metrics.queue_bytes.decrement(after.unqueued as f64);
        }
        if after.sent > 0 {
            metrics.sent.increment(after.sent);
            metrics.sent_bytes.increment(after.sent_bytes);
        }
        if after.retries > 0 {
            metrics.retries.increment(after.retries);
        }
        for failure in after.failed {
            self.count_failure(failure);
        }
        for waker in after.wakers {
            waker.wake();
        }
        for (then, index, outcome) in after.calls {
            then.done(index, outcome);
        }
    }

    /// A message to this peer failed.
    pub(crate) fn count_failure(&self, failure: Failure) {
        self.env.count_failure(&self.member.id, failure);
    }
}

/// Writing.
impl Peer {
    /// Write now if that is best or much has gathered, else let the connection's task write what gathers until it runs.
    fn write_or_schedule<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        after: &mut After,
        when: When,
    ) -> MutexGuard<'a, State> {
        let wanting =
            |io: &ConnIo| (io.may_write() || io.is_full()).then(|| (io.id, when.is_now(io.written) || io.is_full()));
        let conns: Vec<(ConnId, bool)> = state.conns.iter().filter_map(wanting).collect();
        for (id, is_now) in conns {
            if is_now {
                state = self.write(state, id, after);
            } else if let Some(io) = state.conns.iter_mut().find(|io| io.id == id) {
                io.scheduled = true;
                io.gathers = when.gathers();
                after.wakers.extend(io.waker.take());
            }
        }
        state
    }

    /// Write what there is on one connection. The lock is released during the system call, and whoever adds a frame
    /// meanwhile leaves it to this one.
    fn write<'a>(
        self: &'a Arc<Self>,
        mut state: MutexGuard<'a, State>,
        id: ConnId,
        after: &mut After,
    ) -> MutexGuard<'a, State> {
        loop {
            let Some(io) = state.conns.iter_mut().find(|io| io.id == id) else { return state };
            if !io.may_write() && !io.is_full() {
                return state;
            }
            let Some(socket) = io.write.clone() else { return state };
            let (mut batch, mut offset) = (std::mem::take(&mut io.out), io.offset);
            io.writing = true;
            drop(state);
            let result = write_frames(&socket, &mut batch, &mut offset);
            let is_plain = socket.is_plain();
            drop(socket);
            state = self.lock();
            let Some(io) = state.conns.iter_mut().find(|io| io.id == id) else { return state };
            let now = now();
            io.writing = false;
            io.written = Some(now.mono);
            io.offset = offset;
            // What was added meanwhile stands behind what is left.
            batch.append(&mut io.out);
            io.out = batch;
            match result {
                Ok((count, blocked)) => {
                    // Over TLS a full socket holds back frames that were taken whole.
                    let taken = io.unflushed + count;
                    io.unflushed = if blocked && !is_plain { taken } else { 0 };
                    let count = taken - io.unflushed;
                    if blocked {
                        io.blocked = true;
                        after.wakers.extend(io.waker.take());
                    }
                    state.link.written(now, id, count);
                }
                Err(error) => {
                    tracing::debug!(peer = %self.member, %error, "writing failed");
                    self.forget(&mut state, id);
                    state.link.lost(now, id, Cause::Lost);
                }
            }
            self.drain(&mut state, after);
        }
    }

    fn forget(&self, state: &mut State, id: ConnId) {
        if let Some(at) = state.conns.iter().position(|io| io.id == id) {
            state.conns.swap_remove(at).task.abort();
        }
    }
}

/// Which port.
impl Peer {
    /// Waits a moment for the record of a peer that was not heard yet.
    pub(crate) async fn route(&self) -> Route<'_> {
        let Some(addr) = self.addr else { return Route::Unusable };
        let Some(tls) = &self.env.tls else { return Route::Plain(addr) };
        match self.ports.known(self.env.timeouts.connect).await {
            Known::Secure(addr) => Route::Secure(tls, addr),
            _ if tls.requires() => {
                self.env.refusals.tls(addr, "no_secure_port", "messages to it fail: TLS is required here");
                Route::Forbidden
            }
            _ => Route::Plain(addr),
        }
    }

    /// It goes to the plain port, and there is a secure one.
    fn is_outdated(&self, write: &WriteHalf) -> bool {
        self.env.tls.is_some() && write.is_plain() && self.ports.is_secure()
    }

    /// Connections to the plain port end; what is in flight on them is sent again.
    fn leave_plain(self: &Arc<Self>) {
        let mut state = self.lock();
        let outdated = |io: &&ConnIo| io.write.as_ref().is_some_and(|write| self.is_outdated(write));
        let ids: Vec<ConnId> = state.conns.iter().filter(outdated).map(|io| io.id).collect();
        for id in &ids {
            self.forget(&mut state, *id);
        }
        drop(state);
        for id in ids {
            self.input(|link| link.lost(now(), id, Cause::Lost));
        }
    }
}

/// The connection's task.
impl Peer {
    /// False: nobody wants the connection any more.
    pub(crate) fn connected(self: &Arc<Self>, id: ConnId, write: WriteHalf) -> bool {
        let mut state = self.lock();
        let Some(io) = state.conns.iter_mut().find(|io| io.id == id) else { return false };
        if self.is_outdated(&write) {
            drop(state);
            self.lost(id, Cause::Connect);
            return false;
        }
        io.write = Some(Arc::new(write));
        drop(state);
        self.input(|link| link.connected(now(), id));
        true
    }

    /// The connection ended or could not be made.
    pub(crate) fn lost(self: &Arc<Self>, id: ConnId, cause: Cause) {
        let mut state = self.lock();
        let known = state.conns.iter().position(|io| io.id == id).map(|at| state.conns.swap_remove(at)).is_some();
        drop(state);
        if known {
            self.input(|link| link.lost(now(), id, cause));
            if cause == Cause::Lost {
                self.env.control.report(Report::ConnectionLost { member: self.member.id.clone() });
            }
        }
    }

    /// Acknowledgements came. Writes what they made room for. True: callers were woken that are likely to send again;
    /// come back when they had their turn, and write what they queued.
    pub(crate) fn acked(self: &Arc<Self>, id: ConnId, acks: &[Ack]) -> bool {
        let mut state = self.lock();
        let now = now();
        for ack in acks {
            state.link.acked(now, id, *ack);
        }
        let mut after = After::default();
        self.drain(&mut state, &mut after);
        state = self.write(state, id, &mut after);
        let more = after.wakers.len() > 1 && state.link.is_pipelined();
        if more && let Some(io) = state.conns.iter_mut().find(|io| io.id == id) {
            io.scheduled = true;
        }
        if after.dirty {
            // A lane that was not this one may have got something.
            state = self.write_or_schedule(state, &mut after, When::Now);
        }
        drop(state);
        self.finish(after);
        more
    }

    /// The task runs: write what was left to it, and wait for the socket if it takes no more.
    pub(crate) fn poll_write(self: &Arc<Self>, id: ConnId, cx: &mut Context<'_>) -> Poll<()> {
        let mut after = After::default();
        let mut state = self.lock();
        while let Some(io) = state.conns.iter_mut().find(|io| io.id == id) {
            if !io.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                io.waker = Some(cx.waker().clone());
            }
            if std::mem::take(&mut io.gathers) {
                cx.waker().wake_by_ref();
                break;
            }
            io.scheduled = false;
            let Some(socket) = io.write.clone().filter(|_| io.blocked) else {
                if (io.out.is_empty() && io.unflushed == 0) || io.writing {
                    break;
                }
                state = self.write(state, id, &mut after);
                continue;
            };
            match socket.poll_write_ready(cx) {
                Poll::Pending => break,
                // An error shows again, by name, in the next write.
                Poll::Ready(_) => io.blocked = false,
            }
        }
        drop(state);
        self.finish(after);
        Poll::Pending
    }
}

impl ConnIo {
    fn new(id: ConnId, task: AbortHandle) -> ConnIo {
        let (out, write, waker) = (VecDeque::new(), None, None);
        ConnIo {
            id,
            task,
            out,
            offset: 0,
            write,
            unflushed: 0,
            writing: false,
            scheduled: false,
            gathers: false,
            written: None,
            blocked: false,
            waker,
        }
    }

    fn may_write(&self) -> bool {
        let is_idle = self.out.is_empty() && self.unflushed == 0;
        self.can_write() && !is_idle && !self.scheduled
    }

    /// It need not wait for its task, which is about to write.
    fn is_full(&self) -> bool {
        self.can_write() && self.out.len() >= FULL_FRAMES
    }

    fn can_write(&self) -> bool {
        !(self.writing || self.blocked || self.write.is_none())
    }
}

/// Write frames until there are none or the socket takes no more. Returns how many left completely, and whether the
/// socket is full.
fn write_frames(socket: &WriteHalf, frames: &mut VecDeque<Bytes>, offset: &mut usize) -> io::Result<(usize, bool)> {
    let mut count = 0;
    while !frames.is_empty() {
        let mut slices = [IoSlice::new(&[]); WRITE_FRAMES_MAX];
        let mut used = 0;
        for (slice, frame) in slices.iter_mut().zip(frames.iter()) {
            let skip = if used == 0 { *offset } else { 0 };
            *slice = IoSlice::new(&frame[skip..]);
            used += 1;
        }
        let mut written = match socket.try_write_vectored(&slices[..used]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((count, true)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        while let Some(front) = frames.front() {
            let left = front.len() - *offset;
            if written < left {
                *offset += written;
                break;
            }
            written -= left;
            *offset = 0;
            frames.pop_front();
            count += 1;
        }
    }
    Ok((count, !socket.try_flush()?))
}
