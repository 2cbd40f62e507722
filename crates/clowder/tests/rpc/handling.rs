//! What handlers may do, and what bounds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use clowder::{RpcChannelLimits, RpcError, RpcMode, RpcReply, RpcRequest, SendOptions};
use tokio::sync::{OnceCell, Semaphore, mpsc};

use super::nodes::{node, patiently, until};
use super::world::{LONG, ask, asker, echo, fates};

#[tokio::test]
async fn a_handler_may_ask_back_while_it_answers() {
    let (a, b) = (node().await, node().await);
    let (rpc, _a) = (asker(&a), a.rpc("name").on_request(|_| async { RpcReply::of("a") }).open().unwrap());
    let back = b.rpc("name").open().unwrap();
    let greet = move |request: RpcRequest| {
        let back = back.clone();
        async move {
            let asked = back.call_typed::<_, String>([request.from()], "?", RpcMode::All, SendOptions::USE_ACK, LONG);
            let name = asked.await?.into_iter().next().map(|(_, fate)| format!("{fate:?}"));
            RpcReply::of(&name)
        }
    };
    let _b = b.rpc("echo").on_request(greet).open().unwrap();
    assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), ["Answered(\"a\")"]);
}

/// A handler that counts who is in it and lets nobody out before it is told.
struct Gate {
    inside: AtomicUsize,
    most: AtomicUsize,
    leave: Semaphore,
}

impl Gate {
    fn new() -> Arc<Gate> {
        Arc::new(Gate { inside: AtomicUsize::new(0), most: AtomicUsize::new(0), leave: Semaphore::new(0) })
    }

    async fn pass(&self) {
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(inside, SeqCst);
        self.leave.acquire().await.unwrap().forget();
        self.inside.fetch_sub(1, SeqCst);
    }
}

#[tokio::test]
async fn requests_are_handled_beside_each_other_up_to_the_limit() {
    let (a, b) = (node().await, node().await);
    let (rpc, gate) = (asker(&a), Gate::new());
    let at_gate = Arc::clone(&gate);
    let handler = move |_| {
        let gate = Arc::clone(&at_gate);
        async move {
            gate.pass().await;
            RpcReply::of("through")
        }
    };
    let limits = RpcChannelLimits { concurrent_max: 3, ..RpcChannelLimits::default() };
    let _b = b.rpc("echo").on_request(handler).limits(limits).open().unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (rpc, b) = (rpc.clone(), b.clone());
        calls.spawn(async move { fates(ask(&rpc, &[&b], RpcMode::All, LONG).await) });
    }
    until(|| gate.inside.load(SeqCst) == 3).await;
    gate.leave.add_permits(8);
    while let Some(answer) = patiently(calls.join_next()).await {
        assert_eq!(answer.unwrap(), ["through"]);
    }
    assert_eq!(gate.most.load(SeqCst), 3);
}

#[tokio::test]
async fn requests_beyond_the_queue_are_dropped_and_told_to_who_waits_for_the_outcome() {
    let (a, b) = (node().await, node().await);
    let gate = Gate::new();
    let at_gate = Arc::clone(&gate);
    let handler = move |_| {
        let gate = Arc::clone(&at_gate);
        async move {
            gate.pass().await;
            Ok::<_, RpcError>(RpcReply::null())
        }
    };
    let limits = RpcChannelLimits { request_bytes_max: 100, ..RpcChannelLimits::default() };
    let _b = b.rpc("echo").on_request(handler).limits(limits).open().unwrap();
    // A request of 60 bytes as another implementation may send it: with a wait for the processing.
    let body = |serial: u8| {
        let content = clowder_proto::rpc::RpcContent::Request(java_object_stream::to_bytes(&"x".repeat(53)).unwrap());
        let rpc_id = bytes::Bytes::from_static(b"echo");
        clowder_proto::rpc::RpcMessage { uuid: vec![serial; 16].into(), rpc_id, content }.encode().unwrap()
    };
    let sync = SendOptions::SYNC.byte_message(false);
    patiently(a.send([b.local()], body(1), sync)).await.unwrap();
    until(|| gate.inside.load(SeqCst) == 1).await;
    assert!(patiently(a.send([b.local()], body(2), sync)).await.is_err(), "no room while the first is handled");
    gate.leave.add_permits(2);
    until(|| gate.inside.load(SeqCst) == 0).await;
    patiently(async { while a.send([b.local()], body(3), sync).await.is_err() {} }).await;
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_harms_no_other_request() {
    let (a, b) = (node().await, node().await);
    let rpc = asker(&a);
    let (tell, mut told) = mpsc::unbounded_channel();
    let handler = move |request: RpcRequest| {
        let tell = tell.clone();
        async move {
            let text = request.read::<String>()?;
            tell.send(text.clone()).unwrap();
            match text.as_str() {
                "fail" => Err("as asked".into()),
                "panic" => panic!("as asked"),
                _ => Ok::<_, Box<dyn std::error::Error + Send + Sync>>(RpcReply::of("fine")?),
            }
        }
    };
    let _b = b.rpc("echo").on_request(handler).open().unwrap();
    for text in ["fail", "panic"] {
        let call = rpc.call_typed::<_, String>([b.local()], text, RpcMode::All, SendOptions::USE_ACK, LONG);
        let call = async { fates(call.await.unwrap()) };
        tokio::select! {
            fates = call => panic!("an answer to {text}: {fates:?}"),
            seen = patiently(told.recv()) => assert_eq!(seen.as_deref(), Some(text)),
        }
    }
    assert_eq!(fates(ask(&rpc, &[&b], RpcMode::All, LONG).await), ["fine"]);
}

#[tokio::test]
async fn a_channel_that_stops_ends_its_rpc_channels_tasks() {
    let b = node().await;
    let (alive, gone) = (Arc::new(()), Arc::new(OnceCell::<clowder::RpcChannel>::new()));
    let weak = Arc::downgrade(&alive);
    // A handler that holds its own RPC channel.
    let own = Arc::clone(&gone);
    let handler = move |_| {
        let _held = (Arc::clone(&alive), own.get().cloned());
        async { Ok::<_, RpcError>(RpcReply::null()) }
    };
    gone.set(b.rpc("echo").on_request(handler).open().unwrap()).unwrap();
    drop(gone);
    assert!(weak.upgrade().is_some());
    patiently(b.stop()).await;
    until(|| weak.upgrade().is_none()).await;
}

#[tokio::test]
async fn a_node_may_ask_itself() {
    let a = node().await;
    let rpc = echo(&a, "a");
    assert_eq!(fates(ask(&rpc, &[&a], RpcMode::All, LONG).await), ["a hello"]);
}
