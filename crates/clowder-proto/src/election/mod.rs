//! Coordinators: the members of a group agree on one of them, and on the list of all.
//!
//! [`Election`] is Tomcat's `NonBlockingCoordinator`: a token goes round the members in absolute order, each adds whom
//! it knows, and when it comes back unchanged to the member that ranks first, that one confirms the list to all. The
//! first of the list is the leader. A Tomcat that ranks first may never elect again: then the Clowder node that ranks
//! highest confirms the list in its place. [`SimpleCoordinator`] sorts the membership that the node sees, without a message.
//! [`Coordinator`] is either.
//!
//! Membership is decided elsewhere (`group`): a coordinator is told of its changes, and asks for a look at members that
//! others name and this node does not have. A node elects nobody before [`Election::started`]: at that time its first
//! view should be settled, or it makes itself the leader of a group of one and must take that back.
//!
//! Differs from Tomcat: nothing waits. There `start` and the membership's threads stand still for up to 15 s, and the
//! receiver's for as long as strangers take to be connected to.
//! Test: a_node_that_does_not_rank_first_waits_for_the_leader_and_then_asks_for_it.
//!
//! Invariants, checked after every input: a view holds the local member and is sorted; one id names one list of
//! members; while view and membership differ there is a deadline; what peers send is held in bounded memory.

mod config;
mod confirmation;
mod coordinator;
mod inputs;
mod out;
mod relay;
mod rounds;
mod simple;
mod strangers;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

pub use config::{ElectionConfig, SimpleConfig};
pub use coordinator::{Coordinator, CoordinatorConfig};
pub use out::{AgreedView, ElectionOut, SendToken};
pub use simple::SimpleCoordinator;
pub use wire::{CoordinationMessage, ElectionKind, ElectionMessage, ViewId, is_coordination};

use crate::group::jitter::Jitter;
use crate::wire::{Member, MemberId};
use relay::Relay;
use strangers::Strangers;

/// Tokens that wait for strangers to be looked at.
const MERGES_MAX: usize = 8;

/// Members in absolute order.
type Roll = BTreeMap<MemberId, Member>;

/// The coordinator by election of one node. See the module's documentation.
#[derive(Debug)]
pub struct Election {
    config: ElectionConfig,
    local: Member,
    started: bool,
    /// The others, as the membership has them.
    members: Roll,
    view: Option<AgreedView>,
    phase: Phase,
    /// Elections without a result since view and membership were the same.
    fruitless: usize,
    strangers: Strangers,
    /// Tokens that wait for strangers to be looked at.
    merges: VecDeque<Merge>,
    relay: Relay,
    owed: Owed,
    /// When Tomcats are told of the view again.
    remind_at: Option<Instant>,
    /// The random part of ids, and how many were made.
    random: [u8; 16],
    elections: u32,
    out: VecDeque<ElectionOut>,
    due: Option<Instant>,
}

/// What this node does about a view that is not what it sees.
#[derive(Clone, Debug)]
enum Phase {
    /// View and membership are the same, or the node has not started.
    Idle,
    /// Somebody else should act, or this node later.
    Waiting { until: Instant },
    /// An election of our own. Tomcat: `suggestedView` and `suggestedviewId`, which have no deadline.
    Running { id: ViewId, members: Roll, until: Instant },
}

#[derive(Debug)]
struct Merge {
    message: ElectionMessage,
    open: BTreeSet<MemberId>,
    dead: BTreeSet<MemberId>,
}

/// Who has not acknowledged the confirmation of the current view, which this node sent. Members of the view, also if
/// they are gone at the moment: they may come back and be none the wiser.
#[derive(Debug, Default)]
struct Owed {
    token: Option<SendToken>,
    members: BTreeSet<MemberId>,
    again: Option<Instant>,
}

impl Election {
    /// The coordinator of a node that knows nobody yet. `local` is the record that its messages carry.
    pub fn new(config: ElectionConfig, local: Member) -> Self {
        Election {
            strangers: Strangers::new(config.reach_timeout, config.strangers_max),
            relay: Relay::new(config.election_timeout),
            random: Jitter::new(config.seed).id(),
            elections: 0,
            config,
            local,
            started: false,
            members: Roll::new(),
            view: None,
            phase: Phase::Idle,
            fruitless: 0,
            merges: VecDeque::new(),
            owed: Owed::default(),
            remind_at: None,
            out: VecDeque::new(),
            due: None,
        }
    }

    /// The next thing to do. Drain until `None` after every input.
    pub fn poll(&mut self) -> Option<ElectionOut> {
        self.out.pop_front()
    }

    /// When [`Election::handle_deadline`] is wanted; may change with every input.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What was agreed last.
    ///
    /// Differs from Tomcat: a node that has others and was in no election yet has no view; there it leads itself.
    /// Test: a_node_that_joins_others_leads_nobody_meanwhile.
    pub fn view(&self) -> Option<&AgreedView> {
        self.view.as_ref()
    }

    fn everybody(&self) -> Roll {
        let mut all = self.members.clone();
        all.insert(self.local.id.clone(), self.local.clone());
        all
    }

    /// The ids of everybody, in order.
    fn ids(&self) -> impl Iterator<Item = &MemberId> {
        let local = &self.local.id;
        let before = self.members.range(..local).map(|(id, _)| id);
        before.chain([local]).chain(self.members.range(local..).map(|(id, _)| id))
    }

    fn ranks_first(&self) -> bool {
        self.members.keys().next().is_none_or(|first| self.local.id < *first)
    }

    fn leads(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.leader().id == self.local.id)
    }

    /// View and membership are the same.
    fn is_settled(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.members.iter().map(|member| &member.id).eq(self.ids()))
    }

    fn check_invariants(&self) {
        debug_assert!(self.view.as_ref().is_none_or(|view| view.members.is_sorted_by(|a, b| a.id < b.id)));
        debug_assert!(self.view.as_ref().is_none_or(|view| view.members.contains(&self.local)), "a view without us");
        debug_assert!(!self.members.contains_key(&self.local.id), "the local member is no other");
        debug_assert!(
            !self.started || self.is_settled() || !matches!(self.phase, Phase::Idle),
            "view and membership differ, and nothing will happen"
        );
        debug_assert!(self.merges.len() <= MERGES_MAX, "more tokens wait than MERGES_MAX");
        debug_assert!(self.strangers.len() <= self.config.strangers_max, "more strangers than strangers_max");
        self.relay.check_invariants();
    }
}

/// The same members, in whatever form.
fn same(members: &[Member], roll: &Roll) -> bool {
    let ids: BTreeSet<&MemberId> = members.iter().map(|member| &member.id).collect();
    ids.len() == roll.len() && ids.into_iter().eq(roll.keys())
}
