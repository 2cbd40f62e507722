//! Asking for the state of others: at the start, when a member appears, and when messages show that something is
//! missing.
//!
//! One member is asked at a time. Tomcat asks the oldest member once and waits a minute; here the next one is asked
//! after a refusal or a short silence, and everybody again later if nothing came.

use std::collections::VecDeque;

use super::incoming::ReceivedSession;
use super::out::BodyKind;
use super::send::{CONTROL_LANE, Kind, Outgoing};
use super::wire::{Event, Trailer};
use super::{JavaStr, Sessions, SessionsOut, millis};
use crate::Now;
use crate::wire::{Member, MemberId};

/// A question to put.
#[derive(Debug)]
struct Wanted {
    member: Member,
    /// Empty: everything.
    ids: Vec<JavaStr>,
}

/// The question that was put.
#[derive(Debug)]
struct Asking {
    wanted: Wanted,
    asked: u64,
    /// Wall clock of the question: what was written here later is newer than the answer.
    asked_wall: i64,
    deadline: u64,
}

#[derive(Debug, Default)]
pub(super) struct Requester {
    /// When the first membership was known; questions are not put before.
    started: Option<u64>,
    ready: bool,
    asking: Option<Asking>,
    wanted: VecDeque<Wanted>,
    /// A member did not answer in time, or left while it was asked.
    unanswered: bool,
    again_at: Option<u64>,
    /// When serving begins without state.
    give_up_at: Option<u64>,
}

impl Requester {
    pub(super) fn is_started(&self) -> bool {
        self.started.is_some()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// The member is being asked, or will be.
    pub(super) fn is_involved(&self, member: &MemberId) -> bool {
        self.asked(member).is_some() || self.wanted.iter().any(|wanted| wanted.member.id == *member)
    }

    /// Wall clock of the question that the member is answering.
    pub(super) fn asked_wall(&self, member: &MemberId) -> Option<i64> {
        self.asked(member).map(|asking| asking.asked_wall)
    }

    fn asked(&self, member: &MemberId) -> Option<&Asking> {
        self.asking.as_ref().filter(|asking| asking.wanted.member.id == *member)
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        let answer = self.asking.as_ref().map(|asking| asking.deadline);
        [answer, self.again_at, self.give_up_at].into_iter().flatten().min()
    }
}

impl Sessions {
    /// The first members, if there are any, have been [`joined`](Self::joined): state is asked for now.
    ///
    /// [`SessionsOut::StateReady`] follows, at once if this node is alone.
    pub fn started(&mut self, now: Now) {
        let ms = self.ms(now);
        if self.requester.is_started() {
            return;
        }
        self.requester.started = Some(ms);
        if self.peers.is_empty() {
            self.state_ready(true);
            return;
        }
        self.requester.give_up_at = Some(ms + millis(self.config.transfer.timeout));
        self.want_everything(now);
    }

    fn want_everything(&mut self, now: Now) {
        self.requester.unanswered = false;
        let members = self.peers.iter().map(|peer| Wanted { member: peer.member.clone(), ids: Vec::new() });
        self.requester.wanted = members.collect();
        self.ask_next(now);
    }

    /// Everything that this member has.
    pub(super) fn want_state(&mut self, now: Now, member: Member) {
        self.want_sessions(now, member, Vec::new());
    }

    /// Some sessions of this member; a Tomcat gives all.
    pub(super) fn want_sessions(&mut self, now: Now, member: Member, ids: Vec<JavaStr>) {
        let waiting = self.requester.wanted.iter().any(|wanted| wanted.member.id == member.id && wanted.ids.is_empty());
        if !waiting {
            self.requester.wanted.push_back(Wanted { member, ids });
        }
        if !self.requester.is_asking() {
            self.ask_next(now);
        }
    }

    fn ask_next(&mut self, now: Now) {
        let ms = self.ms(now);
        self.requester.asking = None;
        while let Some(wanted) = self.requester.wanted.pop_front() {
            let Some(peer) = self.peers.get(&wanted.member.id) else { continue };
            let to = peer.single.clone();
            let name = "GET-ALL";
            let trailer = (!wanted.ids.is_empty()).then(|| Trailer::Ids(wanted.ids.clone()));
            let wall = now.wall_ms();
            let body = self.message(Event::GetAll, name.as_bytes(), Some(wall), None, trailer.as_ref());
            let deadline = ms + millis(self.config.transfer.answer_timeout);
            self.requester.asking = Some(Asking { wanted, asked: ms, asked_wall: wall, deadline });
            self.stats.states_asked += 1;
            let body = BodyKind::Encoded(body);
            self.send(Outgoing { to, key: CONTROL_LANE, slot: None, kind: Kind::Ask, body });
            return;
        }
        if !self.requester.ready {
            // Everybody was asked. That all of them have nothing is an answer; silence is not.
            let complete = !self.requester.unanswered;
            if !complete {
                self.ask_again_later(ms);
            }
            if complete || self.peers.is_empty() {
                self.state_ready(complete);
            }
        }
    }

