//! Any sequence of inputs: each call ends once, with one fate for each target, and leaves nothing behind.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use java_object_stream::to_bytes;
use proptest::prelude::*;

use crate::Now;
use crate::link::Failure;
use crate::rpc::{CallId, Calls, CallsConfig, CallsOut, NewCall, RpcContent, RpcLimits, RpcMessage, RpcMode};
use crate::wire::Member;

#[derive(Clone, Debug)]
enum Step {
    Call(u8, RpcMode, u64),
    Sent(usize, u8, bool),
    Reply(usize, u8, usize),
    NoChannel(usize, u8),
    Left(u8),
    Abandon(usize),
    Pass(u64),
}

fn member(number: u8) -> Member {
    Member::new(([10, 0, 0, number], 4000).into(), [number; 16])
}

fn step() -> impl Strategy<Value = Step> {
    let mode = prop_oneof![Just(RpcMode::First), Just(RpcMode::Majority), Just(RpcMode::All), Just(RpcMode::NoReply)];
    let target = 1..6u8;
    prop_oneof![
        3 => (0..6u8, mode, 0..50u64).prop_map(|(targets, mode, ms)| Step::Call(targets, mode, ms)),
        5 => (0..20usize, target.clone(), any::<bool>()).prop_map(|(call, to, ok)| Step::Sent(call, to, ok)),
        8 => (0..20usize, target.clone(), 0..40usize).prop_map(|(call, from, size)| Step::Reply(call, from, size)),
        2 => (0..20usize, target.clone()).prop_map(|(call, from)| Step::NoChannel(call, from)),
        1 => target.prop_map(Step::Left),
        1 => (0..20usize).prop_map(Step::Abandon),
        2 => (0..30u64).prop_map(Step::Pass),
    ]
}

#[derive(Default)]
struct Seen {
    requests: Vec<(CallId, RpcMessage)>,
    ended: BTreeMap<CallId, usize>,
}

impl Seen {
    fn drain(&mut self, calls: &mut Calls, targets: &BTreeMap<CallId, u8>) {
        while let Some(out) = calls.poll() {
            match out {
                CallsOut::Send { call, body, .. } => {
                    self.requests.push((call, RpcMessage::decode(&body, &RpcLimits::default()).unwrap()));
                }
                CallsOut::Ended { call, end } => {
                    *self.ended.entry(call).or_default() += 1;
                    let asked: Vec<Member> = (1..=targets.get(&call).copied().unwrap_or(0)).map(member).collect();
                    let told: Vec<Member> = end.fates.into_iter().map(|(member, _)| member).collect();
                    assert!(targets.get(&call).is_none() || told == asked);
                }
                CallsOut::LeftOver { .. } => {}
            }
        }
    }

    fn request(&self, index: usize) -> Option<&(CallId, RpcMessage)> {
        self.requests.get(index)
    }
}

proptest! {
    #[test]
    fn every_call_ends_once_with_one_fate_for_each_target(steps in prop::collection::vec(step(), 1..120)) {
        let config = CallsConfig { calls_max: 5, reply_bytes_max: 100 };
        let mut calls = Calls::new(config, Bytes::from_static(b"id"));
        let mut now = Now { mono: Instant::now(), wall: UNIX_EPOCH };
        let (mut seen, mut targets, mut abandoned) = (Seen::default(), BTreeMap::new(), Vec::new());
        for (serial, step) in steps.into_iter().enumerate() {
            match step {
                Step::Call(count, mode, ms) => {
                    let new = NewCall {
                        targets: (1..=count).map(member).collect(),
                        payload: to_bytes("x").unwrap(),
                        mode,
                        timeout: Duration::from_millis(ms),
                    };
                    let random = u128::try_from(serial).unwrap().to_be_bytes();
                    if let Ok(call) = calls.called(now, random, new) {
                        targets.insert(call, count);
                    }
                }
                Step::Sent(index, to, ok) => {
                    if let Some((call, _)) = seen.request(index) {
                        calls.sent(*call, &member(to).id, if ok { Ok(()) } else { Err(Failure::Connect) });
                    }
                }
                Step::Reply(index, from, size) => {
                    if let Some((_, request)) = seen.request(index) {
                        let payload = to_bytes(&"x".repeat(size)).unwrap();
                        calls.received(&member(from), &request.reply(RpcContent::Reply(payload)));
                    }
                }
                Step::NoChannel(index, from) => {
                    if let Some((_, request)) = seen.request(index) {
                        calls.received(&member(from), &request.reply(RpcContent::NoChannel));
                    }
                }
                Step::Left(number) => calls.left(&member(number).id),
                Step::Abandon(index) => {
                    if let Some((call, _)) = seen.request(index)
                        && !seen.ended.contains_key(call)
                    {
                        calls.abandoned(*call);
                        abandoned.push(*call);
                    }
                }
                Step::Pass(ms) => {
                    now = now.later(Duration::from_millis(ms));
                    calls.handle_deadline(now);
                }
            }
            seen.drain(&mut calls, &targets);
        }
        // What is still open, ends: its time is over, or its requests have their outcome.
        calls.handle_deadline(now.later(Duration::from_secs(1)));
        for (call, count) in &targets {
            for number in 1..=*count {
                calls.sent(*call, &member(number).id, Ok(()));
            }
        }
        seen.drain(&mut calls, &targets);
        prop_assert!(calls.is_empty() && calls.deadline().is_none());
        for call in targets.keys() {
            let expected = usize::from(!abandoned.contains(call));
            prop_assert_eq!(seen.ended.get(call).copied().unwrap_or(0), expected);
        }
    }
}
