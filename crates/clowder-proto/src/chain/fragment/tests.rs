use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::chain::tests::node::{Node, configured, delivered, draft, member, rejected, sent, text, vector_member};
use crate::chain::tests::vectors::{unhex, unhex_all, vectors};
use crate::chain::{Layer, LayerConfig};

fn node(change: impl FnOnce(&mut FragmentConfig)) -> Node {
    let mut config = FragmentConfig { max_size: 10, ..FragmentConfig::default() };
    change(&mut config);
    Node::new(vec![LayerConfig::Fragment(config)])
}

fn held(fragment: &Fragment) -> (usize, usize) {
    lock(&fragment.pieces).held()
}

fn piece(data: &[u8], number: i32, count: i32) -> Bytes {
    [data, &number.to_be_bytes(), &count.to_be_bytes(), &[PIECE]].concat().into()
}

fn of_vector(vector: &serde_json::Value) -> Node {
    Node::new(vec![configured(LayerConfig::named("fragment").unwrap(), vector)])
}

#[test]
fn every_recorded_send_is_cut_to_the_same_bytes_and_joined_again() {
    for vector in vectors("frag-").iter().filter(|vector| vector["direction"] == "send") {
        let node = of_vector(vector);
        let options = i32::try_from(vector["expected"]["options"].as_i64().unwrap()).unwrap();
        let original = draft(options, 0x22, unhex(&vector["input_hex"]));
        let plan = node.send(original.clone(), &[vector_member("B"), vector_member("C")]);
        assert_eq!(sent(&plan), unhex_all(&vector["wire_hex"]), "{}", vector["name"]);
        let mut arrived = Vec::new();
        for parcel in plan.parcels {
            let same = (parcel.draft.id, parcel.draft.options, parcel.draft.timestamp);
            assert_eq!(same, (original.id, original.options, original.timestamp), "{}", vector["name"]);
            arrived.extend(delivered(&node.receive(parcel.draft.into_message(vector_member("A")))));
        }
        assert_eq!(arrived, unhex_all(&vector["expected"]["receiver_delivers_hex"]), "{}", vector["name"]);
    }
}

#[test]
fn every_recorded_piece_is_held_delivered_or_rejected_as_by_tomcat() {
    for vector in vectors("frag-rx-") {
        let (node, mut arrived) = (of_vector(&vector), Vec::new());
        let outcomes: Vec<String> = unhex_all(&vector["wire_hex"])
            .into_iter()
            .map(|body| {
                let sink = node.receive_body(0x22, body);
                arrived.extend(delivered(&sink));
                if let [(_, true, rejection)] = &sink.rejections[..] {
                    // An exception, which the sender hears of.
                    assert_eq!(rejection.answer, Ack::Failed);
                    return "exception".to_owned();
                }
                if sink.arrivals.is_empty() { "held" } else { "delivered" }.to_owned()
            })
            .collect();
        let expected: Vec<String> = vector["expected"]["per_frame"]
            .as_array()
            .unwrap()
            .iter()
            .map(|outcome| if text(outcome).starts_with("java") { "exception".to_owned() } else { text(outcome) })
            .collect();
        assert_eq!(outcomes, expected, "{}", vector["name"]);
        assert_eq!(arrived, unhex_all(&vector["expected"]["delivered_hex"]), "{}", vector["name"]);
    }
}

#[test]
fn a_bad_piece_leaves_nothing_behind() {
    let fragment = Fragment::new(FragmentConfig::default());
    let mut sink = Default::default();
    for body in [piece(b"x", 3, 3), piece(b"x", -1, 3), piece(b"x", 0, 0), Bytes::from_static(&[1])] {
        let message = draft(0, 1, body).into_message(member(1));
        let node = node(|_| ());
        node.with(|_, cx| {
            let mut arrival = Arrival { message, answers: true };
            assert!(fragment.inbound(cx, &mut arrival, &mut Above::new(&[], &mut sink)).is_err());
        });
    }
    assert_eq!(held(&fragment), (0, 0));
}

#[test]
fn what_is_delivered_has_the_options_time_and_sender_of_the_piece_that_came_first() {
    let node = node(|_| ());
    let mut first = draft(5, 1, piece(b"b", 1, 2));
    first.timestamp = 77;
    assert!(delivered(&node.receive(first.into_message(member(1)))).is_empty());
    let sink = node.receive(draft(6, 1, piece(b"a", 0, 2)).into_message(member(1)));
    let [arrival] = &sink.arrivals[..] else { panic!("{sink:?}") };
    let message = &arrival.message;
    assert_eq!((message.options, message.timestamp, &message.body[..]), (5, 77, &b"ab"[..]));
    assert!(arrival.answers, "the last piece stands for the message");
}

