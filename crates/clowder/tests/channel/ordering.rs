//! Messages whose order matters arrive in the order in which they were sent, also when connections break.

use std::collections::HashMap;

use clowder::{Channel, ChannelLimits, Inbox, Member, SendOptions, Timeouts};
use clowder_proto::wire::Ack;

use super::nodes::{body, builder, next, node, number, pair, patiently, until};
use super::proxy::{self, Cut};
use super::raw::{Raw, RawPeer};

/// The bodies of the next messages.
async fn numbers(inbox: &mut Inbox, count: u32) -> Vec<u32> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let delivery = next(inbox).await;
        numbers.push(number(delivery.body()));
        delivery.done();
    }
    numbers
}

fn ascending(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_sends_arrive_in_order() {
    const COUNT: u32 = 2_000;
    for options in [SendOptions::NONE, SendOptions::USE_ACK, SendOptions::SYNC] {
        let (from, to, mut inbox) = pair().await;
        let target = to.local().clone();
        let sending = tokio::spawn(async move {
            for n in 0..COUNT {
                from.send([&target], body(n), options.asynchronous()).await.unwrap();
            }
            from
        });
        assert_eq!(numbers(&mut inbox, COUNT).await, ascending(COUNT), "{options:?}");
        sending.await.unwrap().stop().await;
    }
}

/// Every key is one task; numbers are ascending within a key.
fn send_keyed(from: &Channel, to: &Member, keys: u32, each: u32) {
    for key in 0..keys {
        let (from, to) = (from.clone(), to.clone());
        tokio::spawn(async move {
            let options = SendOptions::SYNC.asynchronous().ordered_by(u64::from(key));
            for n in 0..each {
                from.send([&to], body(key * each + n), options).await.unwrap();
            }
        });
    }
}

fn assert_ordered_by_key(numbers: Vec<u32>, keys: u32, each: u32) {
    let mut of_key: HashMap<u32, Vec<u32>> = HashMap::new();
    numbers.into_iter().for_each(|n| of_key.entry(n / each).or_default().push(n % each));
    for key in 0..keys {
        assert_eq!(of_key.get(&key), Some(&ascending(each)), "key {key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_one_key_arrive_in_order() {
    let (from, to, mut inbox) = pair().await;
    send_keyed(&from, to.local(), 8, 200);
    assert_ordered_by_key(numbers(&mut inbox, 1_600).await, 8, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn towards_a_tomcat_messages_of_one_key_arrive_in_order_over_several_connections() {
    let tomcat = RawPeer::new().await;
    let from = node().await;
    send_keyed(&from, &tomcat.member, 8, 50);
    let (seen, mut received) = tokio::sync::mpsc::unbounded_channel();
    let accepting = tokio::spawn(async move {
        for connection in 0.. {
            let (mut raw, seen) = (tomcat.accept().await, seen.clone());
            tokio::spawn(async move {
                while let Some(message) = raw.message().await {
                    seen.send((connection, number(&message.body))).unwrap();
                    raw.answer(Ack::Ok).await;
                }
            });
        }
    });
    let (mut numbers, mut connections) = (Vec::new(), std::collections::HashSet::new());
    while numbers.len() < 400 {
        let (connection, number) = patiently(received.recv()).await.unwrap();
        numbers.push(number);
        connections.insert(connection);
    }
    accepting.abort();
    assert_ordered_by_key(numbers, 8, 50);
    assert!(connections.len() > 1, "{connections:?}");
}

/// Cuts at seeded places, mostly within a message; all within what is in flight without any answer.
fn cuts(seed: u64) -> Vec<Cut> {
    let mut random = fastrand::Rng::with_seed(seed);
    let cut = |_| Cut { after: random.usize(1..8_000), answers: random.bool() };
    (0..6).map(cut).collect()
}

/// A sender that tries often enough for all cuts, towards a receiver behind a network that breaks.
async fn broken(seed: u64) -> (Channel, Channel, Inbox, proxy::Proxy) {
    let timeouts = Timeouts { retries_max: 12, ..Timeouts::default() };
    let limits = ChannelLimits { window: 64, ..ChannelLimits::default() };
    let from = builder().limits(limits).timeouts(timeouts).start().await.unwrap();
    let to = node().await;
    let proxy = proxy::before(&to, cuts(seed)).await;
    let inbox = to.inbox();
    (from, to, inbox, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_loses_doubles_and_reorders_nothing() {
    const COUNT: u32 = 600;
    for seed in 0..8 {
        let (from, _to, mut inbox, proxy) = broken(seed).await;
        let pending: Vec<_> = (0..COUNT).map(|n| from.submit([&proxy.member], body(n), SendOptions::SYNC)).collect();
        assert_eq!(numbers(&mut inbox, COUNT).await, ascending(COUNT), "seed {seed}");
        for pending in pending {
            patiently(pending).await.unwrap();
        }
        until(|| proxy.has_cut()).await;
        // A copy of any would be in front of this one.
        let last = from.submit([&proxy.member], body(COUNT), SendOptions::SYNC);
        assert_eq!(numbers(&mut inbox, 1).await, [COUNT], "seed {seed}");
        patiently(last).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_keep_their_order_over_a_broken_connection() {
    for seed in 100..104 {
        let (from, _to, mut inbox, proxy) = broken(seed).await;
        send_keyed(&from, &proxy.member, 4, 150);
        assert_ordered_by_key(numbers(&mut inbox, 600).await, 4, 150);
    }
}

#[tokio::test]
async fn what_was_queued_while_lanes_were_in_use_keeps_its_order_when_the_peer_turns_out_to_be_clowder() {
    let limits = ChannelLimits { lanes: 3, ..ChannelLimits::default() };
    let from = builder().limits(limits).start().await.unwrap();
    let to = node().await;
    let mut inbox = to.inbox();
    let plain = Member { extension: bytes::Bytes::new(), ..to.local().clone() };
    let options = SendOptions::SYNC.ordered_by(1);
    let early: Vec<_> = (0..10).map(|n| from.submit([&plain], body(n), options)).collect();
    let first = next(&mut inbox).await;
    // The first one is in flight on a lane, nine wait behind it; now the record says what the peer can.
    let late: Vec<_> = (10..20).map(|n| from.submit([to.local()], body(n), options)).collect();
    assert_eq!(number(first.body()), 0);
    first.done();
    assert_eq!(numbers(&mut inbox, 19).await, (1..20).collect::<Vec<_>>());
    for pending in early.into_iter().chain(late) {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn messages_of_one_connection_reach_the_inbox_in_order() {
    let to = node().await;
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    let frames: Vec<_> = (0..300).map(|n| super::raw::frame(n, 0, &body(n))).collect();
    peer.write(&frames.concat()).await;
    assert_eq!(numbers(&mut inbox, 300).await, ascending(300));
}
