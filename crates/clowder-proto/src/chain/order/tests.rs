use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::chain::held::lock;
use crate::chain::tests::node::{Node, configured, delivered, draft, member, rejected, sent, vector_member};
use crate::chain::tests::vectors::{unhex, unhex_all, vector, vectors};
use crate::chain::{Chain, Draft, Layer, LayerConfig, Sink};
use crate::wire::Member;

fn node(change: impl FnOnce(&mut OrderConfig)) -> Node {
    let mut config = OrderConfig::default();
    change(&mut config);
    Node::new(vec![LayerConfig::Order(config)])
}

/// A receiver that knows ids: a message of member 1 whose id is of its text, and its number.
struct Receiver {
    node: Node,
    order: Arc<Order>,
}

impl Receiver {
    fn new(change: impl FnOnce(&mut OrderConfig)) -> Receiver {
        let mut config = OrderConfig::default();
        change(&mut config);
        let order = Arc::new(Order::new(config));
        let mut node = Node::new(vec![]);
        node.chain = Chain::new(vec![Layer::Interceptor(order.clone())]);
        Receiver { node, order }
    }

    fn sink(&self, text: &str, number: i32) -> Sink {
        let mut id = [1; 16];
        id[..text.len()].copy_from_slice(text.as_bytes());
        let body = [text.as_bytes(), &number.to_be_bytes()].concat();
        self.node.receive(Draft { id, ..draft(0, 0, body) }.into_message(member(1)))
    }

    /// What is delivered when a message comes.
    fn receive(&self, text: &str, number: i32) -> Vec<String> {
        texts(&self.sink(text, number))
    }

    /// What is delivered when messages come that have their numbers as text.
    fn numbers(&self, numbers: impl IntoIterator<Item = i32>) -> Vec<String> {
        numbers.into_iter().flat_map(|number| self.receive(&number.to_string(), number)).collect()
    }

    fn overdue(&self) -> Vec<String> {
        texts(&self.node.overdue())
    }

    fn left(&self) -> Vec<String> {
        texts(&self.node.flush(&member(1), Flush::Left))
    }
}

