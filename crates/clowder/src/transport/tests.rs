//! Attributes as text, and what comes of them at sockets.

use std::net::{Ipv4Addr, SocketAddr};

use clowder_proto::chain::AttributeError;
use socket2::SockRef;

use super::*;
use crate::driver::net;

fn receiver(attributes: &[(&str, &str)]) -> TransportConfig {
    let mut config = TransportConfig::default();
    for (attribute, value) in attributes {
        config.set_receiver(attribute, value).unwrap();
    }
    config
}

fn transport(attributes: &[(&str, &str)]) -> TransportConfig {
    let mut config = TransportConfig::default();
    for (attribute, value) in attributes {
        config.set_transport(attribute, value).unwrap();
    }
    config
}

const SOCKET: [(&str, &str); 9] = [
    ("rxBufSize", "20000"),
    ("txBufSize", "30000"),
    ("udpRxBufSize", "40000"),
    ("udpTxBufSize", "50000"),
    ("tcpNoDelay", "false"),
    ("soKeepAlive", "true"),
    ("soLingerOn", "true"),
    ("soLingerTime", "0"),
    ("soTrafficClass", "28"),
];

#[test]
fn attributes_of_the_receiver_have_their_effect() {
    let config = receiver(&[
        ("address", "10.1.2.3"),
        ("bind", "0.0.0.0"),
        ("port", "5000"),
        ("autoBind", "10"),
        ("securePort", "5443"),
        ("udpPort", "6000"),
        ("maxThreads", "7"),
    ]);
    let receiver = &config.receiver;
    assert_eq!(
        (receiver.listen(), receiver.udp()),
        ("0.0.0.0:5000-5009".to_owned(), Some("0.0.0.0:6000-6009".to_owned()))
    );
    assert_eq!(receiver.announce(), Some(([10, 1, 2, 3], 0).into()));
    assert_eq!((receiver.secure_port, receiver.kind()), (Some(5443), ReceiverKind::Async));
    let blocking = ReceiverConfig { blocking: true, ..receiver.clone() };
    assert_eq!(blocking.kind(), ReceiverKind::Threads { max_threads: 7 });
}

#[test]
fn attributes_of_the_transport_have_their_effect() {
    let config =
        transport(&[("poolSize", "3"), ("timeout", "1500"), ("maxRetryAttempts", "4"), ("throwOnFailedAck", "false")]);
    let sender = SenderConfig {
        pool_size: 3,
        timeout: Duration::from_millis(1500),
        max_retry_attempts: 4,
        throw_on_failed_ack: false,
        ..SenderConfig::default()
    };
    assert_eq!(config, TransportConfig { sender, ..TransportConfig::default() });
}

#[test]
fn where_to_listen_follows_from_address_bind_and_ports() {
    let at = |attributes: &[(&str, &str)]| receiver(attributes).receiver.listen();
    assert_eq!(at(&[]), "0.0.0.0:4000-4099");
    assert_eq!(at(&[("address", "auto")]), "0.0.0.0:4000-4099");
    assert_eq!(at(&[("host", "127.0.0.1"), ("port", "0")]), "127.0.0.1:0");
    assert_eq!(at(&[("bind", "::1"), ("autoBind", "-3")]), "[::1]:4000-4000");
    assert_eq!(at(&[("address", "localhost"), ("port", "65530")]), "127.0.0.1:65530-65535");
    let none = receiver(&[("udpPort", "-1"), ("securePort", "0")]).receiver;
    assert_eq!((none.udp(), none.secure_port, none.announce()), (None, None, None));
}

#[test]
fn attributes_without_effect_are_accepted_with_a_reason_and_only_with_a_fitting_value() {
    let (mut config, default) = (TransportConfig::default(), TransportConfig::default());
    for attribute in ["ooBInline", "soReuseAddress", "direct", "useBufferPool", "daemon"] {
        assert!(TransportConfig::receiver_without_effect(attribute).is_some(), "{attribute}");
        config.set_receiver(attribute, "false").unwrap();
        assert!(config.set_receiver(attribute, "1").is_err(), "{attribute}");
    }
    for attribute in ["timeout", "selectorTimeout", "minThreads", "maxIdleTime", "minTasks", "maxTasks"] {
        assert!(TransportConfig::receiver_without_effect(attribute).is_some(), "{attribute}");
        config.set_receiver(attribute, "5").unwrap();
        assert!(config.set_receiver(attribute, "true").is_err(), "{attribute}");
    }
    for (attribute, value) in
        [("maxWait", "0"), ("keepAliveCount", "-1"), ("keepAliveTime", "-1"), ("directBuffer", "true")]
    {
        assert!(TransportConfig::transport_without_effect(attribute).is_some(), "{attribute}");
        config.set_transport(attribute, value).unwrap();
    }
    assert_eq!(config, default);
    assert_eq!(TransportConfig::receiver_without_effect("port"), None);
    assert_eq!(TransportConfig::transport_without_effect("timeout"), None);
}

