//! Membership: who is in the group, decided in one place from recorded inputs.
//!
//! Heartbeats, lists of discovered members, notices, failed sends, lost connections and the results of probes go in;
//! probes to make, datagrams to send and new views come out. Nothing here waits: a probe is an output, its result is an
//! input, and in between everything else goes on.
//!
//! Tomcat spreads this over `McastService`, `CloudMembershipService`, `StaticMembershipInterceptor`,
//! `TcpPingInterceptor` and `TcpFailureDetector`, each with a table of its own. Here is one roster: a member that
//! heartbeats, lists and the configuration name is one member.
//!
//! Invariants, checked after every input: nobody becomes a member but by a probe that was answered; nobody stops
//! being one but by its own goodbye, a probe that failed, a newer process at its address, or the lists that brought it
//! and have it no more; at most one probe per member is on its way; what heartbeats and lists bring in is bounded.

mod config;
mod detector;
mod discovered;
mod heartbeat;
mod inputs;
pub(crate) mod jitter;
mod named;
mod notice;
mod out;
mod pinger;
mod roster;
mod service;
mod verdict;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use config::{DetectorConfig, GroupConfig, HeartbeatConfig, PingConfig};
pub use discovered::{Listed, Source};
pub use notice::Notice;
pub use out::{DropCause, GroupOut, LeftReason, Probe, ProbeFailure, ProbeId, SendFailure, Verdict, ViewUpdate};
pub use service::{MemberEvent, MemberMessage, ServiceConfig, ServiceMessage};

use crate::Now;
use crate::wire::{Member, MemberId, SHUTDOWN_COMMAND};
use detector::Why;
use heartbeat::{Announcer, Farewell};
use jitter::Jitter;
use pinger::Pinger;
use roster::{Roster, Standing, Watch};
use service::Service;

/// The membership machine of one node. See the module's documentation.
#[derive(Debug)]
pub struct Group {
    config: GroupConfig,
    local: Member,
    started: Instant,
    roster: Roster,
    announcer: Option<Announcer>,
    pinger: Option<Pinger>,
    service: Option<Service>,
    farewell: Option<Farewell>,
    /// Every probe whose verdict has not come, cancelled ones too.
    flights: BTreeMap<ProbeId, MemberId>,
    probes: u64,
    jitter: Jitter,
    /// When this node last introduced itself to a stranger.
    introduced: Option<Instant>,
    /// When this node last found itself late.
    late_at: Option<Instant>,
    change: Change,
    version: u64,
    published: Vec<Member>,
    out: VecDeque<GroupOut>,
    due: Option<Instant>,
}

/// What one input did to the view.
#[derive(Debug, Default)]
struct Change {
    left: Vec<(Member, LeftReason)>,
    joined: Vec<Member>,
    updated: Vec<Member>,
    reordered: bool,
}

impl Group {
    /// A group of one. The receiver of `local` must already accept connections: others probe it on the first
    /// heartbeat, which is the first output.
    pub fn new(config: GroupConfig, local: Member, now: Now) -> Self {
        let mut roster = Roster::default();
        for member in &config.configured {
            if !member.id.same_endpoint(&local.id) && is_usable(&member.id) {
                roster.insert(member.clone(), true).check.schedule(Some(now.mono));
            }
        }
        let mut group = Group {
            announcer: config.heartbeats.as_ref().map(|heartbeats| Announcer::new(heartbeats, now.mono)),
            service: config.service.as_ref().map(|service| Service::new(service, &local, now.mono)),
            pinger: config.pings.as_ref().map(|pings| Pinger::new(pings, now.mono)),
            jitter: Jitter::new(config.seed),
            config,
            local,
            started: now.mono,
            roster,
            farewell: None,
            flights: BTreeMap::new(),
            probes: 0,
            introduced: None,
            late_at: None,
            change: Change::default(),
            version: 0,
            published: Vec::new(),
            out: VecDeque::new(),
            due: None,
        };
        group.tick(now);
        group.finish(now);
        group
    }

    /// The local record with its age as of now.
    ///
    /// Differs from Tomcat: the age is a duration with configured members too; there it is the wall clock.
    /// Test: a_joined_static_member_gets_the_start_notice_with_our_real_age.
    pub fn local(&self, now: Now) -> Member {
        let alive = millis(now.mono.saturating_duration_since(self.started));
        Member { alive, ..self.local.clone() }
    }

    /// The next thing to do. Drain until `None` after every input.
    pub fn poll(&mut self) -> Option<GroupOut> {
        self.out.pop_front()
    }

