//! Messages in datagrams to the group of the multicast membership, through the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clowder::chain::{Below, Context, Draft, Flow, Interceptor, LayerConfig, Parcel, Refusal as Refused, Targets};
use clowder::options::MULTICAST;
use clowder::{Channel, ChannelBuilder, ChannelLimits, Fate, Inbox, Member, Message, MessageId, Multicast};
use clowder::{SendFailure, SendOptions, metrics as names};
use clowder_proto::wire::FRAME_OVERHEAD;
use socket2::{Domain, Protocol, Socket, Type};

use super::counts::Counts;
use super::nodes::{builder, failures, next, nobody, node, patiently, until};
use super::raw::frame;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A group of this test's own: its port was bound here for a moment, so that nobody else gets it meanwhile.
fn group() -> SocketAddr {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ([228, 0, 0, 4], port).into()
}

fn in_group(group: SocketAddr) -> ChannelBuilder {
    builder().multicast(Multicast::new(group).interface(LOOPBACK.into()).frequency(Duration::from_millis(100)))
}

async fn join(group: SocketAddr) -> (Channel, Inbox) {
    let node = in_group(group).start().await.unwrap();
    let inbox = node.inbox();
    (node, inbox)
}

/// A socket in the group that is no node.
fn raw(group: SocketAddr) -> tokio::net::UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&group.into()).unwrap();
    let SocketAddr::V4(addr) = group else { unreachable!("it is one") };
    socket.join_multicast_v4(addr.ip(), &LOOPBACK).unwrap();
    socket.set_multicast_if_v4(&LOOPBACK).unwrap();
    socket.set_nonblocking(true).unwrap();
    tokio::net::UdpSocket::from_std(socket.into()).unwrap()
}

/// The next datagram that is no heartbeat.
async fn message(socket: &tokio::net::UdpSocket) -> Bytes {
    let mut buffer = vec![0; 65_536];
    loop {
        let (length, _) = patiently(socket.recv_from(&mut buffer)).await.unwrap();
        if buffer.starts_with(b"FLT2002") {
            return Bytes::copy_from_slice(&buffer[..length]);
        }
    }
}

#[tokio::test]
async fn a_message_to_the_group_reaches_everybody_but_its_sender_and_nobody_acknowledges() {
    let group = group();
    let ((from, mut own), (_one, mut first), (_two, mut second)) =
        (join(group).await, join(group).await, join(group).await);
    // Whoever the target is: here a member that is none.
    let target = nobody().await;
    let receipt = patiently(from.send([&target], "to all", SendOptions::SYNC.multicast().udp())).await.unwrap();
    assert_eq!(receipt.iter().collect::<Vec<_>>(), [(&target, Fate::Written)]);
    for inbox in [&mut first, &mut second] {
        let delivery = next(inbox).await;
        assert_eq!((delivery.body(), delivery.from()), (&Bytes::from("to all"), from.local()));
        assert_ne!(delivery.options() & MULTICAST, 0);
        delivery.fail(); // nobody hears of it
    }
    let receipt =
        patiently(from.send([] as [Member; 0], "without targets", SendOptions::NONE.multicast())).await.unwrap();
    assert_eq!(receipt.iter().collect::<Vec<_>>(), [(from.local(), Fate::Written)]);
    for inbox in [&mut first, &mut second] {
        assert_eq!(next(inbox).await.body(), "without targets");
    }
    let last = from.submit([from.local()], "to itself over TCP", SendOptions::SYNC);
    let delivery = next(&mut own).await;
    assert_eq!(delivery.body(), "to itself over TCP", "and nothing before");
    delivery.done();
    patiently(last).await.unwrap();
}

#[tokio::test]
async fn the_datagram_is_one_whole_frame() {
    let group = group();
    let ((from, _inbox), socket) = (join(group).await, raw(group));
    let options = SendOptions::USE_ACK.multicast();
    patiently(from.try_send([from.local()], "text", options).unwrap()).await.unwrap();
    let datagram = message(&socket).await;
    let content = datagram.slice(11..datagram.len() - 7);
    let message = Message::decode(&content, &clowder_proto::wire::Limits::default()).unwrap();
    assert_eq!((&message.body[..], message.options, &message.from), (&b"text"[..], options.bits(), from.local()));
    assert_eq!(message.encode_frame(), datagram);
}

#[tokio::test]
async fn without_multicast_membership_a_message_to_the_group_fails_at_every_target() {
    let (from, to) = (node().await, node().await);
    let options = SendOptions::NONE.multicast();
    let targets = [to.local().clone(), from.local().clone()];
    assert_eq!(failures(patiently(from.send(&targets, "text", options)).await), [SendFailure::NoMulticast; 2]);
    let error = patiently(from.submit([] as [Member; 0], "text", options)).await.unwrap_err();
    assert_eq!(error.failed, [(from.local().clone(), SendFailure::NoMulticast)], "this node's own");
    let (done, result) = std::sync::mpsc::channel();
    from.submit_then([] as [Member; 0], "text", options, move |result| done.send(result).unwrap());
    assert_eq!(failures(result.recv().unwrap()), [SendFailure::NoMulticast]);
}