    fn ask_again_later(&mut self, ms: u64) {
        self.requester.again_at = Some(ms + millis(self.config.transfer.ask_again));
    }

    fn state_ready(&mut self, complete: bool) {
        if std::mem::replace(&mut self.requester.ready, true) {
            return;
        }
        self.requester.give_up_at = None;
        self.stats.no_state += u64::from(!complete);
        self.out.push_back(SessionsOut::StateReady { complete });
    }

    /// The question could not be delivered.
    pub(super) fn ask_settled(&mut self, now: Now, member: &MemberId, delivered: bool) {
        if !delivered && self.requester.asked(member).is_some() {
            self.unanswered(now);
        }
    }

    /// The question came to nothing: the next one is put, and this member is asked again later if it stays.
    fn unanswered(&mut self, now: Now) {
        let ms = self.ms(now);
        self.requester.unanswered = true;
        self.stats.transfers_failed += 1;
        if let Some(asking) = self.requester.asking.take()
            && asking.wanted.ids.is_empty()
            && let Some(peer) = self.peers.get_mut(&asking.wanted.member.id)
        {
            let pause = millis(self.config.transfer.ask_again) << peer.ask_failures.min(5);
            peer.ask_failures += 1;
            peer.reconciling = true;
            peer.fetch_at = Some(peer.fetch_at.unwrap_or(u64::MAX).min(ms + pause));
        }
        self.ask_next(now);
    }

    pub(super) fn asked_member_left(&mut self, now: Now, member: &MemberId) {
        self.requester.wanted.retain(|wanted| wanted.member.id != *member);
        if self.requester.asked(member).is_some() {
            self.unanswered(now);
        } else if self.requester.is_started() && !self.requester.ready && self.peers.is_empty() {
            self.state_ready(true);
        }
    }

    /// A block of sessions, asked for or not.
    pub(super) fn state_block(&mut self, now: Now, from: &Member, sessions: Vec<ReceivedSession>) {
        let deadline = self.ms(now) + millis(self.config.transfer.progress_timeout);
        if let Some(asking) = &mut self.requester.asking
            && asking.wanted.member.id == from.id
        {
            asking.deadline = deadline;
        }
        for session in sessions {
            self.merge_session(now, from, session);
        }
    }

    /// The end of an answer. Late answers of members that were given up count as well.
    pub(super) fn state_complete(&mut self, now: Now, from: &Member, ready: bool) {
        let ms = self.ms(now);
        let asked = self.requester.asked(&from.id).map(|asking| (asking.asked, asking.wanted.ids.is_empty()));
        if let Some((asked, everything)) = asked {
            self.stats.states_received += 1;
            if let Some(peer) = self.peers.get_mut(&from.id)
                && everything
            {
                peer.fetched = Some((ms, ms - asked));
                peer.ask_failures = 0;
            }
        }
        if ready && !self.requester.ready && self.requester.is_started() {
            // One member's whole state is enough to serve; differences show later and are fetched.
            self.requester.wanted.clear();
            self.requester.again_at = None;
            self.requester.asking = None;
            self.state_ready(true);
        } else if asked.is_some() {
            self.ask_next(now);
        }
    }

    /// The member does not run this application, now. It counts for this question only.
    pub(super) fn state_refused(&mut self, now: Now, from: &Member) {
        if self.requester.asked(&from.id).is_some() {
            self.ask_next(now);
        }
    }

    pub(super) fn requester_due(&mut self, now: Now) {
        let ms = self.ms(now);
        if self.requester.give_up_at.is_some_and(|at| at <= ms) {
            self.state_ready(false);
            self.ask_again_later(ms);
        }
        if self.requester.asking.as_ref().is_some_and(|asking| asking.deadline <= ms) {
            self.unanswered(now);
        }
        if self.requester.again_at.is_some_and(|at| at <= ms) {
            self.requester.again_at = None;
            if !self.requester.is_asking() && !self.peers.is_empty() {
                self.want_everything(now);
            }
        }
    }
}
