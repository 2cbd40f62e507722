//! What a sender learns, depending on what it asked for and on what the receiver did.

use clowder::{Fate, SendFailure, SendOptions};
use clowder_proto::wire::Ack;
use clowder_proto::wire::options::{SYNCHRONIZED_ACK, USE_ACK};

use super::nodes::{body, failures, listen, next, node, number, pair, patiently};
use super::raw::{Raw, frame};

async fn fate_of(options: SendOptions) -> Fate {
    let (from, to, mut inbox) = pair().await;
    let sent = async { from.send([to.local()], "hello", options).await.unwrap() };
    let received = async {
        let delivery = next(&mut inbox).await;
        assert_eq!((&delivery.body()[..], delivery.from()), (&b"hello"[..], from.local()));
        assert_eq!(delivery.options(), options.bits());
        delivery.done();
    };
    let (receipt, ()) = patiently(async { tokio::join!(sent, received) }).await;
    let parts: Vec<_> = receipt.iter().collect();
    assert_eq!((parts.len(), parts[0].0), (1, to.local()));
    parts[0].1
}

#[tokio::test]
async fn the_fate_is_as_much_as_the_sender_asked_for() {
    assert_eq!(fate_of(SendOptions::NONE).await, Fate::Written);
    assert_eq!(fate_of(SendOptions::USE_ACK).await, Fate::Acknowledged);
    assert_eq!(fate_of(SendOptions::SYNC).await, Fate::Acknowledged);
    assert_eq!(fate_of(SendOptions::SYNC.asynchronous()).await, Fate::Queued);
}

#[tokio::test]
async fn use_ack_says_nothing_about_the_processing() {
    let (from, to, mut inbox) = pair().await;
    let mut pending = from.submit([to.local()], "a", SendOptions::USE_ACK);
    let delivery = next(&mut inbox).await;
    patiently(&mut pending).await.expect("it was received");
    delivery.fail();
    // Its answer is out; the failure must not become the answer of the next one.
    let pending = from.submit([to.local()], "b", SendOptions::USE_ACK);
    next(&mut inbox).await.done();
    patiently(pending).await.unwrap();
}

#[tokio::test]
async fn sync_says_what_became_of_the_processing() {
    let (from, to, mut inbox) = pair().await;
    let mut pending = from.submit([to.local()], "a", SendOptions::SYNC);
    let delivery = next(&mut inbox).await;
    tokio::select! {
        biased;
        result = &mut pending => panic!("nobody processed it: {result:?}"),
        () = tokio::task::yield_now() => {}
    }
    delivery.fail();
    assert_eq!(failures(patiently(pending).await), [SendFailure::RemoteProcess]);
}

#[tokio::test]
async fn a_failure_of_the_inbox_is_that_of_one_message_alone() {
    let (from, to, mut inbox) = pair().await;
    let pending: Vec<_> = (0..9).map(|n| from.submit([to.local()], body(n), SendOptions::SYNC)).collect();
    for _ in 0..9 {
        let delivery = next(&mut inbox).await;
        match number(delivery.body()) {
            4 => delivery.fail(),
            _ => delivery.done(),
        }
    }
    for (n, pending) in pending.into_iter().enumerate() {
        let expected: &[_] = if n == 4 { &[SendFailure::RemoteProcess] } else { &[] };
        assert_eq!(failures(patiently(pending).await), expected, "message {n}");
    }
}

#[tokio::test]
async fn a_failure_of_a_listener_is_that_of_one_message_alone() {
    let (from, to) = (node().await, node().await);
    listen(&to, b"bad", clowder::Delivery::fail);
    listen(&to, b"good", clowder::Delivery::done);
    let texts = ["good 1", "bad 2", "good 3"];
    let pending = texts.map(|text| from.submit([to.local()], text, SendOptions::SYNC));
    let mut results = Vec::new();
    for pending in pending {
        results.push(failures(patiently(pending).await));
    }
    assert_eq!(results, [vec![], vec![SendFailure::RemoteProcess], vec![]]);
}

#[tokio::test]
async fn a_listener_that_was_removed_gets_nothing() {
    let (from, to, mut inbox) = pair().await;
    let first = listen(&to, b"a", clowder::Delivery::fail);
    let _second = listen(&to, b"b", clowder::Delivery::fail);
    assert!(patiently(from.send([to.local()], "a", SendOptions::SYNC)).await.is_err());
    to.stop_listening(&first);
    let sent = from.submit([to.local()], "a", SendOptions::SYNC);
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.body(), &b"a"[..]);
    delivery.done();
    patiently(sent).await.unwrap();
    assert!(patiently(from.send([to.local()], "b", SendOptions::SYNC)).await.is_err(), "the other one stays");
}

