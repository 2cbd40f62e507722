//! How a view is told, and to whom again.

use std::time::Instant;

use super::{AgreedView, Election, ElectionKind, ElectionMessage, ElectionOut, Owed, Phase, ViewId};
use crate::wire::{Member, options};

/// A confirmation is acknowledged when it was handled, not when it was received: a layer above may still refuse it, and
/// nobody would notice.
///
/// Differs from Tomcat: there it is acknowledged on receipt, as every message of a coordinator.
/// Test: a_confirmation_that_did_not_arrive_is_sent_again.
const CONFIRMATION_OPTIONS: i32 = options::USE_ACK | options::SYNCHRONIZED_ACK;

impl Election {
    /// The list is the view: this node leads, or stands in.
    pub(super) fn confirm(&mut self, id: ViewId, members: Vec<Member>) {
        self.phase = Phase::Idle;
        self.publish(id, members.clone());
        let others: Vec<Member> = members.iter().filter(|member| member.id != self.local.id).cloned().collect();
        self.owed.members = others.iter().map(|member| member.id.clone()).collect();
        self.send_confirmation(others, &word(id, &members));
    }

    fn send_confirmation(&mut self, to: Vec<Member>, message: &ElectionMessage) {
        if to.is_empty() {
            return;
        }
        let token = self.relay.token();
        self.owed.token = Some(token);
        self.out.push_back(ElectionOut::Send { to, options: CONFIRMATION_OPTIONS, body: message.told(), token });
    }

    /// To those who have not acknowledged it, and are members now.
    ///
    /// Differs from Tomcat: there it is sent once, and a member that misses it keeps its old view.
    /// Test: a_confirmation_that_did_not_arrive_is_sent_again.
    pub(super) fn confirm_again(&mut self) {
        self.owed.again = None;
        let to: Vec<Member> = self.owed.members.iter().filter_map(|id| self.members.get(id)).cloned().collect();
        if let Some(AgreedView { id: Some(id), members }) = &self.view {
            self.send_confirmation(to, &word(*id, members));
        }
    }

    /// Whether there are Tomcats here, and this node is the one that tells of the view again.
    ///
    /// Differs from Tomcat: there a member that lost sight of the others for a moment, and the others not of it, leads
    /// itself until the membership changes. Test: tomcats_are_told_of_the_view_again.
    pub(super) fn reminds(&self) -> bool {
        let tomcats = self.members.values().any(|member| !member.is_clowder());
        self.started && self.is_settled() && self.deputies() == 0 && tomcats
    }

    /// It may be news to one of them, and harms none. Under an id of this node: a Tomcat that gets a copy of its token
    /// confirms two lists with one id, and nobody who has the first one looks at the second.
    pub(super) fn remind(&mut self) {
        let Some(AgreedView { id: Some(id), members }) = self.view.clone() else { return };
        if id.is_akin(ViewId::new(self.random, 0)) {
            self.say_again();
        } else {
            let id = self.next_id();
            self.confirm(id, members);
        }
    }

    /// To all of them.
    fn say_again(&mut self) {
        self.owed.members.extend(self.members.keys().cloned());
        self.confirm_again();
    }

    /// Somebody asks a Tomcat to lead, which does not answer, for a view that this node has.
    ///
    /// Differs from Tomcat: there a member that missed a confirmation keeps its old view. Here it gets it from whoever
    /// has it. Test: who_missed_the_view_of_a_tomcat_gets_it_from_another_member.
    pub(super) fn vouch(&mut self, message: &ElectionMessage) {
        let Some(AgreedView { id: Some(id), members }) = &self.view else { return };
        if self.leader_is_silent() && self.is_settled() && *members == message.members {
            let body = word(*id, members).told();
            let (to, token) = (vec![message.source.clone()], self.relay.token());
            self.out.push_back(ElectionOut::Send { to, options: CONFIRMATION_OPTIONS, body, token });
        }
    }

    /// The member that ranks first is a Tomcat: it drops tokens that name it as the leader. A Clowder node answers.
    pub(super) fn leader_is_silent(&self) -> bool {
        !self.ranks_first() && self.members.values().next().is_some_and(|leader| !leader.is_clowder())
    }

    /// Clowder nodes that rank above this one: they act before it for Tomcats that do not, if they have a coordinator.
    pub(super) fn deputies(&self) -> usize {
        self.members.range(..&self.local.id).filter(|(_, member)| member.is_clowder()).count()
    }

    /// Says what the leader should have said. Its id is a new one: what was lost may be the token of the leader, or only
    /// its confirmation for us, or one that was confirmed to others with another list.
    ///
    /// Differs from Tomcat: there a group whose first member waits for its lost token has no leader until that one is
    /// started anew. Test: a_tomcat_that_will_never_elect_is_stood_in_for.
    pub(super) fn stand_in(&mut self) {
        let id = self.next_id();
        let members: Vec<Member> = self.everybody().into_values().collect();
        self.out.push_back(ElectionOut::StoodIn { leader: members[0].id.clone() });
        self.confirm(id, members);
    }

    /// A leader's word.
    ///
    /// Tomcat: `handleViewConf`: accepted from anybody, unless the view has its id already. Differs from Tomcat: a view
    /// without this node is not its view, and one of an earlier election of the same node came late; a Tomcat that
    /// gets a copy of its token confirms it twice, and the second list counts if it is the membership. Tests:
    /// a_view_without_us_is_not_ours, a_confirmation_that_was_overtaken_is_late,
    /// a_list_that_was_confirmed_twice_counts_if_it_is_the_membership,
    /// a_leader_that_was_stood_in_for_says_its_own_word_again.
    pub(super) fn confirmed(&mut self, now: Instant, message: ElectionMessage) {
        let mut members = message.members;
        members.sort_by(|a, b| a.id.cmp(&b.id));
        members.dedup();
        let current = self.view.as_ref().and_then(|view| view.id);
        let late = current.is_some_and(|current| message.id.is_before(current));
        if late || !members.contains(&self.local) {
            return;
        }
        if current == Some(message.id) && !members.iter().map(|member| &member.id).eq(self.ids()) {
            return;
        }
        let is_known = self.view.as_ref().is_some_and(|view| view.members == members);
        if is_known && current == Some(message.id) {
            return;
        }
        if is_known && self.leads() {
            // Somebody stood in for this node. The words may cross, and everybody is to have the same one.
            return self.say_again();
        }
        let leader = members.first().map(|member| member.id.clone());
        self.publish(message.id, members);
        if matches!(self.phase, Phase::Running { id, .. } if id == message.id || leader < Some(self.local.id.clone())) {
            self.wait(now);
        }
    }

    pub(super) fn publish(&mut self, id: ViewId, members: Vec<Member>) {
        self.owed = Owed::default();
        self.relay.settled(id);
        let view = AgreedView { id: Some(id), members };
        self.view = Some(view.clone());
        self.out.push_back(ElectionOut::View(view));
    }
}

/// What the first of the members says when it leads: this is the view.
fn word(id: ViewId, members: &[Member]) -> ElectionMessage {
    let leader = members[0].clone();
    ElectionMessage { source: leader.clone(), leader, members: members.to_vec(), id, kind: ElectionKind::Confirmation }
}
