//! Bytes and rounds recorded from Tomcat.

use super::*;
use crate::wire::{FrameDecoder, Message, MessageId, options};

fn all() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../../vectors/interceptors.json")).expect("the vectors are JSON")
}

fn vector(name: &str) -> serde_json::Value {
    let all = all();
    let vectors = all["vectors"].as_array().expect("a list of vectors");
    vectors.iter().find(|vector| vector["name"] == name).unwrap_or_else(|| panic!("no vector {name}")).clone()
}

fn bytes(value: &serde_json::Value) -> Bytes {
    hex::decode(value.as_str().expect("hex text")).expect("hex text").into()
}

/// Member A, B or C of the vectors.
fn named(name: char) -> Member {
    Member::decode(&bytes(&all()["members"][name.to_string()]), &Limits::default()).expect("a member")
}

fn wire(vector: &serde_json::Value) -> Vec<Bytes> {
    vector["wire_hex"].as_array().expect("a list").iter().map(bytes).collect()
}

/// What `{leader, source, members, id_hex, type}` says.
fn described(what: &serde_json::Value) -> ElectionMessage {
    let text = |key: &str| what[key].as_str().expect("text").to_owned();
    let one = |key: &str| named(text(key).chars().next().expect("a name"));
    let id = hex::decode(text("id_hex")).expect("hex text");
    ElectionMessage {
        leader: one("leader"),
        source: one("source"),
        members: text("members").chars().map(named).collect(),
        id: ViewId(id.try_into().expect("16 bytes")),
        kind: if text("type") == "confirm" { ElectionKind::Confirmation } else { ElectionKind::Request },
    }
}

fn world(local: char, others: &str) -> World {
    let mut world = World::of(named(local), ElectionConfig::default());
    let others: Vec<Member> = others.chars().map(named).collect();
    world.tell(|election, now| election.view_changed(now, &others));
    world
}

/// The next message leaves for these, with these bytes.
fn assert_sends(world: &mut World, to: &str, body: &Bytes) -> Sent {
    let sent = world.take_sent();
    assert_eq!(sent.to, to.chars().map(named).collect::<Vec<_>>());
    assert_eq!(sent.body, *body);
    sent
}

#[test]
fn every_recorded_message_is_read_and_written_to_the_same_bytes() {
    let mut count = 0;
    let confirmation = vector("coordinator-confirm");
    assert_eq!(decode(&wire(&confirmation)[0]), described(&confirmation["expected"]["decoded"]));
    let rounds = vector("coordinator-round");
    for (body, step) in wire(&rounds).iter().zip(rounds["expected"]["steps"].as_array().expect("steps")) {
        assert_eq!(decode(body), described(&step["message"]));
    }
    for name in [
        "coordinator-confirm",
        "coordinator-round",
        "coordinator-token-dies-at-new-leader",
        "coordinator-skips-unreachable",
    ] {
        for body in wire(&vector(name)) {
            assert!(is_coordination(&body));
            assert_eq!(decode(&body).encode(), body, "{name}");
            count += 1;
        }
    }
    assert_eq!(count, 8, "messages in the vectors");
}

#[test]
fn a_whole_round_of_three_nodes_is_the_recorded_one() {
    let vector = vector("coordinator-round");
    let recorded = wire(&vector);
    let steps = vector["expected"]["steps"].as_array().expect("steps");
    assert_eq!(recorded.len(), steps.len());
    let (mut a, mut b, mut c) = (world('A', "BC"), world('B', "CA"), world('C', "AB"));
    // The recorded id takes the place of ours, which is random there and here.
    a.tell(|election, now| election.started(now));
    let first = a.take_sent();
    let real = described(&steps[0]["message"]);
    assert_eq!(ElectionMessage { id: real.id, ..first.message }.encode(), recorded[0]);
    let Phase::Running { id, .. } = &mut a.election.phase else { panic!("an election runs") };
    *id = real.id;

    b.hear_bytes(&recorded[0]);
    assert_sends(&mut b, "C", &recorded[1]);
    c.hear_bytes(&recorded[1]);
    assert_sends(&mut c, "A", &recorded[2]);
    a.hear_bytes(&recorded[2]);
    let confirmed = assert_sends(&mut a, "BC", &recorded[3]);
    b.hear_bytes(&confirmed.body);
    c.hear_bytes(&confirmed.body);
    for world in [&mut a, &mut b, &mut c] {
        let (id, members) = world.take_view();
        assert_eq!((id, members), (real.id, real.members.clone()));
        assert_eq!(world.election.view().expect("a view").leader(), &named('A'));
        world.assert_silent();
    }
}

