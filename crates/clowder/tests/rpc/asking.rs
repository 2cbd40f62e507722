//! Calls and how they end.

use std::time::Duration;

use bytes::Bytes;
use clowder::{
    CallsConfig, RpcChannelLimits, RpcError, RpcFate, RpcMode, RpcReply, RpcRequest, SendOptions, StaticMember,
};
use tokio::sync::mpsc;

use super::nodes::{builder, nobody, node, patiently};
use super::world::{LONG, ask, asker, echo, fates, is_taken, silent};

#[tokio::test]
async fn every_member_answers_a_question_to_all() {
    let (a, b, c) = (node().await, node().await, node().await);
    let (rpc, _b, _c) = (asker(&a), echo(&b, "b"), echo(&c, "c"));
    let result = ask(&rpc, &[&b, &c], RpcMode::All, LONG).await;
    assert!(result.is_reached());
    assert_eq!(result.answers().map(|(member, _)| member).collect::<Vec<_>>(), [b.local(), c.local()]);
    assert_eq!(fates(result), ["b hello", "c hello"]);
}

#[tokio::test]
async fn one_answer_is_enough_for_first_and_for_half_of_two() {
    let (a, b, c) = (node().await, node().await, node().await);
    let (rpc, _b, _c) = (asker(&a), echo(&b, "b"), silent(&c));
    for mode in [RpcMode::First, RpcMode::Majority] {
        let result = ask(&rpc, &[&b, &c], mode, LONG).await;
        assert!(result.is_reached());
        assert_eq!(fates(result), ["b hello", "NotAwaited"]);
    }
}

#[tokio::test]
async fn who_has_no_such_rpc_channel_says_so_at_once() {
    let (a, b, c, d) = (node().await, node().await, node().await, node().await);
    let rpc = asker(&a);
    let _other = b.rpc("other").on_request(|_| async { Ok::<_, RpcError>(RpcReply::null()) }).open().unwrap();
    // Who only asks has nothing to ask, either; and `c` has no RPC channel at all.
    let _asks = asker(&d);
    let result = ask(&rpc, &[&b, &c, &d], RpcMode::All, LONG).await;
    assert_eq!(fates(result), ["NoChannel", "NoChannel", "NoChannel"]);
}

#[tokio::test]
async fn who_is_not_reached_fails_alone() {
    let (a, b) = (node().await, node().await);
    let (rpc, _b) = (asker(&a), echo(&b, "b"));
    let targets = [nobody().await, b.local().clone()];
    let call = rpc.call_typed::<_, String>(targets, "hello", RpcMode::All, SendOptions::NONE, LONG);
    let result = patiently(call).await.unwrap();
    assert!(!result.is_reached());
    assert_eq!(fates(result), ["Failed(Connect)", "b hello"]);
}

#[tokio::test]
async fn after_its_time_a_call_ends_with_what_there_is() {
    let (a, b, c) = (node().await, node().await, node().await);
    let (rpc, _b, _c) = (asker(&a), echo(&b, "b"), silent(&c));
    // `b` has answered once, so its connection is there and its answer is not the slow one.
    ask(&rpc, &[&b], RpcMode::All, LONG).await;
    let result = ask(&rpc, &[&c], RpcMode::All, Duration::ZERO).await;
    assert_eq!(fates(result), ["TimedOut"]);
    let result = ask(&rpc, &[&c], RpcMode::First, Duration::from_millis(20)).await;
    assert!(!result.is_reached());
    assert_eq!(fates(result), ["TimedOut"]);
}

#[tokio::test]
async fn a_member_that_stops_is_not_waited_for() {
    let b = builder().unique_id([2; 16]).start().await.unwrap();
    let address = b.local().id.socket_addr().unwrap();
    let a = builder().member(StaticMember::new(address, [2; 16])).start().await.unwrap();
    patiently(a.settled()).await;
    assert!(a.view().contains(&b.local().id));
    let (rpc, _b) = (asker(&a), silent(&b));
    let targets = [&b];
    let (result, ()) = tokio::join!(ask(&rpc, &targets, RpcMode::All, LONG), patiently(b.stop()));
    let fates = fates(result);
    assert!(fates == ["Left"] || fates[0].starts_with("Failed"), "{fates:?}");
}

