//! What an election is told.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;

use super::relay::{Hop, push_bounded};
use super::strangers::Verdict;
use super::{
    CoordinationMessage, Election, ElectionKind, ElectionMessage, ElectionOut, MERGES_MAX, Merge, Phase, Roll,
    SendToken,
};
use crate::Now;
use crate::wire::{Member, MemberId};

impl Election {
    /// The first view of the membership is settled: from now on this node takes part.
    ///
    /// Tomcat: `start`, which elects at once and waits there for up to 15 s.
    pub fn started(&mut self, now: Now) {
        self.begin(now.mono);
        if !std::mem::replace(&mut self.started, true) {
            self.elect(now.mono, false);
        }
        self.finish(now.mono);
    }

    /// The membership is now this; the local member is not in it.
    ///
    /// Tomcat: `memberAdded` elects, `memberDisappeared` does if this node led or ranks first. Differs from Tomcat: an
    /// election that lost a member starts again at once, as its token may be lost with it.
    /// Test: an_election_whose_member_leaves_starts_again_at_once.
    pub fn view_changed(&mut self, now: Now, members: &[Member]) {
        self.begin(now.mono);
        let others = members.iter().filter(|member| member.id != self.local.id);
        let next: Roll = others.map(|member| (member.id.clone(), member.clone())).collect();
        let gone: Vec<MemberId> = self.members.keys().filter(|id| !next.contains_key(*id)).cloned().collect();
        let came: Vec<MemberId> = next.keys().filter(|id| !self.members.contains_key(*id)).cloned().collect();
        self.members = next;
        came.iter().for_each(|id| self.answered(now.mono, id, true));
        if came.iter().any(|id| self.owed.members.contains(id)) {
            self.owed.again = Some(now.mono);
        }
        self.out.extend(self.relay.left(now.mono, &gone, &self.local.id));
        if self.started && !(gone.is_empty() && came.is_empty()) {
            let lost = |members: &Roll| gone.iter().any(|id| members.contains_key(id));
            if matches!(&self.phase, Phase::Running { members, .. } if lost(members)) {
                self.phase = Phase::Idle;
                self.elect(now.mono, true);
            }
            let force = !gone.is_empty() && (self.leads() || self.ranks_first());
            if force || !came.is_empty() {
                self.elect(now.mono, force);
            }
        }
        self.finish(now.mono);
    }

    /// A message arrived whose body [`is_coordination`](super::is_coordination) recognised; it must not be delivered.
    ///
    /// Tomcat: `messageReceived`. Differs from Tomcat: malformed ones change nothing; there they are exceptions.
    /// Test: what_is_no_message_of_a_coordinator_is_refused_as_recorded.
    pub fn received(&mut self, now: Now, from: &MemberId, body: &Bytes) {
        self.begin(now.mono);
        // A copy: what is kept of it would keep the receive buffer alive. Not more than what may be read.
        let read = body.slice(..body.len().min(self.config.limits.coordination_bytes_max + 1));
        match CoordinationMessage::decode(&Bytes::copy_from_slice(&read), &self.config.limits) {
            Ok(CoordinationMessage::Alive) => {}
            Ok(CoordinationMessage::Election(message)) => self.merge(now.mono, *message),
            Err(cause) => self.out.push_back(ElectionOut::Dropped { from: from.clone(), cause }),
        }
        self.finish(now.mono);
    }

    /// The answer to [`ElectionOut::Reach`]. A view that holds the member is one, too.
    pub fn reached(&mut self, now: Now, member: &MemberId, alive: bool) {
        self.begin(now.mono);
        self.answered(now.mono, member, alive);
        self.finish(now.mono);
    }

    /// The outcome of a send at one of its destinations. `delivered`: it was acknowledged.
    pub fn sent(&mut self, now: Now, token: SendToken, to: &MemberId, delivered: bool) {
        self.begin(now.mono);
        if self.owed.token == Some(token) {
            if delivered {
                self.owed.members.remove(to);
            } else {
                self.owed.again.get_or_insert(now.mono + self.config.check_interval);
            }
        } else {
            match self.relay.sent(token, delivered) {
                Hop::Over => {}
                Hop::Next(out) => self.out.push_back(out),
                Hop::Lost(id) => self.token_lost(now.mono, id),
            }
        }
        self.finish(now.mono);
    }