#[test]
fn attributes_that_do_not_exist_and_values_that_do_not_fit_are_refused_with_the_way_out() {
    let mut config = TransportConfig::default();
    // `listen` would keep Tomcat's receiver from ever reading.
    for attribute in ["listen", "Port", "poolSize"] {
        let error = config.set_receiver(attribute, "1").unwrap_err();
        assert!(matches!(&error, AttributeError::Unknown { known, .. } if known.contains(&"udpPort")), "{error}");
    }
    let error = config.set_transport("port", "1").unwrap_err();
    assert!(matches!(&error, AttributeError::Unknown { known, .. } if known.contains(&"poolSize")), "{error}");
    let bad = [
        ("port", "70000"),
        ("udpPort", "70000"),
        ("maxThreads", "0"),
        ("rxBufSize", "0"),
        ("soLingerTime", "-1"),
        ("soTrafficClass", "256"),
        ("address", "no.such.name.invalid"),
        ("tcpNoDelay", "yes"),
    ];
    for (attribute, value) in bad {
        assert!(
            matches!(config.set_receiver(attribute, value), Err(AttributeError::Value { .. })),
            "{attribute}={value}"
        );
    }
    for (attribute, value) in [("poolSize", "0"), ("timeout", "0"), ("timeout", "-1")] {
        assert!(
            matches!(config.set_transport(attribute, value), Err(AttributeError::Value { .. })),
            "{attribute}={value}"
        );
    }
    assert_eq!(config, TransportConfig::default());
}

/// The options of a socket: buffers, delay, probes, linger, traffic class.
fn read(socket: &SockRef<'_>) -> (usize, usize, bool, bool, Option<Duration>, u32) {
    (
        socket.recv_buffer_size().unwrap(),
        socket.send_buffer_size().unwrap(),
        socket.tcp_nodelay().unwrap(),
        socket.keepalive().unwrap(),
        socket.linger().unwrap(),
        socket.tos_v4().unwrap(),
    )
}

/// Linux grants twice of what was asked for, for its own books.
fn granted(asked: usize) -> usize {
    if cfg!(target_os = "linux") { 2 * asked } else { asked }
}

async fn connection(config: &TransportConfig) -> (net::TcpStream, net::TcpStream) {
    let sockets = config.sockets();
    let listener = net::listen((Ipv4Addr::LOCALHOST, 0).into(), &sockets.accepted).unwrap();
    let made = net::connect(listener.local_addr().unwrap(), &sockets.made).await.unwrap();
    let accepted = listener.accept().await.unwrap().0;
    sockets.accepted.apply(&accepted).unwrap();
    (made, accepted)
}

#[tokio::test]
async fn options_of_connections_are_really_set() {
    let expected = (granted(20_000), granted(30_000), false, true, Some(Duration::ZERO), 28);
    let (made, plain) = connection(&transport(&SOCKET)).await;
    assert_eq!(read(&SockRef::from(&made)), expected);
    assert_ne!(read(&SockRef::from(&plain)), expected);
    let (plain, accepted) = connection(&receiver(&SOCKET)).await;
    assert_eq!(read(&SockRef::from(&accepted)), expected);
    assert_ne!(read(&SockRef::from(&plain)), expected);
    let lingering = transport(&[("soLingerOn", "true"), ("soLingerTime", "2")]);
    let (made, _accepted) = connection(&lingering).await;
    assert_eq!(SockRef::from(&made).linger().unwrap(), Some(Duration::from_secs(2)));
}

#[tokio::test]
async fn options_of_datagram_sockets_are_really_set() {
    let sockets = receiver(&SOCKET).sockets();
    let at: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let (socket, _) = net::datagrams(at, &sockets.udp_received).unwrap();
    let socket = SockRef::from(&socket);
    let found = (socket.recv_buffer_size().unwrap(), socket.send_buffer_size().unwrap(), socket.tos_v4().unwrap());
    assert_eq!(found, (granted(40_000), granted(50_000), 28));
}

#[tokio::test]
async fn nothing_is_set_but_what_was_asked_for() {
    let (made, accepted) = connection(&TransportConfig::default()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    plain.set_nodelay(true).unwrap();
    let (_, _, no_delay, keep_alive, linger, class) = read(&SockRef::from(&plain));
    for socket in [made, accepted] {
        let (_, _, a, b, c, d) = read(&SockRef::from(&socket));
        assert_eq!((a, b, c, d), (no_delay, keep_alive, linger, class));
    }
}