#[tokio::test]
async fn a_delivery_that_is_dropped_has_failed() {
    let (from, to, mut inbox) = pair().await;
    let pending = from.submit([to.local()], "a", SendOptions::SYNC);
    drop(next(&mut inbox).await);
    assert_eq!(failures(patiently(pending).await), [SendFailure::RemoteProcess]);
}

#[tokio::test]
async fn what_waits_in_an_inbox_that_is_dropped_has_failed() {
    let to = node().await;
    let mut inbox = to.inbox();
    let mut peer = Raw::connect(&to).await;
    let sync = USE_ACK | SYNCHRONIZED_ACK;
    peer.write(&[frame(1, sync, b"a"), frame(2, sync, b"b")].concat()).await; // one batch
    let first = next(&mut inbox).await;
    drop(inbox);
    first.done();
    assert_eq!(peer.acks(2).await, [Ack::Ok, Ack::Failed]);
}

#[tokio::test]
async fn what_nobody_wants_counts_as_processed() {
    let (from, to) = (node().await, node().await);
    listen(&to, b"other", |_| panic!("it did not ask for this one"));
    patiently(from.send([to.local()], "hello", SendOptions::SYNC)).await.unwrap();
}

#[tokio::test]
async fn the_first_listener_that_wants_a_message_gets_it_and_the_inbox_the_rest() {
    let (from, to, mut inbox) = pair().await;
    let (seen, mut taken) = tokio::sync::mpsc::unbounded_channel();
    for (name, prefix) in [(1, &b"ab"[..]), (2, &b"a"[..])] {
        let seen = seen.clone();
        listen(&to, prefix, move |delivery| {
            seen.send((name, delivery.body().clone())).unwrap();
            delivery.done();
        });
    }
    let pending = ["abc", "ac", "b"].map(|text| from.submit([to.local()], text, SendOptions::SYNC));
    let last = next(&mut inbox).await;
    assert_eq!(last.body(), "b");
    last.done();
    for pending in pending {
        patiently(pending).await.unwrap();
    }
    assert_eq!(taken.recv().await, Some((1, "abc".into())));
    assert_eq!(taken.recv().await, Some((2, "ac".into())));
}

#[tokio::test]
async fn a_sender_that_no_longer_waits_does_not_take_its_message_back() {
    let (from, to, mut inbox) = pair().await;
    // Before it is written, and after it was delivered.
    drop(from.submit([to.local()], body(0), SendOptions::SYNC));
    let second = from.submit([to.local()], body(1), SendOptions::SYNC);
    let deliveries = [next(&mut inbox).await, next(&mut inbox).await];
    drop(second);
    for (n, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(number(delivery.body()), u32::try_from(n).unwrap());
        delivery.done();
    }
    // The answers that nobody waited for are not taken for this one's.
    let third = from.submit([to.local()], body(2), SendOptions::SYNC);
    next(&mut inbox).await.fail();
    assert_eq!(failures(patiently(third).await), [SendFailure::RemoteProcess]);
}

#[tokio::test]
async fn no_target_is_no_error() {
    let from = node().await;
    let nobody: [clowder::Member; 0] = [];
    assert!(from.send(&nobody, "a", SendOptions::SYNC).await.unwrap().is_empty());
    assert!(from.submit(&nobody, "a", SendOptions::SYNC).await.unwrap().is_empty());
    assert!(from.try_send(&nobody, "a", SendOptions::SYNC).unwrap().await.unwrap().is_empty());
    let (done, result) = std::sync::mpsc::channel();
    from.submit_then(&nobody, "a", SendOptions::SYNC, move |result| done.send(result).unwrap());
    assert!(result.recv().unwrap().unwrap().is_empty());
}

/// On one thread, whose timer only runs when the tasks let it.
#[tokio::test]
async fn a_sender_that_never_has_to_wait_lets_others_run() {
    let (from, to, mut inbox) = pair().await;
    let member = to.local().clone();
    let sending = tokio::spawn(async move {
        loop {
            from.send([&member], "a", SendOptions::NONE).await.unwrap();
        }
    });
    let receiving = tokio::spawn(async move {
        while let Some(delivery) = inbox.recv().await {
            delivery.done();
        }
    });
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    sending.abort();
    receiving.abort();
}
