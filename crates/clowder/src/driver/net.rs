//! The only place that names the network: what a simulator replaces.

use std::io;
use std::net::SocketAddr;

pub(crate) use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
pub(crate) use tokio::net::{TcpListener, TcpStream, UdpSocket};

use socket2::SockRef;
use tokio::net::TcpSocket;

use crate::transport::{DatagramOptions, SocketOptions};

/// Connections that the system accepts for us before we do.
const BACKLOG: u32 = 1024;

/// A connection to `addr`. Waits as long as the system does: the caller has deadlines.
pub(crate) async fn connect(addr: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = socket(addr)?;
    options.apply(&socket)?;
    socket.connect(addr).await
}

/// Listens at `addr`. From here on connections succeed, accepted by us or not yet.
pub(crate) fn listen(addr: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let socket = socket(addr)?;
    socket.set_reuseaddr(true)?;
    options.apply_buffers(&SockRef::from(&socket))?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn socket(addr: SocketAddr) -> io::Result<TcpSocket> {
    if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Receives datagrams at `addr`: to read, and to write at once or not at all.
///
/// Differs from Tomcat: it shares the port with other processes, of which one gets the datagrams, so that its range of
/// ports is of no use. Test: two_nodes_do_not_share_a_port_for_datagrams.
pub(crate) fn datagrams(addr: SocketAddr, options: &DatagramOptions) -> io::Result<(UdpSocket, std::net::UdpSocket)> {
    let socket = std::net::UdpSocket::bind(addr)?;
    socket.set_nonblocking(true)?;
    options.apply(&socket)?;
    Ok((UdpSocket::from_std(socket.try_clone()?)?, socket))
}