#[tokio::test]
async fn answers_that_nobody_waits_for_are_left_over() {
    let (a, b) = (node().await, node().await);
    let _b = echo(&b, "b");
    let (tell, mut told) = mpsc::unbounded_channel();
    let rpc = a.rpc("echo").on_left_over(move |answer| drop(tell.send(answer))).open().unwrap();
    let result = ask(&rpc, &[&b], RpcMode::NoReply, LONG).await;
    assert_eq!(fates(result), ["NotAwaited"]);
    let answer = patiently(told.recv()).await.unwrap();
    assert_eq!((answer.from(), answer.read::<String>().unwrap()), (b.local(), "b hello".to_owned()));
}

#[tokio::test]
async fn a_call_that_is_given_up_makes_room_for_the_next() {
    let (a, b) = (node().await, node().await);
    let _b = silent(&b);
    let calls = CallsConfig { calls_max: 1, ..CallsConfig::default() };
    let limits = RpcChannelLimits { calls, ..RpcChannelLimits::default() };
    let rpc = a.rpc("echo").limits(limits).open().unwrap();
    {
        let targets = [&b];
        let mut first = std::pin::pin!(ask(&rpc, &targets, RpcMode::All, LONG));
        tokio::select! {
            biased;
            _ = &mut first => panic!("nobody answers"),
            () = tokio::task::yield_now() => {}
        }
        let second =
            rpc.call([b.local()], Bytes::from_static(b"\xac\xed\0\x05p"), RpcMode::All, SendOptions::NONE, LONG);
        assert!(matches!(second.await, Err(RpcError::Call(_))), "one call is the limit");
    }
    let result = ask(&rpc, &[&b], RpcMode::All, Duration::ZERO).await;
    assert_eq!(fates(result), ["TimedOut"]);
}

#[tokio::test]
async fn an_answer_of_another_type_is_unreadable_and_the_others_are_not() {
    let (a, b, c) = (node().await, node().await, node().await);
    let (rpc, _b) = (asker(&a), echo(&b, "b"));
    let number = |_| async { RpcReply::of(&5) };
    let _c = c.rpc("echo").on_request(number).open().unwrap();
    let result = ask(&rpc, &[&b, &c], RpcMode::All, LONG).await;
    let fates: Vec<_> = result.into_iter().map(|(_, fate)| fate).collect();
    assert!(matches!(&fates[0], RpcFate::Answered(answer) if answer == "b hello"));
    let RpcFate::Unreadable(error) = &fates[1] else { panic!("{:?}", fates[1]) };
    assert!(error.to_string().contains("java.lang.Integer"), "{error}");
}

#[tokio::test]
async fn what_is_no_java_object_is_not_sent() {
    let (a, b) = (node().await, node().await);
    let rpc = asker(&a);
    let call = rpc.call([b.local()], "hello", RpcMode::All, SendOptions::NONE, LONG);
    assert!(matches!(call.await, Err(RpcError::Call(_))));
}

#[tokio::test]
async fn an_id_is_free_again_when_the_last_handle_is_gone() {
    let (a, b) = (node().await, node().await);
    let (rpc, first) = (asker(&a), echo(&b, "first"));
    let clone = first.clone();
    assert!(is_taken(b.rpc("echo").open()));
    drop(first);
    assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), ["first hello"]);
    drop(clone);
    assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), ["NoChannel"]);
    let _second = echo(&b, "second");
    assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), ["second hello"]);
    assert!(matches!(b.rpc(vec![0; 5000]).open(), Err(RpcError::IdTooLong { len: 5000, max: 4096 })));
}

#[tokio::test]
async fn several_rpc_channels_share_a_channel() {
    let (a, b) = (node().await, node().await);
    let named = |name: &'static str| move |_: RpcRequest| async move { RpcReply::of(name) };
    let _one = b.rpc("one").on_request(named("one")).open().unwrap();
    let _empty = b.rpc("").on_request(named("empty")).open().unwrap();
    for (id, answer) in [("one", "one"), ("", "empty")] {
        let rpc = a.rpc(id).open().unwrap();
        assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), [answer]);
    }
}
