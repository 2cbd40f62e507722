//! Nodes that find each other by heartbeats to addresses, without multicast.

use std::net::{SocketAddr, UdpSocket};

use clowder::{Channel, UnicastHeartbeats};

use crate::nodes::{builder, until};

/// An address of loopback whose port is free.
fn free(host: [u8; 4]) -> SocketAddr {
    UdpSocket::bind(SocketAddr::from((host, 0))).unwrap().local_addr().unwrap()
}

async fn node(bind: SocketAddr, all: &[SocketAddr]) -> Channel {
    let heartbeats = UnicastHeartbeats::new(all.iter().map(SocketAddr::to_string)).bind(bind);
    builder().unicast(heartbeats).start().await.unwrap()
}

#[tokio::test]
async fn nodes_that_send_each_other_heartbeats_find_and_lose_each_other() {
    // All have the same list; what a node sends to itself means nothing.
    let all = [free([127, 0, 0, 5]), free([127, 0, 0, 6]), free([127, 0, 0, 7])];
    let (a, b) = (node(all[0], &all).await, node(all[1], &all).await);
    let knows = |node: &Channel, others: &[&Channel]| {
        let view = node.view();
        view.members().len() == others.len() && others.iter().all(|other| view.contains(&other.local().id))
    };
    until(|| knows(&a, &[&b]) && knows(&b, &[&a])).await;
    let c = node(all[2], &all).await;
    until(|| knows(&a, &[&b, &c]) && knows(&b, &[&a, &c]) && knows(&c, &[&a, &b])).await;
    b.stop().await;
    until(|| knows(&a, &[&c]) && knows(&c, &[&a])).await;
}

#[tokio::test]
async fn a_port_for_heartbeats_that_is_taken_is_an_error_of_the_start() {
    let taken = UdpSocket::bind("127.0.0.8:0").unwrap();
    let heartbeats = UnicastHeartbeats::new(["127.0.0.1:1"]).bind(taken.local_addr().unwrap());
    let error = builder().unicast(heartbeats).start().await.expect_err("the port is taken");
    assert!(error.to_string().contains("another program has the port"), "{error}");
}
