//! Nodes that agree on a leader.

use std::sync::Arc;
use std::time::Duration;

use clowder::chain::LayerConfig;
use clowder::{
    Channel, ChannelBuilder, CoordinatorConfig, ElectionConfig, Leadership, Member, SendOptions, SimpleConfig,
    StaticMember,
};
use tokio::net::TcpListener;

use super::nodes::{builder, next, node, patiently};

fn elected() -> CoordinatorConfig {
    CoordinatorConfig::NonBlocking(ElectionConfig::default())
}

/// Addresses of nodes that are not there yet; the first one ranks highest.
async fn places<const N: usize>() -> [StaticMember; N] {
    let mut listeners = Vec::new();
    for _ in 0..N {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let mut addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    addresses.sort();
    std::array::from_fn(|index| StaticMember::new(addresses[index], [u8::try_from(index + 1).unwrap(); 16]))
}

/// The node at this place, which knows these others.
async fn start(
    place: StaticMember,
    knows: &[StaticMember],
    configured: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> Channel {
    let builder = Channel::builder().listen(place.addr.to_string()).unique_id(place.unique_id);
    let builder = knows.iter().fold(builder, |builder, other| builder.member(*other));
    configured(builder).start().await.unwrap()
}

/// What this node agreed to, once it is about exactly these nodes.
async fn agreed(node: &Channel, all: &[&Channel]) -> Arc<Leadership> {
    let mut leaders = node.leaders();
    let mut members: Vec<Member> = all.iter().map(|node| node.local().clone()).collect();
    members.sort_by(|a, b| a.id.cmp(&b.id));
    patiently(async {
        let mut current = leaders.current();
        loop {
            if let Some(agreed) = current.filter(|agreed| agreed.members == members) {
                return agreed;
            }
            current = Some(leaders.next().await.expect("the node runs"));
        }
    })
    .await
}

/// All of them agree on the first one, and their elections are one.
async fn assert_agreement(all: &[&Channel]) -> Arc<Leadership> {
    let first = agreed(all[0], all).await;
    assert_eq!(first.leader, *all[0].local());
    for node in &all[1..] {
        // One that is behind gets the same.
        let mut leaders = node.leaders();
        let mut here = agreed(node, all).await;
        while here.view_id != first.view_id {
            here = patiently(leaders.next()).await.expect("the node runs");
        }
        assert_eq!(*here, *first);
        assert_eq!(node.leader().as_ref(), Some(all[0].local()));
    }
    first
}

#[tokio::test]
async fn three_nodes_agree_on_the_first_and_on_the_next_one_when_it_stops() {
    let places = places::<3>().await;
    let [a, b, c] = places;
    let (a, b, c) = tokio::join!(
        start(a, &places, |node| node.coordinator(elected())),
        start(b, &places, |node| node.coordinator(elected())),
        start(c, &places, |node| node.coordinator(elected())),
    );
    let three = assert_agreement(&[&a, &b, &c]).await;
    assert!(three.view_id.is_some());
    let mut leaders = a.leaders();
    patiently(a.stop()).await;
    assert_eq!((a.leader(), patiently(leaders.next()).await), (None, None));
    let two = assert_agreement(&[&b, &c]).await;
    assert_ne!(two.view_id, three.view_id);
}

#[tokio::test]
async fn a_node_that_joins_takes_over_when_it_ranks_first() {
    let places = places::<2>().await;
    let b = start(places[1], &places, |node| node.coordinator(elected())).await;
    assert_agreement(&[&b]).await;
    let a = start(places[0], &places, |node| node.coordinator(elected())).await;
    assert_agreement(&[&a, &b]).await;
}

#[tokio::test]
async fn nodes_that_do_not_know_each_other_meet_through_the_token() {
    let places = places::<3>().await;
    let [a, b, c] = places;
    let middle = start(b, &[a, c], |node| node.coordinator(elected())).await;
    let first = start(a, &[b], |node| node.coordinator(elected())).await;
    let last = start(c, &[b], |node| node.coordinator(elected())).await;
    assert_agreement(&[&first, &middle, &last]).await;
    let mut changes = first.views();
    patiently(async {
        while !changes.view().contains(&last.local().id) {
            changes.next().await.expect("the node runs");
        }
    })
    .await;
}

#[tokio::test]
async fn the_layers_below_the_coordinator_see_its_messages_and_the_application_does_not() {
    let places = places::<2>().await;
    let layers = |node: ChannelBuilder| {
        let mut encrypt = LayerConfig::named("encrypt").unwrap();
        encrypt.set("encryptionKey", "00112233445566778899aabbccddeeff").unwrap();
        node.layer(LayerConfig::named("gzip").unwrap()).layer(encrypt).coordinator(elected())
    };
    let a = start(places[0], &places, layers).await;
    let mut inbox = a.inbox();
    let b = start(places[1], &places, layers).await;
    assert_agreement(&[&a, &b]).await;
    let sent = b.submit([a.local()], "first", SendOptions::USE_ACK);
    assert_eq!(next(&mut inbox).await.body(), "first");
    patiently(sent).await.unwrap();
}

#[tokio::test]
async fn nodes_that_only_look_agree_without_a_message() {
    let places = places::<2>().await;
    let quiet = SimpleConfig { quiet: Duration::from_millis(20), ..SimpleConfig::default() };
    let looking = |node: ChannelBuilder| node.coordinator(CoordinatorConfig::Simple(quiet.clone()));
    let a = start(places[0], &places, looking).await;
    let b = start(places[1], &places, looking).await;
    let agreed = assert_agreement(&[&a, &b]).await;
    assert_eq!(agreed.view_id, None);
}

#[tokio::test]
async fn a_layer_of_the_chain_starts_a_coordinator() {
    for layer in ["coordinator", "simple-coordinator"] {
        let node = builder().layer(LayerConfig::named(layer).unwrap()).start().await.unwrap();
        assert_agreement(&[&node]).await;
    }
}

#[tokio::test]
async fn without_a_coordinator_nobody_leads_and_its_messages_are_the_applications() {
    let (from, to) = (node().await, node().await);
    assert_eq!((to.leader(), patiently(to.leaders().next()).await), (None, None));
    let mut inbox = to.inbox();
    let body = 0xaa26_dee3_9e5a_413f_af86_fa92_63ca_0d3f_u128.to_be_bytes();
    let sent = from.submit([to.local()], body.to_vec(), SendOptions::USE_ACK);
    assert_eq!(next(&mut inbox).await.body()[..], body);
    patiently(sent).await.unwrap();
}
