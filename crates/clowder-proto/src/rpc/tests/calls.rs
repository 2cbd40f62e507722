//! One rule after the other: when a call ends, and with which fates.

use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use java_object_stream::{from_bytes, to_bytes};

use crate::Now;
use crate::link::Failure;
use crate::rpc::{
    CallEnd, CallError, CallId, Calls, CallsConfig, CallsOut, CallsStats, NULL, NewCall, RpcContent, RpcFate,
    RpcLimits, RpcMessage, RpcMode,
};
use crate::wire::Member;

fn member(number: u8) -> Member {
    Member::new(([10, 0, 0, number], 4000).into(), [number; 16])
}

fn members(count: u8) -> Vec<Member> {
    (1..=count).map(member).collect()
}

fn value(text: &str) -> Bytes {
    to_bytes(text).unwrap()
}

/// A machine and what came out of it.
struct World {
    calls: Calls,
    now: Now,
    serial: u8,
    bodies: Vec<(CallId, Vec<Member>, Bytes)>,
    ends: Vec<(CallId, CallEnd)>,
    left_over: Vec<(Member, Bytes)>,
}

impl World {
    fn new() -> World {
        World::with(CallsConfig::default())
    }

    fn with(config: CallsConfig) -> World {
        World {
            calls: Calls::new(config, Bytes::from_static(b"id")),
            now: Now { mono: Instant::now(), wall: UNIX_EPOCH },
            serial: 0,
            bodies: Vec::new(),
            ends: Vec::new(),
            left_over: Vec::new(),
        }
    }

    fn drain(&mut self) {
        while let Some(out) = self.calls.poll() {
            match out {
                CallsOut::Send { call, to, body } => self.bodies.push((call, to, body)),
                CallsOut::Ended { call, end } => self.ends.push((call, end)),
                CallsOut::LeftOver { from, payload } => self.left_over.push((from, payload)),
            }
        }
    }

    fn try_call(&mut self, targets: Vec<Member>, mode: RpcMode, payload: Bytes) -> Result<CallId, CallError> {
        self.serial += 1;
        let new = NewCall { targets, payload, mode, timeout: Duration::from_secs(3) };
        let call = self.calls.called(self.now, [self.serial; 16], new);
        self.drain();
        call
    }

    /// A call to members 1 to `count`.
    fn call(&mut self, count: u8, mode: RpcMode) -> CallId {
        self.try_call(members(count), mode, value("ping")).unwrap()
    }

    /// What every request of a call was.
    fn request(&self, call: CallId) -> RpcMessage {
        let (_, _, body) = self.bodies.iter().find(|(found, _, _)| *found == call).expect("it was sent");
        RpcMessage::decode(body, &RpcLimits::default()).unwrap()
    }

    fn receive(&mut self, call: CallId, from: u8, content: RpcContent) {
        let reply = self.request(call).reply(content);
        self.calls.received(&member(from), &reply);
        self.drain();
    }

    fn answer(&mut self, call: CallId, from: u8, text: &str) {
        self.receive(call, from, RpcContent::Reply(value(text)));
    }

    fn sent(&mut self, call: CallId, to: u8, outcome: Result<(), Failure>) {
        self.calls.sent(call, &member(to).id, outcome);
        self.drain();
    }

    fn pass(&mut self, ms: u64) {
        self.now = self.now.later(Duration::from_millis(ms));
        self.calls.handle_deadline(self.now);
        self.drain();
    }

    /// The end of the only call, as text.
    fn end(&mut self) -> (Vec<String>, bool) {
        assert_eq!(self.ends.len(), 1, "{:?}", self.ends);
        let (_, end) = self.ends.remove(0);
        let fates = end.fates.iter().map(|(member, fate)| {
            let number = member.id.host[3];
            match fate {
                RpcFate::Answered(payload) => format!("{number} {}", from_bytes::<String>(payload).unwrap()),
                fate => format!("{number} {fate:?}"),
            }
        });
        (fates.collect(), end.reached)
    }

    fn assert_open(&self) {
        assert!(self.ends.is_empty(), "{:?}", self.ends);
    }
}

