use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::chain::tests::node::{Node, configured, delivered, draft, member, rejected, sent, text, vector_member};
use crate::chain::tests::vectors::{unhex, unhex_all, vector, vectors};
use crate::chain::{GzipConfig, Layer, LayerConfig, Targets};

fn node(change: impl FnOnce(&mut TwoPhaseConfig)) -> Node {
    let mut config = TwoPhaseConfig::default();
    change(&mut config);
    Node::new(vec![LayerConfig::TwoPhase(config)])
}

fn confirms(id: u8) -> Vec<u8> {
    [BEGIN, [id; 16], END].concat()
}

/// A message and its confirmation.
fn both(node: &Node, id: u8, confirmation: u8) -> Vec<Bytes> {
    let mut all = delivered(&node.receive_body(id, "m"));
    all.extend(delivered(&node.receive_body(confirmation, confirms(id))));
    all
}

#[test]
fn the_confirmation_follows_the_message_with_the_recorded_bytes() {
    let vector = vector("twophase-send");
    let node = Node::new(vec![configured(LayerConfig::named("two-phase").unwrap(), &vector)]);
    let targets = [vector_member("B"), vector_member("C")];
    let message = draft(2, 0x55, unhex(&vector["input_hex"]));
    let plan = node.send(message.clone(), &targets);
    let wire = unhex_all(&vector["wire_hex"]);
    assert_eq!(sent(&plan), wire[..1]);
    let [follow_up] = &plan.follow_ups[..] else { panic!("{plan:?}") };
    assert_eq!((follow_up.after.clone(), follow_up.targets), (0..1, Targets::All));
    let ids = targets.map(|target| target.id);
    let next = node.with(|chain, cx| chain.follow_up(cx, follow_up.clone(), &ids)).unwrap();
    assert_eq!(sent(&next), wire[1..]);
    let confirmation = &next.parcels[0].draft;
    assert_eq!((confirmation.options, confirmation.timestamp), (message.options, message.timestamp));
    assert_eq!(i64::from(confirmation.options), vector["expected"]["confirmation_options"].as_i64().unwrap());
    assert_ne!(confirmation.id, message.id);
    assert_eq!((confirmation.id[6] >> 4, confirmation.id[8] >> 6), (4, 2), "a random UUID");
}

#[test]
fn a_confirmation_names_its_message_whatever_deepclone_says() {
    let vector = vector("twophase-send-shallow-broken");
    let node = Node::new(vec![configured(LayerConfig::named("two-phase").unwrap(), &vector)]);
    let plan = node.send(draft(2, 0x55, unhex(&vector["input_hex"])), &[member(2)]);
    assert_eq!(plan.follow_ups[0].draft.body.clone().into_bytes(), confirms(0x55));
}

#[test]
fn every_recorded_sequence_is_delivered_as_by_tomcat() {
    for vector in vectors("twophase-rx-") {
        let name = text(&vector["name"]);
        let node = Node::new(vec![configured(LayerConfig::named("two-phase").unwrap(), &vector)]);
        let outcomes = vector["expected"]["per_message"].as_array().unwrap();
        for (index, body) in unhex_all(&vector["wire_hex"]).into_iter().enumerate() {
            let outcome = &outcomes[index];
            let id = unhex(&outcome["unique_id_hex"])[0];
            let sink = node.receive_body(id, body);
            let mut expected = unhex_all(&outcome["delivers_hex"]);
            if name == "twophase-rx-conf-first" && index == 1 {
                // What Tomcat loses: see a_confirmation_that_comes_first_is_kept_for_its_message.
                expected = vec![Bytes::from_static(b"payload")];
            }
            assert_eq!(delivered(&sink), expected, "{name}");
            let ids: Vec<Bytes> =
                sink.arrivals.iter().map(|arrival| Bytes::copy_from_slice(&arrival.message.id.0)).collect();
            if !outcome["delivered_unique_id_hex"].is_null() {
                assert_eq!(ids, [unhex(&outcome["delivered_unique_id_hex"])], "{name}");
            }
        }
    }
}