    /// When [`Group::handle_deadline`] is wanted; may change with every input.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Everybody known so far is a member, or did not answer a probe: no first probe is due or on its way. Whoever the
    /// membership service asked has answered, cannot be reached, or had its time.
    pub fn is_settled(&self) -> bool {
        let known = |id: &MemberId, entry: &roster::Entry| {
            entry.is_member() || entry.check.was_answered() || entry.check.is_untried() || self.is_rivalled(id)
        };
        let probed = self.roster.iter().all(|(id, entry)| known(id, entry) || !self.fits(&entry.member));
        probed && self.service.as_ref().is_none_or(Service::is_settled)
    }

    /// Time has passed. Early is harmless.
    pub fn handle_deadline(&mut self, now: Now) {
        self.begin(now);
        self.finish(now);
    }

    /// Every input starts here.
    fn begin(&mut self, now: Now) {
        self.forgive_lateness(now.mono);
        self.tick(now);
    }

    /// A node that slept cannot know who was silent meanwhile: what it missed counts for nobody's silence.
    fn forgive_lateness(&mut self, now: Instant) {
        let Some(late) = self.due.map(|due| now.saturating_duration_since(due)) else { return };
        if late <= self.config.detector.lateness_max {
            return;
        }
        self.late_at = Some(now);
        for (_, entry) in self.roster.iter_mut() {
            entry.heard = entry.heard.map(|heard| (heard + late).min(now));
            entry.listing.forgive(now);
        }
    }

    /// What the passing of time does.
    fn tick(&mut self, now: Now) {
        if self.farewell.is_some() {
            return self.say_goodbye(now);
        }
        if self.announcer.as_mut().is_some_and(|announcer| announcer.take(now.mono)) {
            self.out.push_back(GroupOut::Multicast(self.local(now).encode()));
        }
        if self.pinger.as_mut().is_some_and(|pinger| pinger.take(now.mono)) {
            self.ping(now);
        }
        self.service_tick(now);
        self.expire(now.mono);
        self.expire_unlisted(now.mono);
    }

    fn ping(&mut self, now: Now) {
        let static_only = self.pinger.as_ref().is_some_and(|pinger| pinger.static_only);
        let members = self.roster.iter().filter(|(_, entry)| entry.is_member() && (entry.configured || !static_only));
        let members: Vec<Member> = members.map(|(_, entry)| entry.member.clone()).collect();
        for member in members {
            self.send_notice(now, member, Notice::Ping);
        }
    }

    fn say_goodbye(&mut self, now: Now) {
        let goodbye = Member { command: Bytes::from_static(SHUTDOWN_COMMAND), ..self.local(now) };
        let Some(farewell) = &mut self.farewell else { return };
        if !farewell.take(now.mono) {
            return;
        }
        if self.announcer.is_some() {
            self.out.push_back(GroupOut::Multicast(goodbye.encode()));
        } else {
            farewell.skip();
        }
        if farewell.is_said() {
            self.out.push_back(GroupOut::Stopped);
        }
    }

    /// Tomcat: `Membership.expire`: silence for more than the drop time.
    fn expire(&mut self, now: Instant) {
        let mut silent = Vec::new();
        for (id, entry) in self.roster.iter_mut() {
            if entry.heard.is_some_and(|heard| now.saturating_duration_since(heard) > entry.silence_max) {
                entry.heard = None;
                if entry.is_member() {
                    entry.check.demand(now, Why::Expired);
                    silent.push(id.clone());
                }
            }
        }
        for id in silent {
            self.yield_to_listed(now, &id);
        }
    }

    /// Every input ends here: forget, probe, publish, and set the next deadline.
    fn finish(&mut self, now: Now) {
        if self.farewell.is_none() {
            self.leave_other_domains(now.mono);
            self.answer_named();
            self.roster.retain(|entry| entry.is_wanted(now.mono));
            self.launch(now);
            self.publish();
        }
        self.due = self.next_deadline(now.mono);
        self.check_invariants();
    }

    /// The member may be seen. Tomcat: DomainFilterInterceptor, by the domain in the member's record.
    fn fits(&self, member: &Member) -> bool {
        self.config.domain.as_ref().is_none_or(|domain| *domain == member.domain)
    }

    /// Whoever does not fit is no member and is not probed, whatever asked for it.
    fn leave_other_domains(&mut self, now: Instant) {
        if self.config.domain.is_none() {
            return;
        }
        let others = self
            .roster
            .iter()
            .filter(|(_, entry)| !self.fits(&entry.member))
            .map(|(id, entry)| (id.clone(), entry.is_member()));
        for (id, is_member) in others.collect::<Vec<_>>() {
            if is_member {
                self.leave(now, &id, LeftReason::OtherDomain);
            }
            if let Some(entry) = self.roster.get_mut(&id) {
                entry.check.cancel();
            }
        }
    }

