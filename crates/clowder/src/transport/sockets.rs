//! What is set at sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;

/// Options of connections. `None` leaves what the system chooses.
///
/// Differs from Tomcat: it sets buffers of 64 KiB and 25,188 bytes, which switches off the system's own adaptation to
/// fast networks, and a linger of 3 s at accepted connections. Test: nothing_is_set_but_what_was_asked_for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// Bytes received and not read yet. Tomcat: `rxBufSize`.
    pub receive_buffer: Option<usize>,
    /// Bytes written and not acknowledged by the other system yet. Tomcat: `txBufSize`.
    pub send_buffer: Option<usize>,
    /// Small writes leave at once. Default true. Tomcat: `tcpNoDelay`.
    pub no_delay: bool,
    /// The system probes silent connections. Default false. Tomcat: `soKeepAlive`.
    pub keep_alive: bool,
    /// Closing waits until everything is acknowledged, for at most [`SocketOptions::linger_time`]; with a time of zero it
    /// resets the connection. Default false. A thread of the runtime is what waits: of no use but for zero. Tomcat:
    /// `soLingerOn`.
    pub linger: bool,
    /// Default 3 s, in whole seconds. Tomcat: `soLingerTime`.
    pub linger_time: Duration,
    /// The octet that routers may look at, of IPv4 and IPv6. Tomcat: `soTrafficClass`, by default 28, and at accepted
    /// connections without effect.
    pub traffic_class: Option<u8>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        SocketOptions {
            receive_buffer: None,
            send_buffer: None,
            no_delay: true,
            keep_alive: false,
            linger: false,
            linger_time: Duration::from_secs(3),
            traffic_class: None,
        }
    }
}

impl SocketOptions {
    /// For a connection that is to be made, or was accepted.
    pub(crate) fn apply<'a>(&self, socket: impl Into<SockRef<'a>>) -> io::Result<()> {
        let socket = socket.into();
        self.apply_buffers(&socket)?;
        socket.set_tcp_nodelay(self.no_delay)?;
        if self.keep_alive {
            socket.set_keepalive(true)?;
        }
        if self.linger {
            socket.set_linger(Some(self.linger_time))?;
        }
        set_traffic_class(&socket, self.traffic_class)
    }

    /// For a listening socket: what an accepted connection can no longer get.
    pub(crate) fn apply_buffers(&self, socket: &SockRef<'_>) -> io::Result<()> {
        set_buffers(socket, self.receive_buffer, self.send_buffer)
    }
}

/// Options of datagram sockets. `None` leaves what the system chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatagramOptions {
    /// Bytes received and not read yet. Tomcat: `udpRxBufSize`.
    pub receive_buffer: Option<usize>,
    /// Bytes that wait for the network. Tomcat: `udpTxBufSize`.
    pub send_buffer: Option<usize>,
    /// As [`SocketOptions::traffic_class`].
    pub traffic_class: Option<u8>,
}

impl DatagramOptions {
    pub(crate) fn apply<'a>(&self, socket: impl Into<SockRef<'a>>) -> io::Result<()> {
        let socket = socket.into();
        set_buffers(&socket, self.receive_buffer, self.send_buffer)?;
        set_traffic_class(&socket, self.traffic_class)
    }
}

fn set_buffers(socket: &SockRef<'_>, receive: Option<usize>, send: Option<usize>) -> io::Result<()> {
    receive.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
    send.map_or(Ok(()), |bytes| socket.set_send_buffer_size(bytes))
}

fn set_traffic_class(socket: &SockRef<'_>, class: Option<u8>) -> io::Result<()> {
    let Some(class) = class else { return Ok(()) };
    match socket.local_addr()?.as_socket() {
        Some(SocketAddr::V6(_)) => socket.set_tclass_v6(class.into()),
        _ => socket.set_tos_v4(class.into()),
    }
}

/// What all sockets of a channel get.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sockets {
    /// Connections of others.
    pub(crate) accepted: SocketOptions,
    /// Connections of this node.
    pub(crate) made: SocketOptions,
    pub(crate) udp_received: DatagramOptions,
    pub(crate) udp_sent: DatagramOptions,
}
