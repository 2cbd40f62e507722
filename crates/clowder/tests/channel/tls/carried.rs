//! What travels over TLS, and what does not.

use std::net::SocketAddr;

use clowder::transport::{SenderConfig, SocketOptions};
use clowder::{Channel, Fate, Member, Message, SendOptions, StaticMember, TransportConfig, metrics as names};
use clowder_proto::wire::{Ack, Capabilities, FrameDecoder, Limits};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use super::authority::{Authority, free_addrs};
use super::stranger::{acceptor, secure};
use super::wire::{Recorder, contains};
use crate::counts::Counts;
use crate::nodes::{body, builder, next, node, number, patiently, until};
use crate::raw::{Raw, RawPeer};

const MARK: &[u8] = b"this must not be seen by anybody else";

/// The record of `node` with other ports.
fn behind(node: &Channel, plain: SocketAddr, secure: SocketAddr) -> Member {
    let bare = Member::new(plain, node.local().id.unique_id);
    Member { secure_port: i32::from(secure.port()), extension: node.local().extension.clone(), ..bare }
}

#[tokio::test]
async fn messages_go_to_the_secure_port_encrypted_and_nothing_to_the_plain_one() {
    let ca = Authority::new();
    let (from, to) = (ca.node("from").await, ca.node("to").await);
    let mut inbox = to.inbox();
    let (plain, encrypted) = (Recorder::new().await, Recorder::new().await);
    let member = behind(&to, plain.addr(), encrypted.addr());
    let plain = plain.forward(to.local().id.socket_addr().unwrap());
    let encrypted = encrypted.forward(secure(&to));
    let pending = from.submit([&member], MARK, SendOptions::SYNC);
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.body(), MARK);
    delivery.done();
    let receipt = patiently(pending).await.unwrap();
    assert_eq!(receipt.iter().map(|(_, fate)| fate).collect::<Vec<_>>(), [Fate::Acknowledged]);
    assert!(!encrypted.lock().unwrap().is_empty() && !contains(&encrypted, MARK) && !contains(&encrypted, b"FLT2002"));
    assert_eq!(*plain.lock().unwrap(), b"");
}

#[tokio::test]
async fn members_by_a_list_probe_each_other_in_clear_and_send_over_tls_from_the_first_message_on() {
    let ca = Authority::new();
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let (to_a, to_b) = (Recorder::new().await, Recorder::new().await);
    let (id_a, id_b) = ([1; 16], [2; 16]);
    // In no record that the other one has at first is a secure port.
    let (addr_a, addr_b) = (to_a.addr(), to_b.addr());
    let ([at_a, at_b], files) = (free_addrs().await, ca.files("member"));
    let start = async |listen: SocketAddr, own, id, other| {
        let builder = Channel::builder().listen(listen.to_string()).announce(own).unique_id(id).member(other);
        builder.tls(files.config().listen("127.0.0.1:0")).start().await.unwrap()
    };
    let plain = [to_a.forward(at_a), to_b.forward(at_b)];
    let a = start(at_a, addr_a, id_a, StaticMember::new(addr_b, id_b)).await;
    let b = start(at_b, addr_b, id_b, StaticMember::new(addr_a, id_a)).await;
    let mut inbox = b.inbox();
    until(|| a.view().members().len() == 1).await;
    let pending: Vec<_> = (0..50).map(|_| a.submit(a.view().members(), MARK, SendOptions::USE_ACK)).collect();
    for _ in &pending {
        assert_eq!(next(&mut inbox).await.body(), MARK);
    }
    for pending in pending {
        patiently(pending).await.unwrap();
    }
    assert!(plain.iter().any(|it| contains(it, b"FLT2002")), "the membership is there");
    assert!(!plain.iter().any(|it| contains(it, MARK)));
    assert_eq!(counts.get(names::TLS_ACCEPTED, ""), 1);
}

