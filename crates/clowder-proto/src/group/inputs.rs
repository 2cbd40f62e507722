//! What the group is told, but for the results of probes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::detector::Why;
use super::heartbeat::Farewell;
use super::roster::Entry;
use super::{DropCause, Group, GroupOut, LeftReason, Notice, SendFailure, Standing, Watch, is_usable, millis};
use crate::Now;
use crate::wire::{FrameDecoder, Member, MemberId, Message, WireError, WireErrorKind};

/// What a heartbeat begins with, in every version of its format.
const RECORD: &[u8] = b"TRIBES-B";
/// Estimates of a member's start that differ by less are the same: the network's delay, not news.
const AGE_GRAIN_MS: i64 = 1000;
/// A watched connection that lived shorter than this was closed by policy, not by a death.
const WATCH_MIN: Duration = Duration::from_secs(10);

impl Group {
    /// A datagram arrived at the membership socket, by multicast or directly.
    ///
    /// Tomcat: `McastServiceImpl.receive`: a bare member record is a heartbeat, anything else is tried as frames.
    /// Differs from Tomcat: malformed bytes are dropped at once, where Tomcat's receiver sleeps or dies.
    /// Test: malformed_datagrams_are_dropped_and_the_next_is_read.
    pub fn datagram_received(&mut self, now: Now, from: SocketAddr, datagram: &Bytes) {
        self.begin(now);
        if self.farewell.is_none() {
            let refused = if datagram.starts_with(RECORD) {
                self.heartbeat_received(now, from, datagram)
            } else {
                self.frames_received(datagram).map_err(DropCause::Malformed)
            };
            if let Err(cause) = refused {
                self.out.push_back(GroupOut::Dropped { from, cause });
            }
        }
        self.finish(now);
    }

    fn frames_received(&mut self, datagram: &Bytes) -> Result<(), WireError> {
        let limits = &self.config.limits;
        let mut decoder = FrameDecoder::new(limits);
        decoder.buffer().extend_from_slice(datagram);
        let mut frames = 0;
        while let Some(content) = decoder.next()? {
            let message = Message::decode(&content, limits)?;
            frames += 1;
            // Multicast brings our own back to us.
            if message.from.id != self.local.id {
                self.out.push_back(GroupOut::DatagramMessage(message));
            }
        }
        if decoder.pending() > 0 || frames == 0 {
            return Err(WireErrorKind::Truncated("frame in a datagram").at(datagram.len() - decoder.pending()));
        }
        Ok(())
    }

    /// Whether a record speaks of another member, and not of this one.
    pub(super) fn is_other(&self, id: &MemberId) -> Result<bool, DropCause> {
        if *id == self.local.id {
            return Ok(false);
        }
        if id.same_endpoint(&self.local.id) {
            return Err(DropCause::OurAddress);
        }
        if is_usable(id) { Ok(true) } else { Err(DropCause::Unusable) }
    }

    fn heartbeat_received(&mut self, now: Now, from: SocketAddr, datagram: &Bytes) -> Result<(), DropCause> {
        let record = Member::decode(datagram, &self.config.limits).map_err(DropCause::Malformed)?;
        if !self.is_other(&record.id)? {
            return Ok(());
        }
        let Some(heartbeats) = &self.config.heartbeats else { return Ok(()) };
        if heartbeats.check_source && record.id.socket_addr().is_none_or(|addr| addr.ip() != from.ip()) {
            return Err(DropCause::WrongSource);
        }
        if !self.fits(&record) && !record.is_shutting_down() {
            return Err(self.other_domain_heard(now.mono, &record));
        }
        if record.is_shutting_down() {
            return self.shutdown_heard(now, &record);
        }
        let silence_max = heartbeats.drop_time;
        self.speaks(now.mono, &record, silence_max)
    }

    /// Somebody said by itself that it lives.
    pub(super) fn speaks(&mut self, now: Instant, record: &Member, silence_max: Duration) -> Result<(), DropCause> {
        if let Some(entry) = self.roster.get(&record.id) {
            // One that was only expected so far: what we knew at its address was before it.
            if entry.is_expected() && !entry.is_member() && entry.heard.is_none() && !entry.is_quiet(now) {
                self.replace_rivals(now, record)?;
            }
            self.known_heard(now, record, silence_max);
            Ok(())
        } else {
            self.stranger_heard(now, record, silence_max)
        }
    }

