//! The attributes of `Receiver` and `Transport` as text.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use clowder_proto::chain::AttributeError;
use clowder_proto::chain::attribute::{bad, parse_bool, parse_count, parse_int, parse_millis, unknown};

use super::{DatagramOptions, SocketOptions, TransportConfig};

const RECEIVER: &str = "Receiver";
const TRANSPORT: &str = "Transport";

/// Every attribute of `Receiver`.
const RECEIVER_KNOWN: &[&str] = &[
    "address",
    "host",
    "bind",
    "port",
    "autoBind",
    "securePort",
    "udpPort",
    "maxThreads",
    "rxBufSize",
    "txBufSize",
    "udpRxBufSize",
    "udpTxBufSize",
    "tcpNoDelay",
    "soKeepAlive",
    "soLingerOn",
    "soLingerTime",
    "soTrafficClass",
    "soReuseAddress",
    "ooBInline",
    "timeout",
    "selectorTimeout",
    "minThreads",
    "maxIdleTime",
    "minTasks",
    "maxTasks",
    "direct",
    "useBufferPool",
    "daemon",
];

/// Every attribute of `Transport`.
const TRANSPORT_KNOWN: &[&str] = &[
    "poolSize",
    "timeout",
    "maxRetryAttempts",
    "throwOnFailedAck",
    "rxBufSize",
    "txBufSize",
    "udpRxBufSize",
    "udpTxBufSize",
    "tcpNoDelay",
    "soKeepAlive",
    "soLingerOn",
    "soLingerTime",
    "soTrafficClass",
    "soReuseAddress",
    "ooBInline",
    "maxWait",
    "keepAliveCount",
    "keepAliveTime",
    "directBuffer",
];

/// What a value without effect has to look like all the same.
#[derive(Clone, Copy)]
enum Form {
    Bool,
    Int,
}

/// Attributes that are accepted and do nothing, with the reason.
const WITHOUT_EFFECT: &[(&str, &str, Form, &str)] = &[
    (
        RECEIVER,
        "soReuseAddress",
        Form::Bool,
        "a restart never waits for its port, and no two processes share a UDP port",
    ),
    (RECEIVER, "ooBInline", Form::Bool, "the protocol has no urgent data"),
    (RECEIVER, "timeout", Form::Int, "connections may be silent for ever; a frame has 30 s to become whole"),
    (RECEIVER, "selectorTimeout", Form::Int, "nothing polls"),
    (RECEIVER, "minThreads", Form::Int, "threads start with their connections"),
    (RECEIVER, "maxIdleTime", Form::Int, "threads end with their connections"),
    (RECEIVER, "minTasks", Form::Int, "without effect in Tomcat too"),
    (RECEIVER, "maxTasks", Form::Int, "without effect in Tomcat too"),
    (RECEIVER, "direct", Form::Bool, "there is no heap of a virtual machine"),
    (RECEIVER, "useBufferPool", Form::Bool, "messages are slices of what was read"),
    (RECEIVER, "daemon", Form::Bool, "the host program decides when it ends"),
    (TRANSPORT, "soReuseAddress", Form::Bool, "ports of outgoing connections are the system's choice"),
    (TRANSPORT, "ooBInline", Form::Bool, "the protocol has no urgent data"),
    (TRANSPORT, "maxWait", Form::Int, "senders wait for room in a queue, not for a connection of a pool"),
    (TRANSPORT, "keepAliveCount", Form::Int, "connections do not wear out"),
    (TRANSPORT, "keepAliveTime", Form::Int, "connections do not wear out; the end of one is seen at once"),
    (TRANSPORT, "directBuffer", Form::Bool, "there is no heap of a virtual machine"),
];

