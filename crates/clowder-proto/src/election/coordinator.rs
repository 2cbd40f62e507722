//! Either coordinator behind one set of verbs.

use std::time::Instant;

use bytes::Bytes;

use super::{AgreedView, Election, ElectionConfig, ElectionOut, SendToken, SimpleConfig, SimpleCoordinator};
use crate::Now;
use crate::wire::{Member, MemberId};

/// Which coordinator, with its settings.
#[derive(Clone, Debug)]
pub enum CoordinatorConfig {
    /// Tomcat: `NonBlockingCoordinator`.
    NonBlocking(ElectionConfig),
    /// Tomcat: `SimpleCoordinator`.
    Simple(SimpleConfig),
}

/// The coordinator of one node.
#[derive(Debug)]
pub enum Coordinator {
    /// By election.
    NonBlocking(Box<Election>),
    /// By sorting.
    Simple(Box<SimpleCoordinator>),
}

impl Coordinator {
    /// The coordinator of a node that knows nobody yet.
    pub fn new(config: CoordinatorConfig, local: Member) -> Self {
        match config {
            CoordinatorConfig::NonBlocking(config) => Coordinator::NonBlocking(Box::new(Election::new(config, local))),
            CoordinatorConfig::Simple(config) => Coordinator::Simple(Box::new(SimpleCoordinator::new(config, local))),
        }
    }

    /// See [`Election::started`].
    pub fn started(&mut self, now: Now) {
        match self {
            Coordinator::NonBlocking(election) => election.started(now),
            Coordinator::Simple(simple) => simple.started(now),
        }
    }

    /// See [`Election::view_changed`].
    pub fn view_changed(&mut self, now: Now, members: &[Member]) {
        match self {
            Coordinator::NonBlocking(election) => election.view_changed(now, members),
            Coordinator::Simple(simple) => simple.view_changed(now, members),
        }
    }

    /// See [`Election::received`]. Nothing without elections.
    pub fn received(&mut self, now: Now, from: &MemberId, body: &Bytes) {
        if let Coordinator::NonBlocking(election) = self {
            election.received(now, from, body);
        }
    }

    /// See [`Election::reached`]. Nothing without elections.
    pub fn reached(&mut self, now: Now, member: &MemberId, alive: bool) {
        if let Coordinator::NonBlocking(election) = self {
            election.reached(now, member, alive);
        }
    }

    /// See [`Election::sent`]. Nothing without elections.
    pub fn sent(&mut self, now: Now, token: SendToken, to: &MemberId, delivered: bool) {
        if let Coordinator::NonBlocking(election) = self {
            election.sent(now, token, to, delivered);
        }
    }

    /// The next thing to do. Drain until `None` after every input.
    pub fn poll(&mut self) -> Option<ElectionOut> {
        match self {
            Coordinator::NonBlocking(election) => election.poll(),
            Coordinator::Simple(simple) => simple.poll(),
        }
    }

    /// When [`Coordinator::handle_deadline`] is wanted; may change with every input.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Coordinator::NonBlocking(election) => election.deadline(),
            Coordinator::Simple(simple) => simple.deadline(),
        }
    }

    /// Time has passed. Early is harmless.
    pub fn handle_deadline(&mut self, now: Now) {
        match self {
            Coordinator::NonBlocking(election) => election.handle_deadline(now),
            Coordinator::Simple(simple) => simple.handle_deadline(now),
        }
    }

    /// What was agreed last.
    pub fn view(&self) -> Option<&AgreedView> {
        match self {
            Coordinator::NonBlocking(election) => election.view(),
            Coordinator::Simple(simple) => simple.view(),
        }
    }
}