#[test]
fn a_call_is_one_message_to_all_its_targets() {
    let mut world = World::new();
    let call = world.try_call(vec![member(1), member(2), member(1)], RpcMode::All, value("ping")).unwrap();
    assert_eq!(world.bodies.len(), 1);
    assert_eq!(world.bodies[0].1, members(2), "a target that is named twice is asked once");
    let request = world.request(call);
    assert_eq!((&request.rpc_id[..], request.content), (&b"id"[..], RpcContent::Request(value("ping"))));
    assert_eq!((request.uuid[6], request.uuid[8]), (0x41, 0x81), "the marks of a random UUID, over ones");
    world.answer(call, 1, "a");
    world.assert_open();
    world.answer(call, 2, "b");
    assert_eq!(world.end(), (vec!["1 a".to_owned(), "2 b".to_owned()], true));
}

#[test]
fn a_call_to_nobody_ends_at_once_and_sends_nothing() {
    for mode in [RpcMode::First, RpcMode::Majority, RpcMode::All, RpcMode::NoReply] {
        let mut world = World::new();
        world.call(0, mode);
        assert!(world.bodies.is_empty());
        assert_eq!(world.end(), (vec![], true));
    }
}

#[test]
fn the_first_answer_is_enough_for_first() {
    let mut world = World::new();
    let call = world.call(3, RpcMode::First);
    world.answer(call, 2, "b");
    let expected = ["1 NotAwaited", "2 b", "3 NotAwaited"].map(str::to_owned);
    assert_eq!(world.end(), (expected.to_vec(), true));
}

#[test]
fn half_is_enough_for_a_majority() {
    for (targets, needed) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
        let mut world = World::new();
        let call = world.call(targets, RpcMode::Majority);
        for from in 1..needed {
            world.answer(call, from, "x");
            world.assert_open();
        }
        world.answer(call, needed, "x");
        assert!(world.end().1, "{needed} of {targets}");
    }
}

#[test]
fn who_has_no_such_channel_is_not_counted() {
    let mut world = World::new();
    let call = world.call(3, RpcMode::All);
    world.receive(call, 1, RpcContent::NoChannel);
    world.answer(call, 2, "b");
    world.assert_open();
    world.answer(call, 3, "c");
    assert_eq!(world.end(), (["1 NoChannel", "2 b", "3 c"].map(str::to_owned).to_vec(), true));
    // A majority of two, when one of three lacks it.
    let call = world.call(3, RpcMode::Majority);
    world.answer(call, 1, "a");
    world.assert_open();
    world.receive(call, 3, RpcContent::NoChannel);
    assert!(world.end().1);
}

#[test]
fn a_call_that_nobody_has_the_channel_for_ends_at_once() {
    for mode in [RpcMode::First, RpcMode::Majority, RpcMode::All] {
        let mut world = World::new();
        let call = world.call(2, mode);
        world.receive(call, 1, RpcContent::NoChannel);
        world.receive(call, 2, RpcContent::NoChannel);
        assert_eq!(world.end().0, ["1 NoChannel", "2 NoChannel"], "{mode:?}");
    }
}

#[test]
fn null_is_an_answer() {
    let mut world = World::new();
    let call = world.call(1, RpcMode::All);
    world.receive(call, 1, RpcContent::Reply(Bytes::from_static(NULL)));
    let (_, end) = world.ends.remove(0);
    assert_eq!(end.fates, [(member(1), RpcFate::Answered(Bytes::from_static(NULL)))]);
}

#[test]
fn a_member_that_answers_twice_counts_once() {
    let mut world = World::new();
    let call = world.call(3, RpcMode::All);
    for _ in 0..3 {
        world.answer(call, 1, "a");
    }
    world.receive(call, 1, RpcContent::NoChannel);
    world.answer(call, 2, "b");
    world.assert_open();
    world.answer(call, 3, "c");
    assert_eq!(world.end().0, ["1 a", "2 b", "3 c"]);
    assert_eq!(world.calls.stats().duplicates, 3);
    assert!(world.left_over.is_empty());
}