#[test]
fn two_senders_can_use_one_id() {
    let node = node(|_| ());
    let from = |sender, body| node.receive(draft(0, 1, body).into_message(member(sender)));
    assert!(delivered(&from(1, piece(b"a", 0, 2))).is_empty());
    assert!(delivered(&from(2, piece(b"y", 1, 2))).is_empty());
    assert_eq!(delivered(&from(1, piece(b"b", 1, 2))), [&b"ab"[..]]);
    assert_eq!(delivered(&from(2, piece(b"x", 0, 2))), [&b"xy"[..]]);
}

#[test]
fn a_piece_after_completion_is_rejected_and_opens_nothing() {
    let mut node = node(|_| ());
    node.receive_body(1, piece(b"a", 0, 2));
    assert_eq!(delivered(&node.receive_body(1, piece(b"b", 1, 2))), [&b"ab"[..]]);
    for number in [0, 1] {
        assert_eq!(rejected(&node.receive_body(1, piece(b"a", number, 2))), ["late_piece"]);
    }
    assert!(node.chain.deadline().is_none());
    // It is not remembered for ever.
    node.pass(60_000);
    assert!(rejected(&node.receive_body(1, piece(b"a", 0, 2))).is_empty());
}

#[test]
fn a_number_above_the_first_piece_s_count_is_rejected() {
    let node = node(|_| ());
    node.receive_body(1, piece(b"a", 0, 2));
    assert_eq!(rejected(&node.receive_body(1, piece(b"c", 2, 3))), ["piece_number"]);
    assert_eq!(delivered(&node.receive_body(1, piece(b"b", 1, 2))), [&b"ab"[..]]);
}

#[test]
fn a_repeated_piece_replaces_itself_and_is_counted_once() {
    let fragment = Arc::new(Fragment::new(FragmentConfig { message_bytes_max: 8, ..FragmentConfig::default() }));
    let (node, mut sink) = (node(|_| ()), Default::default());
    let layers = [Layer::Interceptor(fragment.clone())];
    node.with(|_, cx| {
        let mut arrived = |body| {
            let message = draft(0, 1, body).into_message(member(1));
            Above::new(&layers, &mut sink).pass(cx, Arrival { message, answers: true });
        };
        for _ in 0..5 {
            arrived(piece(b"aaaa", 0, 2));
        }
        arrived(piece(b"AAAA", 0, 2));
        arrived(piece(b"bbb", 1, 2));
    });
    assert_eq!((delivered(&sink), rejected(&sink)), (vec![Bytes::from_static(b"AAAAbbb")], vec![]));
    assert_eq!(held(&fragment), (0, 0));
}

#[test]
fn an_incomplete_message_is_given_up_after_its_time() {
    let mut node = node(|_| ());
    node.receive_body(1, piece(b"a", 0, 2));
    assert_eq!(node.chain.deadline(), Some(node.now.mono + Duration::from_secs(60)));
    node.pass(59_999);
    assert!(delivered(&node.overdue()).is_empty());
    assert_eq!(node.counter("expired"), 0);
    node.pass(1);
    node.overdue();
    assert_eq!((node.counter("expired"), node.chain.deadline()), (1, None));
    assert!(delivered(&node.receive_body(1, piece(b"b", 1, 2))).is_empty());
}

#[test]
fn what_a_sender_began_is_forgotten_when_it_left() {
    let node = node(|_| ());
    node.receive_body(1, piece(b"a", 0, 2));
    node.receive(draft(0, 1, piece(b"x", 0, 2)).into_message(member(2)));
    node.flush(&member(1), Flush::Overdue);
    assert_eq!(node.counter("left"), 0);
    node.flush(&member(1), Flush::Left);
    assert_eq!(node.counter("left"), 1);
    let other = node.receive(draft(0, 1, piece(b"y", 1, 2)).into_message(member(2)));
    assert_eq!(delivered(&other), [&b"xy"[..]]);
}

