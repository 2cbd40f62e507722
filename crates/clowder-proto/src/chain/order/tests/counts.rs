//! Both sides agree again, whatever one of them missed.

use super::*;

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
