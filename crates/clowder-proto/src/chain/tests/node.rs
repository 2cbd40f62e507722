//! What the tests of layers share: members, vectors, and a chain with a clock.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde_json::Value;

use super::vectors::unhex;
use crate::chain::*;
use crate::wire::{Limits, Member};

pub(in crate::chain) fn interceptors() -> Value {
    serde_json::from_str(include_str!("../../../../../vectors/interceptors.json")).expect("the vectors are JSON")
}

pub(in crate::chain) fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// Set the attributes of a vector's configuration.
pub(in crate::chain) fn configured(mut layer: LayerConfig, vector: &Value) -> LayerConfig {
    for (attribute, value) in vector["config"].as_object().expect("a configuration") {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        layer.set(attribute, &value).unwrap();
    }
    layer
}

/// Member A, B or C of the vectors.
pub(in crate::chain) fn vector_member(name: &str) -> Member {
    Member::decode(&unhex(&interceptors()["members"][name]), &Limits::default()).expect("a member")
}

pub(in crate::chain) fn member(last: u8) -> Member {
    Member::new(([10, 0, 0, last], 4000).into(), [last; 16])
}

pub(in crate::chain) fn draft(options: i32, id: u8, body: impl Into<Bytes>) -> Draft {
    Draft { options, timestamp: 7, id: [id; 16], body: Body::from(body.into()) }
}

/// A chain, its time and its random bytes.
#[derive(Debug)]
pub(in crate::chain) struct Node {
    pub(in crate::chain) chain: Chain,
    pub(in crate::chain) now: Now,
}

impl Node {
    pub(in crate::chain) fn new(layers: Vec<LayerConfig>) -> Node {
        let (chain, _) = ChainConfig { layers, option_check: false }.build().expect("a chain that works");
        Node { chain, now: Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH } }
    }

    pub(in crate::chain) fn with<T>(&self, work: impl FnOnce(&Chain, &mut Context<'_>) -> T) -> T {
        let mut next = 0x40;
        let mut random = |bytes: &mut [u8]| {
            bytes.iter_mut().for_each(|byte| {
                *byte = next;
                next = next.wrapping_add(1);
            });
        };
        work(&self.chain, &mut Context { now: self.now, random: &mut random })
    }

    pub(in crate::chain) fn pass(&mut self, millis: u64) {
        self.now = self.now.later(Duration::from_millis(millis));
    }

    pub(in crate::chain) fn send(&self, draft: Draft, targets: &[Member]) -> Plan {
        let targets: Vec<_> = targets.iter().map(|target| target.id.clone()).collect();
        self.with(|chain, cx| chain.outbound(None, cx, draft, &targets)).expect("not refused")
    }

    pub(in crate::chain) fn receive(&self, message: Message) -> Sink {
        let mut sink = Sink::default();
        self.with(|chain, cx| chain.inbound(cx, message, &mut sink));
        sink
    }

    /// A message of member 1.
    pub(in crate::chain) fn receive_body(&self, id: u8, body: impl Into<Bytes>) -> Sink {
        self.receive(draft(0, id, body).into_message(member(1)))
    }

    pub(in crate::chain) fn flush(&self, sender: &Member, why: Flush) -> Sink {
        let mut sink = Sink::default();
        self.with(|chain, cx| chain.flush(cx, &sender.id, why, &mut sink));
        sink
    }

    /// What the driver does when the chain's deadline has come: everything that came out.
    pub(in crate::chain) fn overdue(&self) -> Sink {
        let mut sink = Sink::default();
        for sender in self.chain.overdue(self.now) {
            self.with(|chain, cx| chain.flush(cx, &sender, Flush::Overdue, &mut sink));
        }
        sink
    }

    pub(in crate::chain) fn counter(&self, name: &str) -> u64 {
        let counters = self.chain.interceptors().flat_map(|interceptor| interceptor.counters());
        counters.filter(|(other, _)| *other == name).map(|(_, count)| count).sum()
    }
}

/// The bodies that a plan sends.
pub(in crate::chain) fn sent(plan: &Plan) -> Vec<Bytes> {
    plan.parcels.iter().map(|parcel| parcel.draft.body.clone().into_bytes()).collect()
}

/// The bodies that were delivered.
pub(in crate::chain) fn delivered(sink: &Sink) -> Vec<Bytes> {
    sink.arrivals.iter().map(|arrival| arrival.message.body.clone()).collect()
}

/// The kinds of what was rejected.
pub(in crate::chain) fn rejected(sink: &Sink) -> Vec<&'static str> {
    sink.rejections.iter().map(|(_, _, rejection)| rejection.kind).collect()
}
