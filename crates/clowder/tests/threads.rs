//! The tests of the channel with a thread for each connection: the same cases, the same outcomes; and what only threads
//! do.

#![allow(clippy::unwrap_used)] // in tests a panic is the right report
#![allow(dead_code)] // helpers of the cases that are not repeated

use std::sync::Mutex;

use clowder::options::{SYNCHRONIZED_ACK, USE_ACK};
use clowder::{Channel, ReceiverKind, Refusal};
use clowder_proto::wire::Ack;

use nodes::{builder, listen, next, patiently};
use raw::{Raw, frame};

#[path = "channel/counts.rs"]
mod counts;
#[path = "channel/nodes.rs"]
mod nodes;
#[path = "channel/proxy.rs"]
mod proxy;
#[path = "channel/raw.rs"]
mod raw;

#[path = "channel/chain.rs"]
mod chain;
#[path = "channel/hostile.rs"]
mod hostile;
#[path = "channel/inbound.rs"]
mod inbound;
#[path = "channel/limits.rs"]
mod limits;
#[path = "channel/ordering.rs"]
mod ordering;
#[path = "channel/stop.rs"]
mod stop;

const SYNC: i32 = USE_ACK | SYNCHRONIZED_ACK;

async fn with_threads(max_threads: usize) -> Channel {
    builder().receiver(ReceiverKind::Threads { max_threads }).start().await.unwrap()
}

#[tokio::test]
async fn a_listener_that_blocks_holds_up_its_own_connection_only() {
    let to = with_threads(2).await;
    let (go, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    listen(&to, b"block", move |delivery| {
        wait.lock().unwrap().recv().unwrap();
        delivery.done();
    });
    let (mut blocked, mut other) = (Raw::connect(&to).await, Raw::connect(&to).await);
    blocked.write(&[frame(1, SYNC, b"block"), frame(2, SYNC, b"behind")].concat()).await;
    for id in 3..6 {
        other.write(&frame(id, SYNC, b"text")).await;
        assert_eq!(other.acks(1).await, [Ack::Ok]);
    }
    assert!(blocked.is_quiet());
    go.send(()).unwrap();
    assert_eq!(blocked.acks(2).await, [Ack::Ok; 2]);
}

#[tokio::test]
async fn a_connection_beyond_the_threads_takes_the_place_of_the_most_silent() {
    let to = with_threads(2).await;
    let mut refusals = to.refusals();
    let (mut silent, mut first) = (Raw::connect(&to).await, Raw::connect(&to).await);
    first.write(&frame(1, SYNC, b"a")).await;
    assert_eq!(first.acks(1).await, [Ack::Ok]);
    let mut second = Raw::connect(&to).await;
    second.write(&frame(2, SYNC, b"a")).await;
    assert_eq!(second.acks(1).await, [Ack::Ok], "on the thread of the one that was closed");
    assert_eq!(silent.rest().await, []);
    let Some(Refusal::Connection { kind, .. }) = patiently(refusals.next()).await else { panic!() };
    assert_eq!(kind, "too_many");
    first.write(&frame(3, SYNC, b"a")).await;
    assert_eq!(first.acks(1).await, [Ack::Ok]);
}

#[tokio::test]
async fn answers_given_while_the_thread_waits_for_bytes_leave_at_once() {
    let to = with_threads(1).await;
    let (mut inbox, mut peer) = (to.inbox(), Raw::connect(&to).await);
    peer.write(&[frame(1, SYNC, b"a"), frame(2, SYNC, b"b")].concat()).await;
    let (first, second) = (next(&mut inbox).await, next(&mut inbox).await);
    first.done();
    assert_eq!(peer.acks(1).await, [Ack::Ok], "before the other one is processed");
    second.fail();
    assert_eq!(peer.acks(1).await, [Ack::Failed]);
}
