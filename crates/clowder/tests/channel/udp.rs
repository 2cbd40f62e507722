//! Messages in datagrams, to the port for them and from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clowder::chain::LayerConfig;
use clowder::options::{BYTE_MESSAGE, SYNCHRONIZED_ACK, UDP, USE_ACK};
use clowder::{Channel, ChannelLimits, Delivery, Fate, Inbox, Member, Message, MessageId, Refusal, SendError};
use clowder::{SendFailure, SendOptions, StartError, Timeouts, metrics as names};
use clowder_proto::wire::{Ack, FRAME_OVERHEAD, FrameDecoder, Limits};
use tokio::net::UdpSocket;

use super::counts::Counts;
use super::nodes::{builder, failures, listen, next, node, patiently, until};
use super::raw::frame;

const SYNC: i32 = USE_ACK | SYNCHRONIZED_ACK;

/// A node that receives datagrams, with its inbox.
async fn receiver() -> (Channel, Inbox) {
    let to = builder().udp("127.0.0.1:0").start().await.unwrap();
    let inbox = to.inbox();
    (to, inbox)
}

fn port(of: &Channel) -> SocketAddr {
    of.local().udp_addr().expect("it receives datagrams")
}

/// A peer that writes and reads datagrams by hand.
struct Raw {
    socket: UdpSocket,
    member: Member,
}

impl Raw {
    async fn new() -> Raw {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let mut member = Member::new(addr, [8; 16]);
        member.udp_port = addr.port().into();
        Raw { socket, member }
    }

    async fn recv(&self) -> (Bytes, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (length, from) = patiently(self.socket.recv_from(&mut buffer)).await.unwrap();
        (Bytes::copy_from_slice(&buffer[..length]), from)
    }

    async fn message(&self) -> (Message, SocketAddr) {
        let (datagram, from) = self.recv().await;
        let mut decoder = FrameDecoder::new(&Limits::default());
        decoder.buffer().extend_from_slice(&datagram);
        let content = decoder.next().unwrap().expect("the whole frame");
        assert_eq!(decoder.pending(), 0, "and nothing else");
        (Message::decode(&content, &Limits::default()).unwrap(), from)
    }

    async fn send(&self, datagram: &[u8], to: SocketAddr) {
        self.socket.send_to(datagram, to).await.unwrap();
    }

    async fn ack(&self) -> Ack {
        let (datagram, _) = self.recv().await;
        [Ack::Ok, Ack::Failed].into_iter().find(|ack| ack.frame() == datagram).expect("an acknowledgement")
    }

