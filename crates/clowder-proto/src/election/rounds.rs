//! How an election goes: its start, its token, its end.

use std::collections::BTreeSet;
use std::time::Instant;

use super::relay::push_bounded;
use super::{
    AgreedView, Election, ElectionKind, ElectionMessage, ElectionOut, PROPOSALS_MAX, Phase, Roll, ViewId, same,
};
use crate::wire::{Member, MemberId, options};

/// A confirmation is acknowledged when it was handled, not when it was received: a layer above may still refuse it, and
/// nobody would notice.
///
/// Differs from Tomcat: there it is acknowledged on receipt, as every message of a coordinator.
/// Test: a_confirmation_that_did_not_arrive_is_sent_again.
const CONFIRMATION_OPTIONS: i32 = options::USE_ACK | options::SYNCHRONIZED_ACK;

impl Election {
    /// Bring view and membership together, if they differ and nothing is under way. `force`: also if another member
    /// ranks first, which should do it.
    ///
    /// Tomcat: `startElection`.
    pub(super) fn elect(&mut self, now: Instant, force: bool) {
        if self.members.is_empty() {
            self.be_alone();
        } else if matches!(self.phase, Phase::Running { .. }) || self.is_settled() {
            // What is under way takes everybody in whom it meets.
        } else if force || self.ranks_first() {
            self.begin_round(now, false);
        } else if matches!(self.phase, Phase::Idle) {
            self.wait(now);
        }
    }

    fn be_alone(&mut self) {
        self.phase = Phase::Idle;
        if !self.is_settled() {
            let id = self.next_id();
            self.publish(id, vec![self.local.clone()]);
        }
    }

    fn next_id(&mut self) -> ViewId {
        self.elections = self.elections.wrapping_add(1);
        ViewId::new(self.random, self.elections)
    }

    /// Somebody else should act. If this node should, what it did had no effect, and the membership may change.
    pub(super) fn wait(&mut self, now: Instant) {
        let pause = if self.ranks_first() { self.config.check_interval } else { self.config.election_timeout };
        self.phase = Phase::Waiting { until: now + pause };
    }

    /// Tomcat: the first token goes to the first of the others. Differs from Tomcat: if that fails, to the one after
    /// it. Test: a_first_token_that_fails_goes_to_the_next_member. `round`: it goes to the member after this one, so that
    /// it meets everybody before whoever ranks first.
    fn begin_round(&mut self, now: Instant, round: bool) {
        let id = self.next_id();
        let members = self.everybody();
        self.phase = Phase::Running { id, members: members.clone(), until: now + self.config.election_timeout };
        let message = ElectionMessage {
            leader: first(&members).clone(),
            source: self.local.clone(),
            members: members.into_values().collect(),
            id,
            kind: ElectionKind::Request,
        };
        // The member "after" the last one is the first.
        let last = message.members.last().filter(|_| !round).map_or(&self.local.id, |member| &member.id).clone();
        let out = self.relay.pass(now, message, &last, &self.local.id, false);
        self.out.extend(out);
    }

    /// Our election had no result in its time.
    ///
    /// Differs from Tomcat: there a lost token stops the elections of its source for ever.
    /// Test: an_election_without_a_result_starts_again_with_a_new_id.
    pub(super) fn ran_out(&mut self, now: Instant) {
        self.phase = Phase::Idle;
        if !self.ranks_first() {
            self.adopt();
        }
        if self.members.is_empty() || self.is_settled() {
            self.elect(now, true);
        } else {
            self.begin_round(now, true);
        }
    }

    /// The member that ranks first is a Tomcat, and has not answered to a token that named it as the leader. It will
    /// not: it drops them. If its own token was here, or its view was agreed before, its confirmation was lost.
    fn adopt(&mut self) {
        let leader = self.members.values().next();
        if leader.is_some_and(Member::is_clowder) {
            return; // it answers
        }
        let fits = |proposal: &&AgreedView| proposal.members.iter().map(|member| &member.id).eq(self.ids());
        if let Some(AgreedView { id: Some(id), members }) = self.proposals.iter().rev().find(fits).cloned() {
            self.publish(id, members);
        }
    }

