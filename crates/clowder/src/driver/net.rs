//! The only place that names the network: what a simulator replaces.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) use tokio::net::{TcpListener, TcpStream, UdpSocket};

use socket2::SockRef;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::tls;
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

/// Both directions of a connection without TLS.
pub(crate) fn split(stream: TcpStream) -> (ReadHalf, WriteHalf) {
    let (read, write) = stream.into_split();
    (ReadHalf::Plain(read), WriteHalf::Plain(write))
}

/// What comes.
pub(crate) enum ReadHalf {
    Plain(OwnedReadHalf),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no such value"))]
    Tls(tls::ReadHalf),
}

impl ReadHalf {
    /// The socket, if its bytes are the ones that were sent.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        match self {
            ReadHalf::Plain(half) => Some(half.as_ref()),
            ReadHalf::Tls(_) => None,
        }
    }
}

impl AsyncRead for ReadHalf {
    #[inline]
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            ReadHalf::Plain(half) => Pin::new(half).poll_read(cx, buffer),
            ReadHalf::Tls(half) => half.poll_read(cx, buffer),
        }
    }
}

/// What goes. Dropping it ends this direction.
///
/// Over TLS, bytes that were taken may still wait for the socket: until [`WriteHalf::try_flush`] says that they do not.
pub(crate) enum WriteHalf {
    Plain(OwnedWriteHalf),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is no such value"))]
    Tls(tls::WriteHalf),
}

impl WriteHalf {
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, WriteHalf::Plain(_))
    }

    #[inline]
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            WriteHalf::Plain(half) => half.try_write(bytes),
            WriteHalf::Tls(half) => half.try_write_vectored(&[IoSlice::new(bytes)]),
        }
    }

    #[inline]
    pub(crate) fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            WriteHalf::Plain(half) => half.try_write_vectored(slices),
            WriteHalf::Tls(half) => half.try_write_vectored(slices),
        }
    }

    /// True: the system has every byte that was taken.
    #[inline]
    pub(crate) fn try_flush(&self) -> io::Result<bool> {
        match self {
            WriteHalf::Plain(_) => Ok(true),
            WriteHalf::Tls(half) => half.try_flush(),
        }
    }

    /// The socket may take more.
    #[inline]
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            WriteHalf::Plain(half) => half.as_ref().poll_write_ready(cx),
            WriteHalf::Tls(half) => half.poll_write_ready(cx),
        }
    }
}