    /// Differs from Tomcat: the shutdown of an unknown member is no event. Test: a_stranger_that_leaves_is_nothing.
    pub(super) fn shutdown_heard(&mut self, now: Now, record: &Member) -> Result<(), DropCause> {
        match self.roster.get(&record.id) {
            None => Err(DropCause::UnknownShutdown),
            Some(_) => {
                self.said_goodbye(now.mono, &record.id);
                Ok(())
            }
        }
    }

    fn said_goodbye(&mut self, now: Instant, id: &MemberId) {
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.heard = None;
        let frequency = self.config.heartbeats.as_ref().map_or(self.config.detector.retry_max, |it| it.frequency);
        let quiet = if entry.is_expected() { self.config.detector.retry_max } else { frequency };
        entry.quiet_until = Some(now + quiet);
        entry.check.cancel();
        if entry.is_member() {
            self.leave(now, id, LeftReason::Goodbye);
        }
        let Some(entry) = self.roster.get_mut(id) else { return };
        // It may drain for a while with an open port; it will announce its next start.
        entry.check.schedule(entry.is_expected().then_some(now + quiet));
    }

    /// Tomcat: `Membership.memberAlive` for a known member. Differs from Tomcat: every field is followed, and also
    /// when the age is the same. Test: every_change_of_a_record_is_followed.
    fn known_heard(&mut self, now: Instant, record: &Member, silence_max: Duration) {
        let born = self.born(now, record);
        let Some(entry) = self.roster.get_mut(&record.id) else { return };
        if entry.is_quiet(now) {
            return;
        }
        let was_listed = entry.heard.replace(now).is_some();
        entry.silence_max = silence_max;
        let changed = entry.refresh(record);
        let older = entry.born.saturating_sub(born).saturating_abs() > AGE_GRAIN_MS;
        if older {
            entry.born = born;
        }
        if entry.is_member() {
            self.change.reordered |= older;
            if changed {
                self.change.updated.push(record.clone());
            }
        }
        if was_listed {
            return;
        }
        match entry.standing {
            Standing::Candidate => entry.check.invite(now),
            // Tomcat: TcpFailureDetector.memberAdded clears the suspicion without a probe.
            Standing::Suspect { .. } => self.trust(now, &record.id),
            Standing::Member => {}
        }
        self.answer(now);
    }

    fn stranger_heard(&mut self, now: Instant, record: &Member, silence_max: Duration) -> Result<(), DropCause> {
        self.replace_rivals(now, record)?;
        let members_max = self.config.members_max;
        if self.roster.discovered() >= members_max {
            return Err(DropCause::TableFull { members_max });
        }
        let born = self.born(now, record);
        let entry = self.roster.insert(record.clone(), false);
        (entry.heard, entry.silence_max, entry.born) = (Some(now), silence_max, born);
        entry.check.invite(now);
        self.answer(now);
        Ok(())
    }

    /// Nobody is probed for a domain that is not ours. Whoever was a member and changed its domain leaves.
    fn other_domain_heard(&mut self, now: Instant, record: &Member) -> DropCause {
        if let Some(entry) = self.roster.get_mut(&record.id) {
            entry.heard = None;
            entry.refresh(record);
        } else if let Err(cause) = self.replace_rivals(now, record) {
            return cause;
        }
        DropCause::OtherDomain
    }

