//! Bytes recorded from Tomcat.

use super::*;
use crate::wire::{FrameDecoder, Limits, MessageId};

fn transport() -> Vec<serde_json::Value> {
    let text = include_str!("../../../../../vectors/transport.json");
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn interceptors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../../vectors/interceptors.json")).expect("the vectors are JSON")
}

fn vector<'a>(all: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let vectors = all["vectors"].as_array().expect("a list of vectors");
    vectors.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn bytes(value: &serde_json::Value) -> Bytes {
    hex::decode(value.as_str().expect("hex text")).expect("hex text").into()
}

fn member_a() -> Member {
    Member::decode(&bytes(&interceptors()["members"]["A"]), &Limits::default()).expect("member A")
}

/// At the time and with the id of the vectors; the age of the sender is 123456 there.
fn frame(notice: Notice, options: i32) -> Bytes {
    let id = MessageId([0x11; 16].into());
    let made = notice.message(start(), member_a(), options, [0x11; 16]).encode_frame();
    // The ids of the vectors lack the version bits that every real id has.
    let real = MessageId::from_random([0x11; 16]).0;
    let at = made.windows(16).position(|window| window == &real[..]).expect("the id");
    let mut made = made.to_vec();
    made[at..at + 16].copy_from_slice(&id.0);
    made.into()
}

/// A node at an address that no vector has: node 1 stands in them.
fn stranger() -> World {
    World::of(member(200, 1), multicast())
}

#[test]
fn multicast_heartbeats_and_shutdowns() {
    let mut world = stranger();
    let named = |name: &str| {
        let all = transport();
        let found = all.iter().find(|vector| vector["name"] == name).expect("the vector");
        bytes(&found["hex"])
    };
    world.datagram(named("multicast-heartbeat"));
    let probe = world.outs.probes.pop().expect("a candidate");
    world.tell(|group, now| group.probed(now, probe.id, Verdict::Alive));
    world.datagram(named("multicast-shutdown"));
    assert_eq!(world.changes().1, vec![(probe.member.clone(), LeftReason::Goodbye)]);
    // What we would send in its place is the same.
    assert_eq!(probe.member.encode(), named("multicast-heartbeat"));
}

#[test]
fn every_record_is_a_heartbeat_or_dropped() {
    let mut records = 0;
    for vector in transport() {
        let name = vector["name"].as_str().expect("a name");
        if !name.starts_with("member-") {
            continue;
        }
        records += 1;
        let mut world = stranger();
        world.datagram(bytes(&vector["hex"]));
        let malformed = vector["fields"]["parser"].is_string();
        assert_eq!(
            world.outs.dropped.iter().any(|cause| matches!(cause, DropCause::Malformed(_))),
            malformed,
            "{name}"
        );
        let usable = !malformed && name != "member-host-length-0";
        assert_eq!(world.outs.probes.len(), usize::from(usable), "{name}");
        world.join(&member(2, 2)); // the receiver lives
    }
    assert!(records > 15, "the vectors are there: {records}");
}

#[test]
fn tfd_probes_byte_for_byte() {
    let all = interceptors();
    for (name, flag, read_test) in
        [("tfd-probe", 0, false), ("tfd-probe-read-test", 0, true), ("tfd-probe-flag", 514, false)]
    {
        let expect = bytes(&vector(&all, name)["wire_hex"][0]);
        assert_eq!(frame(Notice::Probe, notice::probe_options(flag, read_test)), expect, "{name}");
    }
}

#[test]
fn static_notices_and_the_ping_byte_for_byte() {
    let all = interceptors();
    let frames = &vector(&all, "static-start-stop")["expected"]["frames_with_fixed_id_and_time_hex"];
    assert_eq!(frame(Notice::Start, 0), bytes(&frames[0]));
    assert_eq!(frame(Notice::Stop, 0), bytes(&frames[1]));
    let ping = &vector(&all, "ping-message")["expected"]["frame_with_fixed_id_and_time_hex"];
    assert_eq!(frame(Notice::Ping, 0), bytes(ping));
}

