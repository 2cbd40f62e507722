//! What follows from the result of a probe: joining, staying, leaving.
//!
//! Tomcat: the transitions of TcpFailureDetector. Differs from Tomcat: the probe ran outside of any lock, so what a
//! member is by now is looked at again before the verdict counts.
//! Test: the_verdict_on_an_old_life_does_not_touch_the_new_one.

use std::time::{Duration, Instant};

use super::detector::{Flight, Why};
use super::{Group, GroupOut, LeftReason, Notice, ProbeFailure, ProbeId, Standing, Verdict, Watch};
use crate::Now;
use crate::wire::{Member, MemberId};

/// Pause between a probe of a member that was met by silence and the next one.
const SILENT_PAUSE: Duration = Duration::from_millis(100);

impl Group {
    /// The answer to one [`GroupOut::Probe`].
    pub fn probed(&mut self, now: Now, probe: ProbeId, verdict: Verdict) {
        self.begin(now);
        if let Some(id) = self.flights.remove(&probe)
            && self.farewell.is_none()
            && let Some(entry) = self.roster.get_mut(&id)
            && let Some(flight) = entry.check.landed(probe, verdict)
        {
            match (entry.is_member(), verdict) {
                (false, verdict) => self.candidate_probed(now, &id, probe, verdict),
                (true, Verdict::Alive) => self.member_lives(now, &id, flight),
                (true, Verdict::Dead(cause)) => self.member_failed(now, &id, flight, cause),
                (true, Verdict::Inconclusive) => {
                    self.ask_again(now.mono, &id, flight.why, self.config.detector.retry_min);
                }
            }
        }
        self.finish(now);
    }

    fn candidate_probed(&mut self, now: Now, id: &MemberId, probe: ProbeId, verdict: Verdict) {
        if verdict == Verdict::Alive {
            self.join(now, id, probe);
            return;
        }
        self.named_in_vain(id);
        let (min, max) = (self.config.detector.retry_min, self.config.detector.retry_max);
        let Some(entry) = self.roster.get_mut(id) else { return };
        let pause = entry.check.back_off(min, max);
        if entry.check.due().is_none() {
            entry.check.schedule(Some(now.mono + self.jitter.around(pause)));
        }
    }

    fn join(&mut self, now: Now, id: &MemberId, probe: ProbeId) {
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.standing = Standing::Member;
        entry.restarted = false;
        self.change.joined.push(entry.member.clone());
        let configured = entry.configured;
        self.watch(now.mono, id, probe);
        self.plan(now.mono, id);
        if configured {
            // Tomcat: StaticMembershipInterceptor sends it once, at its start. Differs from Tomcat: to whoever
            // appears later, too, which makes it probe us now and not with its next heartbeat.
            // Test: a_joined_static_member_gets_the_start_notice_with_our_real_age.
            self.notify(now, id, Notice::Start);
        }
    }

    fn member_lives(&mut self, now: Now, id: &MemberId, flight: Flight) {
        let timeout = self.config.detector.remove_suspects_timeout;
        let Some(entry) = self.roster.get_mut(id) else { return };
        if std::mem::take(&mut entry.restarted) {
            // The old process is gone and a new one with the configured id answered: others must see both.
            self.leave(now.mono, id, LeftReason::Replaced);
            self.join(now, id, flight.id);
            return;
        }
        entry.standing = match (entry.standing, flight.why) {
            (Standing::Suspect { since }, _) => {
                let over = !timeout.is_zero() && now.mono.saturating_duration_since(since) > timeout;
                if over { Standing::Member } else { Standing::Suspect { since } }
            }
            (_, Why::Failed) => Standing::Suspect { since: now.mono },
            // A heartbeat in the meantime has answered this suspicion already.
            (_, Why::Expired) if entry.heard.is_none() => Standing::Suspect { since: now.mono },
            (standing, _) => standing,
        };
        self.watch(now.mono, id, flight.id);
        self.plan(now.mono, id);
    }

