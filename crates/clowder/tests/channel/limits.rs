//! Queues and buffers are bounded; whoever meets a bound waits or is told, and nothing is lost.

use clowder::{Channel, ChannelLimits, Delivery, Inbox, SendFailure, SendOptions, metrics as names};
use clowder_proto::wire::{Ack, Limits};

use super::counts::Counts;
use super::nodes::{body, builder, failures, next, node, number, patiently};
use super::raw::{Raw, RawPeer};

const BODY: usize = 1_000;

/// A sender whose queue for one peer holds three messages of [`BODY`] bytes, not four, and has three.
async fn full() -> (Channel, RawPeer, Raw, Vec<clowder::Pending>) {
    let limits = ChannelLimits { queue_bytes_max: 4 * BODY, ..ChannelLimits::default() };
    let from = builder().limits(limits).start().await.unwrap();
    let peer = RawPeer::new().await;
    let three = (0..3).map(|_| from.submit([&peer.member], vec![0; BODY], SendOptions::SYNC)).collect();
    let mut raw = peer.accept().await;
    raw.message().await.unwrap();
    (from, peer, raw, three)
}

#[tokio::test]
async fn a_full_queue_is_told_at_once() {
    let (from, peer, mut raw, three) = full().await;
    let refused = from.submit([&peer.member], vec![0; BODY], SendOptions::SYNC);
    assert_eq!(failures(patiently(refused).await), [SendFailure::QueueFull]);
    let (done, result) = std::sync::mpsc::channel();
    from.submit_then([&peer.member], vec![0; BODY], SendOptions::SYNC, move |result| done.send(result).unwrap());
    assert_eq!(failures(result.recv().unwrap()), [SendFailure::QueueFull]);
    for pending in three {
        raw.answer(Ack::Ok).await;
        patiently(pending).await.unwrap();
    }
    // There is room again.
    let next = from.submit([&peer.member], vec![0; BODY], SendOptions::NONE);
    patiently(next).await.unwrap();
}

#[tokio::test]
async fn try_send_to_many_sends_nothing_if_one_queue_is_full() {
    let (from, peer, _raw, _three) = full().await;
    let other = node().await;
    let mut inbox = other.inbox();
    for _ in 0..10 {
        // A reservation that is not given back would fill the other's queue.
        let full = from.try_send([other.local(), &peer.member], vec![1; BODY], SendOptions::NONE).unwrap_err();
        assert_eq!(full.member, peer.member);
    }
    from.try_send([other.local()], vec![2; BODY], SendOptions::NONE).unwrap().await.unwrap();
    assert_eq!(next(&mut inbox).await.body()[0], 2, "nothing came before");
}

#[tokio::test]
async fn send_waits_for_room() {
    let (from, peer, mut raw, three) = full().await;
    let send = from.send([&peer.member], vec![0; BODY], SendOptions::SYNC);
    let answers = async {
        for pending in three {
            raw.answer(Ack::Ok).await;
            patiently(pending).await.unwrap();
        }
        raw.message().await.unwrap();
        raw.message().await.unwrap();
        raw.message().await.unwrap();
        raw.answer(Ack::Ok).await;
    };
    let (result, ()) = patiently(async { tokio::join!(send, answers) }).await;
    result.unwrap();
}

#[tokio::test]
async fn a_message_larger_than_the_queue_is_sent_alone_and_the_account_is_even_afterwards() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let limits = ChannelLimits { queue_bytes_max: 100, ..ChannelLimits::default() };
    let from = builder().limits(limits).start().await.unwrap();
    let to = node().await;
    for _ in 0..3 {
        patiently(from.send([to.local()], vec![0; BODY], SendOptions::SYNC)).await.unwrap();
    }
    assert!(counts.gauge(names::QUEUE_BYTES).abs() < 0.5, "{}", counts.gauge(names::QUEUE_BYTES));
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_sent_to_anybody() {
    let wire = Limits { frame_bytes_max: BODY, ..Limits::default() };
    let limits = ChannelLimits { wire, ..ChannelLimits::default() };
    let from = builder().limits(limits).start().await.unwrap();
    let to = node().await;
    let mut inbox = to.inbox();
    let large = vec![0; BODY];
    let too_large = [SendFailure::TooLarge];
    assert_eq!(failures(from.send([to.local()], large.clone(), SendOptions::SYNC).await), too_large);
    assert_eq!(failures(from.submit([to.local()], large.clone(), SendOptions::SYNC).await), too_large);
    assert_eq!(failures(from.try_send([to.local()], large.clone(), SendOptions::SYNC).unwrap().await), too_large);
    let (done, result) = std::sync::mpsc::channel();
    from.submit_then([to.local()], large, SendOptions::SYNC, move |result| done.send(result).unwrap());
    assert_eq!(failures(result.recv().unwrap()), too_large);
    patiently(from.send([to.local()], "small", SendOptions::NONE)).await.unwrap();
    assert_eq!(next(&mut inbox).await.body(), "small");
}