#[tokio::test]
async fn many_large_messages_in_both_directions_arrive_in_their_order() {
    const COUNT: u32 = 40;
    let ca = Authority::new();
    let nodes = [ca.node("a").await, ca.node("b").await];
    let mut inboxes = [nodes[0].inbox(), nodes[1].inbox()];
    let large = |n: u32| [&body(n)[..], &vec![7; 1 << 20]].concat();
    let mut pending = Vec::new();
    for n in 0..COUNT {
        // Every third one asks for no answer: it is done when the system has it.
        let options = if n % 3 == 0 { SendOptions::NONE } else { SendOptions::USE_ACK };
        pending.push(nodes[0].submit([nodes[1].local()], large(n), options));
        pending.push(nodes[1].submit([nodes[0].local()], large(n), options));
    }
    for n in 0..COUNT {
        for inbox in &mut inboxes {
            let delivery = next(inbox).await;
            assert_eq!((number(delivery.body()), delivery.body().len()), (n, 4 + (1 << 20)));
            delivery.done();
        }
    }
    for pending in pending {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn the_last_bytes_leave_a_full_socket_though_nothing_else_happens() {
    let ca = Authority::new();
    let small = SocketOptions { send_buffer: Some(4096), ..SocketOptions::default() };
    let sender = SenderConfig { sockets: small, ..SenderConfig::default() };
    let transport = TransportConfig { sender, ..TransportConfig::default() };
    let files = ca.files("from");
    let builder = Channel::builder().transport(&transport).listen("127.0.0.1:0").tls(files.config());
    let from = builder.start().await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let extension = Capabilities::ALL.and(Capabilities::TLS).encode();
    let member = Member { secure_port: addr.port().into(), extension, ..Member::new(addr, [6; 16]) };
    // TLS takes 64 KiB at a time, and the last time not much less.
    let body = vec![7; (1 << 20) + 50_000];
    let pending = from.submit([&member], body.clone(), SendOptions::NONE);
    let mut stream = acceptor(&ca.member("to")).accept(listener.accept().await.unwrap().0).await.unwrap();
    // It only listens: neither an answer nor another message is an occasion to write what is left.
    let mut decoder = FrameDecoder::new(&Limits::default());
    let content = loop {
        if let Some(content) = decoder.next().unwrap() {
            break content;
        }
        assert_ne!(patiently(stream.read_buf(decoder.buffer())).await.unwrap(), 0);
    };
    assert!(Message::decode(&content, &Limits::default()).unwrap().body == body);
    patiently(pending).await.unwrap();
}

#[tokio::test]
async fn what_was_queued_leaves_before_the_end() {
    let ca = Authority::new();
    let (from, to) = (ca.node("from").await, ca.node("to").await);
    let mut inbox = to.inbox();
    let pending: Vec<_> = (0..300).map(|n| from.submit([to.local()], body(n), SendOptions::SYNC)).collect();
    let received = async {
        for n in 0..300 {
            let delivery = next(&mut inbox).await;
            assert_eq!(number(delivery.body()), n);
            delivery.done();
        }
    };
    patiently(async { tokio::join!(from.stop(), received) }).await;
    for pending in pending {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn a_peer_without_a_secure_port_is_reached_as_ever() {
    let ca = Authority::new();
    let (from, tomcat, clowder) = (ca.node("from").await, RawPeer::new().await, node().await);
    let heard = Member { alive: 1, ..tomcat.member.clone() };
    let pending = from.submit([&heard], "a", SendOptions::SYNC);
    let mut raw = tomcat.accept().await;
    assert_eq!(raw.message().await.unwrap().body, "a");
    raw.answer(Ack::Ok).await;
    patiently(pending).await.unwrap();
    patiently(from.send([clowder.local()], "b", SendOptions::SYNC)).await.unwrap();
    // The other direction: its secure port changes nothing for those who have no TLS.
    patiently(clowder.send([from.local()], "c", SendOptions::SYNC)).await.unwrap();
}

#[tokio::test]
async fn a_secure_port_that_becomes_known_later_takes_over_what_is_on_its_way() {
    let ca = Authority::new();
    let (from, to) = (ca.node("from").await, ca.node("to").await);
    let mut inbox = to.inbox();
    let plain = RawPeer::new().await;
    let bare = Member::new(plain.listener.local_addr().unwrap(), to.local().id.unique_id);
    let pending = from.submit([&Member { alive: 1, ..bare }], "a", SendOptions::SYNC);
    let mut raw = plain.accept().await;
    assert_eq!(raw.message().await.unwrap().body, "a");
    let known = behind(&to, plain.listener.local_addr().unwrap(), secure(&to));
    let next_one = from.submit([&known], "b", SendOptions::SYNC);
    assert_eq!(raw.message().await, None, "the plain connection is closed");
    for body in ["a", "b"] {
        let delivery = next(&mut inbox).await;
        assert_eq!(delivery.body(), body);
        delivery.done();
    }
    patiently(pending).await.unwrap();
    patiently(next_one).await.unwrap();
}

#[tokio::test]
async fn the_record_says_that_the_secure_port_speaks_tls_and_only_then() {
    let ca = Authority::new();
    let with = ca.node("a").await;
    assert!(with.local().capabilities().contains(Capabilities::TLS) && with.local().secure_port > 0);
    let without = node().await;
    assert_eq!((without.local().secure_port, without.local().secure_addr()), (-1, None));
    assert!(!without.local().capabilities().contains(Capabilities::TLS));
    // The plain port is there for everybody.
    let mut raw = Raw::connect(&with).await;
    raw.write(&crate::raw::frame(1, clowder::options::USE_ACK, b"hello")).await;
    assert_eq!(raw.acks(1).await, [Ack::Ok]);
}

#[tokio::test]
async fn the_secure_port_is_where_it_was_asked_for_or_behind_the_plain_one() {
    let ca = Authority::new();
    let files = ca.files("a");
    let chosen = builder().tls(files.config().listen("127.0.0.1:0")).start().await.unwrap();
    assert_ne!(secure(&chosen).port(), 0);
    let error = builder().tls(files.config().listen("somewhere")).start().await.unwrap_err();
    assert!(error.to_string().contains("\"somewhere\""), "{error}");
    let [listen, _] = free_addrs().await;
    let node = Channel::builder().listen(listen.to_string()).tls(files.config()).start().await.unwrap();
    let (plain, secure) = (node.local().id.port, node.local().secure_port);
    assert!((plain + 1..=plain + 100).contains(&secure), "{plain} {secure}");
}