impl TransportConfig {
    /// Set an attribute of the element `Receiver`. Host names are looked up now.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set_receiver(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        let receiver = &mut self.receiver;
        match attribute {
            "address" | "host" => receiver.address = parse_address(attribute, value)?,
            "bind" => receiver.bind = parse_address(attribute, value)?,
            "port" => receiver.port = parse_int(RECEIVER, attribute, value)?,
            "autoBind" => {
                let ports: i32 = parse_int(RECEIVER, attribute, value)?;
                receiver.auto_bind = u16::try_from(ports.clamp(1, u16::MAX.into())).unwrap_or(1);
            }
            "securePort" => receiver.secure_port = parse_port(attribute, value)?,
            "udpPort" => receiver.udp_port = parse_port(attribute, value)?,
            "maxThreads" => receiver.max_threads = parse_count(RECEIVER, attribute, value, 1)?,
            _ => {
                let (sockets, datagrams) = (&mut receiver.sockets, &mut receiver.datagrams);
                if !set_socket(RECEIVER, sockets, datagrams, attribute, value)? {
                    check_without_effect(RECEIVER, RECEIVER_KNOWN, attribute, value)?;
                }
            }
        }
        Ok(())
    }

    /// Set an attribute of the element `Transport`, or of `Sender`, which has none of its own.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value.
    pub fn set_transport(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        let sender = &mut self.sender;
        match attribute {
            "poolSize" => sender.pool_size = parse_count(TRANSPORT, attribute, value, 1)?,
            "timeout" => {
                let timeout = parse_millis(TRANSPORT, attribute, value)?;
                if timeout.is_zero() {
                    return Err(bad(TRANSPORT, attribute, value, "must be at least 1 millisecond"));
                }
                sender.timeout = timeout;
            }
            "maxRetryAttempts" => {
                let attempts: i32 = parse_int(TRANSPORT, attribute, value)?;
                sender.max_retry_attempts = u8::try_from(attempts.clamp(0, u8::MAX.into())).unwrap_or(0);
            }
            "throwOnFailedAck" => sender.throw_on_failed_ack = parse_bool(TRANSPORT, attribute, value)?,
            _ => {
                let (sockets, datagrams) = (&mut sender.sockets, &mut sender.datagrams);
                if !set_socket(TRANSPORT, sockets, datagrams, attribute, value)? {
                    check_without_effect(TRANSPORT, TRANSPORT_KNOWN, attribute, value)?;
                }
            }
        }
        Ok(())
    }

    /// Why an attribute of `Receiver` is accepted and does nothing; `None`: it has an effect, or does not exist.
    pub fn receiver_without_effect(attribute: &str) -> Option<&'static str> {
        without_effect(RECEIVER, attribute).map(|(_, reason)| reason)
    }

    /// The same for `Transport`.
    pub fn transport_without_effect(attribute: &str) -> Option<&'static str> {
        without_effect(TRANSPORT, attribute).map(|(_, reason)| reason)
    }
}

/// What both elements have. False: it is something else.
fn set_socket(
    element: &'static str,
    sockets: &mut SocketOptions,
    datagrams: &mut DatagramOptions,
    attribute: &str,
    value: &str,
) -> Result<bool, AttributeError> {
    let bytes = || parse_count(element, attribute, value, 1).map(Some);
    match attribute {
        "rxBufSize" => sockets.receive_buffer = bytes()?,
        "txBufSize" => sockets.send_buffer = bytes()?,
        // Tomcat does not pass those of the transport on to its sockets.
        "udpRxBufSize" => datagrams.receive_buffer = bytes()?,
        "udpTxBufSize" => datagrams.send_buffer = bytes()?,
        "tcpNoDelay" => sockets.no_delay = parse_bool(element, attribute, value)?,
        "soKeepAlive" => sockets.keep_alive = parse_bool(element, attribute, value)?,
        "soLingerOn" => sockets.linger = parse_bool(element, attribute, value)?,
        "soLingerTime" => {
            let seconds: u16 = parse_int(element, attribute, value)
                .map_err(|_| bad(element, attribute, value, "expected seconds, 0 to 65535"))?;
            sockets.linger_time = Duration::from_secs(seconds.into());
        }
        "soTrafficClass" => {
            let class: u8 = parse_int(element, attribute, value)
                .map_err(|_| bad(element, attribute, value, "expected an octet, 0 to 255"))?;
            (sockets.traffic_class, datagrams.traffic_class) = (Some(class), Some(class));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// An address or a name that has one; `auto` is none.
fn parse_address(attribute: &str, value: &str) -> Result<Option<IpAddr>, AttributeError> {
    if value == "auto" {
        return Ok(None);
    }
    if let Ok(ip) = value.parse() {
        return Ok(Some(ip));
    }
    let found: Vec<IpAddr> =
        (value, 0).to_socket_addrs().map(|found| found.map(|addr| addr.ip()).collect()).unwrap_or_default();
    let best = found.iter().find(|ip| ip.is_ipv4()).or(found.first());
    let reason = "expected auto, an IP address, or a name that has one now";
    best.map(|ip| Some(*ip)).ok_or_else(|| bad(RECEIVER, attribute, value, reason))
}

/// A port; zero and below are none, as in Tomcat.
fn parse_port(attribute: &str, value: &str) -> Result<Option<u16>, AttributeError> {
    let port: i32 = parse_int(RECEIVER, attribute, value)?;
    if port <= 0 {
        return Ok(None);
    }
    u16::try_from(port).map(Some).map_err(|_| bad(RECEIVER, attribute, value, "a port is at most 65535"))
}

fn without_effect(element: &str, attribute: &str) -> Option<(Form, &'static str)> {
    let mut all = WITHOUT_EFFECT.iter();
    all.find(|entry| entry.0 == element && entry.1 == attribute).map(|(_, _, form, reason)| (*form, *reason))
}

fn check_without_effect(
    element: &'static str,
    known: &'static [&'static str],
    attribute: &str,
    value: &str,
) -> Result<(), AttributeError> {
    match without_effect(element, attribute) {
        Some((Form::Bool, _)) => parse_bool(element, attribute, value).map(drop),
        Some((Form::Int, _)) => parse_int::<i64>(element, attribute, value).map(drop),
        None => Err(unknown(element, attribute, known)),
    }
}