/// Everything goes through a receiver that takes one message at a time, within its bound.
async fn through(limits: ChannelLimits, bound: u64) {
    const COUNT: u32 = 200;
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let from = node().await;
    let to = builder().limits(limits).start().await.unwrap();
    let mut inbox = to.inbox();
    let message = |n: u32| [&body(n)[..], &[0; 60_000]].concat();
    let pending: Vec<_> = (0..COUNT).map(|n| from.submit([to.local()], message(n), SendOptions::SYNC)).collect();
    for n in 0..COUNT {
        // Let everything come that comes.
        let delivery = next(&mut inbox).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        // A thread may count what it delivered a moment later.
        let unprocessed = counts.get(names::RECEIVED, "").saturating_sub(u64::from(n));
        assert!(unprocessed <= bound, "{unprocessed} messages are delivered and not processed");
        assert_eq!(number(delivery.body()), n);
        delivery.done();
    }
    for pending in pending {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_consumer_pauses_the_reading_at_the_bound_for_bytes() {
    // Beyond it by what one read brings: one message that was begun before.
    through(ChannelLimits { delivered_bytes_max: 200_000, ..ChannelLimits::default() }, 6).await;
}

#[tokio::test]
async fn a_slow_consumer_pauses_the_reading_at_the_bound_for_messages() {
    through(ChannelLimits { deliveries_max: 3, ..ChannelLimits::default() }, 6).await;
}

#[tokio::test]
async fn connections_that_paused_for_another_ones_messages_go_on_afterwards() {
    let limits = ChannelLimits { delivered_bytes_max: 1, ..ChannelLimits::default() };
    let to = builder().limits(limits).start().await.unwrap();
    let mut inbox = to.inbox();
    let mut peers = Vec::new();
    for id in 0..5 {
        let mut peer = Raw::connect(&to).await;
        peer.write(&super::raw::frame(id, 6, &body(id))).await;
        peers.push(peer);
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        let delivery = next(&mut inbox).await;
        seen.push(number(delivery.body()));
        delivery.done();
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    for mut peer in peers {
        assert_eq!(peer.acks(1).await, [Ack::Ok]);
    }
}

#[tokio::test]
async fn there_are_no_more_peers_than_configured() {
    let limits = ChannelLimits { peers_max: 1, ..ChannelLimits::default() };
    let from = builder().limits(limits).start().await.unwrap();
    let to = node().await;
    let one_too_many = RawPeer::new().await;
    patiently(from.send([to.local()], "a", SendOptions::SYNC)).await.unwrap();
    let result = patiently(from.send([&one_too_many.member], "a", SendOptions::NONE)).await;
    assert_eq!(failures(result), [SendFailure::QueueFull]);
    patiently(from.send([to.local()], "a", SendOptions::SYNC)).await.unwrap();
}

/// They are written in the order of the messages: what an earlier one holds back must not gather without end.
#[tokio::test]
async fn answers_that_wait_for_that_of_an_earlier_message_are_bounded() {
    const COUNT: usize = 200;
    let to = builder().limits(ChannelLimits { unread_acks_max: 10 * 21, ..ChannelLimits::default() }).start();
    let to = to.await.unwrap();
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    let frames: Vec<u8> = (0..COUNT as u32).flat_map(|id| super::raw::frame(id, 6, &[0; 60_000])).collect();
    let handling = async {
        let first = next(&mut inbox).await;
        let mut others = 0;
        while let Some(delivery) = soon(&mut inbox).await {
            delivery.done();
            others += 1;
        }
        // Beyond the bound by what one read brings.
        assert!(others < 15, "{others} answers wait");
        first.done();
        for _ in others..COUNT - 1 {
            next(&mut inbox).await.done();
        }
    };
    tokio::join!(peer.write(&frames), handling);
    assert_eq!(peer.acks(COUNT).await, [Ack::Ok; COUNT]);
}

/// What comes while every task of this runtime has its turn many times.
async fn soon(inbox: &mut Inbox) -> Option<Delivery> {
    let turns = async {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        delivery = next(inbox) => Some(delivery),
        () = turns => None,
    }
}