#[test]
fn an_answer_of_somebody_who_was_not_asked_is_left_over() {
    let mut world = World::new();
    let call = world.call(1, RpcMode::First);
    world.answer(call, 9, "me too");
    world.assert_open();
    assert_eq!(world.left_over, [(member(9), value("me too"))]);
    // Another process at the same address is another member.
    let restarted = Member::new(([10, 0, 0, 1], 4000).into(), [77; 16]);
    let reply = world.request(call).reply(RpcContent::Reply(value("new")));
    world.calls.received(&restarted, &reply);
    world.drain();
    world.assert_open();
    assert_eq!(world.left_over.len(), 2);
}

#[test]
fn when_the_time_is_over_the_silent_have_timed_out() {
    let mut world = World::new();
    let call = world.call(2, RpcMode::All);
    world.answer(call, 1, "a");
    world.pass(2_999);
    world.assert_open();
    assert_eq!(world.calls.deadline(), Some(world.now.later(Duration::from_millis(1)).mono));
    world.pass(1);
    assert_eq!(world.end(), (["1 a", "2 TimedOut"].map(str::to_owned).to_vec(), false));
    assert_eq!(world.calls.deadline(), None);
    world.answer(call, 2, "late");
    assert_eq!(world.left_over, [(member(2), value("late"))]);
    let stats = CallsStats { calls: 1, timeouts: 1, left_overs: 1, ..CallsStats::default() };
    assert_eq!(world.calls.stats(), stats);
}

#[test]
fn a_late_word_that_there_is_no_channel_is_dropped() {
    let mut world = World::new();
    let call = world.call(1, RpcMode::All);
    world.pass(3_000);
    world.receive(call, 1, RpcContent::NoChannel);
    assert!(world.left_over.is_empty());
    assert_eq!(world.calls.stats().left_overs, 0);
}

#[test]
fn without_time_nothing_is_waited_for() {
    let mut world = World::new();
    let new = NewCall { targets: members(1), payload: value("x"), mode: RpcMode::All, timeout: Duration::ZERO };
    world.calls.called(world.now, [1; 16], new).unwrap();
    world.drain();
    assert_eq!(world.bodies.len(), 1, "it is sent all the same");
    assert_eq!(world.end().0, ["1 TimedOut"]);
}

#[test]
fn time_without_end_has_no_deadline() {
    let mut world = World::new();
    let new = NewCall { targets: members(1), payload: value("x"), mode: RpcMode::All, timeout: Duration::MAX };
    let call = world.calls.called(world.now, [1; 16], new).unwrap();
    world.drain();
    assert_eq!(world.calls.deadline(), None);
    world.answer(call, 1, "a");
    assert_eq!(world.end().0, ["1 a"]);
}

#[test]
fn a_target_that_was_not_reached_fails_alone_and_is_not_waited_for() {
    let mut world = World::new();
    let call = world.call(3, RpcMode::All);
    world.answer(call, 1, "a");
    world.sent(call, 1, Ok(()));
    world.sent(call, 2, Err(Failure::Connect));
    world.sent(call, 3, Ok(()));
    world.assert_open();
    world.answer(call, 3, "c");
    assert_eq!(world.end(), (["1 a", "2 Failed(Connect)", "3 c"].map(str::to_owned).to_vec(), false));
    // Nobody was reached: there is nothing to wait for.
    let call = world.call(2, RpcMode::First);
    world.sent(call, 1, Err(Failure::Connect));
    world.assert_open();
    world.sent(call, 2, Err(Failure::Timeout));
    assert!(!world.end().1);
    // One that failed is still one of those who are asked: one of three is no half.
    let call = world.call(3, RpcMode::Majority);
    world.sent(call, 3, Err(Failure::Connect));
    world.answer(call, 1, "a");
    world.assert_open();
    world.answer(call, 2, "b");
    assert!(world.end().1);
}

#[test]
fn an_answer_says_that_the_request_arrived_after_all() {
    let mut world = World::new();
    let call = world.call(2, RpcMode::All);
    // Its acknowledgement was lost.
    world.sent(call, 1, Err(Failure::ConnectionLost));
    world.answer(call, 1, "a");
    world.assert_open();
    world.answer(call, 2, "b");
    assert_eq!(world.end(), (["1 a", "2 b"].map(str::to_owned).to_vec(), true));
    // The other way round, the news of a failure comes too late to matter.
    let call = world.call(2, RpcMode::All);
    world.answer(call, 1, "a");
    world.sent(call, 1, Err(Failure::Timeout));
    world.answer(call, 2, "b");
    assert!(world.end().1);
}

