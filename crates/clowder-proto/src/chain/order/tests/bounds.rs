//! What is held is bounded.

use super::*;

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
fn a_message_too_large_to_wait_is_not_refused_for_ever() {
    let mut node = node(|config| config.held_bytes_max = 2_000);
    let large =
        |id, number: i32| draft(0, id, [&[7; 3_000], &number.to_be_bytes()[..]].concat()).into_message(member(1));
    // The first is missing, and so is whatever was refused.
    for number in 2..5 {
        assert_eq!(rejected(&node.receive(large(number as u8, number))), ["memory_full"]);
        node.pass(999);
    }
    node.pass(3);
    let sink = node.receive(large(5, 5));
    assert_eq!((delivered(&sink), rejected(&sink)), (vec![Bytes::from(vec![7; 3_000])], vec![]));
    assert_eq!(delivered(&node.receive(large(6, 6))).len(), 1, "it is in order again");
    // The time begins anew with every gap.
    assert_eq!(rejected(&node.receive(large(8, 8))), ["memory_full"]);
    node.pass(2_999);
    assert_eq!(rejected(&node.receive(large(9, 9))), ["memory_full"]);
    assert_eq!(delivered(&node.receive(large(7, 7))).len(), 1);
    node.pass(10);
    assert_eq!(rejected(&node.receive(large(10, 10))), ["memory_full"]);
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
    assert_eq!(order.outgoing.next(now, &[member(1).id])[..], [4]);
}