    fn member_failed(&mut self, now: Now, id: &MemberId, flight: Flight, cause: ProbeFailure) {
        let late = self.late_at.is_some_and(|late_at| late_at >= flight.started);
        let Some(entry) = self.roster.get_mut(id) else { return };
        // Silence proves nothing while we were asleep ourselves, and one silence little in a network that loses
        // packets. An answer such as "refused" needs no second.
        //
        // Differs from Tomcat: one probe in silence is the end of a member.
        // Test: silence_is_the_end_of_a_member_after_three_probes_and_an_answer_at_once.
        if cause.is_timeout() {
            if late {
                entry.check.forgive();
                self.ask_again(now.mono, id, flight.why, self.config.detector.retry_min);
                return;
            }
            if entry.check.timeouts() < self.config.detector.silent_probes {
                self.ask_again(now.mono, id, flight.why, SILENT_PAUSE.min(self.config.detector.retry_min));
                return;
            }
        }
        let reason = match flight.why {
            Why::Expired => LeftReason::Expired(cause),
            Why::Look | Why::Lost | Why::Failed => LeftReason::Dead(cause),
        };
        self.leave(now.mono, id, reason);
    }

    fn ask_again(&mut self, now: Instant, id: &MemberId, why: Why, pause: Duration) {
        let pause = self.jitter.around(pause);
        let Some(entry) = self.roster.get_mut(id) else { return };
        if !entry.check.is_due_by(now) {
            entry.check.demand(now + pause, why);
        }
    }

    /// The member is a candidate again, for as long as there is a reason to remember it.
    pub(super) fn leave(&mut self, now: Instant, id: &MemberId, reason: LeftReason) {
        let (min, max) = (self.config.detector.retry_min, self.config.detector.retry_max);
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.standing = Standing::Candidate;
        entry.restarted = false;
        entry.check.cancel();
        let pause = entry.check.back_off(min, max);
        entry.check.schedule(Some(now + self.jitter.around(pause)));
        self.change.left.push((entry.member.clone(), reason));
        if matches!(entry.watch, Watch::Open { .. }) {
            self.out.push_back(GroupOut::Unwatch(id.clone()));
        }
        entry.watch = Watch::Closed { not_before: None };
    }

    pub(super) fn trust(&mut self, now: Instant, id: &MemberId) {
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.standing = Standing::Member;
        self.plan(now, id);
    }

    /// The next regular look at a member. One already asked for stays.
    fn plan(&mut self, now: Instant, id: &MemberId) {
        let detector = &self.config.detector;
        let Some(entry) = self.roster.get_mut(id) else { return };
        if entry.check.is_due_by(now) {
            return;
        }
        let unwatched = matches!(entry.watch, Watch::Closed { .. });
        let pause = match entry.standing {
            Standing::Suspect { .. } => Some(detector.suspect_interval),
            Standing::Member if detector.ping_all || entry.heard.is_none() || unwatched => Some(detector.ping_interval),
            Standing::Member | Standing::Candidate => None,
        };
        entry.check.schedule(pause.map(|pause| now + self.jitter.around(pause)));
    }

    /// Keep the probe's connection: its end shows the end of the process at once, also when nobody sends anything.
    ///
    /// Differs from Tomcat: there a death without traffic is seen by silence only. A Tomcat receiver never closes an
    /// idle connection, so it does not notice. Test: the_end_of_a_watched_connection_is_verified_at_once.
    fn watch(&mut self, now: Instant, id: &MemberId, probe: ProbeId) {
        let Some(entry) = self.roster.get_mut(id) else { return };
        let Watch::Closed { not_before } = entry.watch else { return };
        if not_before.is_none_or(|time| time <= now) {
            entry.watch = Watch::Open { since: now };
            self.out.push_back(GroupOut::Watch { probe, member: id.clone() });
        }
    }

    fn notify(&mut self, now: Now, id: &MemberId, notice: Notice) {
        let Some(to) = self.roster.get(id).map(|entry| entry.member.clone()) else { return };
        self.send_notice(now, to, notice);
    }

    pub(super) fn send_notice(&mut self, now: Now, to: Member, notice: Notice) {
        let options = match notice {
            Notice::Ping => self.config.detector.ping_flag,
            _ => self.config.notice_flag,
        };
        let message = notice.message(now, self.local(now), options, self.jitter.id());
        self.out.push_back(GroupOut::Notice { to, notice, message });
    }

    pub(super) fn notify_configured(&mut self, now: Now) {
        let members = self.roster.iter().filter(|(_, entry)| entry.configured && entry.is_member());
        let ids: Vec<MemberId> = members.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.notify(now, &id, Notice::Stop);
        }
    }
}