#[test]
fn a_member_that_leaves_is_not_waited_for() {
    let mut world = World::new();
    let (one, two) = (world.call(2, RpcMode::All), world.call(1, RpcMode::First));
    world.answer(one, 1, "a");
    world.calls.left(&member(2).id);
    world.drain();
    assert_eq!(world.end(), (["1 a", "2 Left"].map(str::to_owned).to_vec(), false));
    world.answer(two, 1, "b");
    assert_eq!(world.end().0, ["1 b"], "the other call does not concern it");
}

#[test]
fn a_call_without_reply_waits_for_the_requests_only() {
    let mut world = World::new();
    let call = world.call(2, RpcMode::NoReply);
    assert_eq!(world.calls.deadline(), None);
    world.sent(call, 1, Ok(()));
    // Whoever has the channel answers: the mode is not on the wire.
    world.answer(call, 1, "a");
    world.assert_open();
    world.sent(call, 2, Err(Failure::QueueFull));
    let expected = ["1 NotAwaited", "2 Failed(QueueFull)"].map(str::to_owned);
    assert_eq!(world.end(), (expected.to_vec(), true));
    world.answer(call, 2, "b");
    assert_eq!(world.left_over, [(member(1), value("a")), (member(2), value("b"))]);
}

#[test]
fn an_abandoned_call_ends_without_a_word() {
    let mut world = World::new();
    let call = world.call(2, RpcMode::All);
    world.answer(call, 1, "a");
    world.calls.abandoned(call);
    world.drain();
    assert!(world.calls.is_empty() && world.calls.deadline().is_none());
    world.answer(call, 2, "b");
    world.assert_open();
    assert_eq!(world.left_over, [(member(2), value("b"))]);
}

#[test]
fn calls_without_an_end_are_bounded() {
    let mut world = World::with(CallsConfig { calls_max: 2, ..CallsConfig::default() });
    let first = world.call(1, RpcMode::All);
    world.call(1, RpcMode::All);
    let refused = world.try_call(members(1), RpcMode::All, value("x"));
    assert_eq!(refused, Err(CallError::TooMany(2)));
    assert_eq!(world.bodies.len(), 2, "nothing was sent");
    world.answer(first, 1, "a");
    world.call(1, RpcMode::All);
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn answers_without_room_are_not_kept() {
    let size = value("12345").len();
    let mut world = World::with(CallsConfig { reply_bytes_max: 2 * size, ..CallsConfig::default() });
    let (one, two) = (world.call(2, RpcMode::All), world.call(2, RpcMode::All));
    world.answer(one, 1, "12345");
    world.answer(two, 1, "12345");
    world.answer(one, 2, "1");
    assert_eq!(world.end(), (["1 12345", "2 NoRoom"].map(str::to_owned).to_vec(), false));
    // The room of a call that ended is free again.
    world.answer(two, 2, "67890");
    assert_eq!(world.end().0, ["1 12345", "2 67890"]);
    assert_eq!(world.calls.stats().no_room, 1);
}

#[test]
fn a_payload_that_is_no_value_is_refused() {
    let mut world = World::new();
    let refused = world.try_call(members(1), RpcMode::All, Bytes::from_static(b"ping"));
    assert!(matches!(refused, Err(CallError::Payload(_))));
    assert!(world.bodies.is_empty() && world.calls.is_empty());
}

#[test]
fn requests_and_uuids_of_odd_length_concern_no_call() {
    let mut world = World::new();
    let call = world.call(1, RpcMode::First);
    world.receive(call, 1, RpcContent::Request(value("ping")));
    let odd = RpcMessage { uuid: Bytes::from_static(&[1; 15]), ..world.request(call) };
    world.calls.received(&member(1), &odd.reply(RpcContent::Reply(value("odd"))));
    world.drain();
    world.assert_open();
    assert_eq!(world.left_over, [(member(1), value("odd"))]);
}