    /// Time has passed. Early is harmless.
    pub fn handle_deadline(&mut self, now: Now) {
        self.begin(now.mono);
        self.finish(now.mono);
    }

    /// Every input starts here: what the passing of time does.
    fn begin(&mut self, now: Instant) {
        for id in self.strangers.expire(now) {
            self.resolve(now, &id, false);
        }
        for message in self.relay.due(now) {
            self.foreign_token(now, message, &BTreeSet::new(), true);
        }
        if self.owed.again.is_some_and(|again| again <= now) {
            self.confirm_again();
        }
        if self.remind_at.take_if(|at| *at <= now).is_some() && self.reminds() {
            self.remind();
        }
        match self.phase {
            Phase::Waiting { until } if until <= now => self.nobody_acted(now),
            Phase::Running { until, .. } if until <= now => self.ran_out(now),
            _ => {}
        }
    }

    /// Every input ends here.
    fn finish(&mut self, now: Instant) {
        if self.is_settled() {
            (self.phase, self.fruitless) = (Phase::Idle, 0);
        } else if self.started && matches!(self.phase, Phase::Idle) {
            self.wait(now);
        }
        let phase = match self.phase {
            Phase::Idle => None,
            Phase::Waiting { until } | Phase::Running { until, .. } => Some(until),
        };
        let at = self.remind_at.unwrap_or(now + self.config.remind_interval);
        self.remind_at = self.reminds().then_some(at);
        let times = [phase, self.strangers.deadline(), self.relay.deadline(), self.owed.again, self.remind_at];
        self.due = times.into_iter().flatten().min();
        self.check_invariants();
    }

    /// Find out about the strangers in a message. A token waits for it, a confirmation says what is, whoever lives.
    ///
    /// Tomcat: `mergeOnArrive`, which connects to one after the other, and so to itself where an earlier life of this
    /// node is listed. Differs from Tomcat: nobody who can only be another life of somebody present is asked about.
    /// Test: an_earlier_life_of_a_member_is_not_taken_for_alive.
    fn merge(&mut self, now: Instant, message: ElectionMessage) {
        let mut merge = Merge { message, open: BTreeSet::new(), dead: BTreeSet::new() };
        let mut reach = Vec::new();
        for member in &merge.message.members {
            if member.id == self.local.id || self.members.contains_key(&member.id) {
                continue;
            }
            let hopeless = member.is_shutting_down() || self.ids().any(|id| id.same_endpoint(&member.id));
            let verdict = if hopeless {
                Verdict::Dead
            } else {
                let (verdict, ask) = self.strangers.look_up(now, &member.id);
                reach.extend(ask.then(|| ElectionOut::Reach(member.clone())));
                verdict
            };
            match verdict {
                Verdict::Open => merge.open.insert(member.id.clone()),
                Verdict::Dead => merge.dead.insert(member.id.clone()),
                Verdict::Alive => false,
            };
        }
        self.out.extend(reach);
        match merge.message.kind {
            ElectionKind::Confirmation => self.confirmed(now, merge.message),
            ElectionKind::Request if merge.open.is_empty() => self.token(now, merge.message, &merge.dead),
            ElectionKind::Request => push_bounded(&mut self.merges, merge, MERGES_MAX),
        }
    }

    fn answered(&mut self, now: Instant, id: &MemberId, alive: bool) {
        if self.strangers.answered(now, id, alive) {
            self.resolve(now, id, alive);
        }
    }

    fn resolve(&mut self, now: Instant, id: &MemberId, alive: bool) {
        for merge in &mut self.merges {
            if merge.open.remove(id) && !alive {
                merge.dead.insert(id.clone());
            }
        }
        for merge in std::mem::take(&mut self.merges) {
            if merge.open.is_empty() {
                self.token(now, merge.message, &merge.dead);
            } else {
                self.merges.push_back(merge);
            }
        }
    }
}