fn texts(sink: &Sink) -> Vec<String> {
    assert!(sink.rejections.is_empty(), "{sink:?}");
    delivered(sink).iter().map(|body| String::from_utf8(body.to_vec()).unwrap()).collect()
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn of_vector(vector: &serde_json::Value) -> Node {
    Node::new(vec![configured(LayerConfig::named("order").unwrap(), vector)])
}

// --- Tomcat's bytes ---

#[test]
fn messages_to_one_member_are_numbered_from_one_as_recorded() {
    let vector = vector("order-send-three");
    let node = of_vector(&vector);
    let inputs = unhex_all(&vector["expected"]["inputs_hex"]);
    let made: Vec<Bytes> =
        inputs.into_iter().flat_map(|body| sent(&node.send(draft(2, 1, body), &[vector_member("B")]))).collect();
    assert_eq!(made, unhex_all(&vector["wire_hex"]));
}

#[test]
fn each_destination_has_its_own_numbers_as_recorded() {
    let vector = vector("order-send-two-members");
    let node = of_vector(&vector);
    let (b, c) = (vector_member("B"), vector_member("C"));
    let mut made = sent(&node.send(draft(2, 1, &b"first"[..]), std::slice::from_ref(&b)));
    let plan = node.send(draft(2, 2, unhex(&vector["input_hex"])), &[b, c]);
    assert_eq!(
        plan.parcels.iter().map(|parcel| parcel.targets).collect::<Vec<_>>(),
        [Targets::One(0), Targets::One(1)]
    );
    made.extend(sent(&plan));
    assert_eq!(made, unhex_all(&vector["wire_hex"]));
}

#[test]
fn a_message_without_the_flag_is_not_touched_in_either_direction() {
    let vector = vector("order-send-flag-not-set");
    let node = of_vector(&vector);
    let plan = node.send(draft(2, 1, unhex(&vector["input_hex"])), &[vector_member("B"), vector_member("C")]);
    assert_eq!(plan.parcels.iter().map(|parcel| parcel.targets).collect::<Vec<_>>(), [Targets::All]);
    assert_eq!(sent(&plan), unhex_all(&vector["wire_hex"]));
    assert_eq!(delivered(&node.receive_body(1, "ab")), [&b"ab"[..]]);
}

#[test]
fn every_recorded_sequence_is_delivered_as_by_tomcat_but_for_copies() {
    for vector in vectors("order-rx-") {
        if vector["name"] == "order-rx-member-gone" {
            continue;
        }
        let node = of_vector(&vector);
        let outcomes = vector["expected"]["per_message"].as_array().unwrap();
        for (index, body) in unhex_all(&vector["wire_hex"]).into_iter().enumerate() {
            let sink = node.receive_body(1, body);
            let name = &vector["name"];
            let outcome = &outcomes[index];
            if outcome.as_str().is_some_and(|text| text.starts_with("java")) {
                assert_eq!(rejected(&sink), ["no_number"], "{name}");
                assert_eq!(sink.rejections[0].2.answer, Ack::Failed);
                continue;
            }
            // Differs from Tomcat: the copy of a message that waits is dropped, where it throws.
            // Test: a_copy_of_a_waiting_message_is_dropped.
            let expected: Vec<&str> =
                outcome["delivers"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            assert_eq!(texts(&sink), expected, "{name}");
        }
    }
}

#[test]
fn what_waits_is_delivered_when_the_sender_left_and_its_count_begins_anew_as_recorded() {
    let vector = vector("order-rx-member-gone");
    let node = of_vector(&vector);
    let wire = unhex_all(&vector["wire_hex"]);
    let mut all = Vec::new();
    for (id, body) in [(5, &wire[0]), (3, &wire[1])] {
        all.extend(delivered(&node.receive_body(id, body.clone())));
    }
    all.extend(delivered(&node.flush(&member(1), Flush::Left)));
    all.extend(delivered(&node.receive_body(6, wire[2].clone())));
    assert_eq!(all, unhex_all(&vector["expected"]["delivered_hex"]));
}

// --- waiting ---

#[test]
fn later_messages_wait_for_earlier_ones() {
    let receiver = Receiver::new(|_| ());
    assert_eq!(receiver.numbers([3, 2, 5]), split(""));
    assert_eq!(receiver.numbers([1]), split("1 2 3"));
    assert_eq!(receiver.numbers([4, 6]), split("4 5 6"));
    assert_eq!(receiver.order.incoming.held(), (1, 0));
}

#[test]
fn only_the_message_that_came_over_the_wire_stands_for_its_answer() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers([2]);
    let sink = receiver.sink("1", 1);
    assert_eq!(sink.arrivals.iter().map(|arrival| arrival.answers).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn what_waited_too_long_is_given_out_by_the_clock() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([1, 3]);
    receiver.node.pass(1_000);
    receiver.numbers([4, 6]);
    assert_eq!(receiver.overdue(), split(""));
    assert_eq!(receiver.node.chain.deadline(), Some(receiver.node.now.mono + Duration::from_millis(2_000)));
    receiver.node.pass(2_000);
    // 4 stands behind 3 without a gap; 6 has waited for two seconds only.
    assert_eq!(receiver.overdue(), split("3 4"));
    receiver.node.pass(1_000);
    assert_eq!(receiver.overdue(), split("6"));
    assert_eq!((receiver.numbers([7]), receiver.node.chain.deadline()), (split("7"), None));
}

#[test]
fn what_waited_too_long_goes_on_with_the_next_message_too() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([3]);
    receiver.node.pass(3_000);
    assert_eq!(receiver.numbers([5]), split("3"));
    assert_eq!(receiver.numbers([4]), split("4 5"));
}

#[test]
fn a_younger_message_with_a_lower_number_goes_first_all_the_same() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([5]);
    receiver.node.pass(2_000);
    receiver.numbers([3]);
    receiver.node.pass(1_000);
    assert_eq!(receiver.overdue(), split("3 5"));
}

#[test]
fn what_expired_is_forgotten_without_forward_expired() {
    let mut receiver = Receiver::new(|config| config.forward_expired = false);
    receiver.numbers([5]);
    receiver.node.pass(2_000);
    receiver.numbers([3]);
    receiver.node.pass(1_000);
    assert_eq!(receiver.overdue(), split("3"));
    assert_eq!((receiver.node.counter("forgotten"), receiver.order.incoming.held()), (1, (1, 0)));
    assert_eq!(receiver.numbers([6]), split("6"));
}

