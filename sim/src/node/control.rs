//! The control plane of a process: its group, and the record of what the group was told.

use std::net::SocketAddr;

use bytes::Bytes;
use clowder_proto::Now;
use clowder_proto::group::{Group, GroupOut, ProbeId, SendFailure, Verdict, ViewUpdate};
use clowder_proto::wire::{Member, MemberId};

use super::{DISCOVERY, Effect, Process, Turn};
use crate::Sabotage;

/// One input of a group.
#[derive(Clone, Debug)]
pub(crate) enum GroupInput {
    Datagram(SocketAddr, Bytes),
    Probed(ProbeId, Verdict),
    WatchLost(MemberId),
    SendFailed(MemberId, SendFailure),
    ConnectionLost(MemberId),
    Heard(Member),
    /// Another coordinator knows this member.
    Named(Member),
    Deadline,
}

impl GroupInput {
    pub(crate) fn apply(&self, group: &mut Group, now: Now) {
        match self {
            GroupInput::Datagram(from, bytes) => group.datagram_received(now, *from, bytes),
            GroupInput::Probed(probe, verdict) => group.probed(now, *probe, *verdict),
            GroupInput::WatchLost(member) => group.watch_lost(now, member),
            GroupInput::SendFailed(member, failure) => group.send_failed(now, member, *failure),
            GroupInput::ConnectionLost(member) => group.connection_lost(now, member),
            GroupInput::Heard(member) => group.heard(now, member),
            GroupInput::Named(member) => group.named(now, member),
            GroupInput::Deadline => group.handle_deadline(now),
        }
    }
}

/// What a view looks like in a comparison.
pub(crate) fn picture(update: &ViewUpdate) -> String {
    let names = |members: &[Member]| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let left: Vec<String> = update.left.iter().map(|(member, reason)| format!("{member} {reason:?}")).collect();
    format!("{}: {} +{} -{left:?}", update.version, names(&update.members), names(&update.joined))
}

impl Process {
    /// One input of the group, recorded.
    pub(super) fn tell_group(&mut self, turn: &mut Turn<'_>, input: GroupInput) {
        let forgets = turn.settings.sabotage == Sabotage::UnrecordedInputs;
        input.apply(&mut self.group, turn.now);
        if !(forgets && matches!(input, GroupInput::Probed(..)) && turn.rng.u8(..10) == 0) {
            self.inputs.push((turn.now, input));
        }
        self.drain_group(turn);
    }

    pub(crate) fn group_told(&mut self, turn: &mut Turn<'_>, input: GroupInput) {
        if let GroupInput::Probed(probe, Verdict::Alive) = &input {
            self.landed = Some(*probe);
        }
        self.tell_group(turn, input);
        self.landed = None;
        self.settle(turn);
    }

    /// The data plane noticed something. Cheap when it is nothing new.
    pub(super) fn report(&mut self, report: GroupInput) {
        let matters = match &report {
            GroupInput::SendFailed(member, _) | GroupInput::ConnectionLost(member) => self.member(member).is_some(),
            GroupInput::Heard(member) => self.is_news(member),
            _ => true,
        };
        if matters {
            self.reports.push_back(report);
        }
    }

    /// Somebody whom the view lacks, or whose capabilities it does not know.
    fn is_news(&self, member: &Member) -> bool {
        self.member(&member.id).is_none_or(|known| known.extension != member.extension)
    }

    pub(super) fn tell_reports(&mut self, turn: &mut Turn<'_>) -> bool {
        let busy = !self.reports.is_empty();
        while let Some(report) = self.reports.pop_front() {
            self.tell_group(turn, report);
        }
        busy
    }

    pub(super) fn drain_group(&mut self, turn: &mut Turn<'_>) -> bool {
        let mut busy = false;
        while let Some(out) = self.group.poll() {
            busy = true;
            match out {
                GroupOut::Multicast(bytes) => turn.effects.push(Effect::Multicast(bytes)),
                GroupOut::Probe(probe) => turn.effects.push(Effect::Probe(probe)),
                GroupOut::Watch { probe, member } => {
                    debug_assert_eq!(self.landed, Some(probe), "comes while the verdict is handled");
                    turn.effects.push(Effect::Watch(member));
                }
                GroupOut::Unwatch(member) => turn.effects.push(Effect::Unwatch(member)),
                GroupOut::View(update) => self.viewed(turn, update),
                GroupOut::Met { member, alive } => {
                    if let Some(coordinator) = &mut self.coordinator {
                        coordinator.reached(turn.now, &member, alive);
                    }
                }
                // Notices are for configured members, of which there are none.
                _ => {}
            }
        }
        busy
    }

    fn viewed(&mut self, turn: &mut Turn<'_>, update: ViewUpdate) {
        self.views.push(picture(&update));
        self.view = update.members;
        for (member, _) in &update.left {
            self.close_peer(turn, &member.id);
            self.chain_left(turn, &member.id);
            self.left.push(member.id.clone());
        }
        for member in update.joined.iter().chain(&update.updated) {
            self.announced(turn, member);
        }
        self.coordinator_viewed(turn);
        if !self.started {
            return;
        }
        for (member, _) in &update.left {
            self.sessions.left(turn.now, &member.id);
        }
        for member in update.joined.into_iter().chain(update.updated) {
            self.sessions.joined(turn.now, member);
        }
    }

    /// Coordinator and sessions start when the first view is known, as those of a channel do.
    pub(super) fn start_if_settled(&mut self, turn: &mut Turn<'_>) {
        self.discovered |= !self.view.is_empty() || turn.now.mono >= self.born.mono + DISCOVERY;
        if self.started || !self.discovered || !self.group.is_settled() {
            return;
        }
        self.started = true;
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.started(turn.now);
        }
        for member in self.view.clone() {
            self.sessions.joined(turn.now, member);
        }
        self.sessions.started(turn.now);
        self.settle(turn);
    }
}