#[test]
fn a_message_without_the_flag_is_not_held_even_if_it_looks_like_a_confirmation() {
    let node = node(|config| config.option_flag = 512);
    for body in [b"m".to_vec(), confirms(1)] {
        let plan = node.send(draft(2, 1, body.clone()), &[member(2)]);
        assert!(plan.follow_ups.is_empty());
        assert_eq!(delivered(&node.receive_body(9, body.clone())), [body]);
    }
    assert_eq!(node.send(draft(512, 1, "m"), &[member(2)]).follow_ups.len(), 1);
}

#[test]
fn the_confirmation_stands_for_the_message_that_it_gives_out() {
    let node = node(|_| ());
    let sink = node.receive(draft(5, 1, "m").into_message(member(1)));
    assert!(sink.arrivals.is_empty());
    let sink = node.receive(draft(0, 2, confirms(1)).into_message(member(1)));
    let [arrival] = &sink.arrivals[..] else { panic!("{sink:?}") };
    assert!(arrival.answers);
    assert_eq!((arrival.message.options, &arrival.message.id.0[..]), (5, &[1; 16][..]), "the message as it came");
}

#[test]
fn a_confirmation_that_comes_first_is_kept_for_its_message() {
    let mut node = node(|_| ());
    assert!(delivered(&node.receive_body(2, confirms(1))).is_empty());
    node.pass(59_999);
    let sink = node.receive_body(1, "m");
    assert_eq!(delivered(&sink), [&b"m"[..]]);
    assert!(sink.arrivals[0].answers);
    // Not for ever.
    node.receive_body(4, confirms(3));
    node.pass(60_000);
    assert!(delivered(&node.receive_body(3, "m")).is_empty());
}

#[test]
fn a_copy_of_what_was_delivered_is_never_delivered_again() {
    let node = node(|_| ());
    assert_eq!(both(&node, 1, 2), [&b"m"[..]]);
    // Copies of both, in either order.
    assert!(both(&node, 1, 2).is_empty());
    node.receive_body(2, confirms(1));
    assert!(delivered(&node.receive_body(1, "m")).is_empty());
    assert_eq!(node.chain.deadline(), None);
}

#[test]
fn a_second_confirmation_delivers_nothing_and_says_so() {
    let node = node(|_| ());
    both(&node, 1, 2);
    let sink = node.receive_body(2, confirms(1));
    assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["confirmed_before"], Ack::Failed));
}

#[test]
fn a_repeated_message_replaces_itself() {
    let two_phase = Arc::new(TwoPhase::new(TwoPhaseConfig::default()));
    let (node, mut sink) = (node(|_| ()), Default::default());
    let layers = [Layer::Interceptor(two_phase.clone())];
    node.with(|_, cx| {
        let mut arrived = |id, body: Vec<u8>| {
            let message = draft(0, id, body).into_message(member(1));
            Above::new(&layers, &mut sink).pass(cx, Arrival { message, answers: true });
        };
        (0..3).for_each(|_| arrived(1, b"m".to_vec()));
        assert_eq!(lock(&two_phase.store).held().0, 1);
        (0..3).for_each(|_| arrived(2, confirms(9)));
        assert_eq!(lock(&two_phase.store).held().0, 2);
        arrived(3, confirms(1));
        arrived(9, b"n".to_vec());
        assert_eq!(lock(&two_phase.store).held(), (0, 0));
    });
    assert_eq!(delivered(&sink), [&b"m"[..], b"n"]);
    assert!(sink.rejections.is_empty());
}

#[test]
fn two_senders_can_use_one_id() {
    let node = node(|_| ());
    let from = |sender, id, body: Vec<u8>| delivered(&node.receive(draft(0, id, body).into_message(member(sender))));
    from(1, 7, b"one".to_vec());
    from(2, 7, b"two".to_vec());
    assert_eq!(from(2, 8, confirms(7)), [&b"two"[..]]);
    assert_eq!(from(1, 8, confirms(7)), [&b"one"[..]]);
}

#[test]
fn an_unconfirmed_message_is_given_up_after_its_time() {
    let mut node = node(|_| ());
    node.receive_body(1, "m");
    assert_eq!(node.chain.deadline(), Some(node.now.mono + Duration::from_secs(60)));
    node.pass(60_000);
    assert!(delivered(&node.overdue()).is_empty());
    assert_eq!((node.counter("expired"), node.chain.deadline()), (1, None));
    assert!(delivered(&node.receive_body(2, confirms(1))).is_empty());
}

