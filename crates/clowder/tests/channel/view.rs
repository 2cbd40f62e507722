//! What a node sees of others that come, stop and die.

use clowder::view::{Left, ViewChanges};
use clowder::{Channel, Member, SendFailure, SendOptions, StaticMember};
use clowder_proto::group::LeftReason;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::nodes::{builder, failures, next, patiently};
use super::raw::address;

async fn joined(changes: &mut ViewChanges, member: &Member) {
    patiently(async {
        while !changes.view().contains(&member.id) {
            changes.next().await.expect("the node runs");
        }
    })
    .await;
}

async fn left(changes: &mut ViewChanges, member: &Member) -> Left {
    patiently(async {
        loop {
            let change = changes.next().await.expect("the node runs");
            if let Some((_, reason)) = change.left.iter().find(|(left, _)| left == member) {
                return *reason;
            }
        }
    })
    .await
}

/// A node that is not there yet: where it will be, and the one that knows it.
async fn expecting() -> (Channel, ViewChanges, StaticMember) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let newcomer = StaticMember::new(free.local_addr().unwrap(), [2; 16]);
    let old = builder().member(newcomer).start().await.unwrap();
    let changes = old.views();
    (old, changes, newcomer)
}

/// It comes, and sees the one that knows it.
async fn come(newcomer: StaticMember, old: &Channel) -> Channel {
    let known = StaticMember::new(address(old), old.local().id.unique_id);
    let builder = Channel::builder().listen(newcomer.addr.to_string()).unique_id(newcomer.unique_id);
    let node = builder.member(known).start().await.unwrap();
    let mut changes = node.views();
    joined(&mut changes, old.local()).await;
    node
}

#[tokio::test]
async fn a_newcomer_is_seen_by_both_and_messages_pass_between_them() {
    let (old, mut changes, newcomer) = expecting().await;
    let new = come(newcomer, &old).await;
    joined(&mut changes, new.local()).await;
    let (mut old_inbox, mut new_inbox) = (old.inbox(), new.inbox());
    let there = new.submit(new.view().members(), "there", SendOptions::SYNC);
    let back = old.submit(old.view().members(), "back", SendOptions::SYNC);
    for (inbox, text) in [(&mut old_inbox, "there"), (&mut new_inbox, "back")] {
        let delivery = next(inbox).await;
        assert_eq!(delivery.body(), text);
        delivery.done();
    }
    assert_eq!(patiently(there).await.unwrap().len(), 1);
    assert_eq!(patiently(back).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_node_that_stops_says_goodbye() {
    let (old, mut changes, newcomer) = expecting().await;
    let new = come(newcomer, &old).await;
    joined(&mut changes, new.local()).await;
    patiently(new.stop()).await;
    assert_eq!(left(&mut changes, new.local()).await, Left::Reason(LeftReason::Goodbye));
}

#[tokio::test]
async fn a_node_whose_last_handle_goes_says_goodbye() {
    let (old, mut changes, newcomer) = expecting().await;
    let new = come(newcomer, &old).await;
    let member = new.local().clone();
    joined(&mut changes, &member).await;
    drop(new);
    assert_eq!(left(&mut changes, &member).await, Left::Reason(LeftReason::Goodbye));
}

#[tokio::test]
async fn a_node_that_is_killed_leaves_the_view_and_what_was_on_its_way_to_it_fails() {
    let (old, mut changes, newcomer) = expecting().await;
    // Its own runtime: all of its tasks and sockets end with it, and none of them can say anything.
    let process = Runtime::new().unwrap();
    let to = old.clone();
    let (new, mut inbox) = process
        .spawn(async move {
            let new = come(newcomer, &to).await;
            let inbox = new.inbox();
            (new, inbox)
        })
        .await
        .unwrap();
    let member = new.local().clone();
    joined(&mut changes, &member).await;
    let pending = old.submit([&member], "a", SendOptions::SYNC);
    let held = next(&mut inbox).await;
    process.shutdown_background();
    let reason = left(&mut changes, &member).await;
    assert!(matches!(reason, Left::Reason(LeftReason::Dead(_))), "{reason:?}");
    let failures = failures(patiently(pending).await);
    assert!(
        matches!(failures[..], [SendFailure::Closed | SendFailure::ConnectionLost | SendFailure::Connect]),
        "{failures:?}"
    );
    drop((held, inbox, new));
}
