//! The only place that names the network: what a simulator replaces.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) use tokio::net::{TcpListener, TcpStream};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpSocket;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::tls;

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
