//! One group in a world made of values: what goes in, what came out, and a clock that moves when it is told to.

mod domains;
mod heartbeats;
mod named;
mod probes;
mod service;
mod simulation;
mod statics;
mod transitions;
mod vectors;

use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use super::*;
use crate::wire::Message;

pub(super) const REFUSED: Verdict = Verdict::Dead(ProbeFailure::Refused);
pub(super) const SILENT: Verdict = Verdict::Dead(ProbeFailure::ConnectTimeout);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn start() -> Now {
    Now {
        mono: Instant::now() + Duration::from_secs(1000),
        wall: UNIX_EPOCH + Duration::from_millis(1_700_000_000_000),
    }
}

/// Node `number`, in its life `life`.
pub(super) fn member(number: u8, life: u8) -> Member {
    Member::new(([10, 0, 0, number], 4000).into(), [life; 16])
}

pub(super) fn aged(member: &Member, alive: i64) -> Member {
    Member { alive, ..member.clone() }
}

pub(super) fn multicast() -> GroupConfig {
    GroupConfig { heartbeats: Some(HeartbeatConfig::default()), ..GroupConfig::default() }
}

pub(super) fn configured(members: &[Member]) -> GroupConfig {
    GroupConfig { configured: members.to_vec(), ..GroupConfig::default() }
}

/// Everything that came out and was not looked at yet.
#[derive(Default)]
pub(super) struct Outs {
    pub(super) datagrams: Vec<Bytes>,
    pub(super) probes: Vec<Probe>,
    pub(super) watches: Vec<(ProbeId, MemberId)>,
    pub(super) unwatches: Vec<MemberId>,
    pub(super) notices: Vec<(Member, Notice, Bytes)>,
    pub(super) services: Vec<(Member, Message)>,
    pub(super) contacts: Vec<(Member, Message)>,
    pub(super) views: Vec<ViewUpdate>,
    pub(super) messages: Vec<Message>,
    pub(super) dropped: Vec<DropCause>,
    pub(super) stopped: usize,
    pub(super) met: Vec<(MemberId, bool)>,
}

pub(super) struct World {
    pub(super) group: Group,
    pub(super) now: Now,
    pub(super) outs: Outs,
}

impl World {
    /// Node 1 with this configuration.
    pub(super) fn new(config: GroupConfig) -> Self {
        Self::of(member(1, 1), config)
    }

    pub(super) fn of(local: Member, config: GroupConfig) -> Self {
        let now = start();
        let mut world = World { group: Group::new(config, local, now), now, outs: Outs::default() };
        world.drain();
        world
    }

    fn drain(&mut self) {
        while let Some(out) = self.group.poll() {
            match out {
                GroupOut::Multicast(datagram) => self.outs.datagrams.push(datagram),
                GroupOut::Probe(probe) => self.outs.probes.push(probe),
                GroupOut::Watch { probe, member } => self.outs.watches.push((probe, member)),
                GroupOut::Unwatch(member) => self.outs.unwatches.push(member),
                GroupOut::Notice { to, notice, message } => {
                    self.outs.notices.push((to, notice, message.encode_frame()));
                }
                GroupOut::Service { to, message } => self.outs.services.push((to, message)),
                GroupOut::Contact { to, message, .. } => self.outs.contacts.push((to, message)),
                GroupOut::View(update) => self.outs.views.push(update),
                GroupOut::DatagramMessage(message) => self.outs.messages.push(message),
                GroupOut::Dropped { cause, .. } => self.outs.dropped.push(cause),
                GroupOut::Stopped => self.outs.stopped += 1,
                GroupOut::Met { member, alive } => self.outs.met.push((member, alive)),
            }
        }
    }

    pub(super) fn tell(&mut self, input: impl FnOnce(&mut Group, Now)) {
        input(&mut self.group, self.now);
        self.drain();
    }

    /// Time passes, and every deadline on the way is kept.
    pub(super) fn pass(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some(deadline) = self.group.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.later(deadline.saturating_duration_since(self.now.mono));
            self.tell(|group, now| group.handle_deadline(now));
        }
        self.now = self.now.later(end.saturating_duration_since(self.now.mono));
    }

    /// Time passes, and this node sleeps.
    pub(super) fn sleep(&mut self, by: Duration) {
        self.now = self.now.later(by);
        self.tell(|group, now| group.handle_deadline(now));
    }

    pub(super) fn datagram(&mut self, bytes: impl Into<Bytes>) {
        let from: SocketAddr = ([10, 0, 0, 99], 45564).into();
        let bytes = bytes.into();
        self.tell(|group, now| group.datagram_received(now, from, &bytes));
    }

    pub(super) fn hear(&mut self, member: &Member) {
        self.datagram(member.encode());
    }

    pub(super) fn hear_goodbye(&mut self, member: &Member) {
        self.hear(&Member { command: Bytes::from_static(SHUTDOWN_COMMAND), ..member.clone() });
    }

    /// The probe of this member, which must be on its way.
    pub(super) fn probe_of(&mut self, member: &Member) -> Probe {
        let at = self.outs.probes.iter().position(|probe| probe.member == *member);
        self.outs.probes.remove(at.unwrap_or_else(|| panic!("no probe of {member}")))
    }

    pub(super) fn answer(&mut self, member: &Member, verdict: Verdict) {
        let probe = self.probe_of(member);
        self.tell(|group, now| group.probed(now, probe.id, verdict));
    }

    /// Node `member` is heard, answers, and is a member.
    pub(super) fn join(&mut self, member: &Member) {
        self.hear(member);
        self.answer(member, Verdict::Alive);
        assert!(self.is_member(member), "{member} joined");
        self.outs = Outs::default();
    }

    pub(super) fn standing(&self, member: &Member) -> Option<Standing> {
        self.group.roster.get(&member.id).map(|entry| entry.standing)
    }

    pub(super) fn is_member(&self, member: &Member) -> bool {
        self.group.roster.members().contains(member)
    }

    pub(super) fn is_suspect(&self, member: &Member) -> bool {
        matches!(self.standing(member), Some(Standing::Suspect { .. }))
    }

    /// Who joined and left since the last look.
    pub(super) fn changes(&mut self) -> (Vec<Member>, Vec<(Member, LeftReason)>) {
        let views = std::mem::take(&mut self.outs.views);
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for view in views {
            left.extend(view.left);
            joined.extend(view.joined);
        }
        (joined, left)
    }

    pub(super) fn assert_quiet(&mut self) {
        assert!(self.outs.views.is_empty(), "no change: {:?}", self.outs.views);
        assert!(self.outs.probes.is_empty(), "no probe: {:?}", self.outs.probes);
    }
}
