//! For the tests of interceptors: the golden vectors, and one message through one interceptor.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use serde_json::Value;

use super::{
    Above, Arrival, Below, Body, Context, Draft, Flow, Interceptor, Parcel, Plan, Refusal, Rejection, Sink, Targets,
};
use crate::Now;
use crate::wire::{Member, Message};

/// The vectors whose names begin with `prefix`.
pub(in super::super) fn vectors(prefix: &str) -> Vec<Value> {
    let text = include_str!("../../../../../vectors/interceptors.json");
    let document: Value = serde_json::from_str(text).expect("the vectors are JSON");
    let all = document["vectors"].as_array().expect("a list").iter();
    let wanted: Vec<Value> =
        all.filter(|vector| vector["name"].as_str().is_some_and(|name| name.starts_with(prefix))).cloned().collect();
    assert!(!wanted.is_empty(), "{prefix}");
    wanted
}

/// The only vector of this name.
pub(in super::super) fn vector(name: &str) -> Value {
    vectors(name).into_iter().find(|vector| vector["name"] == name).expect("the vector exists")
}

pub(in super::super) fn unhex(value: &Value) -> Bytes {
    hex::decode(value.as_str().expect("a string")).expect("hexadecimal").into()
}

pub(in super::super) fn unhex_all(value: &Value) -> Vec<Bytes> {
    value.as_array().expect("a list").iter().map(unhex).collect()
}

/// A moment on the wall clock.
pub(in super::super) fn at(wall_ms: i64) -> Now {
    let since = Duration::from_millis(u64::try_from(wall_ms).expect("after 1970"));
    Now { mono: Instant::now(), wall: SystemTime::UNIX_EPOCH + since }
}

pub(in super::super) fn draft(options: i32, body: impl Into<Bytes>) -> Draft {
    Draft { options, timestamp: 1_700_000_000_000, id: [9; 16], body: Body::from(body.into()) }
}

/// What an interceptor makes of one message; its random bytes are those of `random`, over and over.
pub(in super::super) fn sent(
    interceptor: &dyn Interceptor,
    now: Now,
    random: &[u8],
    draft: Draft,
) -> Result<Draft, Refusal> {
    let mut plan = Plan::default();
    let mut source = random.iter().cycle();
    let mut fill = |bytes: &mut [u8]| bytes.fill_with(|| *source.next().expect("random bytes"));
    let mut cx = Context { now, random: &mut fill };
    let mut parcel = Parcel { draft, targets: Targets::All };
    let _flow = interceptor.outbound(&mut cx, &mut parcel, &mut Below::new(&[], 0, &[], &mut plan))?;
    if plan.parcels.is_empty() {
        plan.parcels.push(parcel); // it was changed where it is
    }
    assert_eq!(plan.parcels.len(), 1);
    Ok(plan.parcels.remove(0).draft)
}

/// What an interceptor gives the application of one message.
pub(in super::super) fn received(
    interceptor: &dyn Interceptor,
    now: Now,
    options: i32,
    body: Bytes,
) -> Result<Message, Rejection> {
    let from = Member::new(([10, 0, 0, 2], 4000).into(), [2; 16]);
    let message = draft(options, body).into_message(from);
    let mut sink = Sink::default();
    let mut cx = Context { now, random: &mut |bytes: &mut [u8]| bytes.fill(7) };
    let mut arrival = Arrival { message, answers: true };
    let flow = interceptor.inbound(&mut cx, &mut arrival, &mut Above::new(&[], &mut sink))?;
    assert_eq!((flow, sink.arrivals.len()), (Flow::Pass, 0), "either delivered or rejected");
    Ok(arrival.message)
}
