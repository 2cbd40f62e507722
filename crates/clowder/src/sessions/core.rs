//! The machine of one context behind its lock, and the way of its messages into the channel.
//!
//! Lock discipline. One mutex guards the machine. It is held for one input and the draining of its outputs, some
//! hundred nanoseconds; no code of the application runs under it, nothing awaits under it, and the channel is not
//! called under it. Order: a request's state, then this lock, then that of a ticket.
//!
//! Messages must reach the channel in the order in which the machine gave them out. So they go through one queue, and
//! whoever finds nobody else at it carries it to the channel, including what others add meanwhile. Encoding a block of
//! sessions takes a millisecond, which this keeps out of the lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use clowder_proto::Now;
use clowder_proto::session as proto;
use proto::{EndCause, Send as Message, SessionEvent, SessionsOut, Token};
use tokio::sync::Notify;

use super::aliases::Aliases;
use super::builder::DriverConfig;
use super::confirmation::Ticket;
use super::outlet::Outlet;

/// One context's sessions on this node.
pub(crate) struct Core {
    inner: Mutex<Inner>,
    pub(super) config: DriverConfig,
    pub(super) context: String,
    pub(super) outlet: Box<dyn Outlet>,
    /// Tells the driver's task that its next deadline has come nearer, or that it may end.
    pub(super) nearer: Arc<Notify>,
    /// Settled when the machine holds the cluster's state, or has given up on it.
    pub(super) ready: Arc<Ticket>,
}

pub(super) struct Inner {
    pub(super) machine: proto::Sessions,
    pub(super) aliases: Aliases,
    /// Messages for the channel, in order.
    outbox: Vec<Message>,
    /// Somebody carries the outbox to the channel.
    carrying: bool,
    /// Messages that requests wait for.
    pub(super) awaited: HashMap<Token, Arc<Ticket>>,
    /// The deadline for which the driver's task sleeps.
    armed: Option<Instant>,
}

impl Core {
    pub(super) fn new(machine: proto::Sessions, config: DriverConfig, outlet: Box<dyn Outlet>) -> Arc<Self> {
        let context = machine.config().context_name.to_text().into_owned();
        let inner = Inner {
            machine,
            aliases: Aliases::default(),
            outbox: Vec::new(),
            carrying: false,
            awaited: HashMap::new(),
            armed: None,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            config,
            context,
            outlet,
            nearer: Arc::default(),
            ready: Ticket::open(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The machine's own code never panics on an input; if it did, refusing all sessions would help nobody.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads without changing: no outputs, no deadline.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Inner) -> R) -> R {
        look(&self.lock())
    }

    /// One input of the machine, and whatever follows from it.
    pub(super) fn input<R>(self: &Arc<Self>, input: impl FnOnce(&mut Inner, Now) -> R) -> R {
        let now = now();
        let mut inner = self.lock();
        let result = input(&mut inner, now);
        self.drain(&mut inner, now);
        if let Some(deadline) = inner.machine.deadline()
            && inner.armed.is_none_or(|armed| deadline < armed)
        {
            self.nearer.notify_one();
        }
        if inner.outbox.is_empty() || inner.carrying {
            return result;
        }
        inner.carrying = true;
        let first = std::mem::take(&mut inner.outbox);
        drop(inner);
        self.carry(first);
        result
    }

    fn drain(&self, inner: &mut Inner, now: Now) {
        while let Some(out) = inner.machine.poll() {
            match out {
                SessionsOut::Send(message) => inner.outbox.push(message),
                SessionsOut::Settled { token, .. } => {
                    if let Some(ticket) = inner.awaited.remove(&token) {
                        ticket.settle();
                    }
                }
                SessionsOut::StateReady { complete } => {
                    self.state_ready(complete);
                }
                SessionsOut::Event(event) => self.happened(inner, now, event),
                // An output that this driver does not know asks for nothing that a session's user would miss.
                _ => {}
            }
        }
    }

    fn state_ready(&self, complete: bool) {
        if complete {
            tracing::debug!(context = %self.context, "session state is ready");
        } else {
            tracing::warn!(
                context = %self.context,
                "no member gave its sessions in time: serving without them and asking again; does the application run \
                 there, under this context name?"
            );
        }
        self.ready.settle();
    }

    fn happened(&self, inner: &mut Inner, now: Now, event: SessionEvent) {
        match event {
            SessionEvent::IdChanged { old, new, .. } => inner.aliases.renamed(now.mono, old, new),
            SessionEvent::Ended { cause: EndCause::Idle, .. } => {
                tracing::trace!(context = %self.context, "a session expired");
            }
            _ => {}
        }
    }

    /// Carries messages to the channel until there are no more.
    fn carry(self: &Arc<Self>, mut messages: Vec<Message>) {
        loop {
            for message in messages.drain(..) {
                self.outlet.submit(self, message);
            }
            let mut inner = self.lock();
            if inner.outbox.is_empty() {
                inner.carrying = false;
                // Keeps the buffer, so that the next request does not allocate one.
                std::mem::swap(&mut inner.outbox, &mut messages);
                return;
            }
            std::mem::swap(&mut inner.outbox, &mut messages);
        }
    }

    /// For how long the driver's task may sleep.
    pub(super) fn arm(&self) -> Option<Instant> {
        let mut inner = self.lock();
        inner.armed = inner.machine.deadline();
        inner.armed
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.nearer.notify_one();
    }
}

pub(super) fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}