#[test]
fn a_token_dies_at_a_new_leader_which_then_elects_itself() {
    let vector = vector("coordinator-token-dies-at-new-leader");
    let recorded = wire(&vector);
    let mut b = world('B', "C");
    b.tell(|election, now| election.started(now));
    let first = b.take_sent();
    let real = described(&vector["expected"]["steps"][0]["message"]);
    assert_eq!(ElectionMessage { id: real.id, ..first.message }.encode(), recorded[0]);

    let mut c = world('C', "AB");
    c.hear_bytes(&recorded[0]);
    assert_sends(&mut c, "A", &recorded[1]);

    let mut a = world('A', "");
    a.tell(|election, now| election.started(now));
    a.views.clear();
    a.hear_bytes(&recorded[1]);
    assert!(a.sent.is_empty(), "it is dropped");
    assert_eq!(a.reaches, [named('B'), named('C')]);
    for number in ['B', 'C'] {
        a.tell(|election, now| election.reached(now, &named(number).id, true));
    }
    assert!(a.sent.is_empty(), "membership is decided elsewhere");
    a.tell(|election, now| election.view_changed(now, &[named('B'), named('C')]));
    let sent = a.take_sent();
    assert_eq!((&sent.message.source, sent.to), (&named('A'), vec![named('B')]));
}

#[test]
fn an_unreachable_member_is_skipped_and_stays_in_the_list() {
    let vector = vector("coordinator-skips-unreachable");
    let mut b = world('B', "AC");
    b.hear_bytes(&bytes(&vector["expected"]["arriving_hex"]));
    let hop = b.take_sent();
    assert_eq!(hop.to, [named('C')]);
    b.tell(|election, now| election.sent(now, hop.token, &named('C').id, false));
    let next = assert_sends(&mut b, "A", &wire(&vector)[0]);
    // Around it: what the driver adds.
    let frame = bytes(&vector["expected"]["frame_with_fixed_id_and_time_hex"]);
    let made = Message {
        options: options::USE_ACK,
        timestamp: start().wall_ms(),
        id: MessageId([0x11; 16].into()),
        from: named('B'),
        body: next.body,
    };
    assert_eq!(made.encode_frame(), frame);
    let mut decoder = FrameDecoder::new(&Limits::default());
    decoder.buffer().extend_from_slice(&frame);
    assert!(decoder.next().expect("a frame").is_some());
}

#[test]
fn a_node_alone_leads_itself_without_a_message() {
    assert_eq!(vector("coordinator-alone")["expected"]["sent"], 0);
    let mut a = world('A', "");
    a.tell(|election, now| election.started(now));
    assert_eq!(a.take_view().1, [named('A')]);
    a.assert_silent();
    assert_eq!(a.election.deadline(), None);
}

#[test]
fn what_is_no_message_of_a_coordinator_is_refused_as_recorded() {
    let vector = vector("coordinator-rx-bad");
    let expected = vector["expected"]["per_message"].as_array().expect("a list");
    let mut seen = 0;
    for (body, expected) in wire(&vector).iter().zip(expected) {
        let expected = expected.as_str().expect("text");
        assert_eq!(is_coordination(body), expected != "delivered", "{body:?}");
        if !is_coordination(body) {
            assert!(CoordinationMessage::decode(body, &Limits::default()).is_err());
            continue;
        }
        let mut a = world('A', "BC");
        a.hear_bytes(body);
        assert_eq!(a.dropped.len(), usize::from(expected != "swallowed"), "{body:?}");
        a.dropped.clear();
        a.assert_silent();
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn every_cut_of_a_message_is_an_error_and_a_tail_is_ignored() {
    let body = wire(&vector("coordinator-confirm")).remove(0);
    for length in 0..body.len() {
        assert!(CoordinationMessage::decode(&body.slice(..length), &Limits::default()).is_err(), "{length}");
    }
    let longer = Bytes::from([&body[..], b"tail"].concat());
    assert_eq!(decode(&longer), decode(&body));
}

#[test]
fn another_type_is_a_request() {
    let mut body = wire(&vector("coordinator-confirm")).remove(0).to_vec();
    *body.last_mut().expect("bytes") ^= 1;
    assert_eq!(decode(&body.into()).kind, ElectionKind::Request);
}

#[test]
fn messages_over_the_limits_are_refused() {
    let body = wire(&vector("coordinator-round")).remove(0);
    let kind = |limits: Limits| CoordinationMessage::decode(&body, &limits).expect_err("over a limit").kind;
    use crate::wire::WireErrorKind;
    let few = kind(Limits { coordination_members_max: 2, ..Limits::default() });
    assert_eq!(few, WireErrorKind::TooMany { what: "members", count: 3, limit: 2 });
    let small = kind(Limits { coordination_bytes_max: body.len() - 1, ..Limits::default() });
    assert!(matches!(small, WireErrorKind::OverLimit { .. }), "{small}");
    let record = kind(Limits { member_bytes_max: 40, ..Limits::default() });
    assert!(matches!(record, WireErrorKind::OverLimit { .. }), "{record}");
}