    /// A token and all that is known of its members.
    pub(super) fn token(&mut self, now: Instant, message: ElectionMessage, dead: &BTreeSet<MemberId>) {
        if message.source.id == self.local.id {
            self.own_token(now, message, dead);
        } else {
            self.foreign_token(now, message, dead, false);
        }
    }

    /// Everybody in the message but the dead, and everybody that this node has.
    fn merged(&self, message: &ElectionMessage, dead: &BTreeSet<MemberId>) -> Roll {
        let named = message.members.iter().filter(|member| !dead.contains(&member.id));
        let mut merged: Roll = named.map(|member| (member.id.clone(), member.clone())).collect();
        merged.extend(self.everybody());
        merged
    }

    /// Our token came back.
    ///
    /// Tomcat: confirms what came back unchanged; else another lap. Differs from Tomcat: a token of an election that
    /// this node has given up is nothing, and a member that this node has and others cannot reach does not keep the
    /// token going round. Tests: a_token_of_an_earlier_election_is_nothing,
    /// a_member_that_others_cannot_reach_does_not_keep_the_token_going.
    fn own_token(&mut self, now: Instant, mut message: ElectionMessage, dead: &BTreeSet<MemberId>) {
        let merged = self.merged(&message, dead);
        let Phase::Running { id, members, .. } = &mut self.phase else { return };
        if *id != message.id {
            return;
        }
        let leads = first(&merged).id == self.local.id;
        let agreed = leads && (same(&message.members, &merged) || members.keys().eq(merged.keys()));
        if !leads {
            self.wait(now);
        } else if !agreed {
            members.clone_from(&merged);
        }
        message.members = merged.into_values().collect();
        if agreed { self.confirm(message) } else { self.pass_on(now, message, false) }
    }

    /// A token of another. `waited`: it was held because it came again.
    ///
    /// Tomcat: one that names the receiver as the leader ends there, and the next heartbeat does the rest.
    /// Differs from Tomcat: it is answered, as it comes from a member that lacks the view, or that this node lacks.
    /// Test: a_token_that_names_us_as_the_leader_is_answered.
    pub(super) fn foreign_token(
        &mut self,
        now: Instant,
        mut message: ElectionMessage,
        dead: &BTreeSet<MemberId>,
        waited: bool,
    ) {
        if message.leader.id == self.local.id {
            if self.started {
                self.asked_for(now, &message.source.id);
            }
            return;
        }
        let merged = self.merged(&message, dead);
        message.members = merged.into_values().collect();
        if message.members.first() == Some(&message.source) {
            self.propose(AgreedView { id: Some(message.id), members: message.members.clone() });
        } else if !waited && !self.relay.knows(&message) {
            self.vouch(&message);
        }
        self.pass_on(now, message, waited);
    }

    /// Somebody asks a Tomcat to lead, which does not answer, for a view that this node has.
    ///
    /// Differs from Tomcat: there a member that missed a confirmation keeps its old view. Here it gets it from whoever
    /// has it. Test: who_missed_the_view_of_a_tomcat_gets_it_from_another_member.
    fn vouch(&mut self, message: &ElectionMessage) {
        let Some(AgreedView { id: Some(id), members }) = &self.view else { return };
        // What others say of a member has Tomcat's fields only: its own record counts.
        let first = members.first().map(|member| &member.id);
        let answers = first
            .is_some_and(|first| *first == self.local.id || self.members.get(first).is_some_and(Member::is_clowder));
        if !answers && self.is_settled() && *members == message.members {
            let confirmation = ElectionMessage {
                leader: members[0].clone(),
                source: members[0].clone(),
                members: members.clone(),
                id: *id,
                kind: ElectionKind::Confirmation,
            };
            let (to, token) = (vec![message.source.clone()], self.relay.token());
            self.out.push_back(ElectionOut::Send {
                to,
                options: CONFIRMATION_OPTIONS,
                body: confirmation.told(),
                token,
            });
        }
    }