#[test]
fn a_message_that_was_given_up_and_comes_late_is_delivered_once() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([1, 5]);
    receiver.node.pass(3_000);
    assert_eq!(receiver.overdue(), split("5"));
    assert_eq!(receiver.numbers([3, 3, 2, 4, 2, 6]), split("3 2 4 6"));
    assert_eq!((receiver.node.counter("late"), receiver.node.counter("copies")), (3, 2));
}

#[test]
fn after_a_while_a_number_that_was_given_up_is_one_of_a_new_count() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([1, 20]);
    receiver.node.pass(3_000);
    assert_eq!(receiver.overdue(), split("20"));
    receiver.node.pass(30_000);
    assert_eq!(receiver.receive("f", 6), split(""));
    receiver.node.pass(3_000);
    assert_eq!(receiver.overdue(), ["f"]);
    assert_eq!((receiver.receive("h", 8), receiver.receive("g", 7)), (split(""), split("g h")));
}

// --- copies ---

#[test]
fn a_copy_of_a_delivered_message_is_suppressed() {
    let receiver = Receiver::new(|_| ());
    assert_eq!(receiver.numbers([1, 2, 1, 2, 3, 2]), split("1 2 3"));
    // The first one is known for ever.
    receiver.numbers(4..=200);
    assert_eq!(receiver.numbers([1, 201]), split("201"));
}

#[test]
fn a_copy_of_a_waiting_message_is_dropped() {
    let receiver = Receiver::new(|_| ());
    assert_eq!(receiver.numbers([2, 2, 1]), split("1 2"));
    assert_eq!(receiver.order.incoming.held(), (1, 0));
}

// --- both sides agree again ---

#[test]
fn a_sender_that_counts_anew_is_in_order_at_once() {
    for length in [2, 10, 100, 1000] {
        let receiver = Receiver::new(|_| ());
        receiver.numbers(1..=length);
        assert_eq!(receiver.receive("a", 1), ["a"], "{length}");
        assert_eq!(receiver.receive("c", 3), split(""), "{length}");
        assert_eq!(receiver.receive("b", 2), ["b", "c"], "{length}");
        assert_eq!(receiver.node.counter("restarts"), 1);
    }
}

#[test]
fn a_sender_that_left_and_counts_on_is_in_order_at_once() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers([1, 2, 5]);
    assert_eq!(receiver.left(), split("5"));
    assert_eq!(receiver.numbers([6, 8, 7]), split("6 7 8"));
}

#[test]
fn a_second_message_of_a_new_count_waits_for_the_first() {
    for length in [3, 100] {
        let receiver = Receiver::new(|_| ());
        receiver.numbers(1..=length);
        assert_eq!(receiver.receive("b", 2), split(""), "{length}");
        assert_eq!(receiver.receive("b", 2), split(""), "{length}");
        assert_eq!(receiver.receive("a", 1), ["a", "b"], "{length}");
        assert_eq!(receiver.receive("c", 3), ["c"], "{length}");
        assert_eq!(receiver.order.incoming.held(), (1, 0));
    }
}

#[test]
fn a_new_count_whose_first_message_never_comes_goes_on_without_it() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers(1..=100);
    assert_eq!(receiver.receive("b", 2), split(""));
    receiver.node.pass(3_000);
    assert_eq!(receiver.overdue(), ["b"]);
    assert_eq!(receiver.receive("c", 3), ["c"]);
    // It was given up, and is no beginning.
    assert_eq!(receiver.receive("a", 1), ["a"]);
    assert_eq!(receiver.receive("d", 4), ["d"]);
}

#[test]
fn what_waits_of_the_former_count_goes_before_the_new_one() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers([1, 2, 4]);
    assert_eq!(receiver.receive("a", 1), ["4", "a"]);
    assert_eq!(receiver.receive("b", 2), ["b"]);
}

#[test]
fn a_new_message_with_the_number_of_a_waiting_one_is_not_lost() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers([1, 2, 5]);
    for (text, number) in [("e", 5), ("c", 3), ("b", 2)] {
        // 3 is the one expected by the former count as well.
        let expected = if number == 3 { split("c") } else { split("") };
        assert_eq!(receiver.receive(text, number), expected);
    }
    assert_eq!(receiver.receive("a", 1), ["5", "a", "b"]);
}

#[test]
fn a_new_count_that_reaches_the_expected_number_goes_on_from_there() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers(1..=5);
    assert_eq!(receiver.receive("d", 4), split(""));
    assert_eq!(receiver.receive("e", 5), split(""));
    assert_eq!(receiver.receive("f", 6), ["d", "e", "f"]);
    assert_eq!((receiver.receive("g", 7), receiver.node.chain.deadline()), (split("g"), None));
}

