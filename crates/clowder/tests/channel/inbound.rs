//! One connection of a peer: exactly one acknowledgement for each message that asks, in order, and each message once.

use clowder::options::{ASYNCHRONOUS, BYTE_MESSAGE, SYNCHRONIZED_ACK, USE_ACK};
use clowder::{Channel, Delivery, Inbox};
use clowder_proto::wire::Ack;

use super::counts::Counts;
use super::nodes::{next, node, until};
use super::raw::{Raw, frame};

const SYNC: i32 = USE_ACK | SYNCHRONIZED_ACK;

async fn served() -> (Channel, Inbox, Raw) {
    let to = node().await;
    let inbox = to.inbox();
    let peer = Raw::connect(&to).await;
    (to, inbox, peer)
}

async fn take(inbox: &mut Inbox, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        deliveries.push(next(inbox).await);
    }
    deliveries
}

#[tokio::test]
async fn answers_are_in_the_order_of_the_messages_not_of_the_processing() {
    let (_to, mut inbox, mut peer) = served().await;
    for id in 0..4 {
        peer.write(&frame(id, SYNC, b"a")).await;
    }
    let mut deliveries = take(&mut inbox, 4).await;
    deliveries.pop().unwrap().done();
    deliveries.pop().unwrap().fail();
    deliveries.pop().unwrap().done();
    deliveries.pop().unwrap().fail();
    assert_eq!(peer.acks(4).await, [Ack::Failed, Ack::Ok, Ack::Failed, Ack::Ok]);
}

#[tokio::test]
async fn only_messages_that_ask_are_answered() {
    let (_to, mut inbox, mut peer) = served().await;
    let silent = [0, BYTE_MESSAGE, ASYNCHRONOUS, SYNCHRONIZED_ACK, SYNCHRONIZED_ACK | BYTE_MESSAGE];
    for (id, options) in silent.into_iter().enumerate() {
        peer.write(&frame(id.try_into().unwrap(), options, b"a")).await;
        next(&mut inbox).await.done();
    }
    peer.write(&frame(100, SYNC, b"a")).await;
    next(&mut inbox).await.fail();
    peer.finish().await;
    assert_eq!(peer.rest().await, [Ack::Failed], "the only one that asked");
}

#[tokio::test]
async fn an_answer_is_given_before_or_after_the_processing_as_the_message_says() {
    let (_to, mut inbox, mut peer) = served().await;
    peer.write(&frame(1, USE_ACK, b"a")).await;
    let before = next(&mut inbox).await;
    assert_eq!(peer.acks(1).await, [Ack::Ok], "while it is being processed");
    peer.write(&frame(2, SYNC, b"a")).await;
    peer.write(&frame(3, USE_ACK, b"a")).await;
    let deliveries = take(&mut inbox, 2).await;
    // The third one was answered when it was handed up, and must not get in front of the second.
    deliveries.into_iter().for_each(Delivery::fail);
    before.fail();
    peer.finish().await;
    assert_eq!(peer.rest().await, [Ack::Failed, Ack::Ok]);
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let (_to, mut inbox, mut peer) = served().await;
    for byte in [frame(1, SYNC, b"first"), frame(2, SYNC, b"second")].concat() {
        peer.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    for expected in ["first", "second"] {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.body(), expected);
        delivery.done();
    }
    assert_eq!(peer.acks(2).await, [Ack::Ok, Ack::Ok]);
}

#[tokio::test]
async fn a_frame_larger_than_any_buffer_arrives_whole() {
    let (_to, mut inbox, mut peer) = served().await;
    let body: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    peer.write(&frame(1, SYNC, &body)).await;
    let delivery = next(&mut inbox).await;
    assert!(delivery.body() == &body);
    delivery.done();
    assert_eq!(peer.acks(1).await, [Ack::Ok]);
}

#[tokio::test]
async fn a_copy_is_answered_like_the_first_one_and_not_delivered() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let (_to, mut inbox, mut peer) = served().await;
    peer.write(&frame(1, SYNC, b"first")).await;
    next(&mut inbox).await.done();
    assert_eq!(peer.acks(1).await, [Ack::Ok]);
    peer.write(&frame(1, SYNC, b"first")).await;
    assert_eq!(peer.acks(1).await, [Ack::Ok], "without anybody who processes it");
    peer.write(&frame(2, SYNC, b"second")).await;
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.body(), "second");
    assert_eq!(counts.get(clowder::metrics::DUPLICATES, ""), 1);
    until(|| counts.get(clowder::metrics::RECEIVED, "") == 2).await;
}

