//! Messages through a chain, between two channels: what is held, rejected, split and committed.

use std::sync::{Arc, Mutex};

use clowder::chain::{Above, Arrival, Below, Body, Context, Draft, Flow, Interceptor, LayerConfig, Parcel};
use clowder::chain::{Refusal as Refused, Rejection, Targets};
use clowder::{Channel, Refusal, SendFailure, SendOptions};
use clowder_proto::wire::Ack;

use crate::nodes::{builder, failures, nobody, patiently};

/// What the layer of these tests does, by the first byte of a body.
#[derive(Debug, Default)]
struct Tricks {
    held: Mutex<Option<Arrival>>,
}

impl Interceptor for Tricks {
    fn name(&self) -> &'static str {
        "tricks"
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refused> {
        let text = parcel.draft.body.clone().into_bytes();
        match text.first() {
            Some(b'r') => return Err(Refused { interceptor: "tricks", reason: "it begins with r".to_owned() }),
            // Twice, the second one for one target only.
            Some(b't') => {
                let mut second = Parcel { targets: Targets::One(0), ..parcel.clone() };
                (second.draft.id, second.draft.body) = ([7; 16], Body::from(bytes::Bytes::from_static(b"x")));
                below.pass(cx, parcel)?;
                below.pass(cx, &mut second)?;
            }
            // Committed by a second message.
            Some(b'c') => {
                let draft =
                    Draft { id: [8; 16], body: Body::from(bytes::Bytes::from_static(b"give")), ..parcel.draft.clone() };
                parcel.draft.id = [9; 16];
                below.pass_then(cx, parcel, draft)?;
            }
            _ => return Ok(Flow::Pass),
        }
        Ok(Flow::Taken)
    }

    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, above: &mut Above<'_>) -> Result<Flow, Rejection> {
        let rejection = |answer| Rejection { interceptor: "tricks", kind: "unwanted", answer };
        match &arrival.message.body[..] {
            b"no" => return Err(rejection(Ack::Failed)),
            b"not quite" => return Err(rejection(Ack::Ok)),
            [b'c', ..] => *self.held.lock().unwrap() = Some(arrival.clone()),
            b"give" => {
                let held = self.held.lock().unwrap().take();
                held.into_iter().for_each(|held| above.pass(cx, Arrival { answers: true, ..held }));
            }
            _ => return Ok(Flow::Pass),
        }
        Ok(Flow::Taken)
    }
}

async fn node() -> Channel {
    let dispatch = LayerConfig::named("dispatch").unwrap();
    builder().layer(dispatch).layer(LayerConfig::Custom(Arc::new(Tricks::default()))).start().await.unwrap()
}

#[tokio::test]
async fn what_the_chain_rejects_is_not_delivered_and_the_sender_is_told_what_tomcat_would_tell() {
    let (from, to) = (node().await, node().await);
    let mut refusals = to.refusals();
    let mut inbox = to.inbox();
    let no = patiently(from.send([to.local()], "no", SendOptions::SYNC)).await;
    assert_eq!(failures(no), [SendFailure::RemoteProcess]);
    patiently(from.send([to.local()], "no", SendOptions::USE_ACK)).await.unwrap();
    patiently(from.send([to.local()], "not quite", SendOptions::SYNC)).await.unwrap();
    for _ in 0..3 {
        let refusal = patiently(refusals.next()).await.unwrap();
        let Refusal::Message { from: sender, interceptor, kind, .. } = refusal else { panic!("{refusal:?}") };
        assert_eq!((sender, interceptor, kind), (from.local().id.clone(), "tricks", "unwanted"));
    }
    from.send([to.local()], "yes", SendOptions::NONE).await.unwrap();
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), "yes");
}

#[tokio::test]
async fn what_the_chain_refuses_to_send_fails_everywhere_and_nothing_leaves() {
    let (from, to) = (node().await, node().await);
    let mut inbox = to.inbox();
    let targets = [to.local().clone(), from.local().clone()];
    let result = patiently(from.send(&targets, "refuse", SendOptions::SYNC)).await;
    assert_eq!(failures(result), [SendFailure::Refused, SendFailure::Refused]);
    from.send([to.local()], "next", SendOptions::NONE).await.unwrap();
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), "next");
}

#[tokio::test]
async fn a_message_of_several_frames_has_one_outcome_for_each_target() {
    let (from, one, two) = (node().await, node().await, node().await);
    let (mut at_one, mut at_two) = (one.inbox(), two.inbox());
    let targets = [one.local().clone(), two.local().clone()];
    for way in 0..4 {
        let receipt = match way {
            0 => patiently(from.send(&targets, "twice", SendOptions::NONE)).await.unwrap(),
            1 => patiently(from.submit(&targets, "twice", SendOptions::NONE)).await.unwrap(),
            2 => patiently(from.try_send(&targets, "twice", SendOptions::NONE).unwrap()).await.unwrap(),
            _ => {
                let (tell, told) = tokio::sync::oneshot::channel();
                let options = SendOptions::NONE;
                from.submit_then(&targets, "twice", options, move |result| tell.send(result).unwrap());
                patiently(told).await.unwrap().unwrap()
            }
        };
        let reached: Vec<_> = receipt.iter().map(|(member, _)| member.clone()).collect();
        assert_eq!(reached, targets);
        // The second frame has the same id every time, so that it is taken for a copy later.
        let first: &[&str] = if way == 0 { &["twice", "x"] } else { &["twice"] };
        for text in first {
            assert_eq!(patiently(at_one.recv()).await.unwrap().body(), text.as_bytes());
        }
        assert_eq!(patiently(at_two.recv()).await.unwrap().body(), "twice");
    }
}

#[tokio::test]
async fn a_follow_up_leaves_when_the_first_message_is_everywhere() {
    let (from, to) = (node().await, node().await);
    let mut inbox = to.inbox();
    let sent = from.submit([to.local()], "commit", SendOptions::SYNC);
    let delivery = patiently(inbox.recv()).await.unwrap();
    assert_eq!(delivery.body(), "commit");
    delivery.done();
    patiently(sent).await.unwrap();
}

#[tokio::test]
async fn a_follow_up_does_not_leave_when_a_target_failed_and_no_target_counts_as_reached() {
    let (from, to, nobody) = (node().await, node().await, nobody().await);
    let mut inbox = to.inbox();
    let result = patiently(from.send([to.local(), &nobody], "commit", SendOptions::SYNC)).await;
    let error = result.unwrap_err();
    assert!(error.delivered.is_empty(), "{error:?}");
    assert!(error.failed.contains(&(to.local().clone(), SendFailure::NotCommitted)), "{error:?}");
    from.send([to.local()], "next", SendOptions::NONE).await.unwrap();
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), "next", "it was never given out");
}

#[tokio::test]
async fn nobody_waits_for_an_asynchronous_message_of_several_frames() {
    let (from, to) = (node().await, node().await);
    let mut inbox = to.inbox();
    let receipt = patiently(from.send([to.local()], "twice", SendOptions::SYNC.asynchronous())).await.unwrap();
    assert_eq!(receipt.len(), 1);
    let first = patiently(inbox.recv()).await.unwrap();
    assert_eq!(first.body(), "twice");
    assert_eq!(patiently(inbox.recv()).await.unwrap().body(), "x");
}