#[test]
fn a_first_message_that_was_given_up_begins_a_count_if_the_second_says_so() {
    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([2, 3]);
    receiver.node.pass(3_000);
    assert_eq!(receiver.overdue(), split("2 3"));
    assert_eq!(receiver.receive("a", 1), ["a"]);
    assert_eq!(receiver.receive("b", 2), ["b"]);
    assert_eq!(receiver.receive("c", 3), ["c"]);
    assert_eq!(receiver.node.counter("restarts"), 1);
}

#[test]
fn the_rest_of_a_former_count_does_not_disturb_the_new_one() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers(1..=500);
    assert_eq!(receiver.receive("a", 1), ["a"]);
    assert_eq!(receiver.receive("501", 501), ["501"]);
    assert_eq!(receiver.receive("b", 2), ["b"]);
}

#[test]
fn counting_begins_anew_for_a_member_that_left() {
    let node = node(|_| ());
    let number = |to: &Member| sent(&node.send(draft(0, 1, ""), std::slice::from_ref(to)));
    assert_eq!(
        (number(&member(1)), number(&member(1))),
        (vec![Bytes::from_static(&[0, 0, 0, 1])], vec![Bytes::from_static(&[0, 0, 0, 2])])
    );
    number(&member(2));
    node.chain.member_left(&member(1).id);
    assert_eq!(number(&member(1)), [&[0, 0, 0, 1][..]]);
    assert_eq!(number(&member(2)), [&[0, 0, 0, 2][..]]);
}

// --- wrap-around ---

#[test]
fn behind_the_greatest_number_comes_the_least() {
    let order = Order::new(OrderConfig::default());
    let (now, target) = (Instant::now(), [member(1).id]);
    order.outgoing.next(now, &target);
    order.outgoing.set(&target[0], i32::MAX - 1);
    let next = || order.outgoing.next(now, &target)[0];
    assert_eq!([next(), next(), next()], [i32::MAX, i32::MIN, i32::MIN + 1]);

    let mut receiver = Receiver::new(|_| ());
    receiver.numbers([1]);
    let sender = receiver.order.incoming.sender(receiver.node.now.mono, &member(1).id).unwrap();
    lock(sender.numbers()).set_expected(i64::from(i32::MAX) - 1);
    assert_eq!(receiver.numbers([i32::MIN + 1, i32::MIN, i32::MAX]), split(""));
    let expected = [i32::MAX - 1, i32::MAX, i32::MIN, i32::MIN + 1].map(|number| number.to_string());
    assert_eq!(receiver.numbers([i32::MAX - 1]), expected);
    assert_eq!(receiver.numbers([i32::MAX, i32::MIN]), split(""), "copies");
    // A new count is seen from there, too.
    assert_eq!(receiver.receive("a", 1), ["a"]);
    receiver.node.pass(3_000);
    assert_eq!(receiver.receive("b", 2), ["b"]);
}

// --- bounds ---

#[test]
fn the_default_bounds_what_waits() {
    let receiver = Receiver::new(|_| ());
    assert_eq!(receiver.numbers(2..=1_024), split(""));
    assert_eq!(receiver.numbers([1_025]).len(), 1_024);
    assert_eq!(receiver.order.incoming.held(), (1, 0));
}

#[test]
fn the_bytes_of_one_sender_are_bounded() {
    let receiver = Receiver::new(|config| config.queue_bytes_max = 1_800);
    assert_eq!(receiver.numbers([2, 3, 4]), split("2 3 4"));
}

#[test]
fn the_bytes_of_all_senders_are_bounded() {
    let node = node(|config| config.held_bytes_max = 2_000);
    let from =
        |sender, number: i32| node.receive(draft(0, 1, number.to_be_bytes().to_vec()).into_message(member(sender)));
    for sender in 1..=3 {
        assert!(rejected(&from(sender, 2)).is_empty());
    }
    let sink = from(4, 2);
    assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["memory_full"], Ack::Failed));
    // What need not wait is not concerned, and makes room.
    assert_eq!(delivered(&from(1, 1)).len(), 2);
    assert!(rejected(&from(4, 2)).is_empty());
}