    /// Nothing came beyond what was taken.
    fn is_quiet(&self) -> bool {
        self.socket.try_recv(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

fn fates(result: Result<clowder::Receipt, SendError>) -> Vec<Fate> {
    result.unwrap().iter().map(|(_, fate)| fate).collect()
}

#[tokio::test]
async fn a_message_goes_as_a_datagram_and_is_acknowledged_as_it_asks() {
    let (from, (to, mut inbox)) = (node().await, receiver().await);
    for (options, fate) in [
        (SendOptions::NONE, Fate::Written),
        (SendOptions::USE_ACK, Fate::Acknowledged),
        (SendOptions::SYNC, Fate::Acknowledged),
    ] {
        let receiving = async {
            let delivery = next(&mut inbox).await;
            assert_eq!((delivery.body(), delivery.options()), (&Bytes::from("text"), options.bits() | UDP));
            delivery.done();
        };
        let sending = from.send([to.local()], "text", options.udp());
        let (result, ()) = patiently(async { tokio::join!(sending, receiving) }).await;
        assert_eq!(fates(result), [fate]);
    }
    patiently(from.send([to.local()], "asynchronous", SendOptions::SYNC.udp().asynchronous())).await.unwrap();
    next(&mut inbox).await.done();
}

#[tokio::test]
async fn each_target_has_its_own_outcome() {
    let (from, (to, mut inbox), other) = (node().await, receiver().await, node().await);
    let targets = [to.local().clone(), other.local().clone()];
    let pending = from.submit(&targets, "text", SendOptions::SYNC.udp());
    next(&mut inbox).await.done();
    let error = patiently(pending).await.unwrap_err();
    assert_eq!(error.delivered, [to.local().clone()]);
    assert_eq!(error.failed, [(other.local().clone(), SendFailure::NoUdpPort)]);
}

#[tokio::test]
async fn a_negative_acknowledgement_has_a_second_try_and_then_is_the_outcome() {
    let (from, (to, mut inbox)) = (node().await, receiver().await);
    let pending = from.submit([to.local()], "text", SendOptions::SYNC.udp());
    let first = next(&mut inbox).await;
    let id = first.id().clone();
    first.fail();
    let second = next(&mut inbox).await;
    assert_eq!(second.id(), &id, "the same message");
    second.fail();
    assert_eq!(failures(patiently(pending).await), [SendFailure::RemoteProcess]);
}

#[tokio::test]
async fn silence_is_a_timeout_without_a_second_datagram() {
    let timeouts = Timeouts { send: Duration::from_millis(50), ..Timeouts::default() };
    let (from, peer) = (builder().timeouts(timeouts).start().await.unwrap(), Raw::new().await);
    let result = patiently(from.send([&peer.member], "text", SendOptions::USE_ACK.udp())).await;
    assert_eq!(failures(result), [SendFailure::Timeout]);
    assert_eq!(peer.message().await.0.body, "text");
    assert!(peer.is_quiet());
}

#[tokio::test]
async fn a_port_where_nobody_receives_fails() {
    let (from, peer) = (node().await, Raw::new().await);
    let Raw { socket, member } = peer;
    drop(socket);
    let result = patiently(from.send([&member], "text", SendOptions::USE_ACK.udp())).await;
    assert_eq!(failures(result), [SendFailure::Connect]);
}

#[tokio::test]
async fn an_acknowledgement_belongs_to_the_message_whose_port_it_comes_to() {
    let (from, peer) = (builder().timeouts(Timeouts { retries_max: 0, ..Timeouts::default() }), Raw::new().await);
    let from = from.start().await.unwrap();
    let sent: Vec<_> = (0..3_u8).map(|n| from.submit([&peer.member], vec![n], SendOptions::USE_ACK.udp())).collect();
    let mut arrived = Vec::new();
    for _ in 0..3 {
        arrived.push(peer.message().await);
    }
    arrived.sort_by_key(|(message, _)| std::cmp::Reverse(message.body[0]));
    for (message, source) in &arrived {
        peer.send(b"FLT2002\0\0\0\x01\x06TLF2003", *source).await; // is none
        peer.send(b"?", *source).await;
        let ack = if message.body[0] == 1 { Ack::Failed } else { Ack::Ok };
        peer.send(ack.frame(), *source).await;
    }
    let mut outcomes = Vec::new();
    for pending in sent {
        outcomes.push(failures(patiently(pending).await));
    }
    assert_eq!(outcomes, [vec![], vec![SendFailure::RemoteProcess], vec![]]);
}

#[tokio::test]
async fn what_does_not_fit_one_datagram_fails_with_the_limit() {
    let (from, (to, mut inbox)) = (node().await, receiver().await);
    let (id, body) = (MessageId([0; 16].into()), Bytes::new());
    let empty = Message { options: 0, timestamp: 0, id, from: from.local().plain(), body };
    let most = 65_507 - FRAME_OVERHEAD - empty.encoded_len();
    let pending = from.submit([to.local()], vec![7; most], SendOptions::USE_ACK.udp());
    assert_eq!(next(&mut inbox).await.body().len(), most);
    patiently(pending).await.unwrap();
    for options in [SendOptions::USE_ACK, SendOptions::NONE] {
        let result = patiently(from.send([to.local()], vec![7; most + 1], options.udp())).await;
        assert_eq!(failures(result), [SendFailure::DatagramTooLarge]);
    }
    assert!(SendFailure::DatagramTooLarge.to_string().contains("65,507"));
    // Nothing that is sent afterwards suffers.
    let pending = from.submit([to.local()], "over TCP", SendOptions::USE_ACK);
    next(&mut inbox).await.done();
    patiently(pending).await.unwrap();
}

#[tokio::test]
async fn acknowledgements_waited_for_at_a_time_are_bounded_and_the_rest_has_its_turn() {
    let limits = ChannelLimits { datagrams_in_flight_max: 2, ..ChannelLimits::default() };
    let (from, peer) = (builder().limits(limits).start().await.unwrap(), Raw::new().await);
    let sent: Vec<_> = (0..5_u8).map(|n| from.submit([&peer.member], vec![n], SendOptions::USE_ACK.udp())).collect();
    let mut open = vec![peer.recv().await.1, peer.recv().await.1];
    for left in (0..3).rev() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(peer.is_quiet(), "two are open");
        peer.send(Ack::Ok.frame(), open.remove(0)).await;
        open.push(peer.recv().await.1);
        assert_eq!(open.len(), 2, "{left} left");
    }
    for source in open {
        peer.send(Ack::Ok.frame(), source).await;
    }
    for pending in sent {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn waiting_datagrams_are_bounded_and_whoever_meets_the_bound_waits_or_is_told() {
    let limits = ChannelLimits { queue_bytes_max: 3_000, ..ChannelLimits::default() };
    let (from, peer) = (builder().limits(limits).start().await.unwrap(), Raw::new().await);
    let options = SendOptions::USE_ACK.udp();
    let two = [from.submit([&peer.member], "1", options), from.submit([&peer.member], "2", options)];
    assert_eq!(failures(patiently(from.submit([&peer.member], "3", options)).await), [SendFailure::QueueFull]);
    assert_eq!(from.try_send([&peer.member], "4", options).unwrap_err().member, peer.member);
    let sending = from.send([&peer.member], "5", options);
    let answering = async {
        for _ in 0..3 {
            let (_, source) = peer.message().await;
            peer.send(Ack::Ok.frame(), source).await;
        }
    };
    let (result, ()) = patiently(async { tokio::join!(sending, answering) }).await;
    result.unwrap();
    for pending in two {
        patiently(pending).await.unwrap();
    }
}

#[tokio::test]
async fn what_waits_for_an_acknowledgement_fails_when_the_channel_stops() {
    let timeouts = Timeouts { drain: Duration::ZERO, ..Timeouts::default() };
    let (from, peer) = (builder().timeouts(timeouts).start().await.unwrap(), Raw::new().await);
    let pending = from.submit([&peer.member], "text", SendOptions::USE_ACK.udp());
    peer.message().await;
    patiently(from.stop()).await;
    assert_eq!(failures(patiently(pending).await), [SendFailure::Closed]);
    let late = from.submit([&peer.member], "text", SendOptions::USE_ACK.udp());
    assert_eq!(failures(patiently(late).await), [SendFailure::Closed]);
}

#[tokio::test]
async fn a_stray_byte_is_counted_and_the_next_datagram_is_read() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let ((to, mut inbox), peer) = (receiver().await, Raw::new().await);
    let mut refusals = to.refusals();
    let strays: [(&[u8], &str); 4] =
        [(b"F", "truncated"), (b"", "truncated"), (b"x", "start_marker"), (Ack::Ok.frame(), "truncated")];
    for (stray, kind) in strays {
        peer.send(stray, port(&to)).await;
        let expected = Refusal::Datagram { peer: peer.member.udp_addr().unwrap(), kind };
        assert_eq!(patiently(refusals.next()).await, Some(expected));
    }
    assert_eq!(counts.get(names::DATAGRAMS_DROPPED, "truncated"), 3);
    assert_eq!(counts.get(names::DATAGRAMS_DROPPED, "start_marker"), 1);
    peer.send(&frame(1, SYNC, b"good"), port(&to)).await;
    next(&mut inbox).await.done();
    assert_eq!(peer.ack().await, Ack::Ok);
}

#[tokio::test]
async fn what_stands_in_front_of_the_first_wrong_byte_of_a_datagram_counts() {
    let ((to, mut inbox), peer) = (receiver().await, Raw::new().await);
    let mut refusals = to.refusals();
    for (rest, kind) in [(&b"x"[..], "start_marker"), (b"FLT2002\0", "truncated")] {
        peer.send(&[&frame(rest.len().try_into().unwrap(), USE_ACK, b"good"), rest].concat(), port(&to)).await;
        next(&mut inbox).await.done();
        assert_eq!(peer.ack().await, Ack::Ok);
        let Some(Refusal::Datagram { kind: found, .. }) = patiently(refusals.next()).await else { panic!("{kind}") };
        assert_eq!(found, kind);
    }
}

/// The bit of the options decides nothing here: a message over UDP without it is answered as well.
#[tokio::test]
async fn two_frames_in_one_datagram_have_an_acknowledgement_each() {
    let ((to, mut inbox), peer) = (receiver().await, Raw::new().await);
    let two = [frame(1, SYNC | UDP, b"first"), frame(2, SYNC | BYTE_MESSAGE, b"second")].concat();
    peer.send(&two, port(&to)).await;
    let (first, second) = (next(&mut inbox).await, next(&mut inbox).await);
    assert_eq!((first.body(), second.body()), (&Bytes::from("first"), &Bytes::from("second")));
    second.fail();
    first.done();
    assert_eq!([peer.ack().await, peer.ack().await], [Ack::Ok, Ack::Failed], "in the order of the frames");
    peer.send(&frame(3, BYTE_MESSAGE, b"asks for none"), port(&to)).await;
    next(&mut inbox).await.done();
    peer.send(&frame(4, USE_ACK, b"before"), port(&to)).await;
    let before = next(&mut inbox).await;
    assert_eq!(peer.ack().await, Ack::Ok, "while it is being processed");
    before.fail();
    assert!(peer.is_quiet());
}

#[tokio::test]
async fn a_copy_in_a_datagram_is_answered_like_the_first_one_and_not_delivered() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let ((to, mut inbox), peer, other) = (receiver().await, Raw::new().await, Raw::new().await);
    for (id, outcome, ack) in [(1, Delivery::done as fn(Delivery), Ack::Ok), (2, Delivery::fail, Ack::Failed)] {
        peer.send(&frame(id, SYNC, b"a"), port(&to)).await;
        let delivery = next(&mut inbox).await;
        let before = counts.get(names::DUPLICATES, "");
        other.send(&frame(id, SYNC, b"a"), port(&to)).await;
        until(|| counts.get(names::DUPLICATES, "") > before).await;
        assert!(other.is_quiet(), "it is being processed");
        outcome(delivery);
        assert_eq!([peer.ack().await, other.ack().await], [ack; 2]);
    }
    peer.send(&frame(1, SYNC, b"a"), port(&to)).await;
    assert_eq!(peer.ack().await, Ack::Ok, "without anybody who processes it");
    peer.send(&frame(3, USE_ACK, b"next"), port(&to)).await;
    assert_eq!(next(&mut inbox).await.body(), "next");
}

#[tokio::test]
async fn datagrams_beyond_the_bound_of_what_is_unprocessed_are_counted_and_dropped() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let limits = ChannelLimits { delivered_bytes_max: 1_000, ..ChannelLimits::default() };
    let to = builder().limits(limits).udp("127.0.0.1:0").start().await.unwrap();
    let (mut inbox, peer) = (to.inbox(), Raw::new().await);
    for id in 0..3 {
        peer.send(&frame(id, USE_ACK, &[0; 600]), port(&to)).await;
    }
    let held = [next(&mut inbox).await, next(&mut inbox).await];
    until(|| counts.get(names::DATAGRAMS_DROPPED, "no_room") == 1).await;
    held.into_iter().for_each(Delivery::done);
    peer.send(&frame(4, USE_ACK, b"room again"), port(&to)).await;
    assert_eq!(next(&mut inbox).await.body(), "room again");
}

#[tokio::test]
async fn datagrams_go_through_the_chain_and_to_listeners_like_all_messages() {
    let mut domain = LayerConfig::named("domain").unwrap();
    domain.set("domain", "ours").unwrap();
    let to = builder().domain("ours").layer(domain).udp("127.0.0.1:0").start().await.unwrap();
    let from = builder().domain("ours").start().await.unwrap();
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let heard = Arc::new(heard);
    listen(&to, b"text", move |delivery| {
        heard.send(delivery.from().domain.clone()).unwrap();
        delivery.done();
    });
    let (mut refusals, stranger) = (to.refusals(), node().await);
    patiently(stranger.send([to.local()], "text", SendOptions::USE_ACK.udp())).await.unwrap();
    let Some(Refusal::Message { peer: Some(_), kind, .. }) = patiently(refusals.next()).await else { panic!() };
    assert_eq!(kind, "other_domain");
    patiently(from.send([to.local()], "text", SendOptions::SYNC.udp())).await.unwrap();
    assert_eq!(hears.recv().await.unwrap(), "ours");
}

#[tokio::test]
async fn a_chain_with_fragmentation_sends_what_does_not_fit_one_datagram_in_many() {
    let fragment = || {
        let mut layer = LayerConfig::named("fragment").unwrap();
        layer.set("maxSize", "10000").unwrap();
        layer
    };
    let from = builder().layer(fragment()).start().await.unwrap();
    let to = builder().layer(fragment()).udp("127.0.0.1:0").start().await.unwrap();
    let mut inbox = to.inbox();
    // Not more than the system keeps for a socket that nobody reads now.
    let body: Vec<u8> = (0..70_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let pending = from.submit([to.local()], body.clone(), SendOptions::SYNC.udp());
    let delivery = next(&mut inbox).await;
    assert!(delivery.body() == &body);
    delivery.done();
    patiently(pending).await.unwrap();
}

#[tokio::test]
async fn two_nodes_do_not_share_a_port_for_datagrams() {
    let (to, _inbox) = receiver().await;
    let taken = port(&to).port();
    let error = builder().udp(format!("127.0.0.1:{taken}")).start().await.unwrap_err();
    let StartError::Bind { last, source } = error else { panic!("{error}") };
    assert_eq!((last.port(), source.kind()), (taken, std::io::ErrorKind::AddrInUse));
    let next = builder().udp(format!("127.0.0.1:{taken}-65535")).start().await.unwrap();
    assert!(port(&next).port() > taken);
    assert!(matches!(builder().udp("nowhere").start().await, Err(StartError::Listen { .. })));
}

#[tokio::test]
async fn ports_are_announced_only_if_they_are_configured() {
    let plain = node().await;
    assert_eq!((plain.local().udp_port, plain.local().secure_port), (-1, -1));
    let both = builder().udp("127.0.0.1:0").secure_port(4443).start().await.unwrap();
    assert_eq!(both.local().secure_port, 4443);
    assert_eq!(port(&both).ip(), both.local().id.socket_addr().unwrap().ip());
}