#[test]
fn the_rest_of_a_message_that_was_given_up_fails() {
    let mut node = node(|_| ());
    node.receive_body(1, piece(b"too", 0, 2));
    node.pass(60_000);
    node.receive_body(2, piece(b"taken", 0, 2));
    node.flush(&member(1), Flush::Left);
    for (id, rest) in [(1, b" old"), (2, b"away")] {
        let sink = node.receive_body(id, piece(rest, 1, 2));
        assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["late_piece"], Ack::Failed));
    }
    node.pass(60_000);
    assert!(rejected(&node.receive_body(1, piece(b"a", 0, 2))).is_empty(), "nobody remembers");
}

#[test]
fn more_pieces_than_allowed_are_rejected() {
    let node = node(|config| config.pieces_max = 100);
    assert_eq!(rejected(&node.receive_body(1, piece(b"a", 0, 101))), ["too_many_pieces"]);
    assert_eq!(rejected(&node.receive_body(1, piece(b"a", 0, i32::MAX))), ["too_many_pieces"]);
    assert!(rejected(&node.receive_body(1, piece(b"a", 0, 100))).is_empty());
}

#[test]
fn more_messages_than_allowed_are_rejected() {
    let node = node(|config| config.messages_max = 2);
    for id in [1, 2] {
        assert!(rejected(&node.receive_body(id, piece(b"a", 0, 2))).is_empty());
    }
    assert_eq!(rejected(&node.receive_body(3, piece(b"a", 0, 2))), ["too_many_messages"]);
    // Those that are there go on, and make room.
    assert_eq!(delivered(&node.receive_body(1, piece(b"b", 1, 2))), [&b"ab"[..]]);
    assert!(rejected(&node.receive_body(3, piece(b"a", 0, 2))).is_empty());
}

#[test]
fn more_bytes_than_allowed_are_rejected() {
    let node = node(|config| config.held_bytes_max = 3_000);
    assert!(rejected(&node.receive_body(1, piece(&[0; 1_000], 0, 3))).is_empty());
    assert!(rejected(&node.receive_body(1, piece(&[0; 1_000], 1, 3))).is_empty());
    assert_eq!(rejected(&node.receive_body(2, piece(&[0; 1_000], 0, 3))), ["memory_full"]);
}

/// Its sender knows that it failed: the rest is of no use.
#[test]
fn a_message_of_which_a_piece_found_no_room_takes_none() {
    let node = node(|config| config.held_bytes_max = 3_000);
    assert!(rejected(&node.receive_body(1, piece(&[0; 1_000], 0, 3))).is_empty());
    assert_eq!(rejected(&node.receive_body(1, piece(&[0; 2_000], 1, 3))), ["memory_full"]);
    assert_eq!(node.chain.held_bytes(), 0);
    assert_eq!(rejected(&node.receive_body(1, piece(&[0; 10], 2, 3))), ["late_piece"]);
    assert_eq!(node.chain.held_bytes(), 0);
}

#[test]
fn tiny_pieces_cost_more_than_their_bytes() {
    let node = node(|config| config.held_bytes_max = 10_000);
    let accepted = (0..1_000).take_while(|n| rejected(&node.receive_body(1, piece(b"", *n, 1_000))).is_empty());
    assert!(accepted.count() < 110);
}

#[test]
fn a_message_over_its_limit_is_rejected() {
    let node = node(|config| config.message_bytes_max = 25);
    assert_eq!(rejected(&node.receive_body(1, piece(&[0; 26], 1, 2))), ["message_too_large"]);
    // By what it declares.
    assert_eq!(rejected(&node.receive_body(2, piece(&[0; 10], 0, 4))), ["message_too_large"]);
    for number in 0..2 {
        assert!(rejected(&node.receive_body(3, piece(&[0; 10], number, 3))).is_empty());
    }
    assert_eq!(rejected(&node.receive_body(3, piece(&[0; 6], 2, 3))), ["message_too_large"]);
    assert_eq!(delivered(&node.receive_body(3, piece(&[0; 5], 2, 3))), [vec![0; 25]]);
}

#[test]
fn a_body_of_too_many_pieces_is_not_sent() {
    let node = node(|config| (config.max_size, config.pieces_max) = (1, 100));
    assert_eq!(node.send(draft(0, 1, vec![0; 100]), &[member(2)]).parcels.len(), 100);
    let refused =
        node.with(|chain, cx| chain.outbound(None, cx, draft(0, 1, vec![0; 101]), &[member(2).id])).unwrap_err();
    assert!(refused.reason.contains("raise maxSize"), "{refused}");
}