/// What of these bodies goes up with these flags.
fn delivered(vector: &serde_json::Value, ping: bool) -> Vec<String> {
    let flag = |kind: bool| {
        let flag = vector["config"]["optionFlag"].as_i64().unwrap_or(0);
        if kind { i32::try_from(flag).expect("a flag") } else { 0 }
    };
    let detector = DetectorConfig { option_flag: flag(!ping), ping_flag: flag(ping), ..DetectorConfig::default() };
    let swallowed = if ping { Notice::Ping } else { Notice::Probe };
    let options = vector["expected"]["options"].as_i64().unwrap_or(0);
    let bodies = vector["wire_hex"].as_array().expect("bodies");
    let goes_up = |body: &&serde_json::Value| {
        let options = i32::try_from(options).expect("options");
        let id = MessageId::from_random([0; 16]);
        let message = Message { options, timestamp: 0, id, from: member(2, 2), body: bytes(body) };
        Notice::of(&message, &detector) != Some(swallowed)
    };
    bodies.iter().filter(goes_up).map(|body| body.as_str().expect("hex").to_owned()).collect()
}

#[test]
fn what_is_swallowed() {
    let all = interceptors();
    let cases = [
        ("tfd-rx-probe", false),
        ("tfd-rx-probe-flag-missing", false),
        ("tfd-rx-not-probe", false),
        ("tfd-rx-ping", false),
        ("ping-rx-flag-0", true),
        ("ping-rx-flag-512", true),
    ];
    for (name, ping) in cases {
        let vector = vector(&all, name);
        let expect: Vec<String> = serde_json::from_value(vector["expected"]["delivered_hex"].clone()).expect("bodies");
        assert_eq!(delivered(vector, ping), expect, "{name}");
    }
}

#[test]
fn static_notices_received() {
    let all = interceptors();
    let vector = vector(&all, "static-rx");
    let decode = |name: &str| Member::decode(&bytes(&all["members"][name]), &Limits::default()).expect("a member");
    let (b, c) = (decode("B"), decode("C"));
    let mut world = World::new(configured(std::slice::from_ref(&b)));
    world.answer(&b, REFUSED);
    let senders = [&b, &b, &c, &b];
    let mut up = Vec::new();
    let mut events = Vec::new();
    for (from, body) in senders.into_iter().zip(vector["wire_hex"].as_array().expect("bodies")) {
        world.pass(ms(100));
        let id = MessageId::from_random([0; 16]);
        let message = Message { options: 0, timestamp: 0, id, from: from.clone(), body: bytes(body) };
        match Notice::of(&message, &DetectorConfig::default()) {
            None => up.push(body.clone()),
            Some(notice) => world.tell(|group, now| group.notice_received(now, from, notice)),
        }
        if world.outs.probes.iter().any(|probe| probe.member == b) {
            world.answer(&b, Verdict::Alive);
        }
        let (joined, left) = world.changes();
        events.extend(joined.iter().map(|member| format!("added {}", member.id.port)));
        events.extend(left.iter().map(|(member, _)| format!("disappeared {}", member.id.port)));
    }
    assert_eq!(serde_json::Value::from(up), vector["expected"]["delivered_hex"]);
    assert_eq!(serde_json::Value::from(events), vector["expected"]["events"]);
}

#[test]
fn tfd_test_message_of_the_transport_vectors_is_a_probe() {
    let all = transport();
    for (name, notice) in [
        ("failure-detector-test", Notice::Probe),
        ("static-interceptor-start", Notice::Start),
        ("static-interceptor-stop", Notice::Stop),
    ] {
        let found = all.iter().find(|vector| vector["name"] == name).expect("the vector");
        let limits = Limits::default();
        let mut decoder = FrameDecoder::new(&limits);
        decoder.buffer().extend_from_slice(&bytes(&found["hex"]));
        let content = decoder.next().expect("frames").expect("one");
        let message = Message::decode(&content, &limits).expect("a message");
        assert_eq!(Notice::of(&message, &DetectorConfig::default()), Some(notice), "{name}");
    }
}
