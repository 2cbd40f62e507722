//! How an election goes: its start, its token, its end.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Election, ElectionKind, ElectionMessage, Phase, Roll, ViewId, same};
use crate::wire::{Member, MemberId};

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

    pub(super) fn next_id(&mut self) -> ViewId {
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
        self.fruitless += 1;
        self.nobody_acted(now);
    }

    /// Who should have brought view and membership together has not. A Clowder node that ranks first is asked to; a Tomcat
    /// does not answer, but others may have the view that it confirmed, so the token goes by all of them.
    pub(super) fn nobody_acted(&mut self, now: Instant) {
        self.phase = Phase::Idle;
        if self.members.is_empty() || self.is_settled() {
            self.elect(now, true);
        } else if self.leader_is_silent() && self.fruitless > self.deputies() {
            self.stand_in();
        } else {
            self.begin_round(now, self.fruitless > 0 || self.leader_is_silent());
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
        if agreed { self.confirm(message.id, message.members) } else { self.pass_on(now, message, false) }
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
        let of_leader = message.members.first() == Some(&message.source);
        if !of_leader && !waited && !self.relay.knows(&message) {
            self.vouch(&message);
        }
        self.pass_on(now, message, waited);
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
}

fn first(members: &Roll) -> &Member {
    members.values().next().expect("the local member is always there")
}