#[test]
fn what_a_sender_did_not_confirm_is_forgotten_when_it_left() {
    let node = node(|_| ());
    node.receive_body(1, "m");
    node.receive_body(3, confirms(2));
    node.flush(&member(1), Flush::Overdue);
    assert_eq!(node.counter("left"), 0);
    node.flush(&member(1), Flush::Left);
    assert_eq!((node.counter("left"), node.chain.deadline()), (2, None));
}

#[test]
fn a_confirmation_of_what_was_given_up_fails() {
    let mut node = node(|_| ());
    node.receive_body(1, "too old");
    node.pass(60_000);
    node.receive_body(2, "of one who was taken for gone");
    node.flush(&member(1), Flush::Left);
    for (confirmation, id) in [(3, 1), (4, 2)] {
        let sink = node.receive_body(confirmation, confirms(id));
        assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["given_up"], Ack::Failed));
    }
    // It can come anew; and what came never may still come.
    assert_eq!(both(&node, 2, 5), [&b"m"[..]]);
    assert!(rejected(&node.receive_body(7, confirms(6))).is_empty());
    node.pass(60_000);
    assert!(rejected(&node.receive_body(8, confirms(1))).is_empty());
}

#[test]
fn more_messages_than_allowed_are_rejected() {
    let node = node(|config| config.messages_max = 2);
    node.receive_body(1, "m");
    node.receive_body(2, "m");
    let sink = node.receive_body(3, "m");
    assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["too_many_messages"], Ack::Failed));
    assert_eq!(delivered(&node.receive_body(9, confirms(1))).len(), 1);
    assert!(rejected(&node.receive_body(3, "m")).is_empty());
}

#[test]
fn more_bytes_than_allowed_are_rejected() {
    let node = node(|config| config.held_bytes_max = 4_000);
    node.receive_body(1, vec![0; 2_000]);
    assert_eq!(rejected(&node.receive_body(2, vec![0; 2_000])), ["memory_full"]);
    assert!(rejected(&node.receive_body(1, vec![0; 2_000])).is_empty(), "it replaces itself");
}

#[test]
fn early_confirmations_are_bounded_and_the_oldest_goes_first() {
    let node = node(|config| config.messages_max = 2);
    node.receive_body(9, "m");
    for id in 1..=3 {
        node.receive_body(10 + id, confirms(id));
    }
    assert!(delivered(&node.receive_body(2, "m")).len() == 1 && delivered(&node.receive_body(3, "m")).len() == 1);
    assert!(delivered(&node.receive_body(1, "m")).is_empty());
    assert_eq!(delivered(&node.receive_body(20, confirms(9))).len(), 1, "messages have their own bound");
}

#[test]
fn over_gzip_the_confirmation_is_read() {
    let vector = vector("stack-twophase-over-gzip");
    let min_size = usize::try_from(vector["config"]["compressionMinSize"].as_u64().unwrap()).unwrap();
    let gzip = GzipConfig { compression_min_size: min_size, ..GzipConfig::default() };
    let node = Node::new(vec![LayerConfig::named("two-phase").unwrap(), LayerConfig::Gzip(gzip)]);
    let original = draft(2, 9, unhex(&vector["input_hex"]));
    let plan = node.send(original.clone(), &[member(2)]);
    let targets = [member(2).id];
    let next = node.with(|chain, cx| chain.follow_up(cx, plan.follow_ups[0].clone(), &targets)).unwrap();
    // The second message is the recorded one, but for the flag.
    assert_eq!(sent(&next), unhex_all(&vector["wire_hex"])[1..]);
    assert_eq!(next.parcels[0].draft.options, 2);
    assert!(node.receive(plan.parcels[0].draft.clone().into_message(member(1))).arrivals.is_empty());
    let sink = node.receive(next.parcels[0].draft.clone().into_message(member(1)));
    assert_eq!(delivered(&sink), [unhex(&vector["input_hex"])]);
}