    /// A new id at the address of somebody: its process was restarted. The old one is gone, whatever a probe of the
    /// shared address would say.
    ///
    /// Differs from Tomcat: there both are listed until the old one expires.
    /// Test: a_newer_incarnation_replaces_the_older_at_once.
    fn replace_rivals(&mut self, now: Instant, record: &Member) -> Result<(), DropCause> {
        let heartbeats = self.config.heartbeats.as_ref().map(|heartbeats| heartbeats.frequency);
        let service = self.config.service.as_ref().map(|service| service.ping_interval);
        let frequency = heartbeats.or(service).unwrap_or_default();
        let born = self.born(now, record);
        let rivals: Vec<MemberId> = self.roster.rivals(&record.id).map(|(id, _)| id.clone()).collect();
        for rival in rivals {
            let Some(entry) = self.roster.get_mut(&rival) else { continue };
            // Born earlier than one that still speaks: a late datagram of the older process.
            let speaks = entry.heard.is_some_and(|heard| now.saturating_duration_since(heard) <= frequency * 2);
            if speaks && born < entry.born {
                return Err(DropCause::Stale);
            }
            entry.heard = None;
            entry.check.cancel(); // the newcomer would answer it
            if entry.is_member() {
                self.leave(now, &rival, LeftReason::Replaced);
            } else if entry.is_expected() {
                entry.check.schedule(Some(now + self.config.detector.retry_max));
            }
        }
        // Their places in the table are free for the newcomer.
        self.roster.retain(|entry| entry.is_wanted(now));
        Ok(())
    }

    /// When somebody was born, on our own time line.
    fn born(&self, now: Instant, record: &Member) -> i64 {
        millis(now.saturating_duration_since(self.started)).saturating_sub(record.alive)
    }

    fn answer(&mut self, now: Instant) {
        if let Some(announcer) = &mut self.announcer {
            announcer.hurry(now);
        }
    }

    /// A message between control planes arrived on a connection, as [`Notice::of`] recognised it.
    ///
    /// Tomcat: StaticMembershipInterceptor.messageReceived: only configured members are heeded. Differs from Tomcat:
    /// those in lists are, too, and a probe is a sign of life.
    /// Tests: a_static_peer_that_starts_later_is_a_member_at_its_first_sign,
    /// a_listed_pod_that_is_not_ready_is_probed_at_its_own_first_sign.
    pub fn notice_received(&mut self, now: Now, from: &Member, notice: Notice) {
        self.begin(now);
        let expected = self.roster.get(&from.id).is_some_and(Entry::is_expected);
        match notice {
            _ if self.farewell.is_some() => {}
            Notice::Start if !expected => self.introduce(now, from),
            Notice::Start | Notice::Probe if expected => self.expected_appeared(now, from, notice),
            Notice::Stop if expected => self.said_goodbye(now.mono, &from.id),
            _ => {}
        }
        self.finish(now);
    }

    /// A Clowder node has this one in its configuration, and not the other way round: it learns what this one can.
    /// It has nothing to answer to that, as this one is configured there. Seldom, or anybody could make this node
    /// connect to anywhere.
    fn introduce(&mut self, now: Now, to: &Member) {
        const PAUSE: Duration = Duration::from_millis(20);
        let soon = self.introduced.is_some_and(|last| now.mono.saturating_duration_since(last) < PAUSE);
        if soon || !to.is_clowder() || !is_usable(&to.id) || !self.fits(to) || to.id.same_endpoint(&self.local.id) {
            return;
        }
        self.introduced = Some(now.mono);
        self.send_notice(now, to.clone(), Notice::Start);
    }

    fn expected_appeared(&mut self, now: Now, from: &Member, notice: Notice) {
        self.learn(now, from);
        let Some(entry) = self.roster.get_mut(&from.id) else { return };
        entry.quiet_until = None;
        match entry.standing {
            Standing::Candidate => entry.check.invite(now.mono),
            Standing::Member if notice == Notice::Start => entry.restarted |= entry.check.is_verifying_loss(),
            Standing::Suspect { .. } if notice == Notice::Start => self.trust(now.mono, &from.id),
            Standing::Member | Standing::Suspect { .. } => {}
        }
    }

    /// A message from this member arrived on a connection.
    ///
    /// Its record brings what a configuration does not know. Nobody becomes a member by it, but a candidate is probed
    /// at once.
    pub fn heard(&mut self, now: Now, from: &Member) {
        self.begin(now);
        if self.farewell.is_none() {
            self.learn(now, from);
            if let Some(entry) = self.roster.get_mut(&from.id)
                && !entry.is_member()
                && !entry.is_quiet(now.mono)
            {
                entry.check.invite(now.mono);
            }
        }
        self.finish(now);
    }