    /// Start the probes that are due, those of members first.
    fn launch(&mut self, now: Now) {
        let room = self.config.detector.probes_max.saturating_sub(self.flights.len());
        let mut due: Vec<(bool, Instant, MemberId)> = self
            .roster
            .iter()
            .filter_map(|(id, entry)| {
                let due = entry.check.due().filter(|due| *due <= now.mono)?;
                Some((!entry.is_member(), due, id.clone()))
            })
            .collect();
        due.sort();
        for (_, _, id) in due.into_iter().take(room) {
            self.probe(now, &id);
        }
    }

    fn probe(&mut self, now: Now, id: &MemberId) {
        // Another process holds the address: it would answer the probe of this id.
        let rivalled = self.is_rivalled(id);
        let pause = self.config.detector.retry_max;
        let local = self.local(now);
        let Some(entry) = self.roster.get_mut(id) else { return };
        if rivalled && !entry.is_member() {
            entry.check.schedule(Some(now.mono + pause));
            return;
        }
        let detector = &self.config.detector;
        let probe_id = ProbeId(self.probes);
        self.probes += 1;
        entry.check.launched(now.mono, probe_id);
        self.flights.insert(probe_id, id.clone());
        let read_test = detector.perform_send_test && (detector.perform_read_test || entry.member.is_clowder());
        let options = notice::probe_options(detector.option_flag, read_test);
        let frame = detector
            .perform_send_test
            .then(|| Notice::Probe.message(now, local, options, self.jitter.id()).encode_frame());
        self.out.push_back(GroupOut::Probe(Probe {
            id: probe_id,
            member: entry.member.clone(),
            frame,
            connect_timeout: detector.connect_timeout,
            read_timeout: read_test.then_some(detector.read_test_timeout),
        }));
    }

    /// Its address belongs to another id, by its heartbeats or an answered probe.
    fn is_rivalled(&self, id: &MemberId) -> bool {
        self.roster.rivals(id).any(|(_, rival)| rival.is_member() || rival.heard.is_some())
    }

    fn publish(&mut self) {
        let Change { left, joined, updated, reordered } = std::mem::take(&mut self.change);
        let same = left.is_empty() && joined.is_empty() && updated.is_empty();
        if same && !reordered {
            return;
        }
        let members = self.roster.members();
        if same && members == self.published {
            return; // an age changed and nobody's place with it
        }
        self.version += 1;
        self.published.clone_from(&members);
        self.out.push_back(GroupOut::View(ViewUpdate { version: self.version, members, left, joined, updated }));
    }

    fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        if let Some(farewell) = &self.farewell {
            return (!farewell.is_said()).then(|| farewell.deadline());
        }
        let may_probe = self.flights.len() < self.config.detector.probes_max;
        let entries = self.roster.iter().flat_map(|(_, entry)| {
            let expires =
                entry.heard.and_then(|heard| heard.checked_add(entry.silence_max.saturating_add(EXPIRY_GRAIN)));
            let quiet = entry.quiet_until.filter(|until| now < *until);
            let unlisted = entry.unlisted_at(self.config.expiration_time);
            [entry.check.due().filter(|_| may_probe), expires, quiet, unlisted].into_iter().flatten()
        });
        let own = [
            self.announcer.as_ref().map(Announcer::deadline),
            self.pinger.as_ref().map(Pinger::deadline),
            self.service.as_ref().map(Service::deadline),
        ];
        entries.chain(own.into_iter().flatten()).min()
    }

    fn check_invariants(&self) {
        debug_assert!(
            self.roster.discovered() <= self.config.members_max,
            "heartbeats and lists brought in more than members_max entries"
        );
        debug_assert!(
            self.roster.iter().all(|(id, entry)| *id == entry.member.id && !id.same_endpoint(&self.local.id)),
            "an entry is filed under another id, or is ourselves"
        );
        debug_assert!(
            self.roster.iter().all(|(_, entry)| !entry.is_member() || self.fits(&entry.member)),
            "a member of another domain"
        );
        debug_assert!(self.flights.len() <= self.config.detector.probes_max, "more probes than probes_max");
        debug_assert!(
            self.roster.iter().all(|(_, entry)| entry.is_member() || !matches!(entry.watch, Watch::Open { .. })),
            "a connection is held to somebody who is no member"
        );
    }
}

/// Silence must exceed the drop time, by what the clock can tell.
const EXPIRY_GRAIN: Duration = Duration::from_millis(1);

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// One can connect to it.
fn is_usable(id: &MemberId) -> bool {
    id.socket_addr().is_some_and(|addr| !addr.ip().is_unspecified() && !addr.ip().is_multicast())
}
