//! The only place that names the network: what a simulator replaces.

use std::io;
use std::net::SocketAddr;

pub(crate) use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
pub(crate) use tokio::net::{TcpListener, TcpStream};

use tokio::net::TcpSocket;

/// Connections that the system accepts for us before we do.
const BACKLOG: u32 = 1024;

/// A connection to `addr`, without delay of small writes. Waits as long as the system does: the caller has deadlines.
pub(crate) async fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Listens at `addr`. From here on connections succeed, accepted by us or not yet.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}
