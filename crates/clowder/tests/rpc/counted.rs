//! What is counted.

use std::time::Duration;

use bytes::Bytes;
use clowder::{RpcMode, SendOptions};

use super::counts::Counts;
use super::nodes::{node, patiently, until};
use super::world::{LONG, ask, asker, echo};

#[tokio::test]
async fn calls_timeouts_left_overs_and_malformed_messages_are_counted() {
    let counts = Counts::default();
    let _recorder = metrics::set_default_local_recorder(&counts);
    let (a, b) = (node().await, node().await);
    let (rpc, _b) = (asker(&a), echo(&b, "b"));
    let count = |name: &str| counts.get(&format!("clowder_rpc_{name}_total"), "");
    ask(&rpc, &[&b], RpcMode::All, LONG).await;
    assert_eq!((count("calls"), count("timeouts"), count("requests")), (1, 0, 1));
    // Its answer comes too late for a call that does not wait.
    ask(&rpc, &[&b], RpcMode::All, Duration::ZERO).await;
    until(|| count("left_overs") == 1).await;
    assert_eq!((count("calls"), count("timeouts")), (2, 1));
    let broken = Bytes::from_static(b"\xac\xed\0\x05sr\0\x2borg.apache.catalina.tribes.group.RpcMessage");
    patiently(a.send([b.local()], broken, SendOptions::SYNC.byte_message(false))).await.unwrap();
    assert_eq!((count("malformed"), count("unknown")), (1, 0));
    let other = a.rpc("nobody").open().unwrap();
    ask(&other, &[&b], RpcMode::All, LONG).await;
    assert_eq!(count("unknown"), 1);
}