    /// A member waits for this node to lead.
    fn asked_for(&mut self, now: Instant, by: &MemberId) {
        if !self.is_settled() {
            self.elect(now, self.ranks_first());
        } else if self.leads() && self.members.contains_key(by) && !matches!(self.phase, Phase::Running { .. }) {
            self.owed.members.insert(by.clone());
            self.confirm_again();
        }
    }

    fn pass_on(&mut self, now: Instant, mut message: ElectionMessage, waited: bool) {
        if let Some(leader) = message.members.first() {
            message.leader = leader.clone();
        }
        let out = self.relay.pass(now, message, &self.local.id, &self.local.id, waited);
        self.out.extend(out);
    }

    /// No member of the token could be reached.
    pub(super) fn token_lost(&mut self, now: Instant, lost: ViewId) {
        if matches!(self.phase, Phase::Running { id, .. } if id == lost) {
            self.wait(now);
        }
    }

    /// This node leads: the list is the view.
    fn confirm(&mut self, mut message: ElectionMessage) {
        message.kind = ElectionKind::Confirmation;
        message.leader = self.local.clone();
        self.phase = Phase::Idle;
        self.publish(message.id, message.members.clone());
        self.owed.members = message.members.iter().map(|member| member.id.clone()).collect();
        self.owed.members.remove(&self.local.id);
        let to = message.members.iter().filter(|member| member.id != self.local.id).cloned().collect();
        self.send_confirmation(to, &message);
    }

    /// To those who have not acknowledged it, and are members now.
    ///
    /// Differs from Tomcat: there it is sent once, and a member that misses it keeps its old view.
    /// Test: a_confirmation_that_did_not_arrive_is_sent_again.
    pub(super) fn confirm_again(&mut self) {
        self.owed.again = None;
        let to: Vec<Member> = self.owed.members.iter().filter_map(|id| self.members.get(id)).cloned().collect();
        if let Some(AgreedView { id: Some(id), members }) = self.view.clone()
            && self.leads()
        {
            let (leader, source) = (self.local.clone(), self.local.clone());
            self.send_confirmation(
                to,
                &ElectionMessage { leader, source, members, id, kind: ElectionKind::Confirmation },
            );
        }
    }

    fn send_confirmation(&mut self, to: Vec<Member>, message: &ElectionMessage) {
        if to.is_empty() {
            return;
        }
        let token = self.relay.token();
        self.owed.token = Some(token);
        self.out.push_back(ElectionOut::Send { to, options: CONFIRMATION_OPTIONS, body: message.told(), token });
    }

    fn owe_nothing(&mut self) {
        (self.owed.token, self.owed.again) = (None, None);
        self.owed.members.clear();
    }

    /// A leader's word.
    ///
    /// Tomcat: `handleViewConf`: accepted from anybody, unless the view has its id already. Differs from Tomcat: a view
    /// without this node is not its view, and one of an earlier election of the same node came late; a Tomcat that
    /// gets a copy of its token confirms it twice, and the second list counts if it is the membership. Tests:
    /// a_view_without_us_is_not_ours, a_confirmation_that_was_overtaken_is_late,
    /// a_list_that_was_confirmed_twice_counts_if_it_is_the_membership.
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
            return self.propose(AgreedView { id: current, members });
        }
        if self.view.as_ref().is_some_and(|view| view.id == Some(message.id) && view.members == members) {
            return;
        }
        if let Some(view) = self.view.take().filter(|view| view.members.len() > 1) {
            self.propose(view);
        }
        let leader = members.first().map(|member| member.id.clone());
        self.publish(message.id, members);
        if matches!(self.phase, Phase::Running { id, .. } if id == message.id || leader < Some(self.local.id.clone())) {
            self.wait(now);
        }
    }

    fn propose(&mut self, list: AgreedView) {
        self.proposals.retain(|known| known.id != list.id);
        push_bounded(&mut self.proposals, list, PROPOSALS_MAX);
    }

    fn publish(&mut self, id: ViewId, members: Vec<Member>) {
        self.owe_nothing();
        self.relay.settled(id);
        let view = AgreedView { id: Some(id), members };
        self.view = Some(view.clone());
        self.out.push_back(ElectionOut::View(view));
    }
}

fn first(members: &Roll) -> &Member {
    members.values().next().expect("the local member is always there")
}
