//! What becomes of messages when a node stops.

use std::time::Duration;

use clowder::{Channel, SendFailure, SendOptions, Timeouts};
use clowder_proto::wire::Ack;

use super::nodes::{body, builder, failures, next, node, number, pair, patiently};
use super::raw::{Raw, RawPeer};

#[tokio::test]
async fn what_was_queued_is_sent_before_the_end() {
    let (from, to, mut inbox) = pair().await;
    let pending: Vec<_> = (0..500).map(|n| from.submit([to.local()], body(n), SendOptions::SYNC)).collect();
    let received = async {
        for n in 0..500 {
            let delivery = next(&mut inbox).await;
            assert_eq!(number(delivery.body()), n);
            delivery.done();
        }
    };
    patiently(async { tokio::join!(from.stop(), received) }).await;
    for pending in pending {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn after_the_end_everything_is_closed() {
    let (from, to, _inbox) = pair().await;
    let mut inbox = from.inbox();
    assert!(!from.is_stopped());
    patiently(from.stop()).await;
    patiently(from.stopped()).await;
    assert!(from.is_stopped());
    assert!(patiently(inbox.recv()).await.is_none(), "the inbox ends");
    let closed = [SendFailure::Closed];
    assert_eq!(failures(patiently(from.send([to.local()], "a", SendOptions::SYNC)).await), closed);
    assert_eq!(failures(patiently(from.submit([to.local()], "a", SendOptions::NONE)).await), closed);
    assert_eq!(failures(from.try_send([to.local()], "a", SendOptions::NONE).unwrap().await), closed);
    let (done, result) = std::sync::mpsc::channel();
    from.submit_then([to.local()], "a", SendOptions::NONE, move |result| done.send(result).unwrap());
    assert_eq!(failures(result.recv().unwrap()), closed);
    patiently(from.stop()).await; // once more does no harm
}

/// A node that has a message on its way which is never answered, and that message.
async fn waiting_for_ever() -> (Channel, clowder::Pending, RawPeer, Raw) {
    let timeouts = Timeouts { drain: Duration::from_millis(20), ..Timeouts::default() };
    let from = builder().timeouts(timeouts).start().await.unwrap();
    let peer = RawPeer::new().await;
    let pending = from.submit([&peer.member], "a", SendOptions::SYNC);
    let mut raw = peer.accept().await;
    raw.message().await.unwrap();
    (from, pending, peer, raw)
}

#[tokio::test]
async fn what_is_not_answered_in_time_fails_with_the_end() {
    let (from, pending, _peer, mut raw) = waiting_for_ever().await;
    patiently(from.stop()).await;
    assert_eq!(failures(patiently(pending).await), [SendFailure::Closed]);
    assert_eq!(raw.message().await, None, "the connection is closed");
}

#[tokio::test]
async fn the_last_handle_that_goes_closes_without_waiting() {
    let (from, pending, _peer, mut raw) = waiting_for_ever().await;
    let other = from.clone();
    drop(from);
    assert!(!other.is_stopped(), "a handle is left");
    drop(other);
    assert_eq!(failures(patiently(pending).await), [SendFailure::Closed]);
    assert_eq!(raw.message().await, None, "the connection is closed");
}

#[tokio::test]
async fn a_stopped_node_closes_the_connections_of_others() {
    let to = node().await;
    let mut peer = Raw::connect(&to).await;
    peer.write(&super::raw::frame(1, clowder::options::USE_ACK, b"a")).await;
    assert_eq!(peer.acks(1).await, [Ack::Ok]);
    patiently(to.stop()).await;
    assert_eq!(peer.ack().await, None);
}

#[tokio::test]
async fn a_delivery_may_outlive_its_node() {
    let (from, to, mut inbox) = pair().await;
    let pending = from.submit([to.local()], "a", SendOptions::SYNC);
    let delivery = next(&mut inbox).await;
    patiently(to.stop()).await;
    delivery.done();
    drop(from);
    assert_eq!(failures(patiently(pending).await).len(), 1, "its answer has no way");
}
