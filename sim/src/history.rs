//! What truly happened in a run, told by the parts that did it and read by the checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use clowder_proto::chain::Rejection;
use clowder_proto::election::AgreedView;
use clowder_proto::link::{Order, Outcome};
use clowder_proto::wire::{MemberId, MessageId, ShortBytes, options};

use crate::Who;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of the application.
    Application,
    /// Of the session manager.
    Session,
    /// Of the coordinator.
    Election,
}

/// A message as its sender gave it to its chain.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub sender: Who,
    /// When.
    pub at: Instant,
    /// Of what.
    pub kind: Kind,
    /// Its options say how it is acknowledged.
    pub options: i32,
    /// What it must not overtake.
    pub order: Order,
    /// What it says.
    pub body: Bytes,
    /// What its sender was told, by target.
    pub outcomes: BTreeMap<MemberId, Vec<Outcome>>,
}

impl Sent {
    /// Its sender waits for an acknowledgement.
    pub fn is_acked(&self) -> bool {
        self.options & options::USE_ACK != 0
    }

    /// And that comes after the message was processed, with the outcome.
    pub fn is_acked_after(&self) -> bool {
        options::ack_after(self.options)
    }
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
    /// For whom its connection was meant: another life of the same node, perhaps. `None`: the chain held it, and its
    /// sender was answered when it came.
    pub target: Option<MemberId>,
    /// What it said.
    pub body: Bytes,
    /// The listener failed.
    pub refused: bool,
}

/// A chain did not let a message through.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// Index in `History::sent`, if it was of a message that is known.
    pub message: Option<usize>,
    /// Whose chain.
    pub receiver: Who,
    /// Why.
    pub rejection: Rejection,
}

/// What a process was told of its leader.
#[derive(Clone, Debug)]
pub struct Led {
    /// Who was told.
    pub who: Who,
    /// When.
    pub at: Instant,
    /// What was agreed.
    pub view: AgreedView,
    /// The leader was the process itself or one of the members that it saw.
    pub seen: bool,
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
    /// Of which message a frame with this id is.
    frames: BTreeMap<ShortBytes, usize>,
    /// A frame of the message came to the chain of a process of this node, which did not refuse it, or not before the
    /// acknowledgement.
    pub reached: BTreeSet<(usize, usize)>,
    /// Receivers and senders: something of the sender came to the receiver that was meant for another life of its node.
    pub strayed: BTreeSet<(Who, Who)>,
    /// By chains.
    pub rejected: Vec<Rejected>,
    /// Views of coordinators.
    pub led: Vec<Led>,
    /// When the faults ended.
    pub calm_since: Option<Instant>,
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
    /// A message goes to the chain. Returns its index.
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

    /// A frame of the message leaves, with this id.
    pub(crate) fn framed(&mut self, id: &MessageId, message: usize) {
        self.frames.entry(id.0.clone()).or_insert(message);
    }

    /// A frame with this id came, and the chain took it or not.
    pub(crate) fn taken(&mut self, id: &MessageId, receiver: Who, rejection: Option<Rejection>) {
        let message = self.frames.get(&id.0).copied();
        if let Some(sent) = message.map(|message| &self.sent[message])
            && !sent.outcomes.contains_key(&receiver.member().id)
        {
            self.strayed.insert((receiver, sent.sender));
        }
        let answered = message.is_some_and(|message| options::ack_before(self.sent[message].options));
        if let Some(message) = message.filter(|_| rejection.is_none() || answered) {
            self.reached.insert((message, receiver.node));
        }
        if let Some(rejection) = rejection {
            self.rejected.push(Rejected { message, receiver, rejection });
        }
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
