//! One election in a world made of values: what goes in, what came out, and a clock that moves when it is told to.

mod leaders;
mod rounds;
mod simple;
mod simulation;
mod strangers;
mod tomcat;
mod vectors;

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;

use super::*;
use crate::Now;
use crate::wire::{Capabilities, Limits, MemberId, WireError};

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn start() -> Now {
    Now {
        mono: Instant::now() + Duration::from_secs(1000),
        wall: UNIX_EPOCH + Duration::from_millis(1_700_000_000_000),
    }
}

/// A Tomcat: a lower number ranks higher.
pub(super) fn member(number: u8) -> Member {
    Member::new(([10, 0, 0, number], 4000).into(), [number; 16])
}

/// A Clowder node.
pub(super) fn clowder(number: u8) -> Member {
    Member { extension: Capabilities::ALL.encode(), ..member(number) }
}

pub(super) fn members(numbers: &[u8]) -> Vec<Member> {
    numbers.iter().map(|number| member(*number)).collect()
}

pub(super) fn id(byte: u8) -> ViewId {
    ViewId([byte; 16])
}

/// A message about these members; the first of them leads.
pub(super) fn message(kind: ElectionKind, source: u8, numbers: &[u8], id: ViewId) -> ElectionMessage {
    ElectionMessage { leader: member(numbers[0]), source: member(source), members: members(numbers), id, kind }
}

pub(super) fn request(source: u8, numbers: &[u8], id: ViewId) -> ElectionMessage {
    message(ElectionKind::Request, source, numbers, id)
}

pub(super) fn confirmation(source: u8, numbers: &[u8], id: ViewId) -> ElectionMessage {
    message(ElectionKind::Confirmation, source, numbers, id)
}

/// A message that came out.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) to: Vec<Member>,
    pub(super) options: i32,
    pub(super) message: ElectionMessage,
    pub(super) body: Bytes,
    pub(super) token: SendToken,
}

impl Sent {
    pub(super) fn assert_is(&self, to: &[u8], expect: &ElectionMessage) {
        assert_eq!(self.to, members(to), "destinations");
        assert_eq!(self.message, *expect);
    }
}

pub(super) fn decode(body: &Bytes) -> ElectionMessage {
    match CoordinationMessage::decode(body, &Limits::default()).expect("what was sent can be read") {
        CoordinationMessage::Election(message) => *message,
        CoordinationMessage::Alive => panic!("nobody sends it"),
    }
}

/// Node `local`, and what came out of it and was not looked at yet.
pub(super) struct World {
    pub(super) election: Election,
    pub(super) now: Now,
    pub(super) sent: Vec<Sent>,
    pub(super) reaches: Vec<Member>,
    pub(super) views: Vec<AgreedView>,
    pub(super) stood_in_for: Vec<MemberId>,
    pub(super) dropped: Vec<WireError>,
}

impl World {
    pub(super) fn of(local: Member, config: ElectionConfig) -> World {
        let election = Election::new(config, local);
        let (sent, reaches, views) = (Vec::new(), Vec::new(), Vec::new());
        World { election, now: start(), sent, reaches, views, stood_in_for: Vec::new(), dropped: Vec::new() }
    }

    /// Started, among Tomcats.
    pub(super) fn new(local: u8, others: &[u8]) -> World {
        World::among(member(local), &members(others))
    }

    /// Started, with these others.
    pub(super) fn among(local: Member, others: &[Member]) -> World {
        let mut world = World::of(local, ElectionConfig { seed: 7, ..ElectionConfig::default() });
        world.tell(|election, now| election.view_changed(now, others));
        world.tell(|election, now| election.started(now));
        world
    }

    /// Started, with these others, who all agreed to be led by the first, by the election `id`.
    pub(super) fn agreed(local: u8, others: &[u8], id: ViewId) -> World {
        let mut world = World::new(local, others);
        let mut all = [&[local], others].concat();
        all.sort_unstable();
        let source = all[0];
        if source == local {
            let own = world.take_sent();
            world.outcome(&own, own.to[0].id.host[3], true);
            world.hear(&ElectionMessage { members: members(&all), ..own.message });
            let confirmed = world.take_sent();
            others.iter().for_each(|to| world.outcome(&confirmed, *to, true));
        } else {
            world.hear(&confirmation(source, &all, id));
        }
        world.views.clear();
        world.assert_silent();
        world
    }

    pub(super) fn tell(&mut self, input: impl FnOnce(&mut Election, Now)) {
        input(&mut self.election, self.now);
        while let Some(out) = self.election.poll() {
            match out {
                ElectionOut::Send { to, options, body, token } => {
                    self.sent.push(Sent { to, options, message: decode(&body), body, token });
                }
                ElectionOut::Reach(member) => self.reaches.push(member),
                ElectionOut::View(view) => self.views.push(view),
                ElectionOut::StoodIn { leader } => self.stood_in_for.push(leader),
                ElectionOut::Dropped { cause, .. } => self.dropped.push(cause),
            }
        }
    }

    pub(super) fn see(&mut self, others: &[u8]) {
        self.tell(|election, now| election.view_changed(now, &members(others)));
    }

    pub(super) fn hear(&mut self, message: &ElectionMessage) {
        self.hear_bytes(&message.encode());
    }

    pub(super) fn hear_bytes(&mut self, body: &Bytes) {
        self.tell(|election, now| election.received(now, &member(99).id, body));
    }

    pub(super) fn reached(&mut self, number: u8, alive: bool) {
        assert!(self.reaches.contains(&member(number)), "nobody asked about {number}");
        self.reaches.retain(|asked| *asked != member(number));
        self.tell(|election, now| election.reached(now, &member(number).id, alive));
    }

    pub(super) fn outcome(&mut self, sent: &Sent, to: u8, delivered: bool) {
        self.tell(|election, now| election.sent(now, sent.token, &member(to).id, delivered));
    }

    /// The only message that came out.
    pub(super) fn take_sent(&mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "one message: {:?}", self.sent);
        self.sent.pop().expect("there is one")
    }

    /// The only view that came out: its id and members.
    pub(super) fn take_view(&mut self) -> (ViewId, Vec<Member>) {
        assert_eq!(self.views.len(), 1, "one view: {:?}", self.views);
        let view = self.views.pop().expect("there is one");
        assert_eq!(Some(&view), self.election.view(), "what is published is what is");
        (view.id.expect("of an election"), view.members)
    }

    pub(super) fn assert_silent(&self) {
        assert!(self.sent.is_empty(), "nothing is sent: {:?}", self.sent);
        assert!(self.views.is_empty(), "no view: {:?}", self.views);
        assert!(self.reaches.is_empty(), "nobody is looked at: {:?}", self.reaches);
        assert!(self.stood_in_for.is_empty(), "nobody is stood in for: {:?}", self.stood_in_for);
        assert!(self.dropped.is_empty(), "nothing is refused: {:?}", self.dropped);
    }

    /// Nothing is to be done but to tell Tomcats of the view again.
    pub(super) fn assert_settled(&self) {
        assert_eq!(self.election.deadline(), self.election.remind_at);
    }

    /// Time passes, and every deadline on the way is kept.
    pub(super) fn pass(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some(deadline) = self.election.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.later(deadline.saturating_duration_since(self.now.mono));
            self.tell(Election::handle_deadline);
            let kept = self.election.deadline().is_none_or(|next| next > self.now.mono);
            assert!(kept, "a deadline that was kept is over");
        }
        self.now = self.now.later(end.saturating_duration_since(self.now.mono));
    }
}
