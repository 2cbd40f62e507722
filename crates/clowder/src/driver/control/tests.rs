//! Whole nodes on loopback: a receiver that acknowledges, and the control task. Every wait is for a condition.

use std::time::Duration;

use clowder_proto::chain::Chain;
use clowder_proto::group::{LeftReason, ProbeFailure};
use clowder_proto::wire::{Ack, Capabilities, FrameDecoder, options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::*;
use crate::membership::StaticMember;
use crate::view::Left;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node: what the data plane does for the control plane, and nothing else.
pub(super) struct Node {
    pub(super) control: Arc<Control>,
    local: Member,
    receiver: AbortHandle,
}

impl Node {
    pub(super) async fn reserve(unique_id: u8) -> (TcpListener, StaticMember) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        (listener, StaticMember::new(addr, [unique_id; 16]))
    }

    pub(super) fn start(listener: TcpListener, me: StaticMember, config: MembershipConfig) -> Node {
        let extension = Capabilities::ALL.encode();
        let local = Member { extension, ..Member::new(me.addr, me.unique_id) };
        let control = Control::start(config, Chain::default(), local.clone(), Limits::default(), Searches::none());
        let control = Arc::new(control.unwrap());
        let receiver = tokio::spawn(accept(listener, Arc::clone(&control))).abort_handle();
        Node { control, local, receiver }
    }

    /// As by kill -9, seen from outside: everything that listens closes, nobody says goodbye.
    fn kill(self) -> Member {
        self.receiver.abort();
        std::mem::forget(self.control); // dropped, it would say goodbye
        self.local
    }
}

async fn accept(listener: TcpListener, control: Arc<Control>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(receive_frames(stream, Arc::clone(&control)));
    }
}

async fn receive_frames(mut stream: TcpStream, control: Arc<Control>) {
    let limits = Limits::default();
    let mut decoder = FrameDecoder::new(&limits);
    while stream.read_buf(decoder.buffer()).await.is_ok_and(|read| read > 0) {
        while let Some(content) = decoder.next().unwrap() {
            let message = Message::decode(&content, &limits).unwrap();
            if options::ack_before(message.options) {
                stream.write_all(Ack::Ok.frame()).await.unwrap();
            }
            assert!(control.intercept(&message), "only control messages are sent here");
        }
    }
}

pub(super) fn knowing(members: &[StaticMember]) -> MembershipConfig {
    MembershipConfig { members: members.to_vec(), ..MembershipConfig::default() }
}

pub(super) async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

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

async fn pair() -> (Node, Node, ViewChanges) {
    let (listener_a, a) = Node::reserve(1).await;
    let (listener_b, b) = Node::reserve(2).await;
    let a = Node::start(listener_a, a, knowing(&[a, b]));
    let b = Node::start(listener_b, b, knowing(&[StaticMember::new(a.local.id.socket_addr().unwrap(), [1; 16]), b]));
    let (mut of_a, mut of_b) = (a.control.changes(), b.control.changes());
    joined(&mut of_a, &b.local).await;
    joined(&mut of_b, &a.local).await;
    (a, b, of_a)
}

#[tokio::test]
async fn static_nodes_find_each_other_and_learn_what_the_other_can() {
    let (a, b, mut of_a) = pair().await;
    patiently(async {
        while of_a.view().get(&b.local.id).is_none_or(|seen| seen.capabilities() != Capabilities::ALL) {
            of_a.next().await.expect("the node runs");
        }
    })
    .await;
    assert_eq!(a.control.view().members(), std::slice::from_ref(&b.local));
    assert_eq!(b.control.view().local(), &b.local);
}

#[tokio::test]
async fn an_orderly_stop_is_a_goodbye() {
    let (_a, b, mut of_a) = pair().await;
    b.control.stop().await;
    assert_eq!(left(&mut of_a, &b.local).await, Left::Reason(LeftReason::Goodbye));
}

#[tokio::test]
async fn a_death_without_traffic_is_seen_by_the_end_of_a_connection() {
    let (_a, b, mut of_a) = pair().await;
    let dead = b.kill();
    assert_eq!(left(&mut of_a, &dead).await, Left::Reason(LeftReason::Dead(ProbeFailure::Refused)));
}

#[tokio::test]
async fn a_static_node_that_starts_later_and_again_is_found() {
    let (listener_a, a) = Node::reserve(1).await;
    let (listener_b, b) = Node::reserve(2).await;
    drop(listener_b);
    let node_a = Node::start(listener_a, a, knowing(&[b]));
    let mut of_a = node_a.control.changes();
    for _ in 0..2 {
        let listener = TcpListener::bind(b.addr).await.unwrap();
        let node_b = Node::start(listener, b, knowing(&[a]));
        joined(&mut of_a, &node_b.local).await;
        let dead = node_b.kill();
        left(&mut of_a, &dead).await;
    }
}

#[tokio::test]
async fn a_failed_send_to_a_healthy_member_changes_nothing() {
    let (a, b, _) = pair().await;
    let mut of_a = a.control.changes();
    for _ in 0..100 {
        a.control.report(Report::SendFailed { member: b.local.id.clone(), cause: SendFailure::Connection });
        a.control.report(Report::ConnectionLost { member: b.local.id.clone() });
    }
    b.control.stop().await;
    assert_eq!(left(&mut of_a, &b.local).await, Left::Reason(LeftReason::Goodbye), "and not dead before");
}

#[tokio::test]
async fn multicast_nodes_on_one_interface_find_each_other_and_part() {
    // A port of our own: bound here for a moment, so that nobody else gets it meanwhile.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let group: SocketAddr = ([228, 0, 0, 4], port).into();
    let config = || MembershipConfig {
        multicast: Some(Multicast::new(group).interface([127, 0, 0, 1].into())),
        ..MembershipConfig::default()
    };
    let (listener_a, a) = Node::reserve(1).await;
    let (listener_b, b) = Node::reserve(2).await;
    let a = Node::start(listener_a, a, config());
    let b = Node::start(listener_b, b, config());
    let (mut of_a, mut of_b) = (a.control.changes(), b.control.changes());
    joined(&mut of_a, &b.local).await;
    joined(&mut of_b, &a.local).await;
    assert_eq!(a.control.view().members()[0].capabilities(), Capabilities::ALL);
    b.control.stop().await;
    assert_eq!(left(&mut of_a, &b.local).await, Left::Reason(LeftReason::Goodbye));
}

#[tokio::test]
async fn stopping_twice_and_reporting_afterwards_is_harmless() {
    let (a, b, _) = pair().await;
    a.control.stop().await;
    a.control.stop().await;
    a.control.report(Report::Heard { member: b.local.clone() });
    assert!(a.control.datagram_messages().is_some());
    assert!(a.control.datagram_messages().is_none());
}