    /// Take over a record from a message. Its age and command are not news: Tomcat sends stale ones.
    fn learn(&mut self, now: Now, from: &Member) {
        let Some(entry) = self.roster.get_mut(&from.id) else { return };
        if entry.heard.is_some() {
            return; // its heartbeats say it better
        }
        let knew = entry.member.is_clowder();
        let (alive, command) = (entry.member.alive, entry.member.command.clone());
        // A Clowder node that does not know yet that this is one says nothing of itself in a message.
        let silent = from.extension.is_empty();
        let extension = if silent { entry.member.extension.clone() } else { from.extension.clone() };
        let record = Member { alive, command, extension, ..from.clone() };
        if !entry.refresh(&record) || !entry.is_member() {
            return;
        }
        let introduce = !knew && !entry.configured && entry.takes_notices();
        if !self.fits(&record) {
            return;
        }
        self.change.updated.push(record);
        if introduce {
            // A list says nothing of what a member can do, here as there.
            self.notify(now, &from.id, Notice::Start);
        }
    }

    /// A message could not be brought to this member.
    ///
    /// Tomcat: TcpFailureDetector.sendMessage: a negative acknowledgement accuses nobody.
    pub fn send_failed(&mut self, now: Now, to: &MemberId, failure: SendFailure) {
        if failure != SendFailure::NegativeAck {
            self.accused(now, to, Why::Failed);
        }
    }

    /// A connection to or from this member ended unexpectedly.
    pub fn connection_lost(&mut self, now: Now, member: &MemberId) {
        self.accused(now, member, Why::Lost);
    }

    /// The connection that [`GroupOut::Watch`] asked for ended: its process, most likely, too.
    pub fn watch_lost(&mut self, now: Now, member: &MemberId) {
        if let Some(entry) = self.roster.get_mut(member)
            && let Watch::Open { since } = entry.watch
        {
            let short = now.mono.saturating_duration_since(since) < WATCH_MIN;
            let pause = self.config.detector.retry_max;
            entry.watch = Watch::Closed { not_before: short.then_some(now.mono + pause) };
        }
        self.accused(now, member, Why::Lost);
    }

    fn accused(&mut self, now: Now, id: &MemberId, why: Why) {
        self.begin(now);
        if self.farewell.is_none()
            && let Some(entry) = self.roster.get_mut(id)
            && entry.is_member()
        {
            entry.check.demand(now.mono, why);
        }
        self.finish(now);
    }

    /// Probe everybody now. Tomcat: `checkMembers(true)`, what TcpPingInterceptor does in every period.
    pub fn check_requested(&mut self, now: Now) {
        self.begin(now);
        if self.farewell.is_none() {
            for (_, entry) in self.roster.iter_mut() {
                if !entry.is_quiet(now.mono) && (entry.is_expected() || entry.heard.is_some()) {
                    entry.check.demand(now.mono, Why::Look);
                }
            }
        }
        self.finish(now);
    }

    /// The application changed its payload. Tomcat: one heartbeat at once.
    pub fn payload_changed(&mut self, now: Now, payload: Bytes) {
        self.begin(now);
        self.local.payload = payload;
        self.answer(now.mono);
        self.tick(now);
        self.finish(now);
    }

    /// This node stops: say goodbye, then [`GroupOut::Stopped`]. What arrives from now on changes nothing.
    pub fn stopping(&mut self, now: Now) {
        if self.farewell.is_some() {
            return;
        }
        self.begin(now);
        self.finish(now);
        self.farewell = Some(Farewell::new(now.mono));
        // Differs from Tomcat: only configured members, and Clowder nodes of a list, get the notice. To others it would
        // be an unreadable object. Tests: stopping_sends_the_stop_notice_to_static_members_only,
        // stopping_tells_the_clowder_nodes_of_a_list_and_no_tomcat.
        self.notify_stop(now);
        self.tell_service_members(now);
        self.handle_deadline(now);
    }
}
