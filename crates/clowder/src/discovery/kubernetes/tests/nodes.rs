//! Whole nodes that find each other through the API server, on addresses of loopback.

use clowder_proto::group::LeftReason;

use super::api_server::{Mood, status};
use super::*;
use crate::discovery::Searches;
use crate::membership::MembershipConfig;
use crate::view::{Left, ViewChanges};
use crate::{Channel, ChannelBuilder};

const HOSTS: [&str; 3] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

fn builder(server: &ApiServer, listen: String) -> ChannelBuilder {
    let discovery = vec![config(server).into()];
    let expiration_time = Duration::from_millis(50);
    let membership = MembershipConfig { discovery, expiration_time, ..MembershipConfig::default() };
    Channel::builder().listen(listen).membership(membership)
}

/// Nodes with one port, as all members have.
async fn nodes(server: &ApiServer, count: usize) -> Vec<Channel> {
    loop {
        let first = builder(server, format!("{}:0", HOSTS[0])).start().await.unwrap();
        let port = first.local().id.port;
        let mut nodes = vec![first];
        for host in &HOSTS[1..count] {
            match builder(server, format!("{host}:{port}")).start().await {
                Ok(node) => nodes.push(node),
                Err(_) => break, // somebody has the port there: all of it again with another one
            }
        }
        if nodes.len() == count {
            return nodes;
        }
    }
}

fn sees(node: &Channel, others: &[&Channel]) -> bool {
    let view = node.view();
    view.members().len() == others.len() && others.iter().all(|other| view.contains(&other.local().id))
}

/// Returns after so many further questions.
async fn asked(server: &ApiServer, times: usize) {
    server.requests();
    let mut questions = 0;
    until(|| {
        questions += server.requests().len();
        questions >= times
    })
    .await;
}

/// Why a member left; nobody came or went before it.
async fn departure(changes: &mut ViewChanges) -> Left {
    loop {
        let change = tokio::time::timeout(PATIENCE, changes.next()).await.expect("in time").expect("it runs");
        assert!(change.joined.is_empty(), "nobody joined: {:?}", change.joined);
        if let Some((_, why)) = change.left.first() {
            return *why;
        }
    }
}

async fn two() -> (ApiServer, Vec<Channel>) {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HOSTS[0]));
    server.put(pod("shop-1", HOSTS[1]));
    let nodes = nodes(&server, 2).await;
    until(|| sees(&nodes[0], &[&nodes[1]]) && sees(&nodes[1], &[&nodes[0]])).await;
    (server, nodes)
}

#[tokio::test]
async fn nodes_have_the_ids_of_their_pods_and_find_each_other() {
    let (_server, nodes) = two().await;
    for (node, uid) in nodes.iter().zip(["uid-of-shop-0", "uid-of-shop-1"]) {
        assert_eq!(node.local().id.unique_id, id_of(uid));
    }
    let knows = |node: &Channel| node.view().members()[0].capabilities() == nodes[0].local().capabilities();
    until(|| knows(&nodes[0]) && knows(&nodes[1])).await;
}

#[tokio::test]
async fn an_outage_of_the_api_server_changes_no_view_and_deaths_are_seen_all_the_same() {
    let (server, mut nodes) = two().await;
    let mut changes = nodes[0].views();
    server.mood(Mood::Answers(503, status(503, "etcd is down")));
    asked(&server, 10).await;
    assert!(sees(&nodes[0], &[&nodes[1]]));
    nodes.pop().expect("two nodes").stop().await;
    departure(&mut changes).await;
}

#[tokio::test]
async fn a_pod_that_is_deleted_leaves_though_its_process_answers() {
    let (server, nodes) = two().await;
    let mut changes = nodes[0].views();
    server.delete("shop-1");
    assert_eq!(departure(&mut changes).await, Left::Reason(LeftReason::Unlisted));
    assert!(sees(&nodes[0], &[]));
}

#[tokio::test]
async fn a_pod_that_is_not_ready_yet_joins_by_itself() {
    let server = ApiServer::start().await;
    server.put(pod("shop-0", HOSTS[0]));
    server.put(unready("shop-1", HOSTS[1]));
    let nodes = nodes(&server, 2).await;
    until(|| sees(&nodes[0], &[&nodes[1]]) && sees(&nodes[1], &[&nodes[0]])).await;
    // And stays while it is not ready.
    server.put(unready("shop-0", HOSTS[0]));
    server.put(pod("shop-2", "127.0.0.99"));
    server.mood(Mood::NoWatch(403));
    asked(&server, 10).await;
    assert!(sees(&nodes[1], &[&nodes[0]]));
}

#[tokio::test]
async fn a_node_with_an_id_of_its_own_needs_no_answer_to_start() {
    let server = ApiServer::start().await;
    server.mood(Mood::Answers(403, status(403, "no")));
    let node = builder(&server, format!("{}:0", HOSTS[0])).unique_id([7; 16]).start().await.unwrap();
    assert_eq!(node.local().id.unique_id, [7; 16]);
}

#[tokio::test]
async fn a_node_that_nobody_names_does_not_start() {
    let server = ApiServer::start().await;
    server.put(pod("shop-1", HOSTS[1]));
    let local = SocketAddr::new(HOSTS[0].parse().unwrap(), 4000);
    let what = vec![config(&server).into()];
    let error =
        Searches::start_within(what, local, false, Duration::from_millis(200)).await.expect_err("no pod of ours");
    assert!(error.to_string().contains("127.0.0.2:4000"), "{error}");
}