#[tokio::test]
async fn what_does_not_fit_one_datagram_to_the_group_fails() {
    let group = group();
    let ((from, _), (_to, mut inbox)) = (join(group).await, join(group).await);
    let (id, body) = (MessageId([0; 16].into()), Bytes::new());
    let empty = Message { options: 0, timestamp: 0, id, from: from.local().plain(), body };
    let most = 65_507 - FRAME_OVERHEAD - empty.encoded_len();
    let options = SendOptions::NONE.multicast();
    let result = patiently(from.send([from.local()], vec![7; most + 1], options)).await;
    assert_eq!(failures(result), [SendFailure::DatagramTooLarge]);
    patiently(from.send([from.local()], vec![7; most], options)).await.unwrap();
    assert_eq!(next(&mut inbox).await.body().len(), most);
}

/// Makes another message for each target, if the first byte says so; else two for everybody.
#[derive(Debug)]
struct Several;

impl Interceptor for Several {
    fn name(&self) -> &'static str {
        "several"
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, below: &mut Below<'_>) -> Result<Flow, Refused> {
        let targets = if parcel.draft.body.clone().into_bytes().starts_with(b"each") {
            [Targets::One(0), Targets::One(1)]
        } else {
            [Targets::All; 2]
        };
        for (number, targets) in (1..).zip(targets) {
            let draft = Draft { id: [number; 16], ..parcel.draft.clone() };
            below.pass(cx, &mut Parcel { draft, targets })?;
        }
        Ok(Flow::Taken)
    }
}

#[tokio::test]
async fn every_frame_that_the_chain_makes_is_one_datagram() {
    let group = group();
    let from = in_group(group).layer(LayerConfig::Custom(Arc::new(Several))).start().await.unwrap();
    let (_to, mut inbox) = join(group).await;
    let targets = [nobody().await, from.local().clone()];
    let receipt = patiently(from.send(&targets, "both", SendOptions::NONE.multicast())).await.unwrap();
    assert_eq!(receipt.iter().map(|(_, fate)| fate).collect::<Vec<_>>(), [Fate::Written; 2]);
    assert_eq!([next(&mut inbox).await.id().0[0], next(&mut inbox).await.id().0[0]], [1, 2], "and not for each target");
}

#[tokio::test]
async fn a_chain_that_makes_a_message_for_each_target_cannot_multicast() {
    let from = in_group(group()).layer(LayerConfig::Custom(Arc::new(Several))).start().await.unwrap();
    let targets = [nobody().await, from.local().clone()];
    let result = patiently(from.send(&targets, "each", SendOptions::NONE.multicast())).await;
    assert_eq!(failures(result), [SendFailure::Refused; 2]);
}

#[tokio::test]
async fn messages_to_the_group_are_rejected_by_the_chain_and_copies_are_delivered_once() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let group = group();
    let mut domain = LayerConfig::named("domain").unwrap();
    domain.set("domain", "ours").unwrap();
    let to = in_group(group).domain("ours").layer(domain).start().await.unwrap();
    let (mut refusals, mut inbox) = (to.refusals(), to.inbox());
    let (stranger, _) = join(group).await;
    patiently(stranger.send([to.local()], "text", SendOptions::NONE.multicast())).await.unwrap();
    let Some(clowder::Refusal::Message { peer: None, kind, .. }) = patiently(refusals.next()).await else { panic!() };
    assert_eq!(kind, "other_domain");
    patiently(stranger.stop()).await; // or it would count copies, too
    let socket = raw(group);
    let mut message = Message::decode(&frame(1, 0, b"text").slice(11..), &clowder_proto::wire::Limits::default());
    message.as_mut().unwrap().from.domain = Bytes::from("ours");
    let datagram = message.unwrap().encode_frame();
    for _ in 0..2 {
        socket.send_to(&datagram, group).await.unwrap();
    }
    assert_eq!(next(&mut inbox).await.body(), "text");
    until(|| counts.get(names::DUPLICATES, "") == 1).await;
}

#[tokio::test]
async fn messages_to_the_group_beyond_the_bound_of_what_is_unprocessed_are_counted_and_dropped() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let group = group();
    let limits = ChannelLimits { delivered_bytes_max: 1_000, ..ChannelLimits::default() };
    let to = in_group(group).limits(limits).start().await.unwrap();
    let (mut inbox, (from, _)) = (to.inbox(), join(group).await);
    for _ in 0..3 {
        patiently(from.send([to.local()], vec![0; 600], SendOptions::NONE.multicast())).await.unwrap();
    }
    let held = [next(&mut inbox).await, next(&mut inbox).await];
    until(|| counts.get(names::DATAGRAMS_DROPPED, "no_room") == 1).await;
    held.into_iter().for_each(clowder::Delivery::done);
    patiently(from.send([to.local()], "room again", SendOptions::NONE.multicast())).await.unwrap();
    assert_eq!(next(&mut inbox).await.body(), "room again");
}