#[tokio::test]
async fn a_copy_of_what_is_being_processed_waits_for_the_outcome() {
    for (outcome, ack) in [(Delivery::done as fn(Delivery), Ack::Ok), (Delivery::fail, Ack::Failed)] {
        let counts = Counts::default();
        let _counting = metrics::set_default_local_recorder(&counts);
        let (to, mut inbox, mut peer) = served().await;
        let mut other = Raw::connect(&to).await;
        peer.write(&frame(1, SYNC, b"a")).await;
        let delivery = next(&mut inbox).await;
        peer.write(&frame(1, SYNC, b"a")).await;
        other.write(&frame(1, SYNC, b"a")).await;
        until(|| counts.get(clowder::metrics::DUPLICATES, "") == 2).await;
        outcome(delivery);
        assert_eq!(peer.acks(2).await, [ack; 2]);
        assert_eq!(other.acks(1).await, [ack]);
    }
}

#[tokio::test]
async fn the_copy_of_a_message_whose_connection_is_gone_waits_for_the_outcome_too() {
    let (to, mut inbox, mut peer) = served().await;
    peer.write(&frame(1, SYNC, b"a")).await;
    let delivery = next(&mut inbox).await;
    drop(peer);
    let mut again = Raw::connect(&to).await;
    again.write(&[frame(1, SYNC, b"a"), frame(2, USE_ACK, b"b")].concat()).await;
    let behind = next(&mut inbox).await;
    assert_eq!(behind.body(), "b");
    delivery.fail();
    assert_eq!(again.acks(2).await, [Ack::Failed, Ack::Ok]);
}

#[tokio::test]
async fn a_message_that_failed_is_let_through_again() {
    let (_to, mut inbox, mut peer) = served().await;
    for expected in [Ack::Failed, Ack::Ok] {
        peer.write(&frame(1, SYNC, b"a")).await;
        let delivery = next(&mut inbox).await;
        match expected {
            Ack::Failed => delivery.fail(),
            Ack::Ok => delivery.done(),
        }
        assert_eq!(peer.acks(1).await, [expected]);
    }
}

#[tokio::test]
async fn who_says_that_nothing_more_comes_still_gets_its_answers() {
    let (_to, mut inbox, mut peer) = served().await;
    peer.write(&[frame(1, SYNC, b"a"), frame(2, SYNC, b"b")].concat()).await;
    peer.finish().await;
    let deliveries = take(&mut inbox, 2).await;
    deliveries.into_iter().for_each(Delivery::done);
    assert_eq!(peer.rest().await, [Ack::Ok, Ack::Ok], "and then the connection ends");
}

#[tokio::test]
async fn the_copy_on_a_connection_that_ends_gets_its_answer_too() {
    let (to, mut inbox, mut peer) = served().await;
    peer.write(&frame(1, SYNC, b"a")).await;
    let delivery = next(&mut inbox).await;
    let mut again = Raw::connect(&to).await;
    again.write(&[frame(2, SYNC, b"b"), frame(1, SYNC, b"a")].concat()).await;
    again.finish().await;
    next(&mut inbox).await.done();
    assert_eq!(again.acks(1).await, [Ack::Ok]);
    for _ in 0..20 {
        tokio::task::yield_now().await; // the node sees the end
    }
    delivery.fail();
    assert_eq!(again.rest().await, [Ack::Failed]);
}

#[tokio::test]
async fn a_connection_that_ended_leaves_nothing_behind_once_its_messages_are_processed() {
    let to = node().await;
    let mut inbox = to.inbox();
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    until(|| tasks() > 0).await;
    let before = tasks();
    for id in 0..10 {
        let mut peer = Raw::connect(&to).await;
        peer.write(&frame(id, SYNC, b"a")).await;
        peer.finish().await;
        let delivery = next(&mut inbox).await;
        // The node saw the end: it takes this answer for the last one.
        tokio::task::yield_now().await;
        delivery.done();
        assert_eq!(peer.rest().await, [Ack::Ok]);
    }
    until(|| tasks() <= before).await;
}