#[test]
fn known_senders_are_bounded_and_the_most_silent_goes_first() {
    let mut receiver = Receiver::new(|config| config.members_max = 3);
    let from = |node: &Node, sender: u8, number: i32| {
        let mut id = [sender; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        node.receive(Draft { id, ..draft(0, 1, number.to_be_bytes().to_vec()) }.into_message(member(sender)))
    };
    for sender in 1..=3 {
        from(&receiver.node, sender, 1);
        receiver.node.pass(1);
    }
    from(&receiver.node, 1, 2);
    from(&receiver.node, 4, 1);
    assert_eq!(receiver.order.incoming.held().0, 3);
    assert_eq!(delivered(&from(&receiver.node, 1, 3)).len(), 1);
    assert_eq!(delivered(&from(&receiver.node, 2, 2)).len(), 0, "it was forgotten, and is not held back for ever");
    receiver.node.pass(3_000);
    assert_eq!(delivered(&receiver.node.overdue()).len(), 1);
}

#[test]
fn a_sender_of_which_something_waits_is_not_forgotten() {
    let node = node(|config| config.members_max = 2);
    let from =
        |sender, number: i32| node.receive(draft(0, 1, number.to_be_bytes().to_vec()).into_message(member(sender)));
    for sender in 1..=2 {
        from(sender, 2);
    }
    assert_eq!(rejected(&from(3, 1)), ["too_many_senders"]);
    assert_eq!(delivered(&from(1, 1)).len(), 2);
    assert_eq!(delivered(&from(3, 1)).len(), 1);
}

#[test]
fn members_sent_to_are_bounded() {
    let order = Order::new(OrderConfig { members_max: 2, ..OrderConfig::default() });
    let now = Instant::now();
    for (millis, last) in [(0, 1), (1, 2), (2, 1), (3, 3), (4, 1)] {
        order.outgoing.next(now + Duration::from_millis(millis), &[member(last).id]);
    }
    assert_eq!(order.outgoing.len(), 2);
    assert_eq!(order.outgoing.next(now, &[member(1).id]), [4]);
}

// --- the rest of the contract ---

/// Refuses what goes to its second target.
#[derive(Debug)]
struct RefusesSecond;

impl Interceptor for RefusesSecond {
    fn name(&self) -> &'static str {
        "refuses"
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: Parcel, below: &mut Below<'_>) -> Result<(), Refusal> {
        if parcel.targets == Targets::One(1) {
            return Err(Refusal { interceptor: "refuses", reason: String::new() });
        }
        below.pass(cx, parcel)
    }
}

#[test]
fn a_refused_message_uses_up_no_numbers() {
    let refuses = LayerConfig::Custom(Arc::new(RefusesSecond));
    let node = Node::new(vec![LayerConfig::named("order").unwrap(), refuses]);
    let targets = [member(1).id, member(2).id];
    assert!(node.with(|chain, cx| chain.outbound(cx, draft(0, 1, "x"), &targets)).is_err());
    assert_eq!(sent(&node.send(draft(0, 1, ""), &[member(1)])), [&[0, 0, 0, 1][..]]);
}

/// Asks the layer below for something while a message is delivered.
#[derive(Debug)]
struct CallsBack(Mutex<Option<Arc<Order>>>);

impl Interceptor for CallsBack {
    fn name(&self) -> &'static str {
        "calls-back"
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: Arrival, above: &mut Above<'_>) -> Result<(), Rejection> {
        if let Some(order) = &*lock(&self.0) {
            order.deadline();
            order.flush(cx, &arrival.message.from.id, Flush::Overdue, above);
            order.member_left(&arrival.message.from.id);
        }
        above.pass(cx, arrival);
        Ok(())
    }
}

#[test]
fn a_delivery_can_call_back_into_the_layer() {
    let order = Arc::new(Order::new(OrderConfig::default()));
    let mut receiver = Receiver::new(|_| ());
    receiver.order = order.clone();
    let calls_back = Arc::new(CallsBack(Mutex::new(Some(order.clone()))));
    receiver.node.chain = Chain::new(vec![Layer::Interceptor(calls_back), Layer::Interceptor(order)]);
    receiver.numbers([2, 3]);
    assert_eq!(receiver.numbers([1, 4]), split("1 2 3 4"));
}

#[test]
fn messages_of_one_sender_must_be_handed_in_one_after_the_other() {
    assert!(node(|_| ()).chain.orders());
}
