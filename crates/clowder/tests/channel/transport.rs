//! The settings of Tomcat's `Receiver` and `Transport`, at running nodes.

use std::io::Read;
use std::time::Duration;

use clowder::{Channel, Fate, Member, SendOptions, TransportConfig};
use clowder_proto::wire::{Ack, Capabilities};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::nodes::{patiently, until};
use super::raw::{Raw, RawPeer};

/// At a port that the system chooses.
fn config() -> TransportConfig {
    let mut config = TransportConfig::default();
    config.set_receiver("address", "127.0.0.1").unwrap();
    config.set_receiver("port", "0").unwrap();
    config
}

async fn start(config: &TransportConfig) -> Channel {
    Channel::builder().transport(config).start().await.unwrap()
}

#[tokio::test]
async fn a_node_listens_where_it_binds_and_announces_its_address() {
    let mut config = config();
    config.set_receiver("address", "192.0.2.77").unwrap();
    config.set_receiver("bind", "127.0.0.1").unwrap();
    config.set_receiver("securePort", "4443").unwrap();
    config.set_receiver("udpPort", "20000").unwrap();
    config.set_receiver("autoBind", "10000").unwrap();
    let node = start(&config).await;
    let local = node.local().clone();
    let announced = local.id.socket_addr().unwrap();
    assert_eq!(announced.ip(), std::net::IpAddr::from([192, 0, 2, 77]));
    assert_eq!(local.secure_port, 4443);
    assert!((20_000..30_000).contains(&local.udp_port));
    TcpStream::connect(("127.0.0.1", announced.port())).await.unwrap();
}

/// The only option that its other end can see: closing resets the connection.
#[tokio::test]
async fn options_reach_the_connections_of_a_node_on_both_sides() {
    let mut config = config();
    for (attribute, value) in [("soLingerOn", "true"), ("soLingerTime", "0")] {
        config.set_receiver(attribute, value).unwrap();
        config.set_transport(attribute, value).unwrap();
    }
    let node = start(&config).await;
    let mut accepted = Raw::connect(&node).await;
    accepted.write(b"garbage").await;
    reset(&mut accepted.stream).await;
    let peer = RawPeer::new().await;
    patiently(node.send([&peer.member], "text", SendOptions::NONE)).await.unwrap();
    let mut made = peer.accept().await;
    made.message().await.unwrap();
    patiently(node.stop()).await;
    reset(&mut made.stream).await;
}

/// Returns when the connection is reset. One that is closed may look so first.
async fn reset(stream: &mut TcpStream) {
    let ended = patiently(stream.read(&mut [0])).await;
    if ended.is_ok() {
        until(|| stream.take_error().unwrap().is_some()).await;
    }
}

#[tokio::test]
async fn a_negative_acknowledgement_can_count_as_success_over_tcp_and_udp() {
    let mut config = config();
    config.set_transport("throwOnFailedAck", "false").unwrap();
    let (node, peer) = (start(&config).await, RawPeer::new().await);
    let pending = node.submit([&peer.member], "text", SendOptions::SYNC);
    let mut raw = peer.accept().await;
    raw.message().await.unwrap();
    raw.answer(Ack::Failed).await;
    let receipt = patiently(pending).await.unwrap();
    assert_eq!(receipt.iter().map(|(_, fate)| fate).collect::<Vec<_>>(), [Fate::Acknowledged]);

    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut member = peer.member.clone();
    member.udp_port = socket.local_addr().unwrap().port().into();
    let pending = node.submit([&member], "text", SendOptions::SYNC.udp());
    let (_, from) = patiently(socket.recv_from(&mut [0; 1024])).await.unwrap();
    socket.send_to(Ack::Failed.frame(), from).await.unwrap();
    patiently(pending).await.unwrap();
}

/// While a task queues many messages without a pause, the peer need not wait for the last of them.
#[tokio::test]
async fn what_has_gathered_is_written_before_the_connections_task_runs() {
    let (node, peer) = (start(&config()).await, RawPeer::new().await);
    let member = Member { extension: Capabilities::ALL.encode(), ..peer.member.clone() };
    let queue = || node.try_send([&member], "text", SendOptions::USE_ACK.asynchronous()).unwrap();
    let mut sent = vec![queue()];
    let mut raw = peer.accept().await;
    raw.message().await.unwrap();
    sent.extend((0..1000).map(|_| queue()));
    // No task of this runtime runs as long as this one does not wait.
    let mut socket = raw.stream.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut received = vec![0; 100 * 100];
    socket.read_exact(&mut received).unwrap();
}
