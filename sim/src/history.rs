//! What truly happened in a run, told by the parts that did it and read by the checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use clowder_proto::link::Outcome;
use clowder_proto::wire::{MemberId, MessageId, ShortBytes};

use crate::Who;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the application.
    Application,
    /// Of the session manager.
    Session,
}

/// A message as its sender gave it to the links.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub sender: Who,
    /// When.
    pub at: Instant,
    /// Of what.
    pub kind: Kind,
    /// The peers acknowledge it.
    pub acked: bool,
    /// What it says.
    pub body: Bytes,
    /// What its sender was told, by target.
    pub outcomes: BTreeMap<MemberId, Vec<Outcome>>,
}

/// A listener had a message.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Index in `History::sent`; `None`: nobody sent such a message.
    pub message: Option<usize>,
    /// When.
    pub at: Instant,
    /// Who had it.
    pub receiver: Who,
    /// For whom it was meant: another life of the same node, perhaps.
    pub target: MemberId,
    /// What it said.
    pub body: Bytes,
    /// The listener failed.
    pub refused: bool,
}

/// An attribute that a request wrote. Each name is written once.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where.
    pub origin: Who,
    /// What.
    pub value: Bytes,
    /// Processes that had it when the request was answered and every replica had confirmed; `None`: not answered so.
    pub holders: Option<BTreeSet<Who>>,
}

/// Facts of one run.
#[derive(Debug, Default)]
pub struct History {
    /// Messages in the order of sending.
    pub sent: Vec<Sent>,
    by_id: BTreeMap<ShortBytes, usize>,
    /// In the order of processing.
    pub arrivals: Vec<Arrival>,
    /// When a process died.
    pub died: BTreeMap<Who, Instant>,
    /// By session and attribute.
    pub writes: BTreeMap<(String, String), Write>,
    /// Sessions that somebody began to end.
    pub doomed: BTreeSet<String>,
    /// Sessions whose end every process of the cluster confirmed.
    pub ended: BTreeSet<String>,
    /// What a checker saw on the way.
    pub violations: Vec<(&'static str, String)>,
}

impl History {
    /// A message goes to the links. Returns its index.
    pub(crate) fn sent(&mut self, id: &MessageId, sent: Sent) -> usize {
        self.by_id.insert(id.0.clone(), self.sent.len());
        self.sent.push(sent);
        self.sent.len() - 1
    }

    pub(crate) fn outcome(&mut self, message: usize, target: &MemberId, outcome: Outcome) {
        self.sent[message].outcomes.entry(target.clone()).or_default().push(outcome);
    }

    pub(crate) fn arrived(&mut self, id: &MessageId, arrival: Arrival) {
        let message = self.by_id.get(&id.0).copied();
        self.arrivals.push(Arrival { message, ..arrival });
    }

    /// Something that must never be so.
    pub(crate) fn violated(&mut self, checker: &'static str, what: String) {
        self.violations.push((checker, what));
    }

    /// The process has not died.
    pub fn is_alive(&self, who: Who) -> bool {
        !self.died.contains_key(&who)
    }
}
