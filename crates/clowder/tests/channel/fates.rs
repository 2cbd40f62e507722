//! Every message has one outcome at each target, whichever way it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use clowder::{Channel, Member, Receipt, SendError, SendFailure, SendOptions};

use super::nodes::{body, failures, next, nobody, node, patiently, until};

/// A sender, two receivers that process everything, and a member that is dead.
struct Group {
    from: Channel,
    living: [Channel; 2],
    dead: Member,
}

impl Group {
    async fn new() -> Group {
        let living = [node().await, node().await];
        for node in &living {
            let mut inbox = node.inbox();
            tokio::spawn(async move {
                while let Some(delivery) = inbox.recv().await {
                    delivery.done();
                }
            });
        }
        Group { from: node().await, living, dead: nobody().await }
    }

    fn targets(&self) -> [&Member; 3] {
        [self.living[0].local(), &self.dead, self.living[1].local()]
    }

    fn assert_names_all(&self, result: Result<Receipt, SendError>) {
        let error = result.expect_err("one is dead");
        assert_eq!(error.failed, [(self.dead.clone(), SendFailure::Connect)]);
        assert_eq!(error.delivered, [self.living[0].local().clone(), self.living[1].local().clone()]);
    }
}

#[tokio::test]
async fn an_error_names_who_has_the_message_and_who_does_not() {
    let group = Group::new().await;
    let from = &group.from;
    for options in [SendOptions::NONE, SendOptions::USE_ACK, SendOptions::SYNC] {
        group.assert_names_all(patiently(from.send(group.targets(), "a", options)).await);
        group.assert_names_all(patiently(from.submit(group.targets(), "a", options)).await);
        group.assert_names_all(patiently(from.try_send(group.targets(), "a", options).unwrap()).await);
        let (done, result) = tokio::sync::oneshot::channel();
        from.submit_then(group.targets(), "a", options, move |result| done.send(result).unwrap());
        group.assert_names_all(patiently(result).await.unwrap());
    }
}

#[tokio::test]
async fn all_alive_is_a_receipt_of_all_in_their_order() {
    let group = Group::new().await;
    let targets = [group.living[1].local(), group.living[0].local()];
    let receipt = patiently(group.from.send(targets, "a", SendOptions::SYNC)).await.unwrap();
    assert_eq!(receipt.iter().map(|(member, _)| member).collect::<Vec<_>>(), targets);
}

#[tokio::test]
async fn a_target_that_is_named_twice_gets_it_twice_and_has_two_outcomes() {
    let group = Group::new().await;
    let target = group.living[0].local();
    assert_eq!(patiently(group.from.send([target, target], "a", SendOptions::SYNC)).await.unwrap().len(), 2);
    let error = patiently(group.from.send([&group.dead, &group.dead], "a", SendOptions::SYNC)).await.unwrap_err();
    assert_eq!((error.failed.len(), error.delivered.len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_called_exactly_once_whatever_happens() {
    const COUNT: usize = 400;
    let group = Group::new().await;
    let calls: Arc<Vec<AtomicUsize>> = Arc::new((0..COUNT).map(|_| AtomicUsize::new(0)).collect());
    let outcomes = Arc::new(AtomicUsize::new(0));
    for n in 0..COUNT {
        let (calls, outcomes) = (Arc::clone(&calls), Arc::clone(&outcomes));
        let done = move |result: Result<Receipt, SendError>| {
            let targets =
                result.map_or_else(|error| error.failed.len() + error.delivered.len(), |receipt| receipt.len());
            outcomes.fetch_add(targets, SeqCst);
            calls[n].fetch_add(1, SeqCst);
        };
        group.from.submit_then(group.targets(), body(u32::try_from(n).unwrap()), SendOptions::SYNC, done);
        if n == COUNT / 2 {
            // From here on in the middle of the end of the node and of a peer.
            let (from, peer) = (group.from.clone(), group.living[0].clone());
            tokio::spawn(async move { tokio::join!(from.stop(), peer.stop()) });
        }
    }
    patiently(group.from.stopped()).await;
    until(|| calls.iter().all(|calls| calls.load(SeqCst) > 0)).await;
    assert!(calls.iter().all(|calls| calls.load(SeqCst) == 1));
    assert_eq!(outcomes.load(SeqCst), 3 * COUNT);
}

#[tokio::test]
async fn a_callback_may_send() {
    let (from, to, mut inbox) = super::nodes::pair().await;
    let (sender, target) = (from.clone(), to.local().clone());
    from.submit_then([to.local()], "first", SendOptions::SYNC, move |result| {
        result.unwrap();
        drop(sender.submit([&target], "second", SendOptions::SYNC));
    });
    for expected in ["first", "second"] {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.body(), expected);
        delivery.done();
    }
}

#[tokio::test]
async fn one_slow_target_does_not_hold_back_the_others() {
    let (from, quick, mut inbox) = super::nodes::pair().await;
    let slow = super::raw::RawPeer::new().await;
    let mut pending = from.submit([&slow.member, quick.local()], "a", SendOptions::SYNC);
    next(&mut inbox).await.done();
    let second = from.submit([quick.local()], "b", SendOptions::SYNC);
    next(&mut inbox).await.done();
    patiently(second).await.unwrap();
    let mut raw = slow.accept().await;
    raw.message().await.unwrap();
    raw.answer(clowder_proto::wire::Ack::Failed).await;
    raw.message().await.unwrap();
    raw.answer(clowder_proto::wire::Ack::Failed).await;
    let error = patiently(&mut pending).await.unwrap_err();
    assert_eq!(error.delivered, [quick.local().clone()]);
    assert_eq!(failures(Err(error)), [SendFailure::RemoteProcess]);
}
