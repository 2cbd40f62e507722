//! TLS or nothing.

use std::time::Duration;

use clowder::options::{SYNCHRONIZED_ACK, USE_ACK};
use clowder::{Channel, Refusal, SendFailure, SendOptions, StaticMember, Timeouts, metrics as names};
use clowder_proto::wire::{Ack, Member};
use tokio::net::UdpSocket;

use super::authority::{Authority, free_addrs};
use super::stranger::Stranger;
use crate::counts::Counts;
use crate::nodes::{builder, failures, next, node, patiently, until};
use crate::raw::{Raw, RawPeer, frame};

const SYNC: i32 = USE_ACK | SYNCHRONIZED_ACK;

async fn strict(ca: &Authority) -> Channel {
    let timeouts = Timeouts { connect: Duration::from_millis(200), ..Timeouts::default() };
    builder().timeouts(timeouts).tls(ca.files("strict").config().require(true)).start().await.unwrap()
}

#[tokio::test]
async fn a_peer_without_a_secure_port_is_not_dialed() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let (from, tomcat) = (strict(&ca).await, RawPeer::new().await);
    let heard = Member { alive: 1, ..tomcat.member.clone() };
    let failure = [SendFailure::NoSecurePort];
    assert_eq!(failures(patiently(from.send([&heard], "a", SendOptions::SYNC)).await), failure);
    // Nor is one that nobody heard of, after a moment, nor a Clowder node without TLS.
    let silent = Member { id: clowder::MemberId { unique_id: [9; 16], ..heard.id.clone() }, ..tomcat.member.clone() };
    assert_eq!(failures(patiently(from.send([&silent], "a", SendOptions::SYNC)).await), failure);
    let clowder = node().await;
    assert_eq!(failures(patiently(from.send([clowder.local()], "a", SendOptions::SYNC)).await), failure);
    assert_eq!(counts.get(names::FAILED, "no_secure_port"), 3);
    tokio::select! {
        biased;
        _ = tomcat.listener.accept() => panic!("a plain connection"),
        () = tokio::task::yield_now() => {}
    }
}

#[tokio::test]
async fn a_message_on_the_plain_port_is_refused_and_what_stands_behind_it_is_not_looked_at() {
    let ca = Authority::new();
    let to = strict(&ca).await;
    let (mut refusals, mut inbox) = (to.refusals(), to.inbox());
    let mut raw = Raw::connect(&to).await;
    raw.write(&[frame(1, SYNC, START), frame(2, SYNC, b"hello"), frame(3, SYNC, START)].concat()).await;
    assert_eq!(raw.rest().await, [Ack::Ok], "the notice in front of it is answered");
    let Some(Refusal::Tls { kind: "plain", .. }) = patiently(refusals.next()).await else { panic!("another refusal") };
    let friend = Stranger::new(Some(&ca.member("friend")));
    let (answered, body) = tokio::join!(friend.is_answered(&to), async { next(&mut inbox).await.body().clone() });
    assert!(answered);
    assert_eq!(body, "hello", "that of the friend");
    to.stop().await;
    assert!(patiently(inbox.recv()).await.is_none(), "and nothing else");
}

/// A notice of the membership.
const START: &[u8] = b"Local StaticMember Notification Data";

#[tokio::test]
async fn a_frame_larger_than_any_notice_is_refused_by_its_header() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let to = strict(&ca).await;
    let mut raw = Raw::connect(&to).await;
    raw.write(b"FLT2002\0\x02\0\0").await; // 128 KiB, of which not one byte follows
    assert_eq!(raw.rest().await, []);
    assert_eq!(counts.get(names::REFUSED, "over_limit"), 1);
}

#[tokio::test]
async fn members_by_a_list_find_each_other_and_their_first_messages_arrive() {
    let ca = Authority::new();
    let ([at_a, at_b], files) = (free_addrs().await, ca.files("member"));
    let (a, b) = (StaticMember::new(at_a, [1; 16]), StaticMember::new(at_b, [2; 16]));
    let start = async |own: StaticMember, other| {
        let config = files.config().listen("127.0.0.1:0").require(true);
        let builder = Channel::builder().listen(own.addr.to_string()).unique_id(own.unique_id).member(other);
        builder.tls(config).start().await.unwrap()
    };
    let (a, b) = (start(a, b).await, start(b, a).await);
    for (from, to) in [(&a, &b), (&b, &a)] {
        let mut inbox = to.inbox();
        until(|| from.view().members().len() == 1).await;
        let pending = from.submit(from.view().members(), "hello", SendOptions::USE_ACK);
        assert_eq!(next(&mut inbox).await.body(), "hello");
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn datagrams_carry_no_message_in_either_direction() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let files = ca.files("strict");
    let builder = builder().udp("127.0.0.1:0").tls(files.config().require(true));
    let strict = builder.start().await.unwrap();
    let mut refusals = strict.refusals();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&frame(1, USE_ACK, b"hello"), strict.local().udp_addr().unwrap()).await.unwrap();
    let Some(Refusal::Datagram { kind: "plain", .. }) = patiently(refusals.next()).await else { panic!("another") };
    assert_eq!(counts.get(names::RECEIVED, "") + counts.get(names::UNCLAIMED, ""), 0);
    let by_udp = SendOptions::from_bits(clowder::options::UDP | clowder::options::BYTE_MESSAGE);
    let peer = Member { udp_port: 9, ..ca.node("peer").await.local().clone() };
    assert_eq!(failures(patiently(strict.send([&peer], "a", by_udp)).await), [SendFailure::NoSecurePort]);
}
