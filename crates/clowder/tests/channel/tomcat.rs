//! Towards a peer whose record announces nothing: one message that waits for its acknowledgement on each connection.

use clowder::{Channel, ChannelLimits, Fate, Pending, SendFailure, SendOptions, Timeouts};
use clowder_proto::wire::Ack;

use super::nodes::{body, builder, failures, node, number, patiently};
use super::raw::{Raw, RawPeer};

const LANES: usize = 3;

async fn with_lanes() -> (Channel, RawPeer) {
    let limits = ChannelLimits { lanes: LANES, ..ChannelLimits::default() };
    (builder().limits(limits).start().await.unwrap(), RawPeer::new().await)
}

/// Messages whose order does not matter.
fn queue(from: &Channel, to: &RawPeer, numbers: std::ops::Range<u32>, options: SendOptions) -> Vec<Pending> {
    numbers.map(|n| from.try_send([&to.member], body(n), options).unwrap()).collect()
}

#[tokio::test]
async fn one_message_waits_for_its_acknowledgement_on_each_connection() {
    let (from, tomcat) = with_lanes().await;
    let mut pending = queue(&from, &tomcat, 0..3, SendOptions::USE_ACK);
    let mut connections = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..LANES {
        let mut raw = tomcat.accept().await;
        seen.push(number(&raw.message().await.unwrap().body));
        connections.push(raw);
    }
    // All connections are open: what may be written now, is written before this returns.
    pending.extend(queue(&from, &tomcat, 3..9, SendOptions::USE_ACK));
    assert!(connections.iter().all(Raw::is_quiet), "a second message in flight");
    for _ in 0..2 {
        for raw in &mut connections {
            raw.answer(Ack::Ok).await;
            seen.push(number(&raw.message().await.unwrap().body));
        }
        assert!(connections.iter().all(Raw::is_quiet), "an acknowledgement makes room for one");
    }
    for raw in &mut connections {
        raw.answer(Ack::Ok).await;
    }
    for pending in pending {
        patiently(pending).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..9).collect::<Vec<_>>());
    tokio::select! {
        biased;
        _ = tomcat.listener.accept() => panic!("more connections than lanes"),
        () = tokio::task::yield_now() => {}
    }
}

#[tokio::test]
async fn messages_without_acknowledgement_do_not_wait_for_each_other() {
    let (from, tomcat) = with_lanes().await;
    let pending: Vec<_> = (0..20).map(|n| from.submit([&tomcat.member], body(n), SendOptions::NONE)).collect();
    let mut raw = tomcat.accept().await;
    for n in 0..20 {
        assert_eq!(number(&raw.message().await.unwrap().body), n);
    }
    for pending in pending {
        let receipt = patiently(pending).await.unwrap();
        assert_eq!(receipt.iter().map(|(_, fate)| fate).collect::<Vec<_>>(), [Fate::Written]);
    }
}

#[tokio::test]
async fn a_message_that_failed_there_is_sent_once_more_with_the_same_id() {
    let (from, tomcat) = with_lanes().await;
    let pending = from.submit([&tomcat.member], "a", SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    let first = raw.message().await.unwrap();
    raw.answer(Ack::Failed).await;
    let second = raw.message().await.expect("the connection is not at fault");
    assert_eq!(first, second);
    raw.answer(Ack::Ok).await;
    patiently(pending).await.unwrap();
}

#[tokio::test]
async fn a_message_that_failed_there_twice_has_failed_and_the_next_goes_on() {
    let (from, tomcat) = with_lanes().await;
    let failing = from.submit([&tomcat.member], body(0), SendOptions::SYNC);
    let next = from.submit([&tomcat.member], body(1), SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    let mut seen = Vec::new();
    for answer in [Ack::Failed, Ack::Failed, Ack::Ok] {
        seen.push(number(&raw.message().await.unwrap().body));
        raw.answer(answer).await;
    }
    assert_eq!(seen, [0, 0, 1]);
    assert_eq!(failures(patiently(failing).await), [SendFailure::RemoteProcess]);
    patiently(next).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_replaced_once() {
    let (from, tomcat) = with_lanes().await;
    let pending = from.submit([&tomcat.member], "a", SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    let first = raw.message().await.unwrap();
    drop(raw);
    let mut raw = tomcat.accept().await;
    assert_eq!(raw.message().await.unwrap(), first);
    drop(raw);
    assert_eq!(failures(patiently(pending).await), [SendFailure::ConnectionLost]);
}

#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    let (from, tomcat) = with_lanes().await;
    let pending = from.submit([&tomcat.member], "a", SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    raw.message().await.unwrap();
    for byte in Ack::Ok.frame() {
        raw.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    patiently(pending).await.unwrap();
}

/// The failure of a message whose peer does this with every connection.
async fn failure_at(peer: impl AsyncFn(&mut Raw)) -> Vec<SendFailure> {
    let timeouts = Timeouts { send: std::time::Duration::from_millis(50), retries_max: 0, ..Timeouts::default() };
    let from = builder().timeouts(timeouts).start().await.unwrap();
    let tomcat = RawPeer::new().await;
    let pending = from.submit([&tomcat.member], "a", SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    raw.message().await.unwrap();
    peer(&mut raw).await;
    let failures = failures(patiently(pending).await);
    assert_eq!(raw.message().await, None, "a connection that failed is closed");
    failures
}

#[tokio::test]
async fn an_answer_that_is_none_breaks_the_protocol() {
    assert_eq!(failure_at(async |raw| raw.write(b"HTTP/1.1 400 Bad Request\r\n").await).await, [SendFailure::Protocol]);
}

#[tokio::test]
async fn no_answer_is_a_timeout() {
    assert_eq!(failure_at(async |_| ()).await, [SendFailure::Timeout]);
}

#[tokio::test]
async fn an_answer_too_many_confirms_nothing() {
    let (from, tomcat) = with_lanes().await;
    let first = from.submit([&tomcat.member], body(0), SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    raw.message().await.unwrap();
    raw.write(&[Ack::Ok.frame(), Ack::Ok.frame()].concat()).await;
    patiently(first).await.unwrap();
    assert_eq!(raw.message().await, None, "it is closed");
    let second = from.submit([&tomcat.member], body(1), SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    assert_eq!(number(&raw.message().await.unwrap().body), 1);
    raw.answer(Ack::Ok).await;
    patiently(second).await.unwrap();
}

#[tokio::test]
async fn where_nobody_listens_no_connection_can_be_made() {
    let from = node().await;
    let result = patiently(from.send([&super::nodes::nobody().await], "a", SendOptions::NONE)).await;
    assert_eq!(failures(result), [SendFailure::Connect]);
}
