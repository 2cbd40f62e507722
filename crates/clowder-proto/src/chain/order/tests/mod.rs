mod bounds;
mod counts;
mod recorded;

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
    assert!(rejected(sink).iter().all(|kind| *kind == "delivered_before"), "{sink:?}");
    delivered(sink).iter().map(|body| String::from_utf8(body.to_vec()).unwrap()).collect()
}

fn split(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn of_vector(vector: &serde_json::Value) -> Node {
    Node::new(vec![configured(LayerConfig::named("order").unwrap(), vector)])
}

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

#[test]
fn a_copy_of_a_delivered_message_is_suppressed_and_fails() {
    let receiver = Receiver::new(|_| ());
    assert_eq!(receiver.numbers([1, 2, 1, 2, 3, 2]), split("1 2 3"));
    // What is above, or the listener, failed the first one: else the copy had not come so far.
    let sink = receiver.sink("2", 2);
    assert_eq!((rejected(&sink), sink.rejections[0].2.answer), (vec!["delivered_before"], Ack::Failed));
    // The first one is known for ever.
    receiver.numbers(4..=200);
    assert_eq!(receiver.numbers([1, 201]), split("201"));
}

#[test]
fn a_copy_of_a_waiting_message_is_dropped() {
    let receiver = Receiver::new(|_| ());
    receiver.numbers([2]);
    assert!(receiver.sink("2", 2).rejections.is_empty(), "it will be delivered");
    assert_eq!(receiver.numbers([1]), split("1 2"));
    assert_eq!(receiver.order.incoming.held(), (1, 0));
}

/// Refuses what goes to its second target.
#[derive(Debug)]
struct RefusesSecond;

impl Interceptor for RefusesSecond {
    fn name(&self) -> &'static str {
        "refuses"
    }

    fn outbound(&self, _: &mut Context<'_>, parcel: &mut Parcel, _: &mut Below<'_>) -> Result<Flow, Refusal> {
        if parcel.targets == Targets::One(1) {
            return Err(Refusal { interceptor: "refuses", reason: String::new() });
        }
        Ok(Flow::Pass)
    }
}

#[test]
fn a_refused_message_uses_up_no_numbers() {
    let refuses = LayerConfig::Custom(Arc::new(RefusesSecond));
    let node = Node::new(vec![LayerConfig::named("order").unwrap(), refuses]);
    let targets = [member(1).id, member(2).id];
    assert!(node.with(|chain, cx| chain.outbound(None, cx, draft(0, 1, "x"), &targets)).is_err());
    assert_eq!(sent(&node.send(draft(0, 1, ""), &[member(1)])), [&[0, 0, 0, 1][..]]);
}

/// Asks the layer below for something while a message is delivered.
#[derive(Debug)]
struct CallsBack(Mutex<Option<Arc<Order>>>);

impl Interceptor for CallsBack {
    fn name(&self) -> &'static str {
        "calls-back"
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        if let Some(order) = &*lock(&self.0) {
            order.deadline();
            order.flush(cx, &arrival.message.from.id, Flush::Overdue, above);
            order.member_left(&arrival.message.from.id);
        }
        Ok(Flow::Pass)
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
